"""What the demo claims, beside what happened.

Observed: the share of cheques whose six digits are what the writer meant, alone (the reader's first
readings) and reviewed (what was written down in the end). Truth is the labels.

Predicted, without looking at a label of the work, from the algebra of reliability: a cheque is right
with the product over its digits of p, or of the reviewer's accuracy A where the digit was reviewed.
A is the chance that a reviewed digit ends right whatever the verdict: p A for an approved right
reading plus (1 - p) A for a wrong one replaced by what the reviewer reads.

The interval is the central 90 % of what a batch like this one would show: each draw first says how
wrong the calibration may be (`Experience.redrawn`), then digit by digit which images were read right
and which the reviewer saw right. An image on two cheques was read right on both or on neither.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from hitl.demo.calibration import Floats
from hitl.demo.cheques import Batch
from hitl.demo.digits import Indices, Lesson, handwriting
from hitl.models import JsonObject
from hitl.reliability import Standing, Write, log_probability

INTERVAL = 0.90
"""How often the interval holds the observed share."""
DRAWS = 400

Bools = npt.NDArray[np.bool_]
YesWrite = Callable[[int, float], Write]
"""From (superstep, reviewer's accuracy) to what a reviewed digit adds to the standing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch: arrays of shape (cheques, 6)."""

    p: Floats
    """What the desk held for P(the reader's first reading is right)."""
    read: Indices
    """The reader's first readings."""
    final: Indices
    """What was written down."""
    approved: Bools
    denied: Bools
    resets: int
    """How often a person's yes or answer cleared the doubt of what it covered."""
    elsewhere: int = 0
    """Reviews of the checker's and the payer's work: counted apart."""

    @property
    def reviewed(self) -> Bools:
        """Which digits a person decided."""
        return self.approved | self.denied


@dataclass(frozen=True, slots=True)
class Figures:
    """The demo's figures. Shares are in [0, 1]; intervals are (low, high)."""

    cheques: int
    digits: int
    digit_accuracy: float
    """Of the reader alone."""
    alone_right: float
    reviewed_right: float
    review_share: float
    """Digits that were reviewed."""
    reviews: int
    """Of digits; reviews of payments are counted apart."""
    approved: int
    denied: int
    resets: int
    predicted_alone: float
    predicted_reviewed: float
    predicted_alone_interval: tuple[float, float]
    predicted_reviewed_interval: tuple[float, float]
    seconds: float

    def as_json(self) -> JsonObject:
        """Return the figures as plain data, shares rounded to six decimals."""
        return {key: _plain(value) for key, value in asdict(self).items()}


def covers_step(step: int, accuracy: float) -> Write:
    """Return what a decision about one digit adds: its doubt becomes the reviewer's, no other goes."""
    return Write(step=step, log_p=log_probability(accuracy), unverified=0)


def predicted(outcome: Outcome, accuracy: float, yes: YesWrite = covers_step) -> Floats:
    """Return each cheque's predicted P(right) as it was reviewed, shape (cheques,)."""
    rows = zip(outcome.p, outcome.reviewed, strict=True)
    return np.array([_reliability(p, seen, accuracy, yes) for p, seen in rows])


def predicted_alone(outcome: Outcome) -> Floats:
    """Return each cheque's predicted P(right) had nobody looked, shape (cheques,)."""
    nobody = np.zeros(outcome.p.shape[1], dtype=np.bool_)
    return np.array([_reliability(p, nobody, 1.0, covers_step) for p in outcome.p])


def _reliability(p: Floats, reviewed: Bools, accuracy: float, yes: YesWrite) -> float:
    standing = Standing()
    for step, (own, seen) in enumerate(zip(p, reviewed, strict=True)):
        write = yes(step, accuracy) if seen else Write(step=step, log_p=log_probability(own))
        standing = standing.then(write)
    return standing.reliability


def right_cheques(digits: Indices, truth: Indices) -> Bools:
    """Return which cheques have every digit right, shape (cheques,)."""
    right: Bools = (digits == truth).all(axis=1)
    return right


def figures(
    batch: Batch,
    outcome: Outcome,
    lesson: Lesson,
    *,
    accuracy: float,
    seconds: float,
    draws: int = DRAWS,
    yes: YesWrite = covers_step,
) -> Figures:
    """Return the figures of a batch.

    Args:
        batch: The cheques, with the truth.
        outcome: What became of them.
        lesson: What the reader knows of itself.
        accuracy: The reviewer's P(reads a digit right).
        seconds: What it took.
        draws: How many draws the intervals rest on.
        yes: What a reviewed digit adds to the standing.
    """
    alone, reviewed = intervals(batch, outcome, lesson, accuracy=accuracy, draws=draws)
    return Figures(
        cheques=len(batch.cheques),
        digits=outcome.read.size,
        digit_accuracy=float((outcome.read == batch.truth).mean()),
        alone_right=float(right_cheques(outcome.read, batch.truth).mean()),
        reviewed_right=float(right_cheques(outcome.final, batch.truth).mean()),
        review_share=float(outcome.reviewed.mean()),
        reviews=int(outcome.reviewed.sum()),
        approved=int(outcome.approved.sum()),
        denied=int(outcome.denied.sum()),
        resets=outcome.resets,
        predicted_alone=float(predicted_alone(outcome).mean()),
        predicted_reviewed=float(predicted(outcome, accuracy, yes).mean()),
        predicted_alone_interval=alone,
        predicted_reviewed_interval=reviewed,
        seconds=seconds,
    )


def intervals(
    batch: Batch, outcome: Outcome, lesson: Lesson, *, accuracy: float, draws: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the predictive intervals of the shares of right cheques, (alone, reviewed)."""
    images, box = np.unique(batch.images, return_inverse=True)
    box = box.reshape(batch.images.shape)
    _, confidence = lesson.reader.read_all(handwriting().pixels[images])
    rng = np.random.default_rng([batch.seed, 4])
    shares = np.empty((draws, 2))
    for draw in range(draws):
        p = lesson.experience.redrawn(rng).p(confidence)
        read_right = (rng.random(len(images)) < p)[box]
        seen_right = rng.random(box.shape) < accuracy
        shares[draw, 0] = read_right.all(axis=1).mean()
        shares[draw, 1] = np.where(outcome.reviewed, seen_right, read_right).all(axis=1).mean()
    alone, reviewed = (_central(shares[:, column]) for column in (0, 1))
    return alone, reviewed


def _central(shares: Floats) -> tuple[float, float]:
    outside = (1.0 - INTERVAL) / 2.0
    return float(np.quantile(shares, outside)), float(np.quantile(shares, 1.0 - outside))


def _plain(value: JsonValue | tuple[float, float]) -> JsonValue:
    if isinstance(value, tuple):
        return [round(bound, 6) for bound in value]
    return round(value, 6) if isinstance(value, float) else value
