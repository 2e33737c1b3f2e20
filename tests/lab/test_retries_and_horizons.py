"""Another try, and how long work stays right: A19, A23 and A24."""

import math
from itertools import combinations

import numpy as np
import pytest

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import (
    RetryMixture,
    fit_retry_mixture,
    horizon,
    logistic_horizon,
    pass_at_k,
    retry_mixture,
    survival,
    weibull_shape,
)


@pytest.mark.parametrize(
    ("n", "c", "k", "expected"),
    [
        (10, 3, 5, 0.9166666667),
        (200, 7, 100, 0.9929911172),
        (10_000, 16, 250, 0.3332852212),
        (5, 5, 1, 1.0),
        (5, 0, 5, 0.0),
    ],
)  # A19
def test_pass_at_k(n: int, c: int, k: int, expected: float) -> None:
    assert pass_at_k(n, c, k) == pytest.approx(expected, abs=1e-9)


def test_pass_at_k_counts_subsets() -> None:
    tries = [1, 1, 0, 0, 0, 0, 0]
    hits = [any(chosen) for chosen in combinations(tries, 3)]
    assert pass_at_k(7, 2, 3) == pytest.approx(np.mean(hits), abs=1e-12)


def test_tasks_differ_as_the_monkeys_found() -> None:  # A24
    mixture = retry_mixture(0.159, 0.56, 250)
    assert mixture.a == pytest.approx(0.12202, abs=1e-4)
    assert mixture.b == pytest.approx(0.64541, abs=1e-4)
    assert mixture.pass_at(1) == pytest.approx(0.159, abs=1e-9)
    assert mixture.pass_at(10) == pytest.approx(0.34991, abs=1e-4)
    assert mixture.pass_at(50) == pytest.approx(0.46474, abs=1e-4)
    assert mixture.pass_at(10) < 1 - (1 - 0.159) ** 10


def test_a_task_that_failed_is_likely_hard() -> None:
    mixture = RetryMixture(3.0, 1.0)
    assert mixture.after(0) == mixture.mean == 0.75
    assert mixture.after(2) == 0.5
    assert mixture.pass_at(2) == pytest.approx(0.9)  # .9375 if tries were independent
    assert mixture.pass_at(0) == 0.0


def test_tries_better_than_independent_are_no_mixture() -> None:
    with pytest.raises(EvidenceRefusal, match=r"must lie between 0\.5 and 0\.75"):
        retry_mixture(0.5, 0.8, 2)


def test_the_fit_finds_the_mixture_that_made_the_counts() -> None:
    rng = np.random.default_rng(0)
    right = rng.binomial(8, rng.beta(0.5, 1.5, 5000))
    mixture = fit_retry_mixture(np.full(5000, 8), right)
    assert mixture.a == pytest.approx(0.5, rel=0.1)
    assert mixture.b == pytest.approx(1.5, rel=0.1)
    with pytest.raises(EvidenceRefusal, match="can't be told"):
        fit_retry_mixture([1, 1], [0, 1])


@pytest.mark.parametrize(
    ("quantile", "ratio"),
    [(0.8, 0.3219281), (0.9, 0.1520031), (0.99, 0.0144996), (0.999, 0.0014434)],
)  # A23
def test_horizons_at_a_constant_hazard(quantile: float, ratio: float) -> None:
    assert horizon(quantile, 1.0) == pytest.approx(ratio, abs=1e-7)
    assert survival(ratio * 60, 60) == pytest.approx(quantile, abs=1e-6)


def test_agents_fail_early_more_often() -> None:
    assert weibull_shape(0.8, 15 / 59) == pytest.approx(0.828, abs=5e-4)
    assert survival(10, 60, shape=0.6) == pytest.approx(0.789, abs=5e-4)
    assert survival(10, 60) == pytest.approx(0.891, abs=5e-4)
    assert horizon(0.8, 59, shape=weibull_shape(0.8, 15 / 59)) == pytest.approx(15)


def test_the_logistic_horizon_is_where_the_curve_crosses() -> None:
    rng = np.random.default_rng(3)
    minutes = np.exp2(rng.uniform(0, 10, 20_000))
    right = rng.random(20_000) < 1 / (1 + np.exp(-(3.0 - 0.6 * np.log2(minutes))))
    fitted = logistic_horizon(minutes, right)
    assert fitted.slope == pytest.approx(-0.6, abs=0.03)
    assert math.log2(fitted.at(0.5)) == pytest.approx(5.0, abs=0.15)
    assert fitted.at(0.8) < fitted.at(0.5)


def test_no_horizon_without_a_fall() -> None:
    with pytest.raises(EvidenceRefusal, match="does not fall"):
        logistic_horizon([1, 2, 4, 8], [0, 0, 1, 1], ridge=1.0)
    with pytest.raises(EvidenceRefusal, match="the same outcome"):
        logistic_horizon([1, 2], [1, 1])
    with pytest.raises(EvidenceRefusal, match="'t50' must be a finite number > 0"):
        horizon(0.8, 0.0)
