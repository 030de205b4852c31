"""`sojourn slurm`: batch scripts against golden files, bash -n and shellcheck; what is refused; what the options do.

A changed script is looked at and then accepted by SOJOURN_WRITE_GOLDEN=1."""

import json
import os
import re
import shutil
import subprocess
import time
import unittest
from pathlib import Path

from program_case import RUN, ProgramCase
from ranks_test import srun_mpi

GOLDEN = Path(__file__).parent / "golden"
PROFILES = {"debug": (1, 4, "00:30:00"), "small": (2, 8, "01:00:00"), "medium": (4, 16, "02:00:00"),
            "large": (8, 16, "04:00:00"), "production": (8, 32, "08:00:00")}

# The example of the guide, with a line for each other key.
CLUSTER = """\
name: my_cluster
nodes: 4
cpus_per_node: 24
memory_per_cpu: "8G"
time_limit: "03:00:00"
partition: "compute"
qos: normal
account: lab-7
modules_to_load:
  - "python/3.11"
  - "gcc/11.2.0"
env_vars:
  SOJOURN_CACHE_DIR: "/scratch/my cache"
  PRICE: "$5; `id`"
setup: ['source "$HOME/venv/bin/activate"']
signal_seconds: 300
"""
GPUS = "platform: gpu\ngpus_per_node: 4\nnodes: 2\ncpus_per_node: 32\ntime_limit: 1-00:00:00\n"


class Slurm(ProgramCase):
    def script(self, *arguments, **options):
        """As a program with Open MPI writes it, which the golden files are."""
        script = self.good("slurm", "--program", "sojourn", *arguments, **options)
        return script.replace(f"srun --mpi={srun_mpi()} ", "srun --mpi=pmix ")

    def check(self, script):
        """bash -n and shellcheck find nothing."""
        path = self.folder / "checked.sh"
        path.write_text(script, encoding="utf-8")
        bash = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
        self.assertEqual((bash.returncode, bash.stderr), (0, ""), script)
        if shutil.which("shellcheck"):
            result = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stdout)
        path.unlink()

    def check_golden(self, name, script):
        path = GOLDEN / name
        if os.environ.get("SOJOURN_WRITE_GOLDEN"):
            path.parent.mkdir(exist_ok=True)
            path.write_text(script, encoding="utf-8")
        self.assertEqual(script, path.read_text(encoding="utf-8"))
        self.check(script)

    def directives(self, script):
        lines = [line[len("#SBATCH --"):] for line in script.splitlines() if line.startswith("#SBATCH --")]
        return dict((line.split("=", 1) + [""])[:2] for line in lines)

    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed: bash -n alone looks")
    def test_shellcheck_is_there(self):
        pass

    def test_profiles(self):
        for name, (nodes, cpus, time_limit) in PROFILES.items():
            script = self.script("--profile", name, "--script", "run.yaml")
            if name == "debug":
                self.check_golden("slurm_debug.sh", script)
            # The others have its lines but for the profile's own.
            ours, debug = script.splitlines(), (GOLDEN / "slurm_debug.sh").read_text(encoding="utf-8").splitlines()
            self.assertEqual(len(ours), len(debug))
            for line, of_debug in zip(ours, debug):
                if line != of_debug:
                    self.assertRegex(line, r"^# Written by|^#SBATCH --(nodes|cpus-per-task|time|signal)=")
            directives = self.directives(script)
            self.assertEqual(directives["nodes"], str(nodes))
            self.assertEqual(directives["cpus-per-task"], str(cpus))
            self.assertEqual(directives["ntasks-per-node"], "1")
            self.assertEqual(directives["time"], time_limit)
        # The first step on any cluster is the smallest.
        self.assertEqual(self.directives(self.script()), self.directives(self.script("--profile", "debug")))

    def test_list_of_profiles(self):
        listed = self.good_json("slurm", "--list-profiles")["profiles"]
        self.assertEqual({p["name"]: (p["nodes"], p["cpus_per_node"], p["time_limit"]) for p in listed}, PROFILES)
        for name in PROFILES:
            self.assertRegex(self.good("slurm", "--list-profiles"), rf"(?m)^{name} ")

    def test_configurations(self):
        self.write("cluster.yaml", CLUSTER)
        self.check_golden("slurm_cluster.sh", self.script("--config", "cluster.yaml", "--script", "run.yaml"))
        self.write("gpus.yaml", GPUS)
        self.check_golden("slurm_gpus.sh", self.script("--config", "gpus.yaml", "--script", "run.yaml"))
        result = self.run_program("slurm", "--config", "gpus.yaml", "--script", "run.yaml")
        has_cuda = self.good_json("info")["cuda"]
        self.assertEqual("this build has no CUDA" in result.stderr, not has_cuda, result.stderr)
        example = Path(__file__).parents[2] / "examples" / "slurm" / "cluster.yaml"
        script = self.script("--config", str(example), "--script", "run.yaml")
        self.check(script)
        self.assertEqual((self.directives(script)["ntasks-per-node"], self.directives(script)["cpus-per-task"]), ("2", "12"))
        self.write("mpi.yaml", "mpi: cray_shasta\n")
        self.assertIn("\nsrun --mpi=cray_shasta --cpus-per-task=", self.script("--config", "mpi.yaml"))
        # What the file leaves out is the profile's.
        self.write("ours.yaml", "partition: long\n")
        directives = self.directives(self.script("--profile", "large", "--config", "ours.yaml"))
        self.assertEqual((directives["nodes"], directives["partition"]), ("8", "long"))

    def test_precompute_is_a_job_array(self):
        script = self.script("--profile", "medium", "--precompute", "mix.yaml", "--precompute", "a b.yaml")
        self.check_golden("slurm_precompute.sh", script)

    def test_other_work(self):
        for name, command in (("fit.py", "python3 -u fit.py"), ("go.sh", "bash go.sh"), ("prog", "./prog")):
            self.write(name, "")
            script = self.script("--script", name, env={"VIRTUAL_ENV": None, "CONDA_PREFIX": None})
            self.assertIn(f"--wait=60 \\\n  {command} || status=$?\n", script)
            self.assertEqual(self.directives(script)["job-name"], name.split(".", maxsplit=1)[0])
            self.check(script)
        # The environment in use here need not be activated on the nodes.
        python = self.folder / "my env" / "bin" / "python3"
        python.parent.mkdir(parents=True)
        python.write_text("")
        for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
            environment = {"VIRTUAL_ENV": None, "CONDA_PREFIX": None, name: str(self.folder / "my env")}
            self.assertIn(f"  '{python}' -u fit.py ||", self.script("--script", "fit.py", env=environment))
        script = self.script("--name", "mine", "--", "sojourn", "infer", "run.yaml", "--particles", "50", "a 'b' $c")
        self.assertIn("  sojourn infer run.yaml --particles 50 'a '\\''b'\\'' $c' || status=$?\n", script)
        self.check(script)

    def test_writes_a_file_whole_and_only_once(self):
        self.script("--script", "run.yaml", "--output", "job.sh")
        script = (self.folder / "job.sh").read_text(encoding="utf-8")
        self.assertTrue(script.startswith("#!/bin/bash\n"))
        self.bad(2, "job.sh", "slurm", "--script", "run.yaml", "--output", "job.sh")
        self.script("--script", "run.yaml", "--output", "job.sh", "--overwrite", "--profile", "small")
        self.assertIn("--nodes=2", (self.folder / "job.sh").read_text(encoding="utf-8"))
        # Without --program the nodes look for this very program.
        self.assertRegex(self.good("slurm", "--script", "run.yaml"), r"\n  /\S*/sojourn infer run.yaml --output")

    def test_json(self):
        answer = self.good_json("slurm", "--profile", "small", "--script", "run.yaml")
        self.assertEqual((answer["nodes"], answer["ranks"], answer["cpus_per_task"]), (2, 2, 8))
        self.assertTrue(answer["script"].startswith("#!/bin/bash\n"))

    def test_the_profile_is_held_against_the_particles(self):
        def warned(particles, *arguments):
            self.write("run.yaml", RUN.replace("particles: 100", f"particles: {particles}"))
            result = self.run_program("slurm", "--script", "run.yaml", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            return result.stderr

        self.assertEqual(warned(128, "--profile", "medium"), "")
        self.assertIn("129 particles are no multiple of 4 ranks", warned(129, "--profile", "medium"))
        self.assertIn("256 cores for 100 particles", warned(100, "--profile", "production"))
        self.assertIn("4 of 8 ranks would have none of the 4 particles", warned(4, "--profile", "large"))
        for particles, profile in ((2, "debug"), (40, "debug"), (159, "debug"), (160, "small"), (640, "medium"),
                                   (1280, "large"), (2560, "production")):
            self.write("run.yaml", RUN.replace("particles: 100", f"particles: {particles}"))
            self.assertEqual(self.good_json("slurm", "--suggest", "--script", "run.yaml")["profile"], profile)
            self.assertTrue(self.good("slurm", "--suggest").startswith(f"{profile}: {particles:,} particles"))

    def test_a_run_file_that_is_not_here_or_is_none(self):
        result = self.run_program("slurm", "--script", "elsewhere.yaml")
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: elsewhere.yaml: no such file here", result.stderr)
        self.write("broken.yaml", RUN.replace("sampler", "smpler"))
        self.bad(3, "did you mean 'sampler'", "slurm", "--script", "broken.yaml")
        self.bad(2, "--suggest needs a run file", "slurm", "--suggest", "--script", "elsewhere.yaml")

    def test_the_script_says_what_is_missing_where_it_runs(self):
        script = self.script("--script", "gone.yaml")
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "scontrol").write_text("#!/bin/sh\nprintf 'n1\\nn2\\n'\n")
        (tools / "scontrol").chmod(0o755)
        (self.folder / "job.sh").write_text(script)
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "7",
                       "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_NODELIST": "n[1-2]"}
        result = subprocess.run(["bash", "job.sh"], cwd=self.folder, env=environment, capture_output=True, text=True,
                                check=False)
        self.assertEqual(result.returncode, 5, result.stderr)
        self.assertIn("gone.yaml cannot be read in", result.stderr)
        self.assertIn("coordinator n1:12345", result.stdout)

    def test_41_scontrol_that_is_missing_hangs_or_fails(self):
        """The head of the script, with each kind of scontrol; its step says where the ranks find each other."""
        tools = self.folder / "tools"
        tools.mkdir()
        for name in ("bash", "cat", "grep", "sleep", "timeout"):
            (tools / name).symlink_to(shutil.which(name))
        scontrol = tools / "scontrol"
        (tools / "srun").write_text('#!/bin/bash\necho "step at $SOJOURN_COORDINATOR_ADDRESS:$SOJOURN_COORDINATOR_PORT"\n')
        (tools / "srun").chmod(0o755)
        (self.folder / "job.sh").write_text(self.script("--script", "run.yaml").replace("-k 5 10 ", "-k 0.2 0.3 "))

        def run(answer, nodes="n[1-2]", count="2", **variables):
            scontrol.unlink(missing_ok=True)
            if answer is not None:
                scontrol.write_text(f"#!/bin/bash\n{answer}\n")
                scontrol.chmod(0o755)
            environment = {"PATH": str(tools), "SLURM_JOB_ID": "7", "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_NODELIST": nodes,
                           "SLURM_JOB_NUM_NODES": count, **variables}
            begin = time.monotonic()
            result = subprocess.run(["bash", "job.sh"], cwd=self.folder, env=environment, capture_output=True, text=True,
                                    timeout=60, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertLess(time.monotonic() - begin, 20)
            coordinator = re.findall(r"step at (.*):12345$", result.stdout, re.MULTILINE)
            self.assertEqual(coordinator, 2 * coordinator[:1], result.stdout)
            return coordinator[0], [line for line in result.stderr.splitlines() if line.startswith("warning: ")]

        self.assertEqual(run("printf 'a1\\na2\\n'"), ("a1", []))
        for answer, said in ((None, "0 hosts and status 127"), ("exit 1", "0 hosts and status 1"),
                             ("sleep 600", "0 hosts and status 124"), ("trap '' TERM; while :; do sleep 1; done", "0 hosts and status 137"),
                             ("echo n9; exit 1", "1 hosts and status 1"), ("echo localhost", "1 hosts and status 0"),
                             ("printf 'x\\ny\\nz\\n'", "3 hosts and status 0"), ("true", "0 hosts and status 0"),
                             ("printf '\\nn1\\nn2\\n'", "2 hosts and status 0")):
            first, warnings = run(answer)
            self.assertEqual(first, "n1", answer)
            self.assertEqual(warnings, [f"warning: scontrol show hostnames gave {said}; the first host of n[1-2] is taken to be n1"])
        # Every form that the program reads, read the same way by the shell.
        for nodes, first in (("n1", "n1"), ("node[001-004,007]", "node001"), ("gpu-[1-2]-x[3-4]", "gpu-1-x3"), ("b,a[1-2]", "b"),
                             ("a[7]x,b[1-2]", "a7x"), ("rack[2,1]n[08-09].cluster,c", "rack2n08.cluster")):
            self.assertEqual(run("exit 1", nodes)[0], first, nodes)
            found = json.loads(self.run_program("doctor", "--json", env={"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": nodes,
                                                                         "PATH": str(tools)}).stdout)
            coordinator = next(check for check in found["checks"] if check["name"] == "coordinator")
            self.assertIn(f"is taken to be {first}", coordinator["found"])
        # What is set wins.
        self.assertEqual(run(None, SOJOURN_COORDINATOR_ADDRESS="ib-n1")[0], "ib-n1")

    def refused(self, code, pattern, config):
        self.write("bad.yaml", config)
        self.bad(code, pattern, "slurm", "--config", "bad.yaml")

    def test_configurations_that_are_none(self):
        self.refused(3, r"bad.yaml:1:1: unknown key 'particion'; did you mean 'partition'", "particion: x\n")
        self.refused(3, r"bad.yaml:1:8: nodes", "nodes: 0\n")
        self.refused(3, r"cpus_per_node", "cpus_per_node: many\n")
        for text in ("soon", "25:00", "0", "1-24:00:00:00", "00:00:30", "-5", "1:2:3:4", "400-0", "10:61:00"):
            code = 0 if text == "25:00" else 3  # minutes and seconds
            self.write("time.yaml", f"time_limit: '{text}'\n")
            self.assertEqual(self.run_program("slurm", "--config", "time.yaml").returncode, code, text)
        self.refused(3, "not a memory size", "memory_per_cpu: 8 gigabytes\n")
        self.refused(3, "platform gpu needs gpus_per_node", "platform: gpu\n")
        self.refused(3, "gpus_per_node 2 needs platform: gpu", "gpus_per_node: 2\n")
        self.refused(3, "would have no core each", "tasks_per_node: 8\n")
        self.refused(3, "signal_seconds 7200 must be less", "signal_seconds: 7200\n")
        self.refused(3, "did you mean 'cpu'", "platform: cpus\n")
        self.bad(5, "SLURM configuration: cannot read none.yaml", "slurm", "--config", "none.yaml")
        self.bad(2, "did you mean 'small'", "slurm", "--profile", "smal")
        self.bad(2, "give one of", "slurm", "--script", "run.yaml", "--precompute", "mix.yaml")

    def test_61_texts_that_could_be_read_as_shell(self):
        for name in ("a b", "a;reboot", "$(reboot)", "`id`", "../job", "a\nb", "", "-x", "a/b", "'", '"', "a" * 65):
            self.refused(2, "cannot be a job's name", f"name: {json.dumps(name)}\n")
            if name:
                self.bad(2, "cannot be a job's name|needs a value", "slurm", f"--name={name}")
        for key in ("partition", "qos", "account"):
            for text in ("a b", "x\n#SBATCH --uid=0", "--wrap", "$HOME", "a#b"):
                self.refused(2, "may hold letters, digits", f"{key}: {json.dumps(text)}\n")
        self.refused(2, "may hold letters", "modules_to_load: ['gcc; reboot']\n")
        self.refused(2, "not a variable's name", "env_vars: {'A;reboot': x}\n")
        self.refused(2, "newline", 'env_vars: {A: "x\\nreboot"}\n')
        self.refused(2, "newline", 'setup: "x\\nreboot"\n')
        for path in ("a\nb.yaml", "a\rb.py", "a\x1bb"):
            self.bad(2, "newline or another control character", "slurm", "--script", path)
            self.bad(2, "newline or another control character", "slurm", "--precompute", path)

    def test_61_odd_paths_reach_the_program_as_they_are(self):
        """The script is run with stand-ins for SLURM's commands; nothing in a path is ever executed."""
        tools = self.folder / "tools"
        tools.mkdir()
        for name, text in (("scontrol", "printf 'n1\\n'"), ("srun", 'printf "%s\\n" "$@" >> srun.log')):
            (tools / name).write_text(f"#!/bin/sh\n{text}\n")
            (tools / name).chmod(0o755)
        environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "7",
                       "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_NODELIST": "n1"}
        (self.folder / "sub").mkdir()
        for path in ("a b.yaml", "$(touch hacked).yaml", "`touch hacked`.yaml", "a;touch hacked;.yaml", "it's.yaml",
                     'say "x".yaml', "a&b|c>d.yaml", "sub/../run.yaml", "-n.yaml", "*.yaml", "ä.yaml", "#x.yaml"):
            if not (self.folder / path).exists():
                self.write(path, RUN)
            script = self.script(f"--script={path}")
            self.check(script)
            (self.folder / "job.sh").write_text(script, encoding="utf-8")
            result = subprocess.run(["bash", "job.sh"], cwd=self.folder, env=environment, capture_output=True,
                                    text=True, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            log = (self.folder / "srun.log").read_text(encoding="utf-8").splitlines()
            self.assertIn(f"./{path}" if path.startswith("-") else path, log)
            self.assertFalse((self.folder / "hacked").exists())
            (self.folder / "srun.log").unlink()

    def test_a_job_at_a_checkpoint_goes_back_into_the_queue(self):
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "scontrol").write_text('#!/bin/sh\n[ "$1" = show ] && echo n1\necho "$@" >> scontrol.log\n')
        (tools / "srun").write_text('#!/bin/sh\ncase "$*" in *infer*) exit "$STATUS";; esac\n')
        for name in ("scontrol", "srun"):
            (tools / name).chmod(0o755)
        (self.folder / "job.sh").write_text(self.script("--script", "run.yaml"))

        def run(status, restarts):
            environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "SLURM_JOB_ID": "7", "STATUS": status,
                           "SLURM_CPUS_PER_TASK": "4", "SLURM_JOB_NODELIST": "n1", "SLURM_RESTART_COUNT": restarts}
            result = subprocess.run(["bash", "job.sh"], cwd=self.folder, env=environment, capture_output=True,
                                    text=True, check=False)
            self.assertEqual(result.returncode, int(status), result.stderr)
            return (self.folder / "scontrol.log").read_text().splitlines()[-1], result.stderr

        self.assertEqual(run("75", "0")[0], "requeue 7")
        for status in ("0", "4", "130", "137"):
            self.assertEqual(run(status, "0")[0], "show hostnames n1")
        asked, said = run("75", "100")
        self.assertEqual(asked, "show hostnames n1")
        self.assertIn("go on with: sojourn infer run.yaml --output run-7 --resume", said)
        # A controller that does not answer: the job ends with its status, and says how to go on.
        job = self.folder / "job.sh"
        job.write_text(job.read_text().replace("-k 5 60 ", "-k 0.2 0.3 "))
        (tools / "scontrol").write_text('#!/bin/sh\n[ "$1" = show ] && echo n1 && exit\necho "$@" >> scontrol.log\nsleep 600\n')
        self.assertIn("go on with: sojourn infer", run("75", "0")[1])


if __name__ == "__main__":
    unittest.main()
