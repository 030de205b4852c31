"""Scripts of `sojourn slurm` on real SLURM daemons: two nodes, two ranks, the particles of one process.

Exit status 77 (skipped) with the reason where the daemons cannot be installed or started."""

import json
import socket
import sys
import unittest
from pathlib import Path

from cluster import Cluster, NoCluster

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
from program_case import PROGRAM, RUN, ProgramCase  # noqa: E402
from ranks_test import built_with_mpi, srun_mpi  # noqa: E402

CLUSTER = None

TWO_NODES = """\
name: two
nodes: 2
cpus_per_node: 2
time_limit: "00:05:00"
partition: main
env_vars: {SOJOURN_DISABLE_CACHE: "1"}
"""

# Stands for a run: waits for the signal, ends with 75, and is done the second time. The first rank is the slower one.
STOPS_ONCE = """\
if [ "${SLURM_RESTART_COUNT:-0}" -gt 0 ]; then echo "rank $SLURM_PROCID resumes"; exit 0; fi
trap 'echo "rank $SLURM_PROCID is told to stop"; [ "$SLURM_PROCID" = 1 ] || sleep 2; exit 75' USR1
touch "ready-$SLURM_PROCID"
for _ in $(seq 1200); do sleep 0.1; done
"""


class Daemons(ProgramCase):
    def setUp(self):
        super().setUp()
        self.write("two.yaml", TWO_NODES)

    def script(self, *arguments):
        self.good("slurm", "--config", "two.yaml", "--output", "job.sh", *arguments)

    def log(self, name):
        return (self.folder / name).read_text(encoding="utf-8")

    def test_a_run_on_two_nodes_has_the_particles_of_one_process(self):
        self.script("--script", "run.yaml")
        job = CLUSTER.submit("job.sh", cwd=self.folder)
        state = CLUSTER.wait_for_end(job)
        log = self.log(f"two-{job}.out")
        self.assertEqual(state, "COMPLETED", log)
        self.assertIn(f"job {job} on n[1-2], restart 0, coordinator n1:12345", log)
        self.assertIn(f"Running under SLURM: True, job {job}, 2 nodes, 1 task", log)
        self.good("infer", "run.yaml", "--output", "alone")
        self.assertEqual(self.log(f"two-{job}/particles.csv"), self.log("alone/particles.csv"))
        summary = json.loads(self.log(f"two-{job}/summary.json"))
        self.assertEqual((summary["ranks"], summary["threads"]), (2, 2))
        # One rank speaks.
        self.assertEqual(log.count("model exponential"), 1, log)

    def test_a_run_that_is_told_to_stop_resumes_to_the_same_bits(self):
        self.write("two.yaml", TWO_NODES.replace("cpus_per_node: 2", "cpus_per_node: 1"))
        self.write("long.yaml", RUN.replace("iterations: 200", "iterations: 4000"))
        self.script("--script", "long.yaml")
        job = CLUSTER.submit("job.sh", cwd=self.folder)
        log = self.folder / f"two-{job}.out"
        # The start is done.
        CLUSTER.wait_until(lambda: log.exists() and "%  iteration" in log.read_text(), 180, "first iteration of the run")
        CLUSTER.run("scancel", "--signal=USR1", job)
        state = CLUSTER.wait_for_end(job, seconds=180)
        text = log.read_text()
        self.assertEqual(state, "COMPLETED", text)
        self.assertIn(f"job {job} goes back into the queue", text)
        self.assertIn(f"job {job} on n[1-2], restart 1", text)
        summary = json.loads(self.log(f"two-{job}/summary.json"))
        self.assertEqual(summary["resumes"]["count"], 1)
        self.good("infer", "long.yaml", "--output", "alone")
        self.assertEqual(self.log(f"two-{job}/particles.csv"), self.log("alone/particles.csv"))

    def test_a_job_that_is_told_to_stop_goes_back_and_resumes(self):
        self.write("stops.sh", STOPS_ONCE)
        self.script("--script", "stops.sh")
        job = CLUSTER.submit("job.sh", cwd=self.folder)
        ready = [self.folder / "ready-0", self.folder / "ready-1"]
        CLUSTER.wait_until(lambda: all(path.exists() for path in ready), 180, "start of both ranks")
        # What --signal does before the time limit: to the ranks, and not to the batch script.
        CLUSTER.run("scancel", "--signal=USR1", job)
        CLUSTER.wait_until(lambda: CLUSTER.state(job) in ("PENDING", "COMPLETED"), 30, "way back into the queue")
        state = CLUSTER.wait_for_end(job)
        log = self.log(f"two-{job}.out")
        self.assertEqual(state, "COMPLETED", log)
        for rank in (0, 1):
            self.assertIn(f"rank {rank} is told to stop", log)
            self.assertIn(f"rank {rank} resumes", log)
        self.assertIn(f"job {job} goes back into the queue", log)
        self.assertIn(f"job {job} on n[1-2], restart 1", log)

    def test_precompute_as_a_job_array(self):
        self.write("demes.yaml", "schema: sojourn/model/1\nname: demes\n"
                                 "family: {structured_coalescent: {samples: [3, 3], state: blocks}}\n")
        (self.folder / "cache").mkdir()
        cache = f'SOJOURN_CACHE_DIR: "{self.folder}/cache", SOJOURN_MIN_SCC_SIZE_TO_CACHE: "2"'
        self.write("two.yaml", TWO_NODES.replace('SOJOURN_DISABLE_CACHE: "1"', cache))
        self.script("--precompute", "demes.yaml")
        job = CLUSTER.submit("job.sh", cwd=self.folder)
        for task in ("1", "2"):
            self.assertEqual(CLUSTER.wait_for_end(f"{job}_{task}"), "COMPLETED")
        logs = [self.log(f"two-{job}_{task}.out") for task in ("1", "2")]
        for task, log in enumerate(logs, start=1):
            self.assertIn(f"part {task} of 2 (SLURM_ARRAY_TASK_ID and SLURM_PROCID)", log)
        again = self.good("precompute", "demes.yaml", "--json", "--part", "1/1",
                          env={"SOJOURN_DISABLE_CACHE": None, "SOJOURN_CACHE_DIR": str(self.folder / "cache"),
                               "SOJOURN_MIN_SCC_SIZE_TO_CACHE": "2"})
        self.assertEqual(json.loads(again)["new"], 0)
        self.assertGreater(json.loads(again)["present"], 0)

    def test_doctor_on_one_node_and_on_two(self):
        host = socket.gethostname()
        try:
            resolves = not host.startswith("localhost") and bool(socket.gethostbyname(host))
        except OSError:
            resolves = False
        for nodes in (1, 2) if resolves else (1,):
            address = [] if nodes == 1 else [f"--export=ALL,SOJOURN_COORDINATOR_ADDRESS={host}"]
            result = CLUSTER.run("srun", *address, f"--nodes={nodes}", f"--ntasks={nodes}", f"--mpi={CLUSTER.mpi}", PROGRAM, "doctor",
                                 "--json", cwd=self.folder)
            checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
            self.assertRegex(checks["launcher"]["found"], rf"^{nodes} ranks? \((SLURM_PROCID|PMI_RANK)\)$")
            self.assertIn(CLUSTER.mpi, checks["slurm_commands"]["found"])
            # On two nodes the second rank connects, to a name that it can resolve.
            self.assertEqual(checks["coordinator"]["verdict"], "ok", checks["coordinator"])
            self.assertIn("n1:12345" if nodes == 1 else f"{host}:12345", checks["coordinator"]["found"])
            self.assertEqual([other for other in json.loads(result.stdout)["other_ranks"]], [])


if __name__ == "__main__":
    if not built_with_mpi():
        print("skipped: the program is built without MPI")
        sys.exit(77)
    try:
        CLUSTER = Cluster(srun_mpi())
    except NoCluster as reason:
        print(f"skipped: no SLURM daemons on this machine: {reason}")
        sys.exit(77)
    try:
        result = unittest.main(exit=False, verbosity=2).result
    finally:
        CLUSTER.end()
    sys.exit(0 if result.wasSuccessful() else 1)
