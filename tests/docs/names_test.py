"""Whether what the documents name is there: tests, scripts, presets and build options."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def quoted(text):
    """What stands between backticks or in blocks of code."""
    blocks = re.findall(r"^```.*?^```", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)) + blocks


def googletests():
    names = set()
    for path in (ROOT / "tests").glob("**/*.cpp"):
        for kind, suite, name in re.findall(r"^\s*(TYPED_TEST|TEST_P|TEST_F|TEST)\(\s*(\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
            names.add(f"{suite}.{name}")
        for prefix, suite in re.findall(r"INSTANTIATE_TEST_SUITE_P\(\s*(\w+),\s*(\w+)", path.read_text()):
            names.update(f"{prefix}/{name}" for name in list(names) if name.startswith(suite + "."))
    return names


def program_tests():
    return {f"{path.stem}:{name}"
            for path in (ROOT / "tests").glob("**/*_test.py")
            for name in re.findall(r"^    def (test_\w+)", path.read_text(), re.MULTILINE)}


def cmake_tests():
    """Those that CMake's scripts name themselves; of a loop what stands before the variable."""
    names = {"mpi.communicator_N", "mpich.communicator_N", "ranks2.ROOM"}
    for path in (ROOT / "tests").glob("**/tests.cmake"):
        names.update(re.findall(r"add_test\(\s*NAME ([\w.]+)", path.read_text()))
    return names


class Names(unittest.TestCase):
    def test_behaviours_name_tests_that_are_there(self):
        known = googletests() | program_tests()
        unqualified = {name.split(":")[1] for name in program_tests()}
        by_cmake = cmake_tests()
        for line in (ROOT / "docs/behaviours.md").read_text().splitlines():
            if not line.startswith("| "):
                continue
            for name in quoted(line):
                if not re.fullmatch(r"[\w/]+(\.|:)[\w*]+|test_\w+", name) or re.search(r"\.(json|md|cpp|csv|html|py|yaml)$", name):
                    continue
                if name.endswith("*"):
                    there = any(test.startswith(name[:-1]) for test in known | by_cmake)
                else:
                    there = name in known or name in by_cmake or name in unqualified
                self.assertTrue(there, f"docs/behaviours.md names a test that is not there: {name}\n{line}")

    def test_scripts_and_files_are_there(self):
        for document in DOCUMENTS:
            for text in quoted(document.read_text()):
                for path in re.findall(r"(?<![\w/.-])((?:scripts|tests|examples|docs|bench)/[\w./-]*\w)", text):
                    self.assertTrue((ROOT / path).exists(), f"{document.relative_to(ROOT)} names {path}")

    def test_presets_are_there(self):
        presets = {preset["name"] for preset in json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
                   if not preset.get("hidden")}
        for document in DOCUMENTS:
            for name in re.findall(r"--preset[ =](\w[\w-]*)", document.read_text()):
                self.assertIn(name, presets, document.relative_to(ROOT))

    def test_build_options_are_there(self):
        cmake = "".join(path.read_text() for path in [ROOT / "CMakeLists.txt", *(ROOT / "tests").glob("**/*.cmake")])
        for document in DOCUMENTS:
            for name in re.findall(r"-D(SOJOURN_\w+)", document.read_text()):
                self.assertRegex(cmake, rf"\b{name}\b", f"{document.relative_to(ROOT)} names {name}")


if __name__ == "__main__":
    unittest.main()
