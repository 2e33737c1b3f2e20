"""What reviewers catch, how right steps are, what changes: E17, E18, E10 (S9), reset values."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import EvidenceRefusal, NotIdentifiable, UnusableColumn
from hitl.lab.estimators import (
    adaptive_deviation,
    adaptive_level,
    dawid_skene,
    drifted,
    lindstrom_madden,
    node_accuracy,
    product_moments,
    product_of_steps,
    reset_value,
    reviewer_card,
)
from tests.lab import quick


@pytest.mark.parametrize(
    ("sensitivity", "expected"), [(1.0, 1.0), (0.9, 0.966), (0.6, 0.877), (0.2, 0.781)]
)
def test_a_yes_resets_to_what_the_reviewer_can_prove(sensitivity: float, expected: float) -> None:
    assert reset_value(0.75, sensitivity, 0.95) == pytest.approx(expected, abs=5e-4)
    with pytest.raises(EvidenceRefusal, match="'p' must lie in"):
        reset_value(float("nan"), 1.0, 1.0)


def test_a_reviewer_card_has_both_rates_and_their_doubt() -> None:
    wrong = [1] * 30 + [0] * 40
    denied = [1] * 24 + [0] * 6 + [0] * 38 + [1] * 2
    card = reviewer_card(wrong, denied, seconds=np.arange(70.0))
    assert card.sensitivity is not None
    assert card.specificity is not None
    assert (card.sensitivity.k, card.sensitivity.n) == (24, 30)
    assert card.sensitivity.low == pytest.approx(0.6143, abs=5e-4)
    assert card.specificity.value == 0.95
    assert card.median_seconds == 34.5
    assert card.warnings == ()


def test_few_known_answer_items_are_warned_of() -> None:
    card = reviewer_card([1, 1, 0], [1, 0, 0])
    assert card.sensitivity is not None
    assert card.sensitivity.high - card.sensitivity.low > 0.9
    assert card.warnings[0] == (
        "The rate on wrong items needs at least 30 items; there are 2. Collect 28 more."
    )
    assert reviewer_card([0, 0], [0, 0]).sensitivity is None


def test_fatigue_shows_as_drift() -> None:
    wrong = np.tile([1, 0], 50)
    tired = np.where(np.arange(100) < 50, wrong, 0)
    assert reviewer_card(wrong, tired).drift == -0.5


def test_reviewers_who_overlap_are_measured_without_truth() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.3
    rates = ((0.9, 0.95), (0.7, 0.9), (0.8, 0.98))
    votes = np.stack(
        [np.where(truth, rng.random(4000) < s, rng.random(4000) > t) for s, t in rates], axis=1
    ).astype(float)
    votes[rng.random(votes.shape) < 0.1] = np.nan
    found = dawid_skene(votes)
    assert found.sensitivity == pytest.approx([s for s, _ in rates], abs=0.06)
    assert found.specificity == pytest.approx([t for _, t in rates], abs=0.03)
    assert found.prevalence == pytest.approx(0.3, abs=0.03)
    assert float(np.mean((found.p_wrong > 0.5) == truth)) > 0.93


def test_two_reviewers_are_not_enough() -> None:
    with pytest.raises(NotIdentifiable, match="it takes three"):
        dawid_skene([[1.0, 0.0], [0.0, 0.0]])
    with pytest.raises(UnusableColumn, match="neither 0, 1 nor missing"):
        dawid_skene([[1.0, 0.5, 0.0]])


def test_a_steps_accuracy_is_a_beta() -> None:
    node = node_accuracy(95, 100)
    assert (node.a, node.b) == (95.5, 5.5)
    assert node.mean == pytest.approx(95.5 / 101)
    assert node.low < 0.95 < node.high


def test_the_product_of_three_steps_as_in_the_design() -> None:
    right, n = [95, 48, 190], [100, 50, 200]
    found = product_of_steps(right, n, rng=np.random.default_rng(0))
    assert found.point == pytest.approx(0.8664, abs=1e-9)
    assert found.low == pytest.approx(0.7872, abs=1e-3)
    assert found.certified == pytest.approx(0.7606, abs=5e-5)
    assert found.certified == lindstrom_madden(right, n, 0.05)
    nodes = [node_accuracy(k, m) for k, m in zip(right, n, strict=True)]
    draws = np.prod([x.draw(np.random.default_rng(1), 200_000) for x in nodes], axis=0)
    mean, variance = product_moments(nodes)
    assert draws.mean() == pytest.approx(mean, abs=4e-4)
    assert draws.var() == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("sizes", [(40, 40), (30, 60), (100, 20)])
def test_the_certified_product_seldom_lies_above_the_truth(sizes: tuple[int, int]) -> None:
    """B = 2,000 at delta = .05."""
    rng = np.random.default_rng(sum(sizes))
    draws = rng.binomial(sizes, (0.95, 0.9), size=(2000, 2))
    missed = sum(lindstrom_madden(k.tolist(), sizes, 0.05) > 0.95 * 0.9 for k in draws)
    assert missed / 2000 <= 0.0646


@quick
@given(st.lists(st.integers(0, 1), min_size=1, max_size=300), st.floats(0.01, 0.5))
def test_s9_the_adaptive_level_keeps_its_bound_on_any_sequence(
    wishes: list[int], target: float
) -> None:
    level, errors = adaptive_level(target, step=0.05), []
    for wish in wishes:
        error = 0 if level.value < 0 else 1 if level.value > 1 else wish
        errors.append(error)
        level = level.then(error)
    deviation = abs(np.mean(errors) - target)
    assert deviation <= adaptive_deviation(target, 0.05, len(errors)) + 1e-12


def test_the_adaptive_level_follows_a_shift() -> None:
    rng = np.random.default_rng(10)
    level, errors = adaptive_level(0.1, step=0.02), []
    for t, score in enumerate(rng.random(20_000)):
        shifted = score + (0.3 if t > 10_000 else 0.0)
        error = int(level.value >= 0 and (level.value > 1 or shifted > 1.0 - level.value))
        errors.append(error)
        level = level.then(error)
    assert adaptive_deviation(0.1, 0.02, 20_000) == pytest.approx(0.0023, abs=5e-5)
    assert abs(np.mean(errors) - 0.1) <= 0.0023


def test_drift_is_named_when_it_is_sure() -> None:
    assert not drifted((2, 100), (10, 100))
    assert drifted((2, 100), (30, 100))
    assert not drifted((2, 100), (30, 100), tolerance=0.2)


def test_a_false_drift_alarm_is_rare_at_any_look() -> None:
    """150 streams of 300 labels at the reference's own rate, alarm ever at delta = .1."""
    rng, rung = np.random.default_rng(0), 0
    for _ in range(150):
        reference = int(rng.binomial(200, 0.1))
        errors = list(itertools.accumulate((rng.random(300) < 0.1).astype(int).tolist()))
        looks = [(k, n) for n, k in enumerate(errors, start=1) if n % 20 == 0]
        rung += any(drifted((reference, 200), live, delta=0.1) for live in looks)
    assert rung / 150 <= 0.1
