#!/bin/sh
# Installs libeigenscope, its headers, two pkg-config files and a CMake package:
#
#     ffi/install.sh PREFIX
#
# DESTDIR=... puts the tree below another root without changing what the files say. SKIP_BUILD=1 takes the library that is there.
# STRIP=strip names the tool that removes debug information; STRIP= keeps it.
set -eu

[ $# -eq 1 ] || { echo "usage: $0 PREFIX" >&2; exit 2; }
prefix=$1
case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}/release
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")

[ -n "${SKIP_BUILD:-}" ] || cargo build --locked --manifest-path "$root/Cargo.toml" --release -p eigenscope-ffi

into=${DESTDIR:-}$prefix
mkdir -p "$into/include/eigenscope" "$into/lib/pkgconfig" "$into/lib/cmake/eigenscope" "$into/share/doc/eigenscope"
cp "$root"/include/eigenscope/*.h "$root"/include/eigenscope/*.hpp "$into/include/eigenscope/"
cp "$root/include/eigenscope/ABI-CHANGES.md" "$root/docs/c-api.md" "$root"/LICENSE-* "$into/share/doc/eigenscope/"

# A program that is running keeps the old library: replaced, never overwritten.
rm -f "$into/lib/libeigenscope.so.$version" "$into/lib/libeigenscope.a"
cp "$target/libeigenscope.so" "$into/lib/libeigenscope.so.$version"
cp "$target/libeigenscope.a" "$into/lib/libeigenscope.a"
ln -sf "libeigenscope.so.$version" "$into/lib/libeigenscope.so.0"
ln -sf libeigenscope.so.0 "$into/lib/libeigenscope.so"

strip=${STRIP-strip}
if [ -n "$strip" ] && command -v "$strip" >/dev/null; then
    "$strip" --strip-unneeded "$into/lib/libeigenscope.so.$version"
    "$strip" --strip-debug "$into/lib/libeigenscope.a"
fi

fill() { sed -e "s|@PREFIX@|$prefix|g" -e "s|@VERSION@|$version|g" "$root/ffi/$1.in" > "$into/lib/$2/$1"; }
fill eigenscope.pc pkgconfig
fill eigenscope-static.pc pkgconfig
fill eigenscope-config.cmake cmake/eigenscope
fill eigenscope-config-version.cmake cmake/eigenscope

echo "libeigenscope $version is in $into"
