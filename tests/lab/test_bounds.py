"""Bounds on a rate: A8 to A13 and A15, and the simulation gates S3 (sequence) and S8."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import UnusableColumn
from hitl.lab.estimators import (
    binomial_p,
    clopper_pearson,
    confidence_sequence,
    hoeffding_bentkus,
    hoeffding_bentkus_upper,
    n_min,
    wsr_upper,
)
from tests.lab import quick
from tests.lab.peeking import ever_outside
from tests.lab.populations import allowed


def test_clopper_pearson_equals_its_reference_values() -> None:  # A8
    assert clopper_pearson(0, 50, 0.05) == pytest.approx(0.05815507912, abs=1e-10)
    assert clopper_pearson(0, 50, 0.05) == pytest.approx(1 - 0.05 ** (1 / 50), abs=1e-12)
    assert clopper_pearson(3, 100, 0.1) == pytest.approx(0.06558575150, abs=1e-10)
    assert clopper_pearson(10, 200, 0.05, "lower") == pytest.approx(0.02737425353, abs=1e-10)
    assert clopper_pearson(10, 200, 0.05) == pytest.approx(0.08333515107, abs=1e-10)
    assert clopper_pearson(7, 7, 0.05) == 1.0
    assert clopper_pearson(0, 7, 0.05, "lower") == 0.0


@pytest.mark.parametrize(
    ("k", "n", "alpha", "hb", "exact"),
    [
        (3, 100, 0.1, 0.02130178054, 0.00783648712),
        (10, 500, 0.05, 0.00125042909, 0.00046000715),
        (0, 45, 0.05, 0.09944025710, 0.09944025710),
    ],
)  # A9, A10
def test_p_values_equal_those_of_mapie(
    k: int, n: int, alpha: float, hb: float, exact: float
) -> None:
    assert hoeffding_bentkus(k / n, n, alpha) == pytest.approx(hb, abs=1e-9)
    assert binomial_p(k, n, alpha) == pytest.approx(exact, abs=1e-9)


def test_the_bound_and_the_p_value_are_one_test() -> None:
    for k in range(20):
        p, bound = binomial_p(k, 200, 0.05), clopper_pearson(k, 200, 0.1)
        assert (p <= 0.1) == (bound <= 0.05)


def test_bounds_in_their_order() -> None:  # A11, and 1.2 of the design
    exact, hb = clopper_pearson(10, 500, 0.1), hoeffding_bentkus_upper(10 / 500, 500, 0.1)
    assert exact == pytest.approx(0.03064655211, abs=1e-9)
    assert hb == pytest.approx(0.03494710211, abs=1e-9)
    losses = (np.random.default_rng(0).permutation(500) < 10).astype(float)
    hoeffding = 0.02 + math.sqrt(math.log(10) / 1000)
    assert hoeffding == pytest.approx(0.06799, abs=1e-4)
    assert exact < hb < wsr_upper(losses, 0.1) < hoeffding


def test_hoeffding_bentkus_does_not_lift_an_integer_count() -> None:
    for n in (49, 100, 301):
        for k in range(n):  # n * (k / n) is often k + 1e-14
            from_count = hoeffding_bentkus(k / n, n, 0.3)
            nearby = hoeffding_bentkus(max(0.0, k / n - 1e-15), n, 0.3)
            assert from_count == pytest.approx(nearby, rel=1e-9)


@pytest.mark.parametrize(
    ("alpha", "delta", "n"),
    [
        (0.05, 0.1, 45),
        (0.05, 0.05, 59),
        (0.01, 0.1, 230),
        (0.01, 0.05, 299),
        (0.001, 0.05, 2995),
        (0.5, 0.25, 2),  # an exact quotient
    ],
)  # A12
def test_the_fewest_labels_that_certify(alpha: float, delta: float, n: int) -> None:
    assert n_min(alpha, delta) == n


@given(st.floats(0.001, 0.9), st.floats(0.001, 0.9))
@quick
def test_one_label_less_would_not_certify(alpha: float, delta: float) -> None:
    n = n_min(alpha, delta)
    assert (1 - alpha) ** n <= delta * (1 + 1e-9)
    assert n == 1 or (1 - alpha) ** (n - 1) > delta * (1 - 1e-9)


def test_the_betting_bound_is_where_the_capital_reaches_ten() -> None:  # A13
    rng = np.random.default_rng(13)
    x, delta = rng.beta(1, 9, 300), 0.1
    bound = wsr_upper(x, delta)
    mean = spread = 0.5  # written out row by row, without our arrays
    total, squares, variance, log_capital, most = 0.5, 0.25, 0.25, 0.0, -math.inf
    for i, value in enumerate(x, start=1):
        bet = min(1.0, math.sqrt(2 * math.log(1 / delta) / (300 * variance)))
        log_capital += math.log(1 - bet * (value - bound))
        most = max(most, log_capital)
        total += value
        mean = total / (i + 1)
        squares += (value - mean) ** 2
        variance = squares / (i + 1)
    assert most == pytest.approx(math.log(10), abs=1e-8)
    assert mean != spread


def test_the_betting_bound_of_nothing_but_losses_is_one() -> None:
    assert wsr_upper(np.ones(50), 0.1) == 1.0


@pytest.mark.parametrize(("rate", "n"), [(0.1, 100), (0.1, 301), (0.3, 100), (0.3, 301)])
def test_s8_the_betting_bound_misses_no_more_than_delta(rate: float, n: int) -> None:
    """B = 800 of 2,000: allowed .1318; a bound cut into two halves misses .138 to .215."""
    rng, repetitions = np.random.default_rng(8), 800
    samples = (rng.random((repetitions, n)) < rate).astype(float)
    missed = sum(wsr_upper(sample, 0.1) < rate for sample in samples)
    assert missed / repetitions <= allowed(0.1, repetitions)


def test_the_sequence_equals_its_reference_values() -> None:  # A15, and s_L of the autonomy design
    low, high = confidence_sequence(304, 1000, 0.05)
    assert low == pytest.approx(0.2527499295, abs=1e-8)
    assert high == pytest.approx(0.3587249093, abs=1e-8)
    for caught, shown, expected in (
        (54, 60, 0.7016154),
        (27, 30, 0.6064245),
        (100, 100, 0.9279163),
    ):
        assert confidence_sequence(caught, shown, 0.01)[0] == pytest.approx(expected, abs=5e-8)


def test_s3_the_sequence_is_seldom_left_however_often_it_is_read() -> None:
    """2,000 streams of 600 looks; repeated 95 % intervals are left by more than a quarter."""
    rate, looks = 0.3, 600

    def in_sequence(k: int, n: int) -> bool:
        low, high = confidence_sequence(k, n, 0.05)
        return low <= rate <= high

    def in_interval(k: int, n: int) -> bool:
        low, high = clopper_pearson(k, n, 0.025, "lower"), clopper_pearson(k, n, 0.025)
        return low <= rate <= high

    left = ever_outside(in_sequence, rate=rate, looks=looks, repetitions=2000, seed=3)
    repeated = ever_outside(in_interval, rate=rate, looks=looks, repetitions=2000, seed=3)
    assert left <= allowed(0.05, 2000)
    assert repeated > 0.25


@pytest.mark.parametrize(
    ("k", "n", "sentence"),
    [
        (2.5, 10, "Column 'k' and n must be integers; they are 2.5 and 10."),
        (-1, 10, "Column 'k' must lie in [0, 10]; it is -1."),
        (11, 10, "Column 'k' must lie in [0, 10]; it is 11."),
        (0, 0, "Column 'n' must be at least 1; it is 0."),
    ],
)
def test_counts_are_integers_or_refused(k: int, n: int, sentence: str) -> None:
    for bound in (clopper_pearson, binomial_p, confidence_sequence):
        with pytest.raises(UnusableColumn) as refused:
            bound(k, n, 0.1)
        assert str(refused.value) == sentence
