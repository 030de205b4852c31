"""Closed and full standard streams: quiet, not zero, and no half file (row 59 of the list of bad inputs)."""

import os
import signal
import subprocess
import time
import unittest

from program_case import PROGRAM, ProgramCase, take_interrupts


class Streams(ProgramCase):
    def shell(self, command):
        """Runs a bash line in which $SOJOURN is the program."""
        return subprocess.run(["bash", "-c", command], cwd=self.folder, env=self.environment(SOJOURN=PROGRAM),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=120)

    def test_waiting_threads_sleep_unless_told(self):
        """OMP_WAIT_POLICY is set for the program itself, never against what the user has set."""
        for given, seen in (({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active"), ({"GOMP_SPINCOUNT": "9"}, None)):
            # The program waits for its model on a pipe whose other end stays open.
            process = subprocess.Popen([PROGRAM, "inspect", "-"], cwd=self.folder, env=self.environment(**given),
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.5)  # time enough to start, and to replace itself where it should not
            found, deadline = "not read", time.monotonic() + 20
            while found != seen and time.monotonic() < deadline:
                with open(f"/proc/{process.pid}/environ", "rb") as file:
                    variables = dict(item.split(b"=", 1) for item in file.read().split(b"\0") if b"=" in item)
                value = variables.get(b"OMP_WAIT_POLICY")
                found = value.decode() if value else None
                time.sleep(0.02)
            process.stdin.close()
            process.wait(timeout=60)
            self.assertEqual(found, seen)

    def test_reader_that_leaves(self):
        result = self.shell('"$SOJOURN" sample mix.yaml --theta 1,1 -n 1000000 | head -n 1; echo "${PIPESTATUS[0]}"')
        first, status = result.stdout.split()
        self.assertGreater(float(first), 0)
        self.assertNotEqual(status, "0")
        self.assertEqual(result.stderr, "")

    def test_closed_stdout(self):
        for command in ("--help", "info", "evaluate mix.yaml --theta 1,1 --moments 1", "simulate run.yaml --theta 1 -n 3"):
            result = self.shell(f'"$SOJOURN" {command} >&-')
            self.assertNotEqual(result.returncode, 0, command)
            self.assertEqual(result.stderr, "", command)

    def test_closed_stdin(self):
        result = self.shell('"$SOJOURN" inspect - <&-')
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(self.shell('"$SOJOURN" evaluate mix.yaml --theta 1,1 --moments 1 <&-').returncode, 0)

    def test_closed_stderr(self):
        self.assertEqual(self.shell('"$SOJOURN" inspect nowhere.yaml 2>&-').returncode, 5)
        self.assertEqual(self.shell('"$SOJOURN" infer run.yaml --iterations 20 --output r 2>&-').returncode, 0)

    def test_all_closed_writes_no_output_into_files(self):
        # Were 1 and 2 free, the result's files would get these numbers and the table would end up inside one of them.
        result = self.shell('"$SOJOURN" infer run.yaml --iterations 20 --output r <&- >&- 2>&-')
        self.assertNotEqual(result.returncode, 0)
        self.assertEqual(self.shell('"$SOJOURN" infer run.yaml --iterations 20 --output s --quiet').returncode, 0)
        self.assertEqual((self.folder / "r/particles.csv").read_bytes(), (self.folder / "s/particles.csv").read_bytes())

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_full_disk(self):
        result = self.shell('"$SOJOURN" evaluate mix.yaml --theta 1,1 --moments 1 > /dev/full')
        self.assertEqual(result.returncode, 5)
        self.assertRegex(result.stderr, "standard output: cannot write: No space left")

    def test_out_of_memory_is_one_line(self):
        # 7.2 GB of draws in 4 GB of address space.
        result = self.shell('ulimit -v 4000000; "$SOJOURN" sample mix.yaml --theta 1,1 -n 900000000')
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"\Aerror: out of memory[^\n]*\n\Z")
        self.assertEqual(result.stdout, "")

    def test_interrupt_ends_a_long_call_with_130(self):
        process = subprocess.Popen([PROGRAM, "sample", "mix.yaml", "--theta", "1,1", "-n", "50000000"], cwd=self.folder,
                                   env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True, preexec_fn=take_interrupts)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual((process.returncode, errors), (130, ""))

    def test_only_data_on_stdout(self):
        self.write("unused.yaml", "schema: sojourn/model/1\nname: u\nparameters: [a, b]\nstates: 2\ninitial: [[0, 1]]\n"
                                  "edges: [[0, 1, 0, [1, 0]]]\n")
        result = self.run_program("sample", "unused.yaml", "--theta", "1,1", "-n", "2")
        self.assertRegex(result.stderr, "^warning: ")
        self.assertEqual(len([float(x) for x in result.stdout.split()]), 2)


if __name__ == "__main__":
    unittest.main()
