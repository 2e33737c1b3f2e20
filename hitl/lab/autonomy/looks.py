"""What the process reads and says: labelled rows, gate calls, moves of the live level."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hitl.errors import UnusableColumn
from hitl.lab.columns import Bools, Floats, Ints, aligned, fractions, outcomes


@dataclass(frozen=True, slots=True)
class Looks:
    """Labelled rows, in the order of their gate evaluations; shape (n,) each."""

    confidence: Floats
    wrong: Floats
    """0/1, upheld; a row nobody answered in time is wrong."""
    acted: Bools
    """The agent acted alone (the label came after the fact)."""
    coin: Bools
    """The coin fell below the rate: the row enters. True for every row while nothing is automated."""
    run: Ints | None = None
    """The unit each row belongs to, rows of one unit together; None: every row is its own unit."""

    def __post_init__(self) -> None:
        """Refuse columns that are not what they must be, and units torn apart."""
        if not aligned(
            confidence=self.confidence, wrong=self.wrong, acted=self.acted, coin=self.coin
        ):
            return
        fractions(self.confidence, "confidence")
        outcomes(self.wrong, "wrong")
        if self.run is not None:
            aligned(confidence=self.confidence, run=self.run)
            starts = int(np.sum(self.run[1:] != self.run[:-1])) + 1
            if starts != np.unique(self.run).size:
                raise UnusableColumn("run", "has a unit whose rows are not together; sort them.")

    @property
    def size(self) -> int:
        """How many rows."""
        return int(self.confidence.size)

    def part(self, start: int, stop: int | None = None) -> "Looks":
        """Return the rows from `start` up to `stop`."""
        at = slice(start, stop)
        run = None if self.run is None else self.run[at]
        return Looks(self.confidence[at], self.wrong[at], self.acted[at], self.coin[at], run)


@dataclass(frozen=True, slots=True)
class Calls:
    """What the gate says about rows that come one after another; shape (n,) each."""

    acted: Bools
    coin: Bools
    rate: Floats
    """The spot-check rate, the same for asked and acting rows."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of what the agent may do alone: a policy decision for the trail."""

    seq: int
    """`autonomy_seq` after the move."""
    kind: Literal["widened", "offered", "revoked"]
    level: int
    """Live level after it (for an offer: the level on offer); 0 asks always."""
    generation: int
    sentence: str
