"""A simulated reviewer: reads what the writer meant, with adjustable error, and decides in the queue.

It reads a digit right with probability A; else it takes one of the nine other digits, each as often.
It approves when its reading equals the proposal, else it denies and gives what it read. So
P(approve | right) = A and P(deny | wrong) = 1 - (1 - A) / 9.

What it reads depends on the seed, the cheque and the box only, so the same reviewer can be asked
again, in another order, or by a faster path.
"""

import numpy as np

from hitl.errors import ConfigurationError


class SimulatedReviewer:
    """Reads digits, given the truth."""

    def __init__(self, accuracy: float, *, seed: int) -> None:
        """Check and keep the reviewer's accuracy.

        Args:
            accuracy: P(reads a digit right), in [0, 1].
            seed: Fixes every reading; >= 0.

        Raises:
            ConfigurationError: `accuracy` is not a probability.
        """
        if not 0.0 <= accuracy <= 1.0:
            raise ConfigurationError(
                f"The reviewer's accuracy {accuracy} is not a probability; give a number from 0 to 1."
            )
        self.accuracy = accuracy
        self.seed = seed

    def reads(self, truth: int, *, cheque: int, position: int) -> int:
        """Return what the reviewer sees in one box.

        Args:
            truth: The digit that was meant.
            cheque: The cheque's number, from 1.
            position: The box, from 1.
        """
        rng = np.random.default_rng([self.seed, 3, cheque, position])
        if rng.random() < self.accuracy:
            return truth
        return int(truth + rng.integers(1, 10)) % 10

    def reads_amount(self, truth: tuple[int, ...], *, cheque: int) -> tuple[int, ...]:
        """Return what the reviewer sees in all boxes."""
        return tuple(
            self.reads(digit, cheque=cheque, position=place)
            for place, digit in enumerate(truth, start=1)
        )
