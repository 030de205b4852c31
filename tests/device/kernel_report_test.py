"""scripts/kernel-report on a made-up report of the compiler: what is worse than the table fails, and says why."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "kernel-report"

REPORT = """ptxas info    : Compiling entry function '_Z12first_kernelv' for 'sm_80'
ptxas info    : Function properties for _Z12first_kernelv
    {stack} bytes stack frame, {stores} bytes spill stores, {loads} bytes spill loads
ptxas info    : Used {registers} registers, used 1 barriers, {shared} bytes smem, 400 bytes cmem[0]
"""
SECOND = """ptxas info    : Compiling entry function '_Z13second_kernelv' for '{architecture}'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 32 registers, 400 bytes cmem[0]
"""
GOOD = {"stack": 16, "stores": 0, "loads": 0, "registers": 64, "shared": 1024}


class KernelReport(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.table = self.folder / "kernels.md"
        self.report(GOOD)
        self.assertEqual(self.run_script("--write")[0], 0)

    def report(self, numbers, second="sm_80"):
        text = REPORT.format(**numbers) + (SECOND.format(architecture=second) if second else "")
        (self.folder / "one.ptxas").write_text(text)

    def run_script(self, option):
        done = subprocess.run([sys.executable, "-B", SCRIPT, self.folder, option, "--document", self.table],
                              capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def test_the_table_itself_passes(self):
        self.assertIn("| first_kernel | sm_80 | 64 | 16 | 0 | 0 | 1024 |", self.table.read_text())
        self.assertEqual(self.run_script("--check"), (0, "2 kernels as in docs/kernels.md\n"))

    def test_less_passes(self):
        self.report(GOOD | {"registers": 60, "stack": 0, "shared": 0})
        self.assertEqual(self.run_script("--check")[0], 0)

    def test_a_spill_fails_even_where_the_table_has_it(self):
        spilled = GOOD | {"stores": 8, "loads": 12}
        self.report(spilled)
        self.run_script("--write")
        status, text = self.run_script("--check")
        self.assertEqual(status, 1)
        self.assertEqual(text, "first_kernel for sm_80 spills: 8 bytes stored, 12 loaded\n")

    def test_more_of_anything_fails(self):
        for name in ("registers", "stack", "shared"):
            with self.subTest(name):
                self.report(GOOD | {name: GOOD[name] + 1})
                status, text = self.run_script("--check")
                self.assertEqual(status, 1)
                self.assertIn("first_kernel for sm_80 takes", text)
                self.assertIn("docs/kernels.md has 64, 16 and 1024", text)

    def test_a_kernel_that_is_not_in_the_table_fails(self):
        self.report(GOOD, second=None)
        self.run_script("--write")
        self.report(GOOD)
        status, text = self.run_script("--check")
        self.assertEqual(status, 1)
        self.assertIn("second_kernel for sm_80 is not in docs/kernels.md", text)

    def test_a_row_without_its_kernel_fails(self):
        self.report(GOOD, second=None)
        status, text = self.run_script("--check")
        self.assertEqual(status, 1)
        self.assertIn("second_kernel for sm_80 is in docs/kernels.md and not in this build", text)

    def test_a_build_for_fewer_architectures_passes(self):
        self.report(GOOD, second="sm_90")
        self.run_script("--write")
        self.report(GOOD, second=None)
        self.assertEqual(self.run_script("--check")[0], 0)


if __name__ == "__main__":
    unittest.main()
