"""The tables of docs/scaling.md, made from runs whose times are known, and what is run for them."""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import scaling  # noqa: E402


def case(kind, ranks, particles, iteration, startup):
    return scaling.Case(kind, ranks, particles, iteration, startup, [0.1] * len(iteration), 1000 * ranks)


ARGUMENTS = argparse.Namespace(command="scripts/scaling", iterations=10, repetitions=3, ranks=[1, 2])


class Page(unittest.TestCase):
    def page(self, *cases):
        with mock.patch.object(scaling, "model_section", return_value=""):
            return scaling.page(list(cases), ARGUMENTS, 2, "a machine")

    def rows(self, *cases):
        lines = [line for line in self.page(*cases).splitlines() if line.startswith("| ")]
        header = [cell.strip() for cell in lines[0].split("|")[1:-1]]
        return [dict(zip(header, (cell.strip() for cell in line.split("|")[1:-1]))) for line in lines
                if not line.startswith("| processes")]

    def test_start_up_has_a_column_of_its_own(self):
        # A start ten times as long changes that column and no other.
        quick = self.rows(case("strong", 1, 64, [0.04] * 3, [0.5] * 3), case("weak", 1, 64, [0.04] * 3, [0.5] * 3))
        slow = self.rows(case("strong", 1, 64, [0.04] * 3, [5.0] * 3), case("weak", 1, 64, [0.04] * 3, [0.5] * 3))
        self.assertEqual(quick[0]["start-up, s"], "0.5")
        self.assertEqual(slow[0]["start-up, s"], "5")
        self.assertEqual({**quick[0], "start-up, s": ""}, {**slow[0], "start-up, s": ""})

    def test_one_process_stands_beside_the_others(self):
        weak = [case("weak", 1, 64, [0.04] * 3, [0.1] * 3)]
        rows = self.rows(case("strong", 1, 64, [0.040, 0.044, 0.036], [0.1] * 3),
                         case("strong", 2, 64, [0.025, 0.022, 0.020], [0.1] * 3), *weak)
        self.assertEqual(rows[0]["processes"], "1")
        self.assertEqual(rows[0]["efficiency"], "1 (1 to 1)")
        # Each repetition against the one process of the same repetition: 0.8, 1 and 0.9, not 0.04 / 2 / 0.022.
        self.assertEqual(rows[1]["efficiency"], "0.9 (0.8 to 1)")
        self.assertEqual(rows[1][""], "good")

    def test_as_many_particles_a_process_are_twice_the_work(self):
        strong = [case("strong", 1, 64, [0.04] * 3, [0.1] * 3)]
        rows = self.rows(*strong, case("weak", 1, 64, [0.04] * 3, [0.1] * 3), case("weak", 2, 128, [0.08] * 3, [0.1] * 3),
                         case("weak", 4, 256, [0.05] * 3, [0.1] * 3))
        self.assertEqual(rows[2]["efficiency"], "0.5 (0.5 to 0.5)")
        self.assertIn("poor", rows[2][""])
        self.assertEqual(rows[3][""], "shared cores")


class Runs(unittest.TestCase):
    def test_the_one_process_has_no_launcher_and_starts_are_not_counted(self):
        commands = []

        def run(command, cwd, **_):
            commands.append(command)
            out = pathlib.Path(cwd) / "out"
            out.mkdir(exist_ok=True)
            seconds = {"model": 1, "elimination": 2, "start": 4, "scores": 0.5, "kernel": 0.25, "total": 8}
            summary = {"timings_seconds": seconds, "communication": {"share": 0.2, "bytes": 1000}}
            (out / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
            (out / "particles.csv").write_bytes(b"particles")
            return subprocess.CompletedProcess(command, 0, "", "")

        with tempfile.TemporaryDirectory() as name, mock.patch.object(subprocess, "run", run):
            one, two = scaling.Case("strong", 1, 64), scaling.Case("strong", 2, 64)
            for each in (one, two):
                scaling.run("sojourn", pathlib.Path(name), each, 10)
        self.assertEqual(commands[0][:2], ["sojourn", "infer"])
        self.assertEqual(commands[1][:5], ["mpirun", "-n", "2", "sojourn", "infer"])
        self.assertEqual(one.iteration, [0.075])
        self.assertEqual(one.startup, [7])


if __name__ == "__main__":
    unittest.main()
