"""Whether an agent's question is worth a person: the value of asking, and a budget for each run.

Pure. Costs are in one unit of the owner's choice, the same throughout a policy.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from hitl.errors import ConfigurationError
from hitl.models import Record
from hitl.policy.fields import Cost, Count, built
from hitl.policy.reviewer import Reviewer

Unasked = Literal["value", "budget"]
"""Why the policy answers a question itself: it is not worth a person, or the budget is used up."""


class AskGate(Record):
    """Which questions of `hitl.ask` reach a person: `AskGate(budget=3, review_cost=3, ...)`.

    All other questions are answered with "use your judgement", by the policy.
    """

    budget: Annotated[Count, Field(ge=0, le=10_000)] | None = None
    """Questions of one run that people may be asked; 0 for none, None for any number."""
    review_cost: Cost | None = None
    """What one question costs, the waiting included. With it a question must be worth asking."""
    silent_error_cost: Cost | None = None
    """What a wrong judgement of the step costs; a checkpoint's own figure counts before it."""
    rework_cost: Cost = 0.0
    """What a wrong step costs that is found and done again; a checkpoint's own counts before it."""

    def __init__(
        self,
        *,
        budget: int | None = None,
        review_cost: float | None = None,
        silent_error_cost: float | None = None,
        rework_cost: float = 0.0,
    ) -> None:
        given = {
            "budget": budget,
            "review_cost": review_cost,
            "silent_error_cost": silent_error_cost,
            "rework_cost": rework_cost,
        }
        with built("AskGate"):
            BaseModel.__init__(self, **given)

    @model_validator(mode="after")
    def _makes_sense(self) -> "AskGate":
        if self.budget is None and self.review_cost is None:
            raise ConfigurationError(
                "AskGate has neither budget nor review_cost, so it would let every question through;"
                " give one of them, or leave the gate out."
            )
        if (self.review_cost is None) is not (self.silent_error_cost is None):
            raise ConfigurationError(
                "AskGate needs review_cost and silent_error_cost together: what a question costs is"
                " weighed against what a wrong judgement costs."
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionFacts:
    """What is known of a question when it is asked."""

    p: float | None
    """P(the step's own judgement would be right), in [0, 1]; None for unknown."""
    asked: int
    """Questions of the run that people were asked before."""
    silent_error_cost: float | None = None
    """As declared for this step; None takes the gate's."""
    rework_cost: float | None = None
    """As declared for this step; None takes the gate's."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What an ask gate says about one question."""

    unasked: Unasked | None
    """Why no person is asked; None when one is."""
    sentence: str
    value: float | None = None
    """What asking saves on average; None where it is not known, or not looked at."""


def worth_asking(
    gate: AskGate | None, facts: QuestionFacts, *, reviewer: Reviewer | None = None
) -> Worth:
    """Return whether a question goes to a person. What is not known is a reason to ask.

    Args:
        gate: The policy's; None lets every question through.
        facts: What is known of the question.
        reviewer: How well people answer; None for perfectly.
    """
    value = None if gate is None else _value(gate, facts, reviewer)
    if gate is not None and value is not None and value <= 0.0:
        return Worth("value", _too_cheap(facts, value), value)
    if gate is not None and gate.budget is not None and facts.asked >= gate.budget:
        return Worth("budget", _used_up(gate.budget), value)
    return Worth(None, "The step asks a question.", value)


def _value(gate: AskGate, facts: QuestionFacts, reviewer: Reviewer | None) -> float | None:
    if facts.p is None or gate.review_cost is None or gate.silent_error_cost is None:
        return None
    own_loss, own_rework = facts.silent_error_cost, facts.rework_cost
    return value_of_asking(
        1.0 - facts.p,
        silent_cost=gate.silent_error_cost if own_loss is None else own_loss,
        review_cost=gate.review_cost,
        rework_cost=gate.rework_cost if own_rework is None else own_rework,
        sensitivity=1.0 if reviewer is None else reviewer.sensitivity,
        specificity=1.0 if reviewer is None else reviewer.specificity,
    )


def _too_cheap(facts: QuestionFacts, value: float) -> str:
    return f"Asking is not worth a person: at P(right) {facts.p:.2f} it would save {value:.2f}."


def _used_up(budget: int) -> str:
    if budget == 0:
        return "The policy puts no questions before people."
    count = "1 question" if budget == 1 else f"{budget} questions"
    return f"The run's budget of {count} is used up."


def value_of_asking(
    p_wrong: float,
    *,
    silent_cost: float,
    review_cost: float,
    rework_cost: float = 0.0,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> float:
    """Return what one question saves on average: positive means ask.

    V = p [s L - s W + (1 - t) W] - (r + (1 - t) W): the Bayes rule of two-stage deferral (Mao et al.
    2023). Assumes a calibrated p_wrong.

    Args:
        p_wrong: p = P(wrong), in [0, 1].
        silent_cost: L, of a wrong step that passes, >= 0.
        review_cost: r, reviewing and waiting, >= 0.
        rework_cost: W, of doing a denied step again, >= 0.
        sensitivity: s = P(deny | wrong), in [0, 1].
        specificity: t = P(approve | right), in [0, 1].
    """
    needless = (1.0 - specificity) * rework_cost
    gain = p_wrong * (sensitivity * (silent_cost - rework_cost) + needless)
    return gain - (review_cost + needless)
