"""The reader, and the real handwriting it reads: scikit-learn's bundled UCI digits, no network.

1,797 images of 8 x 8 pixels, split at random by seed: 897 are known, 900 are the work. Three readers
learn from two thirds of the known images each; the first one works. What each says about the third
it did not see calibrates the confidence: 897 pairs, none of them used to learn the reader that
judged it, and none of them work.

The reader is multinomial logistic regression on the pixels (scikit-learn's default strength, C = 1).
It reads 95 % of the digits right and is underconfident: its largest class probability averages .86.
Taken at its word, it would promise 39 % right cheques where 75 % are.

The images of the parts have writers in common; digits of unseen writers are harder.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # has no types

from hitl.demo.calibration import Calibrator, Experience, Floats
from hitl.errors import ConfigurationError

KNOWN = 897
"""Images the readers learn from and are calibrated on."""
WORK = 900
"""Images on the cheques."""
READERS = 3
DIGITS_PER_CHEQUE = 6
CHEQUES_WITHOUT_REPEAT = WORK // DIGITS_PER_CHEQUE
_STORY = 329
"""Part of every seed: chosen so that with seed 0 the first doubtful digit comes on the fifth cheque and
is right, and the first wrong one on the twelfth. The figures of seed 0 are ordinary ones."""
_INK = 16.0
"""Largest pixel value in the data."""

Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Handwriting:
    """The images and what their writers meant."""

    pixels: Floats
    """Ink in [0, 16], shape (1797, 64), rows top to bottom."""
    labels: Indices
    """The true digits, 0 to 9, shape (1797,)."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which image serves what: indices into `Handwriting`."""

    known: Indices
    """Shape (897,)."""
    work: Indices
    """Shape (900,), disjoint from `known`."""

    def fold(self, reader: int) -> tuple[Indices, Indices]:
        """Return (images the reader learns from, images that calibrate it), both of `known`."""
        held_out = np.arange(len(self.known)) % READERS == reader
        return self.known[~held_out], self.known[held_out]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the reader makes of one image."""

    digit: int
    confidence: float
    """The digit's class probability, as the classifier says it, in [0, 1]. Not calibrated."""


class DigitReader:
    """A classifier of one handwritten digit, with its calibration."""

    def __init__(self, model: LogisticRegression, calibrator: Calibrator) -> None:
        self._model = model
        self.calibrator = calibrator

    def read(self, pixels: Floats, *, guess: int = 1) -> Reading:
        """Return the reading of one image.

        Args:
            pixels: Ink in [0, 16], shape (64,).
            guess: 1 for the best reading, 2 for the next best, up to 10. The confidence of a later
                guess is its probability given that the earlier ones are wrong.
        """
        chances = self._model.predict_proba(pixels[None] / _INK)[0]
        order = np.argsort(chances, kind="stable")[::-1]
        left = max(float(chances[order[guess - 1 :]].sum()), 1e-12)
        confidence = min(float(chances[order[guess - 1]]) / left, 1.0)
        return Reading(int(self._model.classes_[order[guess - 1]]), confidence)

    def read_all(self, pixels: Floats) -> tuple[Indices, Floats]:
        """Return (digits, confidence) of many images at once, shapes (n,): as `read` would."""
        return _best(self._model, pixels)


@dataclass(frozen=True, slots=True)
class Lesson:
    """Everything one seed fixes about the reader: the split, the working reader, what it knows of itself."""

    seed: int
    split: Split
    reader: DigitReader
    experience: Experience
    """The 897 out-of-fold pairs."""

    def threshold(self, budget: float) -> float:
        """Return the p below which a share `budget` of the calibration images lies.

        Written with as few decimals as select the same images.

        Raises:
            ConfigurationError: `budget` is not a share in [0, 1].
        """
        if not 0.0 <= budget <= 1.0:
            raise ConfigurationError(
                f"The budget {budget} is not a share of digits to review; give a number from 0 to 1."
            )
        if budget in (0.0, 1.0):
            return budget  # nobody is asked, or everybody: no quantile says that of unseen images
        p = self.reader.calibrator.p(self.experience.confidence)
        exact = float(np.quantile(p, budget))
        short = (round(exact, decimals) for decimals in range(2, 17))
        return next((t for t in short if (p < t).sum() == (p < exact).sum()), exact)


@lru_cache(maxsize=1)
def handwriting() -> Handwriting:
    """Return the bundled images."""
    data = load_digits()
    return Handwriting(data.data.astype(np.float64), data.target.astype(np.int64))


def split(seed: int) -> Split:
    """Return the random split of this seed.

    Raises:
        ConfigurationError: `seed` is negative.
    """
    if seed < 0:
        raise ConfigurationError(f"The seed {seed} is negative; give 0 or a larger whole number.")
    order = np.random.default_rng([_STORY, seed]).permutation(KNOWN + WORK)
    return Split(order[:KNOWN], order[KNOWN:])


@lru_cache(maxsize=32)
def learn(seed: int) -> Lesson:
    """Return the working reader of this seed (>= 0), calibrated. Takes about a fifth of a second."""
    parts, data = split(seed), handwriting()
    models: list[LogisticRegression] = []
    confidence, right = np.zeros(KNOWN), np.zeros(KNOWN, dtype=np.bool_)
    for reader in range(READERS):
        learned, held_out = parts.fold(reader)
        models.append(_model(data.pixels[learned], data.labels[learned]))
        digits, sure = _best(models[-1], data.pixels[held_out])
        place = np.isin(parts.known, held_out)
        confidence[place], right[place] = sure, digits == data.labels[held_out]
    experience = Experience.of(confidence, right)
    return Lesson(seed, parts, DigitReader(models[0], experience.calibrator()), experience)


def cheque_images(work: Indices, cheques: int, *, seed: int, repeat: bool) -> Indices:
    """Return which image stands in which box: indices into `Handwriting`, shape (cheques, 6).

    The first 150 cheques use each work image once; each further 150 use all of them again, shuffled.

    Raises:
        ConfigurationError: Fewer than one cheque; or more than 150 and `repeat` is False.
    """
    if cheques < 1:
        raise ConfigurationError(f"{cheques} cheques are no work; give at least 1.")
    if cheques > CHEQUES_WITHOUT_REPEAT and not repeat:
        raise ConfigurationError(
            f"{cheques} cheques need {cheques * DIGITS_PER_CHEQUE} digits, and there are {WORK} work"
            f" images. Ask for at most {CHEQUES_WITHOUT_REPEAT} cheques, or let images repeat."
        )
    rng = np.random.default_rng([seed, 1])
    passes = [work]
    while len(passes) * CHEQUES_WITHOUT_REPEAT < cheques:
        passes.append(rng.permutation(work))
    boxes = np.concatenate(passes)[: cheques * DIGITS_PER_CHEQUE]
    return boxes.reshape(cheques, DIGITS_PER_CHEQUE)


def _model(pixels: Floats, labels: Indices) -> LogisticRegression:
    with threadpool_limits(1):  # threads cost more than they give on matrices this small
        return LogisticRegression(C=1.0, max_iter=200).fit(pixels / _INK, labels)


def _best(model: LogisticRegression, pixels: Floats) -> tuple[Indices, Floats]:
    chances = model.predict_proba(pixels / _INK)
    best = chances.argmax(axis=1)
    digits: Indices = model.classes_[best].astype(np.int64)
    return digits, chances.max(axis=1)
