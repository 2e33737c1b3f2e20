"""What another try is worth (E20): tasks differ, so tries of one task are not independent.

A step's success rate varies from task to task as Beta(a, b). Then pass@k = 1 - B(a, b + k)/B(a, b),
which lies below 1 - (1 - mean)^k: the tries go to the tasks that keep failing.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq, minimize
from scipy.special import betaln, expit, logit

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.columns import aligned, counts, level, numbers


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return P(at least one of k tries is right) from c right ones in n tries (E20).

    1 - C(n - c, k)/C(n, k), in logarithms: the unbiased estimate of Chen et al. 2021 for one task.

    Args:
        n: Tries made.
        c: Right ones among them.
        k: Tries allowed, 1 <= k <= n.
    """
    right, tries = counts(c, n)
    allowed, _ = counts(k, tries)
    if allowed < 1:
        raise UnusableColumn("k", "must be at least 1.")
    wrong = tries - right
    if allowed > wrong:
        return 1.0
    steps = np.arange(wrong - allowed + 1, wrong + 1)
    return float(-np.expm1(np.sum(np.log(steps) - np.log(steps + right))))


@dataclass(frozen=True, slots=True)
class RetryMixture:
    """Success rates over tasks: Beta(a, b)."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        """Share of first tries that are right."""
        return self.a / (self.a + self.b)

    def pass_at(self, k: int) -> float:
        """Return P(at least one of k tries is right); 0.0 for k = 0."""
        return float(-np.expm1(betaln(self.a, self.b + k) - betaln(self.a, self.b)))

    def after(self, wrong: int) -> float:
        """Return P(the next try is right | `wrong` tries were wrong): a / (a + b + wrong)."""
        return self.a / (self.a + self.b + wrong)


def retry_mixture(once: float, at_k: float, k: int) -> RetryMixture:
    """Return the Beta over tasks that has pass@1 = `once` and pass@k = `at_k` (E20).

    Large Language Monkeys (arXiv 2407.21787): 15.9 % at 1 and 56 % at 250 give Beta(.122, .645),
    which predicts 35 % at 10; independent tries would have reached 82 %.

    Args:
        once: In (0, 1).
        at_k: Between `once` and 1 - (1 - once)^k, both excluded.
        k: At least 2.

    Raises:
        EvidenceRefusal: No mixture has these two values.
    """
    first, later = level(once, "once"), level(at_k, "at_k")
    independent = -math.expm1(k * math.log1p(-first))
    if k < 2 or not first < later < independent:
        raise EvidenceRefusal(
            f"No mixture of tasks has pass@1 = {first:g} and pass@{k} = {later:g}; pass@{k} must lie"
            f" between {first:g} and {independent:.6g}, what independent tries would reach."
        )

    def missing(log_size: float) -> float:
        size = math.exp(log_size)
        return RetryMixture(first * size, (1.0 - first) * size).pass_at(k) - later

    size = math.exp(float(brentq(missing, -30.0, 30.0, xtol=1e-13)))
    return RetryMixture(first * size, (1.0 - first) * size)


def fit_retry_mixture(tries: ArrayLike, right: ArrayLike) -> RetryMixture:
    """Return the Beta over tasks that makes the observed counts most likely (beta-binomial).

    Args:
        tries: Shape (tasks,), tries made per task; some task needs at least two.
        right: Shape (tasks,), right ones among them.

    Raises:
        EvidenceRefusal: No task was tried twice, or all tries, or none, were right: how far tasks
            differ can't be told.
    """
    n, c = numbers(tries, "tries"), numbers(right, "right")
    aligned(tries=n, right=c)
    if bool(np.any((c < 0) | (c > n))):
        raise UnusableColumn("right", "must lie between 0 and the tries of its task.")
    if n.max() < 2 or c.sum() == 0 or bool(np.all(c == n)):
        raise EvidenceRefusal(
            "How far tasks differ can't be told from these tries; it takes tasks tried at least"
            " twice, with both right and wrong tries."
        )

    def loss(at: np.ndarray) -> float:
        a, b = _ab(at)
        return -float(np.sum(betaln(a + c, b + n - c) - betaln(a, b)))

    start = np.array([float(logit(np.clip(c.sum() / n.sum(), 1e-3, 1 - 1e-3))), 0.0])
    box = [(-14.0, 14.0), (-10.0, 14.0)]
    best = minimize(loss, start, method="L-BFGS-B", bounds=box)
    a, b = _ab(best.x)
    return RetryMixture(a, b)


def _ab(at: np.ndarray) -> tuple[float, float]:
    mean, size = float(expit(at[0])), math.exp(float(at[1]))
    return mean * size, (1.0 - mean) * size
