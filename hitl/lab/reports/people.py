"""What the questions cost, and how far each reviewer's answers can be believed."""

from dataclasses import dataclass

import numpy as np

from hitl.lab.estimators import ReviewerCard, reviewer_card
from hitl.lab.log import GateLog


@dataclass(frozen=True, slots=True)
class Workload:
    """What people did for a log's runs."""

    runs: int
    reviews: int
    """Questions and spot checks that were answered."""
    reviews_per_100_runs: float
    minutes_per_100_runs: float | None
    """None while no review was timed and no minutes were given."""
    wait_p50: float | None
    """Seconds from question to answer."""
    wait_p95: float | None


def workload(log: GateLog, *, review_minutes: float | None = None) -> Workload:
    """Return the human effort behind a log.

    Args:
        log: A checked log.
        review_minutes: Minutes one review takes; None for the mean of those that were timed.
    """
    runs = int(np.unique(log.text("run_id")).size)
    answered = ~np.isnan(log.number("wrong")) & (log.flag("asked") | log.flag("spot_check"))
    reviews = int(answered.sum())
    seconds = log.number("review_seconds")[answered]
    timed = seconds[~np.isnan(seconds)]
    each = review_minutes
    if each is None and timed.size:
        each = float(timed.mean()) / 60.0
    waits = log.number("wait_seconds")[answered & log.flag("asked")]
    waits = waits[~np.isnan(waits)]
    p50, p95 = np.quantile(waits, (0.5, 0.95)) if waits.size else (None, None)
    per_100 = 100.0 * reviews / runs if runs else 0.0
    return Workload(
        runs=runs,
        reviews=reviews,
        reviews_per_100_runs=per_100,
        minutes_per_100_runs=None if each is None else per_100 * each,
        wait_p50=None if p50 is None else float(p50),
        wait_p95=None if p95 is None else float(p95),
    )


@dataclass(frozen=True, slots=True)
class Person:
    """One reviewer."""

    name: str
    answered: int
    denied: int
    median_seconds: float | None
    card: ReviewerCard | None
    """From known-answer items; None with `refusal`."""
    refusal: str = ""


def people(log: GateLog, *, delta: float = 0.05) -> tuple[Person, ...]:
    """Return a card for each reviewer of a log, known-answer items included."""
    names = [name for name in log.values("reviewer") if name] if len(log) else []
    return tuple(_person(name, log.where(log.text("reviewer") == name), delta) for name in names)


def _person(name: str, log: GateLog, delta: float) -> Person:
    denied = log.text("verdict") == "deny"
    seconds = log.number("review_seconds")
    timed = seconds[~np.isnan(seconds)]
    seeds = log.flag("is_seed") & ~np.isnan(log.number("seed_truth"))
    card, refusal = None, ""
    if seeds.any():
        card = reviewer_card(1.0 - log.number("seed_truth")[seeds], denied[seeds], delta=delta)
    else:
        refusal = "No known-answer items: what a yes of theirs is worth is assumed, not measured."
    median = float(np.median(timed)) if timed.size else None
    return Person(name, len(log), int(denied.sum()), median, card, refusal)
