#!/usr/bin/env python3
"""Writes docs/accuracy.md and docs/accuracy.svg from what the zoo's test recorded. Called by scripts/accuracy.

Usage: accuracy_page.py RESULTS.csv ROOT --command TEXT --commit ID
"""

import argparse
import csv
import json
import math
import os
import re

from accuracy_plot import SHAPES, accuracy_plot

GOALS = {"moment": 1e-13, "law": 1e-8, "gradient": 1e-8}
LAWS = ("log_pdf", "log_cdf", "log_survival", "pdf", "cdf", "survival")
ROUTES = ("auto", "contour", "saddlepoint", "uniformization", "stepping", "multi")
GROUPS = {
    "coalescent": "Coalescents", "stages": "Stages and mixtures", "queue": "Queues and birth-death chains",
    "cyclic": "Cycles", "atom": "Atoms and rewards", "discrete": "Discrete time",
}


def read(path):
    with open(path, newline="") as source:
        rows = list(csv.DictReader(source))
    for row in rows:
        for key in ("error", "bound", "gradient_error", "slack"):
            row[key] = float(row[key])
    return rows


def worst(values):
    values = [v for v in values if not math.isnan(v)]
    return max(values) if values else None


def shown(value, goal=None):
    if value is None:
        return "-"
    text = "0" if value == 0 else "not finite" if math.isinf(value) else f"{value:.0e}"
    return f"**{text}**" if goal is not None and value > goal else text


def table(header, rows):
    widths = [max(len(str(row[i])) for row in [header] + rows) for i in range(len(header))]
    lines = ["| " + " | ".join(str(c).ljust(w) for c, w in zip(row, widths)) + " |" for row in [header] + rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|"] + lines[1:])


def of_chain(rows):
    """What the tables and the picture say of one chain."""
    moments = [r for r in rows if r["route"] == "replay"]
    automatic = [r for r in rows if r["route"] == "auto"]
    answered = [r for r in automatic if not math.isnan(r["error"])]
    taken = {}
    for row in answered:
        if row["quantity"] == "log_pdf":
            taken[row["taken"]] = taken.get(row["taken"], 0) + 1
    return {
        "moments": worst(r["error"] for r in moments),
        "moments_gradient": worst(r["gradient_error"] for r in moments),
        "law": worst(r["error"] for r in automatic),
        "bound": worst(r["bound"] for r in automatic),
        "law_gradient": worst(r["gradient_error"] for r in automatic),
        "answered": f"{len(answered)} of {len(automatic)}" if automatic else "-",
        "taken": ", ".join(f"{name} {count}" for name, count in sorted(taken.items(), key=lambda x: -x[1])) or "-",
        "states": worst(r["error"] for r in rows if r["quantity"] == "state_probability"),
        "multi": worst(r["error"] for r in rows if r["route"] == "multi"),
    }


def picture_row(name, rows):
    facts = of_chain(rows)
    dots = [(0, "circle", "moment gradient", facts["moments_gradient"]), (0, "circle", "moment", facts["moments"])]
    for gradient in (True, False):
        for route in ROUTES[1:5]:
            part = [r for r in rows if r["route"] == route and r["quantity"] in LAWS]
            value = worst(r["gradient_error" if gradient else "error"] for r in part)
            dots.append((1, SHAPES[route], "law gradient" if gradient else "law", value))
    dots = [dot for dot in dots if dot[3] is not None]
    bound = None if facts["bound"] is None else (facts["law"], facts["bound"])
    return name, dots, bound


def known_failures(root):
    with open(os.path.join(root, "tests/zoo/known_failures.hpp")) as source:
        return re.findall(r'\{"([^"]+)"', source.read())


def failure_rows(root, rows):
    """Known failures by chain and quantity with what was measured."""
    groups = {}
    for key in known_failures(root):
        chain, rest = key.split(" ", 1)
        what, route = rest.rsplit(" ", 1)
        quantity, kind = (what.split(" ") + ["value"])[:2]
        mine = [r for r in rows if r["chain"] == chain and r["quantity"] == quantity and r["route"] == route]
        if kind == "gradient":
            value = worst(r["gradient_error"] for r in mine)
        elif kind == "bound":
            value = worst(max(0, r["error"] - r["slack"]) / r["bound"] for r in mine if r["bound"] > 0)
        else:
            value = math.inf if any(math.isnan(r["error"]) for r in mine) else worst(r["error"] for r in mine)
        entry = groups.setdefault((chain, kind), [[], None])
        entry[0].append(f"{quantity} by {route}")
        entry[1] = value if entry[1] is None else max(entry[1], value)
    answer = []
    for (chain, kind), (whats, value) in groups.items():
        size = "no number" if math.isinf(value) else f"{value:.2g} times its bound" if kind == "bound" else f"{value:.0e}"
        answer.append([f"`{chain}`", {"value": "value", "gradient": "gradient", "bound": "bound exceeded"}[kind], size,
                       ", ".join(whats)])
    return answer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("results")
    parser.add_argument("root")
    parser.add_argument("--command", default="scripts/accuracy")
    parser.add_argument("--commit", default="")
    options = parser.parse_args()
    rows = read(options.results)
    with open(os.path.join(options.root, "tests/zoo/models.json")) as source:
        models = json.load(source)
    by_chain = {}
    for row in rows:
        by_chain.setdefault(row["chain"], []).append(row)
    values = len(rows)
    automatic = [r for r in rows if r["route"] == "auto"]
    answered = [r for r in automatic if not math.isnan(r["error"])]
    failures = failure_rows(options.root, rows)

    page = ["# Accuracy", f"Made by `{options.command}` at commit {options.commit}; do not edit.", "",
            f"{len(models)} chains, each hard in a way of its own, against enclosures of python-flint (ball arithmetic) narrower "
            f"than 1e-30: {values:,} values and {sum(1 for r in rows if not math.isnan(r['gradient_error'])):,} gradients. "
            f"Of {len(automatic):,} values of laws asked of `auto`, {len(answered):,} are answered; the others say that they "
            f"are not. {'Nothing fails.' if not failures else 'What fails is listed under [Known failures](#known-failures).'}",
            "", "![Largest relative error of each chain](accuracy.svg)", "", "## By route"]
    lines = []
    for route in ROUTES:
        mine = [r for r in rows if r["route"] == route and r["quantity"] in LAWS]
        given = [r for r in mine if not math.isnan(r["error"])]
        ratio = worst(max(0, r["error"] - r["slack"]) / r["bound"] for r in given if r["bound"] > 0)
        lines.append([route, f"{len(mine):,}", f"{len(given):,}", shown(worst(r["error"] for r in given), GOALS["law"]),
                      shown(worst(r["bound"] for r in given)), "-" if ratio is None else f"{ratio:.2g}",
                      shown(worst(r["gradient_error"] for r in given), GOALS["gradient"])])
    page.append(table(["route", "values", "answered", "largest error", "largest bound", "error / bound", "gradient"], lines))
    page += ["", "*error / bound*: the largest, after the rounding of value and reference to double is taken off the error. "
             "Bold: beyond the goal.", ""]

    picture = {}
    for group, title in GROUPS.items():
        lines = []
        for model in models:
            if model["group"] != group:
                continue
            mine = by_chain.get(model["name"], [])
            facts = of_chain(mine)
            lines.append([f"`{model['name']}`", model["num_transient"], model["why"],
                          shown(facts["moments"], GOALS["moment"]), shown(facts["moments_gradient"], GOALS["gradient"]),
                          shown(facts["law"], GOALS["law"]), shown(facts["bound"]),
                          shown(facts["law_gradient"], GOALS["gradient"]), facts["answered"], facts["taken"]])
            picture.setdefault(title, []).append(picture_row(model["name"], mine))
        page += [f"## {title}", table(["chain", "states", "why it is hard", "moments", "their gradient", "laws", "bound",
                                       "their gradient", "answered", "points by route"], lines), ""]
    page += ["## Known failures"]
    if failures:
        page += ["The test names them too (`tests/zoo/known_failures.hpp`) and fails when one of them passes.", "",
                 table(["chain", "what", "largest", "quantities"], failures), ""]
    else:
        page += ["None.", ""]
    with open(os.path.join(options.root, "tests/zoo/accuracy_notes.md")) as source:
        page.append(source.read().rstrip())
    with open(os.path.join(options.root, "docs/accuracy.md"), "w") as target:
        target.write("\n".join(page) + "\n")
    title = f"Largest relative error of {len(models)} chains, by quantity and route, with the largest bound reported"
    with open(os.path.join(options.root, "docs/accuracy.svg"), "w") as target:
        target.write(accuracy_plot(picture, title))


if __name__ == "__main__":
    main()
