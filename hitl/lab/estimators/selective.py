"""Error rates from a log whose labels exist only where somebody asked or spot-checked.

The plain labelled mean is biased: confident rows are seldom labelled. The cure is a label
probability that was logged when it was drawn (Lakkaraju et al. 2017; spot checks of hitl).
Notation: l_i = wrong, o_i = observed, pi_i = P(o_i = 1 | all that was logged before), g_i = a guess
of l_i, e.g. a judge's.

Assumptions: pi is the probability that was really used, and > 0 on every row of the slice; an
expired or skipped review is a missing label, never "right".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Bools, Floats, aligned, flags, fractions, level, numbers, propensities
from hitl.lab.estimators.bounds import clopper_pearson, wsr_upper

Interval = Literal["betting", "normal"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, how far it may be off, and how that was computed."""

    value: float
    stderr: float
    """Standard error, from the spread of the rows."""
    low: float
    high: float
    """The interval's ends, in [0, 1] for a rate."""
    method: str = "normal"
    """`"betting"`: holds for this sample size. `"normal"`: only as n grows (covers 92-93 % here)."""


def ips(
    wrong: ArrayLike,
    observed: ArrayLike,
    propensity: ArrayLike,
    *,
    delta: float = 0.05,
    interval: Interval = "betting",
) -> Estimate:
    """Return the error rate by inverse propensity: mean(o l / pi) (E11; Horvitz-Thompson 1952).

    Unbiased. The default interval is the betting bound on both sides, valid for this n.

    Args:
        wrong: Shape (n,), in [0, 1]; ignored, and may be NaN, where not observed.
        observed: Shape (n,), 0/1: a label exists.
        propensity: Shape (n,), logged P(label), in (0, 1].
        delta: Allowed P(the interval misses).
        interval: `"normal"` for the usual, narrower one that misses more often than delta.

    Raises:
        NotIdentifiable: A row's propensity is 0.
        UnusableColumn: A column is not what it must be.
    """
    loss, seen, pi = _columns(wrong, observed, propensity, "error rate by inverse propensity")
    terms = np.where(seen, loss / pi, 0.0)
    return _summary(terms, low=0.0, high=1.0 / pi.min(), delta=delta, interval=interval)


def snips(
    wrong: ArrayLike, observed: ArrayLike, propensity: ArrayLike, *, delta: float = 0.05
) -> Estimate:
    """Return the error rate by self-normalised propensity: sum(o l / pi) / sum(o / pi) (E11).

    Hajek's ratio; less noisy than `ips` when propensities are small, biased by O(1/n). stderr from
    w (l - m) / mean(w). Its interval is the normal one: for a certificate use
    `candidate_policy_bound`. Arguments and refusals as in `ips`.

    Raises:
        NotIdentifiable: A row's propensity is 0, or nothing was observed.
    """
    loss, seen, pi = _columns(wrong, observed, propensity, "error rate by weighted mean")
    if not seen.any():
        raise EvidenceRefusal("No row of this slice has a label; there is nothing to average.")
    weight = np.where(seen, 1.0 / pi, 0.0)
    value = float(np.sum(weight * loss) / np.sum(weight))
    return _normal(value, weight * (loss - value) / weight.mean(), delta)


def aipw(
    wrong: ArrayLike,
    observed: ArrayLike,
    propensity: ArrayLike,
    guess: ArrayLike,
    *,
    delta: float = 0.05,
    interval: Interval = "betting",
) -> Estimate:
    """Return the error rate with a guess on every row: mean(g + o (l - g) / pi) (E11).

    Doubly robust (Robins et al. 1994); unbiased whatever the guess is, because pi is known by
    design: a judge may be as bad as it likes, a good one narrows the interval.

    Args:
        wrong: Shape (n,), in [0, 1]; ignored, and may be NaN, where not observed.
        observed: Shape (n,), 0/1.
        propensity: Shape (n,), logged P(label), in (0, 1].
        guess: Shape (n,), in [0, 1]: P(wrong) by a judge or a model not fitted on these labels.
        delta: Allowed P(the interval misses).
        interval: As in `ips`; the betting one is wide when propensities are small.

    Raises:
        NotIdentifiable: A row's propensity is 0.
        UnusableColumn: A column is not what it must be.
    """
    loss, seen, pi = _columns(wrong, observed, propensity, "error rate by doubly robust mean")
    g = fractions(guess, "guess")
    aligned(wrong=loss, guess=g)
    terms = g + np.where(seen, (loss - g) / pi, 0.0)
    widest = 1.0 / pi.min()
    return _summary(terms, low=1.0 - widest, high=widest, delta=delta, interval=interval)


@dataclass(frozen=True, slots=True)
class Stratum:
    """Rows that were labelled with one probability: their count, how many labelled, how many wrong."""

    rows: int
    labelled: int
    wrong: int


def stratified_bound(strata: Sequence[Stratum], delta: float) -> float:
    """Return an upper bound on the error rate over strata, each a simple random sample (E12).

    U = sum N_s U_CP(k_s, n_s, delta / S) / sum N_s over the S strata that have rows. Assumes that
    within a stratum labels were drawn at random; a stratum without a label counts as 1.0.

    Args:
        strata: Disjoint; each with rows >= labelled >= wrong >= 0.
        delta: Allowed P(the true rate lies above).
    """
    filled = [s for s in strata if s.rows > 0]
    if not filled:
        raise EvidenceRefusal("The policy acts on no row of this log; it has no error rate.")
    share = level(delta, "delta") / len(filled)
    bounds = [clopper_pearson(s.wrong, s.labelled, share) if s.labelled else 1.0 for s in filled]
    total = sum(s.rows for s in filled)
    return sum(s.rows * u for s, u in zip(filled, bounds, strict=True)) / total


@dataclass(frozen=True, slots=True)
class PolicyBound:
    """What a log says about the rows a candidate threshold would act on."""

    threshold: float
    rows: int
    """Rows of the log above the threshold."""
    coverage: float
    """Their share of the log."""
    labelled: int
    value: float
    """Estimated error rate among them (inverse propensity)."""
    bound: float
    """Upper bound at 1 - delta."""
    method: str
    """`"stratified Clopper-Pearson"`, or `"betting"` where a stratum mixes propensities."""


def candidate_policy_bound(
    confidence: ArrayLike,
    wrong: ArrayLike,
    observed: ArrayLike,
    propensity: ArrayLike,
    *,
    threshold: float,
    delta: float = 0.05,
) -> PolicyBound:
    """Return a bound on the error rate of "act iff confidence > threshold" from another policy's log.

    Rows the live policy asked about (propensity 1: a census) and rows it acted on (spot checks) are
    two strata; each gets an exact bound at its share of delta, weighted by its rows (E12). Where a
    stratum's propensities differ, the betting bound on o l / pi takes its place.

    Assumes that the candidate does not change later inputs, that the threshold was chosen without
    these labels, and independent rows.

    Args:
        confidence: Shape (n,), in [0, 1].
        wrong: Shape (n,), in [0, 1]; ignored, and may be NaN, where not observed.
        observed: Shape (n,), 0/1.
        propensity: Shape (n,), logged P(label).
        threshold: Of the candidate.
        delta: Allowed P(the true rate lies above the bound).

    Raises:
        NotIdentifiable: Some rows above the threshold could never get a label.
        EvidenceRefusal: No row lies above the threshold.
    """
    score = fractions(confidence, "confidence")
    acts = score > threshold
    if not acts.any():
        raise EvidenceRefusal(f"No confidence lies above {threshold}; the policy never acts.")
    loss, label, pi = np.asarray(wrong, float), flags(observed, "observed"), np.asarray(propensity)
    aligned(confidence=score, wrong=loss, observed=label, propensity=pi)
    loss, label, pi = _columns(
        loss[acts], label[acts], pi[acts], f"error rate above threshold {threshold:g}"
    )
    bound, method = _bound_of_strata(loss, label, pi, delta)
    return PolicyBound(
        threshold=threshold,
        rows=int(acts.sum()),
        coverage=float(acts.mean()),
        labelled=int(label.sum()),
        value=float(np.mean(np.where(label, loss / pi, 0.0))),
        bound=bound,
        method=method,
    )


def _bound_of_strata(loss: Floats, seen: Bools, pi: Floats, delta: float) -> tuple[float, str]:
    census = pi == 1.0
    parts = [part for part in (census, ~census) if part.any()]
    exact = bool(np.all(np.isin(loss[seen], (0.0, 1.0))))
    if exact and all(np.ptp(pi[part]) == 0.0 for part in parts):
        strata = [
            Stratum(int(p.sum()), int((p & seen).sum()), int(loss[p & seen].sum())) for p in parts
        ]
        return stratified_bound(strata, delta), "stratified Clopper-Pearson"
    share = level(delta, "delta") / len(parts)
    weighted = sum(p.sum() * _betting_upper(loss[p], seen[p], pi[p], share) for p in parts)
    return float(weighted / loss.size), "betting"


def _betting_upper(loss: Floats, seen: Bools, pi: Floats, delta: float) -> float:
    floor = float(pi.min())
    scaled = np.where(seen, loss / pi, 0.0) * floor
    return min(1.0, wsr_upper(np.clip(scaled, 0.0, 1.0), delta) / floor)


def _columns(
    wrong: ArrayLike, observed: ArrayLike, propensity: ArrayLike, estimate: str
) -> tuple[Floats, Bools, Floats]:
    """Return (loss with 0 where unseen, seen, propensity), or refuse."""
    seen = flags(observed, "observed")
    loss = numbers(wrong, "wrong", missing=True)
    aligned(observed=seen, wrong=loss)
    if seen.any():
        fractions(loss[seen], "wrong")
    pi = propensities(propensity, seen, estimate=estimate)
    return np.where(seen, loss, 0.0), seen, pi


def _summary(
    terms: Floats, *, low: float, high: float, delta: float, interval: Interval
) -> Estimate:
    plain = _normal(float(terms.mean()), terms - terms.mean(), delta)
    if interval == "normal":
        return plain
    width, half = high - low, level(delta, "delta") / 2.0
    x = np.clip((terms - low) / width, 0.0, 1.0)
    top = low + width * wsr_upper(x, half)
    bottom = low + width * (1.0 - wsr_upper(1.0 - x, half))
    return Estimate(plain.value, plain.stderr, max(0.0, bottom), min(1.0, top), "betting")


def _normal(value: float, residual: Floats, delta: float) -> Estimate:
    n = residual.size
    stderr = float(np.sqrt(np.mean(residual**2) / n))
    reach = float(norm.ppf(1.0 - level(delta, "delta") / 2.0)) * stderr
    return Estimate(value, stderr, max(0.0, value - reach), min(1.0, value + reach))
