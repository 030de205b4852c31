"""`infer --plan` against the run that it is of: resident memory at its most, and time. Linux alone tells a process's memory."""

import os
import subprocess
import time
import unittest

from program_case import PROGRAM, ProgramCase

MIB = 1 << 20
# What is held: 20 % of the run's memory above that of the process, and 3 MiB of pages that come and go.
SHARE, PAGES = 0.20, 3 * MIB


def blocks(samples):
    return f"schema: sojourn/model/1\nname: blocks\nfamily: {{coalescent: {{samples: {samples}, state: blocks}}}}\n"


DEMES = "schema: sojourn/model/1\nname: demes\nfamily: {structured_coalescent: {samples: [5, 5], state: blocks}}\n"


@unittest.skipUnless(os.path.exists("/proc/self/status"), "needs /proc")
class RunMemory(ProgramCase):
    def write_run(self, model, parameters, particles, iterations, more=""):
        self.write("model.yaml", model)
        priors = ", ".join(f"{name}: {{lognormal: {{mean: 0, sd: 0.5}}}}" for name in parameters)
        sampler = more if more.startswith(",") else ""
        self.write("plan.yaml", f"schema: sojourn/run/1\nmodel: model.yaml\ndata: {{file: times.csv}}\npriors: {{{priors}}}\n"
                                f"sampler: {{particles: {particles}, iterations: {iterations}, start: prior{sampler}}}\n"
                                + (more if not sampler else ""))

    def peak(self, *arguments):
        """VmHWM of the program as last seen before its end; it grows only."""
        with subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, env=self.environment(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as process:
            most = 0
            while process.poll() is None:
                try:
                    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                        most = next((1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:")), most)
                except OSError:
                    pass
                time.sleep(0.001)
            self.assertEqual(process.returncode, 0, process.stderr.read())
        return most

    def compare(self, *arguments):
        """Bytes predicted and measured; those counted from tables alone too."""
        plan = self.good_json("infer", "plan.yaml", "--plan", *arguments)
        measured = self.peak("infer", "plan.yaml", "--output", "out", "--overwrite", "--quiet", *arguments)
        memory = plan["memory"]
        counted = memory["process_bytes"] + sum(memory["parts"].values())
        if os.environ.get("SOJOURN_SHOW_MEMORY"):
            print(self.id(), f"base {memory['process_bytes'] / MIB:.1f} predicted {plan['predicted_bytes'] / MIB:.1f} counted"
                  f" {counted / MIB:.1f} measured {measured / MIB:.1f} MiB", {k: round(v / MIB, 2) for k, v in memory["parts"].items()})
        return memory["process_bytes"], plan["predicted_bytes"], counted, measured

    def expect_within_a_fifth(self, *arguments):
        base, predicted, _, measured = self.compare(*arguments)
        self.assertGreater(measured, base)
        self.assertLess(abs(predicted - measured), SHARE * (measured - base) + PAGES, (base, predicted, measured))

    def test_models_of_2_to_5604_states(self):
        self.write_run("schema: sojourn/model/1\nname: one\nparameters: [rate]\nstates: 2\ninitial: [[0, 1]]\nedges: [[0, 1, 0, [1]]]\n",
                       ["rate"], 20, 3)
        self.expect_within_a_fifth()
        for samples in (10, 20, 26, 30):
            self.write_run(blocks(samples), ["theta"], 20, 3)
            self.expect_within_a_fifth()
            self.expect_within_a_fifth("--data-compression", "off")

    def test_a_model_with_fill(self):
        names = ["coal_0", "coal_1", "mig_0_1", "mig_1_0"]
        self.write_run(DEMES, names, 20, 3)
        self.expect_within_a_fifth()

    def test_threads(self):
        self.write_run(blocks(30), ["theta"], 20, 2)
        one, _, two = self.compare("--threads", "1"), None, self.compare("--threads", "2")
        for base, predicted, _, measured in (one, two):
            self.assertLess(abs(predicted - measured), SHARE * (measured - base) + PAGES)
        # Counted, a thread more is a workspace and a curve more; curves of few nodes fill a part of theirs.
        self.assertAlmostEqual((two[2] - one[2]) / (two[3] - one[3]), 1, delta=0.5)

    def test_many_particles_with_history(self):
        model = "schema: sojourn/model/1\nname: three\nparameters: [a, b, c]\nstates: 4\ninitial: [[0, 1]]\nedges:\n" \
                "  - [0, 1, 0, [1, 0, 0]]\n  - [1, 2, 0, [0, 1, 0]]\n  - [2, 3, 0, [0, 0, 1]]\n"
        self.write_run(model, "abc", 4000, 30)
        self.expect_within_a_fifth()
        self.write_run(model, "abc", 4000, 60, ", history_every: 1")
        base, predicted, counted, measured = self.compare()
        self.assertLess(abs(predicted - measured), SHARE * (measured - base) + PAGES, (base, predicted, measured))
        self.assertGreater(counted - base, 5 * 61 * 8 * 4000 * 3 * 0.8)

    def test_many_particles_of_many_parameters(self):
        # What iterations hold of the particles is most of it: the state and twice as much beside.
        size = 40
        names = [f"r{k}" for k in range(size)]
        rows = "".join(f"  - [{k}, {k + 1}, 0, {[int(j == k) for j in range(size)]}]\n" for k in range(size))
        self.write_run(f"schema: sojourn/model/1\nname: stages\nparameters: [{', '.join(names)}]\nstates: {size + 1}\n"
                       f"initial: [[0, 1]]\nedges:\n{rows}", names, 6000, 3)
        self.expect_within_a_fifth()

    def test_observations_in_parts(self):
        # More than one part holds, none of them compressed: what is read for each is most of the memory.
        self.write("times.csv", "time\n" + "\n".join(str(0.01 + 4 * (k * 0.6180339887 % 1)) for k in range(40000)) + "\n")
        self.write_run(blocks(6), ["theta"], 8, 2)
        self.expect_within_a_fifth("--data-compression", "off")

    def test_what_does_not_fit_is_refused_before_it_starts(self):
        self.write_run(blocks(10), ["theta"], 1000000, 1000, ", history_every: 1")
        self.bad(2, "1000000 particles on 2 threads need about .*history.*larger history_every", "infer", "plan.yaml", "--output",
                 "out", "--max-memory", "200M")
        self.bad(2, "1000000 particles", "infer", "plan.yaml", "--plan", "--max-memory", "200M")

    def test_the_limit_is_where_what_is_needed_stops_fitting(self):
        self.write_run(blocks(6), ["theta"], 400000, 3)
        memory = self.good_json("infer", "plan.yaml", "--plan", "--max-memory", "2G")["memory"]
        needed = memory["parts"]["workspaces"] + memory["parts"]["particles"]
        below, above = (int(memory["resident_bytes"] + share * needed) >> 20 for share in (0.7, 1.4))
        self.bad(2, "400000 particles on .* need about", "infer", "plan.yaml", "--plan", "--max-memory", f"{below}M")
        self.good("infer", "plan.yaml", "--plan", "--max-memory", f"{above}M")

    def test_what_fits_but_for_its_end_warns(self):
        # 48 MB of frames fit into what the limit leaves, a copy of them and their text do not.
        self.write_run(blocks(6), ["theta"], 20, 300000, ", history_every: 1")
        result = self.run_program("infer", "plan.yaml", "--plan", "--max-memory", "130M")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr.count("warning: at the end of 300000 iterations the run would hold about "), 1, result.stderr)

    def test_plan_says_what_it_is_of(self):
        text = self.good("infer", "run.yaml", "--plan")
        self.assertRegex(text, r"predicted memory    about .* at its most: .* held now, up to .* before, .* still to come")
        self.assertRegex(text, r"the process +.* before the model was read \(measured\)")
        self.assertRegex(text, r"counted +graph .*, program .*, data .*, workspaces .*, particles .*")
        memory = self.good_json("infer", "run.yaml", "--plan")["memory"]
        self.assertEqual(set(memory["parts"]), {"graph", "program", "data", "workspaces", "particles", "history", "checkpoint", "results"})
        self.assertGreater(memory["process_bytes"], MIB)
        self.assertGreaterEqual(memory["most_resident_bytes"], memory["resident_bytes"])


class RunTime(ProgramCase):
    def test_predicted_time_of_an_iteration_is_near_the_measured(self):
        # On a machine that others use as well, seconds alone say little: half to twice, in one of three tries.
        self.write("model.yaml", blocks(20))
        self.write("plan.yaml", "schema: sojourn/run/1\nmodel: model.yaml\ndata: {file: times.csv}\n"
                                "priors: {theta: {lognormal: {mean: 0, sd: 0.5}}}\n"
                                "sampler: {particles: 100, iterations: 10, start: prior}\ndata_compression: off\n")
        tries = []
        for _ in range(3):
            plan = self.good_json("infer", "plan.yaml", "--plan")
            seconds = self.good_json("infer", "plan.yaml", "--output", "out", "--overwrite")["timings_seconds"]
            measured = seconds["scores"] + seconds["kernel"]
            predicted = plan["predicted_seconds_scores"] + plan["predicted_seconds_kernel"]
            tries.append((predicted, measured))
            if 0.5 < predicted / measured < 2:
                return
        self.fail(f"seconds predicted and measured: {tries}")


if __name__ == "__main__":
    unittest.main()
