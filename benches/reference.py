"""One analysis by WeightWatcher in a process of its own: `reference.py FILE [OPTION ...]`, run by weightwatcher.py in its own Python.
Options are arguments of analyze() that are set to True.

Prints one JSON object: seconds of analyze() alone, memory after the imports, alpha of each layer, versions. Without FILE it
only imports, which warms the file cache.
"""
import contextlib
import importlib.metadata
import io
import json
import logging
import math
import pathlib
import platform
import sys
import time

logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(io.StringIO()):
    import matplotlib

    matplotlib.use("Agg")
    import torch
    import weightwatcher
    from safetensors.torch import load_file

PACKAGES = ("weightwatcher", "torch", "numpy", "scipy", "powerlaw")


def load(path):
    """The file's tensors by name, taken out of the dictionary that a checkpoint wraps them in."""
    if path.suffix == ".safetensors":
        return load_file(path)
    state = torch.load(path, map_location="cpu", weights_only=True)
    state = state.get("state_dict", state)
    return {name: value for name, value in state.items() if torch.is_tensor(value)}


def peak_memory():
    """Most memory that this process has had, in bytes."""
    status = pathlib.Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def main():
    imported = peak_memory()
    if len(sys.argv) < 2:
        return
    state = load(pathlib.Path(sys.argv[1]))
    watcher = weightwatcher.WeightWatcher(model=state)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        start = time.perf_counter()
        details = watcher.analyze(**dict.fromkeys(sys.argv[2:], True))
        seconds = time.perf_counter() - start
    alphas = {name: float(alpha) for name, alpha in zip(details.longname, details.alpha)}
    result = {
        "seconds": seconds,
        "imported": imported,
        "alphas": {name: alpha if math.isfinite(alpha) else None for name, alpha in alphas.items()},
        "versions": {"Python": platform.python_version()} | {p: importlib.metadata.version(p) for p in PACKAGES},
        "threads": torch.get_num_threads(),
    }
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
