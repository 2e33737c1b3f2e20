"""The reliability sawtooth, drawn on the server as SVG.

No inline style, no script: the page's content security policy forbids both. Curves live in a nested
SVG that stretches with its box while strokes keep their width; points and labels are placed by
percentages beside it, so text stays crisp at every width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from review_ui.phrases import probability

Anchor = Literal["start", "middle", "end"]
Point = tuple[float, float]

_SIDE = 1000.0
"""Units of the stretched plot area in both directions."""
_LABEL_GAP = 0.16
"""Least distance of two labels above the plot, as a share of its width."""


@dataclass(frozen=True, slots=True)
class CurveStep:
    """One step as the curve and its table show it. All reliabilities are in [0, 1]."""

    label: str
    before: float
    unchecked: float
    """With this step, had nobody looked at it."""
    after: float
    """After its commit: `unchecked`, or the reset value after a person's yes."""
    p: float | None = None
    unaided: float = 1.0
    """Product of every p since the start: the run if nobody had ever checked."""
    verified_by: str = ""
    reset_basis: str = ""
    waiting: bool = False
    is_end: bool = False
    """Whether it is the end of the run, which has no p of its own."""

    @property
    def p_words(self) -> str:
        """The step's p as it is read; empty at the end of a run."""
        return "" if self.is_end else probability(self.p)


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's reliability, step by step."""

    steps: tuple[CurveStep, ...]
    floor: float | None = None
    first: int = 1
    """Number of the first step drawn, when earlier ones are left out."""

    @property
    def now(self) -> float:
        """Reliability with the last step counted; 1.0 for a run without steps."""
        return self.steps[-1].after if self.steps else 1.0

    @property
    def unaided(self) -> float:
        """What it would be if nobody had checked."""
        return self.steps[-1].unaided if self.steps else 1.0

    @property
    def below_floor(self) -> bool:
        """Whether the run is under its floor now."""
        return self.floor is not None and self.now < self.floor


def describe(curve: Curve) -> str:
    """Return the chart in one paragraph, for those who do not see it."""
    resets = [f"{s.label} ({s.verified_by})" for s in curve.steps if s.verified_by]
    floor = f", floor {probability(curve.floor)}" if curve.floor is not None else ""
    yes = f"A person said yes at {', '.join(resets)}." if resets else "No person has said yes yet."
    return (
        f"Reliability now {probability(curve.now)}{floor}. {yes}"
        f" If nobody had checked it would be {probability(curve.unaided)}."
    )


def sawtooth(curve: Curve, *, id: str, title: str, compact: bool = False) -> Markup:
    """Return the chart of `curve`; `id` must be unique on the page."""
    plot = _Plot(curve)
    lines = Markup().join(
        [*plot.grid(), *plot.areas(), plot.ghost(), *plot.floor_line(), *plot.lines()]
    )
    marks = Markup().join(
        [*plot.yes_marks(compact=compact), *plot.end_marks(), *plot.floor_label()]
    )
    body = Markup(
        '<svg class="plot" role="img" aria-labelledby="{id}-t {id}-d"><title id="{id}-t">{title}</title>'
        '<desc id="{id}-d">{desc}</desc><svg viewBox="0 0 1000 1000" preserveAspectRatio="none"'
        ' width="100%" height="100%" overflow="visible">{lines}</svg>{marks}</svg>'
    ).format(id=id, title=title, desc=describe(curve), lines=lines, marks=marks)
    return Markup(
        '<div class="chart{size}"><div class="y" aria-hidden="true">{ticks}</div>{body}'
        '<div class="x" aria-hidden="true">{xlabels}</div></div>'
    ).format(
        size=" compact" if compact else "",
        ticks=Markup().join(_span(f"{v:.1f}") for v in reversed(plot.ticks)),
        body=body,
        xlabels=Markup().join(_span(t) for t in plot.xlabels()),
    )


def glyph(values: Sequence[float], *, floor: float | None, label: str, calm: bool) -> Markup:
    """Return the small curve of a list row: `values` from the last reset to now.

    Args:
        values: Reliabilities in [0, 1], oldest first; at least one.
        floor: The dotted line, or None.
        label: What it says, for those who do not see it.
        calm: False draws it as below the floor.
    """
    low = min(0.5, *values)
    step = 78.0 / max(len(values) - 1, 1)
    points = [(3 + i * step, 3 + (1 - v) / (1 - low) * 20) for i, v in enumerate(values)]
    dotted = Markup()
    if floor is not None:
        y = _n(3 + (1 - max(floor, low)) / (1 - low) * 20)
        dotted = Markup('<path class="fl" d="M0 {}H84"/>').format(y)
    return Markup(
        '<svg class="spark {tone}" viewBox="0 0 84 26" role="img" aria-label="{label}">{dotted}'
        '<path d="{path}" stroke="currentColor"/><circle class="now" cx="{x}" cy="{y}" r="2.4"/></svg>'
    ).format(
        tone="calm" if calm else "vb",
        label=label,
        dotted=dotted,
        path=_path(points),
        x=_n(points[-1][0]),
        y=_n(points[-1][1]),
    )


class _Plot:
    """Places one curve: x counts steps from 0, y is reliability."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve
        self.steps = curve.steps
        self.width = float(max(len(curve.steps), 1))
        lowest = min([1.0, *(min(s.unchecked, s.after, s.unaided) for s in curve.steps)])
        if curve.floor is not None:
            lowest = min(lowest, curve.floor)
        fifths = max(0, int((lowest - 0.02) * 5))
        self.low = fifths / 5
        tenths = range(fifths * 2, 11, 1 if fifths >= 3 else 2)
        self.ticks = [t / 10 for t in tenths]

    def xy(self, point: Point) -> Point:
        x, y = point
        return x / self.width * _SIDE, (1 - y) / (1 - self.low) * _SIDE

    def grid(self) -> list[Markup]:
        return [self._across("axis" if i == 0 else "grid", v) for i, v in enumerate(self.ticks)]

    def floor_line(self) -> list[Markup]:
        return [] if self.curve.floor is None else [self._across("floor", self.curve.floor)]

    def floor_label(self) -> list[Markup]:
        if self.curve.floor is None:
            return []
        words = f"floor {probability(self.curve.floor)}"
        return [self._text((0.0, self.curve.floor), words, "halo", "start", dx=4, dy=13)]

    def segments(self) -> list[list[Point]]:
        """Return the pieces between resets; a new turn or a rollback starts one too."""
        pieces: list[list[Point]] = []
        last: float | None = None
        for x, step in enumerate(self.steps):
            if last is None or abs(step.before - last) > 1e-9:
                pieces.append([(float(x), step.before)])
            pieces[-1].append((x + 1.0, step.unchecked))
            last = step.after
            if step.verified_by:
                pieces.append([(x + 1.0, step.after)])
        return [p for p in pieces if len(p) > 1]

    def areas(self) -> list[Markup]:
        return [
            Markup('<path class="under" d="{}Z"/>').format(
                _path([self.xy(q) for q in [*s, (s[-1][0], self.low), (s[0][0], self.low)]])
            )
            for s in self.segments()
        ]

    def lines(self) -> list[Markup]:
        drawn = [
            Markup('<path class="rel" d="{}"/>').format(_path([self.xy(q) for q in s]))
            for s in self.segments()
        ]
        jumps = [
            _line("cpline", self.xy((x + 1.0, s.unchecked)), self.xy((x + 1.0, s.after)))
            for x, s in enumerate(self.steps)
            if s.verified_by
        ]
        return [*drawn, *jumps]

    def ghost(self) -> Markup:
        points = [(0.0, 1.0), *((x + 1.0, s.unaided) for x, s in enumerate(self.steps))]
        return Markup('<path class="ghost" d="{}"/>').format(_path([self.xy(q) for q in points]))

    def yes_marks(self, *, compact: bool) -> list[Markup]:
        marks: list[Markup] = []
        free = -_LABEL_GAP
        for x, step in enumerate(self.steps):
            if not step.verified_by:
                continue
            at = (x + 1.0, step.after)
            words = f"{step.verified_by}: yes, {probability(step.after)} {step.reset_basis}"
            marks.append(self._diamond(at, words))
            share = at[0] / self.width
            if share - free >= _LABEL_GAP * (2 if compact else 1):
                free = share
                anchor: Anchor = "start" if share < 0.2 else "end" if share > 0.8 else "middle"
                short = f"{probability(step.after)} {step.reset_basis}"
                marks.append(self._text(at, short, "okt halo", anchor, dy=-12))
        return marks

    def end_marks(self) -> list[Markup]:
        if not self.steps:
            return []
        x, step, curve = self.width, self.steps[-1], self.curve
        tone = "bad" if curve.below_floor else "solid"
        words = f"now {probability(curve.now)}"
        marks = [self._dot((x, curve.now), f"pt {tone}", words)]
        text = "badt halo" if curve.below_floor else "k halo"
        if not step.verified_by:
            below = self._below(curve.now, 17)
            marks.append(self._text((x, curve.now), words, text, "end", dx=-9, dy=below))
        if curve.now - curve.unaided > 0.15:
            ghost = f"{probability(curve.unaided)} if nobody had checked"
            below = self._below(curve.unaided, 16)
            marks.append(self._text((x, curve.unaided), ghost, "halo", "end", dx=-6, dy=below))
        return marks

    def _below(self, y: float, dy: int) -> int:
        """Return how far under `y` a label stands; over it where the axis is too near."""
        return -8 if y - self.low < 0.15 * (1 - self.low) else dy

    def xlabels(self) -> list[str]:
        first, n = self.curve.first, len(self.steps)
        start = "start" if first == 1 else f"step {first}"
        return [start, f"step {first + n - 1}"] if n else [start]

    def _across(self, cls: str, y: float) -> Markup:
        return _line(cls, self.xy((0.0, y)), self.xy((self.width, y)))

    def _at(self, point: Point) -> tuple[str, str]:
        x, y = self.xy(point)
        return f"{_n(x / 10)}%", f"{_n(y / 10)}%"

    def _dot(self, point: Point, cls: str, tip: str) -> Markup:
        x, y = self._at(point)
        dot = '<circle class="{}" cx="{}" cy="{}" r="5"><title>{}</title></circle>'
        return Markup(dot).format(cls, x, y, tip)  # noqa: S704 - a constant; format escapes

    def _diamond(self, point: Point, tip: str) -> Markup:
        x, y = self._at(point)
        return Markup(
            '<svg x="{}" y="{}" overflow="visible"><rect class="pt okp" x="-5.5" y="-5.5" width="11"'
            ' height="11" rx="2" transform="rotate(45)"><title>{}</title></rect></svg>'
        ).format(x, y, tip)

    def _text(
        self, point: Point, words: str, cls: str, anchor: Anchor, *, dx: int = 0, dy: int = 0
    ) -> Markup:
        x, y = self._at(point)
        return Markup(
            '<text class="{}" x="{}" y="{}" dx="{}" dy="{}" text-anchor="{}">{}</text>'
        ).format(cls, x, y, dx, dy, anchor, words)


def _line(cls: str, a: Point, b: Point) -> Markup:
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        cls, _n(a[0]), _n(a[1]), _n(b[0]), _n(b[1])
    )


def _path(points: Sequence[Point]) -> str:
    return "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def _span(words: str) -> Markup:
    return Markup("<span>{}</span>").format(words)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
