"""What an earning agent is promised to keep, and the levels it may rise to.

The promise, in words: while workflow, model and input stay as they are, the chance that the step is
ever let act alone at a level where more than `error_at_most` of the runs' answers are wrong is at
most 1 - `sure`. Nothing is promised about single runs, about several checkpoints together (give
each its share), or about a level whose own effect is to make inputs worse.

One process per scope: workflow version, checkpoint, place, node and model and prompt version,
source of the confidence, number of rollouts. Another scope starts empty.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hitl.errors import TooFewLabels
from hitl.lab.columns import fractions, level

COVERAGES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
"""Share of the steps that would act alone at each level."""
SHARES = (0.2, 0.0, 0.6, 0.0, 0.0, 0.0, 0.2)
"""Each level's share of a generation's delta, before anything is certified."""
GRID_ROWS = 100
"""Confidences that must be seen before the levels are fixed; their labels never enter."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What autonomy is earned under: `autonomy="earned", error_at_most=.02, sure=.95`."""

    error_at_most: float = 0.02
    """alpha: tolerated error rate while acting alone, in (0, 1)."""
    sure: float = 0.95
    """1 - delta, in (0, 1)."""
    floor: float = 0.05
    """Smallest rate of spot checks, in (0, 1]."""
    trusted: bool = False
    """True: labels are the truth. False: reviewers' sensitivity is measured on known-answer items,
    and a fifth of delta pays for that."""
    sign_off: bool = False
    """True: a widening waits for a person's signature."""

    def __post_init__(self) -> None:
        """Refuse numbers out of range."""
        level(self.error_at_most, "error_at_most")
        level(self.sure, "sure")
        if self.floor != 1.0:
            level(self.floor, "floor")

    @property
    def delta(self) -> float:
        """The allowed chance of ever breaking the promise."""
        return 1.0 - self.sure

    @property
    def reviewers_delta(self) -> float:
        """What the lower end of the reviewers' sensitivity costs; 0 with trusted labels."""
        return 0.0 if self.trusted else self.delta / 5.0

    def generation_delta(self, generation: int) -> float:
        """Return what the nth generation may spend: .8, then .2/((n - 1) n) of the rest; sums to it.

        Args:
            generation: From 1; each alarm starts the next.
        """
        rest = self.delta - self.reviewers_delta
        if generation == 1:
            return 0.8 * rest
        return 0.2 * rest / ((generation - 1) * generation)


@dataclass(frozen=True, slots=True)
class Level:
    """How far the agent may act alone."""

    coverage: float
    """Share of steps meant to act."""
    threshold: float
    """Act iff confidence > threshold; -inf: always."""
    share: float
    """Of the generation's delta."""


def grid(confidence: ArrayLike) -> tuple[Level, ...]:
    """Return the levels, narrowest first, from confidences seen before the first row enters.

    lambda_g is the quantile that leaves `coverage` above it, an order statistic; the last is -inf.
    A level that acts on the same rows as the next, or on none, is dropped; its share moves up.

    Args:
        confidence: Shape (n,), in [0, 1], n >= 100: calibration set, shadow traffic, or the first
            rows, whose labels then do not enter.

    Raises:
        TooFewLabels: Fewer than 100 confidences.
    """
    seen = np.sort(fractions(confidence, "confidence"))
    if seen.size < GRID_ROWS:
        raise TooFewLabels("grid of levels", seen.size, GRID_ROWS, unit="confidences")
    levels: list[Level] = []
    share = 0.0
    cuts = [_cut(seen.size, coverage) for coverage in COVERAGES]
    thresholds = [-math.inf if at < 0 else float(seen[at]) for at in cuts]
    for g, (coverage, threshold) in enumerate(zip(COVERAGES, thresholds, strict=True)):
        share += SHARES[g]
        follows = thresholds[g + 1] if g + 1 < len(thresholds) else None
        if threshold >= seen[-1] or threshold == follows:
            continue
        levels.append(Level(coverage, threshold, share))
        share = 0.0
    return tuple(levels)


def _cut(rows: int, coverage: float) -> int:
    """Return the index of the largest confidence that does not act; -1 when all do."""
    return rows - 1 - math.floor(rows * coverage + 1e-9)


def unearnable(promise: Promise, *, specificity: float, sensitivity: float) -> str | None:
    """Return why even a perfect agent can't earn this promise, as a sentence; None when it can.

    Reviewers deny 1 - t of what is right, and that must stay below alpha s_L.

    Args:
        promise: What is to be earned.
        specificity: t = P(approve | right), after second looks.
        sensitivity: s_L, lower end of P(deny and uphold | wrong).
    """
    denied, seen = 1.0 - specificity, promise.error_at_most * sensitivity
    if denied < seen:
        return None
    looser = denied / sensitivity if sensitivity > 0.0 else 1.0
    return (
        f"Reviewers deny {denied:.1%} of what is right, after second looks; an error rate of"
        f" {promise.error_at_most:g} can't be earned. Use an error_at_most above {looser:.3f},"
        " or clearer reviews."
    )
