"""The reviewers an earning agent is judged by: how many wrong answers they let pass.

s = P(denied and upheld | wrong), on known-answer items that take the whole path of a real review,
blind. s_L is the lower end of the beta(.5, .5)-binomial confidence sequence at a fifth of delta:
valid at all times, so it may be read after every item.
"""

from dataclasses import dataclass, replace

import numpy as np

from hitl.lab.autonomy.alarms import Cusum, reviewers
from hitl.lab.estimators.bounds import confidence_sequence

ITEMS_BEFORE_START = 60
"""Known-answer items to be seen before anything is earned."""


@dataclass(frozen=True, slots=True)
class Reviewing:
    """What the known-answer items have shown since the last restart."""

    delta: float
    """0.0: labels are trusted, no item is needed."""
    caught: int = 0
    shown: int = 0
    alarm: Cusum | None = None
    """Set when the first items are complete."""

    @property
    def ready(self) -> bool:
        """Whether enough items were seen to earn anything."""
        return self.delta == 0.0 or self.shown >= ITEMS_BEFORE_START

    @property
    def sensitivity(self) -> float:
        """s_L; 1.0 for trusted labels, 0.0 before the first item."""
        if self.delta == 0.0:
            return 1.0
        return confidence_sequence(self.caught, self.shown, self.delta)[0] if self.shown else 0.0

    def item(self, *, caught: bool) -> "tuple[Reviewing, bool]":
        """Return the state after one known-wrong item, and whether the alarm goes off.

        Args:
            caught: Denied, and the denial was upheld.
        """
        seen = replace(self, caught=self.caught + caught, shown=self.shown + 1)
        if seen.alarm is None:
            begins = seen.shown == ITEMS_BEFORE_START
            return replace(seen, alarm=reviewers(seen.sensitivity) if begins else None), False
        missed = np.array([0.0 if caught else 1.0])
        rings = seen.alarm.rings(missed) is not None
        return replace(seen, alarm=seen.alarm.after(missed)), rings

    def restarted(self) -> "Reviewing":
        """Return the state after the reviewers' alarm: nothing is known of them any more."""
        return Reviewing(self.delta)
