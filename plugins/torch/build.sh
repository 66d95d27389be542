#!/usr/bin/env bash
# plugins/torch/build.sh DIR: builds the plugin that reads through libtorch into DIR, with its manifest.
#
# libtorch is the one that LIBTORCH or LIBTORCH_USE_PYTORCH names, or else is fetched into target/libtorch (540 MB, once).
# The plugin looks for it there when it runs; EIGENSCOPE_TORCH_RPATH='$ORIGIN/libtorch/lib' looks beside the plugin instead.
set -euo pipefail
[[ $# == 1 && $1 != -* ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
mkdir -p "$1"
to=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../../target}
mkdir -p "$target"
target=$(cd "$target" && pwd)

"$here/fetch-libtorch.sh" "$target/libtorch"
if [[ -z ${LIBTORCH:-} && -z ${LIBTORCH_USE_PYTORCH:-} ]]; then
    export LIBTORCH=$target/libtorch
fi
cargo build --locked --release --manifest-path "$here/Cargo.toml" --target-dir "$target/torch"

# Replaced, not rewritten: a process that has it loaded keeps the old one.
library=libeigenscope_torch.so
install -m 755 "$target/torch/release/$library" "$to/.$library"
mv "$to/.$library" "$to/$library"
install -m 644 "$here/eigenscope-torch.toml" "$to/"
echo "$to/eigenscope-torch.toml"
