#!/bin/sh
# Builds the example plugin as it was when interface V1 was frozen, and prints where its library is.
# usage: build-frozen-v1.sh FOLDER    (sources and build go there; a second run finds them built)
# Ends with status 3 where the history does not reach back that far: a shallow clone, or no clone at all.
set -eu
folder=$1
root=$(cd "$(dirname "$0")/../../.." && pwd)

if [ "$(git -C "$root" rev-parse --is-shallow-repository 2>/dev/null)" != false ]; then
    echo "the first commit, in which interface V1 is frozen, is not in this history" >&2
    exit 3
fi
# The history begins with the frozen interface.
commit=$(git -C "$root" rev-list --max-parents=0 HEAD | tail -1)
library=$folder/build/debug/libeigenscope_npy.so
if [ ! -e "$folder/$commit" ]; then
    mkdir -p "$folder/source"
    git -C "$root" archive "$commit" | tar -x -C "$folder/source"
    # The same dependencies as then, as far as they were locked.
    cargo build --quiet --manifest-path "$folder/source/examples/plugin-npy/Cargo.toml" --target-dir "$folder/build" >&2
    touch "$folder/$commit"
fi
echo "$library"
