#!/bin/sh
# tests/fuzz/seeds.sh TARGET FOLDER: copies what a fuzz target starts from into FOLDER, from the fixtures of its loader.
set -eu
target=$1
mkdir -p "$2"
folder=$(cd "$2" && pwd)
cd "$(dirname "$0")/../.."
case $target in
    safetensors) cp examples/models/digits-mlp.safetensors "$folder" ;;
    pytorch) cp plugins/pytorch/tests/fixtures/*.pt "$folder" ;;
    onnx) cp plugins/onnx/tests/fixtures/*.onnx "$folder" ;;
    keras)
        for file in plugins/keras/tests/fixtures/*.gz; do
            name=$(basename "$file" .gz)
            # It is made to expand; one that the tests know is enough.
            [ "$name" = bomb.h5 ] || gzip -dc "$file" >"$folder/$name"
        done
        ;;
    *) echo "no seeds for the fuzz target '$target'" >&2; exit 2 ;;
esac
