"""How well confidence ranks right above wrong: risk-coverage curves and the areas under them.

A row acts alone when its confidence is above a threshold. Coverage phi = share that acts; selective
risk = share of the acting rows that are wrong; generalised risk = share of *all* rows that act and
are wrong, that is the rate of silent failures. El-Yaniv & Wiener 2010; Geifman & El-Yaniv 2017;
Traub et al., NeurIPS 2024 (arXiv 2407.01032).

Assumption: the rows are labelled for a reason that has nothing to do with right or wrong (all of
them, or a spot check with one propensity; else pass weights 1/propensity).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hitl.lab.columns import Floats, aligned, fractions, numbers, outcomes


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """One point per distinct confidence, from the strictest threshold to none; shape (m,) each."""

    confidence: Floats
    """Smallest confidence that still acts at this point."""
    coverage: Floats
    """Share of the (weighted) rows that act, in (0, 1]; the last is 1."""
    selective_risk: Floats
    """Share of the acting rows that are wrong."""
    generalised_risk: Floats
    """Share of all rows that act and are wrong."""


def risk_coverage(
    confidence: ArrayLike, wrong: ArrayLike, *, weight: ArrayLike | None = None
) -> RiskCoverage:
    """Return the risk-coverage curve (E1); rows of equal confidence enter together.

    Args:
        confidence: Shape (n,), in [0, 1].
        wrong: Shape (n,), loss in [0, 1].
        weight: Shape (n,), e.g. 1/propensity, >= 0; None for equal weights.

    Raises:
        UnusableColumn: A column is not what it must be, or all weights are 0.
    """
    score, loss = _scored(confidence, wrong)
    mass = np.ones_like(score) if weight is None else numbers(weight, "weight")
    aligned(confidence=score, weight=mass)
    values, group = np.unique(-score, return_inverse=True)
    acting = np.cumsum(np.bincount(group, weights=mass))
    failing = np.cumsum(np.bincount(group, weights=mass * loss))
    total = acting[-1]
    return RiskCoverage(-values, acting / total, failing / acting, failing / total)


def aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the area under the risk-coverage curve: the mean selective risk over all coverages.

    AURC = (1/n) sum_i (1/i) sum_{j<=i} l_(j), losses by descending confidence (Geifman, Uziel &
    El-Yaniv 2019). Rows of equal confidence count with their mean loss: the expectation over a
    random order of ties. Assumes independent rows; a few top rows weigh most.

    Args:
        confidence: Shape (n,), in [0, 1].
        correct: Shape (n,), 0/1, or a degree of correctness in [0, 1].

    Returns:
        In [0, 1]; lower is better; `aurc_optimum` is what a perfect ranking would reach.
    """
    score, right = _scored(confidence, correct)
    _, group = np.unique(-score, return_inverse=True)
    size = np.bincount(group)
    mean_loss = np.bincount(group, weights=1.0 - right) / size
    losses = np.repeat(mean_loss, size)
    return float(np.mean(np.cumsum(losses) / np.arange(1, losses.size + 1)))


def aurc_trapezoid(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return AURC by the trapezoid rule over distinct confidences, only to compare with others.

    The rule of fd-shifts; it runs below the closed-form optimum (a perfect ranking of half wrong
    rows gets an excess of -0.028), so `aurc` is what reports show.
    """
    score, right = _scored(confidence, correct)
    curve = risk_coverage(score, 1.0 - right)
    coverage = np.concatenate(([0.0], curve.coverage))
    risk = np.concatenate((curve.selective_risk[:1], curve.selective_risk))
    return float(np.trapezoid(risk, coverage))


def aurc_optimum(error_rate: float) -> float:
    """Return the limit of AURC for a perfect ranking: r + (1 - r) ln(1 - r); 1.0 for r = 1."""
    right = 1.0 - error_rate
    return 1.0 if right <= 0.0 else float(error_rate + right * np.log(right))


def excess_aurc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return E-AURC: AURC minus what a perfect ranking reaches at the same error rate."""
    _, right = _scored(confidence, correct)
    return aurc(confidence, right) - aurc_optimum(1.0 - float(right.mean()))


def augrc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the area under the generalised risk-coverage curve: the mean rate of silent failures.

    For 0/1 losses AUGRC = (1 - AUROC) acc (1 - acc) + (1 - acc)^2 / 2 (Traub et al. 2024), which
    the trapezoid over distinct confidences equals exactly, ties included. The headline metric:
    readable as a rate, and steady at low coverage.

    Args:
        confidence: Shape (n,), in [0, 1].
        correct: Shape (n,), 0/1, or a degree of correctness in [0, 1].

    Returns:
        In [0, 1]; lower is better; a perfect ranking reaches r^2 / 2.
    """
    score, right = _scored(confidence, correct)
    curve = risk_coverage(score, 1.0 - right)
    coverage = np.concatenate(([0.0], curve.coverage))
    return float(np.trapezoid(np.concatenate(([0.0], curve.generalised_risk)), coverage))


def excess_augrc(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return E-AUGRC: AUGRC minus r^2 / 2, which a perfect ranking reaches."""
    _, right = _scored(confidence, correct)
    return augrc(confidence, right) - (1.0 - float(right.mean())) ** 2 / 2.0


def auroc(confidence: ArrayLike, correct: ArrayLike) -> float | None:
    """Return P(a right row is more confident than a wrong one), ties half (Mann-Whitney).

    Returns:
        In [0, 1]; .5 ranks nothing, below .5 ranks backwards; None when no row, or every row, is
        right: there is nothing to rank.
    """
    score, right = fractions(confidence, "confidence"), outcomes(correct, "correct")
    aligned(confidence=score, correct=right)
    _, group = np.unique(score, return_inverse=True)
    good = np.bincount(group, weights=right)
    bad = np.bincount(group, weights=1.0 - right)
    pairs = good.sum() * bad.sum()
    below = np.concatenate(([0.0], np.cumsum(bad)[:-1]))
    return float(np.sum(good * (below + bad / 2.0)) / pairs) if pairs else None


def _scored(confidence: ArrayLike, outcome: ArrayLike) -> tuple[Floats, Floats]:
    score, column = fractions(confidence, "confidence"), fractions(outcome, "outcome")
    aligned(confidence=score, outcome=column)
    return score, column
