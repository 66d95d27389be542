#!/usr/bin/env bash
# The C library as programs see it: installed into a prefix, and used from there by programs in C and C++.
#
#     tests/ffi/run.sh [NAME...]      every check, or those of these names
#
#   SLOW=1               valgrind and the thread sanitizer too
#   SKIP_BUILD=1         takes the library in target/release as it is
#   REQUIRE_TOOLS=1      a check whose tool is missing (cmake, valgrind, OpenBLAS) fails instead of being left out
#
# Every check runs, whatever became of those before it; what a failed one said is shown. Its files are in target/ffi.
set -euo pipefail
cd "$(dirname "$0")/../.."

root=$PWD
here=$root/tests/ffi
work=$root/target/ffi
prefix=$work/prefix
library=$prefix/lib/libeigenscope.so.0
cmake=$(command -v cmake || echo "$root/target/python/bin/cmake")
chosen=" $* "
passed=0 failed=0
strict="-Wall -Wextra -Wpedantic -Werror -Wshadow -O1 -g"
c_programs="one_shot monitor loader panic manners fork threads"
# Not panic and manners: what these put in the place of libc's functions, a sanitizer has put its own. Not fork: the sanitizer's
# allocator is not made ready for a fork as libc's is, so that a child may find its lock taken for ever by a thread that is no more.
sane_c="one_shot monitor loader threads"
missing=77

main() {
    rm -rf "$work/scratch"
    mkdir -p "$work/scratch"
    check install      "one command installs the library"                               install_prefix
    check headers      "each header alone compiles in every C and C++ it promises"      headers
    check symbols      "the library exports the functions of eigenscope.h, no others"   symbols
    check links        "it needs libc, libm and libgcc_s, and stays once loaded"        links
    check coverage     "every function is called by a test program"                     coverage
    check contract     "the C programs hold it to its contract"                         contract
    check plugin       "a plugin in C, built as its page says, reads a model"           plugin
    check unload       "dlclose with live threads does no harm"                         unload
    check cpp          "the C++ face: ownership, exceptions, both string ABIs"          cpp
    check blas         "beside the real OpenBLAS both give right eigenvalues"           blas
    check pkgconfig    "pkg-config: shared, static library, all static, DESTDIR"        pkgconfig
    check cmake        "CMake: shared, static, moved prefix, wrong version"             cmake_package
    check asan         "ASan, UBSan and LSan have nothing to say"                       asan
    check asan_catches "and say it when a program is wrong"                             asan_catches
    if [[ ${SLOW:-0} == 1 ]]; then
        check tsan     "TSan has nothing to say, but for a race on purpose"             tsan
        check valgrind "valgrind has nothing to say, but for a misuse on purpose"       with_valgrind
    else
        echo "left out: TSan and valgrind (SLOW=1)"
    fi
    local ok=ok
    ((failed == 0)) || ok=FAILED
    echo "test result: $ok. $passed passed; $failed failed; 0 ignored; tests/ffi/run.sh in $SECONDS s"
    ((failed == 0))
}

# ----------------------------------------------------------------------------------------------------------- the checks

install_prefix() {
    rm -rf "$prefix"
    CARGO_TARGET_DIR=$root/target "$root/ffi/install.sh" "$prefix"
    ls -l "$prefix/lib"
}

headers() {
    local header standard
    for header in "$prefix"/include/eigenscope/*.h; do
        for standard in c99 c11 c17; do
            alone "$header" c "-std=$standard"
        done
        alone "$header" c++ -std=c++11
    done
    for header in "$prefix"/include/eigenscope/*.h "$prefix"/include/eigenscope/*.hpp; do
        for standard in c++17 c++20; do
            # Needs the trainer's own libtorch.
            [[ $header == */torch.hpp ]] || alone "$header" c++ "-std=$standard"
        done
    done
    alone "$prefix/include/eigenscope/eigenscope.hpp" c++ "-std=c++17 -fno-exceptions -DEGS_NO_EXCEPTIONS"
}

# alone HEADER LANGUAGE FLAGS: a file that holds nothing but the header, twice.
alone() {
    local name=eigenscope/${1##*/}
    printf '#include <%s>\n#include <%s>\nint used(void);\n' "$name" "$name" \
        | compiler "$2" -x "$2" $3 $strict -Wconversion -I"$prefix/include" -fsyntax-only - || { echo "$name as $3"; return 1; }
}

declared() {
    echo '#include <eigenscope/eigenscope.h>' | compiler c -x c -E -P -I"$prefix/include" - \
        | grep -oE '\begs_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

symbols() {
    nm -D --defined-only "$library" | awk '{ print $3 }' | sort >"$work/exported"
    declared >"$work/declared"
    (($(wc -l <"$work/declared") > 50))
    diff "$work/declared" "$work/exported"
}

links() {
    readelf -dW "$library" | tee "$work/dynamic"
    readelf -lW "$library" >"$work/segments"
    refuses grep 'GNU_STACK.*RWE' "$work/segments"
    grep -oP '\(NEEDED\).*\[\K[^]]+' "$work/dynamic" | sort | tr '\n' ' ' >"$work/needed"
    cat "$work/needed"
    [[ $(sed 's/ld-linux-[^ ]* //' "$work/needed") == "libc.so.6 libgcc_s.so.1 libm.so.6 " ]]
    grep -q 'SONAME.*\[libeigenscope.so.0\]' "$work/dynamic"
    grep -q NODELETE "$work/dynamic"
    refuses grep -E 'TEXTREL|RPATH|RUNPATH' "$work/dynamic"
    # Nothing that a BLAS or an OpenMP of the host could take over.
    nm -D --undefined-only "$library" >"$work/undefined"
    refuses grep -iE 'gemm|syev|gesdd|blas|omp_|GOMP' "$work/undefined"
}

coverage() {
    local function absent=0
    for function in $(declared); do
        grep -qE "\b$function\(" "$here"/*.c || { echo "no test program calls $function"; absent=1; }
    done
    return $absent
}

contract() {
    local program
    for program in $c_programs; do
        build "$program.c" "$program"
        "$work/$program" "$work/scratch" "$root/examples/models"
    done
    ls -A "$work/scratch"
    [[ -z $(ls -A "$work/scratch") ]]
}

plugin() {
    local folder=$work/plugin
    rm -rf "$folder"
    mkdir -p "$folder"
    compiler c -std=c99 -O2 -fPIC -shared -fvisibility=hidden -I"$prefix/include" "$root/examples/plugin-c/egraw.c" \
        -o "$folder/libeigenscope_egraw.so"
    cp "$root/examples/plugin-c/eigenscope-egraw.toml" "$folder"
    build plugin.c plugin_host
    "$work/plugin_host" "$folder" "$work/scratch"
}

unload() {
    compiler c -std=c11 $strict -I"$prefix/include" "$here/unload.c" -o "$work/unload" -ldl -lpthread
    "$work/unload" "$library"
}

cpp() {
    local abi
    for abi in 0 1; do
        build exceptions.cpp "exceptions$abi" -std=c++17 "-D_GLIBCXX_USE_CXX11_ABI=$abi"
        build results.cpp "results$abi" -std=c++20 -fno-exceptions "-D_GLIBCXX_USE_CXX11_ABI=$abi"
        "$work/exceptions$abi"
        "$work/results$abi"
    done
}

blas() {
    echo 'int main(void) { return 0; }' | compiler c -x c - -lopenblas -o "$work/linked" || needs OpenBLAS libopenblas-dev
    # Whichever comes first in the list of libraries, each finds its own functions.
    build beside_blas.c blas_after -lopenblas
    "$work/blas_after"
    compiler c $strict -I"$prefix/include" "$here/beside_blas.c" -o "$work/blas_before" -lopenblas -lm \
        -L"$prefix/lib" -leigenscope -Wl,-rpath,"$prefix/lib"
    "$work/blas_before"
}

pkgconfig() {
    command -v pkg-config || needs pkg-config pkg-config
    local out=$work/pkgconfig name
    mkdir -p "$out"
    package() { PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config "$@"; }
    compiler c "$here/consumer/main.c" -o "$out/shared" $(package --cflags --libs eigenscope)
    compiler c++ -std=c++17 "$here/consumer/main.cpp" -o "$out/shared_cpp" $(package --cflags --libs eigenscope)
    compiler c "$here/consumer/main.c" -o "$out/static" $(package --cflags --libs eigenscope-static)
    compiler c++ -std=c++17 "$here/consumer/main.cpp" -o "$out/static_cpp" $(package --cflags --libs eigenscope-static)
    # glibc warns that a static program finds plugins only with the very same glibc; that is so.
    compiler c -static "$here/consumer/main.c" -o "$out/all_static" $(package --cflags --libs --static eigenscope) 2>/dev/null
    for name in shared shared_cpp static static_cpp all_static; do
        "$out/$name"
    done
    needed "$out/shared" libeigenscope.so.0
    refuses needed "$out/static" libeigenscope
    refuses needed "$out/all_static" .
    [[ $(package --modversion eigenscope) == "$(package --modversion eigenscope-static)" ]]
    package --atleast-version=0.1 eigenscope

    rm -rf "$work/staged"
    SKIP_BUILD=1 CARGO_TARGET_DIR=$root/target DESTDIR=$work/staged "$root/ffi/install.sh" /opt/eigenscope
    grep -x 'prefix=/opt/eigenscope' "$work/staged/opt/eigenscope/lib/pkgconfig/eigenscope.pc"
    diff <(cd "$prefix" && find . | sort) <(cd "$work/staged/opt/eigenscope" && find . | sort)
    refuses grep -rIl "$work" "$work/staged"
}

cmake_package() {
    "$cmake" --version || needs CMake cmake
    local name moved=$work/moved
    rm -rf "$work/cmake" "$moved"
    # The package finds itself wherever it was moved to.
    cp -a "$prefix" "$moved"
    configure() { "$cmake" -S "$here/consumer" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$moved" "$@"; }
    configure
    "$cmake" --build "$work/cmake"
    for name in shared_c static_c shared_cpp static_cpp; do
        "$work/cmake/$name"
    done
    needed "$work/cmake/shared_c" libeigenscope.so.0
    refuses needed "$work/cmake/static_c" libeigenscope
    # What another minor version promises is not here.
    sed 's/eigenscope 0.1/eigenscope 0.2/' "$here/consumer/CMakeLists.txt" >"$work/scratch/CMakeLists.txt"
    cp "$here"/consumer/*.c "$here"/consumer/*.cpp "$work/scratch"
    refuses "$cmake" -S "$work/scratch" -B "$work/scratch/build" -DCMAKE_PREFIX_PATH="$moved"
    rm -rf "$work/scratch"/*
}

asan() {
    local program flags="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
    export ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1
    for program in $sane_c; do
        build "$program.c" "asan_$program" $flags
        "$work/asan_$program" "$work/scratch" "$root/examples/models"
    done
    build exceptions.cpp asan_exceptions -std=c++17 $flags
    build results.cpp asan_results -std=c++17 -fno-exceptions $flags
    "$work/asan_exceptions"
    "$work/asan_results"
}

asan_catches() {
    build bad.c asan_bad -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
    "$work/asan_bad" nothing
    catches 'heap-buffer-overflow' "$work/asan_bad" overflow
    catches 'LeakSanitizer: detected memory leaks' "$work/asan_bad" leak
    catches 'signed integer overflow' "$work/asan_bad" undefined
}

tsan() {
    local flags="-fsanitize=thread -fno-omit-frame-pointer"
    # The sanitizer does not see how the library's threads wait for each other, and would report its every memcpy.
    export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1
    build threads.c tsan_threads $flags
    "$work/tsan_threads"
    build bad.c tsan_bad $flags
    catches 'ThreadSanitizer: data race' "$work/tsan_bad" race
}

with_valgrind() {
    command -v valgrind || needs valgrind valgrind
    local program
    checked() { valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite "$@"; }
    # Not fork: a forked child leaves what belongs to its parent alone, which is a leak there.
    for program in one_shot monitor loader threads bad; do
        build "$program.c" "$program"
        checked "$work/$program" "$work/scratch"
    done
    build exceptions.cpp exceptions1 -std=c++17
    checked "$work/exceptions1"
    catches 'Invalid read' checked "$work/bad" overflow
    catches 'Invalid read' checked "$work/bad" closed
    catches 'definitely lost' checked "$work/bad" leak
}

# -------------------------------------------------------------------------------------------------------------- helpers

# compiler LANGUAGE ARGUMENT...
compiler() {
    local language=$1
    shift
    if [[ $language == c++ ]]; then ${CXX:-c++} "$@"; else ${CC:-cc} "$@"; fi
}

# build SOURCE PROGRAM FLAG...: against the prefix.
build() {
    local source=$here/$1 program=$work/$2 language=c
    [[ $1 == *.cpp ]] && language=c++
    shift 2
    compiler "$language" $strict -I"$prefix/include" "$source" -o "$program" -L"$prefix/lib" -leigenscope \
        -Wl,-rpath,"$prefix/lib" -lm -lpthread -ldl "$@"
}

# needed PROGRAM LIBRARY: whether a program asks for a shared library.
needed() {
    readelf -d "$1" | grep "NEEDED.*$2"
}

# refuses COMMAND...: the command fails, as it should.
refuses() {
    if "$@"; then
        echo "succeeded, and should not: $*"
        return 1
    fi
}

# catches WORDS COMMAND...: the command fails, and says so.
catches() {
    local words=$1
    shift
    if "$@" >"$work/caught" 2>&1; then
        echo "nothing caught: $*"
        return 1
    fi
    grep -m1 "$words" "$work/caught" || { cat "$work/caught"; return 1; }
}

# needs WHAT PACKAGE: ends a check whose tool is not there.
needs() {
    echo "$1 is missing: install what Debian calls $2"
    [[ ${REQUIRE_TOOLS:-0} == 1 ]] && exit 1
    exit $missing
}

# check NAME BEHAVIOUR FUNCTION: runs one, by itself, so that the first command that fails ends it.
check() {
    local name=$1 behaviour=$2 start=$SECONDS status
    [[ $chosen == "  " || $chosen == *" $name "* ]] || return 0
    set +e
    (set -e; "$3") >"$work/$name.log" 2>&1
    status=$?
    set -e
    if ((status == 0)); then
        passed=$((passed + 1))
        echo "ok: $name: $behaviour ($((SECONDS - start)) s)"
    elif ((status == missing)); then
        echo "left out: $name: $(tail -1 "$work/$name.log")"
    else
        failed=$((failed + 1))
        sed "s/^/  $name: /" "$work/$name.log"
        echo "FAILED: $name: $behaviour (its output is above, and in ${work#"$root"/}/$name.log)"
    fi
}

main
