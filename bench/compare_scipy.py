"""The peer of likelihood_bench: the same log-likelihoods by scipy.sparse.linalg.expm_multiply.

Reads the folder that `likelihood_bench --export FOLDER` wrote, checks that both give the same log-likelihoods, and
writes the processor time of one particle as JSON. The times are equally spaced, so expm_multiply computes all of them
in one call, its fastest form. A handful of particles is measured; for more the time is that of one times their number,
because the peer handles one particle after the other.

Usage: compare_scipy.py FOLDER OUTPUT.json [--repetitions N]
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import csv
import json
import pathlib
import time

import numpy as np
import scipy
import scipy.sparse
import scipy.sparse.linalg

# Sojourn certifies every density to a relative error of 1e-9; scipy is closer than that here.
AGREEMENT = 1e-9


def rows(path):
    with open(path, newline="") as file:
        reader = csv.reader(file)
        next(reader)
        return list(reader)


def read_chains(folder):
    """Transposed sub-intensity matrices (CSR) and exit rates of every particle, the start vector and the times."""
    absorbing = np.array([int(row[0]) for row in rows(folder / "states.csv")], dtype=bool)
    place = np.cumsum(~absorbing) - 1
    n = int((~absorbing).sum())
    edges = rows(folder / "edges.csv")
    origin = place[[int(row[0]) for row in edges]]
    target = np.array([int(row[1]) for row in edges])
    weights = np.array([[float(x) for x in row[2:]] for row in edges])
    leaves = absorbing[target]
    start = np.zeros(n)
    for state, probability in rows(folder / "start.csv"):
        start[place[int(state)]] += float(probability)
    first, last, num = rows(folder / "times.csv")[0]
    chains = []
    for weight in weights.T:
        inside = scipy.sparse.coo_array((weight[~leaves], (place[target[~leaves]], origin[~leaves])), shape=(n, n))
        total = np.bincount(origin, weight, n)
        matrix = (inside - scipy.sparse.diags_array(total)).tocsr()
        chains.append((matrix, np.bincount(origin[leaves], weight[leaves], n), -total.sum()))
    return chains, start, (float(first), float(last), int(num))


def log_likelihood(chain, start, times):
    matrix, exit_rates, trace = chain
    first, last, num = times
    states = scipy.sparse.linalg.expm_multiply(
        matrix, start, start=first, stop=last, num=num, endpoint=True, traceA=trace
    )
    return float(np.log(states @ exit_rates).sum())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    chains, start, times = read_chains(arguments.folder)
    ours = [float(row[0]) for row in rows(arguments.folder / "log_likelihood.csv")]

    log_likelihood(chains[0], start, (*times[:2], 10))  # imports and caches are warm before the clock starts
    seconds, difference = [], 0.0
    for _ in range(arguments.repetitions):
        began = time.process_time()
        values = [log_likelihood(chain, start, times) for chain in chains]
        seconds.append((time.process_time() - began) / len(chains))
        difference = max(abs(a - b) / abs(b) for a, b in zip(values, ours))
    if not difference <= AGREEMENT:
        raise SystemExit(f"scipy and Sojourn disagree: relative difference {difference:.3g} of the log-likelihood")
    arguments.output.write_text(
        json.dumps(
            {
                "scipy": scipy.__version__,
                "numpy": np.__version__,
                "num_particles": len(chains),
                "num_times": times[2],
                "seconds_per_particle": seconds,
                "relative_difference": difference,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
