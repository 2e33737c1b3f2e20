"""How error compounds over a run, and how a person's yes resets it.

A step is right with probability p; a run's reliability is the product of p over the steps since the
last reset (series system; independence assumed, which understates correlated chains).

LangGraph runs supersteps: all tasks of one superstep read the same state and commit together. A
superstep is the element (reset, log p): in sequence `(r1, l1)(r2, l2) = (r1 or r2, l2 if r2 else
l1 + l2)`; siblings add their logs, and any sibling's reset drops the shared prefix once. The value
is therefore independent of the order inside a superstep and counts a shared ancestor once (a
product of the parents' marginals would not: for a diamond of .9 it gives .590 instead of .656).
"""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

_FLOOR = 1e-12
"""Smallest p that enters: keeps log finite; a step that is surely wrong ends the run's credit."""


@dataclass(frozen=True, slots=True)
class Write:
    """What one committed step adds to the standing."""

    step: int
    """Superstep number."""
    log_p: float = 0.0
    """Log of the step's p, or of the covered steps' posterior after a yes; <= 0."""
    unverified: int = 1
    """1 for a step nobody verified; 0 for a covered one; a child graph's own count when folded."""
    unknown: int = 0
    """How many of these have no known p (their log_p is 0)."""
    reset: bool = False
    """Whether a yes covered the prefix inside this graph."""
    through: bool = False
    """Whether that yes covered the parent graph's prefix too."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How sure a run still is: constant size, whatever the run's length."""

    step: int = -1
    """Superstep of the `acc_*` part."""
    base: float = 0.0
    """Sum of log p over the steps before `step`."""
    acc: float = 0.0
    """Sum of log p over the steps of `step`."""
    base_unverified: int = 0
    acc_unverified: int = 0
    base_unknown: int = 0
    acc_unknown: int = 0
    through: bool = False
    """Whether some yes since this graph's start covered the parent's prefix too."""

    @property
    def log_p(self) -> float:
        """Log of the reliability over the steps whose p is known."""
        return self.base + self.acc

    @property
    def reliability(self) -> float:
        """Product of the known p since the last reset, in [0, 1]; 1.0 for none."""
        return min(1.0, math.exp(self.log_p))

    @property
    def unverified(self) -> int:
        """How many steps since the last reset nobody verified."""
        return self.base_unverified + self.acc_unverified

    @property
    def unknown(self) -> int:
        """How many of the unverified steps have no known p."""
        return self.base_unknown + self.acc_unknown

    def then(self, write: Write) -> "Standing":
        """Return the standing after `write`: same superstep, or a later one."""
        now = self._folded(write.step) if write.step > self.step else self
        if write.reset:
            now = replace(now, base=0.0, base_unverified=0, base_unknown=0)
        return replace(
            now,
            through=now.through or write.through,
            acc=now.acc + write.log_p,
            acc_unverified=now.acc_unverified + write.unverified,
            acc_unknown=now.acc_unknown + write.unknown,
        )

    def under(self, parent: "Standing") -> "Standing":
        """Return this child graph's standing with its parent's prefix, unless a yes covered that."""
        if self.through:
            return self
        return replace(
            self,
            base=self.base + parent.log_p,
            base_unverified=self.base_unverified + parent.unverified,
            base_unknown=self.base_unknown + parent.unknown,
        )

    def _folded(self, step: int) -> "Standing":
        return Standing(
            step=step,
            base=self.log_p,
            base_unverified=self.unverified,
            base_unknown=self.unknown,
            through=self.through,
        )

    def dump(self) -> dict[str, float | int | bool]:
        """Return the value kept in the graph's private channel."""
        return asdict(self)

    @classmethod
    def load(cls, value: dict[str, float | int | bool] | None) -> "Standing":
        """Return the standing kept in a channel; a fresh one for None or an empty value."""
        return cls(**value) if value else cls()  # type: ignore[arg-type] # our own dump


def log_probability(p: float) -> float:
    """Return log p, for p in [0, 1]; p = 0 counts as 1e-12."""
    return math.log(max(p, _FLOOR))


def fold_child(child: Standing, step: int, *, through: bool = False) -> Write:
    """Return what a finished child graph adds to its parent's superstep `step`.

    Args:
        child: The child's own standing, without its parent's prefix.
        step: The parent's superstep.
        through: Whether a yes that reached this graph's prefix reached the grandparent's too.
    """
    return Write(
        step=step,
        log_p=child.log_p,
        unverified=child.unverified,
        unknown=child.unknown,
        reset=child.through,
        through=child.through and through,
    )


def both(first: Write, second: Write) -> Write:
    """Return two writes of the same superstep as one."""
    return Write(
        step=first.step,
        log_p=first.log_p + second.log_p,
        unverified=first.unverified + second.unverified,
        unknown=first.unknown + second.unknown,
        reset=first.reset or second.reset,
        through=first.through or second.through,
    )


def compound(probabilities: Iterable[float]) -> float:
    """Return the reliability of independent steps: the product, in [0, 1]; 1.0 for none."""
    return math.prod(probabilities)


def reset_value(p: float, sensitivity: float = 1.0, specificity: float = 1.0) -> float:
    """Return P(right | a reviewer said yes), in [0, 1].

    Bayes: p t / (p t + (1 - p)(1 - s)), with s = P(deny | wrong) and t = P(approve | right). With
    s = 1 a yes is certain whatever t is; 1.0 too when p is 1. The reviewer's errors are assumed
    independent of the step's.

    Args:
        p: P(right) before the review, in [0, 1].
        sensitivity: s, in [0, 1].
        specificity: t, in [0, 1].
    """
    approved_right = p * specificity
    approved = approved_right + (1.0 - p) * (1.0 - sensitivity)
    return approved_right / approved if approved > 0.0 else 0.0


def yes_probability(p: float, sensitivity: float = 1.0, specificity: float = 1.0) -> float:
    """Return P(a reviewer says yes): p t + (1 - p)(1 - s)."""
    return p * specificity + (1.0 - p) * (1.0 - sensitivity)
