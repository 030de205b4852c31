#!/usr/bin/env python3
"""Clang with OpenMP accepts the sources: it refuses things that GCC takes, captured structured bindings among them.

Usage: clang_openmp.py CMAKE SOURCE BUILD [--all]
Configures SOURCE in BUILD with clang++-16 and reads (-fsyntax-only) each file that has a structured binding or a
parallel region, or each one with --all. Leaves with 77 where clang or its OpenMP are missing.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

WORTH_READING = re.compile(r"auto\s*&{0,2}\s*\[\w|#pragma omp")


def compile_commands(cmake, source, build):
    configured = subprocess.run(
        [cmake, "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_CXX_COMPILER=clang++-16", "-DCMAKE_BUILD_TYPE=Debug",
         "-DCCACHE=OFF", "-DSOJOURN_CUDA=OFF", "-DSOJOURN_INSTRUCTION_SETS=OFF", "-DSOJOURN_TESTS=ON", "-DSOJOURN_OPENMP=ON"],
        capture_output=True, text=True)
    if configured.returncode != 0:
        sys.exit(configured.stdout + configured.stderr)
    entries = json.loads((pathlib.Path(build) / "compile_commands.json").read_text())
    return {entry["file"]: entry for entry in entries}.values()


def complaint(entry):
    """What clang says of a file, empty where it accepts it."""
    command = [word for word in shlex.split(entry["command"]) if word != "-c"]
    where = command.index("-o")
    del command[where:where + 2]
    read = subprocess.run(command + ["-fsyntax-only"], cwd=entry["directory"], capture_output=True, text=True)
    return read.stderr if read.returncode else ""


def main():
    cmake, source, build = sys.argv[1:4]
    if not shutil.which("clang++-16"):
        print("skipped: clang++-16 is missing (Debian: clang-16 libomp-16-dev)")
        return 77
    entries = compile_commands(cmake, source, build)
    if not any("-fopenmp" in entry["command"] for entry in entries):
        print("skipped: clang++-16 has no OpenMP here (Debian: libomp-16-dev)")
        return 77
    chosen = [entry for entry in entries
              if sys.argv[4:] == ["--all"] or WORTH_READING.search(pathlib.Path(entry["file"]).read_text())]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        complaints = [text for text in threads.map(complaint, chosen) if text]
    print(*complaints, sep="\n")
    print(f"{len(chosen)} files read by clang++-16 with OpenMP, {len(complaints)} refused")
    return 1 if complaints or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
