"""How right a step is, how right a product of steps is, and what a yes resets it to (E18).

Accuracy per step: Beta-Bernoulli with the Jeffreys prior. The product over a series of steps gets
its uncertainty from draws, or a certificate from Lindstrom-Madden. Independent steps are assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

import hitl.reliability
from hitl.lab.columns import Floats, counts, level, probability


@dataclass(frozen=True, slots=True)
class NodeAccuracy:
    """The posterior Beta(a, b) of P(right) of one step."""

    a: float
    b: float
    right: int
    n: int
    low: float
    high: float
    """The equal-tailed band."""

    @property
    def mean(self) -> float:
        """Posterior mean, in (0, 1)."""
        return self.a / (self.a + self.b)

    def draw(self, rng: np.random.Generator, size: int) -> Floats:
        """Return `size` draws of P(right)."""
        return rng.beta(self.a, self.b, size)


def node_accuracy(right: int, n: int, *, delta: float = 0.1) -> NodeAccuracy:
    """Return the posterior of a step's accuracy: Beta(right + .5, n - right + .5) (E18, Jeffreys).

    Args:
        right: How many labelled executions were right.
        n: How many were labelled; independent of being right.
        delta: The band leaves delta/2 on either side.
    """
    hits, rows = counts(right, n)
    a, b = hits + 0.5, rows - hits + 0.5
    half = level(delta, "delta") / 2.0
    low, high = beta.ppf((half, 1.0 - half), a, b)
    return NodeAccuracy(a, b, hits, rows, float(low), float(high))


def reset_value(p: float, sensitivity: float = 1.0, specificity: float = 1.0) -> float:
    """Return P(right | a reviewer said yes), in [0, 1]: p t / (p t + (1 - p)(1 - s)).

    The rule of `hitl.reliability`, checked: a yes makes certain only with s = 1.

    Args:
        p: P(right) before the review.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
    """
    return hitl.reliability.reset_value(
        probability(p, "p"),
        probability(sensitivity, "sensitivity"),
        probability(specificity, "specificity"),
    )


@dataclass(frozen=True, slots=True)
class ProductOfSteps:
    """P(all steps right): the product of the measured accuracies and how sure it is."""

    point: float
    """Product of right / n."""
    low: float
    high: float
    """Band of the posterior product, from draws."""
    certified: float
    """Lindstrom-Madden lower bound at `delta`."""


def product_of_steps(
    right: Sequence[int],
    n: Sequence[int],
    *,
    rng: np.random.Generator,
    delta: float = 0.05,
    draws: int = 200_000,
) -> ProductOfSteps:
    """Return P(all steps right) of a series with its posterior band and its certified lower bound.

    Args:
        right: Per step, labelled executions that were right.
        n: Per step, labelled executions.
        rng: Source of the draws.
        delta: Mass below `low` and above `high`, and the certificate's allowed failure.
        draws: How many.
    """
    nodes = [node_accuracy(k, m) for k, m in zip(right, n, strict=True)]
    product = np.prod([node.draw(rng, draws) for node in nodes], axis=0)
    low, high = np.quantile(product, (level(delta, "delta"), 1.0 - delta))
    point = float(np.prod([node.right / node.n for node in nodes]))
    return ProductOfSteps(point, float(low), float(high), lindstrom_madden(right, n, delta))


def lindstrom_madden(right: Sequence[int], n: Sequence[int], delta: float) -> float:
    """Return a lower bound on P(all steps right), in [0, 1].

    The series behaves like m = min n_i trials of which m prod(right_i / n_i) succeeded; the bound
    is Clopper-Pearson at that real-valued count (Lloyd & Lipow 1962). Assumes independent steps.
    """
    checked = [counts(k, m) for k, m in zip(right, n, strict=True)]
    trials = min(m for _, m in checked)
    hits = trials * float(np.prod([k / m for k, m in checked]))
    if hits <= 0.0:
        return 0.0
    return float(beta.ppf(level(delta, "delta"), hits, trials - hits + 1.0))


def product_moments(nodes: Sequence[NodeAccuracy]) -> tuple[float, float]:
    """Return mean and variance of the posterior product: prod E, prod E[p^2] - (prod E)^2."""
    mean = float(np.prod([node.mean for node in nodes]))
    second = [node.mean * (node.a + 1.0) / (node.a + node.b + 1.0) for node in nodes]
    return mean, float(np.prod(second)) - mean**2
