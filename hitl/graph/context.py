"""What a step can say and ask while it runs: `hitl.report` and `hitl.current`."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from hitl.errors import InvalidReport
from hitl.models import Denial, Evidence, Signal, StepName

if TYPE_CHECKING:
    from hitl.graph.asked import Asker


@dataclass(slots=True)
class Report:
    """What a step said about its own result, gathered while it runs."""

    confidence: float | None = None
    evidence: list[Evidence] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """The execution that is under way."""

    run_id: str
    step: str
    visit: int
    attempt: int
    """From 1; 2 is the first try after a no."""
    keyed: Callable[[], str] = field(repr=False)
    ends: Callable[[], datetime | None] = field(repr=False)
    released_by: Callable[[], str | None] = field(repr=False)
    rollout: int = 0
    """Which try of this attempt, from 0; more than 0 while the step tries again by itself."""
    denials: tuple[Denial, ...] = ()
    """Earlier noes that reach this step, oldest first."""
    precedents: tuple[()] = ()
    """Similar earlier decisions. Empty until precedents are built."""
    name: StepName | None = field(default=None, repr=False)
    said: Report = field(default_factory=Report, repr=False)
    asker: "Asker | None" = field(default=None, repr=False)
    """What `hitl.ask` goes through; None where nothing may be asked: in a critic or a judge."""

    @property
    def deadline(self) -> datetime | None:
        """When retries of this step end, UTC; None for no limit."""
        return self.ends()

    @property
    def idempotency_key(self) -> str:
        """A key for the step's effect: 64 hex digits.

        It is the same when the step runs again after a crash or a restart, and another one for
        another run, visit or action. Give it to the system the effect happens in.
        """
        return self.keyed()

    @property
    def review_id(self) -> str | None:
        """The review before this step whose answer let it run; None when nobody was asked."""
        return self.released_by()


_CURRENT: ContextVar[Current | None] = ContextVar("hitl_current", default=None)


def current() -> Current:
    """Return the step that is running in this thread or task.

    Raises:
        InvalidReport: Called outside a step of a wrapped graph.
    """
    here = _CURRENT.get()
    if here is None:
        raise InvalidReport("`hitl.current()` was called outside a step of a wrapped graph.")
    return here


def running_step() -> Current | None:
    """Return the step that is running in this thread or task, or None."""
    return _CURRENT.get()


def enclosing(run_id: str) -> Current | None:
    """Return the step of this run that is running around the caller; None outside of any."""
    here = _CURRENT.get()
    return here if here is not None and here.run_id == run_id else None


def report(
    *,
    confidence: float | None = None,
    evidence: Sequence[Evidence | str] = (),
    signals: Sequence[Signal] = (),
    cost: float | None = None,
) -> None:
    """Tell hitl how sure this step is of its result, and what a reviewer should look at.

    Outside a wrapped graph it does nothing, so the same node runs unwrapped. A later call replaces
    the confidence and the cost, and adds to evidence and signals.

    Args:
        confidence: P(this step's result is right) as the step sees it, in [0, 1].
        evidence: What the reviewer should see; a string is a claim without a source.
        signals: Results of tests (trusted) or models (noisy) about this result.
        cost: What the step cost, in the unit of the policy's costs.

    Raises:
        InvalidReport: `confidence` is NaN or outside [0, 1], or `cost` is not finite.
    """
    here = _CURRENT.get()
    if here is None:
        return
    if confidence is not None:
        here.said.confidence = _probability(here.step, confidence)
    if cost is not None:
        if not math.isfinite(cost):
            raise InvalidReport(f"Step {here.step!r} reported cost {cost}; it must be finite.")
        here.said.cost = cost
    here.said.evidence.extend(Evidence(claim=e) if isinstance(e, str) else e for e in evidence)
    here.said.signals.extend(signals)


def _probability(step: str, confidence: float) -> float:
    value = float(confidence)
    if not 0.0 <= value <= 1.0:  # NaN fails too
        raise InvalidReport(
            f"Step {step!r} reported confidence {confidence}; it must be a number in [0, 1]."
        )
    return value


@contextmanager
def running(here: Current) -> Iterator[Current]:
    """Make `here` what `current()` returns inside the block."""
    token = _CURRENT.set(here)
    try:
        yield here
    finally:
        _CURRENT.reset(token)
