"""A judge on many rows, a person on few: A17, A18 and A20, S7, and the judge card."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.errors import NotIdentifiable, TooFewLabels
from hitl.lab.estimators import (
    calibration,
    effective_labels_gained,
    judge_card,
    kappa,
    ppi,
    rogan_gladen,
    rogan_gladen_interval,
)

Array = NDArray[np.float64]


def judged_stream(rng: np.random.Generator, n: int, *, right: float = 0.7) -> tuple[Array, Array]:
    """Return (truth, judgment) of a judge with sensitivity .9 and specificity .8."""
    truth = (rng.random(n) < right).astype(float)
    said = np.where(truth == 1.0, rng.random(n) < 0.9, rng.random(n) < 0.2)
    return truth, said.astype(float)


def test_rogan_gladen_equals_its_reference_values() -> None:  # A17
    assert rogan_gladen(0.4, 0.9, 0.7) == pytest.approx(0.1666666667, abs=1e-9)
    low, high = rogan_gladen_interval(0.4, 1000, tpr=0.9, positives=200, tnr=0.7, negatives=200)
    assert low == pytest.approx(0.0563507248, abs=1e-9)
    assert high == pytest.approx(0.2627330258, abs=1e-9)


def test_rogan_gladen_finds_the_rate_under_another_prevalence() -> None:
    truth = 0.1
    seen = truth * 0.9 + (1 - truth) * 0.2
    assert rogan_gladen(seen, 0.9, 0.8) == pytest.approx(truth, abs=1e-12)
    assert rogan_gladen(0.05, 0.9, 0.8) == 0.0  # fewer positives than false ones alone


def test_a_judge_no_better_than_a_coin_has_no_rate() -> None:
    with pytest.raises(NotIdentifiable, match="knows no more than a coin"):
        rogan_gladen(0.4, 0.5, 0.5)


def test_ppi_without_trust_is_the_mean_of_the_labels() -> None:  # A18, lam = 0
    truth, said = judged_stream(np.random.default_rng(0), 300)
    alone = ppi(truth[:100], said[:100], said[100:], lam=0.0)
    assert alone.value == pytest.approx(truth[:100].mean(), abs=1e-12)
    assert alone.stderr == pytest.approx(truth[:100].std() / 10, abs=1e-12)


def test_plain_ppi_by_hand() -> None:  # A18, lam = 1
    found = ppi([1, 0, 1, 1], [1, 1, 1, 0], [1, 0, 1, 1, 0], lam=1.0)
    assert found.value == pytest.approx(3 / 5 + (0 - 1 + 0 + 1) / 4, abs=1e-12)
    assert found.stderr == pytest.approx(math.sqrt(0.24 / 5 + 0.5 / 4), abs=1e-12)


def test_a_judge_that_never_varies_is_ignored() -> None:
    found = ppi([1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 1])
    assert found.value == pytest.approx(0.5, abs=1e-12)


def test_s7_the_tuned_interval_covers_and_is_narrow() -> None:
    """B = 1,000: coverage within .935 to .965 (se .007), width at most .80 of the labels alone."""
    rng, covered, widths, alone = np.random.default_rng(7), 0, 0.0, 0.0
    gained = []
    for _ in range(1000):
        truth, said = judged_stream(rng, 2200)
        tuned = ppi(truth[:200], said[:200], said[200:])
        human = ppi(truth[:200], said[:200], said[200:], lam=0.0)
        covered += tuned.low <= 0.7 <= tuned.high
        widths, alone = widths + tuned.high - tuned.low, alone + human.high - human.low
        gained.append(effective_labels_gained(human, tuned))
    assert 0.935 <= covered / 1000 <= 0.965
    assert widths / alone <= 0.80
    assert 1.5 < float(np.mean(gained)) < 2.1


def test_kappa_of_the_textbook_table() -> None:  # A20: 20 both yes, 5 and 10 apart, 15 both no
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert kappa(first, second) == pytest.approx(0.4, abs=1e-12)
    assert kappa([1, 1], [1, 1]) is None


def test_a_judge_card_counts_each_kind() -> None:
    wrong = np.repeat([1, 0], [40, 60])
    said = np.concatenate((np.repeat([1, 0], [36, 4]), np.repeat([1, 0], [6, 54])))
    card = judge_card(wrong, said)
    assert (card.tpr.k, card.tpr.n, card.tpr.value) == (36, 40, 0.9)
    assert (card.tnr.k, card.tnr.n, card.tnr.value) == (54, 60, 0.9)
    assert card.tpr.low < 0.9 < card.tpr.high
    assert card.prevalence == 0.4


def test_a_judge_card_of_few_rows_is_refused() -> None:
    wrong = np.repeat([1, 0], [29, 60])
    with pytest.raises(TooFewLabels) as refused:
        judge_card(wrong, wrong)
    assert str(refused.value) == (
        "The judge card needs at least 30 wrong rows; there are 29. Collect 1 more."
    )


def test_calibration_of_a_calibrated_and_a_boastful_agent() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(20_000)
    right = rng.random(20_000) < confidence
    honest, boastful = calibration(confidence, right), calibration(np.sqrt(confidence), right)
    assert honest.ece < 0.02 < 0.1 < boastful.ece
    assert honest.brier == pytest.approx(1 / 6, abs=0.005)
    assert honest.brier < boastful.brier
    assert calibration([0.75], [1]).ece == 0.25
