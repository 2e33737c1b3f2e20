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
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, product
from typing import Any

from hitl.spent import NOTHING, Spent

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
    spent: Spent = NOTHING
    """What the step cost; nothing for a yes that resets."""

    def dump(self) -> dict[str, Any]:
        """Return the write as it goes into the graph's private channel."""
        kept = {key: getattr(self, key) for key in self.__slots__ if key != "spent"}
        return kept if self.spent == NOTHING else {**kept, "spent": self.spent.dump()}

    @classmethod
    def load(cls, kept: Mapping[str, Any]) -> "Write":
        """Return what was dumped."""
        spent = kept.get("spent")
        return cls(**{**kept, "spent": NOTHING if spent is None else Spent.load(spent)})


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
    base_spent: Spent = NOTHING
    acc_spent: Spent = NOTHING

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

    @property
    def spent(self) -> Spent:
        """What was spent since the last reset."""
        return self.base_spent.plus(self.acc_spent)

    def then(self, write: Write) -> "Standing":
        """Return the standing after `write`: same superstep, or a later one."""
        later = write.step > self.step
        base, acc = (self.base + self.acc, 0.0) if later else (self.base, self.acc)
        seen, new = (self.unverified, 0) if later else (self.base_unverified, self.acc_unverified)
        unknown, more = (self.unknown, 0) if later else (self.base_unknown, self.acc_unknown)
        spent, now = (self.spent, NOTHING) if later else (self.base_spent, self.acc_spent)
        if write.reset:
            base, seen, unknown, spent = 0.0, 0, 0, NOTHING
        return Standing(
            step=write.step if later else self.step,
            base=base,
            acc=acc + write.log_p,
            base_unverified=seen,
            acc_unverified=new + write.unverified,
            base_unknown=unknown,
            acc_unknown=more + write.unknown,
            through=self.through or write.through,
            base_spent=spent,
            acc_spent=now.plus(write.spent),
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
            base_spent=self.base_spent.plus(parent.spent),
        )

    def dump(self) -> dict[str, Any]:
        """Return the value kept in the graph's private channel: at most 200 bytes there."""
        spent = [*self.base_spent.dump(), *self.acc_spent.dump()]
        return {
            "step": self.step,
            "base": self.base,
            "acc": self.acc,
            "base_unverified": self.base_unverified,
            "acc_unverified": self.acc_unverified,
            "base_unknown": self.base_unknown,
            "acc_unknown": self.acc_unknown,
            "through": self.through,
            **({} if self.spent == NOTHING else {"spent": spent}),
        }

    @classmethod
    def load(cls, value: Mapping[str, Any] | None) -> "Standing":
        """Return the standing kept in a channel; a fresh one for None or an empty value."""
        kept = dict(value or {})
        spent = kept.pop("spent", None)
        if spent is not None:
            kept |= {"base_spent": Spent.load(spent[:3]), "acc_spent": Spent.load(spent[3:])}
        return cls(**kept)


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
        spent=child.spent,
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
        spent=first.spent.plus(second.spent),
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


# -- what a design is worth, before it runs (formulas re-derived; acceptance numbers in the tests) --


def vote(p: float, voters: int, *, needed: int | None = None) -> float:
    """Return P(at least `needed` of `voters` are right): a binomial tail.

    Independent errors assumed; voters that share a mistake are worth less.

    Args:
        p: P(one voter is right), in [0, 1].
        voters: How many there are.
        needed: How many must be right; None for a strict majority.
    """
    least = voters // 2 + 1 if needed is None else needed
    return sum(
        math.comb(voters, right) * p**right * (1.0 - p) ** (voters - right)
        for right in range(least, voters + 1)
    )


def alike_chain(a: float, b: float, steps: int) -> float:
    """Return P(all steps right) when they share one unknown accuracy, Beta(a, b).

    B(a + k, b) / B(a, b), never below the mean to the k: independence understates a chain of steps
    that are hard together.
    """
    return math.prod((a + i) / (a + b + i) for i in range(steps))


def alike_attempts(a: float, b: float, attempts: int) -> float:
    """Return P(some attempt right) when all share one unknown accuracy, Beta(a, b).

    1 - B(a, b + k) / B(a, b), never above 1 - (1 - mean)^k: independence overstates retries.
    """
    return 1.0 - alike_chain(b, a, attempts)


def with_recovery(p: float, recovers: float, steps: int) -> float:
    """Return P(right after `steps`) when a wrong state may become right again.

    A two-state Markov chain that starts right: x_k = f + (1 - f)(p - q)^k, f = q / (1 - p + q).

    Args:
        p: P(right stays right) per step, in [0, 1].
        recovers: q, P(wrong becomes right) per step, in [0, 1].
        steps: k, at least 0.
    """
    if p == 1.0:
        return 1.0
    floor = recovers / (1.0 - p + recovers)
    return floor + (1.0 - floor) * (p - recovers) ** steps


@dataclass(frozen=True, slots=True)
class Retried:
    """Where a gated step ends that may be tried again; `right + silent + stopped` is 1."""

    right: float
    """P(committed and right)."""
    silent: float
    """P(committed and wrong)."""
    stopped: float
    """P(every attempt denied and nobody took over)."""
    attempts: float
    """Expected number of attempts."""


def with_retries(
    accuracies: Sequence[float],
    *,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    takeover: float | None = None,
) -> Retried:
    """Return where a gated step ends: each attempt is reviewed until one is approved.

    Best-of-n with a verifier is the same thing: it takes the first attempt the verifier accepts.

    Args:
        accuracies: P(right) of each attempt allowed, in order.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
        takeover: P(a person who takes over is right); None when the run stops instead.
    """
    denies = [1.0 - yes_probability(p, sensitivity, specificity) for p in accuracies]
    reached = list(accumulate(denies, lambda alive, deny: alive * deny, initial=1.0))
    left = reached.pop()
    tries = list(zip(reached, accuracies, strict=True))
    right = sum(alive * p * specificity for alive, p in tries)
    silent = sum(alive * (1.0 - p) * (1.0 - sensitivity) for alive, p in tries)
    if takeover is not None:
        right, silent, left = right + left * takeover, silent + left * (1.0 - takeover), 0.0
    return Retried(right=right, silent=silent, stopped=left, attempts=sum(reached))


def survival(time: float, half_life: float, *, start: float = 1.0) -> float:
    """Return P(still right after `time`) at a constant hazard ln 2 / half-life, from `start`.

    A yes starts the clock again at its posterior. Both times in the same unit. Constant hazard: Ord
    2025, arXiv 2505.05115; agents measured so far fail faster at first (Weibull shape below 1).
    """
    return start * math.exp(-math.log(2.0) * time / half_life)


_MOST_EVENTS = 20
"""Enumeration takes 2^n: about a second at 20 in the standard library."""


def closure(inputs: Mapping[str, Collection[str]], node: str) -> frozenset[str]:
    """Return the node with everything it rests on: its output is right iff all of these are.

    Args:
        inputs: The direct inputs of each node; nodes without any may be left out.
        node: Where to look from.
    """
    found: set[str] = set()
    ahead = [node]
    while ahead:
        here = ahead.pop()
        if here not in found:
            found.add(here)
            ahead.extend(inputs.get(here, ()))
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class GivenYes:
    """What reviewers' yeses say about a node."""

    yes: float
    """P(all of them say yes)."""
    right: float
    """P(the node's output is right | all said yes); 0.0 when they cannot."""


def given_yes(
    accuracy: Mapping[str, float],
    inputs: Mapping[str, Collection[str]],
    *,
    approved: Mapping[str, tuple[float, float]],
    target: str,
) -> GivenYes:
    """Return what yeses anywhere in a graph say about a node, ancestors and cousins included.

    Exact, by enumeration of every node's being locally right or wrong; shared ancestors count once.

    Args:
        accuracy: P(right given right inputs) of each node.
        inputs: The direct inputs of each node.
        approved: The gates that said yes, with their reviewer's (sensitivity, specificity).
        target: The node asked about.

    Raises:
        ValueError: More than 20 nodes are involved.
    """
    rests_on = {node: closure(inputs, node) for node in (*approved, target)}
    nodes = sorted(frozenset[str]().union(*rests_on.values()))
    if len(nodes) > _MOST_EVENTS:
        raise ValueError(
            f"{len(nodes)} nodes are too many to enumerate; {_MOST_EVENTS} is the most."
        )
    yes = right = 0.0
    for states in product((True, False), repeat=len(nodes)):
        world = list(zip(nodes, states, strict=True))
        sound = {node for node, is_right in world if is_right}
        weight = math.prod(accuracy[n] if is_right else 1.0 - accuracy[n] for n, is_right in world)
        for gate, (sensitivity, specificity) in approved.items():
            weight *= specificity if rests_on[gate] <= sound else 1.0 - sensitivity
        yes += weight
        right += weight if rests_on[target] <= sound else 0.0
    return GivenYes(yes=yes, right=right / yes if yes > 0.0 else 0.0)
