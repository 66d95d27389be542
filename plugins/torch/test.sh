#!/usr/bin/env bash
# plugins/torch/test.sh [ARGUMENT ...]: builds the plugin as build.sh does and tests it as hosts load it.
#
# Arguments go to cargo test. The published model wants `python3 tests/fetch_models.py silero/silero_vad.jit`.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "${CARGO_TARGET_DIR:-$here/../../target}"
target=$(cd "${CARGO_TARGET_DIR:-$here/../../target}" && pwd)
"$here/build.sh" "$target/torch/plugins"
if [[ -z ${LIBTORCH:-} && -z ${LIBTORCH_USE_PYTORCH:-} ]]; then
    export LIBTORCH=$target/libtorch
fi
if [[ -n ${LIBTORCH_USE_PYTORCH:-} ]]; then
    EIGENSCOPE_TORCH_LIB=$(python3 -c 'from torch.utils.cpp_extension import library_paths; print(library_paths()[0])')
else
    EIGENSCOPE_TORCH_LIB=${LIBTORCH_LIB:-$LIBTORCH}/lib
fi
export EIGENSCOPE_TORCH_LIB EIGENSCOPE_TORCH_PLUGINS=$target/torch/plugins
# Threads of OpenMP that wait would take the cores from the tests.
export OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1
cargo test --locked --release --manifest-path "$here/Cargo.toml" --target-dir "$target/torch" "$@"
