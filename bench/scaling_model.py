"""What an iteration costs on K ranks: a model of four terms, fitted to measured rows, and one of GPUs from assumed constants.

    seconds(n, K) = row ceil(n / K) + pair n ceil(n / K) + byte bytes + doubling log2 K

Rows of the evaluation, pairs of the directions (each rank sums its rows over all particles), bytes that a rank sends over a
bandwidth, and a latency for each doubling of the ranks. All constants are 0 or more.
"""

import itertools
import math
from dataclasses import dataclass

BELIEVED, EXACT = 0.75, 1e-9
# In the order in which they are believed where rows tell them apart no better: at kilobytes latency outweighs bandwidth.
TERMS = ("row", "doubling", "pair", "byte")


def columns(particles, ranks, sent):
    """What each term is multiplied by."""
    rows = math.ceil(particles / ranks)
    return {"row": rows, "pair": particles * rows, "byte": sent, "doubling": math.log2(ranks)}


def bytes_sent(particles, dimension, ranks):
    """An iteration's, of one rank: the log density, the score and the direction of every particle."""
    return 8 * particles * (1 + 2 * dimension) if ranks > 1 else 0


def seconds_of(constants, particles, ranks, sent):
    return sum(constants.get(term, 0.0) * value for term, value in columns(particles, ranks, sent).items())


@dataclass
class Fit:
    constants: dict  # seconds, by term; terms that are not in it are 0
    left_out: list   # terms that the rows do not tell from others, or that are not felt
    error: float     # root of the mean squared relative residual


def fit(measured):
    """`measured`: (particles, ranks, bytes, seconds) each. Least squares of relative residuals over every set of terms that
    the rows can tell apart, without negative constants: fewer than there are different settings, so that something is left to
    err, and a further term has to take a quarter off the error to be believed."""
    rows = [([columns(n, k, sent)[term] / seconds for term in TERMS]) for n, k, sent, seconds in measured]
    best = None
    settings = len({(n, k) for n, k, _, _ in measured})
    for count in range(1, max(1, min(len(TERMS), settings - 1)) + 1):
        found = None
        for used in itertools.combinations(range(len(TERMS)), count):
            solution = least_squares([[row[k] for k in used] for row in rows])
            if solution is None or min(solution) <= 0:
                continue
            residuals = [sum(x * row[k] for x, k in zip(solution, used)) - 1 for row in rows]
            error = math.sqrt(sum(r * r for r in residuals) / len(rows))
            if found is None or error < BELIEVED * found.error:
                constants = {TERMS[k]: x for x, k in zip(solution, used)}
                found = Fit(constants, [t for t in TERMS if t not in constants], error)
        if found and (best is None or best.error > EXACT and found.error < BELIEVED * best.error):
            best = found
    return best


def least_squares(matrix):
    """x of matrix x = 1 by Gaussian elimination of the normal equations, columns scaled to length 1; None where they hardly
    differ."""
    size = len(matrix[0])
    length = [math.sqrt(sum(row[k] ** 2 for row in matrix)) for k in range(size)]
    if min(length) == 0:
        return None
    matrix = [[x / l for x, l in zip(row, length)] for row in matrix]
    a = [[sum(row[i] * row[j] for row in matrix) for j in range(size)] + [sum(row[i] for row in matrix)] for i in range(size)]
    for k in range(size):
        pivot = max(range(k, size), key=lambda i: abs(a[i][k]))
        if abs(a[pivot][k]) < 1e-9:
            return None
        a[k], a[pivot] = a[pivot], a[k]
        for i in range(size):
            if i != k:
                factor = a[i][k] / a[k][k]
                a[i] = [x - factor * y for x, y in zip(a[i], a[k])]
    return [a[k][size] / a[k][k] / length[k] for k in range(size)]


@dataclass
class Gpu:
    """Constants of one NVIDIA H200 and what joins several. None is measured."""

    lanes: int = 132 * 32     # particles that fill its processors: 32 lanes on each of 132 (decision 0025)
    wave: float = 57e-3 / 3   # seconds of up to so many: 46 ms of nodes and 11 ms of checks for 10,000, which are three waves
    pair: float = 1.9e-12     # 19 ms for 100,000 particles (docs/device.md)
    repeated: float = 1e-9    # a particle, on every GPU: 0.1 ms for 100,000 (decision 0031)
    latency: float = 20e-6    # of an exchange and doubling; there are two (decision 0031)
    per_node: int = 8
    inside: float = 1e11      # bytes a second among the GPUs of a node (decision 0031)
    between: float = 2.5e10   # and between nodes: assumed, nobody's figure

    def seconds(self, particles, gpus, dimension):
        rows = math.ceil(particles / gpus)
        evaluation = self.wave * math.ceil(rows / self.lanes)
        directions = self.pair * particles * rows
        sent = 8 * particles * (2 * dimension + 4) if gpus > 1 else 0
        rate = self.inside if gpus <= self.per_node else self.between
        return evaluation + directions + self.repeated * particles + sent / rate + 2 * self.latency * math.log2(gpus)


def efficiency(alone, seconds, ranks):
    return alone / (ranks * seconds)
