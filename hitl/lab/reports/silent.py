"""How often a wrong step passes unasked, from the spot checks; a sentence where that can't be known."""

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import EvidenceRefusal, NotIdentifiable, TooFewLabels
from hitl.lab.columns import Bools, Floats
from hitl.lab.estimators import (
    Estimate,
    Rate,
    Stratum,
    aipw,
    ips,
    n_min,
    rate,
    stratified_bound,
)
from hitl.lab.log import GateLog

_STRATA = 3
"""Distinct label probabilities up to which each is a stratum with an exact bound."""


@dataclass(frozen=True, slots=True)
class SilentErrors:
    """Wrong steps among those that acted unasked."""

    acted: int
    """Steps nobody was asked about."""
    spot_checks: int
    """How many of them were drawn for review."""
    answered: int
    wrong: int
    """Found wrong among the answered."""
    estimate: Estimate | None
    """P(wrong | acted), doubly robust with 1 - p as the guess; None with `refusal`."""
    bound: float | None
    """Upper bound on it at 1 - delta, for this sample size; unanswered spot checks count as wrong."""
    of_all_steps: float | None
    """P(acted and wrong): the same, as a share of all steps of the slice."""
    refusal: str = ""
    """Why there is no number; empty when there is."""


def silent_errors(log: GateLog, *, alpha: float = 0.05, delta: float = 0.05) -> SilentErrors:
    """Return how often a step that acted unasked was wrong.

    Only spot checks enter: they were drawn with a known probability. The interval is exact where
    that was one probability (Clopper-Pearson), else the betting interval on inverse propensities.

    Args:
        log: A checked log, known-answer items left out.
        alpha: The error rate that the advice on missing spot checks aims at.
        delta: Allowed P(the interval misses), and P(the bound is too low).
    """
    acts = log.where(~log.flag("asked"))
    drawn, wrong = acts.flag("spot_check"), acts.number("wrong")
    answered = drawn & ~np.isnan(wrong)
    counted = SilentErrors(
        acted=len(acts),
        spot_checks=int(drawn.sum()),
        answered=int(answered.sum()),
        wrong=int(np.nansum(wrong[answered])),
        estimate=None,
        bound=None,
        of_all_steps=None,
    )
    try:
        estimate, bound = error_rate(acts, drawn, alpha=alpha, delta=delta)
    except EvidenceRefusal as refusal:
        return replace(counted, refusal=str(refusal))
    share = estimate.value * len(acts) / len(log)
    return replace(counted, estimate=estimate, bound=bound, of_all_steps=share)


def error_rate(
    acts: GateLog, drawn: Bools, *, alpha: float, delta: float
) -> tuple[Estimate, float]:
    """Return P(wrong) among these rows, with its interval, and its upper bound at 1 - delta.

    Args:
        acts: Rows that act, each with its logged P(label).
        drawn: Which of them a label was asked for; without an answer they count as wrong.
        alpha: The error rate that the advice on missing spot checks aims at.
        delta: Allowed P(the interval misses), and P(the bound is too low).

    Raises:
        NotIdentifiable: Some rows could never get a label.
        EvidenceRefusal: There is no row, or none was drawn.
    """
    if len(acts) == 0:
        raise EvidenceRefusal("Every step was asked about; there is no silent error to count.")
    pi, n = acts.number("propensity_label"), len(acts)
    if bool(np.any(pi == 0.0)):
        raise no_spot_checks(int(np.sum(pi == 0.0)), n, alpha=alpha, delta=delta)
    if not drawn.any():
        raise TooFewLabels("silent error rate", 0, n_min(alpha, delta), unit="spot checks")
    wrong = np.where(np.isnan(acts.number("wrong")), 1.0, acts.number("wrong"))
    p = acts.number("p")
    guess = np.where(np.isnan(p), 0.0, 1.0 - p)
    found = aipw(wrong, drawn, pi, guess, delta=delta)
    point = replace(found, value=float(np.clip(found.value, 0.0, 1.0)))
    rates = np.unique(pi)
    if rates.size > _STRATA:
        return point, ips(wrong, drawn, pi, delta=min(0.999, 2.0 * delta)).high
    bound = stratified_bound([_stratum(wrong, drawn, pi == each) for each in rates], delta)
    if rates.size > 1:
        return point, bound
    exact = rate(int(wrong[drawn].sum()), int(drawn.sum()), delta)
    return replace(point, low=exact.low, high=exact.high, method="exact, spot checks"), bound


def _stratum(wrong: Floats, drawn: Bools, rows: Bools) -> Stratum:
    seen = rows & drawn
    return Stratum(int(rows.sum()), int(seen.sum()), int(wrong[seen].sum()))


def no_spot_checks(rows: int, total: int, *, alpha: float, delta: float) -> NotIdentifiable:
    """Return the refusal, with the number of spot checks that would settle it."""
    enough = n_min(alpha, delta)
    return NotIdentifiable(
        "silent error rate",
        f"no spot checks on {rows} of {total} unasked steps",
        f"{enough} random spot checks without an error would show, {1 - delta:.0%} sure, that at"
        f" most {alpha:.1%} are wrong. Set spot_check in the policy: at 0.02 that takes"
        f" {int(np.ceil(enough / 0.02)):,} unasked steps.",
    )


@dataclass(frozen=True, slots=True)
class RunErrors:
    """Runs that had an unasked wrong step, among those of which every step was looked at."""

    runs: int
    rate: Rate | None
    refusal: str = ""


def run_errors(log: GateLog, *, delta: float = 0.05) -> RunErrors:
    """Return P(a run holds an unasked wrong step), from runs drawn whole.

    Step checks don't identify it: six steps wrong in .8 % allow from .8 to 4.8 % of runs.

    Args:
        log: A checked log.
        delta: Allowed P(the interval misses).
    """
    if len(log) == 0:
        return RunErrors(0, None, "There is no run.")
    _, run = np.unique(log.text("run_id"), return_inverse=True)
    acts = ~log.flag("asked")
    seen = ~acts | (log.flag("spot_check") & (log.number("coin_rate") == 1.0))
    whole = np.bincount(run, weights=~seen) == 0
    acted = np.bincount(run, weights=acts) > 0
    drawn = whole & acted
    if not drawn.any():
        why = "no run was drawn whole; set spot_check_runs in the policy, e.g. to 0.005"
        return RunErrors(0, None, f"Errors of whole runs are not identifiable: {why}.")
    bad = np.bincount(run, weights=acts & (log.number("wrong") != 0.0)) > 0
    return RunErrors(int(drawn.sum()), rate(int((bad & drawn).sum()), int(drawn.sum()), delta))
