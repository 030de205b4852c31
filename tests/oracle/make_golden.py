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

from flint import acb, arb, arb_mat, ctx, fmpq

BITS = 600
DIFFERENCE = 100  # central differences: step phi * 2^-100
DENSE_LIMIT = 60
QUEUE_LIMIT = 1001
MOMENT_LIMIT = 200


def digits(value):
    """25 significant digits as a JSON number; null for -inf and above the range of double; 0 below it."""
    if value is None or abs(value) > arb("1e308"):
        return None
    if value == 0 or abs(value) < arb("1e-300"):
        return 0.0
    assert value.rel_accuracy_bits() > 85, value
    return Number(value.str(25, radius=False))


class Number(float):
    """A float that json writes with all the digits of its text."""

    def __new__(cls, text):
        self = super().__new__(cls, float(text))
        self.text = text
        return self

    def __repr__(self):
        return self.text


def exact(x):
    numerator, denominator = float(x).as_integer_ratio()
    return arb(fmpq(numerator, denominator))


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


def four_bits(t):
    """The nearest (8..15) * 2^j, so that the time is a double and a short sum of powers of two."""
    mantissa, exponent = math.frexp(t)
    multiple = min(max(round(mantissa * 16), 8), 15)
    return multiple, exponent - 4


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


class QueueTransform:
    """Passage of the M/M/1/K queue from `start` to 0: product of h_i, h_i = mu / (lam + mu + s - lam h_{i+1})."""

    def __init__(self, capacity, start, birth, death):
        self.capacity, self.start, self.birth, self.death = capacity, start, birth, death

    def log_and_slope(self, s):
        """(log D, D'/D) at real s in double precision, or None left of the first singularity."""
        h = dh = 0.0
        total = slope = 0.0
        for i in range(self.capacity, 0, -1):
            lam = self.birth if i < self.capacity else 0.0
            den = lam + self.death + s - lam * h
            if den <= 0:
                return None
            h, dh = self.death / den, -self.death / den**2 * (1 - lam * dh)
            if i <= self.start:
                total += math.log(h)
                slope += dh / h
        return total, slope

    def derivatives(self, s, lam, mu):
        """D and its derivatives by lam and mu. The recursion is a contraction: once it stands still it stays."""
        den = mu + s
        h = mu / den
        by_lam = acb(0)
        by_mu = 1 / den - h / den
        product, log_lam, log_mu = acb(1), acb(0), acb(0)
        i = self.capacity
        tiny = arb(2) ** (-ctx.prec + 20)
        while True:
            count = 1 if i <= self.start else 0
            if count:
                product *= h
                inverse = 1 / h
                log_lam += by_lam * inverse
                log_mu += by_mu * inverse
            i -= 1
            if i == 0:
                break
            den = lam + mu + s - lam * h
            inverse = 1 / den
            new_h = mu * inverse
            ratio = new_h * inverse
            new_lam = -ratio * (1 - h - lam * by_lam)
            new_mu = inverse - ratio * (1 - lam * by_mu)
            # The midpoints carry the recursion; its contraction forgets their rounding.
            new_h, new_lam, new_mu = new_h.mid(), new_lam.mid(), new_mu.mid()
            still = (
                abs(new_h - h) < tiny * abs(new_h)
                and abs(new_lam - by_lam) < tiny * abs(new_lam)
                and abs(new_mu - by_mu) < tiny * abs(new_mu)
            )
            h, by_lam, by_mu = new_h, new_lam, new_mu
            if still:
                counted = min(i, self.start)
                product *= h**counted
                log_lam += by_lam / h * counted
                log_mu += by_mu / h * counted
                break
        return product, product * log_lam, product * log_mu


def queue_case(capacity, start, birth, death, progress):
    ctx.prec = 260
    transform = QueueTransform(capacity, start, birth, death)
    lam, mu = exact(birth), exact(death)
    low = -((math.sqrt(death) - math.sqrt(birth)) ** 2) * (1 + 40 / capacity**2)
    edge_left, edge_right = low * 1.5 - 1e-9, 0.0
    for _ in range(60):  # first singularity -lambda_1
        middle = 0.5 * (edge_left + edge_right)
        if transform.log_and_slope(middle) is None:
            edge_left = middle
        else:
            edge_right = middle
    decay = -edge_right

    def saddle(t, kind):
        """Minimum of s t + log of the transform: pdf D, cdf D / s (s > 0), survival (1 - D) / s."""

        def rising(s):
            value = transform.log_and_slope(s)
            if kind == "pdf":
                return t + value[1] > 0
            if kind == "cdf":
                return t + value[1] - 1 / s > 0
            if abs(s) < 1e-9:
                return None
            d = math.exp(value[0]) if value[0] < 700 else math.inf
            ratio = value[1] * d / (1 - d) if math.isfinite(d) else -value[1]
            return t - ratio - 1 / s > 0

        left = -decay * (1 - 1e-13) if kind != "cdf" else 0.0
        right = max(1.0, 4 * (start + 2) / t)
        for _ in range(70):
            middle = left + (right - left) * (0.5 if right - left < 10 * (left + decay) else 0.02)
            state = rising(middle)
            if state is None or state:
                right = middle
            else:
                left = middle
        s = 0.5 * (left + right)
        return 1e-6 * (1 + decay) if abs(s) < 1e-7 else s

    def integrate(t, kind):
        apex = saddle(t, kind)
        distance = apex + (0 if kind == "cdf" else decay)
        # A parabola opening to the left around the singularities; any curvature is valid, this one balances decay.
        curvature = 1 / (4 * distance)
        s0, c, tt = exact(apex), exact(curvature), exact(t)
        offset = s0 * tt

        def value(y):
            s = acb(s0 - c * y * y, y)
            velocity = acb(1, 2 * c * y)  # ds / (i dy)
            d, d_lam, d_mu = transform.derivatives(s, lam, mu)
            weight = ((s - s0) * tt).exp() * velocity
            if kind == "cdf":
                weight /= s
            elif kind == "survival":
                weight /= s
                d, d_lam, d_mu = 1 - d, -d_lam, -d_mu
            return [(weight * x).real.mid() for x in (d, d_lam, d_mu)]

        step = exact(2.0 ** math.floor(math.log2(min(distance, math.sqrt(4 * distance / t)) / 2)))
        small = arb("1e-45")

        def sweep(first, stride):
            total = [arb(0)] * 3
            y = first
            quiet = 0
            while quiet < 3:
                terms = value(y)
                total = [a + b for a, b in zip(total, terms)]
                quiet = quiet + 1 if all(abs(b) <= small * scale[i] for i, b in enumerate(terms)) else 0
                y += stride
            return total

        centre = value(arb(0))
        scale = [abs(x) + abs(centre[0]) * arb("1e-10") for x in centre]
        total = [a / 2 + b for a, b in zip(centre, sweep(step, step))]
        for _ in range(8):
            finer = [a + b for a, b in zip(total, sweep(step / 2, step))]
            step = step / 2
            same = all(abs(finer[i] - 2 * total[i]) <= arb("1e-32") * (abs(finer[i]) + (0 if i == 0 else abs(finer[0]) * arb("1e-6"))) for i in range(3))
            total = finer
            if same:
                break
        else:
            raise RuntimeError(f"queue {capacity} from {start}: {kind} at {t} does not settle")
        assert total[0] > 0
        integral = total[0] * step / arb.pi()
        return offset + integral.log(), total[1] / total[0], total[2] / total[0]

    mean = start / (death - birth)
    order = start - 1
    times = [mean * f for f in (1e-6, 0.02, 0.3, 1, 1.5, 4, 20)]
    if order:
        constant = start * math.log(death) - math.lgamma(start)
        t = math.exp((-2800 - constant) / order)
        times = [mean * f for f in (0.5, 0.9, 1, 1.2, 2)] + [t, t * 1.6]
    times += [2800 / decay, 400 / decay] if capacity < 500 else [200 / decay]
    points = sorted({four_bits(t) for t in times}, key=lambda p: p[0] * 2.0 ** p[1])
    result = {"times": [m * 2.0**e for m, e in points]}
    for name in ("log_pdf", "log_cdf", "log_survival"):
        result[name], result[name + "_gradient"] = [], []
    for t in result["times"]:
        values = {}
        for kind in ("pdf", "cdf", "survival"):
            values[kind] = integrate(t, kind)
        # Of cdf and survival the larger is one minus the smaller, which is better conditioned.
        small, large = ("cdf", "survival") if values["cdf"][0] < values["survival"][0] else ("survival", "cdf")
        assert abs((values["cdf"][0].exp() + values["survival"][0].exp()) - 1) < arb("1e-25")
        p = values[small][0].exp()
        values[large] = ((-p).log1p(), -values[small][1] * p / (1 - p), -values[small][2] * p / (1 - p))
        for kind in ("pdf", "cdf", "survival"):
            log_value, by_lam, by_mu = values[kind]
            result["log_" + kind].append(digits(log_value.mid()))
            result["log_" + kind + "_gradient"].append([digits(by_lam.mid()), digits(by_mu.mid())])
        progress(f"queue {capacity} from {start}: t = {t:g}")
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


def dump(x):
    if isinstance(x, Number):
        return x.text
    if isinstance(x, dict):
        return "{\n" + ",\n".join(f" {json.dumps(k)}: {dump(v)}" for k, v in x.items()) + "}"
    if isinstance(x, list):
        return "[" + ",".join(dump(v) for v in x) + "]"
    return json.dumps(x)


if __name__ == "__main__":
    main()
