"""Whole runs: P(a run contains a wrong step that nobody was asked about) (E14).

After KnowNo (Ren et al., CoRL 2023, arXiv 2307.01928), for a yes-or-no gate. The critical level of
a run is the highest confidence among its wrong steps (-inf for a clean run): above it, acting lets
no wrong step of the run pass. A quantile of critical levels holds for *any* dependence of the steps
inside a run.

Assumptions: runs are exchangeable and every step of each calibration run is labelled (whole-run
spot checks); they were produced *with* the gates, as a correction changes the rest of a run. One
policy version per calibration.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta, hypergeom

from hitl.errors import TooFewLabels
from hitl.lab.columns import Floats, aligned, counts, fractions, level, outcomes
from hitl.lab.estimators.bounds import n_min


def critical_levels(run: ArrayLike, confidence: ArrayLike, wrong: ArrayLike) -> Floats:
    """Return each run's highest confidence among its wrong steps; -inf for a clean run.

    Args:
        run: Shape (n,), the run of each step: integers or strings.
        confidence: Shape (n,), in [0, 1].
        wrong: Shape (n,), 0/1, known for every step.

    Returns:
        Shape (runs,), in the order of the sorted run keys.
    """
    score, bad = fractions(confidence, "confidence"), outcomes(wrong, "wrong")
    keys, index = np.unique(np.asarray(run), return_inverse=True)
    aligned(run=index, confidence=score, wrong=bad)
    levels = np.full(keys.size, -np.inf)
    np.maximum.at(levels, index, np.where(bad == 1.0, score, -np.inf))
    return levels


def trajectory_threshold(
    run: ArrayLike, confidence: ArrayLike, wrong: ArrayLike, epsilon: float
) -> float:
    """Return the threshold above which P(a new run contains an unasked wrong step) <= epsilon (E14).

    The ceil((n + 1)(1 - epsilon))-th smallest critical level of the n runs; act iff confidence >
    it. On average over calibrations: a single one exceeds epsilon nearly half of the time; see
    `trajectory_certificate` for a guarantee that holds with probability 1 - delta.

    Args:
        run: Shape (n_steps,), the run of each step.
        confidence: Shape (n_steps,), in [0, 1].
        wrong: Shape (n_steps,), 0/1.
        epsilon: Tolerated share of such runs, in (0, 1).

    Returns:
        In [0, 1], or -inf: acting always is safe enough.

    Raises:
        TooFewLabels: Fewer than 1/epsilon - 1 runs.
    """
    levels = critical_levels(run, confidence, wrong)
    rank = math.ceil((levels.size + 1) * (1.0 - level(epsilon, "epsilon")) - 1e-9)
    if rank > levels.size:
        needed = math.ceil(1.0 / epsilon - 1.0 - 1e-9)
        raise TooFewLabels("threshold for whole runs", levels.size, needed, unit="labelled runs")
    return float(np.sort(levels)[rank - 1])


def trajectory_certificate(
    run: ArrayLike, confidence: ArrayLike, wrong: ArrayLike, *, epsilon: float, delta: float
) -> float:
    """Return the threshold above which, with probability 1 - delta, at most epsilon of runs fail.

    As `trajectory_threshold`, at the rank that `beta_level` gives.

    Raises:
        TooFewLabels: Not even clean runs would be enough.
    """
    levels = critical_levels(run, confidence, wrong)
    return float(np.sort(levels)[beta_level(levels.size, epsilon=epsilon, delta=delta).rank - 1])


@dataclass(frozen=True, slots=True)
class BetaLevel:
    """Which quantile of n runs keeps its promise in all but delta of calibrations."""

    v: int
    """How many of the n + 1 ranks are left above."""
    epsilon: float
    """v / (n + 1), the stricter level that is used in place of the wanted one."""
    rank: int
    """From 1: the threshold is this smallest critical level."""


def beta_level(n: int, *, epsilon: float, delta: float) -> BetaLevel:
    """Return the rank at which coverage >= 1 - epsilon with probability 1 - delta over calibrations.

    Coverage at rank n + 1 - v is Beta(n + 1 - v, v) (Vovk 2012; KnowNo, appendix); the largest v
    with P(it is below 1 - epsilon) <= delta.

    Args:
        n: Calibration runs.
        epsilon: Tolerated share of failing runs.
        delta: Allowed P(the calibration is one of the bad ones).

    Raises:
        TooFewLabels: No rank does.
    """
    _, runs = counts(0, n)
    wanted, allowed = 1.0 - level(epsilon, "epsilon"), level(delta, "delta")
    v = np.arange(1, runs + 1)
    good = np.flatnonzero(beta.cdf(wanted, runs + 1 - v, v) <= allowed)
    if good.size == 0:
        needed = n_min(epsilon, delta)
        raise TooFewLabels("certificate for whole runs", runs, needed, unit="labelled runs")
    most = int(v[good[-1]])
    return BetaLevel(v=most, epsilon=most / (runs + 1), rank=runs + 1 - most)


def predictive_interval(k: int, n: int, coming: int, *, delta: float = 0.05) -> tuple[int, int]:
    """Return how many of the `coming` runs will fail, after k of n did, both ends included.

    All y that a hypergeometric test at delta/2 on either side can't tell from k of n (Thatcher
    1964): exact, P(miss) <= delta whatever the rate. Assumes independent runs of one rate.

    Args:
        k: Failed runs seen, an integer in [0, n].
        n: Runs seen, >= 1.
        coming: Runs to come, >= 1.
        delta: Allowed P(the count falls outside).
    """
    failed, seen = counts(k, n)
    _, ahead = counts(0, coming)
    half = level(delta, "delta") / 2.0
    y = np.arange(ahead + 1)
    too_few = hypergeom.cdf(failed, seen + ahead, failed + y, seen)
    too_many = hypergeom.sf(failed - 1, seen + ahead, failed + y, seen)
    likely = y[(too_few > half) & (too_many > half)]
    return int(likely[0]), int(likely[-1])
