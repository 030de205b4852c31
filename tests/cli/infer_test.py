"""`sojourn infer`, `simulate`, `sample`, `check`, `inspect` and `info` end to end."""

import csv
import json
import math
import os
import signal
import statistics
import subprocess
import time
import unittest

from program_case import EXPONENTIAL, PROGRAM, RUN, ProgramCase, take_interrupts


class Infer(ProgramCase):
    def particles(self, folder):
        with open(self.folder / folder / "particles.csv", newline="") as stream:
            rows = list(csv.reader(stream))
        return rows[0], [[float(x) for x in row] for row in rows[1:]]

    def test_conjugate_posterior(self):
        # Exponential data with a gamma(2, 1) prior: the posterior is gamma(2 + n, 1 + sum).
        shape, rate = 2 + 5, 1 + 4.6
        self.write("run.yaml", RUN.replace("iterations: 200", "iterations: 500"))
        out = self.good("infer", "run.yaml", "--output", "result")
        header, rows = self.particles("result")
        self.assertEqual(header, ["rate"])
        self.assertEqual(len(rows), 100)
        values = [row[0] for row in rows]
        # One hundred deterministic particles: 2 % of the mean, 8 % of the sd (SVGD's own bias at this count).
        self.assertAlmostEqual(statistics.mean(values), shape / rate, delta=0.02 * shape / rate)
        sd = math.sqrt(shape) / rate
        self.assertAlmostEqual(statistics.stdev(values), sd, delta=0.08 * sd)
        for name in ("summary.json", "particles.csv", "posterior.nc", "report.html"):
            self.assertIn(name, os.listdir(self.folder / "result"))
        summary = json.loads((self.folder / "result" / "summary.json").read_text())
        self.assertTrue(summary)
        self.assertIn("rate", out)
        self.assertRegex(out, r"PASS|WARN|FAIL")
        self.assertIn(os.path.join("result", "report.html"), out)

    def test_same_bits_for_any_thread_count(self):
        for threads in ("1", "2"):
            self.good("infer", "run.yaml", "--output", "t" + threads, "--threads", threads, "--iterations", "30")
        self.assertEqual((self.folder / "t1/particles.csv").read_bytes(), (self.folder / "t2/particles.csv").read_bytes())

    def test_command_line_overrides_the_file(self):
        self.good("infer", "run.yaml", "--output", "r", "--particles", "17", "--iterations", "5", "--seed", "9")
        self.assertEqual(len(self.particles("r")[1]), 17)

    def test_progress_goes_to_stderr_in_tenths(self):
        result = self.run_program("infer", "run.yaml", "--output", "r")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stderr, r"100 %  iteration 200/200")
        self.assertNotIn("\r", result.stderr)
        quiet = self.run_program("infer", "run.yaml", "--output", "q", "--quiet")
        self.assertEqual((quiet.returncode, quiet.stderr), (0, ""))

    def test_log_level(self):
        # At info: what it runs on, the model, the warning, two lines of progress, what was interpolated.
        self.write("exponential.yaml", EXPONENTIAL.replace("[rate]", "[{name: rate, lower: 0, upper: 50}]"))
        for level, lines in (("error", 0), ("warning", 1), ("info", 6)):
            result = self.run_program("infer", "run.yaml", "--output", level, "--iterations", "3", env={"SOJOURN_LOG": level})
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(len(result.stderr.splitlines()), lines, result.stderr)
        self.bad(2, "SOJOURN_LOG='loud'", "infer", "run.yaml", "--output", "r", env={"SOJOURN_LOG": "loud"})

    def test_one_free_parameter_is_interpolated_unless_switched_off(self):
        line = self.good_json("infer", "run.yaml", "--output", "r", "--iterations", "5")["data_compression"]["line"]
        self.assertGreater(line["answers"], line["values"])
        self.assertLessEqual(line["worst_error"], 1e-9)
        exact = self.good_json("infer", "run.yaml", "--output", "e", "--iterations", "5", "--data-compression", "off")
        self.assertEqual(exact["data_compression"]["mode"], "off")
        self.assertNotIn("line", exact["data_compression"])

    def test_json_prints_the_summary(self):
        printed = self.good_json("infer", "run.yaml", "--output", "r", "--iterations", "5")
        self.assertEqual(printed, json.loads((self.folder / "r/summary.json").read_text()))

    def test_plan_runs_nothing(self):
        before = self.files()
        self.assertIn("predicted time", self.good("infer", "run.yaml", "--plan"))
        plan = self.good_json("infer", "run.yaml", "--plan")
        self.assertEqual((plan["particles"], plan["iterations"]), (100, 200))
        self.assertGreater(plan["predicted_seconds"], 0)
        self.assertGreater(plan["predicted_bytes"], 0)
        self.assertEqual(self.files(), before)

    def test_output_exists(self):
        (self.folder / "r").mkdir()
        self.bad(2, "exists", "infer", "run.yaml", "--output", "r")
        self.good("infer", "run.yaml", "--output", "r", "--overwrite", "--iterations", "3")
        self.good("infer", "run.yaml", "--output", "r", "--overwrite", "--iterations", "3")
        (self.folder / "mine").mkdir()
        self.write("mine/thesis.tex", "years of work")
        self.bad(2, "mine", "infer", "run.yaml", "--output", "mine", "--overwrite")
        self.bad(2, "times.csv", "infer", "run.yaml", "--output", "times.csv", "--overwrite")

    def test_output_cannot_be_written(self):
        self.bad(5, "times.csv: .*Not a directory", "infer", "run.yaml", "--output", "times.csv/below/nowhere")

    def test_max_seconds_writes_what_there_is(self):
        started = time.monotonic()
        result = self.run_program("infer", "run.yaml", "--output", "r", "--iterations", "100000000", "--max-seconds", "1")
        self.assertEqual(result.returncode, 75, result.stderr)
        self.assertLess(time.monotonic() - started, 60)
        self.assertRegex(result.stderr, "stopped early")
        self.assertIn("stopped early", (self.folder / "r/summary.json").read_text())

    def test_strict_turns_a_failed_diagnostic_into_status_4(self):
        # One tiny step from the prior leaves the particles far from the posterior.
        self.write("run.yaml", RUN.replace("iterations: 200", "iterations: 1, start: prior, learning_rate: 1.0e-9"))
        loose = self.run_program("infer", "run.yaml", "--output", "r")
        self.assertEqual(loose.returncode, 0, loose.stderr)
        self.assertIn("FAIL", loose.stdout)
        strict = self.run_program("infer", "run.yaml", "--output", "s", "--strict")
        self.assertEqual(strict.returncode, 4)
        self.assertRegex(strict.stderr, "--strict")
        self.assertTrue((self.folder / "s/summary.json").exists())

    def test_history_and_start_particles(self):
        self.write("run.yaml", RUN.replace("iterations: 200", "iterations: 20, history_every: 5"))
        self.good("infer", "run.yaml", "--output", "r")
        self.assertTrue((self.folder / "r/trace.csv").exists())
        # The particles of one run start the next.
        self.write("again.yaml", RUN.replace("particles: 100, iterations: 200", "iterations: 3, initial: r/particles.csv"))
        self.good("infer", "again.yaml", "--output", "again")
        self.assertEqual(len(self.particles("again")[1]), 100)

    def test_fixed_parameters_and_reward(self):
        self.write("run.yaml", "schema: sojourn/run/1\nmodel: mix.yaml\ndata: {file: times.csv}\nrewards: whole\n"
                               "priors: {a: {lognormal: {mean: 0, sd: 1}}}\nfixed: {b: 0.5}\n"
                               "sampler: {particles: 20, iterations: 10}\n")
        self.good("infer", "run.yaml", "--output", "r")
        self.assertEqual(self.particles("r")[0], ["a"])

    def test_paths_are_relative_to_the_run_file(self):
        (self.folder / "elsewhere").mkdir()
        run = RUN.replace("exponential.yaml", "../exponential.yaml").replace("times.csv", "../times.csv")
        self.write("elsewhere/run.yaml", run)
        self.good("infer", "elsewhere/run.yaml", "--output", "r", "--iterations", "3")

    def start(self, *arguments):
        return subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=take_interrupts)

    def wait_for_progress(self, process):
        # The first line tells that model and data are read; a moment later the particles move.
        process.stderr.readline()
        time.sleep(1.5)

    def test_threads_asked_for_are_the_threads_there_are(self):
        # Two free parameters: every particle is evaluated, by as many threads as are asked for.
        self.write("two.yaml", RUN.replace("exponential", "mix").replace("{rate: {gamma: {shape: 2, rate: 1}}}",
                                                                         "{a: {gamma: {shape: 2, rate: 1}}, "
                                                                         "b: {gamma: {shape: 2, rate: 1}}}"))
        threads = {}
        for count in (1, 3):
            run = self.start("infer", "two.yaml", "--output", f"on{count}", "--iterations", "100000000", "--threads",
                             str(count))
            self.wait_for_progress(run)
            threads[count] = len(os.listdir(f"/proc/{run.pid}/task"))
            run.send_signal(signal.SIGTERM)
            _, errors = run.communicate(timeout=120)
            self.assertEqual(run.returncode, 75, errors)
        # A sanitizer may have one of its own in both.
        self.assertEqual(threads[3] - threads[1], 2)

    def test_first_interrupt_writes_second_leaves(self):
        once = self.start("infer", "run.yaml", "--output", "once", "--iterations", "100000000")
        self.wait_for_progress(once)
        once.send_signal(signal.SIGINT)
        _, errors = once.communicate(timeout=120)
        self.assertEqual(once.returncode, 130, errors)
        self.assertTrue((self.folder / "once/summary.json").exists())
        self.assertIn("interrupted", (self.folder / "once/summary.json").read_text())

    def slow_start(self):
        # A third of a second per likelihood on one core: the search for the mode alone takes a minute or more.
        self.write("slow.yaml", "schema: sojourn/model/1\nname: slow\nfamily: {coalescent: {samples: 36, state: blocks}}\n")
        self.write("run.yaml", RUN.replace("exponential", "slow").replace("rate: {", "theta: {"))

    def check_unmoved(self, folder, reason):
        summary = json.loads((self.folder / folder / "summary.json").read_text())
        self.assertEqual((summary["status"], summary["verdict"]), ("interrupted", "FAIL"))
        self.assertEqual((summary["sampler"]["iterations"], summary["sampler"]["particles"]), (0, 100))
        self.assertRegex(summary["warnings"][0], rf"stopped early after iteration 0 of 200 \({reason}\)")
        self.assertRegex(summary["diagnostics"][0]["explanation"], "drawn from the prior")
        # Draws of the prior, gamma(2, 1): mean 2, standard error sqrt(2) / 10; five of them.
        values = [row[0] for row in self.particles(folder)[1]]
        self.assertAlmostEqual(statistics.mean(values), 2, delta=5 * math.sqrt(2) / 10)
        for name in ("particles.csv", "convergence.csv", "posterior.nc", "report.html"):
            self.assertTrue((self.folder / folder / name).exists(), name)
        self.assertIn("before its first iteration", (self.folder / folder / "report.html").read_text())

    def test_max_seconds_acts_inside_the_start(self):
        self.slow_start()
        result = self.run_program("infer", "run.yaml", "--output", "r", "--max-seconds", "1", timeout=50)
        self.assertEqual(result.returncode, 75, result.stderr)
        self.check_unmoved("r", "--max-seconds 1")
        # A run that is to go on is not judged yet; it begins anew, and the folder is its own.
        again = self.run_program("infer", "run.yaml", "--output", "r", "--max-seconds", "1", "--strict", "--resume", timeout=50)
        self.assertEqual(again.returncode, 75, again.stderr)
        self.assertIn("going on after iteration 0 of 200", again.stderr)
        self.check_unmoved("r", "--max-seconds 1")
        self.assertEqual(json.loads((self.folder / "r/summary.json").read_text())["resumes"], {"count": 1, "at_iterations": [0]})
        self.assertEqual(os.listdir(self.folder / "r/checkpoint"), ["step-0000000000.sojourn"])

    def test_interrupt_acts_inside_the_start(self):
        self.slow_start()
        process = self.start("infer", "run.yaml", "--output", "r")
        self.wait_for_progress(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=50)
        self.assertEqual(process.returncode, 130, errors)
        self.check_unmoved("r", "interrupted")

    def test_two_interrupts_leave_no_half_file(self):
        before = self.files()
        # A million particles make one iteration last far longer than the test, so only the second signal can end it.
        process = self.start("infer", "run.yaml", "--output", "twice", "--iterations", "1000", "--particles", "200000")
        for _ in ("model", "strategy"):
            process.stderr.readline()
        self.assertRegex(process.stderr.readline(), "  0 %  iteration 0/1000")  # the start is done
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.files(), before)


class Simulate(ProgramCase):
    def test_rows_header_and_seed(self):
        text = self.good("simulate", "run.yaml", "--theta", "2")
        self.assertEqual(text.splitlines()[0], "time")
        self.assertEqual(len(text.splitlines()), 1 + 5)
        self.assertEqual(text, self.good("simulate", "run.yaml", "--theta", "2"))
        self.assertNotEqual(text, self.good("simulate", "run.yaml", "--theta", "2", "--seed", "7"))
        self.good("simulate", "run.yaml", "--theta", "2", "-n", "20000", "--output", "out.csv")
        values = [float(x) for x in (self.folder / "out.csv").read_text().split()[1:]]
        # Mean 1/2 with standard error 0.5 / sqrt(20000); five of them.
        self.assertAlmostEqual(statistics.mean(values), 0.5, delta=5 * 0.5 / math.sqrt(20000))
        self.bad(2, "exists", "simulate", "run.yaml", "--theta", "2", "--output", "out.csv")
        self.bad(5, "nowhere", "simulate", "run.yaml", "--theta", "2", "--output", "nowhere/out.csv")
        self.good("check", "out.csv")

    def test_no_data_file_needs_n(self):
        self.write("run.yaml", RUN.replace("data: {file: times.csv}\n", ""))
        self.bad(2, "give -n", "simulate", "run.yaml", "--theta", "2")
        self.assertEqual(len(self.good("simulate", "run.yaml", "--theta", "2", "-n", "3").splitlines()), 4)

    def test_discrete_writes_counts(self):
        self.write("run.yaml", "schema: sojourn/run/1\nmodel: geometric.yaml\n")
        lines = self.good("simulate", "run.yaml", "--theta", "0.4", "-n", "50").splitlines()
        self.assertEqual(lines[0], "count")
        self.assertTrue(all(float(x) == int(float(x)) >= 1 for x in lines[1:]))


class Sample(ProgramCase):
    def test_draws(self):
        text = self.good("sample", "exponential.yaml", "--theta", "4", "-n", "20000", "--seed", "3")
        values = [float(x) for x in text.split()]
        self.assertEqual(len(values), 20000)
        self.assertAlmostEqual(statistics.mean(values), 0.25, delta=5 * 0.25 / math.sqrt(20000))
        self.assertEqual(text, self.good("sample", "exponential.yaml", "--theta", "4", "-n", "20000", "--seed", "3",
                                         "--threads", "1"))

    def test_a_longer_sample_starts_with_the_shorter_one(self):
        short = self.good("sample", "mix.yaml", "--theta", "1,1", "-n", "10")
        self.assertTrue(self.good("sample", "mix.yaml", "--theta", "1,1", "-n", "100").startswith(short))

    def test_several_rewards(self):
        text = self.good("sample", "mix.yaml", "--theta", "1,1", "-n", "100", "--rewards", "whole", "--rewards", "first")
        rows = [[float(x) for x in line.split(",")] for line in text.splitlines()]
        self.assertEqual({len(row) for row in rows}, {2})
        self.assertTrue(all(row[0] >= row[1] for row in rows))
        out = self.good_json("sample", "mix.yaml", "--theta", "1,1", "-n", "3", "--rewards", "first")
        self.assertEqual(len(out["draws"]), 3)
        self.bad(2, "did you mean 'first'", "sample", "mix.yaml", "--theta", "1,1", "--rewards", "frist")


class Inspect(ProgramCase):
    def test_sizes(self):
        self.write("kingman.yaml", "schema: sojourn/model/1\nname: kingman\nfamily: {coalescent: {samples: 5, state: lineages}}\n")
        out = self.good_json("inspect", "kingman.yaml")
        self.assertEqual((out["states"], out["edges"], out["transient"], out["acyclic"]), (5, 4, 4, True))
        self.assertEqual(out["components"], 4)
        self.assertEqual(out["largest_component"], 1)
        self.assertEqual(out["parameters"], ["theta"])
        self.assertEqual(out["identifiability"]["rank"], 1)
        for key in ("levels", "predicted", "slots", "bytes", "rewards", "warnings", "time", "name"):
            self.assertIn(key, out)
        text = self.good("inspect", "kingman.yaml")
        self.assertIn("kingman", text)
        self.assertRegex(text, r"states +5")

    def test_unidentifiable_direction_is_named(self):
        self.write("product.yaml", "schema: sojourn/model/1\nname: product\nparameters: [a, b]\nderived: {r: a * b}\n"
                                   "states: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 0, [1]]]\n")
        out = self.good_json("inspect", "product.yaml")
        self.assertEqual(out["identifiability"]["rank"], 1)
        self.assertRegex(out["identifiability"]["unidentifiable"][0]["direction"], r"log\(a\) - log\(b\)|-log\(a\) \+ log\(b\)")

    def test_dot(self):
        self.assertTrue(self.good("inspect", "mix.yaml", "--dot").lstrip().startswith("digraph"))
        self.bad(2, "exclude", "inspect", "mix.yaml", "--dot", "--json")

    def test_derived_rates_keep_the_names_of_the_file(self):
        self.write("two.yaml", "schema: sojourn/model/1\nname: two\nparameters: [N, m]\nderived: {coal: 1 / (2*N), move: m^2}\n"
                               "states: 3\ninitial: [[0, 1]]\nedges: [[0, 1, 0.5, [3, 0]], [1, 2, 0, [1, 2]]]\n")
        picture = self.good("inspect", "two.yaml", "--dot")
        self.assertIn('s0 -> s1 [label="0.5 + 3 coal"]', picture)
        self.assertIn('s1 -> s2 [label="coal + 2 move"]', picture)
        self.assertRegex(self.good("inspect", "two.yaml"), r"derived rates +coal = 1 / \(2\*N\)\n +move = m\^2\n")
        self.assertEqual(self.good_json("inspect", "two.yaml")["derived"], {"coal": "1 / (2*N)", "move": "m^2"})


class Check(ProgramCase):
    def test_recognises_the_three_kinds(self):
        self.assertRegex(self.good("check", "exponential.yaml"), "^ok: model exponential")
        self.assertRegex(self.good("check", "times.csv"), "^ok: data, 5 observations")
        self.assertRegex(self.good("check", "run.yaml"), "^ok: run run, model exponential, 5 observations")
        self.write("counts", "count\n1\n2\n2\n")
        self.assertRegex(self.good("check", "counts"), "^ok: data, 3 observations of counts")
        self.assertRegex(self.good("check", "-", stdin="time\n1\n"), "^ok: data")

    def test_reports_faults(self):
        self.bad(3, "times.csv", "check", self.write("times.csv", "time\n1\n-2\n"))
        self.write("run.yaml", RUN.replace("rate: {gamma", "rote: {gamma"))
        self.bad(3, r"run\.yaml:4:\d+.*did you mean 'rate'", "check", "run.yaml")


class InstructionSets(ProgramCase):
    def test_each_usable_set_can_be_named(self):
        usable = self.good_json("info")["instruction_sets"]
        self.assertEqual(usable[0], "baseline")
        answers = []
        for name in usable:
            env = {"SOJOURN_INSTRUCTION_SET": name}
            self.assertEqual(self.good_json("info", env=env)["instruction_set"], name)
            out = self.good_json("evaluate", "mix.yaml", "--theta", "1.5,1", "--moments", "3", "--pdf", "0.5,2", env=env)
            answers.append(out["moments"][0] + out["pdf"][0])
        for answer in answers[1:]:
            for one, other in zip(answer, answers[0]):
                self.assertAlmostEqual(one, other, delta=1e-12 * abs(other))

    def test_a_set_that_is_not_there_is_refused_before_any_work(self):
        usable = self.good_json("info")["instruction_sets"]
        for name in {"baseline", "avx2", "avx512"} - set(usable) | {"sse9"}:
            env = {"SOJOURN_INSTRUCTION_SET": name}
            for arguments in (("info",), ("check", "none.yaml")):
                self.bad(2, f"SOJOURN_INSTRUCTION_SET={name}.*{', '.join(usable)}", *arguments, env=env)


class Info(ProgramCase):
    def test_version_and_info(self):
        version = self.good("--version").strip()
        self.assertRegex(version, r"^sojourn \d+\.\d+\.\d+$")
        out = self.good_json("info")
        self.assertEqual("sojourn " + out["version"], version)
        for key in ("cuda", "nccl", "mpi", "openmp"):
            self.assertIsInstance(out[key], bool)
        self.assertIsInstance(out["devices"], list)
        text = self.good("info")
        self.assertIn("OpenMP", text)
        self.assertIn(out["instruction_set"], out["instruction_sets"])
        self.assertIn("kernels   " + out["instruction_set"], text)
        if not out["cuda"]:
            self.assertEqual(out["devices"], [])
            self.assertRegex(text, r"devices +cpu \(built without CUDA\)")
        elif not out["devices"]:
            self.assertRegex(text, r"devices +cpu \(no GPU is seen")
        for index, device in enumerate(out["devices"]):
            self.assertRegex(device, rf"^cuda:{index} .+, \d+ GiB$")
            self.assertIn(device, text)
        # Which MPI the program is linked with, in its own words.
        self.assertEqual(bool(out["mpi_library"]), out["mpi"])
        self.assertIn(out["mpi_library"], text)
        # The version does not depend on the environment, as the threads do.
        self.assertEqual(self.good("--version", env={"SOJOURN_NUM_THREADS": "many"}).strip(), version)


if __name__ == "__main__":
    unittest.main()
