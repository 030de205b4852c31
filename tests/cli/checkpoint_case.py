"""A run that leaves a checkpoint after every iteration, and ways to stop it."""

import json
import random
import signal
import subprocess
import time

from program_case import PROGRAM, ProgramCase, take_interrupts

# Two free parameters, so that every iteration takes its time; every iteration leaves a checkpoint.
MIX_RUN = """\
schema: sojourn/run/1
model: mix.yaml
data: {file: times.csv}
priors: {a: {gamma: {shape: 2, rate: 1}}, b: {gamma: {shape: 2, rate: 1}}}
sampler: {particles: 40, iterations: 150, history_every: 10}
checkpoint: {every_iterations: 1}
seed: 3
"""


class Instants:
    """Random instants of runs of about one length: longer than thought where the last one still ran, shorter where it had
    ended, so that runs are hit in the middle however fast the machine is now."""

    def __init__(self, seed, seconds):
        self.chance = random.Random(seed)
        self.seconds = seconds

    def wait(self, process):
        time.sleep(self.chance.uniform(0, self.seconds))
        self.seconds *= 1.05 if process.poll() is None else 0.8


class CheckpointCase(ProgramCase):
    def setUp(self):
        super().setUp()
        self.write("run.yaml", MIX_RUN)

    def start(self, *arguments, **environment):
        return subprocess.Popen([PROGRAM, *arguments], cwd=self.folder, env=self.environment(**environment),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=take_interrupts)

    def ended(self, code, *arguments, **options):
        result = self.run_program(*arguments, **options)
        self.assertEqual(result.returncode, code, result.stderr)
        return result

    def checkpoints(self, folder):
        return sorted(path.name for path in (self.folder / folder / "checkpoint").glob("*"))

    def iteration(self, folder):
        return int(self.checkpoints(folder)[-1][5:15])

    def summary(self, folder):
        return json.loads((self.folder / folder / "summary.json").read_text())

    def bits(self, folder):
        """Everything of a result that is the same however often it was stopped."""
        summary = self.summary(folder)
        kept = {key: summary[key] for key in ("parameters", "diagnostics", "map", "laplace_covariance", "sampler", "status")}
        return kept, *((self.folder / folder / name).read_bytes()
                       for name in ("particles.csv", "convergence.csv", "trace.csv"))

    def stop_in_the_middle(self, folder, *arguments, code=75, by=signal.SIGTERM):
        """A run of the test's, stopped once it has a checkpoint; returns its standard error."""
        process = self.start("infer", "run.yaml", "--output", folder, "--iterations", "100000000", *arguments)
        for _ in range(1000):
            time.sleep(0.02)
            if (self.folder / folder / "checkpoint").exists():
                break
        process.send_signal(by)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, errors)
        return errors

    def stop_anywhere_and_resume(self, num_stops, seed):
        """Runs that are stopped and killed at random instants and then resumed end with the bits of a whole one; at least
        `num_stops`, and until one of them went on from a checkpoint."""
        begin = time.monotonic()
        self.good("infer", "run.yaml", "--output", "whole")
        instants = Instants(seed, time.monotonic() - begin)
        whole = self.bits("whole")
        stops = went_on = 0
        while stops < num_stops or went_on == 0:
            self.assertLess(stops, 10 * num_stops, "no run went on from a checkpoint")
            folder = f"r{stops}"
            process = self.start("infer", "run.yaml", "--output", folder)
            process.stderr.readline()  # signals are handled by now
            instants.wait(process)
            process.send_signal(signal.SIGKILL if stops % 2 else signal.SIGUSR1)
            _, errors = process.communicate(timeout=60)
            self.assertIn(process.returncode, (-signal.SIGKILL, 75, 0), errors)
            if "while the run was being prepared" in errors:
                self.assertFalse((self.folder / folder).exists())
            elif stops % 2 == 0:
                self.assertEqual(self.summary(folder)["status"], "interrupted" if process.returncode == 75 else "ok")
            result = self.ended(0, "infer", "run.yaml", "--output", folder, "--resume")
            went_on += any(line.startswith("going on after") for line in result.stderr.splitlines())
            self.assertEqual(self.bits(folder), whole, result.stderr)
            stops += 1

    def expect_gamma(self, marginal, shape, rate):
        sd = shape ** 0.5 / rate
        # The bar of the sampler's own calibration.
        self.assertAlmostEqual(marginal["mean"], shape / rate, delta=0.05 * sd)
        self.assertAlmostEqual(marginal["sd"], sd, delta=0.05 * sd)
