"""The goals as one picture: how far each measured ratio lies beyond or short of its goal."""

import html
import math
import statistics

WIDTH, MARGIN, ROW, TOP, BOTTOM = 380, 14, 42, 62, 40
EDGE = 64
STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1b2430}"
    ".head{font-size:15px;font-weight:700}.soft{fill:#56616f}.paper{fill:#fff}.grid{stroke:#e1e3e0}"
    ".goal{stroke:#1b2430;stroke-width:1.6}.yes{fill:#0072b2}.no{fill:#d55e00}"
    ".range{stroke-width:3;stroke-linecap:round}.range.yes{stroke:#0072b2}.range.no{stroke:#d55e00}"
)


def wrapped(text, columns):
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def beyond_goal(row):
    """Repetitions as multiples of the goal, above 1 where it is met; far ones stand at the edge."""
    multiples = [value / row.goal if row.sense == ">=" else row.goal / max(value, 1e-300) for value in row.values]
    return [min(max(multiple, 1 / EDGE), EDGE) for multiple in multiples]


def goal_plot(rows, title):
    """SVG, 380 units wide. Circles are met, diamonds not, so that nothing rests on colour alone."""
    shown = [row for row in rows if row.values and row.goal is not None]
    if not shown:
        return None
    values = [value for row in shown for value in beyond_goal(row)]
    low = 2 ** math.floor(math.log2(min(values + [0.5])))
    high = 2 ** math.ceil(math.log2(max(values + [2])))

    def place(value):
        return MARGIN + (WIDTH - 2 * MARGIN) * math.log(value / low) / math.log(high / low)

    labels = [wrapped(f"{row.name}", 50) for row in shown]
    heights = [ROW + 16 * (len(label) - 1) + 17 for label in labels]
    bottom = TOP + sum(heights)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + BOTTOM}" width="{WIDTH}" '
        f'height="{bottom + BOTTOM}" role="img" aria-label="{html.escape(title)}"><title>{html.escape(title)}</title>'
        f'<style>{STYLE}</style><rect class="paper" width="{WIDTH}" height="{bottom + BOTTOM}"/>',
        f'<text class="head" x="{MARGIN}" y="24">Measured over goal</text>',
        f'<text class="soft" x="{MARGIN}" y="44">dot: median, line: range; right of the black line: met</text>',
    ]
    step = max(1, math.ceil(math.log2(high / low) / 5))
    exponents = [e for e in range(round(math.log2(low)), round(math.log2(high)) + 1) if e % step == 0]
    ticks = []
    for exponent in exponents:
        x = place(2.0**exponent)
        text = f"{2**exponent}x" if exponent >= 0 else f"1/{2**-exponent}"
        ticks.append(x)
        anchor = min(max(x, MARGIN + 12), WIDTH - MARGIN - 16)
        parts.append(f'<text class="soft" x="{anchor:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
    y = TOP
    for row, label, height in zip(shown, labels, heights):
        css = "yes" if row.met else "no"
        for i, line in enumerate(label):
            parts.append(f'<text x="{MARGIN}" y="{y + 12 + 16 * i}">{html.escape(line)}</text>')
        unit = "x" if row.unit == " x" else row.unit.strip()
        against = row.peer.split(":")[0] if row.unit == " x" else ""
        goal = f"{statistics.median(row.values):.3g} {unit}".strip() + f", goal {row.sense} {row.goal:g}"
        detail = f"{goal}, {against}" if against else goal
        parts.append(f'<text class="soft" x="{MARGIN}" y="{y + 12 + 16 * len(label)}">{html.escape(detail)}</text>')
        at = y + height - 17
        # Lines only beside the dot: text stays free of them.
        rule = "".join(f"M{x:.1f} {at - 9}v18" for x in ticks)
        parts.append(f'<path class="grid" d="{rule}"/><path class="goal" d="M{place(1):.1f} {at - 9}v18"/>')
        multiples = beyond_goal(row)
        first, middle, last = (place(v) for v in (min(multiples), statistics.median(multiples), max(multiples)))
        parts.append(f'<path class="range {css}" d="M{first:.1f} {at}H{last:.1f}"/>')
        if row.met:
            parts.append(f'<circle class="yes" cx="{middle:.1f}" cy="{at}" r="5.5"/>')
        else:
            parts.append(f'<path class="no" d="M{middle:.1f} {at - 7}l7 7l-7 7l-7 -7z"/>')
        y += height
    return "".join(parts) + "</svg>\n"
