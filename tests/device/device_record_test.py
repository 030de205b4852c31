"""bench/device_record.py and device_agree.py on made-up records: what is wanted stands beside what was measured."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parents[2] / "bench"

MOMENTS = {"device": "Made-up", "lanes": 10000, "repetitions": 20, "shared_dot_multiply_adds_per_second": 2.1e12,
           "register_multiply_adds_per_second": 5.6e12, "cache_bytes_per_second": 5e12, "memory_bytes_per_second": 4e12,
           "likelihood_rows": [], "iteration_rows": []}


def moment(case, microseconds, share, chosen=True, **more):
    return {"case": case, "order": 1, "gradient": False, "precision": "fp64", "mapping": "levels", "chosen": chosen,
            "microseconds": microseconds, "low": microseconds, "high": microseconds, "one_cpu_thread": 1e6,
            "multiply_adds_per_second": 1e12, "share_of_shared_dot": share, "worst_relative_difference": 1e-15} | more


def likelihood(mapping, microseconds, share):
    return {"case": "two_deme_blocks_10", "gradient": True, "mapping": mapping, "microseconds": microseconds,
            "low": microseconds, "high": microseconds, "one_cpu_thread": 1e8, "multiply_adds_per_second": 1e12,
            "share_of_complex_dot": share, "particles_on_cpu": 0, "worst_relative_difference": 1e-14}


def iteration(case, seconds, cpu_seconds):
    return {"case": case, "seconds": seconds, "low": seconds, "high": seconds, "cpu_seconds": cpu_seconds, "cpu_threads": 2,
            "resident_iterations": 100, "halts": 0, "worst_difference": 1e-13}


class Scratch(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)


class Record(Scratch):
    def setUp(self):
        super().setUp()
        self.parts = self.folder / "day.parts"
        self.parts.mkdir()

    def write(self, name, value):
        (self.parts / name).write_text(value if isinstance(value, str) else json.dumps(value))

    def make(self):
        subprocess.run([sys.executable, "-B", BENCH / "device_record.py", self.folder / "day", "--gpu", "Made-up", "--commit",
                        "abc"], check=True)
        record = json.loads((self.folder / "day.json").read_text())
        met = {}
        for row in record["goals"]:
            met[row["workload"], row["wanted"]] = row["measured"], row["met"]
        return record, met, (self.folder / "day.md").read_text()

    def test_nothing_found_is_not_measured(self):
        record, met, text = self.make()
        self.assertEqual({value[1] for value in met.values()}, {"not measured"})
        self.assertEqual(set(record["parts"].values()), {"not measured"})
        self.assertIn("| mean, two demes of 10 | <= 40 ms | not measured | not measured |", text)
        self.assertNotIn("yes", text)

    def test_goals_are_met_or_not(self):
        self.write("bench-moments.json", MOMENTS | {"rows": [
            moment("coalescent_blocks_20", 28, 0.62), moment("coalescent_blocks_20", 20, 0.9, chosen=False),
            moment("coalescent_blocks_20", 10, 0.9, precision="fp32"), moment("two_deme_blocks_10", 260, 0.14),
            moment("two_deme_blocks_10", 100, 0.9, order=2), moment("two_deme_blocks_20", 40001, 0.3)]})
        self.write("bench-likelihoods.json", MOMENTS | {"rows": [], "likelihood_rows": [
            likelihood("threads", 112000, 0.1), likelihood("levels", 10000, 0.5)]})
        self.write("bench-iterations.json", MOMENTS | {"rows": [], "iteration_rows": [
            iteration("SVGD direction, 100,000 particles, 4 parameters", 0.0201, 40),
            iteration("SVGD run, 500 particles, coalescent_lineages_10, 50 times, 1,000 iterations", 0.5, 3),
            iteration("SVGD run, 1,000 particles, two_deme_blocks_10, 1,000 times, 100 iterations", 1.0, 49.9)]})
        self.write("jax.txt", "measured\n")
        self.write("jax.json", {"version": "0", "device": "Made-up", "rows": [
            {"gradient": False, "particles": 10000, "times": 1000, "measured_particles": 4, "measured_times": 50,
             "seconds": 0.1},
            {"gradient": True, "particles": 10000, "times": 1000, "measured_particles": 4, "measured_times": 50,
             "seconds": 1.5}],
            "step_rows": [{"peer": peer, "particles": 100000, "parameters": 4, "measured_particles": 10000, "seconds": seconds}
                          for peer, seconds in (("jax 0", 0.25), ("blackjax 0", 0.15))]})
        record, met, text = self.make()
        dot, likely = ">= 60 % of the shared-memory dot run", "log likelihood with gradient, two demes of 5, the faster mapping"
        self.assertEqual(met["mean, coalescent of 20", dot], ("62.0 %", "yes"))
        self.assertEqual(met["mean, two demes of 5", dot], ("14.0 %", "NO"))
        self.assertEqual(met["mean, two demes of 10", "<= 40 ms"], ("40.00 ms", "NO"))
        self.assertEqual(met[likely, "<= 10 ms"], ("10.00 ms", "yes"))
        self.assertEqual(met[likely, ">= 50 % of the complex dot run"], ("50.0 %", "yes"))
        self.assertEqual(met[likely, ">= 100 x jax.vmap(expm)"], ("150 x", "yes"))
        step = "SVGD step, 100,000 particles, 4 parameters: its direction, from and to host memory"
        self.assertEqual(met[step, "<= 20 ms"], ("20.10 ms", "NO"))
        self.assertEqual(met["the same", ">= 5 x the faster of a JAX and a blackjax step"], ("7 x", "yes"))
        self.assertIn("SVGD step of blackjax 0, 100,000 particles, 4 parameters: 150.0 ms, measured with 10,000.", text)
        self.assertEqual(met["500 particles x 50 times x 1,000 iterations", "<= 0.5 s"], ("0.50 s", "yes"))
        whole = "SVGD run, 1,000 particles, two demes of 5, 1,000 times, 100 iterations"
        self.assertEqual(met[whole, ">= 50 x two CPU threads"][1], "NO")
        self.assertEqual(len(record["rows"]), 6)
        self.assertIn("| two_deme_blocks_20 | 1 | no | levels (chosen) | 40001.0", text)
        self.assertIn("Commit abc; 10,000 parameter vectors", text)

    def test_parts_that_failed_are_not_met(self):
        wanted = {"tests": "all pass", "suites": "all pass", "suite": "all pass", "sanitizer": "clean", "demonstrations": "agree"}
        names = {"tests": "tests that need a device", "suites": "the host's suites about devices, on the device",
                 "suite": "the whole test suite", "sanitizer": "compute-sanitizer",
                 "demonstrations": "survival and coalescent demonstrations, CPU beside GPU"}
        for good, parts in (("yes", {"tests": "passed 40 tests", "suites": "passed 70 tests", "suite": "100% tests passed, 0 tests failed out of 900",
                                     "sanitizer": "36 runs clean of 12 tests by memcheck", "demonstrations": "agree: all"}),
                            ("NO", {"tests": "status 1, passed 39 tests", "suites": "status 139, passed none",
                                    "suite": "99% tests passed, 1 tests failed out of 9",
                                    "sanitizer": "35 runs clean of 12 tests; errors: memcheck A.B",
                                    "demonstrations": "DIFFER: veteran"}),
                            ("NO", {"sanitizer": "35 runs clean of 12 tests; not finished in time: racecheck A.B"}),
                            ("NO", {"sanitizer": "0 runs clean of 12 tests"}),
                            ("not measured", {"suite": "not run: these binaries were built elsewhere"})):
            for part, text in parts.items():
                with self.subTest(text):
                    self.write(f"{part}.txt", text + "\n")
                    self.assertEqual(self.make()[1][names[part], wanted[part]], (text, good))


class Agree(Scratch):
    def summary(self, name, where, mean, end, device):
        folder = self.folder / f"{name}-{where}"
        folder.mkdir(exist_ok=True)
        value = {"mean": mean, "sd": 2.0, "quantiles": {"2.5": -4.0, "97.5": end}}
        (folder / "summary.json").write_text(json.dumps({"device": device, "parameters": {"a": value}}))

    def compare(self, mean, end, device="cuda:0 Made-up"):
        for name in ("coalescent", "veteran"):
            self.summary(name, "cpu", 1.0, 4.0, "cpu")
        self.summary("coalescent", "cuda", 1.0, 4.0, device)
        self.summary("veteran", "cuda", mean, end, device)
        done = subprocess.run([sys.executable, "-B", BENCH / "device_agree.py", self.folder], capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_agrees_within_parts_of_a_standard_deviation(self):
        status, text = self.compare(1.019, 4.09)
        self.assertEqual(status, 0)
        self.assertIn("agree: coalescent: means differ by 0.0e+00 sd", text)

    def test_a_mean_an_end_or_no_number_differs(self):
        for mean, end in ((1.021, 4.0), (1.0, 3.89), (float("nan"), 4.0), (1.0, float("nan"))):
            with self.subTest((mean, end)):
                status, text = self.compare(mean, end)
                self.assertEqual(status, 1)
                self.assertTrue(text.startswith("DIFFER"), text)

    def test_a_run_that_was_not_on_the_device_proves_nothing(self):
        status, text = self.compare(1.0, 4.0, device="cpu")
        self.assertEqual(status, 1)
        self.assertIn("the second run was on cpu", text)


if __name__ == "__main__":
    unittest.main()
