"""Several attempts of a step in one review: side by side, one of them chosen, each labelled. Pure."""

from dataclasses import dataclass

from pydantic import JsonValue

from hitl.models import Decision, Review, Verdict
from hitl.reviews import NO_ANSWER, NoAnswer
from review_ui import phrases
from review_ui.trees import Node, arguments_tree
from review_ui.verdict_views import Typed

_CHOICE = "answer.choice"
_LABEL = "answer.label."
_SHOWN = ("update", "goto", "send")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One attempt. Agent text is untrusted; templates filter it."""

    number: int
    """From 1, the best first; what a yes names."""
    p: str
    nodes: tuple[Node, ...]
    picked: bool
    label: str
    """`right`, `wrong`, or empty for none."""


def alternatives_of(review: Review, typed: Typed) -> tuple[Alternative, ...]:
    """Return what a yes may choose from; empty where there is one proposal alone."""
    count = review.presentation.choices
    if not count:
        return ()
    said = typed.answer if not typed.denying else {}
    picked = next(iter(said.get(_CHOICE, ())), "1")
    shown = _shown(review)
    return tuple(
        Alternative(
            number=n,
            p=_p(review, shown.get(n), n),
            nodes=_nodes(shown.get(n)),
            picked=str(n) == picked,
            label=next(iter(said.get(f"{_LABEL}{n}", ())), ""),
        )
        for n in range(1, count + 1)
    )


def choice_read(review: Review, typed: Typed) -> JsonValue | NoAnswer:
    """Return the answer that goes with a yes; none for a plain yes to the best."""
    found = alternatives_of(review, typed)
    chosen = next((each.number for each in found if each.picked), 1)
    labels: dict[str, list[JsonValue]] = {
        word: [each.number for each in found if each.label == word and each.number != chosen]
        for word in ("right", "wrong")
    }
    given: dict[str, JsonValue] = {word: [*numbers] for word, numbers in labels.items() if numbers}
    if chosen == 1 and not given:
        return NO_ANSWER
    return {"choice": chosen, **given}


def chosen_before(review: Review, decision: Decision, typed: Typed) -> Typed:
    """Return what was entered, with the choice of a yes that was taken back."""
    said = decision.answer
    is_choice = review.presentation.choices and decision.verdict is Verdict.APPROVE
    if not is_choice or not isinstance(said, dict):
        return typed
    entered = {_CHOICE: (str(said.get("choice", 1)),)}
    for word in ("right", "wrong"):
        numbers = said.get(word)
        for number in numbers if isinstance(numbers, list) else ():
            entered[f"{_LABEL}{number}"] = (word,)
    return Typed(note=typed.note, reasons=typed.reasons, answer=entered)


def _shown(review: Review) -> dict[int, dict[str, JsonValue]]:
    view = review.proposal.arguments
    found = {1: view}
    others = view.get("alternatives")
    for each in others if isinstance(others, list) else ():
        if isinstance(each, dict) and isinstance(number := each.get("number"), int):
            found[number] = each
    return found


def _nodes(view: dict[str, JsonValue] | None) -> tuple[Node, ...]:
    if view is None:
        return (Node("Not shown", kind="none", note="left out because of the limits"),)
    update = view.get("update")
    if isinstance(update, dict) and not (view.keys() & set(_SHOWN[1:])):
        return arguments_tree(update)
    return arguments_tree({key: view[key] for key in _SHOWN if key in view})


def _p(review: Review, view: dict[str, JsonValue] | None, number: int) -> str:
    if number == 1:
        return phrases.probability(review.presentation.confidence)
    p = (view or {}).get("p")
    return phrases.probability(p if isinstance(p, float | int) else None)
