"""What a step's own question looks like: its answers as buttons, where there are few enough. Pure."""

from dataclasses import dataclass

from pydantic import JsonValue

from hitl.models import Review
from review_ui.forms import Field

MOST_BUTTONS = 9
"""Answers with a digit key; more are picked in a form."""


@dataclass(frozen=True, slots=True)
class AnswerButton:
    """One answer that one press sends."""

    key: str
    label: JsonValue
    value: str
    """What the form sends for it."""


def answer_buttons(review: Review, form: Field | None) -> tuple[AnswerButton, ...]:
    """Return the answers of a question that takes one of a few; empty where a form is needed."""
    if review.question is None or form is None:
        return ()
    said: tuple[tuple[JsonValue, str], ...] = ()
    if form.kind == "boolean":
        said = (("Yes", "true"), ("No", "false"))
    elif form.kind == "choice" and len(form.choices) <= MOST_BUTTONS:
        said = tuple((choice, str(n)) for n, choice in enumerate(form.choices))
    return tuple(
        AnswerButton(str(key), label, value) for key, (label, value) in enumerate(said, start=1)
    )


def longer_than_title(review: Review) -> str:
    """Return what is asked where the review's title does not say all of it; else an empty text."""
    text = "" if review.question is None else review.question.text
    return "" if text == review.presentation.title else text
