"""Strong and weak scaling of `sojourn infer` over processes: tables, a picture and a fitted cost model.

Every run is a whole `mpirun -n K sojourn infer` with one thread a process; rows of one repetition alternate. What counts
is the time of an iteration, from summary.json; start-up, which a long run pays once, has a column of its own.

Usage: scaling.py PROGRAM REPOSITORY [--ranks 1,2,4] [--particles 64] [--iterations 12] [--repetitions 3] [--command TEXT]
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field

from record import machine
from scaling_plot import scaling_plot

MODEL = """schema: sojourn/model/1
name: two_demes
family: {structured_coalescent: {samples: [5, 5], state: blocks}}
"""
RUN = """schema: sojourn/run/1
model: model.yaml
data: {{file: times.csv}}
priors:
  coal_0: {{lognormal: {{mean: 0, sd: 0.5}}}}
  coal_1: {{lognormal: {{mean: 0, sd: 0.5}}}}
  mig_0_1: {{lognormal: {{mean: -1, sd: 0.5}}}}
  mig_1_0: {{lognormal: {{mean: -1, sd: 0.5}}}}
sampler: {{particles: {particles}, iterations: {iterations}, start: prior}}
seed: 1
"""
# As the sampler's efficiency classes.
GOOD, FAIR = 0.8, 0.6
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "OMP_WAIT_POLICY": "passive",
}


@dataclass
class Case:
    """One row: `kind` is strong (the same particles on more ranks) or weak (as many for each rank)."""

    kind: str
    ranks: int
    particles: int
    iteration: list = field(default_factory=list)  # seconds, by repetition
    startup: list = field(default_factory=list)
    communication: list = field(default_factory=list)  # share of the wall clock
    bytes: int = 0  # an iteration
    particles_file: bytes = b""


def run(program, folder, case, iterations):
    (folder / "run.yaml").write_text(RUN.format(particles=case.particles, iterations=iterations), encoding="utf-8")
    launcher = ["mpirun", "-n", str(case.ranks)] if case.ranks > 1 else []
    command = [*launcher, program, "infer", "run.yaml", "--output", "out", "--overwrite", "--threads", "1", "--quiet"]
    result = subprocess.run(command, cwd=folder, env={**os.environ, **ENVIRONMENT}, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {result.returncode}:\n{result.stderr}")
    summary = json.loads((folder / "out" / "summary.json").read_text(encoding="utf-8"))
    seconds = summary["timings_seconds"]
    moving = seconds["scores"] + seconds["kernel"]
    case.iteration.append(moving / iterations)
    case.startup.append(seconds["model"] + seconds["elimination"] + seconds["start"])
    case.communication.append(summary["communication"]["share"])
    case.bytes = round(summary["communication"]["bytes"] / iterations)
    case.particles_file = (folder / "out" / "particles.csv").read_bytes()


def efficiency(case, alone):
    """Of each repetition, against the run of one process in the same repetition."""
    ideal = case.particles / alone.particles / case.ranks
    return [ideal * one / many for one, many in zip(alone.iteration, case.iteration)]


def fit(cases):
    """Seconds of an iteration = serial + each * ceil(n / K) + step * log2 K, by least squares without negative terms."""
    rows = [(1.0, math.ceil(c.particles / c.ranks), math.log2(c.ranks), statistics.median(c.iteration)) for c in cases]
    best = None
    for used in ([0, 1, 2], [0, 1], [1, 2], [1]):
        solution = least_squares([[row[k] for k in used] for row in rows], [row[3] for row in rows])
        if solution is None or min(solution) < 0:
            continue
        terms = [0.0, 0.0, 0.0]
        for k, value in zip(used, solution):
            terms[k] = value
        error = sum((sum(t * x for t, x in zip(terms, row)) / row[3] - 1) ** 2 for row in rows)
        if best is None or error < best[0]:
            best = (error, terms)
    return best[1]


def least_squares(matrix, right):
    """Relative residuals; by the normal equations, which three columns bear."""
    matrix = [[value / b for value in row] for row, b in zip(matrix, right)]
    size = len(matrix[0])
    a = [[sum(row[i] * row[j] for row in matrix) for j in range(size)] + [sum(row[i] for row in matrix)] for i in range(size)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(a[i][k]))
        if abs(a[pivot][k]) < 1e-14:
            return None
        a[k], a[pivot] = a[pivot], a[k]
        for i in range(size):
            if i != k:
                factor = a[i][k] / a[k][k]
                a[i] = [x - factor * y for x, y in zip(a[i], a[k])]
    return [a[k][size] / a[k][k] for k in range(size)]


def spread(values, scale=1.0, digits=3):
    middle, low, high = (scale * f(values) for f in (statistics.median, min, max))
    return f"{middle:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def verdict(share):
    if share >= GOOD:
        return "good"
    return "fair" if share >= FAIR else "poor: more particles a rank, or fewer ranks"


def page(cases, arguments, cores, description):
    lines = [
        "# Scaling over processes",
        "Made by `scripts/scaling`; do not edit.",
        "",
        f"- Date: {datetime.date.today().isoformat()}. Machine: {description}.",
        f"- Command: `{arguments.command}`.",
        f"- Two demes of 5 samples (479 states), 1,000 observations, SVGD of {arguments.iterations} iterations, one thread a"
        f" process, {arguments.repetitions} repetitions: median (least to most).",
        "- Efficiency is against the run of one process in the same repetition, measured, not assumed. From 0.8 it is good,",
        "  from 0.6 fair. Communication is the part of the first rank's wall clock in calls, waiting for others included.",
        f"- Rows with more than {cores} processes share cores: they show that the particles stay the same, not how it scales.",
        "- The particles of all rows with as many particles are the same, byte by byte; a run that differs ends this script.",
        "",
    ]
    for kind, title in (("strong", "Strong: the same particles on more processes"), ("weak", "Weak: as many particles for each process")):
        rows = [c for c in cases if c.kind == kind]
        alone = rows[0]
        lines += [
            f"## {title}",
            "| processes | particles | iteration, ms | start-up, s | efficiency | communication, % | bytes an iteration | |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for c in rows:
            shares = efficiency(c, alone)
            word = "shared cores" if c.ranks > cores else verdict(statistics.median(shares))
            lines.append(
                f"| {c.ranks} | {c.particles} | {spread(c.iteration, 1e3)} | {statistics.median(c.startup):.2g} |"
                f" {spread(shares)} | {spread(c.communication, 100, 2)} | {c.bytes:,} | {word} |"
            )
        lines.append("")
    own = [c for c in cases if c.ranks <= cores]
    serial, each, step = fit(own)
    lines += [
        "![Time of an iteration over processes](scaling.svg)",
        "",
        "## Cost model",
        f"Fitted to the rows above that have cores of their own: an iteration takes {1e3 * serial:.3g} ms + {1e3 * each:.3g} ms x"
        f" ceil(particles / K) + {1e3 * step:.3g} ms x log2 K on K processes. It knows this machine's messages, no network's.",
        "",
        "Predicted, **not measured**, for 100,000 particles:",
        "",
        "| processes | iteration | efficiency |",
        "|---|---|---|",
    ]
    particles = 100_000
    alone = serial + each * particles
    for ranks in (1, 8, 64, 256, 1024):
        seconds = serial + each * math.ceil(particles / ranks) + step * math.log2(ranks)
        lines.append(f"| {ranks:,} | {seconds:.3g} s | {alone / ranks / seconds:.2f} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--ranks", default="1,2,4")
    parser.add_argument("--particles", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--command", default="scripts/scaling")
    arguments = parser.parse_args()
    program = str(arguments.program.resolve())
    ranks = sorted({int(text) for text in arguments.ranks.split(",")} | {1})
    cases = [Case("strong", k, arguments.particles) for k in ranks]
    cases += [Case("weak", k, k * arguments.particles) for k in ranks]

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "model.yaml").write_text(MODEL, encoding="utf-8")
        draws = subprocess.run(
            [program, "sample", "model.yaml", "--theta", "1,0.7,0.5,0.3", "-n", "1000", "--seed", "7"],
            cwd=folder, capture_output=True, text=True, check=True,
        ).stdout.split()
        values = [text for text in draws if text[0].isdigit()]
        (folder / "times.csv").write_text("time\n" + "\n".join(values) + "\n", encoding="utf-8")
        seen = {}
        for repetition in range(arguments.repetitions):
            for case in cases:
                run(program, folder, case, arguments.iterations)
                if seen.setdefault(case.particles, case.particles_file) != case.particles_file:
                    raise SystemExit(f"{case.particles} particles on {case.ranks} processes differ from an earlier run")
                print(
                    f"{repetition + 1}/{arguments.repetitions} {case.kind:6} {case.ranks} processes, {case.particles} particles:"
                    f" {1e3 * case.iteration[-1]:.1f} ms an iteration, communication {100 * case.communication[-1]:.1f} %",
                    flush=True,
                )

    cores = len(os.sched_getaffinity(0))
    _, description = machine()
    text = page(cases, arguments, cores, description)
    (arguments.repository / "docs" / "scaling.md").write_text(text, encoding="utf-8")
    picture = scaling_plot(
        [
            (kind, [(c.ranks, [1e3 * t for t in c.iteration]) for c in cases if c.kind == kind])
            for kind in ("strong", "weak")
        ],
        cores,
    )
    (arguments.repository / "docs" / "scaling.svg").write_text(picture, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
