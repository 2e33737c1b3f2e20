"""Evidence that a level's error rate lies below alpha: five bets per level, whatever the looking.

For every entering unit y in [0, 1] and every level g that holds it, with a = alpha s_L: logK[g, th]
+= log(1 + th/(1 - a) (a - y)); E[g] = mean over th of K. Under "the level's error is alpha or more"
each K is a non-negative supermartingale from 1, so P(E ever >= 1/x) <= x (Ville 1939; betting:
Waudby-Smith & Ramdas 2024), although the live level moves with the data and a with the reviewers.
Shares pass from a certified level to the next wider one (graphical procedure, Bretz et al. 2009).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.lab.autonomy.looks import Looks
from hitl.lab.autonomy.promise import Level
from hitl.lab.columns import Floats, Ints

BETS = (0.1, 0.25, 0.5, 0.75, 0.95)


def growth(outcome: Floats, limit: float) -> Floats:
    """Return by how much each unit moves the log-capital of each bet.

    Args:
        outcome: Any shape, y in [0, 1]; NaN where the level does not hold the unit: no move.
        limit: a = alpha s_L, in [0, 1).

    Returns:
        Shape (*outcome.shape, 5).
    """
    bets = np.asarray(BETS) / (1.0 - limit)
    moves = np.log1p(bets * (limit - outcome[..., None]))
    return np.where(np.isnan(moves), 0.0, moves)


def log_e(log_capital: Floats) -> Floats:
    """Return log E: the log of the mean capital over bets (the last axis)."""
    most = log_capital.max(axis=-1, keepdims=True)
    mean = np.mean(np.exp(log_capital - most), axis=-1)
    value: Floats = most[..., 0] + np.log(mean)
    return value


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one generation has gathered, per level from the narrowest."""

    thresholds: tuple[float, ...]
    shares: tuple[float, ...]
    """Of the generation's delta; moves to the next wider level when a level is proven."""
    proven: tuple[bool, ...]
    log_capital: tuple[tuple[float, ...], ...]
    """Per level and bet."""

    @classmethod
    def none(cls, levels: Sequence[Level]) -> "Evidence":
        """Return the evidence before the first row."""
        thresholds = tuple(one.threshold for one in levels)
        shares = tuple(one.share for one in levels)
        empty = ((0.0,) * len(BETS),) * len(levels)
        return cls(thresholds, shares, (False,) * len(levels), empty)

    @property
    def log_e(self) -> Floats:
        """Log E per level, shape (levels,)."""
        return log_e(np.asarray(self.log_capital))

    @property
    def widest(self) -> int:
        """Number of the widest proven level, from 1; 0 for none."""
        return max((g for g, done in enumerate(self.proven, start=1) if done), default=0)

    def path(self, looks: Looks, limit: float) -> tuple[Floats, Ints]:
        """Return the log-capital after each entering unit, and the row that completes each unit.

        Args:
            looks: Labelled rows; those of the coin enter.
            limit: a = alpha s_L.

        Returns:
            Shapes (units, levels, 5) and (units,).
        """
        rows = np.flatnonzero(looks.coin)
        held = looks.confidence[rows, None] > np.asarray(self.thresholds)
        outcome = np.where(held, looks.wrong[rows, None], np.nan)
        if looks.run is not None and rows.size:
            outcome, rows = _units(outcome, looks.run[rows], rows)
        return np.asarray(self.log_capital) + np.cumsum(growth(outcome, limit), axis=0), rows

    def first_proof(self, capital: Floats, delta: float) -> int | None:
        """Return the first unit of a path at which some level is proven; None for none.

        A level of share w is proven at E >= 1/(delta w).
        """
        shares = np.where(self.proven, 0.0, self.shares)
        with np.errstate(divide="ignore"):
            bars = -np.log(delta * shares)
        proof = (log_e(capital) >= bars).any(axis=1)
        return int(np.argmax(proof)) if proof.any() else None

    def at(self, capital: Floats) -> "Evidence":
        """Return this evidence at one point of its path, shape (levels, 5)."""
        return replace(self, log_capital=tuple(tuple(bets) for bets in capital.tolist()))

    def settled(self, delta: float) -> "Evidence":
        """Return this evidence once every proven level has passed its share on.

        The share may prove the next wider level at once, and passes through one proven before.
        """
        left, done, now = list(self.shares), list(self.proven), self.log_e
        for g in range(len(left)):
            if left[g] <= 0.0:
                continue
            done[g] = done[g] or bool(now[g] >= -np.log(delta * left[g]))
            if done[g] and g + 1 < len(left):
                left[g + 1], left[g] = left[g + 1] + left[g], 0.0
        return replace(self, shares=tuple(left), proven=tuple(done))


def _units(outcome: Floats, run: Ints, rows: Ints) -> tuple[Floats, Ints]:
    """Return each run's mean outcome per level (NaN where a level holds none) and its last row."""
    starts = np.flatnonzero(np.concatenate(([True], run[1:] != run[:-1])))
    held = np.add.reduceat(~np.isnan(outcome), starts, axis=0)
    total = np.add.reduceat(np.nan_to_num(outcome), starts, axis=0)
    mean = np.where(held > 0, total / np.maximum(held, 1), np.nan)
    return mean, rows[np.append(starts[1:], rows.size) - 1]
