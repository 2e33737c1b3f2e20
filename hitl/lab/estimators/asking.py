"""Whether asking was worth it, and whether the right things were asked.

Costs are in one unit of the owner's choice (minutes, euros). E15: value of asking, regret, skill.
E16: ask precision, recall and F1 as HiL-Bench (arXiv 2604.09408) counts them, over- and
under-asking, gain per question (LHAW, arXiv 2602.10525), detection lag.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.columns import aligned, amount, flags, numbers, probability, propensities
from hitl.policy import questions


def value_of_asking(
    p_wrong: float,
    *,
    silent_cost: float,
    review_cost: float,
    rework_cost: float = 0.0,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> float:
    """Return what one question saves on average: positive means ask (E15).

    V = p [s L - s W + (1 - t) W] - (r + (1 - t) W). A question catches a wrong step with
    probability s: saves L, costs its rework W; it denies a right one with 1 - t: costs W for
    nothing; it costs r always. The Bayes rule of two-stage deferral (Mao et al. 2023; arXiv
    2606.12587). Assumes p_wrong is calibrated.

    Args:
        p_wrong: P(wrong), in [0, 1].
        silent_cost: L, of a wrong step that passes.
        review_cost: r, reviewing and waiting.
        rework_cost: W, of doing a denied step again.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
    """
    return questions.value_of_asking(
        probability(p_wrong, "p_wrong"),
        silent_cost=amount(silent_cost, "silent_cost"),
        review_cost=amount(review_cost, "review_cost"),
        rework_cost=amount(rework_cost, "rework_cost"),
        sensitivity=probability(sensitivity, "sensitivity"),
        specificity=probability(specificity, "specificity"),
    )


def asking_threshold(
    *,
    silent_cost: float,
    review_cost: float,
    rework_cost: float = 0.0,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> float | None:
    """Return the P(wrong) above which asking pays: (r + (1-t) W)/(s (L - W) + (1-t) W) (E15).

    Returns:
        In [0, 1]; None when asking never pays, even on a step that is surely wrong.
    """
    terms = {
        "silent_cost": silent_cost,
        "review_cost": review_cost,
        "rework_cost": rework_cost,
        "sensitivity": sensitivity,
        "specificity": specificity,
    }
    base = -value_of_asking(0.0, **terms)
    slope = value_of_asking(1.0, **terms) + base
    return base / slope if slope > 0.0 and base <= slope else None


def skill(cost: float, *, always: float, never: float, oracle: float) -> float | None:
    """Return the share of the avoidable cost that a policy avoids (E15).

    1 - (C - C_oracle)/(min(C_always, C_never) - C_oracle): 1 is the oracle, 0 no better than the
    better of ask-always and ask-never, negative worse; None when the oracle saves nothing.
    """
    avoidable = min(always, never) - oracle
    return 1.0 - (cost - oracle) / avoidable if avoidable > 0.0 else None


@dataclass(frozen=True, slots=True)
class AskScores:
    """How well questions meet what needed a question; None where nothing could be counted."""

    precision: float | None
    """Found blockers per question."""
    recall: float | None
    """Found blockers per blocker."""
    f1: float | None
    questions: int
    blockers: int
    found: int


def ask_scores(
    questions: Sequence[int] | ArrayLike,
    blockers: Sequence[int] | ArrayLike,
    found: Sequence[int] | ArrayLike,
) -> AskScores:
    """Return micro-averaged ask precision, recall and F1 over runs (E16, HiL-Bench).

    Args:
        questions: Per run, questions asked.
        blockers: Per run, things that needed a question.
        found: Per run, blockers that a question met; at most either of the other two.

    Raises:
        UnusableColumn: A count is negative, or more blockers were found than asked or present.
    """
    asked, needed = numbers(questions, "questions"), numbers(blockers, "blockers")
    met = numbers(found, "found")
    aligned(questions=asked, blockers=needed, found=met)
    if bool(np.any((met < 0) | (met > asked) | (met > needed))):
        raise UnusableColumn("found", "exceeds the questions or the blockers of its run.")
    q, b, f = int(asked.sum()), int(needed.sum()), int(met.sum())
    precision, recall = f / q if q else None, f / b if b else None
    f1 = 2.0 * f / (q + b) if q + b else None
    return AskScores(precision, recall, f1, q, b, f)


@dataclass(frozen=True, slots=True)
class AskingRates:
    """How often the policy asks for nothing, and how often it keeps silent for something."""

    over: float | None
    """P(ask | right); None when no row seems right. A yes on such a row still bought a reset."""
    under: float | None
    """P(act | wrong); None when no row seems wrong."""


def asking_rates(
    asked: ArrayLike, wrong: ArrayLike, observed: ArrayLike, propensity: ArrayLike
) -> AskingRates:
    """Return over- and under-asking, each labelled row weighted by 1/propensity (E16).

    Args:
        asked: Shape (n,), 0/1: the policy asked (not merely spot-checked).
        wrong: Shape (n,), 0/1; ignored, and may be NaN, where not observed.
        observed: Shape (n,), 0/1.
        propensity: Shape (n,), logged P(label), in (0, 1].

    Raises:
        NotIdentifiable: Some rows could never get a label.
    """
    ask, seen = flags(asked, "asked"), flags(observed, "observed")
    loss = numbers(wrong, "wrong", missing=True)
    aligned(asked=ask, observed=seen, wrong=loss)
    pi = propensities(propensity, seen, estimate="share of silent errors that were not asked about")
    weight = np.where(seen, 1.0 / pi, 0.0)
    bad = np.where(seen, loss, 0.0) * weight
    good = np.where(seen, 1.0 - loss, 0.0) * weight
    over = float(good[ask].sum() / good.sum()) if good.sum() > 0 else None
    under = float(bad[~ask].sum() / bad.sum()) if bad.sum() > 0 else None
    return AskingRates(over, under)


def gain_per_question(success_with: float, success_without: float, questions: float) -> float:
    """Return the success gained per question asked (E16, Gain/Q).

    Args:
        success_with: Share of runs that succeed with questions.
        success_without: The same without any.
        questions: Mean number of questions per run, > 0.
    """
    if not questions > 0.0:
        raise EvidenceRefusal("No question was asked; there is no gain per question.")
    gain = probability(success_with, "success_with")
    return (gain - probability(success_without, "success_without")) / questions


def detection_lag(wrong: ArrayLike, gated: ArrayLike) -> int | None:
    """Return how many steps a run's first wrong step went on before a gate looked (E16).

    Args:
        wrong: Shape (n,), 0/1 per step of one run, in order.
        gated: Shape (n,), 0/1: a person looked at this step.

    Returns:
        0 when the wrong step itself was looked at; None when nothing was wrong, or nobody looked at
        it or after it: then all work from it to the end is lost.
    """
    bad, looked = flags(wrong, "wrong"), flags(gated, "gated")
    aligned(wrong=bad, gated=looked)
    if not bad.any():
        return None
    first = int(np.argmax(bad))
    later = looked[first:]
    return int(np.argmax(later)) if later.any() else None
