#!/usr/bin/env bash
# What the monitor costs a trainer, as Markdown: benches/monitor.sh [PAIRS]
#
# Installs the library into target/examples/prefix, builds the C trainer of examples/ and the submit benchmark of tests/ffi, and runs the
# trainer with and without the monitor by turns (30 pairs of 10 epochs; the first pair does not count).
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-30}
work=$PWD/target/examples
prefix=$work/prefix
mkdir -p "$work"
ffi/install.sh "$prefix" >"$work/install.log"
link=(-I"$prefix/include" -L"$prefix/lib" -leigenscope -lm -Wl,-rpath,"$prefix/lib")
cc -std=c99 -O3 examples/c/trainer.c examples/mlp/mlp.c "${link[@]}" -o "$work/trainer"
cc -std=c99 -O3 -Itests/ffi tests/ffi/submit_cost.c "${link[@]}" -o "$work/submit_cost"

epoch() {
    "$work/trainer" examples/mlp/digits.bin --epochs 10 "$@" | sed -n 's/.* epochs, \([0-9.]*\) ms each/\1/p'
}

epoch >/dev/null
epoch --no-monitor >/dev/null
for ((pair = 0; pair < pairs; pair++)); do
    # Which comes first changes, so that neither profits from its place.
    if ((pair % 2)); then
        with=$(epoch) without=$(epoch --no-monitor)
    else
        without=$(epoch --no-monitor) with=$(epoch)
    fi
    echo "$with $without"
done | python3 -c '
import statistics, sys

rows = [tuple(map(float, line.split())) for line in sys.stdin]
with_monitor, without = (statistics.median(column) for column in zip(*rows))
ratio = statistics.median(a / b for a, b in rows)
print("| training, 10 epochs of the digits MLP | ms an epoch, median |\n|---|---:|")
print(f"| without the monitor | {without:.2f} |\n| with it, default budget | {with_monitor:.2f} |")
print(f"\nMedian ratio of {len(rows)} pairs: {ratio:.4f}.\n")
'
"$work/submit_cost" | head -1
