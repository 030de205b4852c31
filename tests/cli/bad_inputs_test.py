"""Bad inputs through the program: each gives its exit status and one clear message, and leaves no file behind.

The numbers in the names are the rows of the project's list of bad inputs.
"""

import json
import math
import os
import shlex
import struct
import subprocess
import unittest

from program_case import EXPONENTIAL, GEOMETRIC, MIX, PROGRAM, RUN, ProgramCase


class ModelFiles(ProgramCase):
    def bad_model(self, pattern, text, code=3):
        name = self.write("bad.yaml", text)
        for verb in (("inspect",), ("check",), ("evaluate", "--theta", "1", "--moments", "1")):
            with self.subTest(verb=verb[0]):
                self.bad(code, pattern, verb[0], name, *verb[1:])

    def edges(self, edges):
        return EXPONENTIAL.replace("[[0, 1, 0, [1]]]", edges)

    def test_01_missing_directory_unreadable(self):
        self.bad(5, "nowhere.yaml: No such file", "inspect", "nowhere.yaml")
        (self.folder / "folder.yaml").mkdir()
        self.bad(5, "folder.yaml: Is a directory", "inspect", "folder.yaml")
        if os.geteuid() != 0:
            self.write("secret.yaml", EXPONENTIAL)
            os.chmod(self.folder / "secret.yaml", 0)
            self.bad(5, "Permission denied", "inspect", "secret.yaml")

    def test_02_empty(self):
        for text in ("", " \n\t\n", "# only a comment\n"):
            self.bad_model("empty", text)

    def test_03_syntax(self):
        self.bad_model(r"bad\.yaml:\d+:\d+", "schema: sojourn/model/1\nname: [a\nstates: }\n")

    def test_04_encoding(self):
        self.bad_model("byte 6 is not UTF-8", b"name: \xff\n")
        self.bad_model("UTF-8", EXPONENTIAL.encode("utf-16"))
        self.bad_model("UTF-8", b"name: a\0b\n")

    def test_05_size(self):
        with open(self.folder / "large.yaml", "wb") as stream:
            stream.truncate((64 << 20) + 1)
        self.bad(3, "max-model-bytes", "inspect", "large.yaml")
        self.bad(3, "max-model-bytes", "inspect", "exponential.yaml", "--max-model-bytes", "10")

    def test_06_nesting(self):
        self.bad_model("nesting deeper than 64", "schema: sojourn/model/1\nstates: " + "[" * 5000 + "]" * 5000 + "\n")

    def test_07_aliases(self):
        self.bad_model("alias|anchor", "a: &x [1]\nb: *x\n")

    def test_08_tags(self):
        self.bad_model("tags are not allowed", "schema: !!python/object/apply:os.system ['touch owned']\n")

    def test_09_duplicate_key(self):
        self.bad_model("'name'.*lines 2 and 3", "schema: sojourn/model/1\nname: a\nname: b\n")

    def test_10_unknown_key(self):
        self.bad_model("did you mean 'rules'", "schema: sojourn/model/1\nname: x\nparameters: [a]\nrulez: []\n")

    def test_11_schema(self):
        self.bad_model("newer", EXPONENTIAL.replace("model/1", "model/7"))
        self.bad_model("schema", EXPONENTIAL.replace("schema: sojourn/model/1\n", ""))

    def test_12_unknown_state(self):
        self.bad_model(r"edges\[0\]|edge 0", self.edges("[[0, 5, 0, [1]]]"))

    def test_13_bad_constant_rate(self):
        for rate in ("-1", ".nan", ".inf"):
            self.bad_model(r"edges\[0\]|edge 0", self.edges(f"[[0, 1, {rate}, [0]]]"))

    def test_14_too_many_coefficients(self):
        self.bad_model(r"edges\[0\]|edge 0", self.edges("[[0, 1, 0, [1, 2, 3]]]"))

    def test_15_negative_at_evaluation(self):
        self.write("slope.yaml", EXPONENTIAL.replace("[[0, 1, 0, [1]]]", "[[0, 1, 2, [-1]]]"))
        self.good("evaluate", "slope.yaml", "--theta", "1", "--moments", "1")
        self.bad(4, r"0 -> 1[\s\S]*3", "evaluate", "slope.yaml", "--theta", "3", "--moments", "1")

    def test_16_no_absorption(self):
        self.bad_model("absor", self.edges("[[0, 1, 0, [1]], [1, 0, 0, [1]]]"))

    def test_17_initial(self):
        self.bad_model("initial", EXPONENTIAL.replace("[[0, 1]]", "[[0, 1.5]]"))
        self.bad_model("initial", EXPONENTIAL.replace("[[0, 1]]", "[[0, -0.5]]"))

    def test_18_self_loop_and_row_sum(self):
        self.bad_model(r"edges\[0\]|edge 0|itself|self-loop", self.edges("[[0, 0, 0, [1]], [0, 1, 0, [1]]]"))
        self.bad_model("sum|exceed|above 1", GEOMETRIC.replace("[[0, 1, 0, [1]]]", "[[0, 1, 1.5, [0]]]"))

    def test_19_state_limits(self):
        self.bad_model("states", EXPONENTIAL.replace("states: 2", "states: 0"))
        self.bad_model("max-states", EXPONENTIAL.replace("states: 2", "states: 1000000000"))
        endless = ("schema: sojourn/model/1\nname: endless\nparameters: [r]\nvariables: {a: {initial: 1, min: 0, max: 1000000}}\n"
                   "rules:\n  - {when: a >= 1, rate: r, effect: {a: a+1}}\n  - {when: a >= 1, rate: r, effect: {a: a-1}}\n"
                   "absorbing: a == 0\n")
        self.write("endless.yaml", endless)
        self.bad(3, "max-states", "inspect", "endless.yaml", "--max-states", "1000")

    def test_20_duplicate_edge(self):
        self.bad_model("twice|duplicate", self.edges("[[0, 1, 0, [1]], [0, 1, 0, [1]]]"))

    def test_21_rewards(self):
        for values in ("[-1, 0]", "[1, 2, 3]", "[0, 0]", "[.nan, 0]"):
            self.bad_model("reward", EXPONENTIAL + f"rewards: {{r: {values}}}\n")

    def test_22_unused_parameter_warns(self):
        self.write("unused.yaml", MIX.replace("[2.0, 1.0]", "[2.0, 0.0]"))
        result = self.run_program("check", "unused.yaml")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, "warning: .*'b'|warning: .* b ")


class DataFiles(ProgramCase):
    def bad_data(self, pattern, text, run=RUN, code=3):
        self.write("times.csv", text)
        self.write("run.yaml", run)
        self.bad(code, pattern, "check", "run.yaml")
        self.bad(code, pattern, "infer", "run.yaml", "--output", "r")
        self.bad(code, pattern, "evaluate", "exponential.yaml" if run == RUN else "geometric.yaml", "--theta", "0.5", "--loglik",
                 "times.csv")

    def test_23_no_observations(self):
        self.bad_data("empty|no observations", "")
        self.bad_data("no observations", "time\n")

    def test_24_not_finite(self):
        self.bad_data(r"times\.csv:? ?.*row 3", "time\n1\nnan\n")
        self.bad_data(r"row 3", "time\n1\ninf\n")

    def test_25_negative(self):
        self.bad_data(r"row 3.*-2", "time\n1\n-2\n")

    def test_26_counts(self):
        run = RUN.replace("exponential", "geometric").replace("rate: {gamma: {shape: 2, rate: 1}}", "p: {beta: {a: 1, b: 1}}")
        self.bad_data("row 3.*1.5", "count\n1\n1.5\n", run)
        self.bad_data("row 3", "count\n1\n1e300\n", run)
        self.bad_data("count", "time\n1\n", run)

    def test_27_text_ragged_locale(self):
        self.bad_data("row 3.*expected 2 fields, got 1", "time,weight\n1,1\n2\n")
        self.bad_data("row 2", "time\nsoon\n")
        self.bad_data("row 2", "time\n1,5\n")

    def test_28_numpy(self):
        header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
        self.write("times.csv", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        self.bad(3, "(?i)numpy|npy", "check", "times.csv")
        self.bad(3, "(?i)numpy|npy", "infer", "run.yaml")

    def test_29_impossible_observation(self):
        # An Erlang law of two stages has zero density at zero.
        self.write("exponential.yaml", "schema: sojourn/model/1\nname: e\nparameters: [rate]\nfamily: {erlang: {stages: 2}}\n")
        self.write("times.csv", "time\n1\n0\n")
        result = self.run_program("infer", "run.yaml", "--output", "r")
        self.assertIn(result.returncode, (3, 4), result.stderr)
        self.assertRegex(result.stderr, "row 3")
        self.write("times.csv", "time\n5\n")
        bounded = RUN.replace("exponential.yaml", "geometric.yaml")
        self.write("two.yaml", "schema: sojourn/model/1\nname: two\ntime: discrete\nparameters: [{name: p, lower: 0, upper: 1}]\n"
                               "states: 3\ninitial: [[0, 1]]\nedges: [[0, 1, 1, [0]], [1, 2, 1, [0]]]\n")
        self.write("times.csv", "count\n2\n5\n")
        self.write("run.yaml", bounded.replace("geometric.yaml", "two.yaml").replace("rate: {gamma: {shape: 2, rate: 1}}",
                                                                                  "p: {uniform: {lower: 0, upper: 1}}"))
        self.bad(4, "row 3.*zero density", "infer", "run.yaml", "--output", "r")


class Runs(ProgramCase):
    def bad_run(self, code, pattern, old, new):
        self.write("run.yaml", RUN.replace(old, new))
        self.assertIn(old, RUN)
        self.bad(code, pattern, "infer", "run.yaml", "--output", "r")
        self.bad(code, pattern, "check", "run.yaml")

    def test_run_file_basics(self):
        self.bad(5, "run file: cannot read nowhere.yaml: No such file", "infer", "nowhere.yaml")
        self.bad_run(3, r"run\.yaml:5:\d+: .*did you mean 'particles'", "particles", "particels")
        self.bad_run(3, r"run\.yaml:\d+:\d+.*newer", "run/1", "run/2")
        self.bad_run(3, "missing key 'data'", "data: {file: times.csv}\n", "")
        self.bad_run(5, "nowhere.csv", "times.csv", "nowhere.csv")
        self.bad_run(5, "nowhere.yaml", "exponential.yaml", "nowhere.yaml")
        self.bad(3, "is a model file", "infer", "exponential.yaml", "--output", "r")
        self.bad(3, r"run\.yaml", "evaluate", "run.yaml", "--theta", "1", "--moments", "1")

    def test_30_particles(self):
        for number in ("0", "1", "-5", "1000000000", "99999999999999999999", "1e3", "many", ""):
            self.bad(2, "--particles", "infer", "run.yaml", "--output", "r", f"--particles={number}")
        for number in ("0", "1", "-5", "1000000000", "2.5", "1e3"):
            self.bad_run(2, r"run\.yaml:5:\d+: sampler\.particles", "particles: 100", f"particles: {number}")

    def test_31_step_and_bandwidth(self):
        for number in ("0", "-1", ".nan", ".inf"):
            self.bad_run(2, "learning_rate", "particles: 100", f"particles: 100, learning_rate: {number}")
            self.bad_run(2, "bandwidth", "particles: 100", f"particles: 100, bandwidth: {number}")

    def test_32_priors(self):
        gamma = "gamma: {shape: 2, rate: 1}"
        for prior in ("normal: {mean: 0, sd: 0}", "normal: {mean: 0, sd: -1}", "uniform: {lower: 2, upper: 2}",
                      "normla: {mean: 0, sd: 1}", "normal: {mean: 0}", "gamma: {shape: 0, rate: 1}",
                      "lognormal: {mean: 0, sd: .nan}", "normal: {mean: 0, sd: 1, df: 3}"):
            self.bad_run(3, r"run\.yaml:4:\d+: priors\.rate", gamma, prior)
        self.bad_run(3, "rate", "priors: {rate: {gamma: {shape: 2, rate: 1}}}\n", "")

    def test_33_fixed(self):
        self.bad_run(3, "(?i)fixed|free", "priors: {rate: {gamma: {shape: 2, rate: 1}}}", "fixed: {rate: 1}")
        self.write("mixed.yaml", RUN.replace("exponential", "mix").replace("priors: {rate: {gamma: {shape: 2, rate: 1}}}",
                   "priors: {a: {gamma: {shape: 2, rate: 1}}, b: {uniform: {lower: 0, upper: 1}}}\nfixed: {b: 2}"))
        self.bad(3, "b", "infer", "mixed.yaml", "--output", "r")
        self.bad_run(3, "did you mean 'rate'", "seed: 1", "seed: 1\nfixed: {rat: 1}")

    def test_34_start_particles(self):
        def start(content):
            self.write("start.csv", content)
            return ("particles: 100, iterations: 200", "initial: start.csv")

        self.bad_run(3, "2 columns", *start("1,2\n3,4\n"))
        self.bad_run(3, "no column 'rate'", *start("rote\n3\n4\n"))
        self.bad_run(3, "row 2", *start("rate\nnan\n4\n"))
        self.bad_run(3, "equal", *start("rate\n2\n2\n2\n"))
        self.bad_run(3, "row 3.*inside", *start("rate\n2\n-2\n"))
        self.bad_run(3, "row 3", *start("rate\n2\n2,5\n"))
        self.bad_run(3, "no rows", *start("rate\n"))
        self.bad_run(3, "1 row", *start("rate\n2\n"))
        self.write("start.csv", "rate\n1\n2\n")
        self.bad_run(3, "2 rows, but the run asks for 100", "iterations: 200", "initial: start.csv")
        self.bad_run(5, "nowhere.csv", "iterations: 200", "initial: nowhere.csv")
        # The weight 2 - rate is negative at the second particle, though it lies inside the declared range.
        self.write("exponential.yaml", EXPONENTIAL.replace("[[0, 1, 0, [1]]]", "[[0, 1, 2, [-1]]]"))
        self.bad_run(3, r"start\.csv: row 3.*0 -> 1", *start("rate\n1\n3\n1.5\n"))

    def test_35_seed(self):
        for seed in ("-1", "18446744073709551616", "1.5", "abc"):
            self.bad(2, "--seed", "infer", "run.yaml", "--output", "r", f"--seed={seed}")
            self.bad(2, "--seed", "sample", "exponential.yaml", "--theta", "1", f"--seed={seed}")
        for seed in ("-1", "18446744073709551616", "1.5", "abc"):
            self.bad_run(2, r"run\.yaml:6:\d+: seed", "seed: 1", f"seed: {seed}")

    def test_36_not_finite_in_the_run(self):
        # The weight 2 - rate turns negative where a far too large step carries the particles.
        self.write("exponential.yaml", EXPONENTIAL.replace("[[0, 1, 0, [1]]]", "[[0, 1, 2, [-1]]]"))
        self.write("start.csv", "rate\n0.5\n1\n1.5\n")
        self.write("run.yaml", RUN.replace("particles: 100", "initial: start.csv, learning_rate: 1000, optimizer: gradient"))
        failed = self.run_program("infer", "run.yaml", "--output", "r")
        self.assertEqual(failed.returncode, 4, failed.stderr)
        self.assertEqual(failed.stdout, "")
        self.assertRegex(failed.stderr, r"error: .*particle \d+.*iteration .*saved in r/failure\.json")
        self.assertEqual(os.listdir(self.folder / "r"), ["failure.json"])
        state = json.loads((self.folder / "r/failure.json").read_text())
        self.assertEqual(state["schema"], "sojourn/failure/1")
        self.assertIn(state["message"], failed.stderr)
        self.assertRegex(failed.stderr, f"particle {state['particle']} at .*iteration {state['iteration']}:")
        self.assertEqual(state["seed"], 1)
        # The parameter's transform is the exponential (far out it stays finite): the weight 2 - rate is negative there and
        # was not before.
        self.assertGreater(state["theta"]["rate"], 2)
        self.assertGreater(state["unconstrained"][0], math.log(2))
        before = state["previous_theta"]["rate"]
        self.assertAlmostEqual(before, math.exp(state["previous_unconstrained"][0]), delta=1e-12 * before)
        self.assertLess(before, 2)
        # The command that the file and the message give meets the same fault, word for word.
        self.assertIn(state["replay"], failed.stderr)
        replay = subprocess.run(state["replay"].replace("sojourn", shlex.quote(PROGRAM), 1), shell=True, cwd=self.folder,
                                env=self.environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(replay.returncode, 4, replay.stderr)
        self.assertIn(state["reason"], replay.stderr)
        self.assertIn("0 -> 1", state["reason"])
        # The folder is there now, as after any run; with --overwrite the file is written anew.
        self.bad(2, "--overwrite", "infer", "run.yaml", "--output", "r")
        self.bad(4, "saved in r/failure.json", "infer", "run.yaml", "--output", "r", "--overwrite", "--seed", "2")
        self.assertEqual(json.loads((self.folder / "r/failure.json").read_text())["seed"], 2)
        # Earlier results stay, and the next good run replaces all of it.
        self.write("good.yaml", RUN.replace("particles: 100", "initial: start.csv").replace("iterations: 200", "iterations: 3"))
        self.good("infer", "good.yaml", "--output", "r", "--overwrite")
        self.assertNotIn("failure.json", os.listdir(self.folder / "r"))
        summary = (self.folder / "r/summary.json").read_text()
        self.run_program("infer", "run.yaml", "--output", "r", "--overwrite")
        self.assertIn("failure.json", os.listdir(self.folder / "r"))
        self.assertEqual((self.folder / "r/summary.json").read_text(), summary)

    def test_36_model_inside_a_run_file_with_a_strange_name(self):
        (self.folder / "it's here").mkdir()
        inline = "{name: e, parameters: [rate], states: 2, initial: [[0, 1]], edges: [[0, 1, 2, [-1]]]}"
        self.write("it's here/start.csv", "rate\n0.5\n1\n1.5\n")
        self.write("it's here/times.csv", "time\n0.5\n")
        self.write("it's here/run.yaml", RUN.replace("exponential.yaml", inline).replace(
            "particles: 100", "initial: start.csv, learning_rate: 1000, optimizer: gradient"))
        self.write("MODEL.yaml", EXPONENTIAL.replace("[[0, 1, 0, [1]]]", "[[0, 1, 2, [-1]]]"))
        failed = self.run_program("infer", "it's here/run.yaml", "--output", "r")
        self.assertEqual(failed.returncode, 4, failed.stderr)
        state = json.loads((self.folder / "r/failure.json").read_text())
        self.assertRegex(state["note"], "MODEL.yaml stands for")
        replay = subprocess.run(state["replay"].replace("sojourn", shlex.quote(PROGRAM), 1), shell=True, cwd=self.folder,
                                env=self.environment(), capture_output=True, text=True, timeout=120)
        self.assertEqual(replay.returncode, 4, replay.stderr)
        self.assertIn(state["reason"], replay.stderr)

    def test_44_gpu_asked_for(self):
        # Where there is one, it is hidden.
        hidden = {"CUDA_VISIBLE_DEVICES": "-1"}
        for device in ("cuda", "cuda:0"):
            self.bad(6, f"--device {device}: .*use --device cpu", "infer", "run.yaml", "--output", "r", "--device", device, env=hidden)
            self.bad(6, "use --device cpu", "evaluate", "exponential.yaml", "--theta", "1", "--moments", "1", "--device", device,
                     env=hidden)
        self.bad(6, "SOJOURN_DEVICE", "infer", "run.yaml", "--output", "r", env={"SOJOURN_DEVICE": "cuda", **hidden})
        self.bad(2, "unknown device", "infer", "run.yaml", "--output", "r", "--device", "gpu")

    def test_44_no_gpu_found_for_auto(self):
        def warned(output, *arguments, **variables):
            result = self.run_program("infer", "run.yaml", "--output", output, "--iterations", "2", *arguments,
                                      env={"CUDA_VISIBLE_DEVICES": "-1", **variables})
            self.assertEqual(result.returncode, 0, result.stderr)
            lines = [line for line in result.stderr.splitlines() if "the CPU is used" in line]
            kept = json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))["warnings"]
            self.assertEqual([line.removeprefix("warning: ") for line in lines], [text for text in kept if "the CPU is used" in text])
            return lines

        self.assertEqual(len(warned("flag", "--device", "auto")), 1)
        self.assertEqual(len(warned("variable", SOJOURN_DEVICE="auto")), 1)
        self.assertEqual(warned("cpu", "--device", "cpu", SOJOURN_DEVICE="auto"), [])
        self.assertEqual(warned("nothing"), [])

    def test_47_threads(self):
        for threads in ("0", "abc", "1000000", "-1"):
            self.bad(2, "--threads", "infer", "run.yaml", "--output", "r", f"--threads={threads}")
            self.bad(2, "OMP_NUM_THREADS", "infer", "run.yaml", "--output", "r",
                     env={"OMP_NUM_THREADS": threads, "SOJOURN_NUM_THREADS": None})

    def test_47_more_threads_than_four_times_the_cores_warn(self):
        # The affinity mask is an upper bound of the cores that count.
        many = str(4 * len(os.sched_getaffinity(0)) + 1)
        result = self.run_program("infer", "run.yaml", "--output", "r", "--iterations", "2", env={"SOJOURN_NUM_THREADS": many})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(len([line for line in result.stderr.splitlines() if f"warning: {many} threads on" in line]), 1)
        warnings = json.loads((self.folder / "r/summary.json").read_text())["warnings"]
        self.assertEqual([text.startswith(f"{many} threads on") for text in warnings], [True])
        self.assertIn(f"{many} threads on", (self.folder / "r/report.html").read_text())
        few = self.run_program("infer", "run.yaml", "--output", "few", "--iterations", "2", env={"SOJOURN_NUM_THREADS": "1"})
        self.assertNotIn("warning", few.stderr)
        self.assertEqual(json.loads((self.folder / "few/summary.json").read_text())["warnings"], [])

    def test_57_output_exists(self):
        (self.folder / "r").mkdir()
        self.bad(2, "--overwrite|overwrite", "infer", "run.yaml", "--output", "r")


class Arguments(ProgramCase):
    def test_58_flags(self):
        self.bad(2, "did you mean '--theta'", "evaluate", "exponential.yaml", "--thta", "1")
        self.bad(2, "did you mean '--particles'", "infer", "run.yaml", "--particle=3")
        self.bad(2, "unknown flag -x", "evaluate", "exponential.yaml", "-x")
        self.bad(2, "--moments needs a value", "evaluate", "exponential.yaml", "--theta", "1", "--moments")
        self.bad(2, "--moments needs a value", "evaluate", "exponential.yaml", "--theta", "1", "--moments", "--json")
        self.bad(2, "--output needs a value", "infer", "run.yaml", "--output=")
        self.bad(2, "--output needs a value", "infer", "run.yaml", "--output", "--overwrite")
        self.bad(2, "twice", "infer", "run.yaml", "--seed", "1", "--seed", "2")
        self.bad(2, "'1e3' is not a whole number", "infer", "run.yaml", "--particles=1e3")
        self.bad(2, "takes no value", "infer", "run.yaml", "--plan=yes")
        self.bad(2, "left over; see", "infer", "run.yaml", "again.yaml")
        self.bad(2, "'2' is left over; .*joined by commas", "evaluate", "exponential.yaml", "--theta", "1", "--pdf", "1", "2")
        self.bad(2, "RUN", "infer")
        self.bad(2, "MODEL", "evaluate", "--theta", "1")

    def test_verbs(self):
        self.bad(2, "unknown verb 'train'", "train")
        self.bad(2, "did you mean 'infer'", "infr", "run.yaml")
        self.bad(2, "unknown flag --jason", "--jason")
        nothing = self.run_program()
        self.assertEqual(nothing.returncode, 2)
        self.assertEqual(nothing.stdout, "")
        self.assertIn("Usage", nothing.stderr)

    def test_parameter_vectors(self):
        for theta in ("nan", "inf", "-inf", "1e999"):
            self.bad(2, "finite", "evaluate", "exponential.yaml", "--theta", theta, "--moments", "1")
        for theta in ("1,2", "1,2,3"):
            self.bad(2, "1 parameter", "evaluate", "exponential.yaml", "--theta", theta, "--moments", "1")
        self.bad(2, "not a number", "evaluate", "mix.yaml", "--theta", "1,two", "--moments", "1")
        self.bad(2, "add --theta", "evaluate", "exponential.yaml", "--moments", "1")
        self.bad(4, "0 -> 1", "evaluate", "exponential.yaml", "--theta", "-1", "--moments", "1")
        self.bad(4, "0 -> 1", "sample", "exponential.yaml", "--theta=-1")
        self.bad(2, "rate", "sample", "exponential.yaml", "--theta", "1,2")
        self.bad(2, "rate", "simulate", "run.yaml", "--theta", "nan")
        self.write("theta.csv", "rate\n1\nnan\n")
        self.bad(2, "row 3", "evaluate", "exponential.yaml", "--theta-file", "theta.csv", "--moments", "1")
        self.write("theta.csv", "1,2\n")
        self.bad(2, "2 columns", "evaluate", "exponential.yaml", "--theta-file", "theta.csv", "--moments", "1")
        self.write("theta.csv", "1\n2,3\n")
        self.bad(3, "row 2", "evaluate", "exponential.yaml", "--theta-file", "theta.csv", "--moments", "1")

    def test_points(self):
        def evaluate(code, pattern, *rest, model="exponential.yaml", theta="0.5"):
            self.bad(code, pattern, "evaluate", model, "--theta", theta, *rest)

        for flag in ("--pdf", "--cdf", "--logpdf", "--laplace", "--state-probability"):
            for point in ("-1", "nan", "inf"):
                evaluate(2, flag, flag, point)
        for point in ("0", "1", "nan", "2"):
            evaluate(2, "--quantile", "--quantile", point)
        for order in ("0", "-1", "1.5", "1000"):
            evaluate(2, "--moments", "--moments", order)
        evaluate(2, "--pmf", "--pmf", "1.5", model="geometric.yaml")
        evaluate(2, "--pdf", "--pmf", "1")
        evaluate(2, "--pmf", "--pdf", "1", model="geometric.yaml")
        evaluate(2, "nothing to compute")
        evaluate(2, "fp32 serves --moments alone", "--moments", "1", "--pdf", "1", "--precision", "fp32")
        evaluate(2, "fp32 serves --moments alone", "--covariance", "--precision", "fp32")
        evaluate(2, "--method contour: moments", "--moments", "1", "--precision", "fp32", "--method", "contour")
        evaluate(2, "quantile: not in multi precision", "--quantile", "0.5", "--precision", "multi")
        evaluate(2, "--digits", "--moments", "1", "--precision", "multi", "--digits", "501")
        evaluate(2, "--method contour: multi precision", "--pdf", "1", "--precision", "multi", "--method", "contour")
        evaluate(2, "--precision: unknown", "--moments", "1", "--precision", "fp16")
        evaluate(2, "did you mean 'contour'", "--pdf", "1", "--method", "contur")
        evaluate(2, "--rtol", "--pdf", "1", "--rtol", "0")
        evaluate(2, "no reward", "--moments", "1", "--rewards", "money")


class Help(ProgramCase):
    def test_every_level_has_help_with_an_example(self):
        top = self.good("--help")
        self.assertIn("Example", top)
        for verb in ("infer", "evaluate", "sample", "simulate", "inspect", "check", "bench", "info"):
            self.assertIn(verb, top)
            text = self.good(verb, "--help")
            self.assertIn(f"sojourn {verb}", text)
            self.assertIn("Example", text)
            self.assertEqual(text, self.good(verb, "-h"))
            self.assertEqual(text, self.good("help", verb))
        self.assertEqual(top, self.good("help"))
        self.bad(2, "unknown verb 'infr'", "help", "infr")

    def test_the_first_example_works_as_printed(self):
        lines = self.good("--help").split("from a model to a posterior\n")[1].split("\n\n")[0].splitlines()
        (self.folder / "bin").mkdir()
        (self.folder / "bin/sojourn").symlink_to(PROGRAM)
        env = self.environment(PATH=f"{self.folder}/bin:{os.environ['PATH']}")
        script = "set -e\n" + "\n".join(line.removeprefix("  ") for line in lines)
        (self.folder / "times.csv").unlink()
        result = subprocess.run(["bash", "-c", script], cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=300)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.folder / "sojourn-result/report.html").exists())

    def test_lines_fit_a_terminal(self):
        for arguments in (("--help",), ("infer", "--help"), ("evaluate", "--help"), ("sample", "--help"), ("simulate", "--help"),
                          ("inspect", "--help"), ("check", "--help"), ("info", "--help")):
            for line in self.good(*arguments).splitlines():
                self.assertLessEqual(len(line), 100, line)


if __name__ == "__main__":
    unittest.main()
