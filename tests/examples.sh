#!/usr/bin/env bash
# The trainers of examples/, each built by its own CMakeLists.txt against an installed library, and what they tell.
#
#     tests/examples.sh            every trainer; FAST=1 leaves libtorch out, which has to be fetched
#
# Needs CMake, a C and a C++ compiler. Its files are in target/examples.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/target/examples
prefix=$work/prefix
digits=examples/mlp/digits.bin
cmake=$(command -v cmake || echo "$PWD/target/python/bin/cmake")
passed=0

main() {
    mkdir -p "$work"
    ffi/install.sh "$prefix" >"$work/install.log"

    build c
    tells c healthy --epochs 20
    says c healthy 'spectra of epoch' 15
    says c healthy 'fc1 alpha [0-9.]+ fc2 alpha [0-9.]+ fc3 alpha [0-9.]+' 15
    says c healthy '^epoch 20: loss 0.0[0-9]+, accuracy 0.9[6-9]' 1
    says_not c healthy '^(STOP|WARN)'
    tells c absurd --lr 50 --epochs 10
    says c absurd '^STOP at epoch 1, fc1.weight: .*has NaN' 1
    tells c unwatched --no-monitor --epochs 20
    same_training

    build cpp
    tells cpp healthy --history "$work/history.csv"
    says cpp healthy '^no alarm$' 1
    says cpp healthy '^a copy of the weights was taken for epoch [0-9]+$' 1
    history
    tells cpp hot --hot fc3 20 --epochs 14 --history "$work/hot.csv"
    says cpp hot '^WARN at epoch [0-9]+, fc3.weight$' 1
    tells cpp absurd --lr 50 --history "$work/absurd.csv"
    says cpp absurd '^STOP at epoch [0-9]+, fc1.weight$' 1
    says cpp absurd '^epoch ' 1 5

    if [[ ${FAST:-0} == 1 ]]; then
        echo "left out: FAST=1; the libtorch trainer"
    else
        plugins/torch/fetch-libtorch.sh target/libtorch
        build libtorch "-DLIBTORCH=${LIBTORCH:-$PWD/target/libtorch}"
        export OMP_WAIT_POLICY=passive
        tells libtorch healthy --epochs 10
        says libtorch healthy 'fc1 alpha [0-9.]+ fc2 alpha [0-9.]+ fc3 alpha [0-9.]+' 5
        says libtorch healthy '^epoch [0-9]+: loss 0.[01][0-9]+, accuracy 0.9' 5
        says libtorch healthy '^no alarm$' 1
        # To the last digits of single-precision weights taken as doubles.
        says libtorch healthy "^fc[1-4].weight: eigenvalues within [0-9]e-1[4-9] of libtorch's, of the transposed view within [0-9]e-1[4-9]$" 4
        tells libtorch absurd --lr 1e6 --epochs 5
        says libtorch absurd '^STOP at epoch 1, fc1.weight$' 1
    fi
    echo "test result: ok. $passed passed; 0 failed; 0 ignored; tests/examples.sh in $SECONDS s"
}

# build EXAMPLE ARGUMENT...: from nothing, so that nothing of an earlier library is left.
build() {
    local example=$1
    shift
    rm -rf "${work:?}/$example"
    "$cmake" -S "examples/$example" -B "$work/$example" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_COMPILE_WARNING_AS_ERROR=ON \
        -DCMAKE_C_FLAGS="-Wall -Wextra -Wpedantic -Werror" -DCMAKE_CXX_FLAGS="-Wall -Wextra -Werror" "$@" >"$work/$example.log"
    "$cmake" --build "$work/$example" >>"$work/$example.log" || { cat "$work/$example.log"; exit 1; }
}

# tells EXAMPLE STORY ARGUMENT...: runs the trainer and keeps what it prints; standard error has to stay empty.
tells() {
    local example=$1 story=$2
    shift 2
    "$work/$example/trainer" "$digits" "$@" >"$work/$example-$story.txt" 2>"$work/$example-$story.err" \
        || { cat "$work/$example-$story".*; fail "$example $*: exit status $?"; }
    [[ ! -s $work/$example-$story.err ]] || fail "$example $*: $(cat "$work/$example-$story.err")"
}

# says EXAMPLE STORY PATTERN LEAST [MOST]: so many lines of the story match.
says() {
    local found
    found=$(grep -cE "$3" "$work/$1-$2.txt" || true)
    if ((found < $4 || found > ${5:-1000})); then
        cat "$work/$1-$2.txt"
        fail "$1, $2: $found lines match '$3', expected at least $4"
    fi
    passed=$((passed + 1))
}

says_not() {
    ! grep -E "$3" "$work/$1-$2.txt" || fail "$1, $2: the line above"
    passed=$((passed + 1))
}

# Watching changes nothing: the same losses and accuracies to the digit.
same_training() {
    diff <(grep '^epoch' "$work/c-healthy.txt") <(grep '^epoch' "$work/c-unwatched.txt") || fail "monitoring changed the training"
    passed=$((passed + 1))
}

# A row for every commit with our own numbers, and rows for the layers, whose alphas are in the range of trained layers.
history() {
    python3 - "$work/history.csv" <<'END' || fail "history.csv"
import csv, sys

rows = list(csv.DictReader(open(sys.argv[1])))
commits = [row for row in rows if not row["name"]]
layers = [row for row in rows if row["name"]]
assert len(commits) >= 15 and len(layers) >= 3 * len(commits), (len(commits), len(layers))
assert all(0 < float(row["own:loss"]) < 2 and 0.5 < float(row["own:accuracy"]) <= 1 for row in commits)
assert all(row["level"] in ("none", "snapshot") for row in commits)
assert {row["name"] for row in layers} >= {"fc1.weight", "fc2.weight", "fc3.weight"}, {row["name"] for row in layers}
for row in layers:
    if row["name"] in ("fc1.weight", "fc2.weight", "fc3.weight"):
        assert 2 < float(row["alpha"]) < 12, row
END
    passed=$((passed + 1))
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

main
