"""Compares runs on the CPU with the same on a CUDA device: FOLDER/NAME-cpu and FOLDER/NAME-cuda, for each demonstration.

Means and the ends of 95 % intervals may differ by a part of the posterior's standard deviation. The last line says how
far they do; the exit status is 1 where that is too far, or where the second run was not on a device. Standard library only.

The tolerances are what rounding alone does to these runs: on one CPU, with other instruction sets, the coalescent's particles
agree to 1e-12 and the veterans', whose posterior has directions that the data hardly bind, to 3e-4 (means) and 7e-3 (ends).
"""

import argparse
import json
import math
import sys
from pathlib import Path

ENDS = ("2.5", "97.5")
TOLERANCE = {"coalescent": (1e-6, 1e-6), "veteran": (0.01, 0.05)}


def differences(cpu, device):
    """Largest differences of means and of ends, in standard deviations of the CPU's run."""
    if cpu["parameters"].keys() != device["parameters"].keys():
        raise ValueError("the runs have different parameters")
    means, ends = [], []
    for name, one in cpu["parameters"].items():
        other = device["parameters"][name]
        means.append(abs(one["mean"] - other["mean"]) / one["sd"])
        ends += [abs(one["quantiles"][q] - other["quantiles"][q]) / one["sd"] for q in ENDS]
    # `max` would pass over what is no number.
    return tuple(max(x if math.isfinite(x) else math.inf for x in numbers) for numbers in (means, ends))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    texts, agree = [], True
    for name, (of_means, of_ends) in TOLERANCE.items():
        cpu, device = (json.loads((folder / f"{name}-{where}" / "summary.json").read_text()) for where in ("cpu", "cuda"))
        on_device = str(device["device"]).startswith("cuda")
        means, ends = differences(cpu, device)
        near = means <= of_means and ends <= of_ends
        agree = agree and near and on_device
        texts.append(f"{name}: means differ by {means:.1e} sd (allowed {of_means:g}), ends of intervals by {ends:.1e} "
                     f"(allowed {of_ends:g})" + ("" if on_device else f"; the second run was on {device['device']}"))
    print(("agree: " if agree else "DIFFER: ") + "; ".join(texts))
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
