#!/usr/bin/env python3
"""High-precision reference values for the zoo: transient laws, their gradients, moments, Laplace transforms.

Usage (half a minute for the small chains, minutes for each long queue; python-flint in a virtual environment outside
the repository):
    dump_zoo > zoo.json                                    # see dump_zoo.cpp
    python make_golden.py zoo.json golden_law.json         # every chain
    python make_golden.py zoo.json golden_law.json NAME... # these chains anew, the file's others as they are

Method. Chains of up to 60 states: ball arithmetic (Arb) at 600 bits, so every printed digit is proved up to the finite
differences below. exp(Qt) of the generator with its absorbing state is a Taylor series of the non-negative matrix
Q + rate*I followed by squarings, so each entry keeps its relative accuracy however small it is; the squarings also
serve all times, which are (1..15) * 2^j. Discrete chains: powers of the one-step matrix. Queues beyond that: the
transform of the passage to 0 by its backward recursion, inverted along the saddle's parabola by the trapezoid rule,
halving the step until 32 digits stand still; queues beyond 1000 states are left out (from 1 customer their law is that
of the queue with 1000 to all digits as long as log pdf > -800). Gradients: central differences with relative step 2^-100 (error 2^-200),
or forward derivatives in the queue recursion.

Output: one object per chain with `times` (doubles), `log_pdf`, `log_cdf`, `log_survival` (null where the value is 0),
gradients by phi `[time][phi]`, and for smaller chains `moments` E[Y^1..30], their gradients `[k][phi]` (null above 1e308), and `laplace`
E[exp(-s Y)] at `laplace_s` with gradients. Discrete chains: pdf is the probability mass. 25 significant digits.
"""
import json
import math
import os
import sys

from flint import arb, arb_mat, ctx

from golden_numbers import Number, digits, dump, exact, four_bits
from golden_queue import queue_case

BITS = 600
DIFFERENCE = 100  # central differences: step phi * 2^-100
DENSE_LIMIT = 60
QUEUE_LIMIT = 1001
MOMENT_LIMIT = 200


class Law:
    """Reduced chain at one phi: one-step or generator blocks over the rewarded states that the start can reach."""

    def __init__(self, chain, phi):
        size = chain["states"]
        discrete = chain["discrete"]
        reward = chain["reward"]
        edges = []
        for source, target, base, terms in chain["edges"]:
            weight = exact(base)
            for k, coefficient in terms:
                weight += exact(coefficient) * phi[k]
            if source != target:
                edges.append((source, target, weight))
        out = {}
        for source, target, _ in edges:
            out.setdefault(source, []).append(target)
        reached, stack = set(), [s for s, _ in chain["initial"]]
        while stack:
            state = stack.pop()
            if state not in reached:
                reached.add(state)
                stack += out.get(state, [])
        transient = [s for s in sorted(reached) if s in out]
        kept = [s for s in transient if reward[s] > 0]
        zero = [s for s in transient if reward[s] == 0]
        index = {s: i for i, s in enumerate(kept + zero)}
        m, n = len(kept), len(kept) + len(zero)
        full = [[arb(0)] * n for _ in range(n)]
        exits = [arb(0)] * n
        start = [arb(0)] * n
        total = arb(0)
        for source, target, weight in edges:
            if source in index:
                i = index[source]
                full[i][i] -= weight
                if target in index:
                    full[i][index[target]] += weight
                else:
                    exits[i] += weight
        for state, probability in chain["initial"]:
            if state in index:
                start[index[state]] += exact(probability)
        self.size, self.discrete = m, discrete
        self.matrix = [row[:m] for row in full[:m]]
        self.exit = exits[:m]
        self.alpha = start[:m]
        if zero and m:
            a = arb_mat(n - m, n - m, [-full[i][j] for i in range(m, n) for j in range(m, n)])
            rhs = arb_mat(n - m, m + 1, [x for i in range(m, n) for x in full[i][:m] + [exits[i]]])
            onward = a.solve(rhs)
            for i in range(m):
                for z in range(n - m):
                    if full[i][m + z] != 0:
                        for j in range(m):
                            self.matrix[i][j] += full[i][m + z] * onward[z, j]
                        self.exit[i] += full[i][m + z] * onward[z, m]
            for z in range(n - m):
                for j in range(m):
                    self.alpha[j] += start[m + z] * onward[z, j]
        for i, state in enumerate(kept):
            if not discrete:
                r = exact(reward[state])
                self.matrix[i] = [x / r for x in self.matrix[i]]
                self.exit[i] /= r
            else:
                self.matrix[i][i] += 1
        self.atom = 1 - sum(self.alpha, arb(0))
        if abs(self.atom) < arb("1e-100"):
            self.atom = arb(0)
        self.powers = {}

    def augmented(self):
        m = self.size
        rows = [self.matrix[i] + [self.exit[i]] for i in range(m)]
        rows.append([arb(0)] * m + [arb(1 if self.discrete else 0)])
        return arb_mat(rows)

    def prepare(self):
        """exp(Q 2^lowest), from which all higher powers follow by squaring; discrete: one step."""
        self.lowest = 0
        if self.discrete:
            self.powers = {0: self.augmented()}
            return
        rate = max(float((-self.matrix[i][i]).upper()) for i in range(self.size)) * 1.01
        self.lowest = math.floor(math.log2(2.0**-20 / rate))
        q = self.augmented()
        n = self.size + 1
        self.shift = exact(rate)
        self.positive = arb_mat(n, n, [q[i, j] + (self.shift if i == j else 0) for i in range(n) for j in range(n)])
        positive = self.positive * arb(2) ** self.lowest
        term = arb_mat(n, n, [1 if i == j else 0 for i in range(n) for j in range(n)])
        total = term
        for k in range(1, self.taylor_terms() + 1):
            term = term * positive * (arb(1) / k)
            total = total + term
        self.powers = {self.lowest: total * (-self.shift * arb(2) ** self.lowest).exp()}

    def taylor_terms(self):
        """An entry at distance d needs d terms before its series starts, then each term brings 2^-20."""
        return self.size + 1 + BITS // 20 + 4

    def power(self, j):
        top = max(self.powers)
        while top < j:
            self.powers[top + 1] = self.powers[top] * self.powers[top]
            top += 1
        return self.powers[j]

    def propagate(self, multiple, exponent):
        """Row vector alpha exp(Q multiple 2^exponent) over states and absorption."""
        row = arb_mat([self.alpha + [arb(0)]])
        if not self.discrete and exponent < self.lowest:
            t = arb(multiple) * arb(2) ** exponent
            total = row
            for k in range(1, self.taylor_terms() + 1):
                row = row * self.positive * (t / k)
                total = total + row
            total = total * (-self.shift * t).exp()
            return [total[0, i] for i in range(self.size + 1)]
        bit = 0
        while multiple >> bit:
            if multiple >> bit & 1:
                row = row * self.power(exponent + bit)
            bit += 1
        return [row[0, i] for i in range(self.size + 1)]

    def at(self, multiple, exponent):
        """Density (mass), cdf, survival at multiple * 2^exponent."""
        if self.size == 0:
            return self.atom if self.discrete and multiple == 0 else arb(0), self.atom, arb(0)
        row = self.propagate(multiple, exponent)
        density = sum((row[i] * self.exit[i] for i in range(self.size)), arb(0))
        survival = sum(row[: self.size], arb(0))
        if self.discrete:
            if multiple == 0:
                density = self.atom
            else:
                before = self.propagate(multiple - 1, 0)
                density = sum((before[i] * self.exit[i] for i in range(self.size)), arb(0))
        return density, self.atom + row[self.size], survival

    def moments(self, order):
        m = self.size
        if m == 0:
            return [arb(0)] * order
        a = arb_mat(m, m, [(1 if self.discrete and i == j else 0) - self.matrix[i][j] for i in range(m) for j in range(m)])
        inverse = a.inv()
        x = arb_mat([[arb(1)]] * m)
        alpha = arb_mat([self.alpha])
        result = []
        step = arb_mat(self.matrix)
        factorial = arb(1)
        for k in range(1, order + 1):
            factorial *= k
            x = inverse * x
            if self.discrete and k > 1:
                x = step * x
            result.append(factorial * (alpha * x)[0, 0])
        if self.discrete:  # factorial moments to raw ones by Stirling numbers of the second kind
            stirling = [1]
            raw = []
            for k in range(1, order + 1):
                stirling = [(stirling[j] * j if j < len(stirling) else 0) + (stirling[j - 1] if j else 0) for j in range(k + 1)]
                raw.append(sum((result[j - 1] * stirling[j] for j in range(1, k + 1)), arb(0)))
            return raw
        return result

    def laplace(self, s):
        m = self.size
        if m == 0:
            return self.atom
        z = (-s).exp()
        if self.discrete:
            a = arb_mat(m, m, [(1 if i == j else 0) - z * self.matrix[i][j] for i in range(m) for j in range(m)])
            rhs = arb_mat([[z * b] for b in self.exit])
        else:
            a = arb_mat(m, m, [(s if i == j else 0) - self.matrix[i][j] for i in range(m) for j in range(m)])
            rhs = arb_mat([[b] for b in self.exit])
        return self.atom + (arb_mat([self.alpha]) * a.solve(rhs))[0, 0]


def choose_times(law, mean):
    """Times from log pdf (or, at the right, log survival) near -2800 through the bulk."""
    if law.discrete:
        law.prepare()
        n1 = max(64, int(40 * mean))
        slope = float((law.at(n1, 0)[2].log() - law.at(2 * n1, 0)[2].log())) / n1
        offset = float(law.at(n1, 0)[2].log()) + slope * n1
        times = {0, 1, 2, 3, 4, 5, 7, 10, 16} | {int(mean * f) for f in (0.3, 1, 2, 4)}
        times |= {int((offset + level) / slope) for level in (30, 100, 745, 2800)}
        return [(n, 0) for n in sorted(times)]
    low = math.floor(math.log2(mean)) - 45
    law.prepare()
    first, second = law.at(1, low)[0], law.at(2, low)[0]
    order = float((second / first).log() / arb(2).log())  # log f ~ order * log t + constant
    constant = float(first.log()) - order * low * math.log(2)
    times = [mean * f for f in (2.0**-40, 1e-6, 1e-3, 0.02, 0.1, 0.3, 0.6, 1, 1.5, 2.5, 5, 12)]
    if order > 0.5:
        times += [math.exp((-level - constant) / order) for level in (2800, 745, 200, 60)]
    long_time = four_bits(60 * mean)
    t1 = long_time[0] * 2.0 ** long_time[1]
    s1, s2 = law.at(*long_time)[2].log(), law.at(long_time[0], long_time[1] + 1)[2].log()
    slope = float(s1 - s2) / t1
    offset = float(s1) + slope * t1
    times += [(offset + level) / slope for level in (30, 100, 745, 2800)]
    return sorted({four_bits(t) for t in times if t > 0}, key=lambda p: p[0] * 2.0 ** p[1])


def log_values(law, point):
    """Logs of density, cdf, survival; of cdf and survival the larger comes from the smaller, which is not rounded to 1."""
    density, cdf, survival = law.at(*point)
    log_cdf = None if cdf == 0 else (-survival).log1p() if survival < 0.5 else cdf.log()
    log_survival = None if survival == 0 else (-cdf).log1p() if cdf < 0.5 else survival.log()
    return [None if density == 0 else density.log(), log_cdf, log_survival]


def dense_case(chain, with_law):
    ctx.prec = BITS
    phi = [exact(p) for p in chain["phi"]]
    law = Law(chain, phi)
    moments = law.moments(30)
    mean = float(moments[0])
    result = {}
    shifted = []
    for k in range(len(phi)):
        step = phi[k] * arb(2) ** -DIFFERENCE
        pair = [Law(chain, [p + (sign * step if i == k else 0) for i, p in enumerate(phi)]) for sign in (1, -1)]
        shifted.append((step, pair))

    def difference(function):
        gradient = []
        for step, (up, down) in shifted:
            a, b = function(up), function(down)
            gradient.append([(x - y) / (2 * step) if x is not None and y is not None else arb(0) for x, y in zip(a, b)])
        return gradient  # [phi][value]

    def rounded(x):
        # A zero derivative is a ball around zero, whose digits are not known; it is far below any other scale.
        if x is not None and x.rel_accuracy_bits() <= 85 and abs(x) < arb(2) ** -150:
            return 0.0
        return digits(x)

    if with_law:
        points = choose_times(law, mean) if law.size else [(0, 0), (1, 0)]
        if law.size:
            for one in [law] + [x for _, pair in shifted for x in pair]:
                one.prepare()
        result["times"] = [m * 2.0**e for m, e in points]
        names = ("log_pdf", "log_cdf", "log_survival")
        for name in names:
            result[name], result[name + "_gradient"] = [], []
        for point in points:
            values = log_values(law, point)
            gradient = difference(lambda one: log_values(one, point))
            for i, name in enumerate(names):
                result[name].append(rounded(values[i]) if values[i] is not None else None)
                result[name + "_gradient"].append([rounded(g[i]) for g in gradient])
    result["moments"] = [digits(x) for x in moments]
    gradient = difference(lambda one: [m.log() if m != 0 else None for m in one.moments(30)])
    result["moments_gradient"] = [[0.0 if rounded(g[k]) == 0 else digits(g[k] * moments[k]) for g in gradient] for k in range(30)]
    scale = mean if mean > 0 else 1.0
    result["laplace_s"] = [f / scale for f in (1e-3, 0.1, 1.0, 10.0, 1e3)]
    result["laplace"] = [digits(law.laplace(exact(s))) for s in result["laplace_s"]]
    gradient = difference(lambda one: [one.laplace(exact(s)) for s in result["laplace_s"]])
    result["laplace_gradient"] = [[rounded(g[i]) for g in gradient] for i in range(5)]
    return result


def main():
    with open(sys.argv[1]) as source:
        chains = json.load(source)
    only = sys.argv[3:]
    golden = {}
    if only and os.path.exists(sys.argv[2]):
        with open(sys.argv[2]) as source:
            golden = json.load(source, parse_float=Number)
    for chain in chains:
        name = chain["name"]
        if chain["states"] > QUEUE_LIMIT or (only and name not in only):
            continue
        print(name, file=sys.stderr)
        entry = {"phi": chain["phi"]}
        if chain["states"] <= DENSE_LIMIT:
            entry.update(dense_case(chain, with_law=True))
        else:
            _, capacity, _, start = name.split("_")
            if chain["states"] <= MOMENT_LIMIT:
                entry.update(dense_case(chain, with_law=False))
            entry.update(queue_case(int(capacity), int(start), *chain["phi"], lambda line: print(line, file=sys.stderr)))
        golden[name] = entry
    with open(sys.argv[2], "w") as target:
        target.write("{\n")
        for i, (name, entry) in enumerate(golden.items()):
            target.write(("" if i == 0 else ",\n") + json.dumps(name) + ": " + dump(entry))
        target.write("\n}\n")


if __name__ == "__main__":
    main()
