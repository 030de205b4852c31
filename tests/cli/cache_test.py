"""The elimination cache from the command line: precompute, cache list|verify|clear, --cache and what cannot be used."""

import json
import os
import stat
import subprocess
import unittest
from concurrent.futures import ThreadPoolExecutor

from program_case import PROGRAM, ProgramCase

DEMES = """\
schema: sojourn/model/1
name: demes-{0}
family: {{structured_coalescent: {{samples: [{0}, {0}], state: blocks}}}}
"""
THETA = ("--theta", "1,1.5,0.7,0.3")


class Cache(ProgramCase):
    def setUp(self):
        super().setUp()
        self.write("demes3.yaml", DEMES.format(3))
        self.write("demes4.yaml", DEMES.format(4))
        self.cache = self.folder / "cache"
        self.cache.mkdir()

    def environment(self, **extra):
        settings = {"SOJOURN_DISABLE_CACHE": None, "SOJOURN_CACHE_DIR": str(self.cache),
                    "SOJOURN_MIN_SCC_SIZE_TO_CACHE": "2", **extra}
        return super().environment(**settings)

    def entries(self):
        return sorted(self.cache.glob("elimination/*.sjn"))

    def moments(self, *arguments, **env):
        return self.run_program("evaluate", "demes4.yaml", *THETA, "--moments", "2", *arguments, env=env)

    def uncached(self):
        result = self.moments("--cache=off")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def warnings(self, result):
        return [line for line in result.stderr.splitlines() if line.startswith("warning: ")]

    def test_precompute_fills_and_a_second_run_finds_everything(self):
        first = self.good_json("precompute", "demes3.yaml", "demes4.yaml")
        self.assertEqual(first["new"], len(self.entries()))
        self.assertGreater(first["new"], 3)
        self.assertEqual(first["bytes_new"], sum(path.stat().st_size for path in self.entries()))
        self.assertEqual([model["name"] for model in first["models"]], ["demes-3", "demes-4"])
        second = self.good_json("precompute", "demes3.yaml", "demes4.yaml")
        self.assertEqual((second["new"], second["bytes_new"]), (0, 0))
        self.assertEqual(second["present"], sum(model["entries"] for model in first["models"]))
        text = self.good("precompute", "demes4.yaml")
        self.assertRegex(text, r"(?m)^0 new \(0 bytes\), \d+ there already \(.*\), in \d+\.\d+ s; folder ")

    def test_a_folder_that_is_missing_is_made_by_precompute(self):
        self.cache.rmdir()
        self.good("precompute", "demes3.yaml")
        self.assertTrue(self.entries())
        self.assertFalse(self.cache.stat().st_mode & stat.S_IWOTH)

    def test_the_users_cache_folder_is_the_default(self):
        self.good("precompute", "demes3.yaml", env={"SOJOURN_CACHE_DIR": None, "XDG_CACHE_HOME": str(self.folder / "xdg")})
        self.assertTrue(list((self.folder / "xdg/sojourn/elimination").glob("*.sjn")))

    def test_results_are_the_same_bits_and_later_runs_read(self):
        expected = self.uncached()
        self.assertEqual(self.entries(), [])
        cold = self.moments(SOJOURN_LOG="debug")
        warm = self.moments(SOJOURN_LOG="debug")
        self.assertEqual((cold.stdout, warm.stdout), (expected, expected))
        self.assertIn("computed in", cold.stderr)
        self.assertNotIn("computed in", warm.stderr)
        self.assertRegex(warm.stderr, r"debug: elimination: level \d+, component \d+.*, \d+ states, thread \d+, read from the cache")

    def test_switched_off(self):
        for off in (("--cache=off",), ()):
            result = self.moments(*off, **({} if off else {"SOJOURN_DISABLE_CACHE": "1"}))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(self.entries(), [])
        self.bad(2, "SOJOURN_DISABLE_CACHE=1", "precompute", "demes3.yaml", env={"SOJOURN_DISABLE_CACHE": "1"})

    def test_variables(self):
        for name, value in (("SOJOURN_PARALLEL_ELIMINATION", "maybe"), ("SOJOURN_MAX_PARALLEL_SCCS", "-1"),
                            ("SOJOURN_MIN_SCC_SIZE_TO_CACHE", "many"), ("SOJOURN_DISABLE_CACHE", "yes")):
            self.bad(2, f"{name}='{value}'", "evaluate", "demes3.yaml", *THETA, "--moments", "1", env={name: value})
        expected = self.uncached()
        for env in ({"SOJOURN_PARALLEL_ELIMINATION": "0"}, {"SOJOURN_PARALLEL_ELIMINATION": "1"},
                    {"SOJOURN_MAX_PARALLEL_SCCS": "1"}, {"SOJOURN_MIN_SCC_SIZE_TO_CACHE": "1000000"}):
            self.assertEqual(self.moments("--cache=off", **env).stdout, expected)
        self.moments(SOJOURN_MIN_SCC_SIZE_TO_CACHE="1000000")
        self.assertEqual(self.entries(), [])
        self.bad(2, "--cache 'requir' is none of auto, off, require; did you mean 'require'", "inspect", "demes3.yaml", "--cache=requir")

    def test_48_folders_that_cannot_be_used(self):
        expected = self.uncached()
        (self.folder / "file").write_text("")
        closed, public = self.folder / "closed", self.folder / "public"
        closed.mkdir(mode=0o555)
        public.mkdir()
        public.chmod(0o777)
        for folder, pattern in ((self.folder / "missing", "no such folder"), (self.folder / "file", "no folder"),
                                (closed, "read-only|not writable"), (public, "everyone may write")):
            env = {"SOJOURN_CACHE_DIR": str(folder)}
            result = self.moments(**env)
            self.assertEqual((result.returncode, result.stdout), (0, expected), result.stderr)
            self.assertEqual(len(self.warnings(result)), 1, result.stderr)
            self.assertRegex(result.stderr, pattern)
            # Also where there is nothing large enough to cache.
            self.assertEqual(len(self.warnings(self.run_program("inspect", "exponential.yaml", env=env))), 1)
            self.bad(5, pattern, "evaluate", "demes4.yaml", *THETA, "--moments", "2", "--cache=require", env=env)
            self.bad(5, pattern, "inspect", "exponential.yaml", "--cache", "require", env=env)
        self.bad(5, "no folder", "precompute", "demes3.yaml", env={"SOJOURN_CACHE_DIR": str(self.folder / "file")})
        self.assertFalse((self.folder / "missing").exists())

    def test_48_full_disk(self):
        expected = self.uncached()
        command = (f'ulimit -f 0; trap "" XFSZ; "$SOJOURN" evaluate demes4.yaml --theta 1,1.5,0.7,0.3 --moments 2')
        for mode, status in (("auto", 0), ("require", 5)):
            result = subprocess.run(["bash", "-c", f"{command} --cache={mode} | cat; exit ${{PIPESTATUS[0]}}"], cwd=self.folder,
                                    env=self.environment(SOJOURN=PROGRAM), capture_output=True, text=True, timeout=120)
            self.assertEqual(result.returncode, status, result.stderr)
            self.assertEqual(result.stdout, expected if status == 0 else "")
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            self.assertRegex(result.stderr, "cannot write an entry of .* bytes: File too large")
            self.assertEqual(list(self.cache.rglob("*.*")), [])

    def test_49_damaged_entries(self):
        expected = self.uncached()
        self.good("precompute", "demes4.yaml")
        entry = self.entries()[0]
        whole = entry.read_bytes()
        other = self.entries()[1].read_bytes()
        flipped = bytearray(whole)
        flipped[-3] ^= 16
        newer = bytearray(whole)
        newer[8] = 9
        for content, pattern in ((b"", "it is empty"), (whole[:50], "less than a header"), (whole[:-1], "should have"),
                                 (bytes(flipped), "checksum"), (bytes(newer), "schema 9 is newer"), (other, "its key is")):
            entry.write_bytes(content)
            self.assertEqual(self.run_program("cache", "verify").returncode, 5)
            result = self.moments()
            self.assertEqual((result.returncode, result.stdout), (0, expected), result.stderr)
            self.assertEqual(len(self.warnings(result)), 1, result.stderr)
            self.assertRegex(result.stderr, pattern)
            self.assertEqual(entry.read_bytes(), whole)
            self.assertEqual(self.moments().stderr, "")
        self.assertEqual(len(list((self.cache / "quarantine").iterdir())), 6)

    def test_list_verify_clear(self):
        self.assertEqual(self.good_json("cache", "list")["entries"], [])
        self.good("precompute", "demes4.yaml")
        listed = self.good_json("cache", "list")
        self.assertEqual([entry["name"] for entry in listed["entries"]], [path.name for path in self.entries()])
        self.assertEqual(listed["folder"], str(self.cache))
        self.assertGreater(min(entry["states"] for entry in listed["entries"]), 1)
        self.assertRegex(self.good("cache", "list"), r"\Aentry +states +edges")
        self.assertRegex(self.good("cache", "verify"), r"\A\d+ entries \(.*\), all whole; folder ")
        damaged = self.entries()[2]
        damaged.write_bytes(damaged.read_bytes()[:-8])
        result = self.run_program("cache", "verify", "--json")
        self.assertEqual(result.returncode, 5)
        self.assertIn('"damaged": 1', result.stdout)
        self.assertRegex(result.stderr, r"\Aerror: cache folder .*: 1 of \d+ entries cannot be believed")
        self.assertRegex(self.run_program("cache", "verify").stdout, rf"(?m)^{damaged.name} .*should have")
        (self.cache / "elimination/README").write_text("mine")
        count = len(self.entries())
        self.assertRegex(self.good("cache", "clear"), rf"\Aremoved {count} entries \(")
        self.assertEqual(self.entries(), [])
        self.assertTrue((self.cache / "elimination/README").exists())
        self.bad(2, "cache 'empty' is none of list, verify, clear", "cache", "empty")
        self.bad(2, "ACTION is required", "cache")
        self.bad(5, "is no folder", "cache", "list", env={"SOJOURN_CACHE_DIR": str(self.folder / "mix.yaml")})

    def test_parts(self):
        outcomes = [self.good_json("precompute", "demes4.yaml", "--part", f"{part}/3") for part in (3, 1, 2)]
        self.assertEqual(sum(outcome["new"] for outcome in outcomes), len(self.entries()))
        self.assertEqual(outcomes[-1]["other_parts"], 0)
        self.assertTrue(all(outcome["new"] > 0 for outcome in outcomes))
        self.assertEqual(outcomes[0]["part"], {"index": 3, "of": 3, "source": "--part"})
        for part in ("0/3", "4/3", "1", "a/b", "1/0", "-1/2"):
            self.bad(2, "--part", "precompute", "demes4.yaml", f"--part={part}")

    def part_of(self, **env):
        return self.good_json("precompute", "demes3.yaml", env=env)["part"]

    def test_parts_of_launchers(self):
        array = {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "3",
                 "SLURM_ARRAY_TASK_STEP": "2"}
        self.assertEqual(self.part_of(**array), {"index": 3, "of": 4, "source": "SLURM_ARRAY_TASK_ID"})
        self.assertEqual(self.part_of(OMPI_COMM_WORLD_RANK="1", OMPI_COMM_WORLD_SIZE="2")["index"], 2)
        self.assertEqual(self.part_of(PMI_RANK="0", PMI_SIZE="5")["of"], 5)
        self.assertEqual(self.part_of(SLURM_PROCID="3", SLURM_STEP_NUM_TASKS="4")["index"], 4)
        # A batch script sees the number of tasks as well, but runs once.
        self.assertEqual(self.part_of(SLURM_PROCID="0", SLURM_NTASKS="4"), {"index": 1, "of": 1, "source": ""})
        both = self.part_of(**array, SLURM_PROCID="1", SLURM_STEP_NUM_TASKS="2")
        self.assertEqual(both, {"index": 6, "of": 8, "source": "SLURM_ARRAY_TASK_ID and SLURM_PROCID"})
        for env, pattern in (({"SLURM_ARRAY_TASK_ID": "abc"}, "SLURM_ARRAY_TASK_ID='abc'"),
                             ({"SLURM_ARRAY_TASK_ID": "1"}, "without SLURM_ARRAY_TASK_COUNT"),
                             ({**array, "SLURM_ARRAY_TASK_ID": "12"}, "is not one of 4 tasks"),
                             ({"PMI_RANK": "5", "PMI_SIZE": "5"}, "PMI_RANK=5 must lie below PMI_SIZE=5"),
                             ({"OMPI_COMM_WORLD_SIZE": "10" * 20}, "OMPI_COMM_WORLD_SIZE='1010")):
            self.bad(6, pattern, "precompute", "demes3.yaml", env=env)

    def test_a_sweep_over_parameters_eliminates_once(self):
        thetas = [f"1,{0.5 + k},0.7,0.3" for k in range(5)]
        swept = self.run_program("evaluate", "demes4.yaml", "--moments", "2", "--json", "--cache=off",
                                 *(item for theta in thetas for item in ("--theta", theta)), env={"SOJOURN_LOG": "debug"})
        once = [line for line in self.moments("--cache=off", SOJOURN_LOG="debug").stderr.splitlines()]
        self.assertEqual(len(swept.stderr.splitlines()), len(once))
        moments = json.loads(swept.stdout)["moments"]
        for theta, expected in zip(thetas, moments):
            alone = self.good_json("evaluate", "demes4.yaml", "--moments", "2", "--theta", theta, "--cache=off")
            self.assertEqual(alone["moments"], [expected])

    def test_a_run_eliminates_once(self):
        self.write("queue.yaml", "schema: sojourn/model/1\nname: queue\n"
                                 "family: {birth_death: {capacity: 30, start: 3, per_head: true}}\n")
        self.write("queue-run.yaml", "schema: sojourn/run/1\nmodel: queue.yaml\ndata: {file: times.csv}\n"
                                     "priors: {birth: {gamma: {shape: 2, rate: 2}}, death: {gamma: {shape: 2, rate: 1}}}\nseed: 1\n")
        result = self.run_program("infer", "queue-run.yaml", "--particles", "10", "--iterations", "5", "--output", "out",
                                  env={"SOJOURN_LOG": "debug"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue((self.folder / "out/report.html").exists())
        self.assertEqual(result.stderr.count("debug: elimination: "), 1, result.stderr)

    def test_graphs_of_several_sizes_by_processes_of_their_own(self):
        for size in (2, 5):
            self.write(f"demes{size}.yaml", DEMES.format(size))
        with ThreadPoolExecutor(4) as pool:
            outcomes = list(pool.map(lambda size: self.good_json("precompute", f"demes{size}.yaml"), (2, 3, 4, 5)))
        self.assertGreaterEqual(sum(outcome["new"] for outcome in outcomes), len(self.entries()))
        again = self.good_json("precompute", *(f"demes{size}.yaml" for size in (2, 3, 4, 5)))
        self.assertEqual(again["new"], 0)

    def test_many_processes_at_once(self):
        expected = self.uncached()
        with ThreadPoolExecutor(16) as pool:
            results = list(pool.map(lambda _: self.moments(), range(16)))
        for result in results:
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, expected, ""))
        self.good("cache", "verify")
        self.assertEqual([path for path in self.cache.rglob(".unfinished*")], [])

    def test_killed_writers_leave_no_harm(self):
        old = self.cache / "elimination/.unfinished-0123"
        old.parent.mkdir()
        old.write_bytes(b"half")
        os.utime(old, (0, 0))
        young = self.cache / "elimination/.unfinished-4567"
        young.write_bytes(b"half")
        self.assertEqual(self.moments().stderr, "")
        self.assertFalse(old.exists())
        self.assertTrue(young.exists())
        self.assertEqual(self.good_json("cache", "verify")["unfinished"], 1)


if __name__ == "__main__":
    unittest.main()
