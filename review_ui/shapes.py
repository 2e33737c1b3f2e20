"""Which reviews may be decided together: those of one shape, and never what deserves a look alone.

Pure. A shape is the workflow, its policy, the step, what a yes and a no lead to, and the names and
types of all arguments: what is left to differ are their values.
"""

from pydantic import JsonValue

from hitl.canonical import content_hash
from hitl.models import Place, RemedyKind, Review, ReviewStatus

MOST = 25
"""Reviews that may be decided together."""
ALONE = (RemedyKind.ANSWER, RemedyKind.TAKEOVER, RemedyKind.JUDGEMENT)
"""Remedies that need an answer for each review."""


def why_alone(review: Review) -> str:
    """Return why a review is decided alone, as an end of a sentence; empty when it need not be."""
    if review.status is not ReviewStatus.PENDING:
        return f"it is {review.status}"
    if review.risk != "low":
        return f"its risk is {review.risk}"
    if review.name.place is Place.QUESTION or review.is_of_the_end:
        return "it is a question" if review.name.place is Place.QUESTION else "it ends its run"
    if review.presentation.choices:
        return "it offers several attempts"
    if review.presentation.vouched:
        return "a yes would cover earlier steps too"
    if review.proposal.elided:
        return "it is too large to be shown whole"
    return ""


def shape_of(review: Review) -> str:
    """Return the shape as a short digest; empty when the review is decided alone."""
    if why_alone(review):
        return ""
    shown = review.presentation
    facts: dict[str, JsonValue] = {
        "policy": [review.workflow, review.workflow_version, review.proposal.policy_hash],
        "step": [review.name.step, review.name.place.value, review.proposal.action],
        "target": review.proposal.target,
        "arguments": _structure(review.proposal.arguments),
        "ends": [shown.if_approved, shown.if_denied, *shown.reasons],
        "rungs": [rung.kind.value for rung in review.rungs],
        "blocking": review.blocking,
    }
    return content_hash(facts)[:16]


def _structure(value: JsonValue) -> JsonValue:
    """Return names and types without values."""
    if isinstance(value, dict):
        return {key: _structure(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_structure(each) for each in value]
    return (
        "number"
        if isinstance(value, int | float) and not isinstance(value, bool)
        else type(value).__name__
    )
