#!/usr/bin/env python3
"""Writes tests/expected/values.json: what h5py reads in the fixtures and in the real models of target/models.

    target/oracle/bin/python plugins/keras/tests/dump_expected.py

For each file: the variables of its layers in the order of Keras, each as [dataset, shape, dtype, sum, first, last]; and how many
variables its optimizer has. It follows layer_names and weight_names, or the order in which the datasets were written.
"""

import glob
import gzip
import io
import json
import pathlib
import zipfile

import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parents[2] / "target" / "models"


def values(data):
    if data.dtype.kind == "V" and data.dtype.itemsize == 2:
        return (np.frombuffer(data[()].tobytes(), "<u2").astype("u4") << 16).view("f4").astype("f8")
    return np.asarray(data[()], "f8").ravel()


def entry(data):
    v = values(data)
    return [data.name[1:], list(data.shape), str(data.dtype), float(v.sum()), *map(float, v[[0, -1]])]


def names(attributes, key):
    if key in attributes:
        found = attributes[key]
    else:
        parts = []
        while f"{key}{len(parts)}" in attributes:
            parts.append(attributes[f"{key}{len(parts)}"])
        found = np.concatenate(parts) if parts else []
    return [n.decode() if isinstance(n, bytes) else n for n in found]


def dump(f):
    root = f["model_weights"] if "model_weights" in f else f
    layers = names(root.attrs, "layer_names")
    if layers:
        optimizer = names(f["optimizer_weights"].attrs, "weight_names") if "optimizer_weights" in f else []
        found = [root[layer][w] for layer in layers for w in names(root[layer].attrs, "weight_names")]
        return {"layers": [entry(d) for d in found], "optimizer": len(optimizer)}
    found = []
    f.visititems(lambda _, o: found.append(o) if isinstance(o, h5py.Dataset) else None)
    found.sort(key=lambda d: h5py.h5o.get_info(d.id).addr)
    other = ("/optimizer/", "/metrics/")
    return {
        "layers": [entry(d) for d in found if not d.name.startswith(other)],
        "optimizer": sum(d.name.startswith("/optimizer/") for d in found),
    }


def open_any(path):
    data = pathlib.Path(path).read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:2] == b"PK":
        data = zipfile.ZipFile(io.BytesIO(data)).read("model.weights.h5")
    return h5py.File(io.BytesIO(data), "r")


paths = sorted(p for p in glob.glob(str(HERE / "fixtures" / "*.gz")) if not p.endswith(("bomb.h5.gz", "plain_earliest.h5.gz", "plain_latest.h5.gz")))
for pattern in ("crepe/*.h5", "deeplc/*.hdf5", "deeplc/*.keras", "hed/*.h5"):
    paths += sorted(glob.glob(str(MODELS / pattern)))
lines = [f"{json.dumps(pathlib.Path(p).name.removesuffix('.gz'))}: {json.dumps(dump(open_any(p)))}" for p in paths]
(HERE / "expected" / "values.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
