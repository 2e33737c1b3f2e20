"""What became of one cheque, read back from its run as it is stored."""

from dataclasses import dataclass

from hitl.demo.desk import Desk, read_so_far
from hitl.demo.reviewer import proposed_digit
from hitl.demo.rules import READ
from hitl.models import DecidedBy, Review, ReviewStatus, RunStatus, Verdict
from hitl.reviews import TimelineStep
from hitl.runtime import Run


@dataclass(frozen=True, slots=True)
class DigitTrace:
    """One box of a cheque that the reader came to."""

    p: float
    """P(the first reading is right)."""
    read: int
    """The first reading."""
    final: int | None
    """What was written down; None while it waits, and where the run ended before."""
    verdict: Verdict | None
    """Of the first review; None when nobody was asked, or has decided yet."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One cheque that the desk began."""

    number: int
    status: RunStatus
    digits: tuple[DigitTrace, ...]
    asked: int
    """Reviews of its digits."""
    asked_elsewhere: int
    """Reviews of its payment."""
    resets: int
    """Digits a person's yes or answer committed."""
    clicks: int
    """Decisions a person made on it."""
    waiting: Review | None
    """The review it waits for."""

    @property
    def written(self) -> tuple[int, ...]:
        """The digits written down so far."""
        return tuple(d.final for d in self.digits if d.final is not None)

    @property
    def is_over(self) -> bool:
        """Whether its run has ended."""
        return self.status in (RunStatus.DONE, RunStatus.STOPPED)


def trace(desk: Desk, number: int, run: Run) -> Trace:
    """Return what became of cheque `number` so far.

    Raises:
        ValueError: The run's log has a reading without a p: the calibrator was missing.
    """
    timeline = run.timeline()
    steps = timeline.steps
    written = read_so_far(desk.app.graph.get_state(run.config).values)
    first = [s for s in steps if s.gate.name.step == READ and s.gate.attempt == 1]
    digits = [_digit(s, written[n] if n < len(written) else None) for n, s in enumerate(first)]
    on_digits = [s for s in steps if s.gate.name.step == READ]
    elsewhere = [s for s in steps if s.gate.name.step != READ]
    pending = [r for r in timeline.reviews if r.status is ReviewStatus.PENDING]
    return Trace(
        number=number,
        status=timeline.run.status,
        digits=tuple(d for d in digits if d is not None),
        asked=sum(s.review is not None for s in on_digits),
        asked_elsewhere=sum(s.review is not None for s in elsewhere),
        resets=sum(s.gate.verified for s in on_digits),
        clicks=sum(_is_click(review) for review in timeline.reviews),
        waiting=pending[0] if pending else None,
    )


def _digit(step: TimelineStep, final: int | None) -> DigitTrace | None:
    """Return one box; None while its reading is not in the run's snapshot yet."""
    p, review = step.gate.p, step.review
    read = proposed_digit(review) if review is not None else final
    if read is None:
        return None
    if p is None:
        raise ValueError(
            f"Gate {step.gate.id!r} of the reader has no p; its calibrator is missing."
        )
    decision = review.decision if review is not None else None
    return DigitTrace(p, read, final, decision.verdict if decision is not None else None)


def _is_click(review: Review) -> bool:
    return review.decision is not None and review.decision.made_by is DecidedBy.PERSON
