"""Turns the JSON files of one benchmark session into the table that `scripts/bench` prints and keeps.

Ratios pair the repetitions of both sides, run alternately in one session: their median, and the range as spread.

Usage: record.py FOLDER_OF_JSON RESULTS_FOLDER --command TEXT --load-before L --load-after L [--commit TEXT]
"""

import argparse
import datetime
import json
import pathlib
import re
import statistics
import subprocess


class Session:
    def __init__(self, folder):
        self.runs = {}
        for path in sorted(folder.glob("*_bench.json")):
            for run in json.loads(path.read_text())["benchmarks"]:
                if run.get("run_type") != "iteration":
                    continue
                if run.get("error_occurred"):
                    raise SystemExit(f"{path.name}: {run['name']}: {run['error_message']}")
                name = "/".join(run["run_name"].split("/")[:2])
                self.runs.setdefault((path.stem, name), []).append(run)
        scipy = folder / "scipy.json"
        self.scipy = json.loads(scipy.read_text()) if scipy.exists() else None

    def column(self, bench, name, key):
        return [run[key] for run in self.runs.get((bench, name), [])]


def spread(values, digits=3):
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def count(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def verdict(met):
    return "yes" if met else "**no**"


def speed_row(name, unit, ours, peer_name, peer, goal):
    ratios = [a / b for a, b in zip(ours, peer)]
    met = verdict(statistics.median(ratios) >= goal) if goal else "-"
    return [
        name,
        f"{count(statistics.median(ours))}{unit}",
        f"{peer_name}: {count(statistics.median(peer))}{unit}",
        f"{spread(ratios)} x",
        f">= {goal} x" if goal else "none set",
        met,
    ]


def gradient_row(name, value, gradient, goal):
    ratios = [g / v for g, v in zip(gradient, value)]
    met = verdict(statistics.median(ratios) <= goal) if goal else "-"
    return [
        name,
        f"{statistics.median(gradient):.3g} ms",
        f"value alone: {statistics.median(value):.3g} ms",
        f"{spread(ratios)}",
        f"<= {goal}" if goal else "none set",
        met,
    ]


def table(session):
    rows = []
    cases = [
        ("coalescent_blocks_20", 8),
        ("two_deme_blocks_10", 8),
        ("two_deme_blocks_20", None),
        ("coalescent_lineages_10", None),
    ]
    peers = [
        ("klu", "KLU weights, refactor, solve"),
        ("klu_refactor_solve", "KLU refactor, solve"),
        ("klu_unscaled", "KLU without row scaling, weights, refactor, solve"),
    ]
    for case, goal in cases:
        ours = session.column("moments_bench", f"{case}/value", "particles/s")
        for variant, peer_name in peers:
            peer = session.column("moments_bench", f"{case}/{variant}", "particles/s")
            if ours and peer:
                rows.append(speed_row(f"first moment, {case}", "/s", ours, peer_name, peer, goal))
    for bench, cases_of_bench, goal in (
        ("moments_bench", [case for case, _ in cases], 2.5),
        ("likelihood_bench", ["two_deme_blocks_10"], None),
    ):
        what = "first moment" if bench == "moments_bench" else "log-likelihood of 1,000 times"
        for case in cases_of_bench:
            value = session.column(bench, f"{case}/value", "cpu_time")
            gradient = session.column(bench, f"{case}/gradient", "cpu_time")
            if value and gradient:
                rows.append(gradient_row(f"value and gradient, {what}, {case}", value, gradient, goal))
    ours = session.column("likelihood_bench", "two_deme_blocks_10/value", "particles/s")
    with_gradient = session.column("likelihood_bench", "two_deme_blocks_10/gradient", "particles/s")
    if session.scipy and ours:
        peer = [1 / seconds for seconds in session.scipy["seconds_per_particle"]]
        name = "scipy expm_multiply"
        rows.append(speed_row("log-likelihood, 1,000 times, two_deme_blocks_10", "/s", ours, name, peer, 100))
        rows.append(
            speed_row("the same with gradient, against scipy's value", "/s", with_gradient, name, peer, None)
        )
    wall = session.column("guide_bench", "guide/svgd", "real_time")
    if wall:
        rows.append(
            [
                "guide's load: 500 particles x 50 times x 1,000 SVGD iterations, 2 threads",
                f"{spread(wall)} s of wall time",
                "the guide's estimate: 69.4 h",
                f"{statistics.median([250000 / seconds for seconds in wall]):.2g} x",
                "< 20 s",
                verdict(statistics.median(wall) < 20),
            ]
        )
    return rows


def markdown(rows):
    header = ["name", "ours", "peer", "ratio: median (range)", "goal", "met"]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in [header, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def machine():
    fields = {}
    for line in subprocess.run(["lscpu"], capture_output=True, text=True, check=True).stdout.splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    model, cores = fields.get("Model name", "unknown"), fields.get("CPU(s)", "1")
    short = re.sub(r"\(R\)|\(TM\)|@.*|\d+-Core|Processor|CPU|^AMD|^Intel", " ", model)
    slug = re.sub(r"[^a-z0-9]+", "-", short.lower()).strip("-") or "unknown"
    vectors = "AVX-512" if "avx512f" in fields.get("Flags", "") else "AVX2" if "avx2" in fields.get("Flags", "") else "-"
    description = (
        f"{model}, {cores} cores, caches L1d {fields.get('L1d cache', '?')}, L2 {fields.get('L2 cache', '?')}, "
        f"L3 {fields.get('L3 cache', '?')}, {vectors}"
    )
    return f"cpu-{cores}core-{slug}", description


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json_folder", type=pathlib.Path)
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--commit", default="")
    parser.add_argument("--load-before", required=True)
    parser.add_argument("--load-after", required=True)
    arguments = parser.parse_args()
    session = Session(arguments.json_folder)
    text = markdown(table(session))
    print(text)
    name, description = machine()
    repetitions = max(len(runs) for runs in session.runs.values())
    today = datetime.date.today().isoformat()
    page = [
        f"# Benchmarks of {today}",
        "",
        f"- Machine: {description}.",
        f"- Command: `{arguments.command}`" + (f" at commit {arguments.commit}." if arguments.commit else "."),
        f"- Load average before {arguments.load_before}, after {arguments.load_after}.",
        "- One thread and processor time, the guide's load apart (2 threads, wall time). Both sides of a ratio of"
        f" moments alternate in one process; the range is over {repetitions} repetitions.",
    ]
    if max(float(arguments.load_before), float(arguments.load_after)) > 2.5:
        page.append(
            "- **Other programs shared the machine**: wall times are too long, and so, by shared caches and spinning"
            " threads, are processor times."
        )
    processor = session.column("guide_bench", "guide/svgd", "cpu_time")
    if processor:
        page.append(f"- Processor time of the guide's load, both threads: {spread(processor)} s.")
    if session.scipy:
        page.append(
            f"- scipy {session.scipy['scipy']}, numpy {session.scipy['numpy']}: {session.scipy['num_particles']}"
            f" particles measured, one thread; its rate for 1,000 is that rate, extrapolated linearly. Log-likelihoods"
            f" of both agree to {session.scipy['relative_difference']:.1g} relative."
        )
    page += ["", text, ""]
    folder = arguments.results / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{today}.md").write_text("\n".join(page))
    print(f"\nwritten: {folder / today}.md")


if __name__ == "__main__":
    main()
