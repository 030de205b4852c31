"""scripts/device-check with programs made up in place of the tests, the benchmarks and NVIDIA's tools."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

TOOLS = {
    "nvidia-smi": 'case $1 in --list-gpus) echo "GPU 0" ;; *) echo "Made-up GPU" ;; esac',
    # Two tests need a device; they are skipped where none is visible.
    "bin/test_device": """echo "test_device $*" >>"$CALLS"
if [ "${CUDA_VISIBLE_DEVICES-all}" = "" ]; then
  printf '[  SKIPPED ] %s\\n' 'CudaSteps.MatchTheHost (0 ms)' '2 tests, listed below:' CudaSteps.MatchTheHost CudaMoments.MatchTheHosts
  echo '[  PASSED  ] 3 tests.'
else
  echo "[  PASSED  ] ${PASSED:-5} tests."; exit "${TEST_STATUS:-0}"
fi""",
    "bin/test_on_device": """echo "test_on_device $*" >>"$CALLS"
echo "${SOJOURN_SOURCE_DIR-}" >"$(dirname "$CALLS")/source"
echo "[  PASSED  ] 70 tests."; exit "${SUITES_STATUS:-0}\"""",
    "bin/device_bench": """echo "device_bench $*" >>"$CALLS"
echo '{"device": "Made-up", "lanes": 100, "repetitions": 1, "rows": [], "likelihood_rows": [], "iteration_rows": [],
"shared_dot_multiply_adds_per_second": 1, "register_multiply_adds_per_second": 1, "cache_bytes_per_second": 1,
"memory_bytes_per_second": 1}'""",
    "bin/sojourn": """echo "sojourn $*" >>"$CALLS"
while [ $# -gt 0 ]; do case $1 in --output) out=$2 ;; --device) device=$2 ;; --save) echo '{}' >"$2" ;; esac; shift; done
if [ -n "${out:-}" ]; then
  mkdir -p "$out"; mean=1; if [ "$device" = cuda ]; then mean=${CUDA_MEAN:-1}; fi
  echo "{\\"device\\": \\"$device\\", \\"parameters\\": {\\"a\\": {\\"mean\\": $mean, \\"sd\\": 1, \\"quantiles\\": {\\"2.5\\": 0, \\"97.5\\": 2}}}}" >"$out/summary.json"
fi""",
    "compute-sanitizer": """echo "compute-sanitizer $*" >>"$CALLS"
case "$*" in *"${SANITIZER_FINDS:-nothing at all}"*) exit 9 ;; esac""",
    "ncu": 'echo "ncu $*" >>"$CALLS"; echo "kernel report"',
}


class DeviceCheck(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        (self.folder / "bin").mkdir()
        for name, text in TOOLS.items():
            path = self.folder / name
            path.write_text(f"#!/bin/bash\n{text}\n")
            path.chmod(0o755)

    def run_script(self, *parts, **variables):
        calls = self.folder / "calls"
        calls.write_text("")
        environment = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}", "SOJOURN_DEVICE_BIN": str(self.folder / "bin"),
                                    "CALLS": str(calls)} | variables
        done = subprocess.run([ROOT / "scripts" / "device-check", "--results", self.folder / "results", *parts],
                              capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout + done.stderr, calls.read_text()

    def record(self):
        (path,) = (self.folder / "results" / "Made-up-GPU").glob("*.json")
        return json.loads(path.read_text())["parts"]

    def test_the_sanitizer_covers_every_test_that_needs_a_device(self):
        status, text, calls = self.run_script("sanitizer")
        self.assertEqual(status, 0, text)
        for tool in ("memcheck", "racecheck", "synccheck"):
            for name in ("CudaSteps.MatchTheHost", "CudaMoments.MatchTheHosts"):
                self.assertRegex(calls, f"compute-sanitizer --tool {tool} .*--gtest_filter={name} ")
        self.assertEqual(calls.count("compute-sanitizer"), 6)
        self.assertIn("6 runs clean of 2 tests", self.record()["sanitizer"])
        self.assertEqual(self.record()["tests"], "not measured")

    def test_what_the_sanitizer_finds_fails(self):
        status, text, _ = self.run_script("sanitizer", SANITIZER_FINDS="racecheck")
        self.assertEqual(status, 1, text)
        self.assertIn("errors: racecheck CudaMoments.MatchTheHosts, racecheck CudaSteps.MatchTheHost", self.record()["sanitizer"])

    def test_each_kind_of_kernel_is_profiled_by_itself(self):
        status, text, calls = self.run_script("profile")
        self.assertEqual(status, 0, text)
        profiled = [line for line in calls.splitlines() if line.startswith("ncu")]
        for kernel, kind in (("moment_(level_)?kernel", "moments"), ("transform_(level_)?kernel", "likelihoods"),
                             ("step_kernel", "likelihoods"), ("svgd_direction_kernel", "iterations")):
            self.assertTrue(any(f"regex:{kernel}" in line and f"--only {kind}" in line and "--launch-skip" not in line
                                and "--profile" in line for line in profiled), (kernel, profiled))
        self.assertIn("moments transforms steps directions in ", self.record()["profile"])

    def test_demonstrations_run_on_both_and_are_compared(self):
        status, text, calls = self.run_script("demonstrations")
        # Made-up runs say "cuda" where a program names the device.
        self.assertEqual(status, 0, text)
        for run in ("coalescent/run", "veteran/veteran"):
            for device in ("cpu", "cuda"):
                self.assertRegex(calls, f"sojourn infer examples/{run}.yaml .* --device {device}\n")
        self.assertTrue(self.record()["demonstrations"].startswith("agree"))
        status, text, _ = self.run_script("demonstrations", CUDA_MEAN="1.5")
        self.assertEqual(status, 1, text)
        self.assertTrue(self.record()["demonstrations"].startswith("DIFFER"))

    def test_what_parts_leave_may_lie_elsewhere(self):
        kept = self.folder / "kept"
        self.assertEqual(self.run_script("tests", SOJOURN_DEVICE_PARTS=str(kept))[0], 0)
        self.assertEqual([path.suffix for path in (self.folder / "results" / "Made-up-GPU").iterdir()].count(".parts"), 0)
        self.assertEqual((kept / "tests.txt").read_text().strip(), "passed 5 tests")
        # The results' folder may be another one the next time.
        for path in (self.folder / "results" / "Made-up-GPU").iterdir():
            path.unlink()
        self.assertEqual(self.run_script("moments", SOJOURN_DEVICE_PARTS=str(kept))[0], 0)
        self.assertEqual(self.record()["tests"], "passed 5 tests")

    def test_tests_find_their_references_where_the_script_lies(self):
        self.run_script("suites")
        self.assertEqual((self.folder / "source").read_text().strip(), str(ROOT))

    def test_parts_add_up_and_failures_show(self):
        self.assertEqual(self.run_script("tests", "suite", "ranks", "moments", "program", "jax")[0], 0)
        status, text, _ = self.run_script("tests", PASSED="4", TEST_STATUS="1")
        self.assertEqual(status, 1)
        self.assertIn("failed: tests", text)
        parts = self.record()
        self.assertEqual(parts["tests"], "status 1, passed 4 tests")
        self.assertIn("not run", parts["suite"])
        self.assertIn("not run: 1 GPU", parts["ranks"])
        self.assertEqual(parts["program"], "measured")

    def test_suites_run_on_the_device(self):
        status, text, calls = self.run_script("suites")
        self.assertEqual(status, 0, text)
        self.assertIn("test_on_device", calls)
        self.assertEqual(self.record()["suites"], "passed 70 tests")
        status, text, _ = self.run_script("suites", SUITES_STATUS="1")
        self.assertEqual(status, 1)
        self.assertEqual(self.record()["suites"], "status 1, passed 70 tests")

    def test_unknown_parts_are_refused(self):
        status, text, _ = self.run_script("benchmark")
        self.assertEqual(status, 2)
        self.assertIn("no part 'benchmark'; there are: tests suites suite", text)


if __name__ == "__main__":
    unittest.main()
