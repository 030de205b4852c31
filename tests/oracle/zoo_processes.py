"""State spaces of the zoo, explored here and independently of the library. See zoo_references.py.

A process is a start {state: probability} and a function state -> [(next state, base, {rate: coefficient})]; states are
tuples. `explored` lists states in the order of discovery and adds equal transitions up.
"""


class Graph:
    def __init__(self, num_states, edges, initial, rewards=None, discrete=False, states=None):
        self.num_states, self.discrete = num_states, discrete
        self.edges = edges  # (from, to, base, {rate: coefficient})
        self.initial = initial  # [(state, probability)]
        self.states = states
        self.transient = {edge[0] for edge in edges}
        self.rewards = dict(rewards or {})

    def reward(self, name):
        unit = [float(s in self.transient) for s in range(self.num_states)]
        return unit if name == "time" else [r * u for r, u in zip(self.rewards[name], unit)]


def explored(start, transitions, rewards=None, discrete=False):
    index = {state: i for i, state in enumerate(start)}
    queue, edges = list(start), []
    for state in queue:
        merged = {}
        for to, base, terms in transitions(state):
            if to not in index:
                index[to] = len(queue)
                queue.append(to)
            total = merged.setdefault(index[to], [0.0, {}])
            total[0] += base
            for k, c in terms.items():
                if c:
                    total[1][k] = total[1].get(k, 0.0) + c
        edges += [(index[state], to, base, terms) for to, (base, terms) in merged.items() if base or terms]
    values = {name: [float(f(state)) for state in queue] for name, f in (rewards or {}).items()}
    return Graph(len(queue), edges, [(index[s], p) for s, p in start.items()], values, discrete, queue)


def pairs(n):
    return n * (n - 1) / 2


def coalescent_lineages(samples):
    def onward(state):
        return [((state[0] - 1,), 0.0, {0: pairs(state[0])})] if state[0] > 1 else []

    return explored({(samples,): 1.0}, onward, {"length": lambda s: s[0]})


def coalescent_blocks(samples):
    """States: block sizes in falling order."""

    def onward(state):
        for a in range(len(state)):
            for b in range(a):
                rest = [x for i, x in enumerate(state) if i not in (a, b)]
                yield tuple(sorted(rest + [state[a] + state[b]], reverse=True)), 0.0, {0: 1.0}

    rewards = {"length": len, "singletons": lambda s: s.count(1)}
    for size in range(1, samples):
        rewards[f"bin_{size}"] = lambda s, size=size: s.count(size)
    return explored({(1,) * samples: 1.0}, onward, rewards)


def migration_rate(demes, i, j):
    return demes + i * (demes - 1) + (j if j < i else j - 1)


def structured_lineages(samples):
    demes = len(samples)

    def onward(state):
        total = sum(state)
        if total == 1:
            return
        for i in range(demes):
            less = state[:i] + (state[i] - 1,) + state[i + 1 :]
            if state[i] > 1:
                yield (1,) + (0,) * (demes - 1) if total == 2 else less, 0.0, {i: pairs(state[i])}
            for j in range(demes):
                if j != i and state[i]:
                    moved = less[:j] + (less[j] + 1,) + less[j + 1 :]
                    yield moved, 0.0, {migration_rate(demes, i, j): float(state[i])}

    rewards = {"length": sum}
    for d in range(demes):
        rewards[f"length_{d}"] = lambda s, d=d: s[d]
    return explored({tuple(samples): 1.0}, onward, rewards)


def structured_blocks(samples):
    """States: per deme the block sizes in falling order."""
    demes, size = len(samples), sum(samples)

    def with_change(state, changes):
        return tuple(tuple(sorted(changes.get(d, state[d]), reverse=True)) for d in range(demes))

    def onward(state):
        if sum(len(deme) for deme in state) == 1:
            return
        for d, deme in enumerate(state):
            for a in range(len(deme)):
                rest = deme[:a] + deme[a + 1 :]
                for b in range(a):
                    merged = tuple(x for i, x in enumerate(deme) if i not in (a, b)) + (deme[a] + deme[b],)
                    done = merged == (size,)
                    yield ((size,),) + ((),) * (demes - 1) if done else with_change(state, {d: merged}), 0.0, {d: 1.0}
                for e in range(demes):
                    if e != d:
                        moved = with_change(state, {d: rest, e: state[e] + (deme[a],)})
                        yield moved, 0.0, {migration_rate(demes, d, e): 1.0}

    rewards = {"length": lambda s: sum(map(len, s)), "singletons": lambda s: sum(d.count(1) for d in s)}
    for d in range(demes):
        rewards[f"length_{d}"] = lambda s, d=d: len(s[d])
    return explored({tuple((1,) * n for n in samples): 1.0}, onward, rewards)


def two_locus_lineages(samples):
    """States: lineages that carry both loci, the first, the second."""

    def onward(state):
        ab, a, b = state
        if ab + a == 1 and ab + b == 1:
            return []
        moves = [((ab - 1, a, b), {0: pairs(ab)}), ((ab, a - 1, b), {0: pairs(a) + ab * a})]
        moves += [((ab, a, b - 1), {0: pairs(b) + ab * b}), ((ab + 1, a - 1, b - 1), {0: float(a * b)})]
        moves += [((ab - 1, a + 1, b + 1), {1: float(ab)})]
        return [(to, 0.0, terms) for to, terms in moves if min(to) >= 0 and any(terms.values())]

    def height(locus):
        return lambda s: float(s[0] + s[locus] > 1)

    def length(locus):
        return lambda s: s[0] + s[locus] if s[0] + s[locus] > 1 else 0

    rewards = {f"{name}_{i}": f(i) for name, f in (("height", height), ("length", length)) for i in (1, 2)}
    return explored({(samples, 0, 0): 1.0}, onward, rewards)


def two_locus_blocks(samples):
    """States: sorted (samples below at the first locus, at the second) of every lineage."""

    def ancestral(state, locus):
        return sum(1 for lineage in state if lineage[locus])

    def onward(state):
        if ancestral(state, 0) == 1 and ancestral(state, 1) == 1:
            return
        for a, (i, j) in enumerate(state):
            rest = state[:a] + state[a + 1 :]
            for b in range(a):
                k, l = state[b]
                merged = tuple(x for c, x in enumerate(state) if c not in (a, b)) + ((i + k, j + l),)
                yield tuple(sorted(merged)), 0.0, {0: 1.0}
            if i and j:
                yield tuple(sorted(rest + ((i, 0), (0, j)))), 0.0, {1: 1.0}

    rewards = {}
    for locus in (0, 1):
        rewards[f"height_{locus + 1}"] = lambda s, locus=locus: float(ancestral(s, locus) > 1)
        rewards[f"length_{locus + 1}"] = lambda s, locus=locus: ancestral(s, locus) if ancestral(s, locus) > 1 else 0
        rewards[f"singletons_{locus + 1}"] = lambda s, locus=locus: sum(1 for x in s if x[locus] == 1)
    return explored({((1, 1),) * samples: 1.0}, onward, rewards)


def birth_death(capacity, start, per_head):
    def onward(state):
        (n,) = state
        heads = float(n) if per_head else 1.0
        if n > 0:
            if n < capacity:
                yield (n + 1,), 0.0, {0: heads}
            yield (n - 1,), 0.0, {1: heads}

    return explored({(start,): 1.0}, onward, {"individuals": lambda s: s[0]})
