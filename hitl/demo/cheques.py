"""The work: cheques whose amounts are real handwriting, and slips that say what a bundle adds up to."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hitl.demo.digits import DIGITS_PER_CHEQUE, Indices, Lesson, cheque_images, handwriting
from hitl.demo.pictures import Face

BUNDLE = 10
"""Cheques that come with one slip."""
KNOWN_PAYEES = (
    "Alba & Sons, Printers",
    "Brandt Glass Works",
    "Cooperative Dairy No. 4",
    "Dr. E. Ferrari",
    "Harbour Electric",
    "Kovač Bookbinders",
    "Northwind Freight",
    "Town Library Fund",
)
_STRANGERS = ("Northwind Freigth", "Alba & Son, Printers", "Harbor Electric")
_STRANGER_SHARE = 0.02
"""Share of cheques made out to somebody who is almost, but not quite, on the list."""


@dataclass(frozen=True, slots=True)
class Cheque:
    """A cheque as it comes in: nothing here says what the digits mean."""

    face: Face
    bundle: int
    """Which bundle it came in, from 1."""
    bundle_size: int
    control_total: int
    """What the slip says the bundle adds up to, in cents."""


@dataclass(frozen=True, slots=True)
class Batch:
    """All cheques of one demo, and, kept apart, the truth."""

    seed: int
    cheques: tuple[Cheque, ...]
    images: Indices
    """Indices into `Handwriting`, shape (cheques, 6)."""
    truth: Indices
    """What the writers meant, shape (cheques, 6). For the simulated reviewer and the figures only."""
    repeats: bool
    """Whether some image stands on more than one cheque."""


def cents(digits: Iterable[int]) -> int:
    """Return the amount of six digits, in cents."""
    return int("".join(str(d) for d in digits))


def money(amount: int) -> str:
    """Return cents as text: `"EUR 4,375.36"`."""
    return f"EUR {amount // 100:,}.{amount % 100:02d}"


def batch(lesson: Lesson, cheques: int, *, repeat: bool = True) -> Batch:
    """Return `cheques` cheques made of the lesson's work images; the same for the same seed.

    Raises:
        ConfigurationError: Fewer than one cheque; or more than 150 and `repeat` is False.
    """
    data = handwriting()
    images = cheque_images(lesson.split.work, cheques, seed=lesson.seed, repeat=repeat)
    truth = data.labels[images]
    payees = _payees(cheques, seed=lesson.seed)
    totals = [cents(row) for row in truth]
    made = []
    for index in range(cheques):
        ink = tuple(tuple(int(v) for v in data.pixels[i]) for i in images[index])
        bundle = totals[index // BUNDLE * BUNDLE :][:BUNDLE]
        face = Face(index + 1, payees[index], ink)
        made.append(Cheque(face, index // BUNDLE + 1, len(bundle), sum(bundle)))
    distinct = len(np.unique(images))
    return Batch(lesson.seed, tuple(made), images, truth, distinct < cheques * DIGITS_PER_CHEQUE)


def _payees(cheques: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng([seed, 2])
    known = rng.integers(len(KNOWN_PAYEES), size=cheques)
    strangers = rng.integers(len(_STRANGERS), size=cheques)
    is_strange = rng.random(cheques) < _STRANGER_SHARE
    return [
        _STRANGERS[s] if odd else KNOWN_PAYEES[k]
        for k, s, odd in zip(known, strangers, is_strange, strict=True)
    ]
