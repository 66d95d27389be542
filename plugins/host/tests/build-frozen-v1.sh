#!/bin/sh
# Builds the example plugin as it was when interface V1 was frozen, and prints where its library is.
# usage: build-frozen-v1.sh FOLDER    (sources and build go there; a second run finds them built)
# Ends with status 3 where the history does not reach back that far: a shallow clone, or no clone at all.
set -eu
commit=9ca72b964f091885113978d0ebfe9ea78c6c02c6
folder=$1
root=$(cd "$(dirname "$0")/../../.." && pwd)

if ! git -C "$root" cat-file -e "$commit^{commit}" 2>/dev/null; then
    echo "the commit $commit, where interface V1 was frozen, is not in this history" >&2
    exit 3
fi
library=$folder/build/debug/libeigenscope_npy.so
if [ ! -e "$folder/$commit" ]; then
    mkdir -p "$folder/source"
    git -C "$root" archive "$commit" | tar -x -C "$folder/source"
    # The same dependencies as then, as far as they were locked.
    cargo build --quiet --manifest-path "$folder/source/examples/plugin-npy/Cargo.toml" --target-dir "$folder/build" >&2
    touch "$folder/$commit"
fi
echo "$library"
