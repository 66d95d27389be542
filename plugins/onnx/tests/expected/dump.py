#!/usr/bin/env python3
"""Writes what the onnx package reads from the real models, for tests/real_models.rs to compare with.

    python3 plugins/onnx/tests/expected/dump.py     (needs onnx and numpy, and the files of tests/fetch_models.py)

One line a tensor, in the order of the file: name, shape, element type, sum, and the first, middle and last value.
"""
import json
import pathlib

import numpy as np
import onnx
from onnx import numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
MODELS = HERE.parents[3] / "target" / "models"
FILES = ["magika/model.onnx", "opennsfw/open-nsfw.onnx", "silero/silero_vad.onnx", "silero/silero_vad_16k_op15.onnx",
         "silero/silero_vad_16k_sequence.onnx", "silero/silero_vad_half.onnx", "silero/silero_vad_op18_ifless.onnx",
         "silero/silero_vad_openvino_16k.onnx"]


def tensors(graph, prefix=""):
    for i, node in enumerate(graph.node):
        label = node.name or f"{node.op_type}#{i}"
        for attribute in node.attribute:
            if node.op_type == "Constant":
                if attribute.HasField("t"):
                    yield prefix + node.output[0], numpy_helper.to_array(attribute.t)
                else:
                    value = onnx.helper.get_attribute_value(attribute)
                    yield prefix + node.output[0], np.array(value, {"value_float": "f4", "value_floats": "f4"}.get(attribute.name, "i8"))
                continue
            name = f"{prefix}{label}.{attribute.name}"
            if attribute.HasField("t"):
                yield name, numpy_helper.to_array(attribute.t)
            if attribute.HasField("g"):
                yield from tensors(attribute.g, name + "/")
    for tensor in graph.initializer:
        yield prefix + tensor.name, numpy_helper.to_array(tensor)


def number(value):
    """JSON has no infinities: those are text."""
    return float(value) if np.isfinite(value) else str(float(value))


def main():
    for file in FILES:
        lines = []
        for name, array in tensors(onnx.load(MODELS / file).graph):
            flat = array.reshape(-1).astype(np.float64)
            some = [number(flat[i]) for i in (0, len(flat) // 2, -1)] if len(flat) else []
            lines.append(json.dumps([name, list(array.shape), str(array.dtype), number(flat.sum()), some]))
        target = HERE / (file.replace("/", "-") + ".json")
        target.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(target.name, len(lines), target.stat().st_size)


main()
