#!/usr/bin/env bash
# plugins/torch/fetch-libtorch.sh DEST: libtorch for the CPU, out of the wheels on PyPI, in DEST/{include,lib}.
#
# For Linux on x86-64: 540 MB are downloaded, 490 MB stay. A complete copy in DEST is left as it is, so a second call does
# nothing. Nothing is fetched where the environment names a libtorch: LIBTORCH (a folder with include and lib), or
# LIBTORCH_USE_PYTORCH=1 (the one of `import torch`). Either has to be of version 2.13.0.
#
# Needs python3 with pip, of any version: the wheels are unpacked, not installed.
set -euo pipefail
version=2.13.0
[[ $# == 1 ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }

if [[ -n ${LIBTORCH:-} || -n ${LIBTORCH_USE_PYTORCH:-} ]]; then
    exit 0
fi
if [[ -f $1/build-version && $(<"$1/build-version") == "$version" ]]; then
    exit 0
fi
if [[ $(uname -s)-$(uname -m) != Linux-x86_64 ]]; then
    echo "error: $(uname -s) on $(uname -m): set LIBTORCH to a libtorch $version, or LIBTORCH_USE_PYTORCH=1" >&2
    exit 1
fi
mkdir -p "$(dirname "$1")"
dest=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
work=$(mktemp -d "$dest.XXXXXX")
trap 'rm -rf "$work"' EXIT

# libtorch_cpu.so of this wheel needs two small libraries of CUDA, which load on machines without a GPU.
cat >"$work/wheels.txt" <<'END'
torch==2.13.0 --hash=sha256:60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7
nvidia-cuda-runtime==13.0.96 --hash=sha256:7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-cuda-cupti==13.0.85 --hash=sha256:4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
END
echo "fetching libtorch $version from PyPI (540 MB) into $dest"
# One wheel of torch for every Python that runs this.
python3 -m pip --disable-pip-version-check download --quiet --no-deps --require-hashes --only-binary=:all: \
    --python-version 3.11 --implementation cp --abi cp311 --abi none --platform manylinux_2_28_x86_64 \
    --platform manylinux_2_25_x86_64 --platform manylinux_2_17_x86_64 -r "$work/wheels.txt" -d "$work/wheels"

python3 - "$work" <<'END'
import glob, os, re, shutil, sys, zipfile

work = sys.argv[1]
wanted = re.compile(
    r"torch/(?P<header>include/.*)"
    r"|torch/(?P<torch>lib/(libtorch_cpu\.so|libc10\.so|libgomp\.so\.1))"
    r"|nvidia/cu13/(?P<cuda>lib/(libcudart|libcupti)\.so\.13)"
)
for wheel in glob.glob(f"{work}/wheels/*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            match = wanted.fullmatch(entry.filename)
            if not match or entry.is_dir():
                continue
            path = os.path.join(work, "libtorch", *filter(None, [match["header"] or match["torch"] or match["cuda"]]))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(entry) as source, open(path, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
END

# Linking asks for -ltorch, which in the wheel draws in all of CUDA; for the CPU it is another name of -ltorch_cpu.
echo 'INPUT(-ltorch_cpu)' >"$work/libtorch/lib/libtorch.so"
for library in libtorch_cpu.so libc10.so libgomp.so.1 libcudart.so.13 libcupti.so.13; do
    [[ -s $work/libtorch/lib/$library ]] || { echo "error: the wheels hold no $library" >&2; exit 1; }
done
echo "$version" >"$work/libtorch/build-version"

# In place under its name at once and complete; another call that was faster has made the same.
rm -rf "$dest.old"
[[ ! -e $dest ]] || mv "$dest" "$dest.old"
mv -T "$work/libtorch" "$dest"
rm -rf "$dest.old"
