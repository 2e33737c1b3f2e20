"""Which logged rows enter the evidence, and in which order: where cheating would be easy.

Attempt 1 only; of rollouts the winner; no known-answer items; no row that another trigger asked
about; rolled-back rows do enter. Rows enter in the order of their gate evaluations, and the process
stops at the first that waits for an answer: entered as answers arrive, slow noes would look like no
errors. A row nobody answered in time enters as wrong; dropped, the unanswered errors would be gone.
Units are runs, once each when the run has ended, as steps of one run err together.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from hitl.errors import EvidenceRefusal
from hitl.lab.autonomy.looks import Looks
from hitl.lab.columns import Floats, aligned, fractions
from hitl.models import GateRow

MOST_DESIGN_EFFECT = 1.2
"""Beyond it rows of one run are too alike to be counted one by one."""

_OWN = frozenset({"confidence", "spot_check"})
"""The triggers of earned autonomy itself: its level, and its coin."""


@dataclass(frozen=True, slots=True)
class Entering:
    """The rows that may be fed to the process now."""

    looks: Looks
    waiting: str | None
    """Id of the row, or key of the run, at which the process stops; None when nothing waits."""
    late: tuple[str, ...]
    """Ids of the rows that count as wrong because nobody answered in time; an answer that comes
    later replaces that: read the log again from the start."""


def entering(
    rows: Sequence[GateRow],
    wrong: Mapping[str, bool],
    *,
    now: datetime,
    answer_within: timedelta,
    ended: Collection[str] | None = None,
    unit: Literal["run", "step"] = "run",
) -> Entering:
    """Return the labelled rows of one scope in entering order, up to the first that must be waited for.

    Args:
        rows: The scope's gate evaluations after those that fixed the grid, in their order.
        wrong: Per answered row id: denied for a reason that means wrong, and upheld after second
            looks; an edit that changed content is wrong. Decisions by policy are no answers.
        now: The present.
        answer_within: A row older than this enters as wrong while it has no answer.
        ended: Keys (`run_key`) of the runs that have ended; needed for `unit="run"`. A run that goes
            on longer than `answer_within` enters with the rows it has.
        unit: What counts as one: a run, or on request a step.

    Raises:
        EvidenceRefusal: `unit="step"`, and rows of one run err together too much.
    """
    counted = [row for row in rows if counts(row)]
    if unit == "step":
        refuse_clusters(counted, wrong)
        groups = [[row] for row in counted]
    else:
        groups = list(_by_run(counted).values())
    ready: list[list[GateRow]] = []
    waiting = None
    for group in groups:
        if _waits(group, wrong, now - answer_within, None if unit == "step" else ended):
            waiting = group[0].id if unit == "step" else group[0].run_key
            break
        ready.append(group)
    return Entering(_looks(ready, wrong), waiting, _late(ready, wrong))


def counts(row: GateRow) -> bool:
    """Return whether a row belongs to the process at all, asked or acting, spot-checked or not."""
    others = {fired.kind for fired in row.triggers} - _OWN
    return (
        row.attempt == 1
        and row.winner
        and not row.is_seed
        and not others
        and row.confidence is not None
    )


def design_effect(run: ArrayLike, wrong: ArrayLike) -> float:
    """Return by how much rows of one run are worth less than as many independent ones; >= 1.

    1 + (m - 1) rho, with rho the intra-run correlation by analysis of variance and m the mean rows
    per run, weighted for unequal runs (Donner & Klar 2000). 1.0 when runs have one row each, or
    nothing varies.

    Args:
        run: Shape (n,), the run of each row.
        wrong: Shape (n,), in [0, 1].
    """
    y = fractions(wrong, "wrong")
    _, group = np.unique(np.asarray(run), return_inverse=True)
    aligned(wrong=y, run=group)
    size = np.bincount(group).astype(np.float64)
    runs, n = size.size, y.size
    if runs < 2 or n == runs:
        return 1.0
    mean = np.bincount(group, weights=y) / size
    within = float(np.sum((y - mean[group]) ** 2)) / (n - runs)
    between = float(size @ (mean - y.mean()) ** 2) / (runs - 1)
    typical = (n - float(size @ size) / n) / (runs - 1)
    spread = between + (typical - 1.0) * within
    rho = (between - within) / spread if spread > 0.0 else 0.0
    return max(1.0, 1.0 + (float(size @ size) / n - 1.0) * rho)


def refuse_clusters(rows: Sequence[GateRow], wrong: Mapping[str, bool]) -> None:
    """Refuse steps as units where the answered rows of one run err together.

    Raises:
        EvidenceRefusal: The design effect exceeds 1.2.
    """
    known = [row for row in rows if row.id in wrong]
    if not known:
        return
    effect = design_effect([r.run_key for r in known], [float(wrong[r.id]) for r in known])
    if effect > MOST_DESIGN_EFFECT:
        raise EvidenceRefusal(
            f"Steps of one run err together (design effect {effect:.2f}, at most"
            f" {MOST_DESIGN_EFFECT} is allowed); count runs: unit='run'."
        )


def _by_run(rows: Sequence[GateRow]) -> dict[str, list[GateRow]]:
    """Return the rows of each run, runs in the order of their first row."""
    runs: dict[str, list[GateRow]] = {}
    for row in rows:
        runs.setdefault(row.run_key, []).append(row)
    return runs


def _enters(row: GateRow) -> bool:
    return row.coin_u is not None and row.coin_u < row.coin_rate


def _waits(
    group: Sequence[GateRow],
    wrong: Mapping[str, bool],
    oldest: datetime,
    ended: Collection[str] | None,
) -> bool:
    """Return whether a unit must be waited for: still going, or an entering row may be answered."""
    young = [row for row in group if row.ts > oldest]
    going = ended is not None and group[0].run_key not in ended
    return bool(young) and (going or any(_enters(r) and r.id not in wrong for r in young))


def _late(groups: Sequence[Sequence[GateRow]], wrong: Mapping[str, bool]) -> tuple[str, ...]:
    return tuple(r.id for group in groups for r in group if _enters(r) and r.id not in wrong)


def _looks(groups: Sequence[Sequence[GateRow]], wrong: Mapping[str, bool]) -> Looks:
    """Return the entering rows and, for the alarms, the asked rows that have an answer."""
    rows = [
        (unit, row)
        for unit, group in enumerate(groups)
        for row in group
        if _enters(row) or (row.action == "ask" and row.id in wrong)
    ]
    confidence: Floats = np.array([row.confidence for _, row in rows], dtype=np.float64)
    return Looks(
        confidence=confidence,
        wrong=np.array([float(wrong.get(row.id, True)) for _, row in rows], dtype=np.float64),
        acted=np.array([row.action == "act" for _, row in rows], dtype=np.bool_),
        coin=np.array([_enters(row) for _, row in rows], dtype=np.bool_),
        run=np.array([unit for unit, _ in rows], dtype=np.int64),
    )
