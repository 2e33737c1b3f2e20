"""For the user's own tests: a reviewer with a script, and a clock that is moved by hand.

    def test_a_wrong_amount_is_read_again():
        clock = FakeClock()
        app = hitl.wrap(graph, policy, store="sqlite://", clock=clock)
        reviewer = ScriptedReviewer([
            On("read_amount", deny("wrong digit"), approve()),
            On("pay", lambda review: approve() if clock().hour < 18 else deny("too late")),
        ])
        run = app.start({"cheque": image})
        reviewer.drive(app, run)
        assert run.value["amount"] == 43
        assert reviewer.answered("read_amount") == ["deny", "approve"]
        reviewer.check_done()

Everything goes through the same queue, with the same hashes, as a person's click.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from hitl.errors import HitlError
from hitl.lifecycle import NO_ANSWER, NoAnswer
from hitl.models import RemedyKind, Review, RunStatus, Verdict
from hitl.runtime import Run, Workflow
from hitl.runtime.runs import ENDED

__all__ = ["FakeClock", "On", "ScriptedReviewer", "Seen", "UnexpectedReview", "approve", "deny"]

_MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is moved; for `hitl.wrap(..., clock=clock)`.

    Args:
        start: The first time it tells, aware; Monday, 5 January 2026, 09:00 UTC when left out.

    Raises:
        ValueError: The start has no time zone.
    """

    def __init__(self, start: datetime = _MONDAY) -> None:
        if start.tzinfo is None:
            raise ValueError(f"The clock's start {start.isoformat()} has no time zone; add one.")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the time now, in UTC."""
        with self._lock:
            return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move the clock forward, and return the time it then tells.

        Raises:
            ValueError: The clock would go back.
        """
        if by < timedelta(0):
            raise ValueError(f"A clock does not go back; {by} is negative.")
        with self._lock:
            self._now += by
            return self._now


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of a script; see `approve` and `deny`."""

    verdict: Verdict
    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: RemedyKind | str | None = None
    answer: JsonValue | NoAnswer = NO_ANSWER


def approve(*, note: str = "", answer: JsonValue | NoAnswer = NO_ANSWER) -> Said:
    """Return a yes; `answer` answers a step's question."""
    return Said(Verdict.APPROVE, note=note, answer=answer)


def deny(
    *reasons: str,
    note: str = "",
    remedy: RemedyKind | str | None = None,
    answer: JsonValue | NoAnswer = NO_ANSWER,
) -> Said:
    """Return a no.

    Args:
        reasons: Why.
        note: More about why.
        remedy: What follows; None takes `answer` if there is one, else the first the review offers.
        answer: The human's own answer.
    """
    return Said(Verdict.DENY, reasons, note, remedy, answer)


Decide = Callable[[Review], Said | str]
"""Answers a review it is shown; `"approve"` and `"deny"` will do."""


class On:
    """What is said to the reviews of one step.

    Args:
        step: The step's path, `"pay"` or `"mid/sub/pay"`; `"*"` for every step without its own rule.
        answers: One for each review, in the order they come; or one function, for all of them.
        spot_checks: Answer the step's spot checks too. They are left alone otherwise: chance draws
            them.

    Raises:
        ValueError: There is no answer, or a function is not the only one.
    """

    def __init__(self, step: str, *answers: Said | str | Decide, spot_checks: bool = False) -> None:
        functions = [a for a in answers if callable(a)]
        if not answers or (functions and len(answers) > 1):
            raise ValueError(
                f"The rule for step {step!r} takes some answers, or one function;"
                f" it was given {len(answers)}, {len(functions)} of them functions."
            )
        self.step = step
        self.spot_checks = spot_checks
        self._decide: Decide | None = functions[0] if functions else None
        self._left = [_said(a) for a in answers if not callable(a)]

    @property
    def left(self) -> int:
        """How many answers nobody has asked for; 0 for a function."""
        return len(self._left)

    def answer(self, review: Review) -> Said | None:
        """Return what is said to this review, or None when the answers are used up."""
        if self._decide is not None:
            return _said(self._decide(review))
        return self._left.pop(0) if self._left else None


@dataclass(frozen=True, slots=True)
class Seen:
    """A review as the script saw it, and what was said."""

    review: Review
    said: Said


class UnexpectedReview(HitlError, AssertionError):
    """A review came that the script has no answer for, or one it waits for never came."""


@dataclass
class ScriptedReviewer:
    """Decides a workflow's reviews by a script, and remembers what it saw.

    Args:
        rules: What is said to the reviews of each step.
        by: The name the decisions carry.
    """

    rules: Sequence[On]
    by: str = "scripted reviewer"
    seen: list[Seen] = field(default_factory=list)

    def decide(self, app: Workflow, run: Run | None = None) -> list[Seen]:
        """Decide what is pending now, of one run or of all, and return it.

        Raises:
            UnexpectedReview: The script has no answer to one of them; it stays pending.
        """
        run_id = None if run is None else run.id
        waiting = app.queue.pending(workflow=app.name, limit=1000)
        return [
            self._decide(app, review, rule)
            for review in waiting
            if run_id in (None, review.run_id)
            for rule in [self._rule(review)]
            if review.blocking or (rule is not None and rule.spot_checks)
        ]

    def drive(self, app: Workflow, run: Run, *, timeout: float = 30.0) -> RunStatus:
        """Decide, and let the run go on, until it ends; return its status.

        Args:
            app: The workflow.
            run: One of its runs.
            timeout: Seconds of real time the run gets between two reviews.

        Raises:
            UnexpectedReview: The script has no answer to a review, or the run waits for something
                else than a review.
        """
        while True:
            status = self._until_it_asks(run, timeout)
            if self.decide(app, run):
                continue
            if status in ENDED:
                return status
            raise UnexpectedReview(
                f"Run {run.id!r} is {status.value} and no review of it is pending"
                f" ({run.reason or 'it gave no reason'}); {len(self.seen)} were answered."
            )

    def answered(self, step: str) -> list[str]:
        """Return what was said to a step's reviews, in order: `["deny", "approve"]`."""
        return [s.said.verdict.value for s in self.seen if s.review.name.step == step]

    def check_done(self) -> None:
        """Fail unless every answer of the script was asked for.

        Raises:
            UnexpectedReview: Some reviews never came.
        """
        left = [f"{rule.left} for {rule.step!r}" for rule in self.rules if rule.left]
        if left:
            raise UnexpectedReview(f"Answers nobody asked for are left: {', '.join(left)}.")

    def _decide(self, app: Workflow, review: Review, rule: On | None) -> Seen:
        said = None if rule is None else rule.answer(review)
        if said is None:
            raise UnexpectedReview(_unexpected(review, rule, self.seen))
        app.queue.decide(
            review.id,
            said.verdict,
            by=self.by,
            proposal_hash=review.proposal_hash,
            reasons=said.reasons,
            note=said.note,
            remedy=said.remedy,
            answer=said.answer,
        )
        self.seen.append(Seen(review, said))
        return self.seen[-1]

    def _rule(self, review: Review) -> On | None:
        own = [r for r in self.rules if r.step == review.name.step]
        rest = [r for r in self.rules if r.step == "*"]
        return next(iter([*own, *rest]), None)

    def _until_it_asks(self, run: Run, timeout: float) -> RunStatus:
        left = timeout
        while (status := run.wait(min(0.05, left))) not in ENDED and left > 0:
            if run.reviews():
                break
            left -= 0.05
        return status


def _said(given: Said | str) -> Said:
    return given if isinstance(given, Said) else Said(Verdict(given))


def _unexpected(review: Review, rule: On | None, seen: Sequence[Seen]) -> str:
    step = review.name.step
    before = sum(1 for s in seen if s.review.name.step == step)
    script = "has no rule for it" if rule is None else f"had answers for {before} and no more"
    return (
        f"Review {review.id!r} of step {step!r} (visit {review.name.visit}, attempt"
        f" {review.attempt}) was not expected: the script {script}. It asks"
        f" {review.presentation.title!r}, because: {' '.join(review.presentation.why)}"
    )
