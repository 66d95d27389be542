#!/usr/bin/env python3
"""Draws docs/images/esd.svg: the spectrum of one layer of the example network with the fit Eigenscope reports for it.

    cargo build --release && python3 docs/images/make_esd.py        (needs numpy, safetensors, matplotlib)
"""
import json
import pathlib
import subprocess

import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
from safetensors.numpy import load_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples/models/digits-mlp.safetensors"

report = json.loads(subprocess.run([ROOT / "target/release/eigenscope", "analyze", "--format", "json", MODEL],
                                   check=True, capture_output=True).stdout)
rows = [r for r in report["layers"] if r["status"] == "success"]
row = max(rows, key=lambda r: r["num_evals"])
weights = load_file(MODEL)[row["longname"]].astype(np.float64)
evals = np.linalg.svd(weights, compute_uv=False) ** 2

plt.rcParams.update({"font.family": "sans-serif", "font.size": 11, "svg.hashsalt": "eigenscope", "svg.fonttype": "none"})
fig, ax = plt.subplots(figsize=(8.2, 4.2), layout="constrained")
shown = evals[evals > row["xmin"] / 300]
bins = np.logspace(np.log10(shown.min()), np.log10(evals.max() * 1.02), 60)
density, edges = np.histogram(evals, bins=bins)
density = density / (np.diff(edges) * len(evals))
ax.bar(edges[:-1], density, np.diff(edges), align="edge", color="#56B4E9", edgecolor="white", linewidth=0.3, label=f"ESD, {row['num_evals']} eigenvalues")
tail = np.logspace(np.log10(row["xmin"]), np.log10(row["xmax"]), 100)
share = row["num_pl_spikes"] / row["num_evals"]
fit = share * (row["alpha"] - 1) / row["xmin"] * (tail / row["xmin"]) ** -row["alpha"]
ax.plot(tail, fit, color="#D55E00", linewidth=2.4, label=f"power law, $\\alpha$ = {row['alpha']:.2f}")
ax.axvline(row["xmin"], color="#444444", linestyle="--", linewidth=1.2, label=f"xmin = {row['xmin']:.3g}")
ax.set(xscale="log", yscale="log", xlabel="eigenvalue λ of WᵀW", ylabel="density")
ax.set_title(f"{row['name']} ({row['N']} x {row['M']}): alpha {row['alpha']:.2f}, D {row['D']:.3f}, stable rank {row['stable_rank']:.1f}", fontsize=11)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
fig.patch.set_facecolor("white")
fig.savefig(ROOT / "docs/images/esd.svg", metadata={"Date": None})
