"""`sojourn doctor`: what it prints, how it ends, under ranks too, and that it speaks of what is wrong here."""

import json
import os
import socket
import subprocess
import unittest

from program_case import PROGRAM, ProgramCase
from ranks_test import LAUNCHER, MPIEXEC, RANK, built_with_mpi

CHECKS = ["program", "cores", "threads", "memory", "instruction_sets", "gpu", "cuda", "nccl", "mpi", "cuda_aware_mpi",
          "launcher", "slurm", "slurm_commands", "time_limit", "coordinator", "network", "cache", "output", "variables"]


class Doctor(ProgramCase):
    def checks(self, *arguments, code=0, **env):
        """By name, from the JSON of a call with this status."""
        result = self.run_program("doctor", "--json", *arguments, env=env)
        self.assertEqual(result.returncode, code, result.stdout + result.stderr)
        return {check["name"]: check for check in json.loads(result.stdout)["checks"]}

    def test_one_line_for_each_check(self):
        with socket.socket() as listener:
            listener.bind(("", 0))
            free = listener.getsockname()[1]
        lines = self.good("doctor", env={"SOJOURN_COORDINATOR_PORT": str(free)}).splitlines()
        self.assertEqual([line.split()[1] for line in lines], CHECKS)
        for line in lines:
            self.assertRegex(line, r"^(ok|absent|warn|fail) ")
            self.assertTrue(line.isprintable(), line)
        self.assertIn("Running under SLURM: False", "\n".join(lines))

    def test_json_has_every_field(self):
        answer = self.good_json("doctor")
        self.assertEqual([check["name"] for check in answer["checks"]], CHECKS)
        self.assertEqual(set(answer["checks"][0]), {"name", "verdict", "found", "advice"})
        self.assertIn(answer["verdict"], ("ok", "warn"))
        self.assertEqual(answer["other_ranks"], [])

    def test_what_cannot_work_fails_with_status_6(self):
        for name, value, check in (("OMP_NUM_THREADS", "0", "threads"), ("SLURM_NTASKS", "abc", "launcher"),
                                   ("SOJOURN_COORDINATOR_PORT", "99999", "coordinator"),
                                   ("SOJOURN_CUDA_AWARE_MPI", "yes", "cuda_aware_mpi"),
                                   ("SOJOURN_DEVICE", "cuda:17", "gpu"), ("SOJOURN_MAX_MEMORY", "much", "memory")):
            if check == "gpu" and self.good_json("info")["devices"]:
                continue
            found = self.checks(code=6, **{name: value})[check]
            self.assertEqual(found["verdict"], "fail", found)
            self.assertNotEqual(found["advice"], "")

    def test_a_node_list_that_is_none(self):
        job = {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "node[1-"}
        self.assertIn("position 5", self.checks(code=6, **job)["slurm"]["found"])

    def test_a_port_in_use(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = str(listener.getsockname()[1])
            found = self.checks(code=6, SOJOURN_COORDINATOR_PORT=port)["coordinator"]
        self.assertEqual(found["verdict"], "fail")
        self.assertIn(f"localhost:{port}: the port cannot be taken", found["found"])

    def test_folders(self):
        cache = self.folder / "cache"
        found = self.checks(SOJOURN_DISABLE_CACHE=None, SOJOURN_CACHE_DIR=str(cache))["cache"]
        self.assertEqual(found["verdict"], "warn", found)
        cache.mkdir()
        found = self.checks(SOJOURN_DISABLE_CACHE=None, SOJOURN_CACHE_DIR=str(cache))["cache"]
        self.assertEqual(found["verdict"], "ok", found)
        cache.chmod(0o777)
        found = self.checks(SOJOURN_DISABLE_CACHE=None, SOJOURN_CACHE_DIR=str(cache))["cache"]
        self.assertIn("everyone may write", found["found"])

    def test_variables_with_a_slip(self):
        found = self.checks(SOJOURN_NUM_THREAD="2")["variables"]
        self.assertEqual(found["verdict"], "warn")
        self.assertIn("did you mean 'SOJOURN_NUM_THREADS'", found["found"])

    def test_a_scontrol_that_fails_is_a_warning(self):
        tools = self.folder / "tools"
        tools.mkdir()
        job = {"SLURM_JOB_ID": "1", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2",
               "PATH": f"{tools}:{os.environ['PATH']}"}
        for script in ("exit 1", "printf 'n1\\nn2\\nn3\\n'"):
            for name in ("scontrol", "srun", "squeue"):
                (tools / name).write_text(f"#!/bin/sh\n{script}\n")
                (tools / name).chmod(0o755)
            found = self.checks(**job)["coordinator"]
            self.assertEqual(found["verdict"], "warn")
            self.assertIn("the first host of 'n[1-2]' is taken to be n1", found["found"])
        (tools / "scontrol").write_text("#!/bin/sh\nprintf 'n1\\nn2\\n'\n")
        (tools / "squeue").write_text("#!/bin/sh\necho 3:00\n")
        checks = self.checks(**job)
        self.assertIn("n1:12345", checks["coordinator"]["found"])
        self.assertEqual(checks["time_limit"]["verdict"], "warn")
        self.assertIn("3 min 00 s left", checks["time_limit"]["found"])

    def test_what_slurm_says_of_job_and_step(self):
        job = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_STEP_NODELIST": "n1",
               "SLURM_STEP_GPUS": "0,1", "SLURM_GPUS": "a100:4", "SLURM_CPUS_PER_TASK": "2"}
        self.assertEqual(self.checks(**job)["slurm"]["found"],
                         "Running under SLURM: True, job 7, 2 nodes, 4 tasks, 2 cpus a task, job on n[1-2], step on n1, GPUs "
                         "of the job a100:4, of the step on this node 0,1, not started by srun")

    @unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
    def test_job_and_step_are_said_by_the_first_rank_alone(self):
        script = f'SLURM_JOB_ID=7 SLURM_STEP_NODELIST=n1 SLURM_STEP_GPUS="{RANK}" exec {PROGRAM} doctor'
        result = subprocess.run([MPIEXEC, "-n", "3", "sh", "-c", script], cwd=self.folder, timeout=120, text=True,
                                env={**self.environment(SOJOURN_NUM_THREADS="1"), **LAUNCHER}, capture_output=True, check=False)
        self.assertEqual(result.stdout.count("step on n1"), 1, result.stdout + result.stderr)
        self.assertIn("step on n1, of the step on this node 0", result.stdout)

    def test_results(self):
        self.good("infer", "run.yaml", "--output", "results")
        self.assertIn("convergence", self.checks("results"))
        self.write("summary.json", json.dumps({"diagnostics": [{"name": "stein_moment", "verdict": "FAIL"}]}))
        self.assertEqual(self.checks(".", code=4)["convergence"]["found"], "failed: stein_moment")
        self.assertEqual(self.checks("nowhere", code=4)["convergence"]["verdict"], "fail")

    @unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
    def test_ranks_look_and_one_speaks(self):
        environment = {**self.environment(SOJOURN_NUM_THREADS="1"), **LAUNCHER}
        script = f'[ "{RANK}" != 2 ] || export SOJOURN_LOG=error; exec {PROGRAM} doctor --json'
        result = subprocess.run([MPIEXEC, "-n", "3", "sh", "-c", script], cwd=self.folder, env=environment,
                                capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        answer = json.loads(result.stdout)
        launcher = next(check for check in answer["checks"] if check["name"] == "launcher")
        self.assertRegex(launcher["found"], r"^3 ranks \((OMPI_COMM_WORLD|PMI)_RANK\)$")
        self.assertEqual([other["rank"] for other in answer["other_ranks"]], [2])
        self.assertIn("differs from rank 0", answer["other_ranks"][0]["checks"][0]["advice"])

    @unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
    def test_a_rank_that_does_not_reach_the_coordinator(self):
        with socket.socket() as one, socket.socket() as other:
            for one_socket in (one, other):
                one_socket.bind(("", 0))
            ports = one.getsockname()[1], other.getsockname()[1]
        environment = {**self.environment(SOJOURN_NUM_THREADS="1"), **LAUNCHER}

        def ranks(wrong):
            script = (f'P={ports[0]}; [ "{RANK}" = 0 ] || P={ports[1] if wrong else ports[0]}; '
                      f'SOJOURN_COORDINATOR_PORT=$P exec {PROGRAM} doctor --json')
            return subprocess.run([MPIEXEC, "-n", "2", "sh", "-c", script], cwd=self.folder, env=environment,
                                  capture_output=True, text=True, timeout=120, check=False)

        result = ranks(wrong=False)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(json.loads(result.stdout)["other_ranks"], [])
        result = ranks(wrong=True)
        self.assertEqual(result.returncode, 6, result.stdout + result.stderr)
        checks = {check["name"]: check for check in json.loads(result.stdout)["other_ranks"][0]["checks"]}
        self.assertIn(f"localhost:{ports[1]}: no answer within 5 s (Connection refused)", checks["coordinator"]["found"])
        self.assertIn("interface", checks["coordinator"]["found"])

    @unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
    def test_a_launcher_that_mpi_knows_nothing_of(self):
        checks = self.checks(code=6, SLURM_PROCID="0", SLURM_STEP_NUM_TASKS="4")
        self.assertIn("launcher/MPI mismatch", checks["launcher"]["found"])

    def test_threads_of_ranks_on_one_node(self):
        """A rank takes its share of the cores, unless it is told otherwise."""
        num_ranks = len(os.sched_getaffinity(0)) * 2
        ranks = {"OMPI_COMM_WORLD_LOCAL_RANK": "0", "OMPI_COMM_WORLD_LOCAL_SIZE": str(num_ranks),
                 "SOJOURN_NUM_THREADS": None}
        self.assertEqual(self.checks(**ranks)["threads"]["found"], "1 thread a rank")
        self.assertEqual(json.loads(self.good("info", "--json", env=ranks))["num_threads"], 1)
        told = self.checks(**{**ranks, "SOJOURN_NUM_THREADS": "8"})["threads"]
        self.assertEqual(told["verdict"], "warn")
        self.assertIn(f"{num_ranks} ranks of 8 threads", told["found"])


if __name__ == "__main__":
    unittest.main()
