#!/usr/bin/env python3
"""Times of the Gram matrix and of the eigenvalue solver beside other libraries, into docs/performance.md.

    python3 benches/solver.py [--quick] [--runs N] [--threads 1 2] [--types f64 f32] [--sizes N ...] [--binary FILE] [--write]

Ours and faer by core/linalg/examples/solver_times.rs; OpenBLAS by the same, where the library is installed (Debian: libopenblas-dev); MKL
by calling ?syevd and ?gemm of the libtorch that plugins/torch/fetch-libtorch.sh fetches; SciPy's svdvals of the matrix itself, up to 2048
columns, where weightwatcher.py has made its Python in target/oracle. The matrix is the Gram matrix of
noise. All take turns, each time a fresh copy of the matrix; medians of the runs. The floor is what the operations that a solve needs, n³
for the Gram matrix and 4/3 n³ for the reduction, take at the rate of MKL's matrix product.
"""
import argparse
import ctypes
import os
import pathlib
import platform
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
SCIPY = ROOT / "target" / "oracle" / "bin" / "python"
PAGE = ROOT / "docs" / "performance.md"
MARKS = ("<!-- begin: benches/solver.py -->", "<!-- end: benches/solver.py -->")
SIZES = [128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192]
# Threads that wait for more work sleep, or they would take the others' turns from them.
QUIET = {"OPENBLAS_THREAD_TIMEOUT": "4", "GOTO_THREAD_TIMEOUT": "4"}
TALL = [(1536, 384), (3072, 768), (11008, 4096), (65536, 512)]


class Ours:
    """The Rust program that answers line by line."""

    def __init__(self, binary, threads):
        env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), **QUIET)
        self.threads = threads
        self.process = subprocess.Popen([binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def ask(self, what, kind, rows, cols):
        self.process.stdin.write(f"{what} {kind} {rows} {cols} {self.threads}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        try:
            return [float(word) for word in answer.split()]
        except ValueError:
            return None


def mkl(threads):
    """A program of the same kind around libtorch's MKL, or None."""
    library = TARGET / "libtorch" / "lib" / "libtorch_cpu.so"
    if not library.exists():
        subprocess.run([ROOT / "plugins/torch/fetch-libtorch.sh", TARGET / "libtorch"], check=True)
    return served(threads, sys.executable, "--serve-mkl", str(library))


def served(threads, python, *arguments):
    """A program of the same kind in Python."""
    program = Ours.__new__(Ours)
    program.threads = threads
    count = str(threads)
    env = dict(os.environ, OMP_NUM_THREADS=count, MKL_NUM_THREADS=count, OPENBLAS_NUM_THREADS=count, OMP_WAIT_POLICY="passive", **QUIET)
    program.process = subprocess.Popen([python, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    return program


def serve_scipy():
    """Answers `svdvals` lines with seconds."""
    import numpy
    import scipy.linalg

    matrices = {}
    for line in sys.stdin:
        _, kind, rows, cols, _ = line.split()
        if (kind, rows, cols) not in matrices:
            matrices.clear()
            noise = numpy.random.default_rng(1).random((int(rows), int(cols))) - 0.5
            matrices[kind, rows, cols] = noise.astype(kind.replace("f", "float"))
        matrix = matrices[kind, rows, cols]
        start = time.perf_counter()
        scipy.linalg.svdvals(matrix)
        print(f"{time.perf_counter() - start:.6f}", flush=True)


def serve_mkl(library):
    """Answers `gemm` and `syevd` lines with seconds."""
    lib = ctypes.CDLL(library, mode=ctypes.RTLD_LOCAL)
    matrices = {}
    for line in sys.stdin:
        what, kind, rows, cols, _ = line.split()
        rows, cols = int(rows), int(cols)
        prefix, real = ("s", ctypes.c_float) if kind == "f32" else ("d", ctypes.c_double)
        gemm, syevd = getattr(lib, prefix + "gemm_"), getattr(lib, prefix + "syevd_")
        ref = ctypes.byref
        n, m = ctypes.c_int(cols), ctypes.c_int(rows)

        def product(a, c, second="N"):
            gemm(b"T", second.encode(), ref(n), ref(n), ref(m), ref(real(1)), a, ref(m), a, ref(m), ref(real(0)), c, ref(n))

        if (kind, rows, cols) not in matrices:
            matrices.clear()
            draw = random.Random(1).random
            few = [draw() - 0.5 for _ in range(min(rows * cols, 1_000_003))]
            a = (real * (rows * cols))()
            for start in range(0, rows * cols, len(few)):
                stop = min(rows * cols, start + len(few))
                a[start:stop] = few[: stop - start]
            gram = (real * (cols * cols))()
            product(a, gram)
            matrices[kind, rows, cols] = (a, gram)
        a, gram = matrices[kind, rows, cols]
        copy = (real * (cols * cols))()
        if what == "gemm":
            start = time.perf_counter()
            product(a, copy)
        else:
            ctypes.memmove(copy, gram, ctypes.sizeof(copy))
            values, best, ibest, info = (real * cols)(), real(), ctypes.c_int(), ctypes.c_int()
            query = ctypes.c_int(-1)
            syevd(b"N", b"L", ref(n), copy, ref(n), values, ref(best), ref(query), ref(ibest), ref(query), ref(info))
            # Room for the two-stage routines, beyond the least that is asked for.
            lwork, liwork = ctypes.c_int(max(int(best.value), 2 * cols + 1)), ctypes.c_int(max(ibest.value, 1))
            work, iwork = (real * lwork.value)(), (ctypes.c_int * liwork.value)()
            start = time.perf_counter()
            syevd(b"N", b"L", ref(n), copy, ref(n), values, work, ref(lwork), iwork, ref(liwork), ref(info))
            if info.value != 0:
                print("failed", flush=True)
                continue
        print(f"{time.perf_counter() - start:.6f}", flush=True)


def build():
    """The Rust program, with LAPACK where there is one."""
    command = ["cargo", "build", "--release", "-q", "-p", "eigenscope-linalg", "--example", "solver_times"]
    with_lapack = subprocess.run([*command, "--features", "lapack"], cwd=ROOT, capture_output=True).returncode == 0
    if not with_lapack:
        subprocess.run(command, cwd=ROOT, check=True)
    return TARGET / "release" / "examples" / "solver_times", with_lapack


def measure(binary, lapack, kind, threads, rows, cols, runs):
    """Medians of what each takes, by turns."""
    programs = [Ours(binary, threads), mkl(threads)]
    ours, theirs = programs
    asked = [("gram", ours, "gram"), ("solve", ours, "native"), ("MKL", theirs, "syevd"), ("gemm", theirs, "gemm")]
    if cols <= 2048:
        # Beyond, a run takes as long as all others together.
        asked.append(("faer", ours, "faer"))
        if SCIPY.exists():
            programs.append(served(threads, SCIPY, "--serve-scipy"))
            asked.append(("SciPy", programs[-1], "svdvals"))
    if lapack and cols <= 4096:
        asked.append(("OpenBLAS", ours, "lapack"))
    times = {}
    for run in range(runs + 1):
        for name, program, what in asked:
            answer = program.ask(what, kind, rows, cols)
            # The first of each makes the matrix and warms up.
            if answer and run:
                times.setdefault(name, []).append(answer[0])
    stages = [ours.ask("stages", kind, rows, cols) for _ in range(runs)]
    for program in programs:
        program.process.stdin.close()
        program.process.wait()
    result = {name: statistics.median(values) for name, values in times.items()}
    result["stages"] = [statistics.median(column) for column in zip(*stages)]
    return result


def row(kind, threads, rows, cols, t):
    ms = lambda name: f"{1e3 * t[name]:.3g}" if name in t else ""
    ratio = lambda name: f"{t[name] / t['solve']:.2f}" if name in t else ""
    rate = 2 * rows * cols**2 / t["gemm"]
    floor = (rows * cols**2 + 4 / 3 * cols**3) / rate
    gram = (rows * cols**2 / t["gram"]) / rate
    scipy = f"{t['SciPy'] / (t['gram'] + t['solve']):.1f}" if "SciPy" in t else ""
    parts = " + ".join(f"{1e3 * s:.3g}" for s in t["stages"])
    shape = f"{cols}" if rows == cols else f"{rows} x {cols}"
    return (f"| {kind} | {threads} | {shape} | {ms('gram')} | {gram:.2f} | {ms('solve')} | {parts} | {ms('MKL')} | {ms('OpenBLAS')} "
            f"| {ms('faer')} | **{ratio('MKL')}** | {ratio('OpenBLAS')} | {ratio('faer')} | {scipy} | {rate / 1e9:.0f} | {(t['gram'] + t['solve']) / floor:.2f} |")


HEAD = """| type | threads | n | Gram, ms | rate / MKL's | solve, ms | of it band + chase + QL | MKL, ms | OpenBLAS, ms | faer, ms | MKL / ours | OpenBLAS / ours | faer / ours | SciPy / ours | MKL's product, GF/s | both / floor |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"""


def main():
    if sys.argv[1:2] == ["--serve-mkl"]:
        return serve_mkl(sys.argv[2])
    if sys.argv[1:2] == ["--serve-scipy"]:
        return serve_scipy()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--types", nargs="*", default=["f64", "f32"])
    parser.add_argument("--sizes", type=int, nargs="*")
    parser.add_argument("--quick", action="store_true", help="few sizes, three runs")
    parser.add_argument("--binary", help="the built example, instead of building it")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    options = parser.parse_args()
    sizes = options.sizes or ([384, 1024, 2048] if options.quick else SIZES)
    shapes = [(n, n) for n in sizes] + ([] if options.quick or options.sizes else TALL)
    binary, lapack = (options.binary, True) if options.binary else build()
    lines = [f"{time.strftime('%Y-%m-%d')}; {platform.system()} {platform.release()}, {cpu()}; milliseconds, medians of {options.runs} runs by turns "
             f"(3 at n = 4096, 1 beyond).", "", HEAD]
    print("\n".join(lines), flush=True)
    for kind in options.types:
        for threads in options.threads:
            for rows, cols in shapes:
                if cols > 4096 and threads == 1 and len(options.threads) > 1:
                    # Minutes for a run.
                    continue
                runs = 1 if cols > 4096 else 3 if options.quick or cols >= 4096 else options.runs
                lines.append(row(kind, threads, rows, cols, measure(binary, lapack, kind, threads, rows, cols, runs)))
                print(lines[-1], flush=True)
    if options.write:
        page = PAGE.read_text()
        start, end = (page.index(mark) for mark in MARKS)
        PAGE.write_text(page[: start + len(MARKS[0])] + "\n" + "\n".join(lines) + "\n" + page[end:])
    return None


def cpu():
    with open("/proc/cpuinfo") as info:
        names = [line.split(":")[1].strip() for line in info if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


if __name__ == "__main__":
    main()
