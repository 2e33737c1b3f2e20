"""What the demo predicts is what happens: over many seeds, and not with a wrong algebra."""

from dataclasses import dataclass
from math import comb, sqrt

import numpy as np
import pytest

from hitl.demo.cheques import Batch
from hitl.demo.digits import Lesson
from hitl.demo.figures import (
    Figures,
    Outcome,
    YesWrite,
    covers_step,
    figures,
    predicted,
    right_cheques,
)
from hitl.demo.simulation import simulate
from hitl.reliability import Write, log_probability

SEEDS = range(20)
BUDGET = 0.10
SD_ALONE, SD_REVIEWED, SD_TOUCHED = 0.046, 0.029, 0.031
"""Standard deviations of predicted less seen at 150 cheques: of all cheques, and of those in which
some digits were reviewed and some were not."""


@dataclass(frozen=True)
class Pooled:
    lesson: Lesson
    batch: Batch
    outcome: Outcome
    figures: Figures


@pytest.fixture(scope="module")
def pool() -> list[Pooled]:
    pooled = []
    for seed in SEEDS:
        lesson, batch, outcome = simulate(seed, 150, budget=BUDGET, accuracy=1.0)
        found = figures(batch, outcome, lesson, accuracy=1.0, seconds=0.0, draws=100)
        pooled.append(Pooled(lesson, batch, outcome, found))
    return pooled


def resets_the_whole_run(step: int, accuracy: float) -> Write:
    """The mutant: a yes to one digit erases the doubt of all digits before it."""
    return Write(step=step, log_p=log_probability(accuracy), unverified=0, reset=True)


def too_sure(pooled: Pooled, yes: YesWrite) -> float:
    """Predicted less seen, over the cheques where a yes stands beside unreviewed digits."""
    outcome = pooled.outcome
    touched = outcome.reviewed.any(axis=1) & ~outcome.reviewed.all(axis=1)
    right = right_cheques(outcome.final, pooled.batch.truth)
    return float((predicted(outcome, 1.0, yes) - right)[touched].mean())


def is_honest(errors: list[float], sd: float) -> bool:
    return bool(abs(np.mean(errors)) <= 3 * sd / sqrt(len(errors)))


def test_predicted_is_observed_over_many_seeds(pool: list[Pooled]) -> None:
    alone = [p.figures.predicted_alone - p.figures.alone_right for p in pool]
    reviewed = [p.figures.predicted_reviewed - p.figures.reviewed_right for p in pool]

    assert is_honest(alone, SD_ALONE)
    assert is_honest(reviewed, SD_REVIEWED)
    assert np.std(alone) == pytest.approx(SD_ALONE, rel=0.4)
    assert np.std(reviewed) == pytest.approx(SD_REVIEWED, rel=0.4)


def test_a_yes_that_resets_the_whole_run_is_found_out(pool: list[Pooled]) -> None:
    assert is_honest([too_sure(p, covers_step) for p in pool], SD_TOUCHED)
    assert not is_honest([too_sure(p, resets_the_whole_run) for p in pool], SD_TOUCHED)


def test_the_mutant_is_too_sure_in_the_figures_themselves(pool: list[Pooled]) -> None:
    wrong = [
        figures(
            p.batch,
            p.outcome,
            p.lesson,
            accuracy=1.0,
            seconds=0.0,
            draws=2,
            yes=resets_the_whole_run,
        ).predicted_reviewed
        - p.figures.reviewed_right
        for p in pool
    ]

    assert not is_honest(wrong, SD_REVIEWED)


def test_a_yes_to_the_fifth_digit_leaves_the_doubt_of_the_first_four() -> None:
    outcome = Outcome(
        p=np.array([[0.9, 0.9, 0.9, 0.9, 0.5, 0.9]]),
        read=np.zeros((1, 6), dtype=np.int64),
        final=np.zeros((1, 6), dtype=np.int64),
        approved=np.array([[False, False, False, False, True, False]]),
        denied=np.zeros((1, 6), dtype=np.bool_),
        resets=1,
    )

    assert predicted(outcome, 1.0) == pytest.approx([0.9**5])
    assert predicted(outcome, 0.8) == pytest.approx([0.9**5 * 0.8])
    assert predicted(outcome, 1.0, resets_the_whole_run) == pytest.approx([0.9])


def test_the_intervals_cover_at_their_rate(pool: list[Pooled]) -> None:
    alone = sum(_within(p.figures.alone_right, p.figures.predicted_alone_interval) for p in pool)
    reviewed = sum(
        _within(p.figures.reviewed_right, p.figures.predicted_reviewed_interval) for p in pool
    )

    least = _least_plausible(len(pool), 0.90)
    assert least <= alone
    assert least <= reviewed
    # Nor are they so wide that they cannot miss: about 2 x 1.645 standard deviations.
    widths = [np.ptp(p.figures.predicted_alone_interval) for p in pool]
    assert np.mean(widths) == pytest.approx(2 * 1.645 * SD_ALONE, rel=0.15)
    widths = [np.ptp(p.figures.predicted_reviewed_interval) for p in pool]
    assert np.mean(widths) == pytest.approx(2 * 1.645 * SD_REVIEWED, rel=0.2)


def _within(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]


def _least_plausible(n: int, rate: float) -> int:
    """Return the smallest k with P(Bin(n, rate) < k) >= 0.005."""
    below, k = 0.0, 0
    while below < 0.005:
        below += comb(n, k) * rate**k * (1 - rate) ** (n - k)
        k += 1
    return k - 1


def test_the_shares_are_those_of_the_readme(pool: list[Pooled]) -> None:
    shares = [p.figures for p in pool]

    assert np.mean([f.alone_right for f in shares]) == pytest.approx(0.75, abs=0.02)
    assert np.mean([f.reviewed_right for f in shares]) == pytest.approx(0.93, abs=0.012)
    assert np.mean([f.review_share for f in shares]) == pytest.approx(BUDGET, abs=0.01)
    assert np.mean([f.digit_accuracy for f in shares]) == pytest.approx(0.953, abs=0.004)


def test_a_reviewer_who_errs_costs_what_is_predicted() -> None:
    seen, expected = [], []
    for seed in SEEDS:
        _, batch, outcome = simulate(seed, 150, budget=BUDGET, accuracy=0.95)
        seen.append(right_cheques(outcome.final, batch.truth).mean())
        expected.append(predicted(outcome, 0.95).mean())

    assert np.mean(seen) == pytest.approx(0.91, abs=0.015)  # 3 x .022 / sqrt(20)
    assert is_honest([e - s for e, s in zip(expected, seen, strict=True)], 0.032)


def test_with_no_budget_nobody_looks_and_with_all_of_it_everybody() -> None:
    lesson, batch, nobody = simulate(0, 60, budget=0.0, accuracy=1.0)
    _, _, everybody = simulate(0, 60, budget=1.0, accuracy=1.0)

    alone = figures(batch, nobody, lesson, accuracy=1.0, seconds=0.0, draws=10)
    full = figures(batch, everybody, lesson, accuracy=1.0, seconds=0.0, draws=10)

    assert (alone.reviews, alone.predicted_reviewed) == (0, alone.predicted_alone)
    assert alone.reviewed_right == alone.alone_right
    assert (full.review_share, full.reviewed_right, full.predicted_reviewed) == (1.0, 1.0, 1.0)
    assert full.predicted_reviewed_interval == (1.0, 1.0)


def test_the_json_has_exactly_the_keys_that_were_promised(pool: list[Pooled]) -> None:
    plain = pool[0].figures.as_json()

    assert list(plain) == [
        *("cheques", "digits", "digit_accuracy", "alone_right", "reviewed_right"),
        *("review_share", "reviews", "approved", "denied", "resets"),
        *("predicted_alone", "predicted_reviewed"),
        *("predicted_alone_interval", "predicted_reviewed_interval", "seconds"),
    ]
    assert plain["digits"] == 900
    assert plain["reviews"] == pool[0].figures.approved + pool[0].figures.denied
    assert isinstance(plain["predicted_alone_interval"], list)


def test_repeated_images_widen_nothing_but_are_not_counted_as_new_evidence() -> None:
    narrow, wide = (simulate(4, n, budget=BUDGET, accuracy=1.0) for n in (600, 150))

    intervals = [
        figures(b, o, lesson, accuracy=1.0, seconds=0.0, draws=150).predicted_alone_interval
        for lesson, b, o in (narrow, wide)
    ]

    # Four times the cheques on the same images: independent cheques would halve the sampling error.
    assert np.ptp(intervals[0]) > 0.75 * np.ptp(intervals[1])
