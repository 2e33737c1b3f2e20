"""Whether the right steps were asked about, how late, and how well confidence ranks them."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Bools, Floats, ranking_warnings
from hitl.lab.estimators import asking_rates, auroc, calibration, risk_coverage
from hitl.lab.log import GateLog

ENOUGH = 30
"""Labels below which no figure about the ranking is given."""


@dataclass(frozen=True, slots=True)
class Asking:
    """How well the questions met what needed one; None where it can't be known."""

    questions: int
    answered: int
    denied: int
    approved: int
    precision: float | None
    """Share of the answered questions that were about something wrong."""
    recall: float | None
    """Share of the wrong steps that were asked about; needs spot checks."""
    f1: float | None
    over: float | None
    """P(asked | right)."""
    under: float | None
    """P(not asked | wrong)."""
    bought: float | None
    """Reliability that a yes bought back, on average: approved unchanged is not needless."""


def asking(log: GateLog) -> Asking:
    """Return ask precision, recall, F1, over- and under-asking, and what each yes bought (E16)."""
    asked, wrong = log.flag("asked"), log.number("wrong")
    answered = asked & ~np.isnan(wrong)
    n, denied = int(answered.sum()), int(np.nansum(wrong[answered]))
    over = under = f1 = None
    # an unanswered question would be a census row without a label: it is left out
    kept = log.where(~asked | answered)
    with suppress(EvidenceRefusal):  # without spot checks precision alone can be known
        over, under, f1 = _rates(kept)
    yes = answered & (wrong == 0.0)
    p = log.number("p")
    unreviewed = log.number("reliability_before") * np.where(np.isnan(p), 1.0, p)
    gain = (log.number("reset_to") - unreviewed)[yes]
    known = gain[~np.isnan(gain)]
    return Asking(
        questions=int(asked.sum()),
        answered=n,
        denied=denied,
        approved=n - denied,
        precision=denied / n if n else None,
        recall=None if under is None else 1.0 - under,
        f1=f1,
        over=over,
        under=under,
        bought=float(known.mean()) if known.size else None,
    )


def _rates(log: GateLog) -> tuple[float | None, float | None, float | None]:
    asked, seen, loss = log.flag("asked"), _labelled(log), _loss(log)
    pi = np.where(asked, 1.0, log.number("propensity_label"))
    # a spot check nobody answered yet is drawn, so it is seen, and counts as wrong
    rates = asking_rates(asked, loss, seen, pi)
    weight = np.where(seen, 1.0 / pi, 0.0)
    wrong = float((weight * np.nan_to_num(loss)).sum())
    found = float(np.nan_to_num(loss)[asked].sum())
    total = float(asked.sum()) + wrong
    return rates.over, rates.under, 2.0 * found / total if total > 0 else None


def _labelled(log: GateLog) -> Bools:
    return log.flag("asked") | log.flag("spot_check")


def _loss(log: GateLog) -> Floats:
    wrong = log.number("wrong")
    return np.where(_labelled(log) & np.isnan(wrong), 1.0, wrong)


@dataclass(frozen=True, slots=True)
class Lag:
    """How long a wrong step went on before somebody looked; each weighted by 1/propensity."""

    wrong: int
    """Labelled wrong steps it rests on."""
    steps: float | None
    """Mean steps until the next question of the run; 0 when the wrong step was asked about."""
    minutes: float | None
    never: float | None
    """Share of wrong steps after which nobody was asked any more."""


def lag(log: GateLog) -> Lag:
    """Return the detection lag of wrong steps (E16): to the next question in the same run."""
    wrong = (log.number("wrong") == 1.0) & _labelled(log)
    if not wrong.any():
        return Lag(0, None, None, None)
    _, run = np.unique(log.text("run_id"), return_inverse=True)
    order = np.lexsort((np.arange(run.size), run))
    asked, place = log.flag("asked")[order], np.arange(run.size)
    ahead = np.minimum.accumulate(np.where(asked, place, run.size)[::-1])[::-1]
    run, bad = run[order], wrong[order]
    met = (ahead < run.size) & (run[np.minimum(ahead, run.size - 1)] == run)
    weight = np.where(asked, 1.0, 1.0 / np.maximum(log.number("propensity_label")[order], 1e-12))
    ts, to = log.number("ts")[order], np.minimum(ahead, run.size - 1)
    reached = bad & met
    if not reached.any():
        return Lag(int(bad.sum()), None, None, 1.0)
    minutes = np.average((ts[to] - ts)[reached] / 60.0, weights=weight[reached])
    return Lag(
        wrong=int(bad.sum()),
        steps=float(np.average((to - place)[reached], weights=weight[reached])),
        minutes=None if np.isnan(minutes) else float(minutes),
        never=float(weight[bad & ~met].sum() / weight[bad].sum()),
    )


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well p ranks right above wrong, and whether it means what it says."""

    labels: int
    augrc: float | None
    """Mean rate of silent errors over all thresholds, weighted by 1/propensity; lower is better."""
    auroc: float | None
    """P(a right step has more confidence than a wrong one), on the coin's sample; .5 ranks nothing."""
    ece: float | None
    """Expected calibration error, on the coin's sample."""
    coverage: tuple[float, ...] = ()
    silent: tuple[float, ...] = ()
    """The curve: at this coverage, this share of all steps acts and is wrong."""
    threshold: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()


def ranking(log: GateLog) -> Ranking:
    """Return how good the confidences of one step are; no number below 30 labels (E1, E2)."""
    known = log.where(~np.isnan(log.number("p") + log.number("wrong")) & _labelled(log))
    if len(known) < ENOUGH:
        why = f"{len(known)} labels with a confidence: too few to say how well it ranks."
        return Ranking(len(known), None, None, None, warnings=(why,))
    p, wrong = known.number("p"), known.number("wrong")
    pi = np.where(known.flag("asked"), 1.0, known.number("propensity_label"))
    curve = risk_coverage(p, wrong, weight=1.0 / pi)
    x, y = np.append(0.0, curve.coverage), np.append(0.0, curve.generalised_risk)
    drawn = known.number("coin_u") < known.number("coin_rate")
    enough = int(drawn.sum()) >= ENOUGH
    right = 1.0 - wrong[drawn]
    return Ranking(
        labels=len(known),
        augrc=float(np.trapezoid(y, x)),
        auroc=auroc(p[drawn], right) if enough else None,
        ece=calibration(p[drawn], right).ece if enough else None,
        coverage=tuple(x.tolist()),
        silent=tuple(y.tolist()),
        threshold=tuple(np.append(1.0, curve.confidence).tolist()),
        warnings=ranking_warnings(p, 1.0 - wrong),
    )
