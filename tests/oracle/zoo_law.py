"""Moments, transforms and transient laws of a chain with their gradients, in ball arithmetic. See zoo_references.py."""
import math

from flint import arb, arb_mat, ctx

from zoo_dual import Dual, Scalar, block, exact, identity, zeros


class System:
    """A chain at its parameters: transient part Q (one-step matrix in discrete time), exits b, start alpha."""

    def __init__(self, chain, with_slopes=True):
        graph = chain.graph
        self.discrete = graph.discrete
        parameters = [Scalar(exact(x), {k: arb(1)} if with_slopes else {}) for k, x in enumerate(chain.theta)]
        rates = chain.derived(parameters)
        out = {}
        for edge in graph.edges:
            out.setdefault(edge[0], []).append(edge[1])
        reached, stack = set(), [s for s, _ in graph.initial]
        while stack:
            state = stack.pop()
            if state not in reached:
                reached.add(state)
                stack += out.get(state, [])
        self.states = [s for s in sorted(reached) if s in graph.transient]
        index = {s: i for i, s in enumerate(self.states)}
        n = len(self.states)
        rows = [[Scalar(arb(0))] * n for _ in range(n)]
        exits = [[Scalar(arb(0))] for _ in range(n)]
        if self.discrete:
            for i in range(n):
                rows[i][i] = Scalar(arb(1))
        for source, target, base, terms in graph.edges:
            if source not in index:
                continue
            weight = Scalar(exact(base))
            for k, c in terms.items():
                weight = weight + rates[k] * exact(c)
            i = index[source]
            rows[i][i] = rows[i][i] - weight
            if target in index:
                rows[i][index[target]] = rows[i][index[target]] + weight
            else:
                exits[i][0] = exits[i][0] + weight
        self.q, self.exit = Dual.of(rows), Dual.of(exits)
        start = [arb(0)] * n
        total = arb(0)
        for state, p in graph.initial:
            total += exact(p)
            if state in index:
                start[index[state]] += exact(p)
        # The library takes a sum within 1e-12 of 1 for 1; here it must be, or there is an atom of a rounding error.
        assert total == 1 or total < 1 - arb("1e-12"), chain.name
        self.absorbed_at_start = 1 - sum(start, arb(0))
        self.alpha = Dual(arb_mat([start]))
        unit = Dual(identity(n))
        self.a = unit - self.q if self.discrete else self.q.scaled(arb(-1))
        self.size = n

    def reward(self, chain, name):
        values = chain.graph.reward(name)
        return [exact(values[s]) for s in self.states]


def diagonal(values):
    n = len(values)
    return Dual(arb_mat(n, n, [values[i] if i == j else 0 for i in range(n) for j in range(n)]))


def rewarded(values, column):
    """diag(values) times a column."""
    def part(m):
        return arb_mat([[values[i] * m[i, 0]] for i in range(len(values))])

    return Dual(part(column.value), {k: part(d) for k, d in column.slopes.items()})


class Moments:
    def __init__(self, system):
        self.system = system
        self.inverse = system.a.inverse()

    def raw(self, reward, orders):
        """E[Y^k], k = 1..orders, from E[(r + Y')^k] one sojourn (step) at a time."""
        system = self.system
        columns = [Dual(arb_mat([[1]] * system.size))]
        result = []
        stepped = [columns[0]]
        for k in range(1, orders + 1):
            if not system.discrete:
                rhs = rewarded([arb(k) * r for r in reward], columns[-1])
            else:
                rhs = None
                for l in range(1, k + 1):
                    factors = [arb(math.comb(k, l)) * r**l for r in reward]
                    term = rewarded(factors, stepped[k - l])
                    rhs = term if rhs is None else rhs + term
            columns.append(self.inverse * rhs)
            if system.discrete:
                stepped.append(system.q * columns[-1])
            result.append((system.alpha * columns[-1])[0, 0])
        return result

    def covariance(self, rewards):
        system = self.system
        ones = Dual(arb_mat([[1]] * system.size))
        first = [self.inverse * rewarded(r, ones) for r in rewards]
        means = [(system.alpha * x)[0, 0] for x in first]
        answer = []
        for a, ra in enumerate(rewards):
            for b, rb in enumerate(rewards):
                rhs = rewarded(ra, first[b]) + rewarded(rb, first[a])
                if system.discrete:
                    rhs = rhs - rewarded([x * y for x, y in zip(ra, rb)], ones)
                product = (system.alpha * (self.inverse * rhs))[0, 0]
                answer.append(product - means[a] * means[b])
        return answer

    def sojourn(self):
        row = self.system.alpha * self.inverse
        return [row[0, i] for i in range(self.system.size)]


def laplace(system, reward, s):
    """E[exp(-s Y)] and its gradient by one solve forwards and one backwards."""
    n = system.size
    if system.discrete:
        z = [(-s * r).exp() for r in reward]
        matrix = arb_mat(n, n, [(1 if i == j else 0) - z[i] * system.q.value[i, j] for i in range(n) for j in range(n)])
    else:
        z = [arb(1)] * n
        matrix = arb_mat(n, n, [(s * reward[i] if i == j else 0) - system.q.value[i, j]
                                for i in range(n) for j in range(n)])
    rhs = arb_mat([[z[i] * system.exit.value[i, 0]] for i in range(n)])
    x = matrix.solve(rhs)
    y = matrix.transpose().solve(system.alpha.value.transpose())
    value = system.absorbed_at_start + (system.alpha.value * x)[0, 0]
    slopes = {}
    for k in set(system.q.slopes) | set(system.exit.slopes):
        moved = system.exit.slopes.get(k, zeros(n, 1)) + (system.q.slopes[k] * x if k in system.q.slopes else zeros(n, 1))
        slopes[k] = sum((y[i, 0] * z[i] * moved[i, 0] for i in range(n)), arb(0))
    return Scalar(value, slopes)


class Law:
    """The law of a reward: states that earn nothing are passed through, time runs in units of reward."""

    def __init__(self, system, reward):
        kept = [i for i, r in enumerate(reward) if r > 0]
        zero = [i for i, r in enumerate(reward) if not r > 0]
        m = len(kept)
        self.size, self.discrete = m, system.discrete
        only = [0]
        q = block(system.q, kept, kept)
        exits = block(system.exit, kept, only)
        alpha = block(system.alpha, only, kept)
        if zero:
            passing = block(system.a, zero, zero).inverse()
            back = passing * block(system.q, zero, kept)
            away = passing * block(system.exit, zero, only)
            leave = block(system.q, kept, zero)
            q, exits = q + leave * back, exits + leave * away
            start = block(system.alpha, only, zero)
            alpha = alpha + start * back
            atom = (start * away)[0, 0]
        else:
            atom = Scalar(arb(0))
        self.atom = atom + Scalar(system.absorbed_at_start)
        if not self.discrete:
            unit = diagonal([1 / reward[i] for i in kept])
            q, exits = unit * q, unit * exits
        rows = [[q[i, j] for j in range(m)] + [exits[i, 0]] for i in range(m)]
        rows.append([Scalar(arb(0))] * m + [Scalar(arb(1 if self.discrete else 0))])
        self.q = Dual.of(rows)
        self.exit = exits
        self.alpha = Dual.of([[alpha[0, i] for i in range(m)] + [Scalar(arb(0))]])
        self.powers = {}
        self.lowest = 0
        if self.discrete:
            self.powers[0] = self.q
        else:
            rate = max(float((-q.value[i, i]).upper()) for i in range(m)) * 1.01
            self.lowest = math.floor(math.log2(1 / rate))
            self.shift = exact(2.0 ** (-self.lowest))
            if not rate <= self.shift:
                self.shift = exact(2.0 ** (1 - self.lowest))
            # Non-negative, so that no sum of its powers cancels.
            self.positive = self.q + Dual(identity(m + 1) * self.shift)

    def series(self, row, t):
        """row exp(Q t) for a Dual `row`, with the remainder of the Taylor series enclosed."""
        norm = self.shift * t
        slope_norm = {}
        for k, d in self.q.slopes.items():
            slope_norm[k] = max(sum((abs(d[i, j]) for j in range(d.ncols())), arb(0)).upper() for i in range(d.nrows()))
            slope_norm[k] = arb(slope_norm[k]) * t
        step = self.positive.scaled(t)
        term, total = row, row
        k = 0
        largest = arb(1)  # norm^k / k!
        while True:
            k += 1
            term = (term * step).scaled(1 / arb(k))
            total = total + term
            largest = largest * norm / k
            if k >= self.size + 2 and k > 2 * float(norm.upper()) + 4 and k % 8 == 0:
                # Terms fall by 2 from here: what is left out is below `largest`, derivatives below (1 + k) / norm of it.
                if largest * arb(4) ** 8 < arb(2) ** (-ctx.prec) * self.smallest(total.value):
                    break
        def widened(m, radius):
            ball = arb(0, radius)
            return arb_mat(m.nrows(), m.ncols(), [m[i, j] + ball for i in range(m.nrows()) for j in range(m.ncols())])

        value = widened(total.value, largest.upper())
        # d of the k-th term is at most k |dB| |B|^(k-1) / k!, row slopes come on top.
        slopes = {}
        for p, d in total.slopes.items():
            carried = arb(0)
            if p in row.slopes:
                r = row.slopes[p]
                carried = max((sum((abs(r[i, j]) for j in range(r.ncols())), arb(0)).upper() for i in range(r.nrows())))
            bound = arb(carried) * largest + 4 * slope_norm.get(p, arb(0)) * largest * (k + 1) / norm
            slopes[p] = widened(d, bound.upper())
        return Dual(value, slopes).scaled((-self.shift * t).exp())

    @staticmethod
    def smallest(matrix):
        least = None
        for i in range(matrix.nrows()):
            for j in range(matrix.ncols()):
                low = matrix[i, j].abs_lower()
                if low > 0 and (least is None or low < least):
                    least = low
        return least if least is not None else arb(1)

    def power(self, j):
        """exp(Q 2^j), or the 2^j-th power in discrete time."""
        if not self.powers:
            self.powers[self.lowest] = self.series(Dual(identity(self.size + 1)), arb(2) ** self.lowest)
        top = max(self.powers)
        while top < j:
            self.powers[top + 1] = self.powers[top] * self.powers[top]
            top += 1
        return self.powers[j]

    def row(self, multiple, exponent):
        """alpha exp(Q t) at t = multiple * 2^exponent."""
        row = self.alpha
        if not self.discrete and exponent < self.lowest:
            return self.series(row, arb(multiple) * arb(2) ** exponent)
        bit = 0
        while multiple >> bit:
            if multiple >> bit & 1:
                row = row * self.power(exponent + bit)
            bit += 1
        return row

    def at(self, multiple, exponent):
        """Density (mass), cdf, survival at multiple * 2^exponent."""
        row = self.row(multiple, exponent)
        m = self.size
        survival = sum((row[0, i] for i in range(m)), Scalar(arb(0)))
        if self.discrete:
            if multiple == 0:
                density = self.atom
            else:
                before = self.row(multiple - 1, 0)
                density = sum((before[0, i] * self.exit[i, 0] for i in range(m)), Scalar(arb(0)))
        else:
            density = sum((row[0, i] * self.exit[i, 0] for i in range(m)), Scalar(arb(0)))
        return density, self.atom + row[0, m], survival, row[0, m]


def log_values(values):
    """Logs of density, cdf, survival; of cdf and survival the larger comes from the smaller, which is not rounded to 1."""
    density, cdf, survival = values[:3]

    def log(x):
        return None if x.value == 0 else x.log()

    log_cdf = (survival * -1).log1p() if survival.value < 0.5 and survival.value != 0 else log(cdf)
    log_survival = (cdf * -1).log1p() if cdf.value < 0.5 and cdf.value != 0 else log(survival)
    return [log(density), log_cdf, log_survival]
