"""How a run shares out its work: strategies, devices, the coordinator, and what it says of them at its start."""

import json
import subprocess
import unittest

from program_case import PROGRAM, RUN, ProgramCase
from ranks_test import LAUNCHER, MPIEXEC, built_with_mpi

# A batch script's shell of a job of two nodes and four tasks.
ALLOCATION = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_JOB_NUM_NODES": "2",
              "SLURM_JOB_NODELIST": "n[1-2]"}
SHORT = ("--iterations", "3")


class Strategy(ProgramCase):
    def infer(self, output, *arguments, **env):
        """Standard error and summary.json of a run that must succeed."""
        result = self.run_program("infer", "run.yaml", "--output", output, *SHORT, *arguments, env=env)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr, self.summary(output)

    def summary(self, output):
        return json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))

    def particles(self, output):
        return (self.folder / output / "particles.csv").read_bytes()

    def warnings(self, text):
        return [line for line in text.splitlines() if line.startswith("warning: ")]

    def test_each_strategy_is_what_was_asked_and_gives_the_same_particles(self):
        expected = {"sequential": ("sequential", 1), "batch": ("batch", 2), "auto": ("batch", 2)}
        for asked, (strategy, threads) in expected.items():
            said, summary = self.infer(asked, "--strategy", asked)
            self.assertEqual(summary["distributed"], {
                "strategy": strategy, "platform": "cpu", "devices": threads, "devices_of_all_ranks": threads,
                "processes": 1, "nodes": 1, "launcher": "none", "job_id": "", "coordinator": "localhost:12345"})
            self.assertEqual(summary["threads"], threads)
            self.assertEqual(self.warnings(said), [])
            self.assertEqual(self.particles(asked), self.particles("sequential"))
            self.assertIn(f"--strategy {asked}", summary["command"])
        # One core has nothing to share out over.
        self.assertEqual(self.infer("one", "--threads", "1")[1]["distributed"]["strategy"], "sequential")

    def test_devices_alone_fall_back_with_one_warning(self):
        said, summary = self.infer("r", "--strategy", "devices")
        self.assertEqual(len(self.warnings(said)), 1, said)
        self.assertIn("there is one device and one rank; batch is used instead", said)
        self.assertEqual(summary["distributed"]["strategy"], "batch")
        self.assertEqual(len(summary["warnings"]), 1)

    def test_run_file_says_it_and_the_command_line_says_otherwise(self):
        self.write("run.yaml", RUN + "strategy: sequential\n")
        self.assertEqual(self.infer("file")[1]["distributed"]["strategy"], "sequential")
        self.assertEqual(self.infer("flag", "--strategy", "batch")[1]["distributed"]["strategy"], "batch")
        self.write("run.yaml", RUN + "n_devices: 1\n")
        self.assertEqual(self.infer("one")[1]["threads"], 1)
        self.assertEqual(self.infer("two", "--n-devices", "2")[1]["threads"], 2)
        self.write("run.yaml", RUN + "strategy: device\n")
        self.bad(3, r"run.yaml:\d+:\d+.*did you mean 'devices'", "infer", "run.yaml", "--output", "r")

    def test_what_cannot_be_is_refused(self):
        self.bad(2, "did you mean 'batch'", "infer", "run.yaml", "--output", "r", "--strategy", "bathc")
        self.bad(2, "n_devices: 3 must be from 1 to the 2 cores of this process", "infer", "run.yaml", "--output", "r", "--n-devices", "3")
        self.bad(2, "--n-devices", "infer", "run.yaml", "--output", "r", "--n-devices", "-1")
        self.bad(2, "--threads 2 and strategy sequential", "infer", "run.yaml", "--output", "r", "--strategy", "sequential", "--threads", "2")

    def test_a_port_or_host_that_is_none(self):
        for port in ("abc", "0", "99999", "12345 "):
            self.bad(2, "SOJOURN_COORDINATOR_PORT=.*whole number from 1 to 65535", "infer", "run.yaml", "--output", "r",
                     env={"SOJOURN_COORDINATOR_PORT": port})
        self.bad(2, "is not a host", "infer", "run.yaml", "--output", "r", env={"SOJOURN_COORDINATOR_ADDRESS": "a;b"})
        self.assertEqual(self.infer("r", SOJOURN_COORDINATOR_PORT="12346")[1]["distributed"]["coordinator"], "localhost:12346")

    def test_an_allocation_of_four_tasks_without_srun_warns_once(self):
        said, summary = self.infer("r", **ALLOCATION)
        self.assertEqual(len(self.warnings(said)), 1, said)
        self.assertRegex(said, "SLURM granted 4 tasks, but this is a single process.*srun")
        self.assertEqual(len(summary["warnings"]), 1)
        where = summary["distributed"]
        self.assertEqual((where["job_id"], where["processes"], where["launcher"], where["nodes"]), ("7", 1, "none", 1))

    def test_a_coordinator_that_is_localhost_on_two_nodes(self):
        job = {**ALLOCATION, "SLURM_NTASKS": "1", "SOJOURN_COORDINATOR_ADDRESS": "localhost"}
        said, summary = self.infer("r", **job)
        self.assertEqual(len(self.warnings(said)), 1, said)
        self.assertIn("coordinator localhost:12345: with more than one node every rank would look for it on its own", said)
        self.assertEqual(len(summary["warnings"]), 1)
        # The name of the first node is none.
        said, summary = self.infer("named", **{**job, "SOJOURN_COORDINATOR_ADDRESS": "n1"})
        self.assertEqual(self.warnings(said), [])
        self.assertEqual(summary["distributed"]["coordinator"], "n1:12345")

    def test_a_run_says_at_its_start_what_it_is(self):
        said, _ = self.infer("r", "--seed", "9")
        lines = [line for line in said.splitlines() if line.startswith("strategy ")]
        self.assertEqual(lines, ["strategy batch: 1 rank of 2 threads, device cpu, seed 9"])
        # Before the first milestone, and the last one is the end.
        self.assertLess(said.index("strategy batch"), said.index("iteration 3/3"))
        self.assertRegex(said, "100 %  iteration 3/3")
        self.assertIn(", SLURM job 7\n", self.infer("job", **ALLOCATION)[0])
        self.assertNotIn("strategy", self.infer("quiet", "--quiet")[0])


@unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
class OnRanks(ProgramCase):
    def launch(self, command):
        environment = {**self.environment(SOJOURN_NUM_THREADS="1"), **LAUNCHER}
        result = subprocess.run([MPIEXEC, "-n", "2", "/bin/sh", "-c", command], cwd=self.folder, env=environment,
                                capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.printed = result.stdout
        return result.stderr

    def distributed(self, output):
        return json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))["distributed"]

    def test_ranks_are_devices(self):
        run = f"exec {PROGRAM} infer run.yaml {' '.join(SHORT)}"
        said = self.launch(f"{run} --output auto")
        found = self.distributed("auto")
        self.assertEqual((found["strategy"], found["processes"], found["nodes"], found["devices_of_all_ranks"]), ("devices", 2, 1, 2))
        self.assertIn(found["launcher"], ("Open MPI", "PMI"))
        self.assertEqual(said.count(f"strategy devices: 2 ranks by {found['launcher']} on 1 node of 1 thread, device cpu, seed 1"), 1, said)
        self.assertNotIn("warning", said)
        # Asked for, the others say how each rank does its share.
        self.launch(f"{run} --output one-by-one --strategy sequential")
        self.assertEqual(self.distributed("one-by-one")["strategy"], "sequential")
        self.good("infer", "run.yaml", "--output", "alone", *SHORT)
        for output in ("auto", "one-by-one"):
            self.assertEqual((self.folder / output / "particles.csv").read_bytes(), (self.folder / "alone/particles.csv").read_bytes())

    def test_plan_says_what_each_rank_holds(self):
        self.launch(f"exec {PROGRAM} infer run.yaml --plan --json")
        plan = json.loads(self.printed)
        first, second = plan["memory"]["predicted_bytes_of_ranks"]
        self.assertEqual(first, plan["predicted_bytes"])
        # The other writes neither checkpoints nor results.
        self.assertTrue(plan["memory"]["process_bytes"] < second < 1.5 * first, (first, second))
        self.launch(f"exec {PROGRAM} infer run.yaml --plan")
        self.assertRegex(self.printed, "on all ranks .*; the first .*, the others up to ")
        self.assertNotIn("predicted_bytes_of_ranks", self.good("infer", "run.yaml", "--plan", "--json"))

    def test_warnings_are_said_by_one_rank(self):
        job = "SLURM_JOB_ID=7 SLURM_JOB_NUM_NODES=2 SLURM_JOB_NODELIST=n[1-2] SLURM_NTASKS=2"
        said = self.launch(f"{job} SOJOURN_COORDINATOR_ADDRESS=127.0.0.1 exec {PROGRAM} infer run.yaml --output r {' '.join(SHORT)}")
        self.assertEqual(said.count("with more than one node every rank would look for it on its own"), 1, said)
        # Nobody asks scontrol, and nobody warns that it did not answer.
        said = self.launch(f"{job} exec {PROGRAM} infer run.yaml --output s {' '.join(SHORT)}")
        self.assertNotIn("warning", said)
        self.assertEqual(self.distributed("s")["coordinator"], "n1:12345")


if __name__ == "__main__":
    unittest.main()
