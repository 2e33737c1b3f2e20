"""The reader: what it learns from, what it is tested on, how sure it is."""

import subprocess
import sys

import numpy as np
import pytest

from hitl.demo.calibration import Experience
from hitl.demo.cheques import batch, cents, money
from hitl.demo.digits import KNOWN, WORK, cheque_images, handwriting, learn, split
from hitl.errors import ConfigurationError

SEEDS = [0, 1, 7]


@pytest.mark.parametrize("seed", SEEDS)
def test_learning_calibration_and_work_images_are_disjoint(seed: int) -> None:
    parts = split(seed)

    everything = [*parts.known, *parts.work]
    assert len(everything) == len(set(everything)) == 1797
    assert (len(parts.known), len(parts.work)) == (KNOWN, WORK) == (897, 900)
    calibrating: list[int] = []
    for reader in range(3):
        learned, held_out = parts.fold(reader)
        assert len(learned) == 598
        assert not set(learned) & set(held_out)
        assert not set(learned) & set(parts.work)
        calibrating += list(held_out)
    assert sorted(calibrating) == sorted(parts.known)


def test_no_image_of_the_data_stands_on_two_sides_of_the_split_twice() -> None:
    pixels = handwriting().pixels
    assert len(np.unique(pixels, axis=0)) == len(pixels)


def test_another_seed_is_another_split_and_the_same_seed_the_same() -> None:
    assert (split(1).work == split(1).work).all()
    assert (split(1).work != split(2).work).any()


def test_the_reader_is_right_on_95_of_100_digits_and_says_86() -> None:
    right, said = [], []
    for seed in range(8):
        lesson = learn(seed)
        work = lesson.split.work
        digits, confidence = lesson.reader.read_all(handwriting().pixels[work])
        right.append((digits == handwriting().labels[work]).mean())
        said.append(confidence.mean())
    assert np.mean(right) == pytest.approx(0.953, abs=0.006)
    assert np.mean(said) == pytest.approx(0.856, abs=0.01)


def test_raw_confidences_would_promise_39_right_cheques_of_100() -> None:
    promised = []
    for seed in range(8):
        lesson = learn(seed)
        _, confidence = lesson.reader.read_all(handwriting().pixels[lesson.split.work])
        promised.append(confidence.reshape(-1, 6).prod(axis=1).mean())
    assert np.mean(promised) == pytest.approx(0.39, abs=0.02)


def test_reading_one_image_and_reading_all_say_the_same() -> None:
    lesson = learn(3)
    pixels = handwriting().pixels[lesson.split.work[:40]]

    digits, confidence = lesson.reader.read_all(pixels)

    for ink, digit, sure in zip(pixels, digits, confidence, strict=True):
        reading = lesson.reader.read(ink)
        assert reading.digit == digit
        assert reading.confidence == pytest.approx(sure, abs=1e-9)
        assert lesson.reader.calibrator(sure) == pytest.approx(
            lesson.reader.calibrator.p(confidence[confidence == sure])[0]
        )


def test_asked_again_the_reader_gives_its_next_best_reading() -> None:
    lesson = learn(0)
    ink = handwriting().pixels[lesson.split.work[0]]

    guesses = [lesson.reader.read(ink, guess=n) for n in range(1, 11)]

    assert sorted(g.digit for g in guesses) == list(range(10))
    assert all(0.0 <= g.confidence <= 1.0 for g in guesses)
    assert guesses[-1].confidence == pytest.approx(1.0)


def test_calibration_grows_with_confidence_and_keeps_the_mean() -> None:
    lesson = learn(5)
    seen = lesson.experience

    p = lesson.reader.calibrator.p(seen.confidence)

    assert (np.diff(p) >= 0).all()
    assert p[0] < p[-1]
    assert p.mean() == pytest.approx(seen.right.mean(), abs=0.003)
    grid = np.linspace(0.0, 1.0, 101)
    assert ((lesson.reader.calibrator.p(grid) >= 0) & (lesson.reader.calibrator.p(grid) <= 1)).all()


def test_calibration_is_the_mean_of_platt_and_isotonic() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.2, 1.0, 4000)
    right = rng.random(4000) < confidence**2

    p = Experience.of(confidence, right).calibrator().p(np.array([0.5, 0.7, 0.9]))

    assert p == pytest.approx([0.25, 0.49, 0.81], abs=0.04)


def test_drawn_calibrations_scatter_around_the_fitted_one() -> None:
    lesson = learn(2)
    rng = np.random.default_rng(1)

    drawn = np.array(
        [lesson.experience.redrawn(rng).p(lesson.experience.confidence).mean() for _ in range(200)]
    )

    fitted = lesson.reader.calibrator.p(lesson.experience.confidence).mean()
    assert drawn.mean() == pytest.approx(fitted, abs=0.003)
    assert 0.006 < drawn.std() < 0.012  # binomial alone: sqrt(.05 * .95 / 897) = .0073


@pytest.mark.parametrize("budget", [0.0, 0.02, 0.1, 0.5, 0.99, 1.0])
def test_the_threshold_selects_the_budget_of_the_calibration_images(budget: float) -> None:
    lesson = learn(1)
    p = lesson.reader.calibrator.p(lesson.experience.confidence)

    threshold = lesson.threshold(budget)

    assert (p < threshold).mean() == pytest.approx(budget, abs=1 / KNOWN)


def test_a_usual_threshold_is_short_enough_to_read() -> None:
    assert all(len(str(learn(seed).threshold(0.1))) <= 6 for seed in SEEDS)


@pytest.mark.parametrize("budget", [-0.01, 1.01, float("nan")])
def test_an_impossible_budget_is_refused(budget: float) -> None:
    with pytest.raises(ConfigurationError, match="not a share of digits"):
        learn(0).threshold(budget)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"seed -1 is negative"):
        learn(-1)


def test_150_cheques_use_every_work_image_once() -> None:
    lesson = learn(0)

    made = batch(lesson, 150, repeat=False)

    assert sorted(made.images.ravel()) == sorted(lesson.split.work)
    assert not made.repeats


def test_more_cheques_than_the_images_allow_repeat_them_or_are_refused() -> None:
    lesson = learn(0)

    made = batch(lesson, 320)

    assert made.repeats
    _, times = np.unique(made.images, return_counts=True)
    assert (len(times), times.min(), times.max()) == (900, 2, 3)
    assert (made.images[:150] == batch(lesson, 150).images).all()
    with pytest.raises(ConfigurationError, match=r"151 cheques need 906 digits.* 900 work"):
        cheque_images(lesson.split.work, 151, seed=0, repeat=False)


def test_no_cheques_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="0 cheques are no work"):
        batch(learn(0), 0)


def test_slips_say_what_their_bundle_adds_up_to() -> None:
    made = batch(learn(0), 24)

    last = [c for c in made.cheques if c.bundle == 3]
    assert [c.bundle_size for c in last] == [4, 4, 4, 4]
    assert last[0].control_total == sum(cents(row) for row in made.truth[20:])


def test_money_reads_like_money() -> None:
    assert money(437536) == "EUR 4,375.36"
    assert money(cents([0, 0, 0, 0, 0, 7])) == "EUR 0.07"


@pytest.mark.parametrize("module", ["numpy", "PIL", "sklearn"])
def test_without_the_extra_a_sentence_says_what_to_install(module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None; import hitl.demo.headless"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    told = done.stderr.splitlines()[-1]
    assert "pip install 'hitl-framework[demo]'" in told
    assert repr(module) in told


def test_importing_hitl_does_not_import_the_demo() -> None:
    code = (
        "import sys, hitl;"
        "print([m for m in ('sklearn', 'PIL', 'numpy', 'hitl.demo') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
