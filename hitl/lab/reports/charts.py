"""Charts drawn as SVG text, each with its numbers as a table beside it. No script, no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 300, 64, 44, 12, 16
COLOURS = ("#2f78c4", "#d0453a", "#2e8b57", "#a8741a")
"""Seen on white and on black; words are in the page's own colour."""
_MOST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a chart."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    steps: bool = False
    """Whether the points stand alone, unjoined."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One row of an interval chart."""

    name: str
    value: float
    low: float
    high: float


def line_chart(title: str, *, x: str, y: str, lines: Sequence[Line]) -> str:
    """Return a figure of lines from 0 on both axes; x and y name the axes."""
    wide = max((v for line in lines for v in line.x), default=1.0) or 1.0
    high = max((v for line in lines for v in line.y), default=1.0) or 1.0
    drawn = [_axes(wide, high, x, y)]
    drawn += [
        _line(line, wide, high, COLOURS[n % len(COLOURS)], TOP + 26 + 16 * n)
        for n, line in enumerate(lines)
    ]
    rows = [
        (line.name, f"{a:.4g}", f"{b:.4g}") for line in lines for a, b in _thinned(line.x, line.y)
    ]
    return _figure(title, "".join(drawn), ("series", x, y), rows, HEIGHT)


def interval_chart(title: str, *, unit: str, rows: Sequence[Interval]) -> str:
    """Return a figure of values with their intervals, one row each."""
    most = max((row.high for row in rows), default=1.0) or 1.0
    height = 34 * len(rows) + 40
    drawn = []
    for n, row in enumerate(rows):
        y = 24 + 34 * n
        low, at, high = (_along(v, most, 180) for v in (row.low, row.value, row.high))
        drawn.append(
            f'<text x="170" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[0]}"'
            f' stroke-width="3"/><circle cx="{at:.1f}" cy="{y}" r="5" fill="{COLOURS[0]}"/>'
            f'<text x="{high + 8:.1f}" y="{y + 4}">{row.value:.2%}</text>'
        )
    told = [(r.name, f"{r.value:.2%}", f"{r.low:.2%}", f"{r.high:.2%}") for r in rows]
    return _figure(title, "".join(drawn), ("", unit, "from", "to"), told, height)


def html_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an HTML table; everything in it is escaped, None is a dash."""
    head = "".join(f'<th scope="col">{escape(str(c))}</th>' for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape('–' if c is None else str(c))}</td>" for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _figure(
    title: str,
    drawn: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    height: int,
) -> str:
    label = escape(title)
    return (
        f"<figure><figcaption>{label}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" fill="currentColor" role="img"'
        f' aria-label="{label}">{drawn}</svg>'
        f"<details><summary>Show as table</summary>{html_table(columns, rows)}</details></figure>"
    )


def _axes(wide: float, high: float, x: str, y: str) -> str:
    base, end = HEIGHT - BOTTOM, WIDTH - RIGHT
    drawn = [
        f'<path d="M{LEFT} {TOP}V{base}H{end}" fill="none" stroke="currentColor"/>',
        f'<text x="{(LEFT + end) / 2}" y="{HEIGHT - 6}" text-anchor="middle">{escape(x)}</text>',
        f'<text x="{LEFT + 6}" y="{TOP + 10}">{escape(y)}</text>',
    ]
    for tick in range(5):
        part = tick / 4
        across, up = LEFT + part * (end - LEFT), base - part * (base - TOP)
        drawn.append(
            f'<text x="{across:.0f}" y="{base + 16}" text-anchor="middle">{part * wide:.3g}</text>'
            f'<text x="{LEFT - 6}" y="{up + 4:.0f}" text-anchor="end">{part * high:.3g}</text>'
        )
    return "".join(drawn)


def _line(line: Line, wide: float, high: float, colour: str, legend: int) -> str:
    points = [(_along(a, wide, LEFT), _up(b, high)) for a, b in zip(line.x, line.y, strict=True)]
    if line.steps:
        drawn = "".join(
            f'<circle cx="{a:.1f}" cy="{b:.1f}" r="4" fill="{colour}"/>' for a, b in points
        )
    else:
        joined = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
        drawn = f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
    key = f'<rect x="{LEFT + 6}" y="{legend - 9}" width="10" height="10" fill="{colour}"/>'
    name = f'<text x="{LEFT + 22}" y="{legend}">{escape(line.name)}</text>'
    return f"{drawn}{key}{name}"


def _along(value: float, most: float, left: int) -> float:
    room = WIDTH - RIGHT - left - (60 if left > LEFT else 0)
    return left + room * value / most


def _up(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * value / most


def _thinned(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    """Return at most forty points, the ends among them."""
    points = list(zip(x, y, strict=True))
    if len(points) <= _MOST_ROWS:
        return points
    step = (len(points) - 1) / (_MOST_ROWS - 1)
    return [points[round(n * step)] for n in range(_MOST_ROWS)]
