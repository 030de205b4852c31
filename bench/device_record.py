"""Turns the output of device_bench into STEM.json and STEM.md. Standard library only; called by scripts/device-check."""

import argparse
import datetime
import json
from pathlib import Path

HEADER = ["case", "order", "gradient", "mapping", "time, us (range)", "one CPU thread", "ratio", "multiply-adds/s",
          "of the shared-memory dot run", "largest difference"]

LIKELIHOOD_HEADER = ["log likelihood of 1,000 times", "gradient", "mapping", "time, us (range)", "one CPU thread", "ratio",
                     "multiply-adds/s", "of the complex dot run", "left to the CPU", "largest difference"]


ITERATION_HEADER = ["SVGD", "time, ms (range)", "CPU", "ratio", "resident iterations", "of these halts", "largest difference"]


def giga(value):
    return f"{value / 1e9:,.0f} G"


def line(cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stem", type=Path)
    for name in ("gpu", "sanitizer", "profile", "commit", "jax"):
        parser.add_argument("--" + name, default="")
    arguments = parser.parse_args()
    record = json.loads(Path(f"{arguments.stem}-bench.json").read_text())
    record |= {"gpu": arguments.gpu, "commit": arguments.commit, "compute_sanitizer": arguments.sanitizer,
               "ncu": arguments.profile, "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}
    tests = Path(f"{arguments.stem}-tests.txt").read_text().splitlines()
    record["tests"] = next((text for text in tests if "PASSED" in text), "none passed").replace("[  PASSED  ]", "passed").strip(" .")
    Path(f"{arguments.stem}.json").write_text(json.dumps(record, indent=1) + "\n")
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
    jax = "JAX: " + (arguments.jax or "not run")
    if arguments.jax.endswith(".json"):
        record["jax"] = json.loads(Path(arguments.jax).read_text())
        Path(f"{arguments.stem}.json").write_text(json.dumps(record, indent=1) + "\n")
        jax = "; ".join(f"JAX {record['jax']['version']} on {record['jax']['device']}, vmap(expm), {row['particles']} particles x "
                        f"{row['times']} times{', gradient' if row['gradient'] else ''}: {1e3 * row['seconds']:,.1f} ms"
                        for row in record["jax"]["rows"])
    text = [f"# {arguments.gpu}, {record['date'][:10]}", "Made by `scripts/device-check`; do not edit.", "",
            f"- Commit {arguments.commit or 'unknown'}; {record['lanes']:,} parameter vectors, kernel time, median of "
            f"{record['repetitions']}.",
            f"- Tests: {record['tests']}. compute-sanitizer: {arguments.sanitizer}. ncu: {arguments.profile}.",
            f"- Dot products from shared memory: {giga(record['shared_dot_multiply_adds_per_second'])} multiply-adds/s; on "
            f"registers {giga(record['register_multiply_adds_per_second'])}. Copies inside the second cache "
            f"{giga(record['cache_bytes_per_second'])}B/s, through memory {giga(record['memory_bytes_per_second'])}B/s.", "",
            *rows, "",
            "Log likelihoods from rates in host memory to values there, transfers included; multiply-adds are those of the "
            "transforms alone, four real ones a complex one.", "", *likelihoods, "",
            "SVGD from and to host memory; the CPU's time is that of a part multiplied up.", "", *iterations, "", jax + "."]
    Path(f"{arguments.stem}.md").write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
