#!/usr/bin/env python3
"""A store of 1,000 results of 200 layers: how long import, list, compare, the dashboard and opening it take.

    cargo build --release && python3 benches/store.py [--results 1000] [--layers 200] [--keep DIR] [--command EIGENSCOPE]

Opening is timed in headless Chromium where that and the Python package websockets are installed: from the start of the navigation
until the first figure is drawn.
"""
import argparse
import asyncio
import json
import math
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = ["layer_id", "name", "D", "M", "N", "alpha", "alpha_weighted", "lambda_max", "layer_type", "log_alpha_norm", "log_norm",
           "log_spectral_norm", "norm", "num_pl_spikes", "sigma", "spectral_norm", "stable_rank", "sv_max", "xmax", "xmin", "status"]
SUMMARY = ["log_norm", "alpha", "alpha_weighted", "log_alpha_norm", "log_spectral_norm", "stable_rank"]


def layer(index, quality, chance):
    """A row whose alpha falls with quality, and with noise."""
    alpha = 5 - 2 * quality + chance.gauss(0, 0.8)
    spectral, norm = chance.lognormvariate(1, 1), chance.lognormvariate(3, 1)
    return {"layer_id": index, "name": f"stage{index // 20}.block{index % 20}.conv{index % 3}.weight", "D": chance.random() / 5, "M": 256,
            "N": 512, "alpha": alpha, "alpha_weighted": alpha * math.log10(spectral), "lambda_max": spectral, "layer_type": "conv2d",
            "log_alpha_norm": alpha * chance.random(), "log_norm": math.log10(norm), "log_spectral_norm": math.log10(spectral),
            "norm": norm, "num_pl_spikes": chance.randrange(5, 60), "sigma": chance.random(), "spectral_norm": spectral,
            "stable_rank": norm / spectral, "sv_max": math.sqrt(spectral), "xmax": spectral, "xmin": spectral / 10, "status": "success"}


def write_results(folder, results, layers):
    chance = random.Random(0)
    quality = ["architecture,variant,top1"]
    for index in range(results):
        architecture, variant = f"Net{index % 10}", f"v{index // 10}"
        good = chance.random()
        place = folder / "results" / architecture / variant
        place.mkdir(parents=True)
        rows = [layer(i, good, chance) for i in range(layers)]
        lines = [",".join(COLUMNS)] + [",".join(str(row[c]) for c in COLUMNS) for row in rows]
        (place / "details.csv").write_text("\n".join(lines) + "\n")
        means = {c: sum(row[c] for row in rows) / layers for c in SUMMARY}
        (place / "summary.json").write_text(json.dumps(means))
        quality.append(f"{architecture},{variant},{70 + 10 * good:.2f}")
    (folder / "top1.csv").write_text("\n".join(quality) + "\n")


def timed(what, command, arguments, folder, runs=1):
    best = math.inf
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run([str(command), *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    print(f"{what:44} {best:7.2f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--results", type=int, default=1000)
    parser.add_argument("--layers", type=int, default=200)
    parser.add_argument("--keep", type=pathlib.Path, help="work in this folder and leave it")
    parser.add_argument("--command", type=pathlib.Path, default=ROOT / "target/release/eigenscope")
    options = parser.parse_args()
    command = options.command.resolve()
    folder = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="eigenscope-store-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if not (folder / "results").exists():
            write_results(folder, options.results, options.layers)
        print(f"{options.results} results of {options.layers} layers")
        if not (folder / "zoo").exists():
            timed("import, every file flushed to the disk", command, ["store", "import", "zoo", "results", "--quality", "top1.csv"], folder)
        timed("list", command, ["store", "list", "zoo"], folder, 3)
        timed("list --check, every byte hashed", command, ["store", "list", "zoo", "--check"], folder, 3)
        timed("compare, 6 metrics", command, ["compare", "zoo"], folder, 3)
        timed("compare --metric D, read from the layers", command, ["compare", "zoo", "--metric", "D"], folder, 3)
        timed("dashboard", command, ["dashboard", "zoo", "-o", "zoo.html"], folder, 3)
        page = folder / "zoo.html"
        print(f"{'its size':44} {page.stat().st_size / 1e6:7.1f} MB")
        opening(page)
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def opening(page):
    sys.path.insert(0, str(ROOT / "tests" / "pages"))
    try:
        from browser import Browser
    except ImportError as missing:
        print(f"opening it is not timed: {missing}")
        return

    async def run():
        async with Browser() as browser:
            for what, key in [("opening it, Summary [all]", None), ("then Details [all], sixteen panels", "details")]:
                start = time.perf_counter()
                if key is None:
                    await browser.open(page)
                else:
                    await browser.js(f"(dashboard.choose('{key}'), dashboard.drawAll())")
                await browser.until("dashboard.charts().length > 0")
                await browser.js("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
                print(f"{what:44} {time.perf_counter() - start:7.2f} s")

    asyncio.run(run())


if __name__ == "__main__":
    main()
