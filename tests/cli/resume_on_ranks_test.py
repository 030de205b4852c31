"""Ranks that are stopped, killed, suspended or told to end, and runs that go on on other numbers of ranks."""

import os
import shutil
import signal
import subprocess
import time
import unittest

from checkpoint_case import MIX_RUN, CheckpointCase
from program_case import PROGRAM
from ranks_test import LAUNCHER, MPIEXEC, RANK, built_with_mpi


@unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
class ResumeOnRanks(CheckpointCase):
    def setUp(self):
        super().setUp()
        self.write("run.yaml", MIX_RUN.replace("every_iterations: 1", "every_iterations: 40"))

    def launch(self, num_ranks, *arguments, code, **variables):
        environment = {**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1", **variables}
        result = subprocess.run([MPIEXEC, "-n", str(num_ranks), "sh", "-c", f'echo $$ > pid.{RANK}; exec "$@"', "sh",
                                 PROGRAM, "infer", "run.yaml", "--output", "r", "--threads", "1", *arguments],
                                cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def test_stopped_on_two_ranks_and_resumed_on_three_and_one(self):
        self.launch(2, "--iterations", "100000000", "--max-seconds", "0.5", code=75)
        done = self.iteration("r")
        errors = self.launch(3, "--iterations", str(done + 10), "--resume", code=0)
        self.assertEqual(errors.count(f"going on after iteration {done}"), 1, errors)
        self.good("infer", "run.yaml", "--output", "r", "--iterations", str(done + 20), "--resume")
        self.good("infer", "run.yaml", "--output", "whole", "--iterations", str(done + 20))
        self.assertEqual(self.bits("r"), self.bits("whole"))
        self.assertEqual(self.summary("r")["resumes"], {"count": 2, "at_iterations": [done, done + 10]})
        self.assertIn("nothing is left to do", self.launch(2, "--iterations", str(done + 20), "--resume", code=0))
        errors = self.launch(2, "--iterations", str(done + 90), "--resume", "--seed", "5", code=3)
        self.assertEqual(errors.count("error: "), 1, errors)

    def start_on_ranks(self, num_ranks, *arguments, **variables):
        """A run without an end, that has a checkpoint by now; its launcher and the ranks' process ids."""
        shutil.rmtree(self.folder / "r", ignore_errors=True)
        for path in self.folder.glob("pid.*"):
            path.unlink()
        launcher = subprocess.Popen([MPIEXEC, "-n", str(num_ranks), "sh", "-c", f'echo $$ > pid.{RANK}; exec "$@"', "sh",
                                     PROGRAM, "infer", "run.yaml", "--output", "r", "--threads", "1", "--iterations",
                                     "100000000", *arguments], cwd=self.folder, text=True, stdin=subprocess.DEVNULL,
                                    env={**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1", **variables},
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(launcher.kill)
        for _ in range(6000):
            if (self.folder / "r/checkpoint").exists() or launcher.poll() is not None:
                break
            time.sleep(0.01)
        self.assertIsNone(launcher.poll())
        return launcher, [int((self.folder / f"pid.{rank}").read_text()) for rank in range(num_ranks)]

    def expect_nothing_lost(self, num_ranks):
        """What lies in r goes on to the bits of a run that nothing happened to; the ranks that are gone left nothing."""
        self.assertEqual([name for name in os.listdir(self.folder) if ".tmp" in name], [])
        self.assertTrue(1 <= len(self.checkpoints("r")) <= 3)
        done = self.iteration("r")
        errors = self.launch(num_ranks, "--iterations", str(done + 10), "--resume", code=0)
        self.assertIn(f"going on after iteration {done}", errors)
        shutil.rmtree(self.folder / "whole", ignore_errors=True)
        self.good("infer", "run.yaml", "--output", "whole", "--iterations", str(done + 10))
        self.assertEqual(self.bits("r"), self.bits("whole"))

    def test_a_rank_that_stops_ends_all_with_one_message_and_nothing_is_lost(self):
        deadline = 2.0
        for num_ranks, stopped in ((2, 1), (4, 2), (4, 0)):
            launcher, pids = self.start_on_ranks(num_ranks, SOJOURN_COMM_TIMEOUT=str(deadline))
            begin = time.monotonic()
            os.kill(pids[stopped], signal.SIGSTOP)
            _, errors = launcher.communicate(timeout=120)
            # The deadline, the turn of the lowest rank that is there, and what the launcher takes on a busy machine.
            self.assertTrue(deadline <= time.monotonic() - begin + 0.1 < deadline + 30)
            self.assertEqual(launcher.returncode, 6, errors)
            said = [line for line in errors.splitlines() if line.startswith("error: ")]
            self.assertEqual(len(said), 1, errors)
            self.assertRegex(said[0], rf"^error: rank {0 if stopped else 1}: call \d+, \w+ of .*, has lasted 2 s; a rank has")
            self.expect_nothing_lost(3)

    def test_a_job_that_is_suspended_goes_on(self):
        # As a scheduler does it: all ranks stop for longer than a call may last, and go on.
        # A busy machine keeps a rank from its work for a second now and then, but not for four.
        launcher, pids = self.start_on_ranks(2, SOJOURN_COMM_TIMEOUT="4")
        for by, pause in ((signal.SIGSTOP, 8), (signal.SIGCONT, 1), (signal.SIGUSR1, 0)):
            for pid in pids:
                os.kill(pid, by)
            time.sleep(pause)
        _, errors = launcher.communicate(timeout=120)
        self.assertEqual(launcher.returncode, 75, errors)
        self.assertNotIn("error: ", errors)
        self.expect_nothing_lost(1)

    def test_a_rank_that_is_killed_ends_all_and_nothing_is_lost(self):
        for num_ranks, killed, resumed_on in ((2, 1, 3), (3, 0, 2)):
            launcher, pids = self.start_on_ranks(num_ranks)
            begin = time.monotonic()
            os.kill(pids[killed], signal.SIGKILL)
            _, errors = launcher.communicate(timeout=120)
            self.assertNotEqual(launcher.returncode, 0, errors)
            self.assertLess(time.monotonic() - begin, 60)
            self.assertNotIn("error: ", errors)
            self.expect_nothing_lost(resumed_on)

    def test_a_signal_to_any_rank_stops_all(self):
        def signal_one():
            for _ in range(2000):
                time.sleep(0.01)
                if (self.folder / "r/checkpoint").exists():
                    break
            os.kill(int((self.folder / "pid.1").read_text()), signal.SIGUSR1)

        import threading

        sender = threading.Thread(target=signal_one)
        sender.start()
        errors = self.launch(3, "--iterations", "100000000", code=75)
        sender.join()
        self.assertIn("by a signal to another rank", errors)
        self.assertEqual(errors.count("to go on"), 1, errors)
        self.assertEqual(self.iteration("r"), self.summary("r")["sampler"]["iterations"])

    def test_signals_that_come_late_leave_no_rank_waiting(self):
        # Rank 1 is signalled without a pause from the first checkpoint to its end: while the others vote to stop, while
        # the first one writes and rank 1 waits for it, and while MPI ends. A launcher ends all where one leaves early,
        # so both shells have to live to see their program's status, and hide it from the launcher.
        script = (f'{PROGRAM} infer run.yaml --output r --threads 1 --iterations 100000000 & program=$!; '
                  f'if [ "{RANK}" = 1 ]; then while [ ! -e r/checkpoint ]; do sleep 0.01; done; '
                  f'while kill -USR1 $program 2> kill.txt; do :; done; fi; '
                  f'wait $program; echo $? > "status.{RANK}"')
        # Enough particles for rank 0 to take a while over its report.
        self.write("run.yaml", (self.folder / "run.yaml").read_text().replace("particles: 40", "particles: 400")
                   .replace(", history_every: 10", ""))
        for _ in range(2):
            for name in ("r", "status.0", "status.1"):
                shutil.rmtree(self.folder / name, ignore_errors=True)
                (self.folder / name).unlink(missing_ok=True)
            result = subprocess.run([MPIEXEC, "-n", "2", "sh", "-c", script], cwd=self.folder, timeout=300, text=True,
                                    env={**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1"}, capture_output=True)
            for rank in (0, 1):
                status = self.folder / f"status.{rank}"
                self.assertEqual(status.read_text().strip() if status.exists() else "ended", "75", result.stderr)
            self.assertEqual(result.stderr.count("to go on"), 1, result.stderr)
            self.assertEqual(self.iteration("r"), self.summary("r")["sampler"]["iterations"])

    def test_a_checkpoint_that_cannot_be_written_ends_all_ranks(self):
        self.write("run.yaml", MIX_RUN)
        self.good("infer", "run.yaml", "--output", "r", "--iterations", "5")
        # In the place of a file that the run will want to write; rmdir it and the run goes on.
        (self.folder / "r/checkpoint/step-0000000007.sojourn").mkdir()
        errors = self.launch(3, "--resume", code=5)
        self.assertEqual(errors.count("error: "), 1, errors)
        self.assertRegex(errors, r"step-0000000007\.sojourn: cannot write: File exists; .*step-0000000006\.sojourn is intact")
        (self.folder / "r/checkpoint/step-0000000007.sojourn").rmdir()
        self.good("infer", "run.yaml", "--output", "r", "--resume")


if __name__ == "__main__":
    unittest.main()
