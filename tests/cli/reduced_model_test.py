"""Stages with a model, data or reward of their own: a cheaper model first, then the one that counts."""

import json
import os
import shlex
import shutil
import subprocess
import unittest

from checkpoint_case import CheckpointCase
from program_case import EXPONENTIAL, PROGRAM, RUN
from ranks_test import LAUNCHER, MPIEXEC, built_with_mpi

# Two exponential stages in a row at one rate: n times give the posterior gamma(2 + 2 n, 1 + sum).
ERLANG = """\
schema: sojourn/model/1
name: erlang
parameters: [rate]
states: 3
initial: [[0, 1]]
edges: [[0, 1, 0, [1]], [1, 2, 0, [1]]]
"""

# `mix` without its second way in, and with its parameters in the other order.
COARSE = """\
schema: sojourn/model/1
name: coarse
parameters: [b, a]
states: 3
initial: [[0, 1]]
edges:
  - [0, 1, 0.0, [0.0, 1.0]]
  - [1, 2, 0.0, [1.0, 2.0]]
rewards: {whole: [1, 1, 0], first: [1, 0, 0]}
"""

TWO_STAGES = """\
schema: sojourn/run/1
model: exponential.yaml
data: {file: times.csv}
priors: {rate: {gamma: {shape: 2, rate: 1}}}
sampler:
  particles: 200
  iterations: 300
  stages:
    - {particles: 100, iterations: 200, model: erlang.yaml, data: {file: fewer.csv}}
    - {}
"""

# The last two stages are the run's, the first two one problem.
MIX_STAGES = """\
schema: sojourn/run/1
model: mix.yaml
data: {file: times.csv}
priors: {a: {gamma: {shape: 2, rate: 1}}, b: {gamma: {shape: 9, rate: 2}}}
sampler:
  particles: 30
  iterations: 40
  history_every: 10
  stages:
    - {particles: 20, iterations: 30, model: coarse.yaml, data: {file: fewer.csv}, tolerance: 1.0e-5}
    - {particles: 20, iterations: 20, model: coarse.yaml, data: {file: fewer.csv}}
    - {tolerance: 1.0e-6, iterations: 20}
    - {}
checkpoint: {every_iterations: 1}
seed: 3
"""


class ReducedModel(CheckpointCase):
    def setUp(self):
        super().setUp()
        self.write("erlang.yaml", ERLANG)
        self.write("coarse.yaml", COARSE)
        self.write("fewer.csv", "time\n1.5\n4\n2.5\n")
        self.write("run.yaml", MIX_STAGES)

    def test_each_stage_finds_the_posterior_of_its_own_model_and_data(self):
        self.write("two.yaml", TWO_STAGES)
        out = self.good_json("infer", "two.yaml", "--output", "r")
        self.expect_gamma(out["parameters"]["rate"], 2 + 5, 1 + 4.6)
        self.assertEqual([stage["model"]["name"] for stage in out["stages"]], ["erlang", "exponential"])
        self.assertEqual(out["stages"][1]["model"], {key: out["model"][key] for key in ("name", "digest")})
        self.assertEqual(out["stages"][1]["data"]["digest"], out["data"]["digest"])
        for what in ("model", "data"):
            self.assertNotEqual(out["stages"][0][what]["digest"], out["stages"][1][what]["digest"])
        # A last stage that hardly moves shows where the first one ended: at the reduced model's posterior.
        self.write("still.yaml", TWO_STAGES.replace("- {}", "- {particles: 100, iterations: 1, learning_rate: 1.0e-12}"))
        still = self.good_json("infer", "still.yaml", "--output", "still")["parameters"]["rate"]
        self.expect_gamma(still, 2 + 2 * 3, 1 + 8.0)
        # Data alone, and a reward alone, are the stage's own too: the time in the first state of two.
        self.write("still.yaml", TWO_STAGES.replace("model: erlang.yaml, ", "").replace(
            "- {}", "- {particles: 100, iterations: 1, learning_rate: 1.0e-12}"))
        self.expect_gamma(self.good_json("infer", "still.yaml", "--output", "data")["parameters"]["rate"], 2 + 3, 1 + 8.0)

    def test_parameters_pass_by_name_and_rewards_are_the_stages_own(self):
        # The time in the first state is exponential(a), so b keeps its prior; orders of parameters differ.
        self.write("still.yaml", MIX_STAGES.split("sampler:")[0].replace("model: mix.yaml", "model: mix.yaml\nrewards: whole") +
                   "sampler:\n  particles: 200\n  stages:\n"
                   "    - {iterations: 600, model: coarse.yaml, data: {file: fewer.csv}, rewards: first}\n"
                   "    - {iterations: 1, learning_rate: 1.0e-12}\n")
        # That the data say nothing of b is warned of, once.
        out = self.good_json("infer", "still.yaml", "--output", "r")["parameters"]
        self.expect_gamma(out["a"], 2 + 3, 1 + 8.0)
        self.expect_gamma(out["b"], 9, 2)

    def test_any_thread_and_rank_count_gives_the_same_bits(self):
        for threads in ("1", "2"):
            self.good("infer", "run.yaml", "--output", "t" + threads, "--threads", threads)
        self.assertEqual(self.bits("t1"), self.bits("t2"))
        if not (MPIEXEC and built_with_mpi()):
            self.skipTest("needs MPI and its launcher")
        environment = {**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1"}
        for ranks in (1, 2, 3):
            subprocess.run([MPIEXEC, "-n", str(ranks), PROGRAM, "infer", "run.yaml", "--output", f"ranks{ranks}",
                            "--threads", "1"], cwd=self.folder, env=environment, capture_output=True, timeout=300, check=True)
            self.assertEqual(self.bits(f"ranks{ranks}"), self.bits("t1"))
        # One rank's copy of the reduced model's data differs from the first one's.
        shutil.copytree(self.folder, self.folder / "other", ignore=shutil.ignore_patterns("t?", "ranks?", "other"))
        (self.folder / "other/fewer.csv").write_text("time\n1\n")
        result = subprocess.run([MPIEXEC, "-n", "1", "--wdir", str(self.folder), PROGRAM, "infer", "run.yaml", "--output", "bad",
                                 ":", "-n", "1", "--wdir", str(self.folder / "other"), PROGRAM, "infer", "run.yaml", "--output", "bad"],
                                cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertRegex(result.stderr, "data hash differs: rank 1")

    def test_stopped_and_killed_around_the_change_of_model(self):
        self.stop_anywhere_and_resume(8, seed=47)

    def test_resumed_from_the_last_checkpoint_of_the_reduced_model(self):
        self.write("run.yaml", MIX_STAGES.replace("every_iterations: 1", "every_seconds: 1.0e9").replace(
            "    - {tolerance: 1.0e-6, iterations: 20}\n", ""))
        self.good("infer", "run.yaml", "--output", "whole")
        self.assertEqual(self.checkpoints("whole"), ["step-0000000050.sojourn", "step-0000000090.sojourn"])
        (self.folder / "whole/checkpoint/step-0000000090.sojourn").unlink()
        before = self.bits("whole")
        result = self.ended(0, "infer", "run.yaml", "--output", "whole", "--resume")
        self.assertIn("going on after iteration 20 of 20 of stage 2 of 3", result.stderr)
        self.assertEqual(self.bits("whole"), before)
        # What a stage infers from is part of what the run is.
        self.write("fewer.csv", "time\n1.5\n4\n2.6\n")
        self.bad(3, "stage 1 data: [0-9a-f]+ there", "infer", "run.yaml", "--output", "whole", "--resume", "--iterations", "99")
        self.write("fewer.csv", "time\n1.5\n4\n2.5\n")
        self.write("coarse.yaml", COARSE.replace("[1.0, 2.0]", "[1.0, 1.0]"))
        self.bad(3, "stage 2 model: [0-9a-f]+ there", "infer", "run.yaml", "--output", "whole", "--resume", "--iterations", "99")

    def test_stopped_in_the_reduced_model_says_whose_particles_they_are(self):
        self.write("run.yaml", MIX_STAGES.replace("iterations: 30", "iterations: 100000000"))
        errors = self.stop_in_the_middle("r")
        self.assertRegex(errors, r"stopped early after iteration \d+ of 100000000 of stage 1 of 4, model coarse \(SIGTERM\)")
        self.assertEqual([stage["model"]["name"] for stage in self.summary("r")["stages"]], ["coarse"])

    def test_a_particle_that_ends_it_is_evaluated_again_by_the_stages_own(self):
        # The reduced model's weight 2 - rate turns negative where a far too large step carries the particles.
        self.write("steep.yaml", EXPONENTIAL.replace("[[0, 1, 0, [1]]]", "[[0, 1, 2, [-1]]]"))
        self.write("start.csv", "rate\n0.5\n1\n1.5\n")
        self.write("run.yaml", RUN.replace(
            "sampler: {method: svgd, particles: 100, iterations: 200}",
            "sampler:\n  initial: start.csv\n  optimizer: gradient\n  stages:\n"
            "    - {learning_rate: 1000, model: steep.yaml, data: {file: fewer.csv}}\n    - {}\n"))
        failed = self.run_program("infer", "run.yaml", "--output", "r")
        self.assertEqual(failed.returncode, 4, failed.stderr)
        state = json.loads((self.folder / "r/failure.json").read_text())
        self.assertIn("evaluate steep.yaml ", state["replay"])
        self.assertIn("--loglik fewer.csv ", state["replay"])
        replay = subprocess.run(state["replay"].replace("sojourn", shlex.quote(PROGRAM), 1), shell=True, cwd=self.folder,
                                env=self.environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(replay.returncode, 4, replay.stderr)
        self.assertIn(state["reason"], replay.stderr)

    def test_plan_and_check_know_the_models(self):
        plan = self.good_json("infer", "run.yaml", "--plan")
        self.assertEqual([stage["model"] for stage in plan["stages"]], ["coarse", "coarse", "mix", "mix"])
        self.assertRegex(self.good("infer", "run.yaml", "--plan"), "stage 1 of 4: 20 particles, 30 iterations, model coarse, about")
        self.assertIn("in the last of 4 stages", self.good("check", "run.yaml"))

    def test_bad_stages(self):
        def bad(code, pattern, stages):
            self.write("run.yaml", MIX_STAGES.split("  stages:")[0] + "  stages: " + stages + "\n")
            self.bad(code, pattern, "infer", "run.yaml", "--output", "r")
            self.bad(code, pattern, "check", "run.yaml")

        bad(2, r"run\.yaml:\d+:\d+: sampler\.stages\[0\]: model exponential has the parameter rate, but the run's model mix has "
               "a, b; particles pass on by name, so give both the same parameters", "[{model: exponential.yaml}, {}]")
        bad(5, "cannot read .*none.yaml", "[{model: none.yaml}, {}]")
        bad(5, "cannot read .*none.csv", "[{model: coarse.yaml, data: {file: none.csv}}, {}]")
        for key, value in (("model", "coarse.yaml"), ("data", "{file: fewer.csv}"), ("rewards", "first")):
            bad(2, rf"run\.yaml:\d+:\d+: sampler\.stages\[1\]\.{key}: the last stage is the run itself, with the run's own {key}",
                f"[{{}}, {{{key}: {value}}}]")
        bad(3, r"sampler\.stages\[0\]: rewards: .*no reward 'last'", "[{rewards: last}, {}]")
        bad(3, "unknown key 'modell'", "[{modell: coarse.yaml}, {}]")
        bad(3, "unknown key 'path'", "[{data: {path: fewer.csv}}, {}]")
        self.write("coarse.yaml", COARSE.replace("[b, a]", "[{name: b, lower: 0, upper: 50}, a]"))
        bad(2, r"sampler\.stages\[0\]: b lies in \(0, 50\) by model coarse, but in \(0, inf\) by the run's model mix",
            "[{model: coarse.yaml}, {}]")
        # Data that the reduced model makes impossible are told before anything moves.
        self.write("coarse.yaml", COARSE)
        self.write("zero.csv", "time\n0\n")
        bad(3, "zero.csv: row 2.*zero", "[{model: coarse.yaml, data: {file: zero.csv}}, {}]")


if __name__ == "__main__":
    unittest.main()
