"""The questions of one try of a step: answered from the ledger, by the ask gate, or by a person.

A question is known by its task, attempt and number; its answer is read from the decision, never from
a resume value. What the ask gate answers itself needs no park: it is written with whatever the step
writes next, and answered again when the process dies before that.
"""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from langgraph.errors import GraphInterrupt
from pydantic import ValidationError

from hitl.graph.asked_reviews import Asking
from hitl.graph.context import Report
from hitl.graph.lg import park, park_id, task_here
from hitl.graph.session import Work
from hitl.graph.signals import NeedsAttention, StopRun, no_sentence
from hitl.graph.task import Attempt
from hitl.graph.wanted import Wanted, misfit
from hitl.models import (
    Place,
    ProposalKey,
    RemedyKind,
    Review,
    ReviewStatus,
    StoredProposal,
    Verdict,
)
from hitl.policy import QuestionFacts, Worth, worth_asking
from hitl.ports import Transaction
from hitl.reviews import people_asked


class AskedAmongTries(GraphInterrupt):
    """One of several tries of a step asked: what it is told would reach another."""

    def __str__(self) -> str:
        return "it asks a question, and what one try is told would reach another"


class Asker:
    """Asks for one try of a step's body.

    Args:
        attempt: Whose try it is.
        alone: Whether it is the attempt's only try; others must not ask.
    """

    def __init__(self, attempt: Attempt, *, alone: bool) -> None:
        self._attempt = attempt
        self._alone = alone
        self._session = attempt.task.session
        self._lock = threading.Lock()
        self._numbers: Counter[str] = Counter()
        self._opened: list[Asking] = []
        self.signal: GraphInterrupt | None = None
        """What parks the task, once a question waits for a person."""

    @property
    def asked(self) -> int:
        """How many questions it asked so far."""
        return self._numbers.total()

    def ask(self, wanted: Wanted, said: Report, *, default: Any, confidence: float | None) -> Any:
        """Return the answer, or `default` for "use your judgement".

        Raises:
            GraphInterrupt: A person has to answer first; the task parks.
        """
        key, number = self._key()
        if not self._alone:
            raise AskedAmongTries
        stored, note = self._session.proposal(key), ""
        if stored is not None:
            review = self._review_of(stored)
            note = _outdated(review, wanted)
            if not note and review.decision is None:
                raise self._park(review)
            if not note:
                try:
                    return _reply(review, wanted, default)
                except ValidationError as problem:
                    note = _refused(review, problem)
        asking = Asking(self._attempt, said, wanted, key, number, stored, note)
        return self._put(asking, default, confidence)

    def _review_of(self, stored: StoredProposal) -> Review:
        return self._session.wiring.store.read(lambda r: r.review(stored.review_id))

    def _key(self) -> tuple[ProposalKey, int]:
        """Return where the next question of the innermost task is kept, and its number."""
        task = self._attempt.task
        asking = task_here() or task.facts.task_id
        with self._lock:
            number = self._numbers[asking]
            self._numbers[asking] += 1
        key = ProposalKey(
            run_id=task.session.run.id,
            task_id=f"{asking}:ask{number}",
            place=Place.QUESTION,
            attempt=self._attempt.number,
        )
        return key, number

    def _put(self, asking: Asking, default: Any, confidence: float | None) -> Any:
        """Have the ask gate look at a new question; park where a person is asked."""
        p, wiring = confidence, self._session.wiring
        if p is None:
            p = wiring.accuracy.of(self._attempt.name.step, asking.said.confidence).p
        asking.settle(self._worth(p), p)
        with self._lock:
            self._opened.append(asking)
        if asking.decision is not None:
            return default
        raise self._park(asking.review)

    def _worth(self, p: float | None) -> Worth:
        attempt, session = self._attempt, self._session
        policy, run_id = session.wiring.policy, session.run.id
        with session.asking:  # tasks side by side share the run's budget
            if session.people_asked is None:
                session.people_asked = session.wiring.store.read(lambda r: people_asked(r, run_id))
            facts = QuestionFacts(
                p=p,
                asked=session.people_asked,
                silent_error_cost=_first(c.silent_error_cost for c in attempt.checkpoints),
                rework_cost=_first(c.rework_cost for c in attempt.checkpoints),
            )
            worth = worth_asking(policy.questions, facts, reviewer=policy.reviewer)
            session.people_asked += worth.unasked is None and not session.wiring.shadow
        return worth

    def _park(self, review: Review) -> GraphInterrupt:
        assert review.question is not None  # noqa: S101 - one of ours
        shown = {
            "hitl": "ask",
            "review_id": review.id,
            "step": review.name.step,
            "question": review.question.text,
            "schema": review.presentation.answer_schema,
        }
        self.signal = park(park_id(review.id), shown)
        return self.signal

    # -- what is written of it ------------------------------------------------------------------

    def check(self) -> None:
        """Return if the step may go on to its questions.

        Raises:
            StopRun: A person answered one of them by stopping the run.
            NeedsAttention: One of them was cancelled: nobody will answer it.
        """
        for stored in self._session.asked_by(self._attempt.task.facts.task_id):
            review = self._review_of(stored)
            if review.status is ReviewStatus.CANCELLED:
                raise NeedsAttention(review.id, _cancelled(review))
            if review.decision is not None and review.decision.remedy is RemedyKind.STOP:
                raise StopRun(review.id, no_sentence(review))

    @property
    def opening(self) -> Work | None:
        """What puts the new questions before people and records the others; None without any."""
        return self._open if self._opened else None

    def _open(self, t: Transaction) -> None:
        t.check_epoch(self._session.run.id, self._session.epoch)
        for asking in self._opened:
            asking.write(t)

    def keep(self) -> None:
        """Remember what was just written: the step may be run again in this advance."""
        for asking in self._opened:
            self._session.keep(asking.stored)
        self._opened.clear()

    @property
    def ending(self) -> tuple[Work, ...]:
        """What is written with the result of the step: its questions are over."""
        task_id = self._attempt.task.facts.task_id
        if not self._opened and not self._session.asked_by(task_id):
            return ()
        return (*([self._open] if self._opened else []), self._session.end_questions(task_id))


def _outdated(review: Review, wanted: Wanted) -> str:
    """Return why a question that was asked before does not stand any more; empty when it does."""
    before = review.question
    if before is None or before.sha256 != wanted.sha256:
        return "The step asked something else here before; that question is withdrawn."
    if review.decision is None and review.status is not ReviewStatus.PENDING:
        return "It was asked before, and withdrawn before anybody answered."
    return ""


def _reply(review: Review, wanted: Wanted, default: Any) -> Any:
    decision = review.decision
    assert decision is not None  # noqa: S101 - the caller looked
    if decision.verdict is Verdict.DENY or not decision.has_answer:
        return default
    return wanted.read(decision.answer)


def _refused(review: Review, problem: ValidationError) -> str:
    by = review.decision.by if review.decision is not None else "Somebody"
    return f"The answer {by} gave does not fit what the step needs: {misfit(problem)}"


def _cancelled(review: Review) -> str:
    return (
        f"Question {review.id!r} of step {review.name.step!r} was cancelled"
        f" ({review.closed_reason or 'no reason given'}); restart the run or stop it."
    )


def _first(values: Iterable[float | None]) -> float | None:
    return next((value for value in values if value is not None), None)
