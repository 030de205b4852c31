"""A SLURM cluster of two nodes that are both this machine: its daemons run from a temporary folder and end with it.

Authentication is SLURM's plugin `none`, so that no munge has to run; nobody but this machine reaches the ports."""

import ctypes
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

COMMANDS = ("slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "scancel", "sinfo")
START_SECONDS = 30

CONFIGURATION = """\
ClusterName=sojourn
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/none
CredType=cred/none
# A job that goes back into the queue waits this long.
AuthInfo=cred_expire=5
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
# Nodes have as many cores as it says here, whatever this machine has.
SlurmdParameters=config_overrides
ReturnToService=2
MailProg=/bin/true
KillWait=5
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=64000
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=64000
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class NoCluster(Exception):
    """Why there is none."""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def end_with_parent():
    """For preexec_fn: a test that is itself killed leaves no daemons behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Cluster:
    def __init__(self, mpi):
        """`mpi`: how srun starts ranks, one of `srun --mpi=list`."""
        self.mpi = mpi
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        missing = [command for command in COMMANDS if shutil.which(command, path=path) is None]
        if missing:
            raise NoCluster(f"not installed: {', '.join(missing)} (Debian: slurm-wlm)")
        self._folder = tempfile.TemporaryDirectory(prefix="sojourn-slurm-")
        self.folder = Path(self._folder.name)
        self.environment = {k: v for k, v in os.environ.items()
                            if not k.startswith(("SLURM_", "SOJOURN_", "OMPI_", "OMP_"))}
        self.environment.update(SLURM_CONF=str(self.folder / "slurm.conf"), PATH=path,
                                # Root in a container, more ranks than cores.
                                OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        self._daemons = []
        try:
            self._start()
        except BaseException:
            self.end()
            raise

    def _start(self):
        for name in ("state", "spool-n1", "spool-n2", "tmp-n1", "tmp-n2"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            folder=self.folder, host=socket.gethostname().split(".")[0], user=getpass.getuser(), ports=free_ports(3)))
        second = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v2\nIgnoreSystemd=yes\n" if second
                                                 else "CgroupPlugin=cgroup/v1\n")
        for command in (["slurmctld", "-D", "-c"], ["slurmd", "-D", "-N", "n1"], ["slurmd", "-D", "-N", "n2"]):
            with open(self.folder / f"{command[0]}-{command[-1]}.out", "wb") as output:
                self._daemons.append(subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL,
                                                      stdout=output, stderr=subprocess.STDOUT, cwd=self.folder,
                                                      preexec_fn=end_with_parent))
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            states = self.run("sinfo", "-h", "-N", "-o", "%T", check=False).stdout.split()
            if states == ["idle", "idle"]:
                plugins = self.run("srun", "--mpi=list", check=False)
                if self.mpi not in plugins.stdout + plugins.stderr:
                    raise NoCluster(f"srun has no {self.mpi} plugin")
                return
            if any(daemon.poll() is not None for daemon in self._daemons):
                break
            time.sleep(0.2)
        raise NoCluster(f"the daemons do not start:\n{self.logs()}")

    def logs(self):
        lines = []
        for path in sorted(self.folder.glob("*.out")):
            lines += [f"{path.name}: {line}" for line in path.read_text(errors="replace").splitlines()[-5:]]
        return "\n".join(lines)

    def run(self, *command, check=True, timeout=60, **options):
        result = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=timeout, check=False, **options)
        if check and result.returncode != 0:
            said = result.stdout + result.stderr
            raise AssertionError(f"{command}: status {result.returncode}\n{said}\n{self.logs()}")
        return result

    def submit(self, *arguments, **options):
        return self.run("sbatch", "--parsable", *arguments, **options).stdout.strip()

    def state(self, job):
        text = self.run("scontrol", "-o", "show", "job", job).stdout
        return next(word for word in text.split() if word.startswith("JobState="))[len("JobState="):]

    def wait_until(self, reached, seconds, what):
        end = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > end:
                queue = self.run("squeue", check=False).stdout
                raise AssertionError(f"no {what} within {seconds} s\n{queue}{self.logs()}")
            time.sleep(0.1)

    def wait_for_end(self, job, seconds=90):
        over = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "BOOT_FAIL", "OUT_OF_MEMORY")
        self.wait_until(lambda: self.state(job) in over, seconds, f"end of job {job}")
        return self.state(job)

    def _processes(self):
        """Of this cluster: what has its configuration in the environment."""
        mark = f"SLURM_CONF={self.folder}/slurm.conf".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def end(self):
        """Ends all daemons and what they have started; nothing of this cluster is left."""
        for signal_number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 10)):
            end = time.monotonic() + seconds
            for process in self._processes():
                try:
                    os.kill(process, signal_number)
                except ProcessLookupError:
                    continue
            while time.monotonic() < end and self._processes():
                for daemon in self._daemons:
                    daemon.poll()
                time.sleep(0.1)
            if not self._processes():
                break
        for daemon in self._daemons:
            daemon.wait(timeout=10)
        self._folder.cleanup()
