"""What a plan needs of a workflow, measured from its log: the way of its runs, accuracies, minutes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Floats
from hitl.lab.estimators import NodeAccuracy, ips, node_accuracy
from hitl.lab.log import GateLog

Basis = Literal["labels", "confidence", "given"]
_SURE = 1e9
"""Pseudo-count of an accuracy that is taken as it is."""


@dataclass(frozen=True, slots=True)
class Position:
    """One place on the way of a run: a visit to a step."""

    step: str
    visit: int
    rests_on: tuple[int, ...]
    """Positions of what it directly rests on, from 0."""

    @property
    def name(self) -> str:
        """The step, with its visit where it is not the first."""
        return self.step if self.visit == 1 else f"{self.step} ({self.visit})"


@dataclass(frozen=True, slots=True)
class Way:
    """The most frequent way of the runs through the workflow."""

    positions: tuple[Position, ...]
    runs: int
    same: int
    """How many runs went exactly this way."""

    @property
    def is_chain(self) -> bool:
        """Whether each position rests on the one before it, and only on that."""
        wanted = [(n - 1,) if n else () for n in range(len(self.positions))]
        return [p.rests_on for p in self.positions] == wanted


@dataclass(frozen=True, slots=True)
class Measured:
    """How right a step is, and what that rests on."""

    step: str
    accuracy: NodeAccuracy
    basis: Basis
    labels: int
    minutes: float
    """Of one execution; 0 where none was timed."""


def way_of(log: GateLog) -> Way:
    """Return the way most runs go: their first attempts in order, each visit once.

    Raises:
        EvidenceRefusal: The log has no first attempt.
    """
    attempt = log.number("attempt")
    rows = log.where((np.isnan(attempt) | (attempt == 1)) & ~log.flag("undone"))
    ways: dict[str, list[dict[str, object]]] = {}
    for row in rows.records():
        ways.setdefault(f"{row['run_id']}/{row['turn']}", []).append(dict(row))
    if not ways:
        raise EvidenceRefusal("The log holds no first attempt of a step; there is nothing to plan.")
    found = Counter(tuple(dict.fromkeys(map(_visit, way))) for way in ways.values())
    usual, same = found.most_common(1)[0]
    sample = next(way for way in ways.values() if tuple(dict.fromkeys(map(_visit, way))) == usual)
    return Way(tuple(_positions(usual, sample)), len(ways), same)


def _visit(row: Mapping[str, object]) -> tuple[str, int]:
    return str(row["step"]), int(float(str(row["visit"] or 1)))


def _positions(
    usual: tuple[tuple[str, int], ...], sample: list[dict[str, object]]
) -> list[Position]:
    place = {key: n for n, key in enumerate(usual)}
    at = {str(row["id"]): place[_visit(row)] for row in sample}
    logged = any(row["parents"] for row in sample)
    parents: dict[int, set[int]] = {n: set() for n in range(len(usual))}
    for row in sample:
        here = at[str(row["id"])]
        said = str(row["parents"]).split("|") if row["parents"] else []
        parents[here] |= {at[p] for p in said if p in at and at[p] != here}
    if not logged:
        parents = {n: {n - 1} if n else set() for n in range(len(usual))}
    return [
        Position(step, visit, tuple(sorted(parents[n]))) for n, (step, visit) in enumerate(usual)
    ]


def measured(
    log: GateLog, step: str, *, given: float | None = None, minutes: float | None = None
) -> Measured:
    """Return how right one step is: from its labels, else from its confidences, else as given.

    Labels enter with 1/propensity and count as (sum w)^2 / sum w^2 of them (Kish 1965), with the
    Jeffreys prior. Where some of its rows can never get a label, the mean of p is taken as it is.

    Args:
        log: A checked log.
        step: Which step.
        given: P(right), instead of what the log says.
        minutes: Of one execution, instead of what the log says.

    Raises:
        EvidenceRefusal: The log can't tell, and nothing was given.
    """
    attempt = log.number("attempt")
    rows = log.where(
        (log.text("step") == step) & ~log.flag("is_seed") & (np.isnan(attempt) | (attempt == 1))
    )
    timed = rows.number("step_seconds")[~np.isnan(rows.number("step_seconds"))]
    spent = minutes
    if spent is None:
        spent = float(timed.mean()) / 60.0 if timed.size else 0.0
    drawn = rows.flag("asked") | rows.flag("spot_check")
    if given is not None:
        return Measured(step, _fixed(given), "given", 0, spent)
    pi = np.where(rows.flag("asked"), 1.0, rows.number("propensity_label"))
    if len(rows) and bool(np.all(pi > 0.0)) and drawn.any():
        wrong = np.where(np.isnan(rows.number("wrong")), 1.0, rows.number("wrong"))
        return Measured(step, _weighted(wrong, drawn, pi), "labels", int(drawn.sum()), spent)
    p = rows.number("p")[~np.isnan(rows.number("p"))]
    if p.size == 0:
        raise EvidenceRefusal(
            f"Nothing says how right {step!r} is: no spot checks, no confidence. Set spot_check in"
            f" the policy, or give it: --accuracy {step}=0.95."
        )
    return Measured(step, _fixed(float(p.mean())), "confidence", 0, spent)


def _weighted(wrong: Floats, drawn: np.ndarray, pi: Floats) -> NodeAccuracy:
    error = min(1.0, ips(wrong, drawn, pi).value)
    weight = 1.0 / pi[drawn]
    worth = max(1, int(weight.sum() ** 2 / float(weight @ weight)))
    return node_accuracy(round((1.0 - error) * worth), worth)


def _fixed(p: float) -> NodeAccuracy:
    if not 0.0 < p <= 1.0:
        raise EvidenceRefusal(f"An accuracy must lie in (0, 1]; it is {p}.")
    rest = max(1e-9, (1.0 - p) * _SURE)
    return NodeAccuracy(p * _SURE, rest, 0, 0, p, p)
