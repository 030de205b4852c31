"""Runs that are stopped or killed and go on: `--resume`, `--max-seconds`, signals, and what is wrong with a checkpoint.

SOJOURN_KILLS=200 kills two hundred times instead of twenty.
"""

import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from checkpoint_case import MIX_RUN, CheckpointCase, Instants
from program_case import PROGRAM
from ranks_test import LAUNCHER, MPIEXEC, built_with_mpi

# Beginnings of a checkpoint of a later format, and of one written on a machine of the other byte order.
NEWER = "534f4a43484b5054040302010200000028000000000000008b81aa030646a1b5c8b11e09497fbf9f"
OTHER_ORDER = "534f4a43484b5054010203040000000100000000000000285073ccdc5083edbaf8a3436df8788502"


class Resume(CheckpointCase):
    def test_signals_stop_at_a_checkpoint_and_resume_goes_on(self):
        for by, code, name in ((signal.SIGTERM, 75, "SIGTERM"), (signal.SIGUSR1, 75, "SIGUSR1"),
                               (signal.SIGINT, 130, "interrupted")):
            errors = self.stop_in_the_middle(name, code=code, by=by)
            self.assertRegex(errors, rf"stopped early after iteration \d+ of 100000000 \({name}\)")
            command = f"sojourn infer run.yaml --output {name} --iterations 100000000 --resume\n"
            self.assertIn(f"to go on, on any number of ranks: {command}", errors)
            done = self.iteration(name)
            self.assertLessEqual(len(self.checkpoints(name)), 2)
            summary = self.summary(name)
            self.assertEqual((summary["status"], summary["sampler"]["iterations"]), ("interrupted", done))
            self.assertEqual(summary["resumes"], {"count": 0, "at_iterations": []})
            more = str(done + 25)
            result = self.ended(0, "infer", "run.yaml", "--output", name, "--iterations", more, "--resume")
            self.assertIn(f"going on after iteration {done} of {more}", result.stderr)
            self.good("infer", "run.yaml", "--output", name + "-whole", "--iterations", more, "--threads", "1")
            self.assertEqual(self.bits(name), self.bits(name + "-whole"))
            resumed = self.summary(name)
            self.assertEqual(resumed["resumes"], {"count": 1, "at_iterations": [done]})
            self.assertGreater(resumed["timings_seconds"]["total"], summary["timings_seconds"]["scores"])
        # Nothing beside the folders.
        self.assertEqual([name for name in os.listdir(self.folder) if ".tmp" in name], [])

    def test_a_signal_before_the_first_iteration_says_that_nothing_is_lost(self):
        # The run file is a pipe: once it is opened, the program waits for its text.
        os.mkfifo(self.folder / "pipe.yaml")
        for by, code in ((signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)):
            process = self.start("infer", "pipe.yaml", "--output", "r")
            with open(self.folder / "pipe.yaml", "w", encoding="utf-8"):
                process.send_signal(by)
                out, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, out), (code, ""), errors)
            said = "stopped while the run was being prepared: nothing is written or lost; start it again"
            self.assertEqual(errors.split("\n"), ["", said, ""] if code == 75 else [""])
            self.assertFalse((self.folder / "r").exists())

    def test_max_seconds_makes_a_chain_of_jobs(self):
        chain = ["infer", "run.yaml", "--output", "r", "--max-seconds", "0.3", "--resume"]
        # Longer than any machine takes, then some times what this one did in the first job.
        codes = [self.run_program(*chain, "--iterations", "100000000").returncode]
        total = str(3 * self.iteration("r") + 25)
        while codes[-1] == 75 and len(codes) < 100:
            codes.append(self.run_program(*chain, "--iterations", total).returncode)
        self.assertEqual(codes[0], 75)
        self.assertEqual(codes[-1], 0)
        self.assertEqual(self.summary("r")["resumes"]["count"], len(codes) - 1)
        self.good("infer", "run.yaml", "--output", "whole", "--iterations", total)
        self.assertEqual(self.bits("r"), self.bits("whole"))

    def test_resume_without_a_checkpoint_starts(self):
        result = self.ended(0, "infer", "run.yaml", "--output", "r", "--resume")
        self.assertIn("no checkpoint in r yet: starting from the beginning", result.stderr)
        self.good("infer", "run.yaml", "--output", "whole")
        self.assertEqual(self.bits("r"), self.bits("whole"))
        self.assertEqual(self.summary("r")["resumes"]["count"], 0)
        # Not over results that nothing can be gone on from.
        shutil.rmtree(self.folder / "r/checkpoint")
        self.bad(2, "--overwrite", "infer", "run.yaml", "--output", "r", "--resume")
        self.good("infer", "run.yaml", "--output", "r", "--resume", "--overwrite")
        # A folder that was made and never filled.
        (self.folder / "empty/checkpoint").mkdir(parents=True)
        self.good("infer", "run.yaml", "--output", "empty", "--resume")

    def test_a_job_that_slurm_starts_again_resumes_by_itself(self):
        self.stop_in_the_middle("r")
        done = self.iteration("r")
        arguments = ["infer", "run.yaml", "--output", "r", "--iterations", str(done + 5)]
        self.bad(2, "--resume.*--overwrite", *arguments)
        self.bad(2, "--resume.*--overwrite", *arguments, env={"SLURM_RESTART_COUNT": "0"})
        self.bad(6, "SLURM_RESTART_COUNT='often' is not a non-negative integer", *arguments, env={"SLURM_RESTART_COUNT": "often"})
        self.bad(3, "seed: 3 there, 4 here", *arguments, "--seed", "4", env={"SLURM_RESTART_COUNT": "1"})
        result = self.ended(0, *arguments, env={"SLURM_RESTART_COUNT": "1"})
        self.assertIn(f"going on after iteration {done}", result.stderr)
        self.good("infer", "run.yaml", "--output", "fresh", env={"SLURM_RESTART_COUNT": "1"})

    def test_another_instruction_set_is_a_warning(self):
        if "avx2" not in self.good_json("info")["instruction_sets"]:
            self.skipTest("this machine has one instruction set")
        self.good("infer", "run.yaml", "--output", "r", env={"SOJOURN_INSTRUCTION_SET": "baseline"})
        result = self.ended(0, "infer", "run.yaml", "--output", "r", "--resume", "--iterations", "160",
                            env={"SOJOURN_INSTRUCTION_SET": "avx2"})
        self.assertRegex(result.stderr, "warning: .*instruction set: baseline there, avx2 here.*last digits")
        self.assertIn("instruction set", self.summary("r")["warnings"][0])

    def test_checkpoints_by_time_and_none(self):
        self.write("run.yaml", MIX_RUN.replace("every_iterations: 1", "every_seconds: 1.0e9"))
        self.good("infer", "run.yaml", "--output", "r")
        self.assertEqual(self.checkpoints("r"), ["step-0000000150.sojourn"])
        self.write("run.yaml", MIX_RUN.replace("every_iterations: 1", "every_seconds: 0"))
        self.good("infer", "run.yaml", "--output", "often", "--iterations", "2000")
        self.assertEqual(len(self.checkpoints("often")), 2)
        self.write("run.yaml", MIX_RUN.replace("every_iterations: 1", "every_minutes: 1"))
        self.bad(3, "every_minutes", "infer", "run.yaml", "--output", "s")
        self.write("run.yaml", MIX_RUN.replace("every_iterations: 1", "every_iterations: 0"))
        self.bad(2, "every_iterations", "infer", "run.yaml", "--output", "s")


class Kill(CheckpointCase):
    def test_kill_at_any_instant_and_resume_gives_the_same_bits(self):
        self.write("run.yaml", MIX_RUN.replace("iterations: 150", "iterations: 60"))
        begin = time.monotonic()
        self.good("infer", "run.yaml", "--output", "whole")
        instants = Instants(20261121, time.monotonic() - begin)
        whole = self.bits("whole")
        num_kills = int(os.environ.get("SOJOURN_KILLS", "20"))
        kill = num_resumed = 0
        while kill < num_kills or num_resumed <= num_kills / 10:
            self.assertLess(kill, 10 * num_kills, f"{num_resumed} runs went on from a checkpoint")
            folder = f"r{kill}"
            # Every third time the run that goes on is killed as well, sometimes twice.
            for again in range(1 + kill % 3):
                resume = ["--resume"] if again else []
                process = self.start("infer", "run.yaml", "--output", folder, *resume)
                instants.wait(process)
                process.kill()
                process.communicate(timeout=60)
                # What lies in the folder is whole: every file of the results, or none.
                there = {path.name for path in (self.folder / folder).glob("*") if path.name != "checkpoint"}
                self.assertIn(len(there), (0, 6), there)
            result = self.ended(0, "infer", "run.yaml", "--output", folder, "--resume")
            num_resumed += "going on after iteration" in result.stderr
            self.assertEqual(self.bits(folder), whole, f"kill {kill}: {result.stderr}")
            self.assertEqual([name for name in os.listdir(self.folder) if ".tmp" in name], [], f"kill {kill}")
            shutil.rmtree(self.folder / folder)
            kill += 1


class Stages(CheckpointCase):
    """Runs from coarse to fine."""

    STAGES = """\
  stages:
    - {particles: 12, iterations: 40, learning_rate: 0.1, tolerance: 1.0e-4}
    - {particles: 25, iterations: 30, data_compression: off}
    - {}
"""

    def setUp(self):
        super().setUp()
        self.write("run.yaml", MIX_RUN.replace(
            "sampler: {particles: 40, iterations: 150, history_every: 10}\n",
            "sampler:\n  particles: 40\n  iterations: 60\n  history_every: 10\n" + self.STAGES))

    def test_a_coarse_stage_and_a_fine_one_find_the_posterior(self):
        # Exponential data with a gamma(2, 1) prior: the posterior is gamma(2 + n, 1 + sum).
        self.write("run.yaml", "schema: sojourn/run/1\nmodel: exponential.yaml\ndata: {file: times.csv}\n"
                               "priors: {rate: {gamma: {shape: 2, rate: 1}}}\nsampler:\n  particles: 200\n  iterations: 300\n"
                               "  stages: [{particles: 50, iterations: 200, tolerance: 1.0e-5}, {}]\n")
        out = self.good_json("infer", "run.yaml", "--output", "r")
        shape, rate = 2 + 5, 1 + 4.6
        sd = shape ** 0.5 / rate
        self.expect_gamma(out["parameters"]["rate"], shape, rate)
        self.assertEqual([(stage["particles"], stage["iterations"], stage["tolerance"]) for stage in out["stages"]],
                         [(50, 200, 1e-5), (200, 300, 1e-9)])
        self.assertEqual((out["sampler"]["particles"], out["sampler"]["iterations"]), (200, 300))
        # A cheap law first and the exact one later end where the exact one alone ends.
        self.write("run.yaml", (self.folder / "run.yaml").read_text().replace("[{particles: 50, iterations: 200, tolerance: 1.0e-5}, {}]", "[{}]"))
        alone = self.good_json("infer", "run.yaml", "--output", "alone")["parameters"]["rate"]
        self.assertAlmostEqual(out["parameters"]["rate"]["mean"], alone["mean"], delta=0.02 * sd)
        self.assertAlmostEqual(out["parameters"]["rate"]["sd"], alone["sd"], delta=0.02 * sd)

    def test_any_thread_and_rank_count_gives_the_same_bits(self):
        for threads in ("1", "2"):
            self.good("infer", "run.yaml", "--output", "t" + threads, "--threads", threads)
        self.assertEqual(self.bits("t1"), self.bits("t2"))
        if MPIEXEC and built_with_mpi():
            environment = {**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1"}
            subprocess.run([MPIEXEC, "-n", "2", PROGRAM, "infer", "run.yaml", "--output", "ranks", "--threads", "1"],
                           cwd=self.folder, env=environment, capture_output=True, timeout=300, check=True)
            self.assertEqual(self.bits("ranks"), self.bits("t1"))

    def test_stopped_and_killed_in_any_stage(self):
        self.stop_anywhere_and_resume(4, seed=6)

    def test_resumed_from_every_checkpoint_around_a_change_of_stage(self):
        # The second stage begins after iteration 40; the run is stopped there by what its checkpoints say.
        self.write("run.yaml", (self.folder / "run.yaml").read_text().replace("every_iterations: 1", "every_seconds: 1.0e9"))
        self.good("infer", "run.yaml", "--output", "whole")
        self.assertEqual(self.checkpoints("whole"), ["step-0000000070.sojourn", "step-0000000130.sojourn"])
        # The end of the second stage is what is left of it: the third is made anew.
        (self.folder / "whole/checkpoint/step-0000000130.sojourn").unlink()
        before = self.bits("whole")
        result = self.ended(0, "infer", "run.yaml", "--output", "whole", "--resume")
        self.assertIn("going on after iteration 30 of 30 of stage 2 of 3", result.stderr)
        self.assertEqual(self.bits("whole"), before)
        self.assertEqual(self.summary("whole")["resumes"], {"count": 1, "at_iterations": [70]})
        # More iterations are those of the last stage.
        self.good("infer", "run.yaml", "--output", "whole", "--resume", "--iterations", "75")
        self.good("infer", "run.yaml", "--output", "longer", "--iterations", "75")
        self.assertEqual(self.bits("whole"), self.bits("longer"))
        self.write("run.yaml", (self.folder / "run.yaml").read_text().replace("iterations: 40", "iterations: 41"))
        self.bad(3, "stage 1 iterations: 40 there, 41 here", "infer", "run.yaml", "--output", "whole", "--resume")

    def test_plan_and_check_know_stages(self):
        plan = self.good_json("infer", "run.yaml", "--plan")
        self.assertEqual([(stage["particles"], stage["iterations"]) for stage in plan["stages"]], [(12, 40), (25, 30), (40, 60)])
        self.assertAlmostEqual(plan["predicted_seconds"], sum(stage["predicted_seconds"] for stage in plan["stages"]))
        text = self.good("infer", "run.yaml", "--plan")
        self.assertRegex(text, r"stage 1 of 3: 12 particles, 40 iterations, about")
        self.assertIn("60 iterations in the last of 3 stages", self.good("check", "run.yaml"))


class BadCheckpoints(CheckpointCase):
    """Rows 52 to 57 of the table of bad inputs."""

    def setUp(self):
        super().setUp()
        self.good("infer", "run.yaml", "--output", "r")
        self.arguments = ["infer", "run.yaml", "--output", "r", "--resume", "--iterations", "160"]

    def bad(self, code, pattern, *arguments, **options):
        """And all is as it was."""
        def contents():
            return {name: (self.folder / name).read_bytes() for name in self.files() if (self.folder / name).is_file()}

        before = contents()
        super().bad(code, pattern, *arguments, **options)
        self.assertEqual(contents(), before)

    def path(self, iteration):
        return self.folder / f"r/checkpoint/step-{iteration:010}.sojourn"

    def whole(self):
        self.good("infer", "run.yaml", "--output", "whole", "--iterations", "160")
        return self.bits("whole")

    def test_52_damaged(self):
        content = self.path(150).read_bytes()
        self.path(150).write_bytes(content[:1000])
        result = self.ended(0, *self.arguments)
        self.assertRegex(result.stderr, r"warning: .*step-0000000150\.sojourn: the checkpoint is damaged.*an earlier one is used")
        self.assertIn("going on after iteration 149 of 160", result.stderr)
        self.assertEqual(self.bits("r"), self.whole())
        self.assertEqual(self.checkpoints("r"), ["step-0000000159.sojourn", "step-0000000160.sojourn"])

    def test_52_all_damaged(self):
        for iteration in (149, 150):
            content = bytearray(self.path(iteration).read_bytes())
            content[len(content) // 2] ^= 4
            self.path(iteration).write_bytes(content)
        self.bad(5, r"step-0000000150\.sojourn: the checkpoint is damaged: its checksum does not fit; .*0149.*start anew",
                 *self.arguments)

    def test_53_another_run(self):
        self.bad(3, r"another run's: seed: 3 there, 9 here; .*--overwrite", *self.arguments, "--seed", "9")
        self.bad(3, "particles: 40 there, 50 here", *self.arguments, "--particles", "50")
        self.bad(3, "data_compression: auto there, off here", *self.arguments, "--data-compression", "off")
        for old, new, words in (
                ("history_every: 10", "history_every: 10, learning_rate: 0.1", "learning_rate: 0.05[0-9]* there, 0.1[0-9]* here"),
                ("history_every: 10", "history_every: 10, optimizer: gradient", "optimizer: adam there, gradient here"),
                ("a: {gamma: {shape: 2", "a: {gamma: {shape: 3", r"prior of a: gamma\(shape=2.* there, gamma\(shape=3"),
                ("b: {gamma: {shape: 2, rate: 1}}}", "b: {exponential: {rate: 1}}}", "prior of b"),
                ("seed: 3", "seed: 3\nrewards: first", "rewards: time there, first here"),
                ("times.csv", "other.csv", "data: [0-9a-f]* there, [0-9a-f]* here"),
                ("mix.yaml", "other.yaml", "model: [0-9a-f]* there, [0-9a-f]* here")):
            self.write("other.csv", "time\n0.5\n1.25\n0.75\n2\n0.2\n")
            self.write("other.yaml", (self.folder / "mix.yaml").read_text().replace("[2.0, 1.0]", "[3.0, 1.0]"))
            self.write("run.yaml", MIX_RUN.replace(old, new))
            self.bad(3, words, *self.arguments)

    def test_54_newer_format_and_other_byte_order(self):
        for content, words in ((NEWER, "checkpoint format 2 is newer than 1"), (OTHER_ORDER, "other byte order")):
            self.path(150).write_bytes(bytes.fromhex(content))
            self.bad(3, words, *self.arguments)

    def test_55_resumed_when_finished(self):
        names = ("summary.json", "particles.csv", "checkpoint/step-0000000150.sojourn")
        before = [(self.folder / "r" / name).read_bytes() for name in names]
        result = self.ended(0, "infer", "run.yaml", "--output", "r", "--resume")
        self.assertIn("r has done all 150 iterations: nothing is left to do; give more --iterations", result.stderr)
        self.assertEqual(self.good_json("infer", "run.yaml", "--output", "r", "--resume"), self.summary("r"))
        self.assertEqual([(self.folder / "r" / name).read_bytes() for name in names], before)
        self.bad(2, "has done 150 iterations, more than the 120 asked for", "infer", "run.yaml", "--output", "r", "--resume",
                 "--iterations", "120")
        # Results that are missing are made from the last checkpoint.
        whole = self.bits("r")
        (self.folder / "r/summary.json").unlink()
        self.good("infer", "run.yaml", "--output", "r", "--resume")
        self.assertEqual(self.bits("r"), whole)
        self.good(*self.arguments)
        self.assertEqual(self.bits("r"), self.whole())

    def test_56_symbolic_link(self):
        (self.folder / "r/checkpoint").rename(self.folder / "elsewhere")
        (self.folder / "r/checkpoint").symlink_to(self.folder / "elsewhere")
        self.bad(5, "r/checkpoint: cannot .*symbolic link", *self.arguments)
        self.bad(5, "r/checkpoint: cannot .*symbolic link", "infer", "run.yaml", "--output", "r", "--overwrite")
        result = self.ended(0, "infer", "run.yaml", "--output", "r", "--overwrite", "--keep-going")
        self.assertEqual(result.stderr.count("warning: "), 1, result.stderr)
        self.assertIn("the run goes on without checkpoints", result.stderr)
        self.assertEqual(len(list((self.folder / "elsewhere").glob("*"))), 2)
        self.assertFalse((self.folder / "r/checkpoint").exists())

    def test_56_full_disk(self):
        # A limit on the size of files stands for a full disk: checkpoints with their history are the largest ones here.
        self.write("run.yaml", MIX_RUN.replace("particles: 40", "particles: 500").replace("history_every: 10", "history_every: 1")
                   .replace("every_iterations: 1", "every_iterations: 10"))
        self.good("infer", "run.yaml", "--output", "whole", "--iterations", "60")
        self.good("infer", "run.yaml", "--output", "r", "--overwrite", "--iterations", "20")
        limit = 500 * 2 * 8 * 40

        def limited(*arguments):
            def prepare():
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

            return subprocess.run([PROGRAM, "infer", "run.yaml", "--output", "r", "--iterations", "60", *arguments],
                                  cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                                  text=True, timeout=120, preexec_fn=prepare, check=False)

        result = limited("--resume")
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertRegex(result.stderr, r"step-\d+\.sojourn: cannot write: File too large; .*step-\d+\.sojourn is intact; .*--resume")
        self.assertEqual([name for name in self.files() if "tmp" in name], [])
        done = self.iteration("r")
        self.assertLess(done, 60)
        goes_on = limited("--resume", "--keep-going", "--max-seconds", "1000")
        self.assertEqual(goes_on.stderr.count("the run goes on without checkpoints"), 1, goes_on.stderr)
        self.good("infer", "run.yaml", "--output", "r", "--iterations", "60", "--resume")
        self.assertEqual(self.bits("r"), self.bits("whole"))

    def test_57_the_folder_holds_a_run(self):
        self.bad(2, r"output folder r exists and holds a run that can go on \(step-0000000150\.sojourn\); give --resume .*"
                    r"--overwrite", "infer", "run.yaml", "--output", "r")
        self.good("infer", "run.yaml", "--output", "r", "--overwrite", "--iterations", "3", "--seed", "8")
        self.assertEqual(self.checkpoints("r"), ["step-0000000002.sojourn", "step-0000000003.sojourn"])
        # What others put there is never replaced, and the run is not lost by it.
        self.write("r/thesis.tex", "years of work")
        self.bad(2, "thesis.tex", "infer", "run.yaml", "--output", "r", "--resume", "--iterations", "9", "--seed", "8")


    def test_62_times_of_files_and_the_name_of_the_machine_decide_nothing(self):
        # The older file is the newer one by the clock, as after a clock that was set back, and both come from elsewhen.
        os.utime(self.path(149), (4e9, 4e9))
        os.utime(self.path(150), (0, 0))
        # A machine of another name, where the test may give it one.
        renamed = ["unshare", "--user", "--map-root-user", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
        if not shutil.which("unshare") or subprocess.run([*renamed, "true"], capture_output=True, check=False).returncode:
            print("the machine's name cannot be changed here: the times of files alone are tested")
            renamed = []
        else:
            self.assertEqual(subprocess.run([*renamed, "hostname"], capture_output=True, text=True, check=True).stdout, "elsewhere\n")
        result = subprocess.run([*renamed, PROGRAM, *self.arguments], cwd=self.folder, env=self.environment(), check=False,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("going on after iteration 150 of 160", result.stderr)
        self.assertEqual(self.bits("r"), self.whole())

    def test_62_leftovers_of_a_process_that_had_the_same_id(self):
        """A shell learns its id, leaves what a killed process of that id would have left, and becomes the program."""
        def as_the_same_process(leave, *arguments):
            script = leave + '; exec "$@"'
            result = subprocess.run(["sh", "-c", script, "sh", PROGRAM, *arguments], cwd=self.folder, env=self.environment(),
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result

        # Halves of checkpoints, of one that this process will write among them, and of results.
        as_the_same_process("for k in 151 160; do echo half > r/checkpoint/.step-0000000$k.sojourn.tmp-$$; done; "
                            "mkdir .r.tmp-$$ && echo half > .r.tmp-$$/summary.json; echo half > .r.summary.json.tmp-$$",
                            *self.arguments)
        self.assertEqual(self.bits("r"), self.whole())
        self.assertEqual([name for name in os.listdir(self.folder / "r/checkpoint") if ".tmp" in name], [])
        # A single file; the half stays, as another machine may write it now.
        simulate = ["simulate", "run.yaml", "--theta", "2,1", "--rows", "3", "--output"]
        self.good(*simulate, "first.csv")
        as_the_same_process("echo half > again.csv.part-$$", *simulate, "again.csv")
        self.assertEqual((self.folder / "again.csv").read_bytes(), (self.folder / "first.csv").read_bytes())
        self.assertEqual([path.read_text() for path in self.folder.glob("again.csv.part-*")], ["half\n"])


if __name__ == "__main__":
    unittest.main()
