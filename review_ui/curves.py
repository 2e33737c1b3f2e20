"""From a run's timeline to the curve that is drawn. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hitl.models import Covers, GateRow, ReviewStatus
from hitl.reviews import RunTimeline, TimelineStep
from review_ui.charts import Curve, CurveStep
from review_ui.text import plain

MOST_STEPS = 240
"""Steps that are drawn; the newest ones of a longer run."""
_LABEL = 60


def curve_of(
    timeline: RunTimeline, *, floor: float | None = None, review_id: str | None = None
) -> Curve:
    """Return the run's reliability over its committed steps, and those that wait.

    The unaided line takes the p of each visit's first attempt: had nobody checked, that attempt would
    have been committed.

    Args:
        timeline: The run.
        floor: The floor that holds; None takes the one that fired last.
        review_id: Of the steps that wait, draw this review's alone; None draws all.
    """
    drawn = [
        step
        for step in _drawn(timeline.steps)
        if step.is_live or review_id in (None, step.gate.review_id)
    ]
    first_p = _first_attempts(timeline.steps)
    steps: list[CurveStep] = []
    unaided, siblings = 1.0, _Siblings()
    for step in drawn:
        p = first_p[_visit(step.gate)]
        unaided *= 1.0 if p is None else p
        steps.append(_curve_step(step, siblings, unaided))
    cut = max(0, len(steps) - MOST_STEPS)
    known = floor_of(timeline.steps) if floor is None else floor
    return Curve(steps=tuple(steps[cut:]), floor=known, first=cut + 1)


def floor_of(steps: Iterable[TimelineStep]) -> float | None:
    """Return the reliability floor that last fired in the run, or None."""
    fired = [
        t.threshold
        for step in steps
        for t in step.gate.triggers
        if t.kind == "reliability" and t.threshold is not None
    ]
    return fired[-1] if fired else None


@dataclass(slots=True)
class _Siblings:
    """The superstep under way: its tasks read one state, so each row knows the shared prefix only."""

    key: tuple[str, int, int] | None = None
    value: float = 1.0
    """Reliability with the siblings so far."""
    factor: float = 1.0
    """Product of what the siblings so far added."""

    def begin(self, gate: GateRow) -> bool:
        """Return whether `gate` belongs to the superstep under way."""
        key = (gate.name.step.rpartition("/")[0], gate.step_index, gate.branch)
        same, self.key = key == self.key, key
        if not same:
            self.factor = 1.0
        return same


def _curve_step(step: TimelineStep, siblings: _Siblings, unaided: float) -> CurveStep:
    gate, review = step.gate, step.review
    waiting = not step.is_live
    before, after = gate.reliability_before, gate.reliability_after
    unchecked = _unchecked(step)
    if siblings.begin(gate) and before > 0:
        ratio, shared = after / before, siblings.factor
        unchecked = siblings.value * unchecked / before
        resets = gate.verified and gate.covers is Covers.SINCE_RESET
        after = after * shared if resets else siblings.value * ratio
        before = siblings.value
    siblings.factor *= 1.0 if gate.p is None else gate.p
    siblings.value = unchecked if waiting else after
    decided_by = review.decision.by if review and review.decision else "a person"
    return CurveStep(
        label=plain(gate.name.step, _LABEL),
        before=before,
        unchecked=_share(unchecked),
        after=_share(unchecked if waiting else after),
        p=gate.p,
        unaided=unaided,
        verified_by=plain(decided_by, _LABEL) if gate.verified and not waiting else "",
        reset_basis=review.presentation.reset_basis if review else "assumed",
        waiting=waiting,
        is_end=gate.is_of_the_end,
    )


def _unchecked(step: TimelineStep) -> float:
    """Return the reliability with this step, had nobody looked at it."""
    gate, review = step.gate, step.review
    if review is not None and review.blocking:
        return review.presentation.reliability_now
    if gate.verified:
        return gate.reliability_before * (1.0 if gate.p is None else gate.p)
    return gate.reliability_after


def _drawn(steps: Sequence[TimelineStep]) -> Iterable[TimelineStep]:
    for step in steps:
        review = step.review
        waits = review is not None and review.blocking and review.status is ReviewStatus.PENDING
        if step.is_live or (waits and step.gate.undone_at is None):
            yield step


def _first_attempts(steps: Sequence[TimelineStep]) -> dict[tuple[str, str, int, int], float | None]:
    first: dict[tuple[str, str, int, int], float | None] = {}
    for step in steps:
        first.setdefault(_visit(step.gate), step.gate.p)
    return first


def _visit(gate: GateRow) -> tuple[str, str, int, int]:
    name = gate.name
    return name.step, name.place, name.visit, name.shard


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))
