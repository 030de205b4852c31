"""`mpirun sojourn infer`: the particles of one process on any number of ranks, written and said once."""

import json
import os
import re
import shutil
import subprocess
import time
import unittest

from program_case import PROGRAM, RUN, ProgramCase

MPIEXEC = os.environ.get("SOJOURN_MPIEXEC") or shutil.which("mpirun")
# In a shell that a launcher started: of Open MPI, else of MPICH.
RANK = "${OMPI_COMM_WORLD_RANK:-$PMI_RANK}"
# Root in a container, more ranks than cores: Open MPI 4 and 5 want to be told.
LAUNCHER = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def mpi_library():
    """What the program's MPI calls itself; nothing where it was built without."""
    info = subprocess.run([PROGRAM, "info", "--json"], capture_output=True, text=True, check=False)
    return json.loads(info.stdout).get("mpi_library", "") if info.returncode == 0 else ""


def built_with_mpi():
    return bool(mpi_library())


def srun_mpi():
    """How srun starts the program's ranks."""
    return "pmi2" if "MPICH" in mpi_library() else "pmix"


@unittest.skipUnless(MPIEXEC and built_with_mpi(), "needs MPI and its launcher")
class Ranks(ProgramCase):
    def launch(self, num_ranks, *command, **variables):
        environment = {**os.environ, **LAUNCHER, "SOJOURN_DISABLE_CACHE": "1", **variables}
        environment = {name: value for name, value in environment.items() if value is not None}
        return subprocess.run([MPIEXEC, "-n", str(num_ranks), *command], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=300, check=False)

    def particles(self, folder):
        return (self.folder / folder / "particles.csv").read_bytes()

    def test_particles_are_those_of_one_process(self):
        self.good("infer", "run.yaml", "--output", "alone", "--threads", "1")
        for num_ranks in map(int, os.environ.get("SOJOURN_RANK_COUNTS", "1 2 3 4 7").split()):
            output = f"on{num_ranks}"
            result = self.launch(num_ranks, PROGRAM, "infer", "run.yaml", "--output", output, "--threads", "1")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.particles(output), self.particles("alone"))
            # One rank speaks: one line about the model, one table.
            self.assertEqual(result.stderr.count("model exponential"), 1, result.stderr)
            self.assertEqual(result.stdout.count("rate"), self.good("infer", "run.yaml", "--output", f"again{num_ranks}",
                                                                    "--threads", "1").count("rate"))
            summary = json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))
            self.assertEqual(summary["ranks"], num_ranks)
            said = summary["communication"]
            if num_ranks == 1:
                self.assertEqual(said, {"calls": 0, "bytes": 0, "seconds": 0.0, "share": 0.0})
                self.assertEqual(summary["scaling"], {"efficiency": None, "iteration_seconds": None,
                                                      "iteration_seconds_of_one_rank": None, "mesh": [1, 1],
                                                      "class": None})
            else:
                self.assertTrue(0 < said["share"] < 1 and said["seconds"] > 0, said)
                # Every iteration gathers a log density, a score and a direction of each particle at least.
                sampler = summary["sampler"]
                self.assertGreaterEqual(said["bytes"], 24 * sampler["particles"] * sampler["iterations"])
                self.assertGreaterEqual(said["calls"], 2 * sampler["iterations"])
                scaling = summary["scaling"]
                self.assertGreater(scaling["iteration_seconds_of_one_rank"], 0)
                self.assertAlmostEqual(scaling["efficiency"], scaling["iteration_seconds_of_one_rank"] /
                                       (num_ranks * scaling["iteration_seconds"]), delta=1e-12)
                self.assertIn(scaling["class"], ("good", "fair", "poor"))
                self.assertRegex(result.stdout, rf"{num_ranks} ranks: .*, efficiency \d+ % \({scaling['class']}")

    def test_four_ranks_of_eight_threads(self):
        # As 4 nodes of 8 cores, with more particles than all of their threads.
        self.good("infer", "run.yaml", "--output", "alone", "--threads", "1", "--iterations", "20")
        result = self.launch(4, PROGRAM, "infer", "run.yaml", "--output", "many", "--threads", "8", "--iterations", "20")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.particles("many"), self.particles("alone"))
        summary = json.loads((self.folder / "many/summary.json").read_text(encoding="utf-8"))
        self.assertEqual((summary["ranks"], summary["threads"]), (4, 8))

    def test_ranks_may_share_out_observations_too(self):
        # More than one part: large, and not compressed.
        self.write("many.csv", "time\n" + "".join(f"{(i + 1) / 10000:.4f}\n" for i in range(20000)))
        run = RUN.replace("times.csv", "many.csv").replace("svgd,", "svgd, start: prior,") + "data_compression: off\n"
        self.write("mesh.yaml", run)
        short = ["--threads", "1", "--particles", "6", "--iterations", "5"]
        self.good("infer", "mesh.yaml", "--output", "whole", *short)
        for num_ranks, shares, mesh in ((2, "2", [1, 2]), (4, "auto", [2, 2])):
            output = f"mesh{num_ranks}"
            result = self.launch(num_ranks, PROGRAM, "infer", "mesh.yaml", "--output", output, *short,
                                 "--observation-shares", shares)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.particles(output), self.particles("whole"))
            # A rank has the observations of its column alone, one of two parts here.
            self.assertIn(f"ranks: {mesh[0]} x {mesh[1]} (particles x observations), "
                          "10,000 of 20,000 distinct observations on the first", result.stderr)
            rows = [["rank 0", "rank 1"]] if num_ranks == 2 else [["rank 0", "rank 1"], ["rank 2", "rank 3"]]
            picture = result.stderr[result.stderr.index("on the first\n"):].splitlines()[1:2 + len(rows)]
            self.assertEqual(picture[0].split(), ["part", "1", "part", "2"])
            self.assertEqual([re.findall(r"rank \d", line) for line in picture[1:]], rows)
            summary = json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))
            self.assertEqual(summary["scaling"]["mesh"], mesh)
        self.write("three.yaml", run + "observation_shares: 3\n")
        result = self.launch(2, PROGRAM, "infer", "three.yaml", "--output", "three", *short)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertIn("2 ranks cannot stand in 3 shares of the observations; give a divisor of 2", result.stderr)

    def test_shares_of_observations_follow_the_stages(self):
        self.write("many.csv", "time\n" + "".join(f"{(i + 1) / 10000:.4f}\n" for i in range(20000)))
        self.write("start.csv", "rate\n" + "".join(f"{0.5 + 0.25 * i}\n" for i in range(6)))
        # Interpolated and whole, in shares, in shares with another tolerance, and whole again with more particles, which
        # are drawn and evaluated before anything moves.
        self.write("stages.yaml", RUN.replace("times.csv", "many.csv").replace(
            "sampler: {method: svgd, particles: 100, iterations: 200}",
            "sampler:\n  initial: start.csv\n  iterations: 3\n  stages:\n    - {tolerance: 1.0e-6}\n    - {data_compression: off}\n"
            "    - {data_compression: off, tolerance: 1.0e-8}\n    - {particles: 40, data_compression: off, tolerance: 1.0e-8}\n"))
        self.good("infer", "stages.yaml", "--output", "whole", "--threads", "1")
        for num_ranks, shares, meshes in ((2, "2", ["1 x 2", "1 x 2", "1 x 2"]), (4, "auto", ["2 x 2", "2 x 2", "4 x 1"])):
            output = f"stages{num_ranks}"
            command = [PROGRAM, "infer", "stages.yaml", "--output", output, "--threads", "1", "--observation-shares", shares]
            result = self.launch(num_ranks, *command)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.particles(output), self.particles("whole"))
            self.assertEqual(re.findall(r"ranks: (\d x \d)", result.stderr), meshes)
            self.assertEqual(result.stderr.count("10,000 of 20,000"), sum("x 2" in mesh for mesh in meshes))
        # A start that cannot be evaluated is named by its row, once.
        self.write("start.csv", "rate\n1\n1e300\n2\n1\n1\n1\n")
        alone = self.run_program("infer", "stages.yaml", "--output", "bad", "--threads", "1", "--data-compression", "off")
        self.assertEqual(alone.returncode, 3, alone.stderr)
        self.assertIn("start.csv: row 3: the posterior cannot be evaluated there", alone.stderr)
        result = self.launch(2, PROGRAM, "infer", "stages.yaml", "--output", "bad", "--threads", "1",
                             "--observation-shares", "2", "--data-compression", "off")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertIn("start.csv: row 3: the posterior cannot be evaluated there", result.stderr)

    def test_ranks_of_one_machine_share_its_cores(self):
        cores = len(os.sched_getaffinity(0))
        for num_ranks in (2, 3):
            output = f"shared{num_ranks}"
            result = self.launch(num_ranks, PROGRAM, "infer", "run.yaml", "--output", output, SOJOURN_NUM_THREADS=None)
            self.assertEqual(result.returncode, 0, result.stderr)
            summary = json.loads((self.folder / output / "summary.json").read_text(encoding="utf-8"))
            self.assertLessEqual(summary["threads"], max(1, cores // num_ranks))
        # What is asked for is given.
        result = self.launch(2, PROGRAM, "infer", "run.yaml", "--output", "told", "--threads", "2")
        self.assertEqual(json.loads((self.folder / "told/summary.json").read_text(encoding="utf-8"))["threads"], 2)

    def test_an_error_is_said_once_and_keeps_its_status(self):
        self.write("bad.yaml", RUN.replace("gamma", "gama"))
        result = self.launch(3, PROGRAM, "infer", "bad.yaml", "--output", "bad")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertFalse((self.folder / "bad").exists())

    def test_an_error_of_one_rank_ends_all(self):
        # Rank 1 is given a run file that is not there.
        result = self.launch(3, "sh", "-c", f'if [ "{RANK}" = 1 ]; then RUN=none.yaml; else RUN=run.yaml; fi; '
                                            f'exec {PROGRAM} infer $RUN --output one')
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertIn("none.yaml", result.stderr)
        self.assertFalse((self.folder / "one").exists())

    def test_ranks_that_were_given_different_things(self):
        self.write("other.csv", "time\n0.5\n1.25\n0.75\n2\n0.2\n")
        self.write("data.yaml", RUN.replace("times.csv", "other.csv"))
        self.write("seed.yaml", RUN.replace("seed: 1", "seed: 2"))
        for other, what in (("data", "data"), ("seed", "config")):
            result = self.launch(3, "sh", "-c", f'if [ "{RANK}" = 2 ]; then RUN={other}; else RUN=run; fi; '
                                                f'exec {PROGRAM} infer $RUN.yaml --output mixed')
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertIn(f"{what} hash differs: rank 2", result.stderr)
            self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
            self.assertFalse((self.folder / "mixed").exists())

    def launch_apart(self, *arguments, inputs=("exponential.yaml", "times.csv")):
        """Three ranks, each in a folder of its own; those of `inputs` lie in rank 0's alone."""
        for rank in range(3):
            folder = self.folder / f"rank{rank}"
            folder.mkdir(exist_ok=True)
            for name in ("run.yaml", *(inputs if rank == 0 else ())):
                shutil.copy(self.folder / name, folder)
        return self.launch(3, "sh", "-c", f'cd "rank{RANK}" && exec {PROGRAM} "$@"', "sh", *arguments)

    def test_one_rank_alone_reads_model_and_data(self):
        self.good("infer", "run.yaml", "--output", "alone", "--threads", "1")
        # What the others do not have they cannot read, explore or eliminate.
        result = self.launch_apart("infer", "run.yaml", "--output", "apart", "--threads", "1")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.particles("rank0/apart"), self.particles("alone"))
        for rank in (1, 2):
            self.assertEqual([path.name for path in (self.folder / f"rank{rank}").iterdir()], ["run.yaml"])

    def test_a_copy_that_differs_is_told(self):
        self.launch_apart("infer", "run.yaml", "--output", "apart", "--iterations", "1")
        for name, what in (("times.csv", "data"), ("exponential.yaml", "model")):
            copy = self.folder / "rank2" / name
            copy.write_text((self.folder / name).read_text(encoding="utf-8") + "\n", encoding="utf-8")
            result = self.launch_apart("infer", "run.yaml", "--output", "differs")
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertIn(f"{what} hash differs: rank 2", result.stderr)
            self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
            copy.unlink()

    def test_what_the_first_rank_cannot_load_ends_all(self):
        good = (self.folder / "exponential.yaml").read_text(encoding="utf-8")
        cases = {"exponential.yaml": ((good.replace("edges", "edgse"), 3, "did you mean 'edges'"), (None, 5, "cannot read")),
                 "times.csv": (("time\n-1\n", 3, "row 2"), ("time\n", 3, "no observations"), (None, 5, "cannot read"))}
        for name, inputs in cases.items():
            kept = (self.folder / name).read_text(encoding="utf-8")
            for text, status, message in inputs:
                if text is None:
                    (self.folder / name).unlink()
                else:
                    self.write(name, text)
                result = self.launch(3, PROGRAM, "infer", "run.yaml", "--output", "bad")
                self.assertEqual(result.returncode, status, result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
                self.assertFalse((self.folder / "bad").exists())
            self.write(name, kept)
        # Refused for its size; and a row that no parameter allows, which shows only when all else is done.
        self.write("large.yaml", RUN.replace("exponential.yaml", "family.yaml"))
        self.write("family.yaml", "schema: sojourn/model/1\nfamily: {coalescent: {samples: 30, state: blocks}}\n")
        result = self.launch(3, PROGRAM, "infer", "large.yaml", "--output", "bad", "--max-states", "1000")
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertIn("--max-states", result.stderr)

    @unittest.skipUnless(os.environ.get("SOJOURN_OTHER_VERSION"), "needs a program of another version")
    def test_ranks_of_another_version(self):
        other = os.environ["SOJOURN_OTHER_VERSION"]
        result = self.launch(3, "sh", "-c", f'if [ "{RANK}" = 1 ]; then P={other}; else P={PROGRAM}; fi; '
                                            f'exec $P infer run.yaml --output mixed')
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertIn("version hash differs: rank 1", result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertFalse((self.folder / "mixed").exists())

    def test_uneven_particles_and_the_numbers_of_the_guide(self):
        # As many particles as ten for each rank, 800 iterations at a rate of 0.01; and seven particles on two ranks.
        text = RUN.replace("particles: 100, iterations: 200",
                                                               "particles: 20, iterations: 800, learning_rate: 0.01")
        self.write("guide.yaml", text)
        for output, arguments in (("guide", []), ("seven", ["--particles", "7", "--iterations", "20"])):
            self.good("infer", "guide.yaml", "--output", f"{output}1", "--threads", "1", *arguments)
            result = self.launch(2, PROGRAM, "infer", "guide.yaml", "--output", f"{output}2", "--threads", "1", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.particles(f"{output}2"), self.particles(f"{output}1"))
        summary = json.loads((self.folder / "guide2/summary.json").read_text(encoding="utf-8"))
        # Five times that sum to 4.6 under gamma(2, 1): the posterior is gamma(7, 5.6).
        mean = summary["parameters"]["rate"]["mean"]
        self.assertAlmostEqual(mean, 7 / 5.6, delta=0.1)

    def test_a_launcher_that_mpi_knows_nothing_of(self):
        variables = {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "4"}
        result = self.run_program("infer", "run.yaml", "--output", "r", env=variables)
        self.assertEqual(result.returncode, 6)
        self.assertIn("launcher/MPI mismatch", result.stderr)
        self.assertIn(f"srun --mpi={srun_mpi()}", result.stderr)

    def test_variables_of_a_launcher_that_cannot_be(self):
        for value in ("abc", "", "-1", "0", "1" + 30 * "0"):
            self.bad(6, f"SLURM_NTASKS='{value}' is not a positive integer", "infer", "run.yaml", "--output", "r",
                     env={"SLURM_NTASKS": value})
        self.bad(6, "PMI_RANK=4 must lie below PMI_SIZE=4", "infer", "run.yaml", "--output", "r",
                 env={"PMI_RANK": "4", "PMI_SIZE": "4"})
        self.bad(6, "OMPI_COMM_WORLD_SIZE=2 without OMPI_COMM_WORLD_RANK", "infer", "run.yaml", "--output", "r",
                 env={"OMPI_COMM_WORLD_SIZE": "2"})
        self.bad(6, "SLURM_PROCID=4 must lie below SLURM_NTASKS=4", "infer", "run.yaml", "--output", "r",
                 env={"SLURM_PROCID": "4", "SLURM_NTASKS": "4"})
        job = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "4"}
        for name, value, message in (("SLURM_NPROCS", "8", "SLURM_NTASKS=4 and SLURM_NPROCS=8 disagree"),
                                     ("SLURM_JOB_NUM_NODES", "3", r"SLURM_JOB_NUM_NODES=3 and SLURM_JOB_NODELIST='n\[1-2\]' "
                                                                  r"of 2 disagree")):
            self.bad(6, message, "infer", "run.yaml", "--output", "r",
                     env={**job, "SLURM_JOB_NODELIST": "n[1-2]", name: value})
        for nodes, position in (("node[01-", 5), ("node[1-99999999]", 6), ("a,,b", 3), ("", 1)):
            self.bad(6, f"position {position}: ", "infer", "run.yaml", "--output", "r", env={"SLURM_JOB_NODELIST": nodes})
        # A batch script has it too, and runs once.
        self.good("infer", "run.yaml", "--output", "batch", env={"SLURM_NTASKS": "4"})

    def test_cuda_aware_mpi_that_is_asked_for_and_not_there(self):
        # On any rank, on a run without devices too: the same as `doctor` says.
        for value, where, status, message in (("1", "", 6, "SOJOURN_CUDA_AWARE_MPI=1, but mpi takes no device memory or does"),
                                              ("1", "2", 6, "SOJOURN_CUDA_AWARE_MPI=1, but mpi takes no device memory or does"),
                                              ("yes", "", 2, "SOJOURN_CUDA_AWARE_MPI='yes' must be 0, 1 or auto"),
                                              ("yes", "1", 2, "SOJOURN_CUDA_AWARE_MPI='yes' must be 0, 1 or auto")):
            set_there = f'export SOJOURN_CUDA_AWARE_MPI={value}'
            script = (f'[ -n "{where}" ] && [ "{RANK}" != "{where}" ] || {set_there}; '
                      f'exec {PROGRAM} infer run.yaml --output aware')
            result = self.launch(3, "sh", "-c", script)
            self.assertEqual(result.returncode, status, result.stderr)
            self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
            self.assertIn(message, result.stderr)
            self.assertFalse((self.folder / "aware").exists())
        for value in ("0", "auto", ""):
            result = self.launch(2, PROGRAM, "infer", "run.yaml", "--output", f"aware{value}", "--iterations", "2",
                                 SOJOURN_CUDA_AWARE_MPI=value)
            self.assertEqual(result.returncode, 0, result.stderr)
        # One process sends no messages, but a slip is told.
        self.good("infer", "run.yaml", "--output", "one", "--iterations", "2", env={"SOJOURN_CUDA_AWARE_MPI": "1"})
        self.bad(2, "SOJOURN_CUDA_AWARE_MPI='yes' must be 0, 1 or auto", "infer", "run.yaml", "--output", "r",
                 env={"SOJOURN_CUDA_AWARE_MPI": "yes"})

    def test_variables_of_slurm_that_cannot_be_are_told_once(self):
        for where in ("", "1"):
            script = (f'[ -n "{where}" ] && [ "{RANK}" != "{where}" ] || export SLURM_JOB_NODELIST="a,,b"; '
                      f'exec {PROGRAM} infer run.yaml --output r')
            result = self.launch(3, "sh", "-c", script)
            self.assertEqual(result.returncode, 6, result.stderr)
            self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
            self.assertIn("position 3: ", result.stderr)

    @unittest.skipUnless(os.environ.get("SOJOURN_WITHOUT_MPI"), "needs a program that is built without MPI")
    def test_a_program_without_mpi_under_a_launcher(self):
        # The rank that speaks comes last: the others leave it the time.
        script = f'[ "{RANK}" != 0 ] || sleep 2; exec {os.environ["SOJOURN_WITHOUT_MPI"]} infer run.yaml --output r'
        result = self.launch(3, "sh", "-c", script)
        self.assertEqual(result.returncode, 6, result.stderr)
        said = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(said), 1, result.stderr)
        self.assertRegex(said[0], r"^error: started as 3 processes \((OMPI_COMM_WORLD|PMI)_RANK\), but this program is built without "
                                  r"MPI; build it where MPI is found, or start one process$")
        self.assertEqual(result.stdout.count("rate"), 0)
        self.assertFalse((self.folder / "r").exists())
        alone = subprocess.run([os.environ["SOJOURN_WITHOUT_MPI"], "infer", "run.yaml", "--output", "r"], cwd=self.folder,
                               env=self.environment(), capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(alone.returncode, 0, alone.stderr)

    def test_standard_input_reaches_one_rank_alone(self):
        result = self.launch(2, PROGRAM, "infer", "-", "--output", "r")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("give a file", result.stderr)

    def test_log_of_calls(self):
        for name in ("SOJOURN_DEBUG_COMM", "SOJOURN_COMM_LOG"):
            result = self.launch(2, PROGRAM, "infer", "run.yaml", "--output", name, "--iterations", "2", **{name: "1"})
            self.assertEqual(result.returncode, 0, result.stderr)
            for rank in (0, 1):
                self.assertRegex(result.stderr, rf"rank {rank} \| call 1 \| all_gather of 4 bytes \| done in [0-9.]+ s")

    def test_a_rank_that_hangs_ends_all_within_the_deadline(self):
        begin = time.monotonic()
        result = self.launch(2, "sh", "-c", f'if [ "{RANK}" = 1 ]; then sleep 2 && kill -STOP $$ & fi; '
                                            f'exec {PROGRAM} infer run.yaml --output hung --iterations 100000000',
                             SOJOURN_COMM_TIMEOUT="3")
        self.assertLess(time.monotonic() - begin, 2 + 3 + 15)  # and what starting and ending take on a busy machine
        self.assertEqual(result.returncode, 6, result.stderr)
        self.assertEqual(result.stderr.count("error: "), 1, result.stderr)
        self.assertRegex(result.stderr, r"error: rank 0: call \d+, \w+ of .*, has lasted 3 s")
        self.assertFalse((self.folder / "hung").exists())

    def test_a_rank_that_is_killed_ends_all(self):
        start = time.monotonic()
        result = self.launch(3, "sh", "-c", f'if [ "{RANK}" = 1 ]; then sleep 1.5 && kill -KILL $$ & fi; '
                                            f'exec {PROGRAM} infer run.yaml --output killed --iterations 100000000')
        self.assertNotEqual(result.returncode, 0)
        self.assertLess(time.monotonic() - start, 60)
        # Nothing half written, not even beside it.
        self.assertEqual([name for name in self.files() if name.startswith("killed") or ".killed" in name], [])


if __name__ == "__main__":
    unittest.main()
