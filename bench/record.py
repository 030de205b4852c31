"""Turns the JSON files of one benchmark session into what `scripts/bench` prints and keeps.

Writes docs/performance.md with its picture, and the same tables as a record of this machine and day in bench/results.
Ratios pair the repetitions of both sides, run alternately in one session: their median, and the range as spread.

Usage: record.py FOLDER_OF_JSON REPOSITORY --command TEXT --load-before L --load-after L [--commit TEXT]
"""

import argparse
import datetime
import pathlib
import re
import subprocess

from goal_plot import goal_plot
from measurements import Session, comparison_table, detail_rows, goal_rows, share_table, spread

BUSY_LOAD = 2.5


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


def circumstances(session, arguments, description, today):
    """Where and how it was measured, as a list."""
    repetitions = max((len(runs) for runs in session.runs.values()), default=0)
    lines = [
        f"- Date: {today}. Machine: {description}.",
        f"- Command: `{arguments.command}`" + (f" at commit {arguments.commit}." if arguments.commit else "."),
        f"- Load average before {arguments.load_before}, after {arguments.load_after} (the benchmarks themselves make 1 to 2).",
        f"- Ranges are over {repetitions} repetitions; both sides of a ratio alternate in one process, the Python peers"
        " apart, which run after ours.",
    ]
    if max(float(arguments.load_before), float(arguments.load_after)) > BUSY_LOAD:
        lines.append(
            "- **Other programs shared the machine**: elapsed times are too long, and so, by shared caches, are"
            " processor times. Ratios of threads mean little then."
        )
    if session.scipy:
        peers = session.scipy["peers"]
        differences = []
        for name, peer in peers.items():
            value = peer["relative_difference"]
            differences.append(f"{name} {'undefined' if value is None else format(value, '.1g')}")
        batch = peers.get("batched_expm", {}).get("num_times", 0)
        lines.append(
            f"- scipy {session.scipy['scipy']}, numpy {session.scipy['numpy']}, one thread. The Python peers run a few"
            f" particles, one after the other, and their rate counts for 1,000; batched dense expm runs {batch} of the"
            f" {session.scipy['num_times']:,} times and is multiplied up. Relative differences of the log-likelihoods"
            f" (batched: of densities) from ours: {', '.join(differences)}."
        )
    processor = session.column("guide_bench", "guide/svgd", "cpu_time")
    if processor:
        lines.append(f"- Processor time of the guide's load, both threads: {spread(processor)} s.")
    return lines


READING = """\
## How to read it
- *ours* and *peer* are medians; the ratio is taken repetition by repetition, and its median has to reach the goal. `>=`
  rows say how many times faster we are, `<=` rows are times, or one time over another.
- One thread and processor time, except rows that name threads and the elimination, which are elapsed time.
- 10,000 particles for moments (1,000 on the grid), 1,000 for log-likelihoods, scattered like a posterior. KLU takes one
  particle after the other, so it is measured on fewer where it is slow. Its matrices are ready in memory in the rows with
  a goal: refactor and solve alone, one more solve for the variance.
- Before a time counts, both sides must agree: 1e-9 relative, for moments and for log-likelihoods.
- *not measured* means that this session did not run it: no scipy, no Google Benchmark, or a benchmark that does not
  exist yet.
- On your own machine: `scripts/bench` makes this page again, `sojourn bench` shows throughput and its share of the
  machine's limit in a minute or two.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("json_folder", type=pathlib.Path)
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--command", required=True)
    parser.add_argument("--commit", default="")
    parser.add_argument("--load-before", required=True)
    parser.add_argument("--load-after", required=True)
    arguments = parser.parse_args()
    session = Session(arguments.json_folder)
    goals, details = goal_rows(session), detail_rows(session)
    name, description = machine()
    today = datetime.date.today().isoformat()
    about = "\n".join(circumstances(session, arguments, description, today))
    tables = f"{comparison_table(goals)}\n"
    more = f"## More comparisons\n{comparison_table(details)}\n"
    shares = share_table(session)
    if shares:
        limits = "; ".join(
            f"{limit['threads']} thread{'s' if limit['threads'] > 1 else ''}:"
            f" {limit['multiply_adds_per_second']['high'] / 1e9:.3g} G multiply-adds/s,"
            f" {limit['copied_bytes_per_second']['high'] / 1e9:.3g} GB/s copied"
            for limit in session.machine["limits"]
        )
        more += (
            f"\n## Share of the machine's limit\nBy `sojourn bench`, elapsed time; the limits it measured: {limits}.\n"
            f"What is counted: {session.machine['counting']}\n\n{shares}\n"
        )
    print(tables)
    print(more)

    docs = arguments.repository / "docs"
    picture = goal_plot(goals, "Measured ratios over their goals")
    page = "# Performance\nMade by `scripts/bench`; do not edit.\n\n## Goals\n" + about + "\n\n" + tables
    if picture:
        (docs / "performance.svg").write_text(picture)
        page += "\n![Measured ratios over their goals, one dot a row of the table](performance.svg)\n"
    (docs / "performance.md").write_text(page + "\n" + READING + "\n" + more)
    folder = arguments.repository / "bench/results" / name
    folder.mkdir(parents=True, exist_ok=True)
    record = f"# Benchmarks of {today}\n\n{about}\n\n{tables}\n{more}"
    (folder / f"{today}.md").write_text(record)
    print(f"written: docs/performance.md, {(folder / today).relative_to(arguments.repository)}.md")


if __name__ == "__main__":
    main()
