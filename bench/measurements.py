"""What one benchmark session measured, as rows of tables."""

import json
import statistics

KLU_VARIANTS = [
    ("klu_refactor_solve", "KLU refactor, solve"),
    ("klu", "KLU weights, refactor, solve"),
    ("klu_unscaled", "KLU without row scaling, weights, refactor, solve"),
]
NOT_MEASURED = "not measured"


class Session:
    """Repetitions by benchmark and name; empty lists for what was not run."""

    def __init__(self, folder):
        self.runs = {}
        for path in sorted(folder.glob("*_bench.json")):
            for run in json.loads(path.read_text())["benchmarks"]:
                if run.get("run_type") != "iteration":
                    continue
                if run.get("error_occurred"):
                    raise SystemExit(f"{path.name}: {run['name']}: {run['error_message']}")
                parts = 3 if path.stem == "iteration_bench" else 2
                name = "/".join(run["run_name"].split("/")[:parts])
                self.runs.setdefault((path.stem, name), []).append(run)
        self.scipy = self._read(folder / "scipy.json")
        self.machine = self._read(folder / "machine.json")

    @staticmethod
    def _read(path):
        return json.loads(path.read_text()) if path.exists() else None

    def column(self, bench, name, key):
        return [run[key] for run in self.runs.get((bench, name), [])]

    def seconds(self, bench, name, key="real_time"):
        units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}
        return [run[key] * units[run["time_unit"]] for run in self.runs.get((bench, name), [])]

    def peer_rate(self, name):
        """Particles per second of a Python peer."""
        if not self.scipy or name not in self.scipy["peers"]:
            return []
        return [1 / seconds for seconds in self.scipy["peers"][name]["seconds_per_particle"]]


def spread(values, digits=3):
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}g} ({low:.{digits}g} to {high:.{digits}g})"


def count(value):
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {letter}"
    return f"{value:.3g}"


def duration(seconds):
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


class Row:
    """One comparison: `values` are its repetitions, `goal` what their median must reach (`sense` >= or <=)."""

    def __init__(self, name, ours, peer, values, sense, goal, unit=" x"):
        self.name, self.ours, self.peer, self.values = name, ours, peer, values
        self.sense, self.goal, self.unit = sense, goal, unit

    @property
    def met(self):
        if not self.values or self.goal is None:
            return None
        median = statistics.median(self.values)
        return median >= self.goal if self.sense == ">=" else median <= self.goal

    def cells(self):
        verdict = {None: "-", True: "yes", False: "**no**"}[self.met]
        goal = f"{self.sense} {self.goal:g}{self.unit}" if self.goal is not None else "none set"
        if not self.values:
            return [self.name, NOT_MEASURED, "-", "-", goal, "-"]
        return [self.name, self.ours, self.peer, spread(self.values) + self.unit, goal, verdict]


def speed(name, ours, peer_name, peer, goal, note=""):
    """Rates of both sides, repetition by repetition."""
    if not ours or not peer:
        return Row(name, "", "", [], ">=", goal)
    ratios = [a / b for a, b in zip(ours, peer)]
    mine, theirs = statistics.median(ours), statistics.median(peer)
    return Row(name, f"{count(mine)}/s", f"{peer_name}: {count(theirs)}/s{note}", ratios, ">=", goal)


def times(name, ours, base_name, base, goal):
    """Durations of one thing over another's, both ours."""
    if not ours or not base:
        return Row(name, "", "", [], "<=", goal, "")
    ratios = [a / b for a, b in zip(ours, base)]
    mine, theirs = statistics.median(ours), statistics.median(base)
    return Row(name, duration(mine), f"{base_name}: {duration(theirs)}", ratios, "<=", goal, "")


def klu_row(session, what, case, suffix, goal, variant=KLU_VARIANTS[0]):
    return speed(
        f"{what}, {case}",
        session.column("moments_bench", f"{case}/value{suffix}", "particles/s"),
        variant[1],
        session.column("moments_bench", f"{case}/{variant[0]}{suffix}", "particles/s"),
        goal,
    )


def likelihood(session, variant, case="two_deme_blocks_10"):
    return session.column("likelihood_bench", f"{case}/{variant}", "particles/s")


def processor(session, bench, name):
    return session.seconds(bench, name, "cpu_time")


def goal_rows(session):
    """The table the project promised, in its order; rows without a measurement say so."""
    rows = [
        klu_row(session, "mean + variance", case, "_2", 16)
        for case in ("coalescent_blocks_20", "two_deme_blocks_10", "two_locus_8")
    ]
    rows.append(klu_row(session, "mean", "two_deme_blocks_20", "", 12))
    elimination = session.seconds("moments_bench", "two_deme_blocks_20/elimination")
    rows.append(
        Row("elimination, two_deme_blocks_20", duration(statistics.median(elimination)), "-", elimination, "<=", 1, " s")
        if elimination
        else Row("elimination, two_deme_blocks_20", "", "", [], "<=", 1, " s")
    )
    rows.append(klu_row(session, "mean, 1,000 particles", "grid_100x100", "", 4))
    loglik = "log-likelihood, 1,000 times, two_deme_blocks_10"
    ours = likelihood(session, "value")
    rows.append(speed(loglik, ours, "scipy expm_multiply", session.peer_rate("expm_multiply"), 300))
    rows.append(
        speed(loglik, ours, "batched dense expm", session.peer_rate("batched_expm"), 50, " (extrapolated)")
    )
    rows.append(speed(loglik, ours, "dense eigenvectors", session.peer_rate("dense_eigen"), 50))
    rows.append(speed(loglik, ours, "dense expm of the step", session.peer_rate("dense_steps"), 50))
    rows.append(
        times(
            "the same with migration x 1e6, time",
            processor(session, "likelihood_bench", "two_deme_blocks_10_stiff/value"),
            "without",
            processor(session, "likelihood_bench", "two_deme_blocks_10/value"),
            1.3,
        )
    )
    for bench, what in (("moments_bench", "mean"), ("likelihood_bench", "log-likelihood")):
        rows.append(
            times(
                f"gradient (4 parameters) over value, {what}, two_deme_blocks_10",
                processor(session, bench, "two_deme_blocks_10/gradient"),
                "value",
                processor(session, bench, "two_deme_blocks_10/value"),
                2.0,
            )
        )
    for what in ("mean", "log_likelihood"):
        one, two = (session.column("threads_bench", f"{what}/threads_{n}", "particles/s") for n in (1, 2))
        rows.append(speed(f"2 threads over 1, {what.replace('_', '-')}, two_deme_blocks_10", two, "1 thread", one, 1.9))
    return rows + iteration_rows(session) + exploration_rows(session)


def exploration_rows(session):
    """State spaces found and checked, one thread; rates of processor time."""
    rows = []
    for case, what in (
        ("callback_grid", "grid of 1e6 states by a callback (2 variables)"),
        ("three_demes", "three demes, 180 samples (3 variables)"),
        ("rules_two_demes", "two demes by 4 rules of a model file"),
        ("coalescent_blocks", "coalescent_blocks_60 (60 variables)"),
        ("two_demes_blocks", "two_deme_blocks_20 (40 variables)"),
        ("two_locus", "two_locus_9 (99 variables)"),
    ):
        rates = session.column("size_bench", f"explore/{case}", "edges/s")
        rows.append(
            Row(
                f"exploration, {what}",
                f"{count(statistics.median(rates))} edges/s" if rates else "",
                "-",
                [rate / 1e6 for rate in rates],
                ">=",
                10,
                " M edges/s",
            )
        )
    return rows


def iteration_rows(session):
    """One SVGD iteration: 100 particles, 6 states, 2 threads, elapsed time; two laws."""
    rows = []
    for law in ("coalescent_7", "coxian_6"):
        name = f"one SVGD iteration, 100 particles, {law} (6 states), {{}} observations, 2 threads"
        few = session.seconds("iteration_bench", f"iteration/{law}/1000")
        many = session.seconds("iteration_bench", f"iteration/{law}/1000000")
        rows.append(
            Row(
                name.format("1,000"),
                duration(statistics.median(few)) if few else "",
                "phasic 0.32.1: 70 ms",
                [1e6 * seconds for seconds in few],
                "<=",
                70,
                " us",
            )
        )
        rows.append(times(f"the same with 1,000,000 observations, {law}, time", many, "1,000", few, 1.2))
        errors = session.column("iteration_bench", f"iteration/{law}/1000000", "estimated_error")
        rows.append(
            Row(
                f"error of its log-likelihood, relative, {law}",
                f"{max(errors):.2g}" if errors else "",
                "the program's own estimate",
                errors,
                "<=",
                1e-9,
                "",
            )
        )
    return rows


ROUTE_CHAINS = {
    "erlang_1": 2,
    "erlang_3": 4,
    "hypoexponential_5": 6,
    "two_deme_blocks_4": 19,
    "coalescent_blocks_8": 22,
    "coalescent_blocks_15": 176,
    "two_deme_blocks_10": 479,
}


def route_rows(session):
    """What `auto` takes beside the quickest route of those that answer all times, chains by size."""
    rows = []
    for chain, states in sorted(ROUTE_CHAINS.items(), key=lambda item: item[1]):
        routes = {}
        for route in ("contour", "saddlepoint", "uniformization"):
            seconds = processor(session, "route_bench", f"{chain}/{route}")
            if seconds:
                routes[route] = seconds
        name = f"densities at 50 times, 64 vectors, {chain} ({states} states): auto over the quickest route"
        best = min(routes, key=lambda route: statistics.median(routes[route]), default=None)
        rows.append(times(name, processor(session, "route_bench", f"{chain}/auto"), best, routes.get(best), None))
    return rows


def detail_rows(session):
    """Everything else that was measured."""
    rows = []
    means = ["coalescent_blocks_20", "two_deme_blocks_10", "two_deme_blocks_20", "coalescent_lineages_10"]
    for what, suffix, cases in (
        ("mean", "", [*means, "grid_100x100"]),
        ("mean + variance", "_2", ["coalescent_blocks_20", "two_deme_blocks_10", "two_locus_8"]),
    ):
        for case in cases:
            for variant in KLU_VARIANTS:
                rows.append(klu_row(session, what, case, suffix, None, variant))
    rows.append(
        speed(
            "mean, one elimination for all particles, two_deme_blocks_10",
            session.column("moments_bench", "two_deme_blocks_10/value", "particles/s"),
            "an elimination for each",
            session.column("moments_bench", "two_deme_blocks_10/eliminate_each", "particles/s"),
            None,
        )
    )
    for case in means:
        if case != "two_deme_blocks_10":
            rows.append(
                times(
                    f"gradient over value, mean, {case}",
                    processor(session, "moments_bench", f"{case}/gradient"),
                    "value",
                    processor(session, "moments_bench", f"{case}/value"),
                    None,
                )
            )
    rows.append(
        speed(
            "log-likelihood with gradient, two_deme_blocks_10",
            likelihood(session, "gradient"),
            "scipy expm_multiply, value alone",
            session.peer_rate("expm_multiply"),
            None,
        )
    )
    rows.append(
        times(
            "gradient over value, log-likelihood, migration x 1e6",
            processor(session, "likelihood_bench", "two_deme_blocks_10_stiff/gradient"),
            "value",
            processor(session, "likelihood_bench", "two_deme_blocks_10_stiff/value"),
            None,
        )
    )
    for what in ("mean", "log_likelihood"):
        # The ratio of the goals is bounded by what a second core gives when nothing is shared.
        one, two, copies = (
            session.column("threads_bench", f"{what}/{how}", "particles/s")
            for how in ("threads_1", "threads_2", "two_copies")
        )
        case, apart = f"{what.replace('_', '-')}, two_deme_blocks_10", "two copies that share nothing"
        rows.append(speed(f"{apart}, {case}", copies, "1 thread", one, None))
        rows.append(speed(f"2 threads, {case}", two, apart, copies, None))
    wall = session.seconds("guide_bench", "guide/svgd")
    if wall:
        rows.append(
            Row(
                "guide's load: 500 particles x 50 times x 1,000 SVGD iterations, 2 threads",
                duration(statistics.median(wall)),
                "the guide's estimate: 69.4 h",
                wall,
                "<=",
                20,
                " s",
            )
        )
    rows += route_rows(session)
    shown = [row.cells() for row in goal_rows(session)]
    return [row for row in rows if row.values and row.cells()[:3] not in [cells[:3] for cells in shown]]


def markdown(header, rows):
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in [header, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def comparison_table(rows):
    return markdown(["workload", "ours", "peer", "ratio: median (range)", "goal", "met"], [row.cells() for row in rows])


def share_table(session):
    """Multiply-adds and their share of the measured limit, from `sojourn bench`."""
    if not session.machine:
        return ""
    rows = []
    for one in session.machine["measurements"]:
        if one["status"] != "ok" or one.get("share") is None:
            continue
        rate = one["per_second"]
        half_range = (rate["high"] - rate["low"]) / 2 / rate["median"]
        rows.append(
            [
                one["case"],
                one["quantity"].replace("_", " "),
                str(one["threads"]),
                f"{one['particles']:,}",
                f"{count(rate['median'])}/s ({100 * half_range:.2g} %)",
                f"{count(one['multiply_adds_per_second'])}/s",
                f"{100 * one['share']:.3g} % of {one['limit'].replace('_', '-')}",
            ]
        )
    header = ["case", "quantity", "threads", "particles", "rate (half range)", "multiply-adds", "share of the limit"]
    return markdown(header, rows)
