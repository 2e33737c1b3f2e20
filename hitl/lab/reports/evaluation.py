"""What a policy did, in numbers that are true: the report of `hitl policy evaluate`."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.log import GateLog, checked
from hitl.lab.log.validation import CONSTANT
from hitl.lab.reports.asking import Asking, Lag, Ranking, asking, lag, ranking
from hitl.lab.reports.people import Person, Workload, people, workload
from hitl.lab.reports.silent import RunErrors, SilentErrors, run_errors, silent_errors

By = Literal["step", "policy", "workflow", "day"]


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the log."""

    name: str
    rows: int
    silent: SilentErrors
    asking: Asking
    lag: Lag
    ranking: Ranking | None
    """Of one step; None for a slice of several."""
    live_threshold: float | None
    """`confidence_below` that held, where it was one."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy did."""

    total: Slice
    slices: tuple[Slice, ...]
    runs: RunErrors
    work: Workload
    people: tuple[Person, ...]
    policies: tuple[str, ...]
    """Content hashes in the log."""
    alpha: float
    delta: float
    warnings: tuple[str, ...]


def evaluate(
    log: GateLog,
    *,
    by: By = "step",
    alpha: float = 0.05,
    delta: float = 0.05,
    review_minutes: float | None = None,
) -> Evaluation:
    """Return the report on a gate log.

    Args:
        log: As read; it is checked here.
        by: What the slices are.
        alpha: The silent error rate the advice aims at.
        delta: Allowed P(an interval misses), each on its own.
        review_minutes: Minutes one review takes, where reviews were not timed.

    Raises:
        EvidenceRefusal: The log can't be used; the sentence says why.
    """
    warnings = checked(log)
    work = log.where(~log.flag("is_seed"))
    if len(work) == 0:
        raise EvidenceRefusal("The log holds known-answer items only; they are no work.")
    names = _names(work, by)
    parts = [(str(name), work.where(names == name)) for name in np.unique(names)]
    slices = [_slice(name, part, alpha=alpha, delta=delta) for name, part in parts]
    if by != "step":
        slices = [replace(each, ranking=None) for each in slices]
    total = replace(_slice("all", work, alpha=alpha, delta=delta), ranking=None)
    return Evaluation(
        total=total,
        slices=tuple(slices),
        runs=run_errors(work, delta=delta),
        work=workload(work, review_minutes=review_minutes),
        people=people(log, delta=delta),
        policies=tuple(log.values("policy_hash")),
        alpha=alpha,
        delta=delta,
        warnings=warnings,
    )


def _names(log: GateLog, by: By) -> np.ndarray:
    if by == "day":
        days = log.number("ts") // 86400
        return np.datetime_as_string(np.nan_to_num(days).astype("datetime64[D]"), unit="D")
    if by == "policy":
        return np.array([value[:12] for value in log.text("policy_hash")], dtype=str)
    if by == "workflow":
        return log.text("workflow")
    before = np.where(log.text("place") == "before", "before ", "")
    return np.char.add(before, log.text("step"))


def _slice(name: str, log: GateLog, *, alpha: float, delta: float) -> Slice:
    thresholds = np.unique(log.number("threshold")[~np.isnan(log.number("threshold"))])
    return Slice(
        name=name,
        rows=len(log),
        silent=silent_errors(log, alpha=alpha, delta=delta),
        asking=asking(log),
        lag=lag(log),
        ranking=None if _is_constant(log) else ranking(log),
        live_threshold=float(thresholds[0]) if thresholds.size == 1 else None,
    )


def _is_constant(log: GateLog) -> bool:
    """Return whether no step of the slice says how sure it is of this very result."""
    p = log.number("p")
    return bool(np.all(np.isnan(p) | np.isin(log.text("kind"), CONSTANT)))
