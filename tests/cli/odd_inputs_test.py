"""Inputs that are unusual rather than wrong, and the smaller faults that a user meets: through the program."""

import unittest

from program_case import EXPONENTIAL, RUN, ProgramCase

KINGMAN = """schema: sojourn/model/1
name: kingman
parameters: [theta]
family: {coalescent: {samples: 4, state: lineages}}
"""
# Leaves its two states with next to no weight for small `e`.
RING = """schema: sojourn/model/1
parameters: [e]
states: 3
initial: [[0, 1]]
edges: [[0, 1, 1.0], [1, 0, 1.0], [0, 2, 0.0, [1.0]]]
"""


class Priors(ProgramCase):
    def infer(self, prior, times="0.5\n1\n1.5\n2\n0.7\n"):
        self.write("kingman.yaml", KINGMAN)
        self.write("few.csv", "time\n" + times)
        self.write("wide.yaml", "schema: sojourn/run/1\nmodel: kingman.yaml\ndata: {file: few.csv}\n"
                   f"priors: {{theta: {prior}}}\nsampler: {{particles: 50, iterations: 60}}\n")
        return self.good_json("infer", "wide.yaml", "--output", "out", "--overwrite", timeout=60)

    def test_vague_priors_are_answered(self):
        """A flat likelihood of a rate: its posterior under priors that are flat there is the same, whatever they are far
        away, where log densities of minus a million have roundings of their own."""
        means = []
        for prior in ("{uniform: {lower: 0, upper: 1.0e+6}}", "{half_cauchy: {scale: 1000}}", "{exponential: {rate: 1.0e-6}}"):
            mean = self.infer(prior)["parameters"]["theta"]["mean"]
            means.append(mean)
            self.assertLess(abs(mean / means[0] - 1), 2e-3, prior)
        # Rates scale with the unit of time.
        scaled = self.infer("{uniform: {lower: 0, upper: 100}}", "5000\n10000\n15000\n20000\n7000\n")
        self.assertLess(abs(scaled["parameters"]["theta"]["mean"] * 1e4 / means[0] - 1), 2e-3)


class Laws(ProgramCase):
    def test_far_from_the_mean(self):
        self.write("kingman.yaml", KINGMAN)
        out = self.good_json("evaluate", "kingman.yaml", "--theta", "1", "--cdf", "1e100,1e300")
        self.assertEqual(out["cdf"], [[1, 1]])
        # F(t) = 3 t^3 to a part of t: three exponential stages of rates 6, 3 and 1.
        out = self.good_json("evaluate", "kingman.yaml", "--theta", "1", "--quantile", "1e-300")
        self.assertLess(abs(out["quantile"][0][0] / (1e-300 / 3) ** (1 / 3) - 1), 1e-9)

    def test_limit_of_terms(self):
        """The way out that the message names."""
        self.write("ring.yaml", RING)
        call = ("evaluate", "ring.yaml", "--theta", "1e-3", "--state-probability", "1e5")
        result = self.run_program(*call, "--max-terms", "1e4")
        self.assertEqual(result.returncode, 4)
        self.assertRegex(result.stderr, r"error: .*more than the 10000 allowed; raise max_terms \(--max-terms of evaluate\)")
        self.good(*call)

    def test_stepping_by_name(self):
        out = self.good_json("evaluate", "geometric.yaml", "--pmf", "3", "--method", "stepping", "--theta", "0.25")
        self.assertEqual(out["method"]["pmf"], [["stepping"]])


class Draws(ProgramCase):
    def test_numbers_that_overflow(self):
        result = self.run_program("sample", "exponential.yaml", "--theta", "1e-320", "-n", "2")
        self.assertEqual(result.returncode, 4)
        self.assertRegex(result.stderr, r"error: .*2 numbers drawn are beyond the range of double precision")
        self.bad(4, "drawn is inf", "simulate", "run.yaml", "--theta", "1e-320", "-n", "2", "--output", "x.csv")

    def test_a_draw_that_does_not_end(self):
        self.write("ring.yaml", RING)
        self.bad(4, r"draw \d: not absorbed after 268435456 jumps at theta = \(9.99.*e-13\)", "sample", "ring.yaml", "--theta",
                 "1e-12", "-n", "1000", "--threads", "1", timeout=100)

    def test_simulate_as_json(self):
        out = self.good_json("simulate", "run.yaml", "--theta", "1.5", "-n", "3", "--seed", "5")
        text = self.good("simulate", "run.yaml", "--theta", "1.5", "-n", "3", "--seed", "5")
        self.assertEqual(out["time"], [float(line) for line in text.split()[1:]])
        out = self.good_json("simulate", "run.yaml", "--theta", "1.5", "-n", "3", "--seed", "5", "--output", "x.csv")
        self.assertEqual((out["file"], out["rows"]), ("x.csv", 3))


class Files(ProgramCase):
    def test_files_without_an_end(self):
        self.bad(3, "NUL", "evaluate", "exponential.yaml", "--theta", "1", "--loglik", "/dev/zero", timeout=20)
        self.bad(3, "NUL", "check", "/dev/zero", timeout=20)
        self.bad(3, "NUL", "evaluate", "exponential.yaml", "--theta-file", "/dev/zero", "--moments", "1", timeout=20)

    def test_data_count_as_memory(self):
        self.write("many.csv", "time\n" + "1.5\n" * 2_000_000)
        call = ("evaluate", "exponential.yaml", "--theta", "1", "--loglik", "many.csv", "--max-memory")
        self.bad(3, r"many.csv: 2000002 rows take \d+ bytes of memory, \d+ are left; merge equal rows", *call, "100M")
        self.good(*call, "1G")

    def test_exact_time_beside_an_interval(self):
        self.write("contra.csv", "time,lower,upper\n5,0.5,2\n")
        self.bad(3, "column 'time': 5 is not between lower and upper of its row, 0.5 and 2", "check", "contra.csv")
        self.write("both.csv", "time,lower,upper\n1,0.5,2\n,0.5,2\n3,,\n")
        self.good("check", "both.csv")

    def test_the_column_that_is_missing(self):
        self.write("weights.csv", "time,weight\n1,nan\n")
        self.bad(3, "the first one: .*weight", "check", "weights.csv")

    def test_check_as_json(self):
        self.assertEqual(self.good_json("check", "exponential.yaml"),
                         {"kind": "model", "name": "exponential", "time": "continuous", "states": 2, "edges": 1,
                          "parameters": ["rate"]})
        self.assertEqual(self.good_json("check", "run.yaml")["kind"], "run")
        self.write("few.csv", "time\n1\n1\n2\n")
        self.assertEqual(self.good_json("check", "few.csv"),
                         {"kind": "data", "time": "continuous", "observations": 3, "distinct": 2})


class Words(ProgramCase):
    def bad_model(self, pattern, text):
        self.bad(3, pattern, "check", self.write("bad.yaml", text))

    def test_models(self):
        derived = ("schema: sojourn/model/1\nparameters: [a]\nderived: {{b: a, c: {}}}\nstates: 3\ninitial: [[0, 1]]\n"
                   "edges: [[0, 1, 0, [1, 0]], [1, 2, 0, [0, 1]]]\n")
        for constant, value in (("1/0", "inf"), ("log(-1)", "-?nan"), ("0", "0"), ("0 - 2", "-2")):
            self.bad_model(f"derived rate 'c' is {value} whatever the parameters are; a constant rate must be finite and > 0",
                           derived.format(constant))
        self.good("check", self.write("good.yaml", derived.format("2")))
        self.bad_model("missing key 'edges'", "schema: sojourn/model/1\nparameters: [a]\nstates: 3\ninitial: [[0, 1]]\n")
        self.bad_model("got the quoted text '3'; remove the quotes", EXPONENTIAL.replace("states: 2", "states: '3'"))
        self.bad_model(r"option 'samples' is missing; give a whole number \(given is 'sample'\)",
                       "schema: sojourn/model/1\nfamily: {coalescent: {sample: 3}}\n")
        self.bad_model("reward name 'a,b' must be text without commas", EXPONENTIAL + 'rewards: {"a,b": [1, 0]}\n')

    def test_run_files_without_schema(self):
        self.write("plain.yaml", RUN.replace("schema: sojourn/run/1\n", ""))
        for verb in (("check",), ("infer", "--output", "out")):
            self.bad(3, "missing key 'schema'; add 'schema: sojourn/run/1'", verb[0], "plain.yaml", *verb[1:])

    def test_flags_given_twice(self):
        for flag in ("--json", "--gradient"):
            self.bad(2, f"{flag} is given twice", "evaluate", "exponential.yaml", "--theta", "1", "--moments", "1", flag, flag)

    def test_too_many_threads_are_said_once(self):
        result = self.run_program("evaluate", "exponential.yaml", "--theta", "1", "--moments", "1", "--threads", "4096")
        self.assertEqual(result.stderr.count("warning:"), 1, result.stderr)

    def test_limits_of_double_precision(self):
        self.write("kingman.yaml", KINGMAN)
        result = self.run_program("evaluate", "kingman.yaml", "--theta", "5e-324", "--pdf", "1")
        self.assertEqual(result.returncode, 4)
        self.assertIn("these rates leave the range of double precision", result.stderr)


class Stops(ProgramCase):
    def test_inside_slow_iterations(self):
        """Iterations of seconds are stopped inside, wherever that is, and the run goes on to the same bits."""
        # A ring that goes one way, and a time far away: uniformization by 150,000 steps for each evaluation.
        times = "".join(f"{1 + 1e-3 * k}\n" for k in range(300))
        self.write("slow.yaml", "schema: sojourn/model/1\nparameters: [a, b]\nstates: 4\ninitial: [[0, 1]]\n"
                   "edges: [[0, 1, 0, [1.0, 0]], [1, 2, 0, [1.0, 0]], [2, 0, 0, [1.0, 0]], [0, 3, 0, [0, 1.0]]]\n")
        self.write("slow.csv", "time\n" + times + "150000\n")
        self.write("slow_run.yaml", "schema: sojourn/run/1\nmodel: slow.yaml\ndata: {file: slow.csv}\n"
                   "priors: {a: {lognormal: {mean: 0, sd: 0.1}}, b: {lognormal: {mean: -9, sd: 0.1}}}\n"
                   "sampler: {particles: 100, iterations: 3, start: prior}\nseed: 3\n")
        call = ("infer", "slow_run.yaml", "--threads", "1", "--quiet")
        self.good(*call, "--output", "whole")
        stopped = self.run_program(*call, "--output", "parts", "--max-seconds", "3")
        self.assertIn(stopped.returncode, (0, 75), stopped.stderr)
        self.good(*call, "--output", "parts", *(("--resume",) if stopped.returncode == 75 else ("--overwrite",)))
        particles = [(self.folder / folder / "particles.csv").read_text() for folder in ("whole", "parts")]
        self.assertEqual(*particles)


if __name__ == "__main__":
    unittest.main()
