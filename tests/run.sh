#!/usr/bin/env bash
# Every check of the project, one step after the other, stopping at the first that fails. `make test` runs this.
#
# Needs cargo (Rust 1.95), python3 and a C compiler; what else is missing it installs, saying so. Asks nothing.
#
#   FAST=1             downloads no models and no libtorch, and leaves LAPACK out
#   SLOW=1             runs the C programs under valgrind and the thread sanitizer too
#   FUZZ=1             fuzzes even if cargo-fuzz has to be installed first
#   FUZZ_SECONDS=20    time for each fuzz target
#   STEPS="lint test"  only these steps
#
# Everything printed is kept in target/test.log. The lines `test result:` come once, together, at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null
export DEBIAN_FRONTEND=noninteractive TERM=dumb CARGO_TERM_COLOR=never CARGO_TERM_PROGRESS_WHEN=never

fast=${FAST:-0}
fuzz=${FUZZ:-0}
fuzz_seconds=${FUZZ_SECONDS:-20}
steps=${STEPS:-}
python=target/python/bin/python
log=target/test.log
number=0
current=
mkdir -p target
: >"$log"

# ---------------------------------------------------------------------------------------------------------- the steps

main() {
    step tools   "Tools"                                              tools
    step format  "Formatting"                                         cargo fmt --all --check
    step locks   "Lock files of every workspace"                      locks
    step lint    "Lints"                                              lint
    step docs    "Documentation of every crate"                       docs
    step models  "Real models"                                        models
    step test    "Tests of every crate"                               tests
    step lapack  "Tests of the lapack feature"                        lapack
    step release "Release build, and plugins that panic in it"        release
    step pages   "Pages in a browser"                                 pages
    step ffi     "The C library, installed and used"                  library
    step torch   "The libtorch plugin"                                torch
    step hosts   "Trainers and plugins in C and C++"                  hosts
    step fuzz    "Fuzzing, ${fuzz_seconds} s a target"                fuzzing
}

tools() {
    has cargo || fail "cargo is missing: install Rust 1.95 or later, for example from https://rustup.rs"
    has python3 || fail "python3 is missing: install Python 3.9 or later"
    has cc || install "a C compiler" build-essential
    if ! cargo fmt --version >/dev/null 2>&1 || ! cargo clippy --version >/dev/null 2>&1; then
        has rustup || fail "cargo fmt or cargo clippy is missing: install rustfmt and clippy of the same Rust version"
        say "installing rustfmt and clippy with rustup"
        rustup component add rustfmt clippy
    fi
    # A Python of our own, in target, so that nothing is installed into the user's.
    if ! "$python" -m pip --version >/dev/null 2>&1; then
        python3 -c 'import ensurepip, venv' 2>/dev/null || install "venv for Python" python3-venv
        say "making a Python environment in target/python"
        python3 -m venv --clear target/python
    fi
    has pkg-config || install "pkg-config" pkg-config
    has cmake || install "CMake" cmake
    if [[ ${SLOW:-0} == 1 ]]; then
        has valgrind || install "valgrind" valgrind
    fi
    if [[ $fast != 1 ]]; then
        links openblas || install "OpenBLAS, for the lapack feature" libopenblas-dev
    fi
    cargo --version
    "$python" --version
}

# Crates that are no members of the workspace have lock files of their own, which a new dependency of ours makes stale.
locks() {
    local lock
    find . -name target -prune -o -name Cargo.lock -print | while read -r lock; do
        cargo metadata --locked --format-version 1 --manifest-path "${lock%lock}toml" >target/metadata.json ||
            fail "$lock is stale: cargo update --workspace --manifest-path ${lock%lock}toml"
    done
}

lint() {
    cargo clippy --locked --workspace --all-targets -- -D warnings
}

docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps
}

models() {
    if [[ $fast == 1 ]]; then
        say "left out: FAST=1; tests of files that are not in target/models leave themselves out"
        return
    fi
    "$python" tests/fetch_models.py
}

# In the dev profile: our crates at opt-level 1, dependencies at 3. A release build would link every test with LTO.
tests() {
    require_models
    cargo test --locked --workspace -- --show-output
}

lapack() {
    if [[ $fast == 1 ]]; then
        say "left out: FAST=1"
        return
    fi
    require_models
    cargo clippy --locked -p eigenscope-linalg --features lapack --all-targets -- -D warnings
    cargo test --locked -p eigenscope-linalg --features lapack -- --show-output
    cargo test --locked -p eigenscope --features lapack -- --show-output
}

release() {
    require_models
    cargo build --locked --release
    cargo test --locked --release -p eigenscope-host --test naughty
}

pages() {
    if [[ $fast == 1 ]] && ! { has chromium && "$python" -c 'import websockets' 2>/dev/null; }; then
        say "left out: FAST=1; pages in a browser"
        return
    fi
    has chromium || install "Chromium, to open pages in" chromium
    "$python" -c 'import websockets' 2>/dev/null ||
        "$python" -m pip install --quiet --disable-pip-version-check websockets==15.0.1
    cargo build --locked --release
    "$python" tests/pages/test_pages.py target/release/eigenscope
    "$python" tests/pages/test_dashboard.py target/release/eigenscope
}

library() {
    REQUIRE_TOOLS=$((fast != 1)) tests/ffi/run.sh
}

torch() {
    if [[ $fast == 1 ]]; then
        say "left out: FAST=1; the libtorch plugin"
        return
    fi
    require_models
    plugins/torch/test.sh
}

hosts() {
    FAST=$fast tests/examples.sh
}

fuzzing() {
    if ! cargo fuzz --version >/dev/null 2>&1; then
        if [[ $fuzz != 1 ]]; then
            say "left out: cargo-fuzz is not installed (FUZZ=1 installs it)"
            return
        fi
        say "installing cargo-fuzz"
        cargo install --locked cargo-fuzz
    fi
    # Sanitizers and coverage are -Z options; a stable toolchain takes them if told so.
    export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$PWD/target/fuzz
    local target corpora
    for target in $(cargo fuzz list --fuzz-dir tests/fuzz); do
        say "fuzz target $target"
        # What fuzzing finds grows under target; committed seeds, where there are any, are only read.
        corpora=("target/fuzz-corpus/$target")
        mkdir -p "${corpora[0]}"
        if [[ -d tests/fuzz/corpus/$target ]]; then
            corpora+=("tests/fuzz/corpus/$target")
        fi
        cargo fuzz run --fuzz-dir tests/fuzz "$target" "${corpora[@]}" -- \
            -max_total_time="$fuzz_seconds" -rss_limit_mb=2048 -timeout=20 -verbosity=0 -print_final_stats=1
    done
}

# ------------------------------------------------------------------------------------------------------------ helpers

has() {
    command -v "$1" >/dev/null
}

say() {
    printf -- '-- %s\n' "$*"
}

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Whether a program can be linked against the library.
links() {
    echo 'int main(void) { return 0; }' | cc -x c - "-l$1" -o target/linked 2>/dev/null
}

require_models() {
    if [[ $fast != 1 ]]; then
        export EIGENSCOPE_REQUIRE_MODELS=1
    fi
}

# install WHAT PACKAGE...: Debian packages, as root or through sudo.
install() {
    local what=$1 root=()
    shift
    if [[ $(id -u) != 0 ]]; then
        has sudo || fail "$what is missing: install $* (there is no sudo to do it with)"
        root=(sudo -n)
    fi
    has apt-get || fail "$what is missing: install what Debian calls $*"
    say "installing $what: apt-get install $*"
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# step NAME TITLE COMMAND...: runs one step. A failure ends the script by `set -e`, and `finish` says where.
step() {
    local name=$1 title=$2 start=$SECONDS
    shift 2
    if [[ -n $steps && " $steps " != *" $name "* ]]; then
        return
    fi
    number=$((number + 1))
    current="step $number, $title ($name)"
    printf '\n==== %d. %s (%s)\n' "$number" "$title" "$name" | tee -a "$log"
    "$@" 2>&1 | tee -a "$log" | sed -u '/^test result:/d'
    printf '==== %d. done in %s\n' "$number" "$(duration $((SECONDS - start)))"
    current=
}

duration() {
    printf '%d min %02d s' $(($1 / 60)) $(($1 % 60))
}

# What ran, in cargo's own words, and what did not.
finish() {
    local status=$?
    trap - EXIT
    printf '\n==== Results\n'
    grep -E '^ +(Running|Doc-tests) |^test result:' "$log" | grep -B1 -E '^test result: .* [1-9][0-9]* (passed|failed)' \
        | grep -v '^--' || true
    grep -E -o 'left out: .*' "$log" | sort -u || true
    if [[ -n $current ]]; then
        # Again, for whoever reads only the end.
        {
            grep -E -A12 '^(failures:|test .* FAILED$|error(\[|:))' "$log" | tail -60
            grep -E -B30 '^FAILED: ' "$log" | tail -60
        } || true
        printf '\nFAILED in %s; see above, or %s\n' "$current" "$log"
        status=$((status ? status : 1))
    elif [[ $number == 0 ]]; then
        printf 'FAILED: no step is called %s\n' "$steps"
        status=1
    else
        awk -v steps="$number" '/^test result:/ { passed += $4; ignored += $8 }
            END { printf "\nPASSED: steps %d, tests %d, ignored tests %d\n", steps, passed, ignored }' "$log"
    fi
    printf 'Total time: %s\n' "$(duration "$SECONDS")"
    exit "$status"
}

trap finish EXIT
main
