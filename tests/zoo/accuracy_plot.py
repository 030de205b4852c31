"""The accuracy zoo as one picture: a row a chain, relative errors on a logarithmic axis. See accuracy_page.py."""

import html
import math

WIDTH, MARGIN, LABEL, ROW, TOP, BOTTOM = 520, 14, 192, 24, 148, 34
LOW, HIGH = -17, -6
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1b2430}"
    ".head{font-size:15px;font-weight:700}.group{font-weight:700}.soft{fill:#56616f}.paper{fill:#fff}.stripe{fill:#f5f6f4}"
    ".grid{stroke:#dcdfda}.goal{stroke:#1b2430;stroke-dasharray:3 3}.bound{stroke:#1b2430;stroke-width:1.8}"
    ".span{stroke:#c3c8cf;stroke-width:2}"
    ".moment{fill:#0072b2;stroke:#0072b2}.law{fill:#d55e00;stroke:#d55e00}.gradient{fill:#fff;stroke-width:1.5}"
    )
SHAPES = {"replay": "circle", "contour": "diamond", "saddlepoint": "triangle", "uniformization": "square",
          "stepping": "square"}


def place(error):
    exponent = LOW if error <= 0 else min(max(math.log10(error), LOW), HIGH)
    return LABEL + (WIDTH - MARGIN - LABEL) * (exponent - LOW) / (HIGH - LOW)


def mark(shape, x, y, css):
    if shape == "circle":
        return f'<circle class="{css}" cx="{x:.1f}" cy="{y}" r="3.6"/>'
    outline = {"diamond": "m0 -4.6l4.6 4.6l-4.6 4.6l-4.6 -4.6z", "triangle": "m0 -4.4l4.3 7.6h-8.6z",
               "square": "m-3.4 -3.4h6.8v6.8h-6.8z"}[shape]
    return f'<path class="{css}" d="M{x:.1f} {y}{outline}"/>'


def legend():
    """Three lines of text with marks, fixed places."""
    parts = []
    items = [
        (MARGIN + 6, 68, "circle", "moment", "moments, transforms, times per state"),
        (MARGIN + 6, 88, "diamond", "law", "law: contour"),
        (MARGIN + 116, 88, "triangle", "law", "saddlepoint"),
        (MARGIN + 218, 88, "square", "law", "uniformization, stepping"),
        (MARGIN + 6, 108, "circle", "moment gradient", ""),
        (MARGIN + 20, 108, "diamond", "law gradient", "hollow: gradients"),
    ]
    for x, y, shape, css, text in items:
        parts.append(mark(shape, x, y, css) + f'<text x="{x + 10}" y="{y + 4}">{text}</text>')
    x = MARGIN + 152
    parts.append(f'<path class="span" d="M{x} 108h18"/><path class="bound" d="M{x + 18} 103v10"/>')
    parts.append(f'<text x="{x + 26}" y="112">largest bound of auto</text>')
    return "".join(parts)


def accuracy_plot(groups, title):
    """SVG. `groups`: {group: [(name, [(lane, shape, css, error)], (worst, bound) or None)]}, lane 0 or 1."""
    height = TOP + BOTTOM + sum(26 + ROW * len(rows) for rows in groups.values())
    bottom = height - BOTTOM
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{html.escape(title)}"><title>{html.escape(title)}</title><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{height}"/>',
        f'<text class="head" x="{MARGIN}" y="24">Largest relative error of each chain</text>',
        f'<text class="soft" x="{MARGIN}" y="44">against enclosures; dashed: goals, 1e-13 for moments, 1e-8 for the rest</text>', legend(),
    ]
    y = TOP
    stripes, labels, marks = [], [], []
    for group, rows in groups.items():
        labels.append(f'<text class="group" x="{MARGIN}" y="{y + 18}">{html.escape(group)}</text>')
        y += 26
        for i, (name, dots, bound) in enumerate(rows):
            if i % 2 == 0:
                stripes.append(f'<rect class="stripe" x="{MARGIN - 6}" y="{y}" width="{WIDTH - 2 * MARGIN + 12}" height="{ROW}"/>')
            labels.append(f'<text x="{MARGIN}" y="{y + 16}">{html.escape(name)}</text>')
            lanes = (y + 7, y + 17)
            if bound is not None:
                first, last = place(bound[0]), place(bound[1])
                marks.append(f'<path class="span" d="M{first:.1f} {lanes[1]}H{last:.1f}"/>'
                             f'<path class="bound" d="M{last:.1f} {lanes[1] - 5}v10"/>')
            for lane, shape, css, error in dots:
                marks.append(mark(shape, place(error), lanes[lane], css))
            y += ROW
    parts += stripes
    for exponent in range(LOW, HIGH + 1):
        x = place(10.0**exponent)
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP}V{bottom}"/>')
        if exponent % 2 == 0:
            for at in (TOP - 6, bottom + 16):
                text = f"1e{exponent}" if exponent < HIGH else "more"
                anchor = "middle" if exponent < HIGH else "end"
                parts.append(f'<text class="soft" x="{x:.1f}" y="{at}" text-anchor="{anchor}">{text}</text>')
    for goal in (1e-13, 1e-8):
        parts.append(f'<path class="goal" d="M{place(goal):.1f} {TOP}V{bottom}"/>')
    return "".join(parts + labels + marks) + "</svg>\n"
