#!/usr/bin/env bash
# plugins/build.sh DIR [FORMAT ...]: builds the formats of this folder as plugins into DIR, each with its manifest.
#
# Without names: safetensors pytorch onnx keras. `torch` is built only when named: it fetches libtorch (plugins/torch/build.sh).
# The command line has these formats built in; as plugins they serve other hosts.
set -euo pipefail
[[ $# -ge 1 && $1 != -* ]] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
to=$1
shift
[[ $# -ge 1 ]] || set -- safetensors pytorch onnx keras
mkdir -p "$to"
to=$(cd "$to" && pwd)
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

for format in "$@"; do
    manifest=plugins/$format/eigenscope-$format.toml
    [[ -e $manifest ]] || { echo "no format is called $format: there is no $manifest" >&2; exit 2; }
done
for format in "$@"; do
    if [[ $format == torch ]]; then
        plugins/torch/build.sh "$to"
        continue
    fi
    cargo rustc --locked --release --lib --features plugin --crate-type cdylib -p "eigenscope-$format"
    library=libeigenscope_$format.so
    # Replaced, not rewritten: a process that has it loaded keeps the old one.
    install -m 755 "$target/release/$library" "$to/.$library"
    mv "$to/.$library" "$to/$library"
    install -m 644 "plugins/$format/eigenscope-$format.toml" "$to/"
    echo "$to/eigenscope-$format.toml"
done
