"""What a step in doubt may do before a person is asked, and whose probability then counts.

`on_doubt=[Retry(2), Critic(fn), Judge(fn), Rollouts(3)]` is gone through in order, until the gate
would let a try pass. Only doubt about probabilities can be settled so: what always asks, a rule, a
limit since the last reset, a try after a no and a refused effect are for a person.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_serializer

from hitl.models import ConfidenceKind, Opinion, Record, Tried, TriggerFired
from hitl.policy.fields import Count, built
from hitl.policy.functions import Function, reference
from hitl.policy.remedies import Retry

MOST_TRIES = 100

_SETTLEABLE = frozenset({"confidence", "reliability", "unknown"})
_FOUNDED = frozenset({ConfidenceKind.CALIBRATED, ConfidenceKind.MEASURED, ConfidenceKind.COMPOUND})


class _Grader(Record):
    function: Function
    """Given the proposal's arguments: P(right), in [0, 1]; or its name `"module:function"`."""

    @field_serializer("function", when_used="json")
    def _named(self, function: Function) -> str:
        return reference(function)


class Critic(_Grader):
    """A function that was learned from decisions says how likely each try is right."""

    kind: Literal["critic"] = "critic"

    def __init__(self, function: Function, *, kind: Literal["critic"] = "critic") -> None:
        with built("Critic"):
            BaseModel.__init__(self, function=function, kind=kind)


class Judge(_Grader):
    """A model that reads the proposal says how likely each try is right."""

    kind: Literal["judge"] = "judge"

    def __init__(self, function: Function, *, kind: Literal["judge"] = "judge") -> None:
        with built("Judge"):
            BaseModel.__init__(self, function=function, kind=kind)


class Rollouts(Record):
    """Run the step again in parallel, and go on with the best of all tries."""

    kind: Literal["rollouts"] = "rollouts"
    attempts: Annotated[Count, Field(ge=2, le=MOST_TRIES)]
    """How many at once; from 2 to 100."""

    def __init__(self, attempts: int, *, kind: Literal["rollouts"] = "rollouts") -> None:
        with built("Rollouts"):
            BaseModel.__init__(self, attempts=attempts, kind=kind)


Doubt = Annotated[Retry | Critic | Judge | Rollouts, Field(discriminator="kind")]
"""Any rung of `on_doubt`; told apart by `kind`."""


def is_settleable(triggers: Sequence[TriggerFired]) -> bool:
    """Return whether more tries or opinions could make a gate pass that these triggers hold."""
    return all(fired.kind in _SETTLEABLE for fired in triggers)


def counted(
    p: float | None, kind: ConfidenceKind, opinions: Sequence[Opinion]
) -> tuple[float | None, ConfidenceKind]:
    """Return the p a try counts with, and what it rests on.

    A p that rests on labels (calibrated, measured, or a child graph's own) stays. In the place of
    one that is only reported, declared or unknown comes the lowest that a critic or judge gave:
    opinions are noisy and never averaged.
    """
    given = [o for o in opinions if o.p is not None]
    if kind in _FOUNDED or not given:
        return p, kind
    lowest = min(given, key=_p)
    return lowest.p, ConfidenceKind(lowest.kind)


def _p(said: Opinion | Tried) -> float:
    return -1.0 if said.p is None else said.p


def best(tries: Sequence[Tried]) -> int:
    """Return the index of the try to go on with.

    One that did not fail, then the largest rank where there is one, then one that passes, then the
    largest p, then the most confident by itself, then the first.
    """
    return order(tries)[0]


def order(tries: Sequence[Tried]) -> list[int]:
    """Return the indices of tries, best first (see `best`)."""
    return sorted(range(len(tries)), key=lambda n: _worth(tries[n]), reverse=True)


def _worth(tried: Tried) -> tuple[bool, float, bool, float, float]:
    rank = float("-inf") if tried.rank is None else tried.rank
    own = -1.0 if tried.confidence is None else tried.confidence
    return not tried.problem, rank, tried.passes, _p(tried), own


def told(tries: Sequence[Tried], chosen: int, notes: Sequence[str]) -> str:
    """Return what was done before a person was asked, and what came of it, in sentences."""
    more = len(tries) - 1
    winner = tries[chosen]
    said = []
    if tries[-1].rung == "rollout":
        said.append(f"{more + 1} rollouts; number {chosen + 1} is ranked first.")
    elif more:
        times = "once more" if more == 1 else f"{more} more times"
        failed = sum(bool(t.problem) for t in tries)
        spoilt = f" ({failed} failed)" if failed else ""
        said.append(
            f"Tried {times}{spoilt}; try {chosen + 1} of {more + 1} is the most likely right."
        )
    said += [_opinion(o) for o in winner.opinions]
    said += notes
    if winner.passes:
        said.append(f"Settled without a person at {_number(winner.p)} ({winner.p_kind.value}).")
    return " ".join(said)


def _opinion(said: Opinion) -> str:
    who = f"The {said.kind} {said.name!r}"
    if said.p is None:
        return f"{who} gave no answer ({said.problem})."
    return f"{who} says {_number(said.p)}."


def _number(p: float | None) -> str:
    return "no known confidence" if p is None else f"{p:.3g}"


def opinion(kind: str, function: Function, said: Any) -> dict[str, Any]:
    """Return the fields of an `Opinion`: what a critic or judge said, if it is a probability."""
    name = reference(function).partition("@")[0].replace(":", ".").rpartition(".")[2]
    known = isinstance(said, (int, float)) and not isinstance(said, bool) and 0.0 <= said <= 1.0
    if known:
        return {"kind": kind, "name": name, "p": float(said)}
    what = f"{type(said).__name__}: {said}" if isinstance(said, Exception) else repr(said)
    return {"kind": kind, "name": name, "problem": f"{what}, not a number in [0, 1]"[:200]}
