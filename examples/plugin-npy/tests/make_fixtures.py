"""Writes tests/fixtures with NumPy, and what NumPy reads back from them. Run: python3 tests/make_fixtures.py"""

import json
import pathlib

import numpy as np
from numpy.lib import format as npy

here = pathlib.Path(__file__).parent / "fixtures"
here.mkdir(exist_ok=True)
rng = np.random.default_rng(7)

arrays = {}
for order in "<>":
    for code in "f2 f4 f8".split():
        arrays[f"{code}{'le' if order == '<' else 'be'}"] = rng.standard_normal((3, 5)).astype(order + code)
    for code in "i2 i4 i8 u2 u4 u8".split():
        values = rng.integers(-100 if code[0] == "i" else 0, 30000, (2, 4))
        arrays[f"{code}{'le' if order == '<' else 'be'}"] = values.astype(order + code)
arrays["i1"] = np.array([-128, 0, 127], "i1")
arrays["u1"] = np.array([0, 200, 255], "u1")
arrays["b1"] = np.array([[True, False], [False, True]])
arrays["fortran"] = np.asfortranarray(rng.standard_normal((4, 3, 2)).astype("<f4"))
arrays["fortran_be"] = np.asfortranarray(rng.standard_normal((2, 7)).astype(">f8"))
arrays["scalar"] = np.float64(2.5)
arrays["empty"] = np.zeros((0, 4), "<f4")
arrays["special"] = np.array([np.inf, -np.inf, 0.0, -0.0, 1e-300], "<f8")
arrays["layer/weight"] = rng.standard_normal((6, 4)).astype("<f4")
opaque = {
    "complex": np.array([1 + 2j], "<c8"),
    "text": np.array(["ab", "c"]),
    "record": np.array([(1, 2.0)], dtype=[("shape", "<i4"), ("b, 'c'", "<f8")]),
    "date": np.array(["2020-01-01"], "M8[D]"),
}

expected = {}


def expect(file, name, array):
    entry = {"shape": list(array.shape), "values": None}
    if name not in opaque:
        # The bits of doubles, in hexadecimal: exact, and JSON has no infinities.
        bits = np.asarray(array).astype("f8").ravel(order="C").view("u8")
        entry["values"] = " ".join(f"{b:016x}" for b in bits)
    expected.setdefault(file, {})[name] = entry


def single(file, array, version=None):
    with open(here / file, "wb") as f:
        npy.write_array(f, np.asarray(array), version=version, allow_pickle=False)
    expect(file, file.removesuffix(".npy"), np.load(here / file))


for file, save in (("stored.npz", np.savez), ("packed.npz", np.savez_compressed)):
    save(here / file, **arrays, **opaque)
    loaded = np.load(here / file)
    for name in loaded.files:
        expect(file, name, loaded[name])

single("v1.npy", arrays["f4le"], (1, 0))
single("v2.npy", arrays["fortran"], (2, 0))
single("v3.npy", arrays["f2be"], (3, 0))

# Python 2 wrote shapes of long integers; NumPy still reads them.
text = b"{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 3L), }"
text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + np.arange(6, dtype="<i2").tobytes()
(here / "python2.npy").write_bytes(data)
expect("python2.npy", "python2", np.load(here / "python2.npy"))

(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
