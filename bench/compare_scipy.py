"""The peers of likelihood_bench: the same log-likelihoods by expm_multiply and by dense exponentials.

Reads the folder that `likelihood_bench --export FOLDER` wrote, checks that both give the same log-likelihoods, and
writes the processor time of one particle as JSON:

- expm_multiply: scipy.sparse.linalg.expm_multiply. The times are equally spaced, so it computes all of them in one
  call, its fastest form.
- batched_expm: scipy.linalg.expm of a batch of dense matrices, one per time; a few times of one particle are measured
  and the whole is their time multiplied up.
- dense_eigen: numpy.linalg.eig once per particle, then every time from the eigenvalues. What it loses where
  eigenvectors are nearly parallel shows in its relative difference.
- dense_steps: two dense exponentials, of the first time and of the step, then a product per time; equally spaced times
  only.

A handful of particles is measured; for more the time is that of one times their number, because the peers handle one
particle after the other.

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
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

# Sojourn certifies every density to a relative error of 1e-9; scipy is closer than that here.
AGREEMENT = 1e-9
# Times of the batch whose exponentials are measured: enough that the batch counts and few enough to wait for.
BATCH = 4


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


def dense_chain(chain):
    matrix, exit_rates, _ = chain
    return matrix.T.toarray(), exit_rates


def all_times(times):
    return np.linspace(*times[:2], times[2])


def batched_expm_seconds(chain, start, times):
    """Processor time of one particle from a batch of evenly chosen times, and the batch's densities."""
    sub_intensity, exit_rates = dense_chain(chain)
    chosen = all_times(times)[:: max(1, times[2] // BATCH)][:BATCH]
    began = time.process_time()
    density = start @ scipy.linalg.expm(chosen[:, None, None] * sub_intensity) @ exit_rates
    seconds = time.process_time() - began
    return seconds / len(chosen) * times[2], chosen, density


def dense_eigen(chain, start, times):
    sub_intensity, exit_rates = dense_chain(chain)
    values, vectors = np.linalg.eig(sub_intensity)
    weights = (start @ vectors) * np.linalg.solve(vectors, exit_rates.astype(vectors.dtype))
    density = np.exp(np.outer(all_times(times), values)) @ weights
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.log(density.real).sum())


def dense_steps(chain, start, times):
    sub_intensity, exit_rates = dense_chain(chain)
    first, last, num = times
    state = start @ scipy.linalg.expm(first * sub_intensity)
    step = scipy.linalg.expm((last - first) / (num - 1) * sub_intensity)
    density = np.empty(num)
    for i in range(num):
        density[i] = state @ exit_rates
        state = state @ step
    return float(np.log(density).sum())


def measure(method, chains, start, times, ours, repetitions):
    """Processor seconds of one particle per repetition, and the largest relative difference from our values."""
    seconds, difference = [], 0.0
    for _ in range(repetitions):
        began = time.process_time()
        values = [method(chain, start, times) for chain in chains]
        seconds.append((time.process_time() - began) / len(chains))
        difference = max(abs(a - b) / abs(b) for a, b in zip(values, ours))
    return seconds, difference


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--repetitions", type=int, default=5)
    arguments = parser.parse_args()
    chains, start, times = read_chains(arguments.folder)
    ours = [float(row[0]) for row in rows(arguments.folder / "log_likelihood.csv")]

    log_likelihood(chains[0], start, (*times[:2], 10))  # imports and caches are warm before the clock starts
    peers = {}
    for name, method, num_particles in (
        ("expm_multiply", log_likelihood, len(chains)),
        ("dense_steps", dense_steps, 2),
        ("dense_eigen", dense_eigen, 2),
    ):
        seconds, difference = measure(
            method, chains[:num_particles], start, times, ours[:num_particles], arguments.repetitions
        )
        peers[name] = {
            "seconds_per_particle": seconds,
            "num_particles": num_particles,
            # null where a density came out negative
            "relative_difference": difference if np.isfinite(difference) else None,
        }
    difference = peers["expm_multiply"]["relative_difference"]
    if difference is None or not difference <= AGREEMENT:
        raise SystemExit(f"scipy and Sojourn disagree: relative difference {difference} of the log-likelihood")
    batches = [batched_expm_seconds(chains[0], start, times) for _ in range(arguments.repetitions)]
    _, chosen, density = batches[0]
    matrix, exit_rates, trace = chains[0]
    check = [scipy.sparse.linalg.expm_multiply(t * matrix, start, traceA=t * trace) @ exit_rates for t in chosen]
    peers["batched_expm"] = {
        "seconds_per_particle": [seconds for seconds, _, _ in batches],
        "num_particles": 1,
        "num_times": len(chosen),
        "relative_difference": float(np.max(np.abs(density / check - 1))),
    }
    arguments.output.write_text(
        json.dumps(
            {"scipy": scipy.__version__, "numpy": np.__version__, "num_times": times[2], "peers": peers}, indent=2
        )
    )


if __name__ == "__main__":
    main()
