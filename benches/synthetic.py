"""Models that weightwatcher.py measures and nobody can download as such; run by it in WeightWatcher's Python: `synthetic.py FOLDER [ONNX]`.

gpt2-small.safetensors: matrices of the shapes and names of GPT-2 small. block-7b.safetensors: the two shapes of a block of a 7B model. Each is Gaussian
noise beside a part whose singular values fall off as a power law, as those of trained layers do. open-nsfw.safetensors: the weights of the ONNX file, which
WeightWatcher 0.7.7 cannot read without its framework.
"""
import pathlib
import sys

import numpy as np
import torch
from safetensors.torch import save_file

RANK = 256


def weight(generator, rows, cols):
    noise = torch.randn(rows, cols, generator=generator) * 0.02
    left = torch.randn(rows, RANK, generator=generator) / rows**0.5
    right = torch.randn(RANK, cols, generator=generator) / cols**0.5
    strength = 0.04 * max(rows, cols) ** 0.5 * torch.arange(1, RANK + 1) ** -0.5
    return noise + (3 * left * strength) @ right


def save(path, shapes):
    if not path.exists():
        generator = torch.Generator().manual_seed(7)
        save_file({name: weight(generator, *shape) for name, shape in shapes.items()}, path)


def gpt2_small():
    shapes = {"wte.weight": (50257, 768), "wpe.weight": (1024, 768)}
    for block in range(12):
        parts = {"attn.c_attn": (768, 2304), "attn.c_proj": (768, 768), "mlp.c_fc": (768, 3072), "mlp.c_proj": (3072, 768)}
        shapes |= {f"h.{block}.{name}.weight": shape for name, shape in parts.items()}
    return shapes


def main():
    folder = pathlib.Path(sys.argv[1])
    save(folder / "gpt2-small.safetensors", gpt2_small())
    save(folder / "block-7b.safetensors", {"q_proj.weight": (4096, 4096), "up_proj.weight": (11008, 4096)})
    converted = folder / "open-nsfw.safetensors"
    if len(sys.argv) > 2 and not converted.exists():
        import onnx
        from onnx import numpy_helper

        tensors = {}
        for tensor in onnx.load(sys.argv[2]).graph.initializer:
            array = numpy_helper.to_array(tensor)
            if array.ndim in (2, 4):
                tensors[f"{tensor.name.removesuffix('.weight').replace('/', '.')}.weight"] = torch.from_numpy(np.array(array))
        save_file(tensors, converted)


if __name__ == "__main__":
    main()
