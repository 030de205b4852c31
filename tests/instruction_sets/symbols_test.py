"""No code compiled for a wide instruction set can stand in for code that every machine runs.

Usage: symbols_test.py ARCHIVE NM OBJDUMP SET...

The linker keeps one copy of an inline function or template that several objects define. So the objects of the sets may
define nothing for others but kernels, and no such copy in any other object may hold a wide instruction.
"""

import re
import subprocess
import sys

KERNEL = re.compile(r"_ZN.*7sojourn.*_onILNS_14InstructionSetE[12]E")
WIDE = re.compile(r"%[yz]mm\d|\tv[a-z0-9]+ .*%xmm")


def lines_of(*command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield from process.stdout
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed")


def defined_symbols(nm, archive):
    """Member -> list of (kind, symbol) of those that other objects see."""
    symbols, member = {}, None
    for line in lines_of(nm, "--defined-only", "--extern-only", archive):
        fields = line.split()
        if line.rstrip().endswith(":"):
            member = line.strip()[:-1]
            symbols[member] = []
        elif len(fields) == 3:
            symbols[member].append((fields[1], fields[2]))
    return symbols


def wide_functions(objdump, archive):
    """Pairs (member, function) with an instruction that the baseline lacks."""
    found, member, function = set(), None, None
    for line in lines_of(objdump, "-d", "--no-show-raw-insn", archive):
        if "file format" in line:
            member = line.split(":")[0]
        elif line.endswith(">:\n"):
            function = line[line.index("<") + 1 : -3]
        elif WIDE.search(line):
            found.add((member, function))
    return found


def main(archive, nm, objdump, *sets):
    symbols = defined_symbols(nm, archive)
    wide = wide_functions(objdump, archive)
    faults = []
    for name in sets:
        members = [member for member in symbols if member.endswith(f"_{name}.o")]
        if not members:
            faults.append(f"no object for {name}")
        for member in members:
            kernels = [symbol for _, symbol in symbols[member] if KERNEL.match(symbol)]
            others = [symbol for _, symbol in symbols[member] if not KERNEL.match(symbol)]
            if not kernels:
                faults.append(f"{member} offers no kernel")
            if others:
                faults.append(f"{member} offers {others}")
            if not any(wide_member == member for wide_member, _ in wide):
                faults.append(f"{member} has no wide instruction")
            print(f"{member}: {len(kernels)} kernels")
    set_members = tuple(f"_{name}.o" for name in sets)
    for member, function in sorted(wide):
        if not member.endswith(set_members) and ("W", function) in symbols[member]:
            faults.append(f"{member}: {function} may be shared and holds a wide instruction")
    print(f"{len(symbols)} objects, {len(wide)} functions with wide instructions")
    sys.exit("\n".join(faults) if faults else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
