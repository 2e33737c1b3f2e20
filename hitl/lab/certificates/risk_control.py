"""Control of the rate of silent errors among *all* steps (E7): G(lambda) = P(acts and is wrong).

G falls as the threshold rises, so the laxest threshold whose bound holds may be taken without
paying for the search. Assumes labelled rows are a random sample of what will come, independent.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import bdtr

from hitl.errors import TooFewLabels
from hitl.lab.columns import Floats, aligned, fractions, level, outcomes
from hitl.lab.estimators.bounds import clopper_pearson, n_min


@dataclass(frozen=True, slots=True)
class SilentErrorThreshold:
    """A threshold that keeps the rate of silent errors over all steps at or below alpha."""

    threshold: float
    """Act iff confidence > threshold; -inf: act always."""
    n: int
    """Labelled rows, acting or not."""
    k: int
    """Wrong ones above the threshold."""
    coverage: float
    """Share of the rows above the threshold."""
    bound: float
    """Upper bound on the rate (`rcps`), or its corrected mean (`crc`)."""
    method: str


def rcps(
    confidence: ArrayLike, wrong: ArrayLike, *, alpha: float, delta: float
) -> SilentErrorThreshold:
    """Return the laxest threshold with P(G > alpha) <= delta (E7; Bates et al., JACM 2021).

    The smallest lambda whose Clopper-Pearson bound, and that of every stricter one, is <= alpha.

    Args:
        confidence: Shape (n,), in [0, 1].
        wrong: Shape (n,), 0/1.
        alpha: Tolerated rate of silent errors over all steps.
        delta: Allowed P(the threshold exceeds it).

    Raises:
        TooFewLabels: Not even labels without an error would be enough.
    """
    score, bad = _columns(confidence, wrong)
    needed = n_min(alpha, delta)
    if score.size < needed:
        raise TooFewLabels("control of silent errors", score.size, needed)
    errors = np.arange(score.size + 1)
    allowed = int(np.flatnonzero(bdtr(errors, score.size, alpha) <= delta)[-1])
    threshold, k = _laxest(score, bad, allowed)
    bound = clopper_pearson(k, score.size, delta)
    return _found(score, threshold, k=k, bound=bound, method="with probability 1 - delta")


def crc(confidence: ArrayLike, wrong: ArrayLike, *, alpha: float) -> SilentErrorThreshold:
    """Return the laxest threshold with E[G] <= alpha: on average only (E7; CRC, ICLR 2024).

    n/(n+1) G_n + 1/(n+1) <= alpha (Angelopoulos et al., arXiv 2208.02814). Half of the calibrations
    lie above alpha: use `rcps` where that matters.

    Args:
        confidence: Shape (n,), in [0, 1].
        wrong: Shape (n,), 0/1.
        alpha: Tolerated mean rate of silent errors over all steps.

    Raises:
        TooFewLabels: Fewer than 1/alpha - 1 labels.
    """
    score, bad = _columns(confidence, wrong)
    allowed = math.floor(level(alpha, "alpha") * (score.size + 1) - 1.0 + 1e-9)
    if allowed < 0:
        needed = math.ceil(1.0 / alpha - 1.0 - 1e-9)
        raise TooFewLabels("control of silent errors", score.size, needed)
    threshold, k = _laxest(score, bad, allowed)
    return _found(score, threshold, k=k, bound=(k + 1) / (score.size + 1), method="on average")


def _columns(confidence: ArrayLike, wrong: ArrayLike) -> tuple[Floats, Floats]:
    score, bad = fractions(confidence, "confidence"), outcomes(wrong, "wrong")
    aligned(confidence=score, wrong=bad)
    return score, bad


def _laxest(score: Floats, bad: Floats, allowed: int) -> tuple[float, int]:
    """Return the smallest threshold with at most `allowed` wrong rows above it, and how many."""
    failing = -np.sort(-score[bad == 1.0])
    if failing.size <= allowed:
        return -math.inf, int(failing.size)
    threshold = float(failing[allowed])
    return threshold, int(np.sum(failing > threshold))


def _found(
    score: Floats, threshold: float, *, k: int, bound: float, method: str
) -> SilentErrorThreshold:
    acts = score > threshold
    return SilentErrorThreshold(
        threshold, score.size, k, coverage=float(acts.mean()), bound=bound, method=method
    )
