"""What the workspace of a takeover shows: the form, where things stand, what is missing. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import JsonValue

from hitl.lifecycle import is_taken_over
from hitl.models import Decision, JsonObject, Review, Workspace
from review_ui import phrases
from review_ui.forms import Field, Reading, fill, form_of, read, retype
from review_ui.phrases import words
from review_ui.review_views import Head, head_of
from review_ui.trees import Node, arguments_tree
from review_ui.verdict_views import Reason, Typed, reason_chips

FORM = "work"
"""Form key of what is handed in."""


@dataclass(frozen=True, slots=True)
class WorkspacePage:
    """Everything the workspace shows. Agent text is untrusted; templates filter it."""

    head: Head
    mine: bool
    """Whether the work is in the hands of who looks."""
    whose: str
    """In whose hands it is, in a sentence; empty when in nobody's."""
    consequence: str
    form: Field
    missing: tuple[str, ...]
    left: tuple[str, ...]
    proposed: tuple[Node, ...]
    reasons: tuple[Reason, ...]
    note: str
    proposal_hash: str
    decision_id: str
    notice: str


def workspace_page(
    review: Review,
    work: Workspace,
    *,
    reviewer: str,
    now: datetime,
    decision_id: str,
    typed: Typed | None = None,
    notice: str = "",
) -> WorkspacePage:
    """Return the workspace of `review`; see `review_page` for the arguments."""
    entered = typed or Typed()
    return WorkspacePage(
        head=head_of(review, now=now),
        mine=is_taken_over(review, now=now) and review.holder == reviewer,
        whose=in_whose_hands(review, reviewer=reviewer, now=now),
        consequence=_consequence(review),
        form=_form(work, entered),
        missing=work.missing,
        left=work.left,
        proposed=arguments_tree(review.proposal.arguments),
        reasons=reason_chips(review.presentation.reasons, entered),
        note=entered.note,
        proposal_hash=review.proposal_hash,
        decision_id=decision_id,
        notice=notice,
    )


def in_whose_hands(review: Review, *, reviewer: str, now: datetime) -> str:
    """Return who does the work by hand, since when; empty when nobody does."""
    if not is_taken_over(review, now=now) or review.taken_over_at is None:
        return ""
    since = phrases.moment(review.taken_over_at)
    if review.holder == reviewer:
        return f"In your hands since {since}. Nobody else can decide it meanwhile."
    return f"Taken over by {review.holder} since {since}."


def work_read(work: Workspace, typed: Typed) -> Reading:
    """Return what was handed in: the fields that differ from the state as it stands."""
    reading = read(_empty_form(work), typed.answer)
    given = reading.answer
    if not isinstance(given, dict) or "properties" not in work.answer_schema:
        return reading
    changed: dict[str, JsonValue] = {
        key: value for key, value in given.items() if not _stands(work, key, value)
    }
    return Reading(answer=changed, problems=reading.problems)


def work_of(decision: Decision, work: Workspace) -> Typed:
    """Return a takeover that was taken back as what was entered; the form is filled by `answer`."""
    values: JsonObject = decision.answer if isinstance(decision.answer, dict) else {}
    filled = fill(_empty_form(work), {**_start(work), **values})
    return Typed(
        reasons=decision.reasons,
        note=decision.note,
        remedy=decision.remedy or "",
        answer=_entered(filled),
        denying=True,
    )


def _stands(work: Workspace, key: str, value: JsonValue) -> bool:
    if key in work.appends:
        return value in (None, [], "")
    return value == work.values.get(key) or (value in (None, "", []) and key not in work.values)


def _form(work: Workspace, typed: Typed) -> Field:
    form = _empty_form(work)
    return retype(form, typed.answer, typed.problems) if typed.answer else fill(form, _start(work))


def _start(work: Workspace) -> JsonObject:
    return {k: v for k, v in work.values.items() if k not in work.appends}


def _empty_form(work: Workspace) -> Field:
    form = replace(form_of(work.answer_schema, name=FORM), label="Your work")
    added = {f"{FORM}.{key}" for key in work.appends}
    children = tuple(
        replace(child, hint=child.hint or "Added to what is there.")
        if child.name in added
        else child
        for child in form.children
    )
    return replace(form, children=children)


def _entered(field: Field) -> dict[str, tuple[str, ...]]:
    """Return a filled form as a browser would send it."""
    if field.kind == "group":
        return {k: v for child in field.children for k, v in _entered(child).items()}
    if field.kind in {"choice", "choices"}:
        return {field.name: tuple(str(index) for index in field.picked)}
    return {field.name: (field.value,)}


def _consequence(review: Review) -> str:
    offer = review.takeover
    if offer is None or offer.then == "go_on":
        return f"What you hand in is committed in the place of {words(review.name.step)}, and the run goes on."
    if offer.scope == "run":
        return "What you hand in is the run’s result; the run is done with it."
    return "What you hand in is committed in the place of this step, and the run is done with it."
