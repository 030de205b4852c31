"""The chains of the accuracy zoo: names, why each is hard, model files and state spaces. See zoo_references.py."""
from zoo_dual import Scalar
from zoo_processes import (
    Graph, birth_death, coalescent_blocks, coalescent_lineages, explored, structured_blocks, structured_lineages,
    two_locus_blocks, two_locus_lineages,
)

CHAINS = []


class Chain:
    def __init__(self, name, group, why, model, theta, graph, reward="time", together=(), derived=None, law=True,
                 orders=6, level=700, explicit=False):
        self.name, self.group, self.why, self.model, self.theta, self.graph = name, group, why, model, theta, graph
        self.reward, self.together, self.law, self.orders, self.level = reward, together, law, orders, level
        self.derived = derived or (lambda parameters: parameters)
        self.explicit = explicit


def chain(name, group, why, model, theta, graph, **options):
    head = {"schema": "sojourn/model/1", "name": name}
    CHAINS.append(Chain(name, group, why, {**head, **model}, [float(x) for x in theta], graph, **options))


def explicit(name, group, why, theta, num_states, edges, initial=((0, 1.0),), rewards=None, discrete=False,
             derived=None, derived_text=None, num_rates=None, **options):
    """edges: (from, to, base, {rate: coefficient})."""
    graph = Graph(num_states, [tuple(e) for e in edges], list(initial), rewards, discrete)
    num_rates = num_rates or len(theta)
    model = {"time": "discrete" if discrete else "continuous", "parameters": [f"p{k}" for k in range(len(theta))]}
    if derived_text:
        model["derived"] = derived_text
    model["states"] = num_states
    model["initial"] = [list(x) for x in initial]
    model["edges"] = [[a, b, base, [float(terms.get(k, 0)) for k in range(num_rates)]] for a, b, base, terms in edges]
    if rewards:
        model["rewards"] = rewards
    chain(name, group, why, model, theta, graph, derived=derived, explicit=True, **options)


def family(name, group, why, kind, options, theta, graph, **more):
    chain(name, group, why, {"family": {kind: options}}, theta, graph, **more)


class Draws:
    """A fixed congruential generator, so that random chains are the same everywhere."""

    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**53

    def power(self, low, high):
        """10^U(low, high), rounded to four digits so that it is the same number on every machine."""
        return float(f"{10 ** (low + (high - low) * self.uniform()):.3e}")


def line(stages, rate_of, base_of=lambda i: 0.0):
    """Stages one after the other into absorption, the last state."""
    return [(i, i + 1, base_of(i), {rate_of(i): 1.0}) for i in range(stages)]


def coalescents():
    group = "coalescent"
    family("coalescent_10", group, "rates from 1 to 45; the density vanishes like t^8 at zero", "coalescent",
           {"samples": 10}, [1.3], coalescent_lineages(10), orders=30, level=2800)
    family("coalescent_60", group, "59 stages, rates from 1 to 1,770; t^58 at zero", "coalescent", {"samples": 60},
           [0.7], coalescent_lineages(60))
    family("coalescent_30_length", group, "total branch length: rates 1/2, 2/2, ..., 29/2", "coalescent",
           {"samples": 30}, [1.0], coalescent_lineages(30), reward="length", together=("time", "length"))
    family("coalescent_blocks_6", group, "covariances of the whole site frequency spectrum", "coalescent",
           {"samples": 6, "state": "blocks"}, [1.5], coalescent_blocks(6), reward="singletons",
           together=("time", "length", "bin_1", "bin_2", "bin_3", "bin_4", "bin_5"))
    family("coalescent_blocks_12_bin_3", group, "most states earn nothing; tripletons may never appear (atom)",
           "coalescent", {"samples": 12, "state": "blocks"}, [0.9], coalescent_blocks(12), reward="bin_3")
    family("coalescent_blocks_14", group, "a wide acyclic graph, reward singletons", "coalescent",
           {"samples": 14, "state": "blocks"}, [1.1], coalescent_blocks(14), reward="singletons")
    family("coalescent_blocks_20", group, "a wide acyclic graph, moments and transforms alone", "coalescent",
           {"samples": 20, "state": "blocks"}, [1.1], coalescent_blocks(20), reward="singletons", law=False,
           together=("length", "singletons", "bin_7"))

    two = {"samples": [3, 3]}
    structured = "structured_coalescent"
    family("two_deme_6", group, "two demes at migration near coalescence", structured, two, [1.0, 0.6, 0.7, 0.56],
           structured_lineages((3, 3)), level=2800, together=("time", "length", "length_0", "length_1"))
    family("two_deme_rare_migration", group, "migration 1e-6: lineages wait in their demes, an exponential tail 1e6 long",
           structured, two, [1.0, 0.6, 1e-6, 8e-7], structured_lineages((3, 3)))
    family("two_deme_fast_migration", group, "migration 1e6: stiff, uniformization needs 1e6 steps a unit of time",
           structured, two, [1.0, 0.6, 1e6, 8e5], structured_lineages((3, 3)))
    family("two_deme_one_sided", group, "migration 1e6 there and 1e-6 back: one deme is hardly ever seen", structured,
           two, [1.0, 0.6, 1e6, 1e-6], structured_lineages((3, 3)))
    family("two_deme_reward_in_one", group, "reward in one deme alone: the other is passed through; atom at zero",
           structured, {"samples": [0, 4]}, [1.0, 0.6, 0.3, 0.2], structured_lineages((0, 4)), reward="length_0")
    family("three_demes_cyclic", group, "one-way migration around three demes: no detailed balance, complex spectrum",
           structured, {"samples": [2, 1, 1]}, [1.0, 0.8, 0.5, 2.0, 1e-3, 1e-3, 2.0, 2.0, 1e-3],
           structured_lineages((2, 1, 1)))
    family("two_deme_blocks_6", group, "block sizes in two demes, migration near coalescence", structured,
           {"samples": [3, 3], "state": "blocks"}, [1.0, 0.6, 0.7, 0.56], structured_blocks((3, 3)),
           reward="singletons", together=("length", "singletons"))
    family("two_deme_blocks_10", group, "block sizes in two demes, moments and transforms alone", structured,
           {"samples": [5, 5], "state": "blocks"}, [1.0, 0.6, 0.7, 0.56], structured_blocks((5, 5)), law=False,
           together=("time", "singletons"))
    family("two_locus_4", group, "recombination makes cycles; heights of both trees are dependent", "two_locus",
           {"samples": 4, "state": "lineages"}, [1.0, 0.8], two_locus_lineages(4),
           together=("height_1", "height_2", "length_1"))
    family("two_locus_4_height", group, "height of one tree: once it is done the rest earns nothing", "two_locus",
           {"samples": 4, "state": "lineages"}, [1.0, 5.0], two_locus_lineages(4), reward="height_1")
    family("two_locus_blocks_3", group, "recombination 1e3 times coalescence: near-permanent splitting and merging",
           "two_locus", {"samples": 3, "state": "blocks"}, [1.0, 1e3], two_locus_blocks(3),
           together=("height_1", "height_2", "singletons_1"))

    # The pair rate 1/(2N) of a population of N: derived rates and their derivative.
    chain("coalescent_population_size", group, "derived rate 1/(2N), N = 1e4: laws in generations",
          {"time": "continuous", "parameters": ["N"], "derived": {"pair_rate": "1 / (2*N)"},
           "family": {"coalescent": {"samples": 8}}}, [1e4], coalescent_lineages(8),
          derived=lambda p: [1 / (2 * p[0])])


def stages():
    group = "stages"
    explicit("exponential", group, "the law every route must have", [0.75], 2, [(0, 1, 0.0, {0: 1.0})], orders=30, level=2800)
    family("erlang_5", group, "one eigenvalue, a Jordan block of 5", "erlang", {"stages": 5}, [2.0],
           explored({(0,): 1.0}, lambda s: [((s[0] + 1,), 0.0, {0: 1.0})] if s[0] < 5 else []), orders=30, level=2800)
    family("erlang_50", group, "a Jordan block of 50: contours near the pole fail", "erlang", {"stages": 50}, [2.0],
           explored({(0,): 1.0}, lambda s: [((s[0] + 1,), 0.0, {0: 1.0})] if s[0] < 50 else []))
    family("erlang_200", group, "a Jordan block of 200: transforms of 2^200, density of t^199", "erlang",
           {"stages": 200}, [100.0],
           explored({(0,): 1.0}, lambda s: [((s[0] + 1,), 0.0, {0: 1.0})] if s[0] < 200 else []))
    near = [1.0 + 1e-9 * i for i in range(8)]
    family("hypoexponential_near_equal", group, "rates 1, 1 + 1e-9, ...: partial fractions lose 63 digits",
           "hypoexponential", {"stages": 8}, near,
           explored({(0,): 1.0}, lambda s: [((s[0] + 1,), 0.0, {s[0]: 1.0})] if s[0] < 8 else []))
    family("hypoexponential_wide", group, "rates from 1e-4 to 1e4 in a row", "hypoexponential", {"stages": 5},
           [1e-4, 1e-2, 1.0, 1e2, 1e4],
           explored({(0,): 1.0}, lambda s: [((s[0] + 1,), 0.0, {s[0]: 1.0})] if s[0] < 5 else []))
    explicit("hyperexponential_1e8", group, "scales 1 and 1e8, three quarters slow: moments by the slow one alone",
             [1.0, 1e-8], 3, [(0, 2, 0.0, {0: 1.0}), (1, 2, 0.0, {1: 1.0})], [(0, 0.25), (1, 0.75)])
    explicit("hyperexponential_5", group, "five scales from 1 to 1e8, a straight line on log-log paper", [1.0], 6,
             [(i, 5, 0.0, {0: 10.0 ** (-2 * i)}) for i in range(5)],
             [(i, p) for i, p in enumerate((0.5, 0.25, 0.125, 0.0625, 0.0625))])
    coxian = [(i, i + 1, 0.0, {0: 1.0}) for i in range(5)]
    coxian += [(i, 6, 0.0, {1: 0.25 * (i + 1)}) for i in range(6)]
    explicit("coxian_6", group, "six stages with an exit from each", [2.0, 0.4], 7, coxian, level=2800)
    leaky = [(i, i + 1, 0.0, {0: 1.0}) for i in range(4)] + [(4, 5, 0.0, {1: 1.0})]
    leaky += [(i, 5, 0.0, {2: 1.0}) for i in range(4)]
    explicit("coxian_rare_long_way", group, "ten in a million take the way of mean 1e7, and make the mean",
             [1e-1, 1e-7, 1.6], 6, leaky)
    explicit("two_erlangs", group, "Erlang 3 at 1 and Erlang 30 at 1e4: two modes, nothing between them", [3.0, 0.003],
             34, line(3, lambda i: 0)[:2] + [(2, 33, 0.0, {0: 1.0})]
             + [(i, i + 1, 0.0, {1: 1.0}) for i in range(3, 33)], [(0, 0.5), (3, 0.5)])
    explicit("plateau", group, "half of it gone at once, half after 1e6: the cdf stands at 1/2 for five decades",
             [50.0, 1e-6], 4, [(0, 1, 0.0, {0: 0.5}), (0, 3, 0.0, {0: 0.5}), (1, 2, 0.0, {1: 1.0}),
                               (2, 3, 0.0, {1: 1.0})])
    blocks = line(6, lambda i: 0)[:5] + [(5, 12, 0.0, {0: 1.0})]
    blocks += [(i, i + 1, 0.0, {0: 1.0}) for i in range(6, 12)] + [(0, 6, 0.0, {1: 1.0})]
    blocks[0] = (0, 1, 0.0, {0: 1.0})
    explicit("two_jordan_blocks", group, "two Jordan blocks of one eigenvalue, joined at the head; start in four states",
             [1.7, 1e-3], 13, blocks, [(0, 0.5), (3, 0.125), (6, 0.25), (11, 0.125)])
    feedback = line(20, lambda i: 0) + [(19, 0, 0.0, {1: 1.0})]
    explicit("non_normal_20", group, "a Jordan block of 20 with feedback 1e-6: eigenvalues fly out to half the unit circle",
             [1.0, 1e-6], 21, feedback)
    draws = Draws(7)
    wide = [(i, j, 0.0, {j % 3: draws.power(-2, 2)}) for i in range(12) for j in range(i + 1, 13) if j - i < 5]
    explicit("acyclic_start_everywhere", group, "a random acyclic chain, start in all of its states",
             [1.0, 2.0, 0.5], 13, wide, [(i, 1 / 16) for i in range(8)] + [(i, 1 / 8) for i in range(8, 12)])
    for name, scale, why in (("unit_1e40", 1e-40, "times near 1e40"), ("unit_1e-40", 1e40, "times near 1e-40")):
        explicit(name, group, f"the Coxian law of six stages in another unit: {why}", [2.0 * scale, 0.4 * scale], 7,
                 coxian)


def queues():
    group = "queue"
    for capacity, start, birth, death, why in (
        (5, 1, 0.5, 1.0, "a short busy period"),
        (20, 20, 0.9, 1.0, "emptying a full queue near load 1"),
        (60, 1, 2.0, 1.0, "load 2: empties at once or after 1e18"),
        (100, 100, 1.0, 1.0, "load 1: relaxation times from 1/4 to 4e3"),
        (40, 40, 1e-6, 1.0, "load 1e-6: nearly a Jordan block of 40"),
    ):
        name = f"mm1k_{capacity}_load_{birth / death:g}"
        family(name, group, why, "mm1k", {"capacity": capacity, "start": start}, [birth, death],
               birth_death(capacity, start, False))
    family("birth_death_quasi_stationary", group, "births 3 to deaths 1 per head, at most 25: survives for 1e9",
           "birth_death", {"capacity": 25, "start": 5, "per_head": True}, [3.0, 1.0], birth_death(25, 5, True))
    family("birth_death_individuals", group, "reward grows with the state: fast states earn most", "birth_death",
           {"capacity": 30, "start": 10, "per_head": True}, [0.9, 1.0], birth_death(30, 10, True),
           reward="individuals", together=("time", "individuals"))
    chain("queue_by_rules", group, "transition rules with guards: two classes of customers, one server",
          {"time": "continuous", "parameters": ["a", "b", "s"],
           "variables": {"x": {"initial": 2, "min": 0, "max": 8}, "y": {"initial": 1, "min": 0, "max": 4}},
           "rules": [{"when": "x < 8", "rate": "a", "effect": {"x": "x+1"}},
                     {"when": "y < 4", "rate": "b", "effect": {"y": "y+1"}},
                     {"when": "x > 0", "rate": "s", "effect": {"x": "x-1"}},
                     {"when": "x == 0 && y > 0", "rate": "3*s", "effect": {"y": "y-1"}}],
           "absorbing": "x + y == 0", "rewards": {"waiting": "x + y"}}, [0.5, 0.2, 1.1], two_class_queue(),
          reward="waiting", together=("time", "waiting"))


def two_class_queue():
    def onward(state):
        x, y = state
        if x + y == 0:
            return
        if x < 8:
            yield (x + 1, y), 0.0, {0: 1.0}
        if y < 4:
            yield (x, y + 1), 0.0, {1: 1.0}
        if x > 0:
            yield (x - 1, y), 0.0, {2: 1.0}
        if x == 0 and y > 0:
            yield (x, y - 1), 0.0, {2: 3.0}

    return explored({(2, 1): 1.0}, onward, {"waiting": sum})


def ring(states, exits):
    """One way around; `exits` gives the coefficient of the exit rate of each state, 0 for none."""
    edges = [(i, (i + 1) % states, 0.0, {0: 1.0}) for i in range(states)]
    return edges + [(i, states, 0.0, {1: exits(i)}) for i in range(states) if exits(i)]


def cycles():
    group = "cyclic"
    explicit("ring_3", group, "the smallest chain with complex eigenvalues", [1.0, 0.1], 4,
             ring(3, lambda i: 1 + i / 4), orders=30, level=2800)
    explicit("ring_8", group, "eigenvalues on a circle", [1.0, 0.3], 9, ring(8, lambda i: 1 + i / 8))
    explicit("ring_30_exit_1e-12", group, "30 states one way, exits 1e-12: LU keeps 4 digits", [1.0, 1e-12], 31,
             ring(30, lambda i: 1 + i / 30))
    explicit("ring_20_one_exit", group, "left from the last state alone: the density oscillates", [4.0, 1.2], 21,
             ring(20, lambda i: float(i == 19)))
    both = [(i, (i + 1) % 12, 0.0, {0: 1.0}) for i in range(12)]
    both += [(i, (i - 1) % 12, 0.0, {1: 1.0}) for i in range(12)]
    exits = [(0, 12, 0.0, {2: 1.0}), (6, 12, 0.0, {2: 0.5})]
    explicit("ring_12_both_ways", group, "equal rates both ways: reversible, a real spectrum in pairs", [1.0, 1.0, 0.2],
             13, both + exits, [(3, 1.0)])
    explicit("ring_12_biased", group, "1 ahead to 1e-3 back: nearly one-way", [1.0, 1e-3, 0.2], 13, both + exits,
             [(3, 1.0)])
    for size, seed in ((6, 11), (10, 12), (25, 13)):
        draws = Draws(seed)
        edges = [(i, j, 0.0, {(i + j) % 3: draws.power(-6, 6)}) for i in range(size) for j in range(size) if i != j]
        edges += [(i, size, 0.0, {i % 3: draws.power(-6, 0)}) for i in range(size)]
        explicit(f"dense_random_{size}", group, "every edge, rates 10^U(-6, 6)", [1.0, 0.5, 2.0], size + 1, edges,
                 [(0, 0.5), (size - 1, 0.5)])
    draws = Draws(5)
    edges = [(i, j, 0.0, {(i + j) % 2: draws.power(-0.5, 0.5)}) for i in range(20) for j in range(20) if i != j]
    edges += [(i, 20, 0.0, {2: draws.power(-0.5, 0.5)}) for i in range(20)]
    explicit("dense_random_20_mild", group, "every edge, rates near 1", [1.0, 0.5, 0.3], 21, edges)
    edges = [(5 * b + i, 5 * b + j, 0.0, {0: 1.0 + ((i + 2 * j + b) % 5) / 4})
             for b in range(3) for i in range(5) for j in range(5) if i != j]
    edges += [(4, 5, 0.0, {1: 1.0}), (9, 10, 0.0, {1: 2.0}), (10, 0, 0.0, {1: 0.5}), (14, 15, 0.0, {1: 1.0})]
    explicit("nearly_decomposable", group, "three blocks coupled at 1e-8", [1.0, 1e-8], 16, edges)
    explicit("stiff_pair", group, "to and fro at 1e9, exit at 1e-3: 1e12 moves before the end",
             [1e9, 3e8, 1e-3], 3, [(0, 1, 0.0, {0: 1.0}), (1, 0, 0.0, {1: 1.0}), (1, 2, 0.0, {2: 1.0})])
    explicit("trap", group, "one in 1e10 falls into a trap of 1e12, which makes the mean", [1.0, 1e-10, 1e-12], 3,
             [(0, 1, 0.0, {1: 1.0}), (0, 2, 0.0, {0: 1.0}), (1, 0, 0.0, {2: 1.0})])
    grid = []
    for x in range(6):
        for y in range(6):
            for i, j in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if 0 <= i < 6 and 0 <= j < 6:
                    grid.append((6 * x + y, 6 * i + j, 0.0, {0 if j == y else 1: 1.0}))
    grid.append((35, 36, 0.0, {2: 1.0}))
    explicit("grid_6x6", group, "a walk on a grid from corner to corner: reversible, with multiple eigenvalues",
             [1.0, 1.0, 0.5], 37, grid)
    derived = [(i, (i + 1) % 5, 0.0, {0: 1.0}) for i in range(5)] + [(i, 5, 0.0, {1: 1.0, 2: 0.5}) for i in (1, 3)]
    explicit("ring_5_derived", group, "rates exp(a), exp(a - b), b^2: chain rule", [0.5, 2.0], 6, derived,
             derived_text={"turn": "exp(p0)", "leave": "exp(p0 - p1)", "more": "p1 * p1"}, num_rates=3,
             derived=lambda p: [p[0].exp(), (p[0] - p[1]).exp(), p[1] * p[1]])


def atoms():
    group = "atom"
    explicit("defective_start", group, "start mass 0.85 over states, 0.05 on absorption, 0.1 nowhere: an atom of 0.15",
             [0.9, 1.7], 4, [(0, 1, 0.25, {0: 1.0}), (1, 0, 0.0, {1: 0.5}), (1, 2, 0.0, {0: 2.0}),
                             (2, 3, 0.1, {0: 1.0, 1: 1.0})], [(0, 0.6), (1, 0.25), (3, 0.05)])
    explicit("start_mass_1e-9", group, "all but 1e-9 of the start is absorbed: densities a billion times smaller", [2.0],
             4, line(3, lambda i: 0), [(0, 1e-9)])
    zero = [(0, 1, 0.0, {0: 1.0}), (0, 2, 0.0, {1: 0.5}), (0, 6, 0.0, {2: 0.25}), (1, 2, 0.0, {1: 1.0}),
            (1, 3, 0.5, {}), (2, 1, 0.0, {0: 0.3}), (2, 4, 0.0, {2: 2.0}), (2, 6, 0.05, {}),
            (3, 4, 0.0, {0: 1.0, 2: 0.5}), (3, 5, 0.0, {1: 0.7}), (4, 2, 0.0, {2: 1.0}), (4, 3, 0.2, {}),
            (4, 5, 0.0, {0: 0.6}), (5, 6, 0.0, {1: 1.0}), (5, 1, 0.0, {2: 0.1})]
    explicit("zero_reward_cycle", group, "states that earn nothing form a cycle between those that do", [1.1, 0.8, 0.45],
             7, zero, [(0, 0.5), (3, 0.2), (4, 0.25)], {"value": [0.0, 2.0, 0.0, 0.5, 0.0, 3.0, 0.0]}, reward="value",
             together=("time", "value"))
    two_way = [(i, i + 1, 0.0, {0: 1.0}) for i in range(20)] + [(i, i - 1, 0.0, {1: 1.0}) for i in range(1, 20)]
    explicit("two_of_twenty_earn", group, "eighteen of twenty states are passed through", [1.0, 0.8], 21, two_way,
             [(10, 1.0)], {"value": [float(i in (4, 15)) for i in range(21)]}, reward="value")
    explicit("atom_1e-12", group, "an atom of 1e-12 at zero, far below the density's mass", [1.0, 1e-12], 4,
             [(0, 1, 0.0, {0: 1.0}), (0, 3, 0.0, {1: 1.0}), (1, 2, 0.0, {0: 0.5}), (2, 3, 0.0, {0: 2.0})],
             [(0, 1.0)], {"value": [0.0, 1.0, 3.0, 0.0]}, reward="value")
    explicit("rewards_1e16_apart", group, "one state earns 1e-8 per unit of time, another 1e8", [1.0, 0.3], 4,
             [(0, 1, 0.0, {0: 1.0}), (1, 0, 0.0, {1: 1.0}), (1, 2, 0.0, {0: 2.0}), (2, 3, 0.0, {0: 1.0}),
              (2, 1, 0.0, {1: 0.5})], [(0, 1.0)],
             {"value": [1e-8, 1.0, 1e8, 0.0], "small": [1.0, 0.0, 0.0, 0.0], "large": [0.0, 0.0, 1e8, 0.0]},
             reward="value", together=("small", "large"))


def discrete():
    group = "discrete"
    explicit("geometric_1e-9", group, "success once in 1e9: counts that no recursion steps to", [1e-9], 2,
             [(0, 1, 0.0, {0: 1.0})], discrete=True)
    explicit("negative_binomial_12", group, "twelve successes at 0.3: a Jordan block", [0.3], 13, line(12, lambda i: 0),
             discrete=True, orders=30)
    explicit("negative_binomial_rare", group, "five successes at 1e-6: self-loops of 1 - 1e-6", [1e-6], 6,
             line(5, lambda i: 0), discrete=True)
    explicit("geometric_mixture", group, "one half and one in a hundred, a defect of 0.1", [0.5, 0.01], 3,
             [(0, 2, 0.0, {0: 1.0}), (1, 2, 0.0, {1: 1.0})], [(0, 0.4), (1, 0.5)], discrete=True)
    explicit("moran_coalescent_8", group, "pairs meet once in 2N generations, N = 100, by whole generations", [100.0], 8,
             [(i, i + 1, 0.0, {0: (8 - i) * (7 - i) / 2}) for i in range(7)], discrete=True,
             derived_text={"meet": "1 / (2*p0)"}, derived=lambda p: [1 / (2 * p[0])])
    explicit("periodic_4", group, "absorbed on every fourth step only: eigenvalues of equal size on a circle", [0.15],
             5, [(0, 1, 1.0, {}), (1, 2, 1.0, {}), (2, 3, 1.0, {}), (3, 4, 0.0, {0: 1.0}), (3, 0, 1.0, {0: -1.0})],
             discrete=True)
    explicit("exactly_7", group, "absorbed after exactly seven steps, or eight: nilpotent", [0.25], 9,
             [(0, 1, 0.0, {0: 1.0}), (0, 2, 1.0, {0: -1.0})] + [(i, i + 1, 1.0, {}) for i in range(1, 8)],
             discrete=True)
    explicit("flip_flop", group, "an eigenvalue near -1: the mass alternates", [0.99, 0.005], 3,
             [(0, 1, 0.0, {0: 1.0}), (1, 0, 0.0, {0: 1.0}), (1, 2, 0.0, {1: 1.0})], discrete=True)
    explicit("discrete_zero_reward", group, "steps in two of four states do not count", [0.35, 0.2], 5,
             [(0, 1, 0.1, {0: 1.0}), (0, 2, 0.0, {1: 1.0}), (1, 0, 0.25, {}), (1, 3, 0.0, {0: 0.5}),
              (2, 3, 0.0, {1: 0.8}), (2, 0, 0.3, {}), (3, 1, 0.0, {1: 0.4}), (3, 4, 0.0, {0: 0.2}), (3, 2, 0.15, {})],
             [(0, 0.75), (3, 0.25)], {"counted": [1.0, 0.0, 1.0, 0.0, 0.0]}, discrete=True, reward="counted",
             together=("time", "counted"))
    walk = [(i, i + 1, 0.0, {0: 1.0}) for i in range(30)]
    walk += [(i, i - 1 if i else 31, 0.0, {1: 1.0}) for i in range(30)]
    walk = [(a, 31 if b == 30 else b, base, terms) for a, b, base, terms in walk]
    merged = [(a, 30 if b == 31 else b, base, terms) for a, b, base, terms in walk]
    explicit("gamblers_ruin_30", group, "a walk on 30 states that stays with probability 1/10: period nearly 2",
             [0.5, 0.4], 31, merged, [(10, 1.0)], discrete=True)
    explicit("lazy_walk_20", group, "a walk that mostly stays: a real, positive spectrum", [0.05, 0.06], 21,
             [(i, i + 1, 0.0, {0: 1.0}) for i in range(20)] + [(i, i - 1, 0.0, {1: 1.0}) for i in range(1, 20)],
             discrete=True)


coalescents()
stages()
queues()
cycles()
atoms()
discrete()
assert len({c.name for c in CHAINS}) == len(CHAINS)
