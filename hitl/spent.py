"""What a run has spent since the last reset: money, side effects, and how long ago it began."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spent:
    """What some steps cost together: constant size, whatever their number."""

    cost: float = 0.0
    """In the unit of the policy's costs; a step that says nothing costs nothing."""
    effects: int = 0
    """How many side effects they had."""
    since: float | None = None
    """When the first of them began, in seconds since 1970 (UTC); None for no steps."""

    def plus(self, other: "Spent") -> "Spent":
        """Return what both are together; the order does not matter."""
        if other is NOTHING or self is NOTHING:
            return self if other is NOTHING else other
        began = [at for at in (self.since, other.since) if at is not None]
        return Spent(
            cost=self.cost + other.cost,
            effects=self.effects + other.effects,
            since=min(began, default=None),
        )

    def seconds(self, now: float) -> float:
        """Return the wall time since the first step began, at least 0.0; waiting counts too.

        Args:
            now: Seconds since 1970 (UTC).
        """
        return 0.0 if self.since is None else max(0.0, now - self.since)

    def dump(self) -> list[float | int | None]:
        """Return the three numbers, as they are kept."""
        return [self.cost, self.effects, self.since]

    @classmethod
    def load(cls, kept: Sequence[float | int | None]) -> "Spent":
        """Return what was dumped."""
        cost, effects, since = kept
        if since is None and not cost and not effects:
            return NOTHING
        return cls(cost=float(cost or 0.0), effects=int(effects or 0), since=since)


NOTHING = Spent()
"""Of no steps."""
