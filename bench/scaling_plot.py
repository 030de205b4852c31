"""Time of an iteration over processes, both axes logarithmic, with the ideal lines."""

import math
import statistics

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 560, 340, 64, 96, 56, 48
STYLE = (
    "text{font:13px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1b2430}"
    ".head{font-size:15px;font-weight:700}.soft{fill:#56616f}.paper{fill:#fff}.grid{stroke:#e1e3e0}"
    ".ideal{stroke:#56616f;stroke-dasharray:4 4;fill:none}.shared{fill:#f4f1ea}"
    ".strong{stroke:#0072b2;fill:#0072b2}.weak{stroke:#d55e00;fill:#d55e00}.line{fill:none;stroke-width:2}"
)


def ticks(low, high):
    """1, 2, 5 times powers of ten, both ends inside."""
    values = [m * 10.0**e for e in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for m in (1, 2, 5)]
    below = max(v for v in values if v <= low)
    above = min(v for v in values if v >= high)
    return [v for v in values if below <= v <= above]


def scaling_plot(series, cores):
    """`series`: (name, [(processes, [milliseconds])]). SVG; circles and squares, so that nothing rests on colour alone."""
    ranks = sorted({k for _, points in series for k, _ in points})
    times = [t for _, points in series for _, values in points for t in values]
    ideals = [statistics.median(points[0][1]) / points[-1][0] for name, points in series if name == "strong"]
    y_ticks = ticks(min(times + ideals), max(times))
    low, high = y_ticks[0], y_ticks[-1]

    def x(k):
        span = math.log(ranks[-1] / ranks[0]) if len(ranks) > 1 else 1
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(k / ranks[0]) / span

    def y(t):
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - math.log(t / low) / math.log(high / low))

    title = "Milliseconds an iteration over processes"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" aria-label="{title}"><title>{title}</title><style>{STYLE}</style>'
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="head" x="14" y="24">{title}</text>',
        '<text class="soft" x="14" y="42">dot: median, bar: range, dashed: ideal</text>',
    ]
    if ranks[-1] > cores >= ranks[0]:
        parts.append(
            f'<rect class="shared" x="{x(cores) + 10:.1f}" y="{TOP}" width="{x(ranks[-1]) - x(cores) + 4:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/><text class="soft" x="{x(ranks[-1]) + 8:.1f}" y="{TOP + 16}" '
            f'text-anchor="end">shared cores</text>'
        )
    for t in y_ticks:
        parts.append(
            f'<path class="grid" d="M{LEFT} {y(t):.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="soft" x="{LEFT - 8}" y="{y(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        )
    for k in ranks:
        parts.append(f'<text class="soft" x="{x(k):.1f}" y="{HEIGHT - 24}" text-anchor="middle">{k}</text>')
    parts.append(f'<text class="soft" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">processes</text>')
    for name, points in series:
        first = statistics.median(points[0][1])
        last = points[-1][0]
        end = first / last if name == "strong" else first
        parts.append(f'<path class="ideal" d="M{x(points[0][0]):.1f} {y(first):.1f}L{x(last):.1f} {y(end):.1f}"/>')
        medians = [(x(k), y(statistics.median(values))) for k, values in points]
        parts.append(f'<path class="line {name}" d="M' + "L".join(f"{a:.1f} {b:.1f}" for a, b in medians) + '"/>')
        for (a, b), (_, values) in zip(medians, points):
            parts.append(f'<path class="line {name}" d="M{a:.1f} {y(min(values)):.1f}V{y(max(values)):.1f}"/>')
            if name == "strong":
                parts.append(f'<circle class="{name}" cx="{a:.1f}" cy="{b:.1f}" r="4"/>')
            else:
                parts.append(f'<rect class="{name}" x="{a - 4:.1f}" y="{b - 4:.1f}" width="8" height="8"/>')
        a, b = medians[-1]
        parts.append(f'<text x="{a + 12:.1f}" y="{b + 4:.1f}">{name}</text>')
    return "".join(parts) + "</svg>\n"
