"""`hitl.ask`: a step asks a person, and goes on with the answer."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, overload

from hitl.errors import InvalidQuestion
from hitl.graph.context import running_step
from hitl.graph.wanted import wanted

T = TypeVar("T")
D = TypeVar("D")


@overload
def ask(question: str, *, confidence: float | None = None) -> str | None: ...
@overload
def ask(question: str, *, default: D, confidence: float | None = None) -> str | D: ...
@overload
def ask(question: str, *, options: Sequence[T], confidence: float | None = None) -> T | None: ...
@overload
def ask(
    question: str, *, options: Sequence[T], default: D, confidence: float | None = None
) -> T | D: ...
@overload
def ask(question: str, *, schema: type[T], confidence: float | None = None) -> T | None: ...
@overload
def ask(
    question: str, *, schema: type[T], default: D, confidence: float | None = None
) -> T | D: ...
@overload
def ask(
    question: str,
    *,
    schema: Mapping[str, Any],
    default: Any = None,
    confidence: float | None = None,
) -> Any: ...
def ask(
    question: str,
    *,
    schema: Any = None,
    options: Sequence[Any] | None = None,
    default: Any = None,
    confidence: float | None = None,
) -> Any:
    """Ask a person, from inside a step, and return the answer.

    The run parks until somebody answers; the step then runs again from its start, up to the question,
    which now returns. What stands before the question happens again, so effects belong after it. The
    answer belongs to this attempt of the step and to exactly this question: another question at the
    same place is asked anew.

    The policy's ask gate, or the person, may answer "use your judgement": then `default` is returned.

        alba = hitl.ask("Which Alba is meant?", options=["Alba & Sons", "Alba GmbH"])
        payee = alba if alba is not None else best_guess

    Args:
        question: What is asked, 1 to 4,000 characters.
        schema: The type of the answer, or a JSON Schema of it: a pydantic model, a dataclass, an
            enum, `bool`, `int`. The reviewer gets a form. Without schema and options: text.
        options: The answers to choose from, 2 to 50: texts, numbers, true or false.
        default: What "use your judgement" returns; None tells it apart from every answer but null.
        confidence: P(the step's own judgement would be right), in [0, 1], for the ask gate. None takes
            what it reported, or what is known of the step.

    Raises:
        InvalidQuestion: Called outside a step of a wrapped graph, or nobody could answer that.
    """
    here = running_step()
    if here is None:
        raise InvalidQuestion(
            "`hitl.ask()` was called outside a step of a wrapped graph, so there is no run that could"
            " wait for the answer. Call it in a node of a graph that was given to `hitl.wrap`."
        )
    if here.asker is None:
        raise InvalidQuestion(
            f"A critic, a judge or a ranking of step {here.step!r} called `hitl.ask()`; only the step"
            " itself asks. Nobody was asked."
        )
    if confidence is not None and not 0.0 <= confidence <= 1.0:  # NaN fails too
        raise InvalidQuestion(
            f"Step {here.step!r} asked with confidence {confidence}; it must be a number in [0, 1]."
        )
    asked = wanted(question, schema=schema, options=options)
    return here.asker.ask(asked, here.said, default=default, confidence=confidence)
