"""A simulated reviewer: reads what the writer meant, with adjustable error, and decides in the queue.

It reads a digit right with probability A; else it takes one of the nine other digits, each as often.
It approves when its reading equals the proposal, else it denies and gives what it read. So
P(approve | right) = A and P(deny | wrong) = 1 - (1 - A) / 9.

What it reads depends on the seed, the cheque and the box only, so the same reviewer can be asked
again, in another order, or by a faster path.
"""

import numpy as np

from hitl.demo.cheques import KNOWN_PAYEES, Batch, cents
from hitl.demo.rules import READ
from hitl.errors import ConfigurationError
from hitl.models import Review
from hitl.reviews import ReviewQueue

NAME = "the simulated reviewer"


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

    def decide(self, queue: ReviewQueue, review: Review, batch: Batch, *, cheque: int) -> None:
        """Look at one review and decide it, by the hash of what was shown.

        Args:
            queue: Where the review waits.
            review: A review of the desk.
            batch: The cheques with the truth.
            cheque: The number of the cheque it is about, from 1.

        Raises:
            ReviewRefusal: The review is over, or changed since it was read from the queue.
        """
        truth = tuple(int(digit) for digit in batch.truth[cheque - 1])
        if review.name.step == READ:
            self._decide_digit(queue, review, truth, cheque)
        else:
            self._decide_payment(queue, review, truth, cheque)

    def _decide_digit(
        self, queue: ReviewQueue, review: Review, truth: tuple[int, ...], cheque: int
    ) -> None:
        position = review.name.visit
        seen = self.reads(truth[position - 1], cheque=cheque, position=position)
        if seen == proposed_digit(review):
            queue.decide(review.id, "approve", by=NAME, proposal_hash=review.proposal_hash)
            return
        queue.decide(
            review.id,
            "deny",
            by=NAME,
            proposal_hash=review.proposal_hash,
            reasons=["another digit"],
            remedy="answer",
            answer={"digit": seen},
        )

    def _decide_payment(
        self, queue: ReviewQueue, review: Review, truth: tuple[int, ...], cheque: int
    ) -> None:
        shown = review.proposal.arguments
        reasons = []
        if shown["payee"] not in KNOWN_PAYEES:
            reasons.append("wrong payee")
        if shown["cents"] != cents(self.reads_amount(truth, cheque=cheque)):
            reasons.append("wrong amount")
        queue.decide(
            review.id,
            "deny" if reasons else "approve",
            by=NAME,
            proposal_hash=review.proposal_hash,
            reasons=reasons,
        )


def proposed_digit(review: Review) -> int:
    """Return the reading that a review of the reader's work puts before a person."""
    update = review.proposal.arguments["update"]
    digit = update.get("digit") if isinstance(update, dict) else None
    if not isinstance(digit, int):
        raise TypeError(f"Review {review.id!r} proposes {update!r}, which is no digit.")
    return digit
