"""Areas under risk-coverage curves: A1 to A7, and what a ranking that ranks nothing is told."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hitl.lab.estimators import (
    augrc,
    aurc,
    aurc_optimum,
    aurc_trapezoid,
    auroc,
    excess_augrc,
    excess_aurc,
    ranking_warnings,
    risk_coverage,
)
from tests.lab import quick

ROW = np.arange(100)
EVEN_ODD = ROW % 2
RISING = np.linspace(0.0, 1.0, 100)


@pytest.mark.parametrize(
    ("confidence", "correct", "trapezoid", "generalised"),
    [
        (EVEN_ODD, EVEN_ODD, 0.125, 0.125),  # A1: a perfect ranking of half wrong rows
        ((ROW + 1) % 2, EVEN_ODD, 0.875, 0.375),  # A2: the inverted one
        (RISING, EVEN_ODD, 0.482811125758, 0.2475),  # A3
        (RISING, RISING, 0.2475, 0.165833333333),  # A4: degrees of correctness
        (np.full(100, 0.5), EVEN_ODD, 0.5, 0.25),  # A5: nothing is ranked
    ],
)
def test_areas_equal_those_of_fd_shifts(
    confidence: NDArray[np.float64],
    correct: NDArray[np.float64],
    trapezoid: float,
    generalised: float,
) -> None:
    assert aurc_trapezoid(confidence, correct) == pytest.approx(trapezoid, abs=1e-12)
    assert augrc(confidence, correct) == pytest.approx(generalised, abs=1e-12)


def test_the_trapezoid_beats_the_optimum_and_the_exact_area_does_not() -> None:
    assert aurc_trapezoid(EVEN_ODD, EVEN_ODD) - aurc_optimum(0.5) == pytest.approx(
        -0.0284264097, abs=1e-9
    )
    assert aurc(EVEN_ODD, EVEN_ODD) == pytest.approx(0.155914, abs=1e-6)
    assert excess_aurc(EVEN_ODD, EVEN_ODD) > 0.0


def test_excess_over_the_optimum() -> None:
    assert aurc_trapezoid((ROW + 1) % 2, EVEN_ODD) - aurc_optimum(0.5) == pytest.approx(
        0.7215735903, abs=1e-9
    )  # A2
    equal = np.full(100, 0.5)
    assert excess_aurc(equal, EVEN_ODD) == pytest.approx(0.346573590, abs=1e-9)  # A5
    assert excess_augrc(equal, EVEN_ODD) == pytest.approx(0.125, abs=1e-12)


@pytest.mark.parametrize(
    ("rate", "optimum"),
    [(0.5, 0.15342640972), (0.25, 0.03423844566), (0.1, 0.00517553591), (1.0, 1.0)],
)  # A7
def test_the_optimum_has_a_closed_form(rate: float, optimum: float) -> None:
    assert aurc_optimum(rate) == pytest.approx(optimum, abs=1e-11)


def test_the_generalised_area_equals_its_closed_form_with_ties() -> None:
    rng = np.random.default_rng(6)  # A6
    confidence = np.round(rng.beta(3, 1, 20_000), 2)
    correct = rng.random(20_000) < confidence
    acc = correct.mean()
    ranked = auroc(confidence, correct)
    assert ranked is not None
    closed = (1 - ranked) * acc * (1 - acc) + (1 - acc) ** 2 / 2
    assert augrc(confidence, correct) == pytest.approx(closed, abs=1e-12)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.integers(0, 1)), min_size=1))
@quick
def test_ties_count_as_the_mean_over_all_their_orders(rows: list[tuple[float, int]]) -> None:
    confidence, correct = (np.array(column, float) for column in zip(*rows, strict=True))
    rng = np.random.default_rng(0)
    shuffled = []
    for _ in range(200):
        order = np.lexsort((rng.random(correct.size), -confidence))
        losses = 1.0 - correct[order]
        shuffled.append(np.mean(np.cumsum(losses) / np.arange(1, losses.size + 1)))
    spread = np.std(shuffled) / np.sqrt(200)
    assert aurc(confidence, correct) == pytest.approx(np.mean(shuffled), abs=5 * spread + 1e-9)


def test_the_curve_ends_at_full_coverage_with_the_plain_error_rate() -> None:
    curve = risk_coverage([0.9, 0.9, 0.5, 0.1], [0, 1, 0, 1])
    assert curve.confidence.tolist() == [0.9, 0.5, 0.1]
    assert curve.coverage.tolist() == [0.5, 0.75, 1.0]
    assert curve.selective_risk == pytest.approx([0.5, 1 / 3, 0.5])
    assert curve.generalised_risk == pytest.approx([0.25, 0.25, 0.5])


def test_weights_stand_for_rows() -> None:
    once = risk_coverage([0.9, 0.5, 0.5], [0, 1, 1])
    weighted = risk_coverage([0.9, 0.5], [0, 1], weight=[1, 2])
    assert weighted.coverage.tolist() == once.coverage.tolist()
    assert weighted.selective_risk == pytest.approx(once.selective_risk)


def test_equal_and_inverted_confidences_are_named() -> None:
    assert ranking_warnings([0.9, 0.9], [0, 1]) == ("All confidences are 0.9: they rank nothing.",)
    (inverted,) = ranking_warnings([0.9, 0.2], [0, 1])
    assert inverted == "Confidence is inverted: 0.900 on average when wrong, 0.200 when right."
    assert ranking_warnings([0.2, 0.9], [0, 1]) == ()
    assert ranking_warnings([0.2, 0.9], [1, 1]) == ()


def test_nothing_to_rank_has_no_auroc() -> None:
    assert auroc([0.1, 0.9], [1, 1]) is None
