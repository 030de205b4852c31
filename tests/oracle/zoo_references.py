#!/usr/bin/env python3
"""Reference values of the accuracy zoo with enclosures below 1e-30, by ball arithmetic (python-flint).

Usage (python-flint in a virtual environment outside the repository):
    python tests/oracle/zoo_references.py tests/zoo             # every chain, about ten minutes
    python tests/oracle/zoo_references.py tests/zoo NAME ...    # these chains anew, the others as they are
    python tests/oracle/zoo_references.py tests/zoo missing     # those that have no references yet

Writes models.json (model files, parameters, why each is hard) and references.json (25 significant digits).

Method. State spaces are explored in Python (zoo_processes.py). Moments, covariances and times per state by the inverse of
A, Laplace transforms by a solve forwards and one backwards; transient laws by exp(Qt) of the generator with its absorbing
state: the Taylor series of the non-negative matrix Q + rate I with an enclosed remainder, squared as often as needed;
discrete laws by powers. Everything carries its derivatives along (zoo_dual.py), so a gradient is a Frechet derivative and
no difference. Working precision is doubled until every ball is narrower than 1e-30 of its value; a derivative that stays
a ball around zero below 1e-60 of its scale is zero.

Points: quantile-like, from cdf = e^-level through the bulk to survival = e^-level (level 700 and for some chains 2,800),
each a double and a short sum of powers of two.
"""
import json
import math
import os
import sys
import time

from flint import arb, ctx

from golden_numbers import Number, dump
from zoo_chains import CHAINS
from zoo_dual import Scalar, exact
from zoo_law import Law, Moments, System, laplace, log_values

BITS = 100  # 1e-30
LEFT = (2800, 700, 200, 60, 20, 7, 3)
RIGHT = (0.7, 2, 7, 20, 60, 200, 700, 2800)
LAPLACE = (1e-2, 0.3, 1.0, 10.0, 1e3, 1e6)


class Imprecise(Exception):
    pass


def digits(value):
    """25 significant digits; null above the range of double, 0 below it."""
    if abs(value) > arb("1e308"):
        return None
    if value == 0 or abs(value) < arb("1e-300"):
        return 0.0
    if value.rel_accuracy_bits() < BITS:
        raise Imprecise
    return Number(value.str(25, radius=False))


def slope_digits(scalar, theta, scale=None):
    """Derivatives by every parameter; `scale` is what they are compared with, 1 for logarithms."""
    answer = []
    for k, parameter in enumerate(theta):
        d = scalar.slopes.get(k, arb(0))
        if d.rel_accuracy_bits() < BITS and d.contains(0):
            limit = (scale if scale is not None else arb(1)) * arb("1e-60")
            if not abs(d) * exact(parameter) < limit:
                raise Imprecise
            answer.append(0.0)
        else:
            answer.append(digits(d))
    return answer


def time_at(index):
    """Grid of doubles of four bits: 8..15 times a power of two."""
    return 8 + index % 8, index // 8


def first_above(low, high, is_above):
    """Smallest index in (low, high] with is_above, which is monotone; None if there is none."""
    if not is_above(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_above(middle) else (middle, high)
    return high


def choose_points(chain, mean):
    """Grid indices (continuous) or counts."""
    ctx.prec = 192
    law = Law(System(chain, with_slopes=False), System(chain, with_slopes=False).reward(chain, chain.reward))
    positive = float((1 - law.atom.value).log())
    cache = {}

    def logs(index):
        if index not in cache:
            values = law.at(*((index, 0) if law.discrete else time_at(index)))
            cache[index] = [float(x.value.log()) - positive if x.value > 0 else -math.inf for x in (values[3], values[2])]
        return cache[index]

    if law.discrete:
        points = {0, 1, 2, 3, 4, 5, 7, 10, 16}
        low, high = 0, max(4, int(4 * mean))
        while logs(high)[1] > -chain.level and logs(high)[1] > -math.inf:
            high *= 2
    else:
        centre = 8 * math.floor(math.log2(mean))
        low, high = centre - 8 * 100, centre + 8
        points = {centre - 8 * 40}
        while logs(high)[1] > -chain.level:
            high += 8
    for side, sign, levels in ((0, 1, LEFT), (1, -1, RIGHT)):
        for level in levels:
            if level <= chain.level:
                found = first_above(low, high, lambda i: sign * logs(i)[side] > -sign * level)
                points.add(high if found is None else found)
    if law.discrete:
        return sorted((n, 0) for n in points if n < 2**53)
    return [time_at(i) for i in sorted(points)]


def at_precision(chain, points, bits):
    ctx.prec = bits
    system = System(chain)
    theta = chain.theta
    reward = system.reward(chain, chain.reward)
    moments = Moments(system)
    result = {}
    raw = moments.raw(reward, chain.orders)
    result["moments"] = [digits(x.value) for x in raw]
    result["moments_gradient"] = [slope_digits(x, theta, x.value) for x in raw[:6]]
    if chain.together:
        rewards = [system.reward(chain, name) for name in chain.together]
        covariance = moments.covariance(rewards)
        result["covariance"] = [digits(x.value) for x in covariance]
        size = len(rewards)
        result["covariance_gradient"] = [
            slope_digits(x, theta, (covariance[i // size * (size + 1)].value * covariance[i % size * (size + 1)].value).sqrt())
            for i, x in enumerate(covariance)]
    if chain.explicit:
        result["sojourn"] = [0.0] * chain.graph.num_states
        for state, x in zip(system.states, moments.sojourn()):
            result["sojourn"][state] = digits(x.value)
    mean = float(raw[0].value)
    result["laplace_s"] = [f / mean for f in LAPLACE]
    transforms = [laplace(system, reward, exact(s)) for s in result["laplace_s"]]
    result["laplace"] = [digits(x.value) for x in transforms]
    result["laplace_gradient"] = [slope_digits(x, theta, x.value) for x in transforms]
    if not points:
        return result
    law = Law(system, reward)
    result["atom"] = digits(law.atom.value) if law.atom.value.rel_accuracy_bits() >= BITS else 0.0
    result["points"] = [m * 2.0**e for m, e in points]
    names = ("log_pdf", "log_cdf", "log_survival")
    for name in names:
        result[name], result[name + "_gradient"] = [], []
    for point in points:
        for name, x in zip(names, log_values(law.at(*point))):
            result[name].append(None if x is None else digits(x.value))
            result[name + "_gradient"].append([] if x is None else slope_digits(x, theta))
    if chain.explicit:
        time_law = law if chain.reward == "time" else Law(system, system.reward(chain, "time"))
        spread = [f * mean for f in (0.1, 1.0, 5.0)]
        when = [(max(1, round(t)), 0) for t in spread] if law.discrete else [four_bits(t) for t in spread]
        result["state_times"] = [m * 2.0**e for m, e in when]
        result["state_probability"] = []
        for point in when:
            row = [0.0] * chain.graph.num_states
            probabilities = time_law.row(*point)
            for i, state in enumerate(system.states):
                row[state] = digits(probabilities[0, i].value)
            result["state_probability"].append(row)
    return result


def four_bits(t):
    mantissa, exponent = math.frexp(t)
    return min(max(round(mantissa * 16), 8), 15), exponent - 4


def reference(chain):
    ctx.prec = 192
    mean = float(Moments(System(chain, with_slopes=False)).raw(
        System(chain, with_slopes=False).reward(chain, chain.reward), 1)[0].value)
    points = choose_points(chain, mean) if chain.law else []
    bits = 320
    while True:
        try:
            result = at_precision(chain, points, bits)
            return result, bits
        except (Imprecise, ZeroDivisionError):
            bits *= 2
            assert bits < 30000, chain.name


def write(folder, references):
    entries = [f"{json.dumps(c.name)}: {dump(references[c.name])}" for c in CHAINS if c.name in references]
    with open(os.path.join(folder, "references.json"), "w") as target:
        target.write("{\n" + ",\n".join(entries) + "\n}\n")


def main():
    folder, only = sys.argv[1], set(sys.argv[2:])
    models = [{"name": c.name, "group": c.group, "why": c.why, "model": c.model, "theta": c.theta, "reward": c.reward,
               "together": list(c.together), "num_transient": len(c.graph.transient)} for c in CHAINS]
    with open(os.path.join(folder, "models.json"), "w") as target:
        target.write("[\n" + ",\n".join(json.dumps(m) for m in models) + "\n]\n")
    references = {}
    if only and os.path.exists(os.path.join(folder, "references.json")):
        with open(os.path.join(folder, "references.json")) as source:
            references = json.load(source, parse_float=Number)
    if only == {"missing"}:
        only = {c.name for c in CHAINS} - set(references)
    elif not only:
        only = {c.name for c in CHAINS}
    for chain in CHAINS:
        if chain.name not in only:
            continue
        begin = time.time()
        references[chain.name], bits = reference(chain)
        write(folder, references)
        print(f"{chain.name}: {bits} bits, {time.time() - begin:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
