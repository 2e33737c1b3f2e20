"""What the verdict bar shows: two consequences, reasons, who goes on, the form of an answer. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hitl.models import Decision, Place, RemedyKind, Review, Verdict
from review_ui import phrases
from review_ui.forms import Field, form_of, retype
from review_ui.keys import letter

_RUNG_KEYS: Mapping[RemedyKind, str] = {
    kind: "take_over" if kind is RemedyKind.TAKEOVER else kind.value for kind in RemedyKind
}
MOST_REASONS = 9
"""Reasons with a digit key; more stay reachable by the note."""
_GENERIC_REASONS = ("Wrong", "Not enough evidence", "Not allowed")


@dataclass(frozen=True, slots=True)
class Typed:
    """What the reviewer had entered: kept when a decision is refused or undone."""

    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: str = ""
    answer: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    denying: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason chip."""

    key: str
    text: str
    picked: bool


@dataclass(frozen=True, slots=True)
class Rung:
    """Who goes on after a no."""

    kind: RemedyKind
    key: str
    label: str
    picked: bool


@dataclass(frozen=True, slots=True)
class VerdictBar:
    """Both verdicts, with what a deny may say."""

    if_approved: str
    if_denied: str
    reasons: tuple[Reason, ...]
    rungs: tuple[Rung, ...]
    answer: Field | None
    typed: Typed
    proposal_hash: str
    decision_id: str


def verdict_bar(review: Review, *, decision_id: str, typed: Typed) -> VerdictBar:
    """Return the bar of `review`, with what was entered before."""
    return VerdictBar(
        if_approved=_if_approved(review),
        if_denied=_if_denied(review),
        reasons=reason_chips(review.presentation.reasons, typed),
        rungs=rungs_of(review, typed),
        answer=_answer(review, typed),
        typed=typed,
        proposal_hash=review.proposal_hash,
        decision_id=decision_id,
    )


def typed_from(decision: Decision) -> Typed:
    """Return an undone answer as what was entered. Its own answer is typed again from scratch."""
    return Typed(
        reasons=decision.reasons,
        note=decision.note,
        remedy=decision.remedy or "",
        denying=decision.verdict is Verdict.DENY,
    )


def verdict_words(decision: Decision) -> str:
    """Return a decision in words: `"Approved"`, `"Denied, then retry"`."""
    if decision.verdict is Verdict.APPROVE:
        return "Approved"
    if decision.remedy is RemedyKind.JUDGEMENT:
        return "Use your judgement"
    return f"Denied, then {decision.remedy}" if decision.remedy else "Denied"


def _if_approved(review: Review) -> str:
    if not review.blocking:
        return "A label only: you say the step was right."
    vouched = len(review.presentation.vouched)
    also = f" You also vouch for {phrases.counted(vouched, 'earlier step')}." if vouched else ""
    if review.presentation.choices:
        return f"The attempt that is chosen is committed, as shown.{also}"
    return (review.presentation.if_approved or "The run goes on with this.") + also


def _if_denied(review: Review) -> str:
    if not review.blocking:
        return "A label only: you say the step was wrong."
    return review.presentation.if_denied or "Nothing is committed."


def reason_chips(declared: Sequence[str], typed: Typed) -> tuple[Reason, ...]:
    """Return what may be ticked, by key."""
    texts = tuple(declared)[:MOST_REASONS] or _GENERIC_REASONS
    return tuple(Reason(str(i), text, text in typed.reasons) for i, text in enumerate(texts, 1))


def rungs_of(review: Review, typed: Typed) -> tuple[Rung, ...]:
    """Return who may go on, the policy's first picked unless another was."""
    kinds = [rung.kind for rung in review.rungs]
    picked = typed.remedy if typed.remedy in kinds else (kinds[0] if kinds else "")
    return tuple(
        Rung(rung.kind, letter(_RUNG_KEYS[rung.kind]), rung.label, rung.kind == picked)
        for rung in review.rungs
    )


def _answer(review: Review, typed: Typed) -> Field | None:
    question = review.name.place is Place.QUESTION
    offered = any(rung.kind is RemedyKind.ANSWER for rung in review.rungs)
    if not (question or offered):
        return None
    proposed = None if question else review.proposal.arguments.get("update")
    form = form_of(review.presentation.answer_schema or {}, proposed=proposed, free=question)
    return (
        retype(form, typed.answer, typed.problems)
        if typed.answer and (question or typed.denying)
        else form
    )
