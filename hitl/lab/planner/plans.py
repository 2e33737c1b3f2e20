"""What a plan of checkpoints is, and what one reviewed segment costs.

A segment is what has been done since the last yes. A gate at its end asks a reviewer with s =
P(deny | wrong), t = P(approve | right); a no throws the segment away and does it again. With P =
P(segment right) and C = its cost with one review: P(yes) a = P t + (1 - P)(1 - s), expected cost
until a yes C / a, P(a yes on a wrong segment) e = (1 - P)(1 - s) / a.

Anchor: Toueg & Babaoglu, SIAM J. Comput. 1984 (perfect reviewer); fallible detectors: Benoit,
Robert et al. on silent errors. Assumes independent steps and attempts, and "segment scope": a later
gate does not judge what an earlier one approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Floats, amount, fractions, numbers, probability


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to put checkpoints on a chain, and what that brings."""

    gates: tuple[int, ...]
    """Positions of the steps after which to ask, from 1, ascending."""
    expected_cost: float
    """Work and reviews until the end, repeated segments included."""
    p_right: float
    """P(the final result is right)."""


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """Where to put checkpoints in a graph, and what that brings."""

    gates: tuple[str, ...]
    """Steps after which to ask, in the order of the work."""
    expected_cost: float
    p_right: float
    exact: bool
    """Whether every set of candidates was looked at."""
    gap: float
    """At most this far from the best, as a share of it; 0.0 when exact."""


@dataclass(frozen=True, slots=True)
class Reviewer:
    """A reviewer's rates."""

    sensitivity: float = 1.0
    """s = P(deny | wrong)."""
    specificity: float = 1.0
    """t = P(approve | right)."""

    def __post_init__(self) -> None:
        """Refuse rates outside [0, 1], and a reviewer who never says yes to anything right."""
        probability(self.sensitivity, "sensitivity")
        if probability(self.specificity, "specificity") == 0.0:
            raise EvidenceRefusal("A reviewer who denies everything right lets no plan end.")

    def approves(self, p: Floats) -> Floats:
        """Return P(yes) for segments that are right with probability p."""
        return p * self.specificity + (1.0 - p) * (1.0 - self.sensitivity)

    def log_right(self, p: Floats) -> Floats:
        """Return log P(right | yes): 0.0 for a perfect reviewer; -inf where no yes is possible."""
        with np.errstate(divide="ignore", invalid="ignore"):
            right = np.log(p * self.specificity / self.approves(p))
        return np.where(np.isnan(right), -np.inf, np.minimum(0.0, right))


@dataclass(frozen=True, slots=True)
class Chain:
    """The numbers of all segments (i, j] of a chain; row i, column j, both 0 to n."""

    cost: Floats
    """Expected cost until the yes at j, having been approved at i; inf unless i < j."""
    log_right: Floats
    """Log P(right | that yes); -inf unless i < j."""
    work: Floats
    """Shape (n + 1,): cost of steps 1..j once, without reviews."""
    log_accuracy: Floats
    """Shape (n + 1,): log P(steps 1..j right)."""

    @property
    def steps(self) -> int:
        """How many steps the chain has."""
        return self.work.size - 1


def chain(
    accuracy: Sequence[float],
    cost: Sequence[float],
    review_cost: float | Sequence[float],
    reviewer: Reviewer,
) -> Chain:
    """Return the segments of a chain.

    Args:
        accuracy: Per step, P(right | inputs right), in (0, 1].
        cost: Per step, of one execution, >= 0.
        review_cost: Of one review, for all steps or per step, >= 0.
        reviewer: Who reviews.

    Raises:
        UnusableColumn: Lengths differ, a number is out of range, or there is no step.
    """
    p, c, r = _columns(accuracy, cost, review_cost)
    work = np.concatenate(([0.0], np.cumsum(c)))
    log_p = np.concatenate(([0.0], np.cumsum(np.log(p))))
    ahead = np.tri(p.size + 1, k=-1, dtype=np.bool_).T
    right = np.exp(np.where(ahead, log_p[None, :] - log_p[:, None], 0.0))
    spent = work[None, :] - work[:, None] + np.concatenate(([0.0], r))[None, :]
    with np.errstate(divide="ignore"):
        expected = np.where(ahead, spent / reviewer.approves(right), np.inf)
    return Chain(expected, np.where(ahead, reviewer.log_right(right), -np.inf), work, log_p)


def score(segments: Chain, gates: Sequence[int]) -> Plan:
    """Return what these gates (ascending, from 1) bring on this chain."""
    starts = [0, *gates]
    spent = sum(float(segments.cost[i, j]) for i, j in zip(starts, gates, strict=False))
    log_right = sum(float(segments.log_right[i, j]) for i, j in zip(starts, gates, strict=False))
    last = starts[-1]
    spent += float(segments.work[-1] - segments.work[last])
    log_right += float(segments.log_accuracy[-1] - segments.log_accuracy[last])
    return Plan(tuple(gates), spent, float(np.exp(log_right)))


def _columns(
    accuracy: Sequence[float], cost: Sequence[float], review_cost: float | Sequence[float]
) -> tuple[Floats, Floats, Floats]:
    p, c = fractions(accuracy, "accuracy"), numbers(cost, "cost")
    scalar = isinstance(review_cost, int | float)
    r = numbers([review_cost] * p.size if scalar else review_cost, "review_cost")
    if not p.size == c.size == r.size:
        raise EvidenceRefusal(
            f"A chain needs one cost per step: {p.size} accuracies, {c.size} costs,"
            f" {r.size} review costs."
        )
    if bool(np.any(p == 0.0)):
        raise EvidenceRefusal("A step that is never right lets no plan end; mend the step.")
    amount(float(min(c.min(), r.min())), "the smallest cost")
    return p, c, r
