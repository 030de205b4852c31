"""A test case that runs the built program in a folder of its own. Standard library only."""

import json
import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

PROGRAM = os.environ.get("SOJOURN_PROGRAM", "sojourn")

EXPONENTIAL = """\
schema: sojourn/model/1
name: exponential
parameters: [rate]
states: 2
initial: [[0, 1]]
edges: [[0, 1, 0, [1]]]
"""

# The law of a sum of an exponential of rate a and one of rate 2 a + b, entered with probability 0.9; two rewards.
MIX = """\
schema: sojourn/model/1
name: mix
parameters: [a, b]
states: 3
initial: [[0, 0.9], [1, 0.1]]
edges:
  - [0, 1, 0.0, [1.0, 0.0]]
  - [1, 2, 0.0, [2.0, 1.0]]
rewards: {whole: [1, 1, 0], first: [1, 0, 0]}
"""

GEOMETRIC = """\
schema: sojourn/model/1
name: geometric
time: discrete
parameters: [{name: p, lower: 0, upper: 1}]
states: 2
initial: [[0, 1]]
edges: [[0, 1, 0, [1]]]
"""

RUN = """\
schema: sojourn/run/1
model: exponential.yaml
data: {file: times.csv}
priors: {rate: {gamma: {shape: 2, rate: 1}}}
sampler: {method: svgd, particles: 100, iterations: 200}
seed: 1
"""

TIMES = "time\n0.5\n1.25\n0.75\n2\n0.1\n"


def take_interrupts():
    """For preexec_fn: a test run in the background ignores Ctrl-C, and its children would inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class ProgramCase(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="sojourn-test-")
        self.folder = Path(self._folder.name)
        self.addCleanup(self._folder.cleanup)
        self.write("exponential.yaml", EXPONENTIAL)
        self.write("mix.yaml", MIX)
        self.write("geometric.yaml", GEOMETRIC)
        self.write("run.yaml", RUN)
        self.write("times.csv", TIMES)

    def write(self, name, content):
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return name

    def environment(self, **extra):
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("SOJOURN_", "SLURM_", "OMP_"))}
        environment.update(SOJOURN_NUM_THREADS="2", SOJOURN_DISABLE_CACHE="1")
        environment.update(extra)
        return {k: v for k, v in environment.items() if v is not None}

    def run_program(self, *arguments, stdin=None, timeout=120, env=None):
        """Runs the program in the case's folder; stdin is text or None for /dev/null."""
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.environment(**(env or {})),
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=timeout,
        )

    def good(self, *arguments, **options):
        """Standard output of a call that must succeed."""
        result = self.run_program(*arguments, **options)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def good_json(self, *arguments, **options):
        text = self.good(*arguments, "--json", **options)

        def refuse(constant):
            self.fail(f"JSON holds {constant}")

        def members(pairs):
            self.assertEqual(len(dict(pairs)), len(pairs), "JSON names a member twice")
            return dict(pairs)

        return json.loads(text, parse_constant=refuse, object_pairs_hook=members)

    def files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))

    def bad(self, code, pattern, *arguments, **options):
        """A call that must fail with this status and message, print no data and leave no file behind."""
        before = self.files()
        result = self.run_program(*arguments, **options)
        report = f"{arguments}: status {result.returncode}\n{result.stdout}\n{result.stderr}"
        self.assertEqual(result.returncode, code, report)
        errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, report)
        self.assertRegex(result.stderr, pattern, report)
        self.assertNotIn("terminate called", result.stderr)
        self.assertNotIn("internal failure", result.stderr)
        self.assertEqual(result.stdout, "", report)
        self.assertEqual(self.files(), before, report)
        return result
