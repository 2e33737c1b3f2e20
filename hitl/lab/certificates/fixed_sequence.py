"""A threshold that is proven: P(error rate of the acting rows > alpha) <= delta (E6).

Learn then Test with a fixed sequence (Angelopoulos, Bates, Candes, Jordan & Lei 2021, arXiv
2110.01052): candidate thresholds are tried from strict to lax, each by the exact binomial test,
until one fails; the last that passed is returned. The order is fixed before the labels are looked
at, so there is no price for many candidates, and risk need not be monotone.

The walk takes .8 delta; .2 delta goes to one test of "act always", which rescues confidences that
rank nothing. The walk starts where k0 errors are allowed: k0 = 3 from 1,000 labels on (and 50
tolerated errors), below floor(n alpha / 20) within [0, 3]. No threshold is ever made up: None means
"ask about everything".

Assumptions: labelled rows are a random sample of what will come (one workflow, policy, model and
calibrator version), independent of each other; confidences were fixed before the labels; labels are
the truth, or the reviewers' sensitivity is passed. One certificate is about one step.
"""

import math
from dataclasses import dataclass, replace
from typing import overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr, xlog1py, xlogy

from hitl.errors import EvidenceRefusal, TooFewLabels
from hitl.lab.columns import (
    Bools,
    Floats,
    Ints,
    aligned,
    fractions,
    level,
    outcomes,
    probability,
    ranking_warnings,
)
from hitl.lab.estimators.bounds import clopper_pearson, n_min

WALK_SHARE = 0.8
"""Share of delta for the walk from the top; the rest tests "act always"."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A threshold, and what is proven about acting above it."""

    threshold: float
    """Act iff confidence > threshold, strictly; -inf: act always."""
    n: int
    """Labelled rows above the threshold."""
    k: int
    """Wrong (denied) ones among them."""
    bound: float
    """Upper bound on the error rate at this threshold alone; at most alpha, which is what holds."""
    coverage: float
    """Share of the labelled rows above the threshold."""
    alpha: float
    delta: float
    sensitivity: float = 1.0
    """Reviewers' P(deny | wrong) that was reckoned with."""
    method: str = "fixed sequence"
    warnings: tuple[str, ...] = ()

    @overload
    def acts(self, confidence: float) -> bool: ...
    @overload
    def acts(self, confidence: Floats) -> Bools: ...
    def acts(self, confidence: float | Floats) -> bool | Bools:
        """Return whether a step of this confidence may act alone: strictly above the threshold."""
        return confidence > self.threshold


def certify(
    confidence: ArrayLike,
    wrong: ArrayLike,
    *,
    alpha: float,
    delta: float,
    sensitivity: float = 1.0,
) -> Certificate | None:
    """Return the laxest proven threshold, or None: ask about everything (E6).

    Args:
        confidence: Shape (n,), in [0, 1]; equal values stand or fall together.
        wrong: Shape (n,), 0/1.
        alpha: Tolerated error rate among acting rows, in (0, 1).
        delta: Allowed P(the returned threshold exceeds alpha), in (0, 1).
        sensitivity: A *lower bound* of the reviewers' P(deny | wrong), known beforehand; the rate
            they see is certified at alpha * sensitivity. `certify_with_reviewers` measures it.

    Raises:
        TooFewLabels: Not even labels without an error could certify anything.
        UnusableColumn: A column is not what it must be.
        EvidenceRefusal: alpha, delta or sensitivity is out of range.
    """
    score, loss = fractions(confidence, "confidence"), outcomes(wrong, "wrong")
    rows = aligned(confidence=score, wrong=loss)
    limit = tolerated(alpha, sensitivity)
    walk = WALK_SHARE * level(delta, "delta")
    needed = n_min(limit, walk)
    if rows < needed:
        raise TooFewLabels("certificate", rows, needed)
    thresholds, n, k = candidates(score, loss)
    found, used, method = _last_passed(n, k, limit=limit, delta=walk), walk, "fixed sequence"
    last = n.size - 1
    if found != last and passes(n[-1:], k[-1:], limit=limit, delta=delta - walk)[0]:
        found, used, method = last, delta - walk, "act always"
    if found is None:
        return None
    return Certificate(
        threshold=float(thresholds[found]),
        n=int(n[found]),
        k=int(k[found]),
        bound=clopper_pearson(int(k[found]), int(n[found]), used) / sensitivity,
        coverage=float(n[found] / rows),
        alpha=alpha,
        delta=delta,
        sensitivity=sensitivity,
        method=method,
        warnings=ranking_warnings(score, 1.0 - loss),
    )


def certify_with_reviewers(
    confidence: ArrayLike,
    denied: ArrayLike,
    *,
    alpha: float,
    delta: float,
    caught: int,
    shown: int,
) -> Certificate | None:
    """Return a threshold proven although reviewers miss some wrong steps, or None (E6, noisy labels).

    Among acting rows P(deny) = R s + (1 - R)(1 - t) >= R s. With s_L the Clopper-Pearson lower bound
    of s at delta/2, certify the denied rate at alpha s_L and delta/2. Example: 24 of 30 caught give
    s_L = .643, so alpha = .05 becomes .03215 and n_min grows from 45 to 92 (at delta = .1). Assumes
    that known-answer items are as hard to catch as real errors, and s the same at every confidence.

    Args:
        confidence: Shape (n,), in [0, 1].
        denied: Shape (n,), 0/1: denied, upheld, for a reason that means wrong.
        alpha: Tolerated error rate among acting rows.
        delta: Allowed P(the threshold exceeds alpha), over labels and known-answer items together.
        caught: Known-wrong items that were denied.
        shown: Known-wrong items that were shown.

    Raises:
        EvidenceRefusal: As `certify`; or no known-wrong item was caught.
    """
    half = level(delta, "delta") / 2.0
    least = clopper_pearson(caught, shown, half, "lower")
    found = certify(confidence, denied, alpha=alpha, delta=half, sensitivity=least)
    return None if found is None else replace(found, delta=delta)


def tolerated(alpha: float, sensitivity: float) -> float:
    """Return the rate of noes at which an error rate of alpha is seen at least: alpha s.

    Raises:
        EvidenceRefusal: The reviewers catch nothing, or a number is out of range.
    """
    if probability(sensitivity, "sensitivity") == 0.0:
        raise EvidenceRefusal(
            "Reviewers who are not known to catch any wrong step can certify nothing;"
            " show them known-answer items first."
        )
    return level(alpha, "alpha") * sensitivity


def candidates(score: Floats, loss: Floats) -> tuple[Floats, Ints, Ints]:
    """Return (threshold, rows above it, wrong ones above it) from strict to lax; the last is -inf.

    A threshold is the next *excluded* confidence: the rows used are those strictly above it.
    """
    values, group = np.unique(-score, return_inverse=True)
    n = np.cumsum(np.bincount(group)).astype(np.int64)
    k = np.rint(np.cumsum(np.bincount(group, weights=loss))).astype(np.int64)
    return np.append(-values[1:], -np.inf), n, k


def passes(n: Ints, k: Ints, *, limit: float, delta: float) -> Bools:
    """Return where P(Bin(n, limit) <= k) <= delta, for integer arrays of one shape.

    Chernoff's bound settles the clear cases, so that a million candidates take a moment.
    """
    share = np.minimum(k / n, limit)
    entropy = xlogy(share, share / limit) + xlog1py(1.0 - share, -share)
    entropy -= (1.0 - share) * math.log1p(-limit)
    passed: Bools = np.exp(-n * entropy) <= delta * (1.0 - 1e-9)
    unclear = np.flatnonzero(~passed & (k < n * limit))
    passed[unclear] = bdtr(k[unclear], n[unclear], limit) <= delta
    return passed


def starting_errors(labels: int, limit: float) -> int:
    """Return k0, how many errors the strictest candidate may have: 0 to 3, fixed by n and alpha."""
    tolerable = labels * limit
    return 3 if labels >= 1000 and tolerable >= 50.0 else min(3, int(tolerable / 20.0))


def first_candidate(errors: int, *, limit: float, delta: float) -> int:
    """Return the smallest n at which `errors` wrong ones still pass: P(Bin(n, limit) <= k0) <= delta."""
    low, high = errors, errors + 1
    while bdtr(errors, high, limit) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if bdtr(errors, middle, limit) > delta:
            low = middle
        else:
            high = middle
    return high


def _last_passed(n: Ints, k: Ints, *, limit: float, delta: float) -> int | None:
    """Return the index of the last candidate before the first failure; None when the first fails."""
    start = first_candidate(starting_errors(int(n[-1]), limit), limit=limit, delta=delta)
    first = int(np.searchsorted(n, start))
    passed = passes(n[first:], k[first:], limit=limit, delta=delta)
    if passed.size == 0 or not passed[0]:
        return None
    return first + (passed.size if passed.all() else int(np.argmin(passed))) - 1
