"""How far a reviewer's yes and no can be believed (E17).

s = P(deny | wrong), t = P(approve | right). Measured on known-answer items that took the whole path
of a real review, blind; or, when at least three reviewers overlap and no truth is known, by
agreement (Dawid & Skene 1979).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hitl.errors import NotIdentifiable, TooFewLabels, UnusableColumn
from hitl.lab.columns import Bools, Floats, aligned, flags, numbers
from hitl.lab.estimators.judges import ENOUGH, Rate, kappa, rate


@dataclass(frozen=True, slots=True)
class ReviewerCard:
    """One reviewer's measured rates, with exact intervals."""

    sensitivity: Rate | None
    """s = P(deny | wrong); None when no wrong item was shown."""
    specificity: Rate | None
    """t = P(approve | right); None when no right item was shown."""
    kappa: float | None
    """Agreement with the truth beyond chance."""
    median_seconds: float | None
    drift: float | None
    """Share right in the second half of the items minus that in the first: negative is fatigue."""
    warnings: tuple[str, ...] = ()


def reviewer_card(
    wrong: ArrayLike,
    denied: ArrayLike,
    *,
    seconds: ArrayLike | None = None,
    delta: float = 0.05,
) -> ReviewerCard:
    """Return a reviewer's rates on known-answer items, in the order they were shown (E17).

    Args:
        wrong: Shape (n,), 0/1, the known truth.
        denied: Shape (n,), 0/1, the reviewer's no.
        seconds: Shape (n,), time per item; None when not measured.
        delta: For the two-sided intervals, each on its own.

    Returns:
        Numbers with their intervals; under 30 items of a kind a warning says so.
    """
    truth, no = flags(wrong, "wrong"), flags(denied, "denied")
    n = aligned(wrong=truth, denied=no)
    bad = int(truth.sum())
    timed = None if seconds is None else numbers(seconds, "seconds")
    if timed is not None:
        aligned(wrong=truth, seconds=timed)
    return ReviewerCard(
        sensitivity=rate(int((truth & no).sum()), bad, delta) if bad else None,
        specificity=rate(int((~truth & ~no).sum()), n - bad, delta) if bad < n else None,
        kappa=kappa(truth, no),
        median_seconds=None if timed is None else float(np.median(timed)),
        drift=_drift(truth == no),
        warnings=_warnings(bad, n - bad),
    )


@dataclass(frozen=True, slots=True)
class Consensus:
    """What overlapping reviewers agree on when nobody knows the truth."""

    p_wrong: Floats
    """Shape (items,): posterior P(wrong)."""
    sensitivity: Floats
    """Shape (reviewers,)."""
    specificity: Floats
    """Shape (reviewers,)."""
    prevalence: float
    rounds: int
    """EM rounds until nothing moved by more than 1e-9, at most 1,000."""


def dawid_skene(denied: ArrayLike) -> Consensus:
    """Return items' and reviewers' rates from overlapping verdicts, without known truth (E17).

    EM of Dawid & Skene 1979 for two answers, started at the majority; each rate carries half a
    pseudo-count so that none sticks at 0 or 1. Assumes reviewers err independently given the truth
    and that most are better than chance: shared blind spots stay unseen, known-answer items do not.

    Args:
        denied: Shape (items, reviewers), 0/1; NaN where a reviewer did not see the item.

    Raises:
        NotIdentifiable: Fewer than three reviewers, or no item seen by two of them.
        UnusableColumn: Not 2-d, or a value that is neither 0, 1 nor NaN.
    """
    votes = np.asarray(denied, dtype=np.float64)
    seen = _checked_votes(votes)
    no, yes = seen & (votes == 1.0), seen & (votes == 0.0)
    p = no.sum(axis=1) / np.maximum(1, seen.sum(axis=1))
    rounds = 0
    for rounds in range(1, 1001):  # noqa: B007 - reported
        s, t = _share(no, seen, p), _share(yes, seen, 1.0 - p)
        prevalence = float((p.sum() + 0.5) / (p.size + 1.0))
        update = _posterior(no, yes, s, t, prevalence)
        moved, p = float(np.abs(update - p).max()), update
        if moved < 1e-9:
            break
    return Consensus(p, _share(no, seen, p), _share(yes, seen, 1.0 - p), float(p.mean()), rounds)


def _share(said: Bools, seen: Bools, weight: Floats) -> Floats:
    share: Floats = (weight @ said + 0.5) / (weight @ seen + 1.0)
    return share


def _posterior(no: Bools, yes: Bools, s: Floats, t: Floats, prevalence: float) -> Floats:
    wrong = no @ np.log(s) + yes @ np.log1p(-s) + np.log(prevalence)
    right = no @ np.log1p(-t) + yes @ np.log(t) + np.log1p(-prevalence)
    posterior: Floats = 1.0 / (1.0 + np.exp(np.clip(right - wrong, -700.0, 700.0)))
    return posterior


def _checked_votes(votes: Floats) -> Bools:
    if votes.ndim != 2:
        raise UnusableColumn("denied", f"must be items x reviewers; it is {votes.ndim}-d.")
    seen: Bools = ~np.isnan(votes)
    if bool(np.any(seen & (votes != 0.0) & (votes != 1.0))):
        raise UnusableColumn("denied", "holds a value that is neither 0, 1 nor missing.")
    reviewers = int(seen.any(axis=0).sum())
    if reviewers < 3 or not bool(np.any(seen.sum(axis=1) >= 2)):
        raise NotIdentifiable(
            "reviewers' error rate",
            f"{reviewers} reviewers overlap, and without known truth it takes three",
            "use known-answer items.",
        )
    return seen


def _drift(hit: Bools) -> float | None:
    half = hit.size // 2
    return float(hit[half:].mean() - hit[:half].mean()) if half else None


def _warnings(bad: int, good: int) -> tuple[str, ...]:
    kinds = ((bad, "wrong"), (good, "right"))
    few = [
        TooFewLabels(f"rate on {k} items", n, ENOUGH, unit="items") for n, k in kinds if n < ENOUGH
    ]
    return tuple(str(sentence) for sentence in few)
