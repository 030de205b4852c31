"""Strong and weak scaling of `sojourn infer` over processes: tables, a picture and a fitted cost model.

Every run is a whole `mpirun -n K sojourn infer` with one thread a process; rows of one repetition alternate. What counts
is the time of an iteration, from summary.json; start-up, which a long run pays once, has a column of its own.

Usage: scaling.py PROGRAM REPOSITORY [--ranks 1,2,4] [--particles 64] [--iterations 12] [--repetitions 3] [--command TEXT] [--model]
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field

from record import machine
from scaling_model import Gpu, bytes_sent, fit, seconds_of
from scaling_model import efficiency as efficiency_of
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
DIMENSION = 4  # of RUN
GPUS = (1, 8, 64, 256, 1024)
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
    lines += ["![Time of an iteration over processes](scaling.svg)", ""]
    return "\n".join(lines) + "\n" + model_section(cases, cores)


MODEL_TITLE = "## Cost model"
WORDS = {
    "row": "{:.3g} ms for each of a rank's particles, ceil(n / K)",
    "pair": "{:.3g} ms for each pair of directions, n ceil(n / K)",
    "byte": "{:.3g} ms for each byte that a rank sends",
    "doubling": "{:.3g} ms x log2 K of latency",
}
NAMES = {"row": "evaluation by rows", "pair": "directions by pairs", "byte": "bytes over bandwidth", "doubling": "latency x log2 K"}


def model_section(cases, cores):
    """Of cases with `iteration` in seconds and `bytes`."""
    own = [c for c in cases if c.ranks <= cores]
    found = fit([(c.particles, c.ranks, c.bytes, statistics.median(c.iteration)) for c in own])
    terms = [WORDS[term].format(1e3 * value) for term, value in found.constants.items()]
    settings = len({(c.particles, c.ranks) for c in own})
    lines = [
        MODEL_TITLE,
        "An iteration of n particles on K ranks is taken to cost a time for each particle that a rank evaluates, for each pair",
        "whose direction it sums (n^2 over all ranks), for each byte it sends, and for each doubling of the ranks; no time is",
        f"negative. Fitted to the {len(own)} rows above that have cores of their own, which are {settings} different settings:",
        "",
        *[f"- {text}" for text in terms],
        "",
        f"The mean relative residual is {100 * found.error:.2g} %.",
    ]
    if found.left_out:
        lines += [
            f"Not felt in these rows, or not to be told from the others by them: {', '.join(NAMES[t] for t in found.left_out)};",
            "their constants are 0 here, which is not a measurement of 0. More cores would tell them apart.",
        ]
    lines += [
        "",
        "Predicted by this, **not measured**, for 100,000 particles on processes of this machine's kind. No network is in it, and",
        "no direction where pairs are not felt at the few particles above:",
        "",
        "| processes | iteration | efficiency |",
        "|---|---|---|",
    ]
    particles = 100_000
    alone = seconds_of(found.constants, particles, 1, 0)
    for ranks in (1, 8, 64, 256, 1024):
        seconds = seconds_of(found.constants, particles, ranks, bytes_sent(particles, DIMENSION, ranks))
        lines.append(f"| {ranks:,} | {seconds:.3g} s | {efficiency_of(alone, seconds, ranks):.2f} |")
    return "\n".join([*lines, *gpu_lines()]) + "\n"


def gpu_lines():
    gpu = Gpu()
    full = gpu.lanes * GPUS[-1]
    lines = [
        "",
        "## GPUs: predicted, not measured",
        "No GPU has run this. The same four terms with constants that are **assumed**, for NVIDIA H200s and the same model:",
        "",
        f"- evaluation: {1e3 * gpu.wave:.3g} ms for up to {gpu.lanes:,} particles, which fill a GPU; fewer take as long. From the 46 and 11 ms",
        "  for 10,000 particles of [device](device.md) and decision [0025](decisions/0025-levels.md), three waves of 132 processors x 32 lanes",
        f"- directions: {1e12 * gpu.pair:.3g} ps a pair, 19 ms for 100,000 particles ([device](device.md)); {1e9 * gpu.repeated:.3g} ns a particle that every GPU repeats",
        "  (decision [0031](decisions/0031-iterations-on-several-devices.md))",
        f"- two exchanges of d and d + 4 numbers a particle: {1e6 * gpu.latency:.3g} us x log2 K each, {gpu.inside / 1e9:.3g} GB/s in a node of {gpu.per_node} (0031),",
        f"  {gpu.between / 1e9:.3g} GB/s between nodes, which no document of the project bears out",
        "- one iteration's kernels are within these figures (decision [0034](decisions/0034-planned-for-a-device.md): 2.5 us each)",
        "",
        f"| GPUs | iteration, 100,000 particles | efficiency | iteration, {full:,} particles | efficiency |",
        "|---|---|---|---|---|",
    ]
    for gpus in GPUS:
        row = f"| {gpus:,} |"
        for particles in (100_000, full):
            seconds = gpu.seconds(particles, gpus, DIMENSION)
            share = efficiency_of(gpu.seconds(particles, 1, DIMENSION), seconds, gpus)
            row += f" {seconds:.3g} s | {share:.2f} |"
        lines.append(row)
    return [
        *lines,
        "",
        "A hundred thousand particles of so small a model fill 24 GPUs: beyond, each evaluates less than it could in the same time.",
        f"{full:,} particles fill {GPUS[-1]:,}.",
    ]


def recorded(text):
    """The rows of a page that this script wrote, medians alone, and the number of cores that it names."""
    cases = []
    kind = ""
    for line in text.splitlines():
        if line.startswith("## "):
            kind = line[3:].split(":")[0].lower()
        match = re.match(r"\| (\d+) \| (\d+) \| ([\d.]+) \(.*\| ([\d,]+) \| [\w :,]+ \|$", line)
        if match and kind in ("strong", "weak"):
            ranks, particles, milliseconds, sent = match.groups()
            cases.append(Case(kind, int(ranks), int(particles), [float(milliseconds) / 1e3], bytes=int(sent.replace(",", ""))))
    return cases, int(re.search(r"Rows with more than (\d+) processes", text).group(1))


def rewrite_model(page_file):
    """Fits again to what is recorded; runs nothing."""
    text = page_file.read_text(encoding="utf-8")
    page_file.write_text(text[: text.index(MODEL_TITLE)] + model_section(*recorded(text)), encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--ranks", default="1,2,4")
    parser.add_argument("--particles", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=12)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--command", default="scripts/scaling")
    parser.add_argument("--model", action="store_true", help="run nothing, fit again to the rows that docs/scaling.md has")
    arguments = parser.parse_args()
    if arguments.model:
        rewrite_model(arguments.repository / "docs" / "scaling.md")
        return
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
