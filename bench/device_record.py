"""Turns what scripts/device-check has found, in STEM.parts, into STEM.json and STEM.md: what is wanted of a GPU beside what was
measured, then all rows. What is not there is "not measured". Standard library only."""

import argparse
import datetime
import json
from pathlib import Path

HEADER = ["case", "order", "gradient", "mapping", "time, us (range)", "one CPU thread", "ratio", "multiply-adds/s",
          "of the shared-memory dot run", "largest difference"]

LIKELIHOOD_HEADER = ["log likelihood of 1,000 times", "gradient", "mapping", "time, us (range)", "one CPU thread", "ratio",
                     "multiply-adds/s", "of the complex dot run", "left to the CPU", "largest difference"]


ITERATION_HEADER = ["SVGD", "time, ms (range)", "CPU", "ratio", "resident iterations", "of these halts", "largest difference"]


NOT_MEASURED = "not measured"
# Parts of scripts/device-check that leave one line.
LINES = {"tests": "tests that need a device", "suites": "the host's suites about devices, on the device",
         "suite": "the whole test suite", "sanitizer": "compute-sanitizer",
         "demonstrations": "survival and coalescent demonstrations, CPU beside GPU", "ranks": "processes on several GPUs",
         "program": "sojourn bench", "profile": "ncu", "jax": "JAX"}


def giga(value):
    return f"{value / 1e9:,.0f} G"


def line(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def one_row(rows, **wanted):
    """The row with these values, None where there is none; of several mappings the one that is taken, or the fastest."""
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    found = [row for row in found if row.get("chosen")] or found
    return min(found, key=lambda row: row.get("microseconds", row.get("seconds", 0)), default=None)


def goal(workload, wanted, row, measure, text, met):
    """A line of the table of goals; `measure` of its row is what is compared."""
    if row is None:
        return [workload, wanted, NOT_MEASURED, NOT_MEASURED]
    value = measure(row)
    return [workload, wanted, text(value), "yes" if met(value) else "NO"]


def goals(record):
    """Wanted of a GPU (issue 5), measured, met."""
    moments, iterations = record["rows"], record["iteration_rows"]
    percent, times, milliseconds = (lambda x: f"{100 * x:.1f} %"), (lambda x: f"{x:,.0f} x"), (lambda x: f"{x:.2f} ms")
    rows = []
    for case, name in (("coalescent_blocks_20", "coalescent of 20"), ("two_deme_blocks_10", "two demes of 5")):
        rows.append(goal(f"mean, {name}", ">= 60 % of the shared-memory dot run",
                         one_row(moments, case=case, order=1, gradient=False, precision="fp64"),
                         lambda row: row["share_of_shared_dot"], percent, lambda x: x >= 0.6))
    rows.append(goal("mean, two demes of 10", "<= 40 ms",
                     one_row(moments, case="two_deme_blocks_20", order=1, gradient=False, precision="fp64"),
                     lambda row: row["microseconds"] / 1e3, milliseconds, lambda x: x <= 40))
    gradient = one_row(record["likelihood_rows"], case="two_deme_blocks_10", gradient=True)
    name = "log likelihood with gradient, two demes of 5, the faster mapping"
    rows.append(goal(name, "<= 10 ms", gradient, lambda row: row["microseconds"] / 1e3, milliseconds, lambda x: x <= 10))
    rows.append(goal(name, ">= 50 % of the complex dot run", gradient, lambda row: row["share_of_complex_dot"], percent,
                     lambda x: x >= 0.5))
    peer = one_row(record.get("jax", {}).get("rows", []), gradient=True)
    rows.append(goal(name, ">= 100 x jax.vmap(expm)", gradient and peer,
                     lambda row: 1e6 * row["seconds"] / gradient["microseconds"], times, lambda x: x >= 100))
    step = one_row(iterations, case="SVGD direction, 100,000 particles, 4 parameters")
    rows.append(goal("SVGD step, 100,000 particles, 4 parameters: its direction, from and to host memory", "<= 20 ms", step,
                     lambda row: 1e3 * row["seconds"], milliseconds, lambda x: x <= 20))
    peer = min(record.get("jax", {}).get("step_rows", []), key=lambda row: row["seconds"], default=None)
    rows.append(goal("the same", ">= 5 x the faster of a JAX and a blackjax step", step and peer,
                     lambda row: row["seconds"] / step["seconds"], times, lambda x: x >= 5))
    guide = one_row(iterations, case="SVGD run, 500 particles, coalescent_lineages_10, 50 times, 1,000 iterations")
    rows.append(goal("500 particles x 50 times x 1,000 iterations", "<= 0.5 s", guide, lambda row: row["seconds"],
                     lambda x: f"{x:.2f} s", lambda x: x <= 0.5))
    whole = one_row(iterations, case="SVGD run, 1,000 particles, two_deme_blocks_10, 1,000 times, 100 iterations")
    rows.append(goal("SVGD run, 1,000 particles, two demes of 5, 1,000 times, 100 iterations", ">= 50 x two CPU threads", whole,
                     lambda row: row["cpu_seconds"] / row["seconds"], times, lambda x: x >= 50))
    parts = record["parts"]
    for part, wanted, good in (("tests", "all pass", lambda text: text.startswith("passed")),
                               ("suites", "all pass", lambda text: text.startswith("passed")),
                               ("suite", "all pass", lambda text: text.startswith("100% tests passed")),
                               ("sanitizer", "clean", lambda text: "runs clean" in text and "errors" not in text
                                and "not finished" not in text and not text.startswith("0 ")),
                               ("demonstrations", "agree", lambda text: text.startswith("agree"))):
        text = parts[part]
        unknown = text == NOT_MEASURED or text.startswith("not run")
        rows.append([LINES[part], wanted, text, NOT_MEASURED if unknown else "yes" if good(text) else "NO"])
    return rows


def read_parts(folder):
    """What the parts have left: one record of all benchmarks, and a line of each other part."""
    record = {"rows": [], "likelihood_rows": [], "iteration_rows": []}
    for path in sorted(folder.glob("bench-*.json")):
        one = json.loads(path.read_text())
        for key, value in one.items():
            # Limits are measured by each part; the last stands for all.
            record[key] = record[key] + value if key.endswith("rows") else value
    record["parts"] = {part: NOT_MEASURED for part in LINES}
    for part in LINES:
        path = folder / f"{part}.txt"
        if path.exists():
            record["parts"][part] = path.read_text().strip()
    for part in ("jax", "program"):
        path = folder / f"{part}.json"
        if path.exists() and not record["parts"][part].startswith("not run"):
            record[part] = json.loads(path.read_text())
    return record


def text_of(record):
    """The document."""
    rows = [line(HEADER), line(["---"] * len(HEADER))]
    for row in record["rows"]:
        rows.append(line([
            row["case"], row["order"], "yes" if row["gradient"] else "no", row["mapping"] + (" (chosen)" if row["chosen"] else ""),
            f"{row['microseconds']:.1f} ({row['low']:.1f} to {row['high']:.1f})", f"{row['one_cpu_thread']:,.0f} us",
            f"{row['one_cpu_thread'] / row['microseconds']:,.0f} x", giga(row["multiply_adds_per_second"]),
            f"{100 * row['share_of_shared_dot']:.1f} %", f"{row['worst_relative_difference']:.1e}"]))
    likelihoods = [line(LIKELIHOOD_HEADER), line(["---"] * len(LIKELIHOOD_HEADER))]
    for row in record["likelihood_rows"]:
        likelihoods.append(line([
            row["case"], "yes" if row["gradient"] else "no", row["mapping"],
            f"{row['microseconds']:.0f} ({row['low']:.0f} to {row['high']:.0f})", f"{row['one_cpu_thread']:,.0f} us",
            f"{row['one_cpu_thread'] / row['microseconds']:,.0f} x", giga(row["multiply_adds_per_second"]),
            f"{100 * row['share_of_complex_dot']:.1f} %", row["particles_on_cpu"],
            f"{row['worst_relative_difference']:.1e}"]))
    iterations = [line(ITERATION_HEADER), line(["---"] * len(ITERATION_HEADER))]
    for row in record["iteration_rows"]:
        iterations.append(line([
            row["case"], f"{1e3 * row['seconds']:.2f} ({1e3 * row['low']:.2f} to {1e3 * row['high']:.2f})",
            f"{1e3 * row['cpu_seconds']:,.0f} ms, {row['cpu_threads']} threads", f"{row['cpu_seconds'] / row['seconds']:,.0f} x",
            row["resident_iterations"], row["halts"],
            f"{row['worst_difference']:.1e}" if row["worst_difference"] else ""]))
    wanted = [line(["workload", "wanted", "measured", "met"]), line(["---"] * 4), *(line(cells) for cells in goals(record))]
    text = [f"# {record['gpu']}, {record['date'][:10]}", "Made by `scripts/device-check`; do not edit.", "",
            f"- Commit {record['commit'] or 'unknown'}" + (
                f"; {record['lanes']:,} parameter vectors, kernel time, median of {record['repetitions']}." if "lanes" in record
                else ".")]
    text += [f"- {words[0].upper() + words[1:]}: {record['parts'][part]}." for part, words in LINES.items()]
    if "shared_dot_multiply_adds_per_second" in record:
        text.append(f"- Dot products from shared memory: {giga(record['shared_dot_multiply_adds_per_second'])} multiply-adds/s; on "
                    f"registers {giga(record['register_multiply_adds_per_second'])}. Copies inside the second cache "
                    f"{giga(record['cache_bytes_per_second'])}B/s, through memory {giga(record['memory_bytes_per_second'])}B/s.")
    if "jax" in record:
        text += [f"- JAX {record['jax']['version']} on {record['jax']['device']}, vmap(expm), {row['particles']} particles x "
                 f"{row['times']} times{', gradient' if row['gradient'] else ''}: {1e3 * row['seconds']:,.1f} ms, "
                 f"multiplied up from {row['measured_particles']} x {row['measured_times']}." for row in record["jax"]["rows"]]
        text += [f"- SVGD step of {row['peer']}, {row['particles']:,} particles, {row['parameters']} parameters: "
                 f"{1e3 * row['seconds']:,.1f} ms, measured with {row['measured_particles']:,}."
                 for row in record["jax"].get("step_rows", [])]
    text += ["", *wanted]
    for name, intro, lines in (
            ("rows", "", rows),
            ("likelihood_rows", "Log likelihoods from rates in host memory to values there, transfers included; multiply-adds are "
             "those of the transforms alone, four real ones a complex one.", likelihoods),
            ("iteration_rows", "SVGD from and to host memory; the CPU's time is that of a part multiplied up.", iterations)):
        if record[name]:
            text += ["", *([intro, ""] if intro else []), *lines]
    return "\n".join(text) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stem", type=Path)
    for name in ("gpu", "commit"):
        parser.add_argument("--" + name, default="")
    parser.add_argument("--parts", type=Path, help="what the parts have left; STEM.parts")
    arguments = parser.parse_args()
    record = read_parts(arguments.parts or Path(f"{arguments.stem}.parts"))
    record |= {"gpu": arguments.gpu, "commit": arguments.commit,
               "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}
    record["goals"] = [dict(zip(("workload", "wanted", "measured", "met"), cells)) for cells in goals(record)]
    Path(f"{arguments.stem}.json").write_text(json.dumps(record, indent=1) + "\n")
    Path(f"{arguments.stem}.md").write_text(text_of(record))


if __name__ == "__main__":
    main()
