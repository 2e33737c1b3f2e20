"""Alarms that narrow autonomy: sums of likelihood ratios that start afresh at every step (CUSUM).

C = max(1, C) * (q/r if wrong else (1 - q)/(1 - r)) per alternative q > r, averaged over q: an
e-detector (Shin, Ramdas & Rinaldo 2023). While the rate is r or less, an alarm at c comes at most
once in c labels on average. A harm alarm alone needs far more spot checks than anybody makes; the
change alarms are the working ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hitl.lab.autonomy.looks import Looks
from hitl.lab.columns import Floats, Ints
from hitl.lab.estimators.bounds import clopper_pearson

HARM_AT, CHANGE_AT, REVIEWERS_AT = 1_000.0, 10_000.0, 100.0
"""Capital at which each alarm goes off."""

WHY = {
    "harm": "Spot checks of steps that acted alone show too many errors.",
    "asked": "Steps that were asked about are wrong more often than before.",
    "acting": "Steps that acted alone are wrong more often than before.",
}
"""What each alarm says on the trail."""


@dataclass(frozen=True, slots=True)
class Cusum:
    """One alarm's running state."""

    reference: float
    """r: the rate that is no reason for alarm, in (0, 1)."""
    rates: tuple[float, ...]
    """q: the rates watched for, above r."""
    alarm_at: float
    log_capital: tuple[float, ...]
    """Per q, log C."""

    def path(self, wrong: Floats) -> Floats:
        """Return log C after each outcome, shape (n, rates).

        Args:
            wrong: Shape (n,), 0/1.
        """
        q, r = np.asarray(self.rates), self.reference
        ratios = np.where(wrong[:, None] > 0.0, np.log(q / r), np.log1p(-q) - math.log1p(-r))
        total = np.cumsum(ratios, axis=0)
        start = -np.maximum(0.0, self.log_capital)[None, :]
        lowest = np.minimum.accumulate(np.concatenate((start, total[:-1])), axis=0)
        path: Floats = total - lowest
        return path

    def after(self, wrong: Floats) -> "Cusum":
        """Return this alarm after the outcomes."""
        if wrong.size == 0:
            return self
        return replace(self, log_capital=tuple(self.path(wrong)[-1].tolist()))

    def rings(self, wrong: Floats) -> int | None:
        """Return the index of the first outcome at which the alarm goes off; None if it does not."""
        if wrong.size == 0:
            return None
        loud = np.mean(np.exp(np.minimum(self.path(wrong), 700.0)), axis=1) >= self.alarm_at
        return int(np.argmax(loud)) if loud.any() else None


def watch(reference: float, factors: Sequence[float], alarm_at: float) -> Cusum | None:
    """Return an alarm for rates of `factors` times the reference; None when it is 1: nothing is worse.

    A q that would leave (r, 1) is put half-way between r and 1.
    """
    if not 0.0 < reference < 1.0:
        return None
    rates = tuple(min(f * reference, (1.0 + reference) / 2.0) for f in factors)
    return Cusum(reference, rates, alarm_at, (0.0,) * len(rates))


def reviewers(sensitivity: float) -> Cusum | None:
    """Return the alarm on missed known-answer items: r = 1 - s_L at the start, q = 1.5, 2.5 r."""
    return watch(1.0 - sensitivity, (1.5, 2.5), REVIEWERS_AT)


@dataclass(frozen=True, slots=True)
class Alarms:
    """The alarms on labelled rows while something is automated."""

    harm: Cusum | None
    """Spot-checked acting rows: r = alpha, q = 1.5, 2.5, 5 alpha."""
    asked: Cusum | None = None
    """All asked rows: r = the 90 % bound of their rate before the widening, q = 1.5, 2.5 r."""
    acting: Cusum | None = None
    """Spot-checked acting rows: r = the level's 90 % bound, at least alpha/4, q = 2, 4 r."""

    @classmethod
    def none(cls, alpha: float) -> "Alarms":
        """Return the alarms before the first widening: harm alone, which then has no row to watch."""
        return cls(watch(alpha, (1.5, 2.5, 5.0), HARM_AT))

    def widened(
        self, alpha: float, *, inside: tuple[int, int], outside: tuple[int, int]
    ) -> "Alarms":
        """Return the alarms at a widening: what counts as a change is measured anew.

        Args:
            alpha: Tolerated error rate.
            inside: (wrong, all) of the level's entering rows so far.
            outside: (wrong, all) of the asked rows below the level's threshold so far.
        """
        within = max(_ceiling(inside), alpha / 4.0)
        return Alarms(
            harm=self.harm,
            asked=watch(_ceiling(outside), (1.5, 2.5), CHANGE_AT),
            acting=watch(within, (2.0, 4.0), CHANGE_AT),
        )

    def first(self, looks: Looks) -> tuple[int, str] | None:
        """Return the first row at which an alarm goes off, and its sentence; None for none."""
        bells = []
        for name, alarm, rows in self._watched(looks):
            rung = alarm.rings(looks.wrong[rows])
            if rung is not None:
                bells.append((int(rows[rung]), WHY[name]))
        return min(bells, default=None)

    def after(self, looks: Looks) -> "Alarms":
        """Return the alarms after the rows."""
        moved = {n: alarm.after(looks.wrong[rows]) for n, alarm, rows in self._watched(looks)}
        return Alarms(harm=moved.get("harm"), asked=moved.get("asked"), acting=moved.get("acting"))

    def _watched(self, looks: Looks) -> list[tuple[str, Cusum, Ints]]:
        checked = np.flatnonzero(looks.acted & looks.coin)
        asked = np.flatnonzero(~looks.acted)
        watched = (
            ("harm", self.harm, checked),
            ("asked", self.asked, asked),
            ("acting", self.acting, checked),
        )
        return [(name, alarm, rows) for name, alarm, rows in watched if alarm is not None]


def _ceiling(counts: tuple[int, int]) -> float:
    """Return the 90 % upper bound of a rate; 1.0, which watches nothing, for no row."""
    wrong, rows = counts
    return clopper_pearson(wrong, rows, 0.1) if rows else 1.0
