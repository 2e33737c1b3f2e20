"""What a gate log must be before a number is drawn from it: a sentence for each thing it is not."""

from collections.abc import Iterator

import numpy as np

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.columns import Bools, ranking_warnings
from hitl.lab.log.columns import GateLog, missing

CONSTANT = ("declared", "measured")
"""Kinds of p that are one number for a step: they are not meant to rank."""
_RANKS_FROM = 30
"""Labelled rows of a step from which on its confidences are looked at for their order."""


def checked(log: GateLog) -> tuple[str, ...]:
    """Return the warnings about a log that can be used; empty for none.

    Raises:
        EvidenceRefusal: It holds no row.
        UnusableColumn: A column is not what it must be; the sentence has the row and the step.
    """
    if len(log) == 0:
        raise EvidenceRefusal("The log holds no gate row; let some runs pass their gates first.")
    _refuse_values(log)
    _refuse_labels(log)
    return tuple(_warnings(log))


def unanswered(log: GateLog) -> Bools:
    """Return the rows whose review has no answer, or none that says right or wrong."""
    wanted = log.flag("asked") | log.flag("spot_check")
    found: Bools = wanted & np.isnan(log.number("wrong"))
    return found


def _refuse_values(log: GateLog) -> None:
    p, pi, wrong = log.number("p"), log.number("propensity_label"), log.number("wrong")
    ids = log.text("id")
    known, first = np.unique(ids, return_index=True)
    if known.size < ids.size:
        twice = np.setdiff1d(np.arange(ids.size), first)
        _refuse(log, "id", np.isin(np.arange(ids.size), twice), "stands in the log twice")
    _refuse(log, "p", (p < 0) | (p > 1), "a confidence must lie in [0, 1]")
    if np.isnan(pi).all():
        raise missing("propensity_label")
    _refuse(log, "propensity_label", np.isnan(pi), "it is missing; log P(label) for every row")
    _refuse(log, "propensity_label", (pi < 0) | (pi > 1), "a probability must lie in [0, 1]")
    _refuse(log, "wrong", ~np.isnan(wrong) & (wrong != 0) & (wrong != 1), "it must be 0, 1 or null")


def _refuse_labels(log: GateLog) -> None:
    asked, labelled = log.flag("asked"), ~np.isnan(log.number("wrong"))
    pi, looked = log.number("propensity_label"), log.flag("asked") | log.flag("spot_check")
    nobody = labelled & ~looked & ~log.flag("is_seed")
    _refuse(log, "wrong", nobody, "it has a label, but nobody was asked and it was no spot check")
    _refuse(log, "propensity_label", labelled & (pi == 0.0), "it is 0, and yet there is a label")
    certain = "a step that is asked about is labelled for certain, so it must be 1"
    _refuse(log, "propensity_label", asked & (pi < 1.0), certain)
    expired = labelled & (log.text("verdict") == "expired")
    _refuse(log, "wrong", expired, "its review expired; that is a missing label, not an answer")


def _refuse(log: GateLog, column: str, bad: Bools, why: str) -> None:
    rows = np.flatnonzero(bad)
    if rows.size == 0:
        return
    row, many = int(rows[0]), f" ({rows.size} rows in all)" if rows.size > 1 else ""
    value, step = log.columns[column][row], log.text("step")[row]
    raise UnusableColumn(column, f"row {row}, step {str(step)!r}: {value!s}: {why}{many}.")


def _warnings(log: GateLog) -> Iterator[str]:
    for name, what in (("policy_hash", "policies"), ("workflow_version", "workflow versions")):
        found = log.values(name)
        if len(found) > 1:
            short = ", ".join(value[:12] or "(none)" for value in found)
            yield f"The log mixes {len(found)} {what}: {short}. Figures are over all of them."
    waiting = int(unanswered(log).sum())
    if waiting:
        yield (
            f"{waiting} reviews have no answer; a spot check without one counts as wrong, a question"
            " without one is left out."
        )
    for step in log.values("step"):
        rows = (log.text("step") == step) & ~np.isnan(log.number("p") + log.number("wrong"))
        rows &= ~np.isin(log.text("kind"), CONSTANT)
        if int(rows.sum()) >= _RANKS_FROM:
            p, wrong = log.number("p")[rows], log.number("wrong")[rows]
            yield from (f"{step}: {said}" for said in ranking_warnings(p, 1.0 - wrong))
