"""Takeover: what a person is given to work with, and the work they hand in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from hitl.errors import InvalidAnswer
from hitl.graph.answers import ROOT, AnswerForm
from hitl.graph.signals import CompleteRun, NeedsAttention
from hitl.graph.view import view_of
from hitl.models import JsonObject, Review, RungOffer, Workspace


@dataclass(frozen=True, slots=True)
class Whole:
    """The outermost graph, as a person who takes over must know it."""

    form: AnswerForm
    """Of the run's state."""
    outputs: tuple[str, ...]
    """Keys of what the run returns; `ROOT` alone when that is one value."""
    appending: frozenset[str] = frozenset()


def workspace(
    offer: RungOffer,
    form: AnswerForm,
    state: Mapping[str, Any],
    *,
    appending: frozenset[str],
    left: tuple[str, ...],
    missing: tuple[str, ...],
) -> Workspace:
    """Return what a person who takes over works with.

    Args:
        offer: The step, or the run.
        form: Of the state they change.
        state: That state as it stands, by field.
        appending: Its fields with a reducer, to which a change is added.
        left: Steps that would still run.
        missing: Keys of the run's output that are empty.
    """
    keys = [k for k in form.types if k in state]
    shown, _ = view_of({_word(k): state[k] for k in keys})
    values: JsonObject = shown if isinstance(shown, dict) else {}
    return Workspace(
        answer_schema=form.schema(form.types.keys(), required=False),
        values=values,
        appends=tuple(sorted(k for k in form.types if k in appending)),
        left=left if offer.then == "close" else (),
        missing=missing,
    )


def missing_from(outputs: tuple[str, ...], state: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of a run's output keys are empty: absent, None, or nothing in them."""
    return tuple(_word(key) for key in outputs if _is_empty(state.get(key)))


def _word(key: str) -> str:
    return "value" if key == ROOT else key


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, (str, bytes, list, tuple, dict, set)) and not value)


def own_work(form: AnswerForm, review: Review) -> Any:
    """Return what a person handed in instead of a step, as a typed update.

    Raises:
        CompleteRun: They took over and nothing of the graph is to run after it.
        NeedsAttention: It does not fit the step's types.
    """
    decision = review.decision
    assert decision is not None  # noqa: S101 - the caller looked
    offer = review.takeover if decision.remedy == "takeover" else None
    if offer is not None and offer.then == "close":
        raise CompleteRun(review.id, completed_sentence(review))
    return typed(form, review, decision.answer)


def typed(form: AnswerForm, review: Review, answer: JsonValue) -> Any:
    """Return an answer as a typed update.

    Raises:
        NeedsAttention: It fitted the schema that was shown, but not the type: nobody can decide it
            again.
    """
    try:
        return form.update(review.id, answer)
    except InvalidAnswer as problem:
        raise NeedsAttention(
            review.id,
            f"The answer {review.decision and review.decision.by} gave in review {review.id!r} does"
            f" not fit step {review.name.step!r}: {problem} Restart the run or stop it.",
        ) from problem


def completed_sentence(review: Review) -> str:
    """Return what a run's record says of who completed it, and from where."""
    decision = review.decision
    assert decision is not None  # noqa: S101 - the caller looked
    reasons = "; ".join([*decision.reasons, decision.note]).strip("; ")
    why = f" ({reasons})" if reasons else ""
    return f"{decision.by} took over at step {review.name.step!r}{why} and completed the run."
