#!/usr/bin/env python3
"""Write two_models.json: WeightWatcher 0.7.7 on small pairs of models, whose weights every test can make again.

    python3 -m venv oracle
    oracle/bin/pip install weightwatcher==0.7.7 torch==2.13.0 powerlaw==1.5 "setuptools<81"
    oracle/bin/python tests/golden/two_models.py > tests/golden/two_models.json

normals(seed, n, std): splitmix64 and Box-Muller as in tests/src/generator.rs, rounded to single precision. The weights of
each model are the sums of the terms listed with it: (name, shape, [(seed, std), ...]), added in single precision.
"""
import contextlib, io, json, logging, math, sys
import numpy as np
import matplotlib; matplotlib.use("Agg")
with contextlib.redirect_stdout(io.StringIO()):
    import weightwatcher as ww
import torch
logging.disable(logging.CRITICAL)

BASE = [("fc1.weight", [60, 100], [(1, .1)]), ("fc1.bias", [60], [(11, .1)]),
        ("conv.weight", [32, 16, 3, 3], [(5, .1)]), ("conv.bias", [32], [(12, .1)]),
        ("fc2.weight", [64, 64], [(2, .125)]), ("fc3.weight", [48, 30], [(4, .2)])]
TUNED = [("fc1.weight", [60, 100], [(1, .1), (21, .02)]), ("fc1.bias", [60], [(11, .1), (22, .01)]),
         ("conv.weight", [32, 16, 3, 3], [(5, .1), (23, .05)]), ("conv.bias", [32], [(12, .1), (24, .01)]),
         ("fc2.weight", [64, 64], [(2, .125)]), ("fc3.weight", [48, 30], [(25, .2)])]
SHORTER = [TUNED[0], TUNED[2], ("fc2.weight", [64, 32], [(26, .1)])]
WITHOUT = [TUNED[2], TUNED[4], TUNED[5]]
LORA = [("q.weight", [64, 48], [(31, .1)]),
        ("q.lora_A.default.weight", [8, 48], [(32, .2)]), ("q.lora_B.default.weight", [64, 8], [(33, .1)]),
        ("v.weight", [40, 40], [(34, .1)]),
        ("v.lora_A.default.weight", [8, 40], [(35, .2)]), ("v.lora_B.default.weight", [40, 8], [(36, .1)])]
ADAPTER = [t for t in LORA if "lora" in t[0]]

def normals(seed, n, std):
    s, out, mask = seed, [], 2**64 - 1
    def uniform():
        nonlocal s
        s = (s + 0x9E3779B97F4A7C15) & mask
        z = s
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53
    for _ in range(n):
        u1, u2 = uniform(), uniform()
        out.append(std * math.sqrt(-2 * math.log(1 - u1)) * math.cos(2 * math.pi * u2))
    return np.array(out).astype(np.float32)

def model(terms):
    out = {}
    for name, shape, parts in terms:
        n = math.prod(shape)
        value = sum((normals(seed, n, std) for seed, std in parts[1:]), normals(parts[0][0], n, parts[0][1]))
        out[name] = torch.from_numpy(np.ascontiguousarray(value.reshape(shape)))
    return out

def clean(v):
    if isinstance(v, (np.floating, float)):
        v = float(v); return v if math.isfinite(v) else str(v)
    if isinstance(v, (np.integer, int)) and not isinstance(v, bool): return int(v)
    if isinstance(v, (np.bool_, bool)): return bool(v)
    return v if v is None else str(v)

def rows(frame):
    return [{k: clean(v) for k, v in r.items()} for r in frame.reset_index().to_dict("records")]

def quietly(work):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return work()

def distances(a, b, method):
    dw, db, frame = quietly(lambda: ww.WeightWatcher().distances(model(a), model(b), method=method))
    return {"mean_delta_W": clean(dw), "mean_delta_b": clean(db), "layers": rows(frame)}

def analysis(terms, **options):
    base = options.pop("base", None)
    if base is not None: options["base_model"] = model(base)
    np.random.seed(0)
    # The model goes to analyze(): given to the constructor alone, a base_model of analyze() is ignored.
    return rows(quietly(lambda: ww.WeightWatcher().analyze(model=model(terms), **options)))

if __name__ == "__main__":
    models = {"base": BASE, "tuned": TUNED, "shorter": SHORTER, "without": WITHOUT, "lora": LORA, "adapter": ADAPTER}
    out = {"tool": "weightwatcher 0.7.7, cpu; made by two_models.py", "models": models, "distances": {}, "deltas": {}, "peft": {}}
    for pair in (("base", "tuned"), ("base", "shorter")):
        for method in ("raw", "euclidean", "CKA"):
            out["distances"]["-".join(pair) + ":" + method] = distances(models[pair[0]], models[pair[1]], method)
    for pair in (("tuned", "base"), ("shorter", "base"), ("without", "base")):
        out["deltas"]["-".join(pair)] = analysis(models[pair[0]], base=models[pair[1]])
    for name in ("lora", "adapter"):
        for how in (True, "with_base"):
            out["peft"][f"{name}:{how}"] = analysis(models[name], peft=how)
    json.dump(out, sys.stdout, indent=0, sort_keys=True)
    print()
