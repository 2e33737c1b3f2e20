"""What the page of one review shows. Pure: records in, one typed object out."""

import json
from dataclasses import dataclass
from datetime import datetime

from hitl.lifecycle import is_claimed
from hitl.models import (
    Covers,
    Decision,
    Denial,
    Evidence,
    Intent,
    Place,
    Review,
    ReviewStatus,
    Signal,
    Verdict,
    Vouched,
)
from review_ui import phrases
from review_ui.choice_views import Alternative, alternatives_of
from review_ui.question_views import AnswerButton, answer_buttons, longer_than_title
from review_ui.queue_views import Heat, heat_of, reliability_is_low
from review_ui.trees import Change, Node, arguments_tree, changes_of
from review_ui.verdict_views import Typed, VerdictBar, verdict_bar, verdict_words

_RISKS = {"low": "Low risk", "medium": "Medium risk", "high": "High risk"}
_PLACES = {
    Place.AFTER: "its result is withheld",
    Place.BEFORE: "it has not run yet",
    Place.QUESTION: "it asks a question",
}


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One signal, its kind in a word and an icon."""

    icon: str
    tone: str
    source: str
    name: str
    said: str
    detail: str


@dataclass(frozen=True, slots=True)
class EvidenceItem:
    """One claim with what backs it. `number` addresses its picture."""

    claim: str
    quote: str
    source: str
    number: int | None


@dataclass(frozen=True, slots=True)
class VouchedStep:
    """An unverified step a yes covers."""

    step: str
    summary: str
    p: str


@dataclass(frozen=True, slots=True)
class DenialLine:
    """An earlier no."""

    who: str
    when: str
    step: str
    attempt: int
    reasons: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Who holds the review, and until when."""

    fence: str = ""
    """Ours; empty while this page holds nothing."""
    by_other: str = ""
    seconds_left: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a review ended, in sentences."""

    headline: str
    by: str
    reasons: tuple[str, ...]
    note: str
    tone: str
    answer: Node | None = None
    undoable: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """What the review is about."""

    id: str
    run_id: str
    title: str
    risk: str
    risk_words: str
    workflow: str
    step: str
    place_words: str
    attempt: int
    due: str
    heat: Heat
    spot_check: bool
    question: bool
    asks: bool
    """Whether it is a question of `hitl.ask`: it takes an answer, no plain yes."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Everything the page of one review shows. Agent text is untrusted; templates filter it."""

    head: Head
    hold: Hold
    why: tuple[str, ...]
    covers_all: bool
    vouched: tuple[VouchedStep, ...]
    changes: tuple[Change, ...]
    arguments: tuple[Node, ...]
    raw: str
    elided: int
    evidence: tuple[EvidenceItem, ...]
    signals: tuple[SignalLine, ...]
    denials: tuple[DenialLine, ...]
    confidence: str
    confidence_basis: str
    reliability: str
    reliability_low: bool
    unknown_steps: int
    reset: str
    bar: VerdictBar
    choices: tuple[Alternative, ...]
    open: bool
    outcome: Outcome | None
    answers: tuple[AnswerButton, ...]
    asked: str
    """What `hitl.ask` asks, where the title is not all of it."""
    notice: str = ""


def review_page(
    review: Review,
    *,
    reviewer: str,
    now: datetime,
    decision_id: str,
    fence: str = "",
    intent: Intent | None = None,
    typed: Typed | None = None,
    notice: str = "",
) -> ReviewPage:
    """Return the page of `review`.

    Args:
        review: As it stands.
        reviewer: Who looks at it.
        now: The instant it is shown.
        decision_id: The id the decision made on this page will carry.
        fence: The claim this page holds; empty for none.
        intent: An answer that can still be undone.
        typed: What was entered before, after a refusal or an undo.
        notice: A sentence to show on top.
    """
    shown = review.presentation
    is_open = review.status is ReviewStatus.PENDING and intent is None
    bar = verdict_bar(review, decision_id=decision_id, typed=typed or Typed())
    return ReviewPage(
        head=head_of(review, now=now),
        hold=hold_of(review, reviewer=reviewer, fence=fence, now=now),
        why=shown.why,
        covers_all=shown.covers is Covers.SINCE_RESET,
        vouched=tuple(_vouched(v) for v in shown.vouched),
        changes=changes_of(shown.changes),
        arguments=arguments_tree(review.proposal.arguments),
        raw=json.dumps(review.proposal.arguments, indent=2, ensure_ascii=False),
        elided=review.proposal.elided,
        evidence=tuple(_evidence(n, e) for n, e in enumerate(shown.evidence)),
        signals=tuple(signal_line(s) for s in shown.signals),
        denials=tuple(_denial(d) for d in shown.denials),
        confidence=phrases.probability(shown.confidence),
        confidence_basis=phrases.rests_on(shown.confidence_kind),
        reliability=phrases.probability(shown.reliability_now),
        reliability_low=reliability_is_low(review),
        unknown_steps=shown.unknown_steps,
        reset=f"{phrases.probability(shown.reset_to)}, {shown.reset_basis}",
        bar=bar,
        choices=alternatives_of(review, typed or Typed()),
        open=is_open,
        outcome=_outcome(review, intent, reviewer),
        answers=answer_buttons(review, bar.answer),
        asked=longer_than_title(review),
        notice=notice,
    )


def head_of(review: Review, *, now: datetime) -> Head:
    """Return what the review is about, in words."""
    return Head(
        id=review.id,
        run_id=review.run_id,
        title=review.presentation.title or f"{review.name.step} wants a decision",
        risk=review.risk,
        risk_words=_RISKS[review.risk],
        workflow=review.workflow,
        step=review.name.step,
        place_words=_place_words(review),
        attempt=review.attempt,
        due=phrases.due(review.due_at, now),
        heat=heat_of(review.due_at, now),
        spot_check=not review.blocking,
        question=review.name.place is Place.QUESTION,
        asks=review.question is not None,
    )


def _place_words(review: Review) -> str:
    if review.is_of_the_end:
        return "the run's output; its steps are committed"
    return _PLACES[review.name.place] if review.blocking else "already committed"


def hold_of(review: Review, *, reviewer: str, fence: str, now: datetime) -> Hold:
    """Return who holds the review; `fence` is the claim this page holds."""
    if not is_claimed(review, now=now) or review.claimed_until is None:
        return Hold()
    left = int((review.claimed_until - now).total_seconds())
    if review.holder != reviewer:
        return Hold(by_other=review.holder or "somebody", seconds_left=left)
    return Hold(fence=fence if fence == review.claim_fence else "", seconds_left=left)


def signal_line(signal: Signal) -> SignalLine:
    """Return one signal; only a trusted one that passed is ever green."""
    said = {True: "passed", False: "failed", None: "no verdict"}[signal.passed]
    if signal.score is not None:
        said = f"{said}, {signal.score:.2f}" if signal.passed is not None else f"{signal.score:.2f}"
    if signal.kind == "noisy":
        return SignalLine("wave", "noisy", "Model", signal.name, said, signal.detail)
    icon = {True: "check", False: "cross", None: "dash"}[signal.passed]
    tone = {True: "pass", False: "fail", None: "noisy"}[signal.passed]
    return SignalLine(icon, tone, "Test or person", signal.name, said, signal.detail)


def _vouched(vouched: Vouched) -> VouchedStep:
    return VouchedStep(vouched.step, vouched.summary, phrases.probability(vouched.p))


def _evidence(number: int, evidence: Evidence) -> EvidenceItem:
    picture = number if evidence.image_png is not None else None
    return EvidenceItem(evidence.claim, evidence.quote, evidence.source, picture)


def _denial(denial: Denial) -> DenialLine:
    return DenialLine(
        who=denial.by,
        when=phrases.moment(denial.at),
        step=denial.step,
        attempt=denial.attempt,
        reasons=denial.reasons,
        note=denial.note,
    )


def _outcome(review: Review, intent: Intent | None, reviewer: str) -> Outcome | None:
    decision = review.decision or (intent.decision if intent else None)
    if decision is not None:
        sent = "" if intent is None else " Not sent yet; it can still be undone."
        return Outcome(
            headline=f"{verdict_words(decision)}.{sent}",
            by=f"{decision.by}, {phrases.moment(decision.decided_at)}",
            reasons=decision.reasons,
            note=decision.note,
            tone="ok" if decision.verdict is Verdict.APPROVE else "bad",
            answer=_answer_node(decision),
            undoable=intent is not None and decision.by == reviewer,
        )
    if review.status is ReviewStatus.PENDING:
        return None
    return Outcome(
        headline=f"This review is {review.status}. It takes no decision.",
        by="",
        reasons=(),
        note=review.closed_reason,
        tone="none",
    )


def _answer_node(decision: Decision) -> Node | None:
    if not decision.has_answer:
        return None
    value = decision.answer
    nodes = arguments_tree(value if isinstance(value, dict) else {"answer": value})
    return Node("Answer", kind="group", children=nodes)
