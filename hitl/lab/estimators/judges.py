"""A noisy judge on many rows and a trusted reviewer on few: the mean, and what the judge is worth.

Which one: `ppi` when the trusted rows come from the same stream as the judged ones (the default);
`rogan_gladen` only when the judge's error rates were measured on rows with another share of
positives than production has, where `ppi` is biased. With a judge of .9 / .8, 200 trusted and 5,000
judged rows, `ppi` covers .948 at width .093, the trusted rows alone .947 at .127, Rogan-Gladen .959
at .144: worse than ignoring the judge.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from hitl.errors import NotIdentifiable, TooFewLabels
from hitl.lab.columns import Floats, aligned, counts, flags, fractions, level, numbers, probability
from hitl.lab.estimators.bounds import clopper_pearson
from hitl.lab.estimators.selective import Estimate

ENOUGH = 30
"""Fewest positives and negatives a judge's rates are shown for."""


def ppi(
    labels: ArrayLike,
    judged: ArrayLike,
    judged_only: ArrayLike,
    lam: float | None = None,
    delta: float = 0.05,
) -> Estimate:
    """Return a mean from few labels and many judgments (E13: PPI, PPI++).

    theta = lam mean(J_N) + mean(Y - lam J_n), var = lam^2 var(J_N)/N + var(Y - lam J_n)/n; the
    tuned lam = clip(cov(Y, J) / ((1 + n/N) var(J)), 0, 1) (Angelopoulos et al., Science 2023 and
    arXiv 2311.01453). Unbiased whatever the judge is. Assumes that labelled and judged-only rows are
    draws of one stream; the interval is normal.

    Args:
        labels: Y, shape (n,), the trusted labels.
        judged: J, shape (n,), the judge on the same rows.
        judged_only: Shape (N,), the judge on the rows without a label.
        lam: How far the judge is believed, in [0, 1]: 0 ignores it, 1 is plain PPI; None tunes it.
        delta: Allowed P(the interval misses).

    Raises:
        UnusableColumn: A column is not what it must be.
        TooFewLabels: Fewer than two labels, or two judged-only rows.
    """
    y, seen = numbers(labels, "labels"), numbers(judged, "judged")
    rest = numbers(judged_only, "judged_only")
    n, more = aligned(labels=y, judged=seen), rest.size
    if min(n, more) < 2:
        raise TooFewLabels("mean with a judge", min(n, more), 2, unit="rows of either kind")
    trust = tuned_lambda(y, seen, rest) if lam is None else probability(lam, "lam")
    rectified = y - trust * seen
    value = trust * float(rest.mean()) + float(rectified.mean())
    stderr = math.sqrt(trust**2 * float(rest.var()) / more + float(rectified.var()) / n)
    reach = float(norm.ppf(1.0 - level(delta, "delta") / 2.0)) * stderr
    return Estimate(value, stderr, value - reach, value + reach)


def tuned_lambda(labels: Floats, judged: Floats, judged_only: Floats) -> float:
    """Return the lam that makes `ppi` narrowest, in [0, 1]; 0.0 for a judge that never varies."""
    spread = float(np.concatenate((judged, judged_only)).var())
    if spread == 0.0:
        return 0.0
    together = float(np.mean((labels - labels.mean()) * (judged - judged.mean())))
    ratio = 1.0 + labels.size / judged_only.size
    return min(1.0, max(0.0, together / (ratio * spread)))


def effective_labels_gained(human_only: Estimate, with_judge: Estimate) -> float:
    """Return by which factor the judge multiplies the labels: (width alone / width with it)^2.

    Answers "is the judge worth it": 1.87 means 100 labels do the work of 187.
    """
    return ((human_only.high - human_only.low) / (with_judge.high - with_judge.low)) ** 2


def rogan_gladen(positive_rate: float, tpr: float, tnr: float) -> float:
    """Return the true rate behind a judge's rate: (p + tnr - 1)/(tpr + tnr - 1), in [0, 1] (E13).

    Rogan & Gladen 1978. Assumes that tpr and tnr are the judge's on this population; that may have
    another share of positives than where they were measured.

    Args:
        positive_rate: p, share the judge calls positive.
        tpr: P(judge says positive | positive).
        tnr: P(judge says negative | negative).

    Raises:
        NotIdentifiable: The judge is no better than chance, tpr + tnr <= 1.
    """
    skill = probability(tpr, "tpr") + probability(tnr, "tnr") - 1.0
    if skill <= 0.0:
        raise NotIdentifiable(
            "true rate behind this judge",
            f"with tpr {tpr:g} and tnr {tnr:g} the judge knows no more than a coin",
            "use another judge, or the labels alone.",
        )
    raw = (probability(positive_rate, "positive_rate") + tnr - 1.0) / skill
    return min(1.0, max(0.0, raw))


def rogan_gladen_interval(
    positive_rate: float,
    n: int,
    *,
    tpr: float,
    positives: int,
    tnr: float,
    negatives: int,
    delta: float = 0.05,
) -> tuple[float, float]:
    """Return the interval of Lang & Reiczigel (2014) for `rogan_gladen`, in [0, 1] (E13).

    Counts are shrunk (p by z^2 pseudo-rows, tpr and tnr by two), the centre moves by 2 z^2 [-(1 -
    th) q0 (1 - q0)/m0 + th q1 (1 - q1)/m1], and the error adds the three binomial variances; Lee et
    al. (arXiv 2511.21140) use the same.

    Args:
        positive_rate: Share the judge calls positive among n rows.
        n: How many rows the judge saw in production.
        tpr: Measured on `positives` known positive rows.
        positives: Their count.
        tnr: Measured on `negatives` known negative rows.
        negatives: Their count.
        delta: Allowed P(the interval misses).
    """
    z = float(norm.ppf(1.0 - level(delta, "delta") / 2.0))
    rogan_gladen(positive_rate, tpr, tnr)
    p = (n * positive_rate + z * z / 2.0) / (n + z * z)
    q1, q0 = (
        (positives * tpr + 1.0) / (positives + 2.0),
        (negatives * tnr + 1.0) / (negatives + 2.0),
    )
    v1, v0 = q1 * (1.0 - q1) / (positives + 2.0), q0 * (1.0 - q0) / (negatives + 2.0)
    theta = (p + q0 - 1.0) / (q0 + q1 - 1.0)
    shift = 2.0 * z * z * (theta * v1 - (1.0 - theta) * v0)
    spread = p * (1.0 - p) / (n + z * z) + (1.0 - theta) ** 2 * v0 + theta**2 * v1
    reach = z * math.sqrt(spread) / (q0 + q1 - 1.0)
    centre = theta + shift
    return max(0.0, min(1.0, centre - reach)), min(1.0, max(0.0, centre + reach))


def kappa(first: ArrayLike, second: ArrayLike) -> float | None:
    """Return Cohen's kappa of two 0/1 raters: (agreement - chance) / (1 - chance).

    Returns:
        In [-1, 1]; None when chance alone would agree always (both say the same word throughout).
    """
    one, two = flags(first, "first"), flags(second, "second")
    aligned(first=one, second=two)
    agreement = float(np.mean(one == two))
    p, q = float(one.mean()), float(two.mean())
    chance = p * q + (1.0 - p) * (1.0 - q)
    return None if chance >= 1.0 else (agreement - chance) / (1.0 - chance)


@dataclass(frozen=True, slots=True)
class Rate:
    """A share k / n with its exact interval."""

    k: int
    n: int
    value: float
    low: float
    high: float


def rate(k: int, n: int, delta: float = 0.05) -> Rate:
    """Return k / n with its two-sided Clopper-Pearson interval at 1 - delta."""
    errors, rows = counts(k, n)
    half = level(delta, "delta") / 2.0
    low, high = clopper_pearson(errors, rows, half, "lower"), clopper_pearson(errors, rows, half)
    return Rate(errors, rows, errors / rows, low, high)


@dataclass(frozen=True, slots=True)
class JudgeCard:
    """How far a judge can be believed, on rows with a trusted label."""

    tpr: Rate
    """P(judge says wrong | wrong)."""
    tnr: Rate
    """P(judge says right | right)."""
    kappa: float | None
    prevalence: float
    """Share of wrong rows among the trusted ones."""


def judge_card(wrong: ArrayLike, judged_wrong: ArrayLike, *, delta: float = 0.05) -> JudgeCard:
    """Return a judge's rates against trusted labels.

    Args:
        wrong: Shape (n,), 0/1, trusted.
        judged_wrong: Shape (n,), 0/1, the judge's.
        delta: For the intervals, each on its own.

    Raises:
        TooFewLabels: Fewer than 30 wrong or 30 right rows: no number would mean anything.
    """
    truth, said = flags(wrong, "wrong"), flags(judged_wrong, "judged_wrong")
    n = aligned(wrong=truth, judged_wrong=said)
    bad = int(truth.sum())
    for found, unit in ((bad, "wrong rows"), (n - bad, "right rows")):
        if found < ENOUGH:
            raise TooFewLabels("judge card", found, ENOUGH, unit=unit)
    return JudgeCard(
        tpr=rate(int((truth & said).sum()), bad, delta),
        tnr=rate(int((~truth & ~said).sum()), n - bad, delta),
        kappa=kappa(truth, said),
        prevalence=bad / n,
    )


@dataclass(frozen=True, slots=True)
class Calibration:
    """How close confidences are to the share that is right."""

    ece: float
    """Expected calibration error: mean |confidence - right| over equal-count bins."""
    brier: float
    """Mean squared difference of confidence and right."""


def calibration(confidence: ArrayLike, correct: ArrayLike, *, bins: int = 10) -> Calibration:
    """Return expected calibration error and Brier score, both in [0, 1]; 0 is perfect.

    Bins hold equally many rows (to one), so none is empty; with n rows at most n bins are used.

    Args:
        confidence: Shape (n,), in [0, 1].
        correct: Shape (n,), 0/1.
        bins: How many bins.
    """
    score, right = fractions(confidence, "confidence"), flags(correct, "correct").astype(float)
    n = aligned(confidence=score, correct=right)
    order = np.argsort(score, kind="stable")
    parts = np.array_split(order, min(bins, n))
    gaps = [abs(float(score[p].mean() - right[p].mean())) * p.size for p in parts]
    return Calibration(ece=sum(gaps) / n, brier=float(np.mean((score - right) ** 2)))
