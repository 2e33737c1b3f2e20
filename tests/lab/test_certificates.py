"""Thresholds that are proven, or not given: A14, A21, A25, E6 to E8, E14, and their bad inputs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from hitl.errors import EvidenceRefusal, TooFewLabels, UnusableColumn
from hitl.lab.certificates import (
    anytime_certificate,
    beta_level,
    certify,
    certify_with_reviewers,
    crc,
    critical_levels,
    predictive_interval,
    rcps,
    trajectory_certificate,
    trajectory_threshold,
)
from hitl.lab.certificates.anytime import log_betainc
from hitl.lab.certificates.fixed_sequence import candidates, first_candidate, passes
from hitl.lab.estimators import binomial_p, clopper_pearson, n_min
from tests.lab import quick
from tests.lab.populations import CALIBRATED, FLAT_SAFE, INFORMATIVE


@pytest.mark.parametrize(
    ("k", "n", "expected"),
    [(0, 45, 1.7389912461), (2, 200, 3.9910275654), (10, 500, 4.6746455811)],
)  # A14
def test_the_anytime_certificate(k: int, n: int, expected: float) -> None:
    assert anytime_certificate(k, n, 0.05) == pytest.approx(expected, abs=1e-8)


def test_the_first_certification_without_an_error_comes_at_59() -> None:
    bar = math.log(10)
    first = next(n for n in range(1, 100) if anytime_certificate(0, n, 0.05) >= bar)
    assert first == 59
    assert anytime_certificate(0, 0, 0.05) == 0.0


@quick
@given(st.integers(1, 40), st.floats(0.01, 0.3))
def test_the_e_value_averages_to_one_at_the_edge(n: int, alpha: float) -> None:
    mean = sum(
        binom.pmf(k, n, alpha) * math.exp(anytime_certificate(k, n, alpha)) for k in range(n + 1)
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("a", "b"), [(500, 500), (60, 40), (3, 200)])
def test_the_e_value_survives_underflow(a: int, b: int) -> None:
    """I_x(a, b) = P(Bin(a + b - 1, x) >= a), summed in whole numbers at x = 1/100."""
    n = a + b - 1
    tail = sum(math.comb(n, j) * 99 ** (n - j) for j in range(a, n + 1))
    exact = math.log(tail) - n * math.log(100)
    assert log_betainc(a, b, 0.01) == pytest.approx(exact, rel=1e-12)
    assert math.isfinite(anytime_certificate(9_000, 10_000, 0.01))


def test_certify_walks_to_the_last_threshold_that_passes() -> None:
    """Written out: 1,000 distinct confidences, candidates by one row each."""
    rng = np.random.default_rng(2)
    confidence, wrong = CALIBRATED.draw(rng, 1000)
    found = certify(confidence, wrong, alpha=0.05, delta=0.1)
    order = np.argsort(-confidence)
    last = None
    n = next(n for n in range(1, 1000) if binom.cdf(3, n, 0.05) <= 0.08)
    while n < 1000 and binom.cdf(wrong[order[:n]].sum(), n, 0.05) <= 0.08:
        last, n = n, n + 1
    assert found is not None
    assert last is not None
    assert found.n == last
    assert found.k == wrong[order[:last]].sum()
    assert found.threshold == confidence[order[last]]
    assert found.coverage == last / 1000
    assert found.bound == pytest.approx(clopper_pearson(found.k, found.n, 0.08), abs=1e-14)
    assert found.bound <= 0.05
    assert int(found.acts(confidence).sum()) == found.n
    assert not found.acts(found.threshold)


def test_flat_risks_are_certified_at_full_coverage() -> None:
    confidence, wrong = FLAT_SAFE.draw(np.random.default_rng(1), 4000)
    found = certify(confidence, wrong, alpha=0.05, delta=0.1)
    assert found is not None
    assert found.threshold == -math.inf
    assert found.method == "act always"
    assert found.coverage == 1.0
    assert found.acts(0.0)


def test_nothing_certifiable_gives_none() -> None:
    """A25: a judge that is right .75 of the time everywhere has no threshold at alpha = .15."""
    rng = np.random.default_rng(25)
    confidence, wrong = rng.random(500), (rng.random(500) < 0.25).astype(float)
    assert certify(confidence, wrong, alpha=0.15, delta=0.1) is None
    top = np.argsort(-confidence)[:40]
    assert clopper_pearson(int(wrong[top].sum()), 40, 0.1) > 0.15


@pytest.mark.parametrize("n", [49, 1])
def test_fewer_labels_than_any_certificate_takes(n: int) -> None:
    with pytest.raises(TooFewLabels) as refused:
        certify([0.5] * n, [0] * n, alpha=0.05, delta=0.1)
    assert str(refused.value) == (
        f"The certificate needs at least 50 labels; there are {n}. Collect {50 - n} more."
    )
    assert refused.value.needed == n_min(0.05, 0.08)


def test_equal_and_inverted_confidences_come_with_a_warning() -> None:
    equal = certify([0.9] * 500, [0] * 495 + [1] * 5, alpha=0.05, delta=0.1)
    assert equal is not None
    assert equal.threshold == -math.inf
    assert equal.warnings == ("All confidences are 0.9: they rank nothing.",)
    rng = np.random.default_rng(0)
    upside = rng.random(3000)
    wrong = (rng.random(3000) < 0.04 * upside).astype(float)
    inverted = certify(upside, wrong, alpha=0.05, delta=0.1)
    assert inverted is not None
    assert inverted.warnings[0].startswith("Confidence is inverted:")


def test_one_plateau_stands_or_falls_together() -> None:
    confidence = np.repeat([0.9, 0.8, 0.1], [400, 100, 100])
    wrong = np.concatenate((np.zeros(400), np.ones(100), np.ones(100)))
    found = certify(confidence, wrong, alpha=0.05, delta=0.1)
    assert found is not None
    assert (found.threshold, found.n, found.k) == (0.8, 400, 0)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"confidence": [1.2] * 60}, "Column 'confidence' row 0: 1.2 lies outside [0, 1]"),
        ({"confidence": [math.nan] * 60}, "Column 'confidence' row 0: nan is not a finite"),
        ({"wrong": [0.5] * 60}, "Column 'wrong' row 0: 0.5 is neither 0 nor 1"),
        ({"wrong": [0] * 59}, "Column 'wrong' has 59 rows, but 'confidence' has 60."),
        ({"wrong": []}, "Column 'wrong' is empty"),
        ({"alpha": 0.0}, "'alpha' must lie between 0 and 1, both excluded; it is 0.0."),
        ({"delta": 1.0}, "'delta' must lie between 0 and 1, both excluded; it is 1.0."),
        ({"sensitivity": 0.0}, "Reviewers who are not known to catch any wrong step can"),
    ],
)
def test_bad_input_gets_a_sentence_and_no_threshold(
    changes: dict[str, object], sentence: str
) -> None:
    given: dict[str, object] = {"confidence": [0.5] * 60, "wrong": [0] * 60}
    given |= {"alpha": 0.05, "delta": 0.1} | changes
    with pytest.raises(EvidenceRefusal) as refused:
        certify(**given)  # type: ignore[arg-type] # bad on purpose
    assert str(refused.value).startswith(sentence)


def test_a_millions_tests_are_the_same_tests() -> None:
    """The quick pre-check of clear cases never changes an answer."""
    rng = np.random.default_rng(0)
    n = rng.integers(1, 3000, 1000)
    k = rng.binomial(n, 0.05)
    for delta in (0.08, 0.02, 0.001):
        exact = np.array([binomial_p(a, b, 0.05) <= delta for a, b in zip(k, n, strict=True)])
        assert np.array_equal(passes(n, k, limit=0.05, delta=delta), exact)


def test_the_walk_starts_where_the_design_says() -> None:
    starts = [first_candidate(k, limit=0.05, delta=0.1) for k in (0, 3, 5, 10)]
    assert starts == [45, 132, 184, 306]


def test_counts_stay_integers_at_every_candidate() -> None:
    rng = np.random.default_rng(0)
    wrong = (rng.random(5000) < 0.3).astype(float)
    _, n, k = candidates(rng.random(5000), wrong)
    assert n.dtype == k.dtype == np.int64
    assert k[-1] == wrong.sum()
    assert np.all((np.diff(k) == 0) | (np.diff(k) == 1))


def test_missed_errors_are_reckoned_with() -> None:
    """24 of 30 caught: s_L = .643, alpha = .05 becomes .03215, n_min grows from 45 to 92."""
    least = clopper_pearson(24, 30, 0.05, "lower")
    assert least == pytest.approx(0.64299, abs=5e-6)
    assert n_min(0.05, 0.1) == 45
    assert n_min(0.05 * least, 0.05) == 92
    confidence, wrong = INFORMATIVE.draw(np.random.default_rng(3), 2000)
    plain = certify(confidence, wrong, alpha=0.05, delta=0.1)
    careful = certify_with_reviewers(confidence, wrong, alpha=0.05, delta=0.1, caught=24, shown=30)
    assert plain is not None
    assert careful is not None
    assert careful.coverage < plain.coverage
    assert (careful.sensitivity, careful.delta) == (least, 0.1)
    with pytest.raises(EvidenceRefusal, match="not known to catch any"):
        certify_with_reviewers(confidence, wrong, alpha=0.05, delta=0.1, caught=0, shown=30)


def test_knowno_leaves_44_ranks() -> None:  # A21
    found = beta_level(400, epsilon=0.15, delta=0.01)
    assert (found.v, found.rank) == (44, 357)
    assert found.epsilon == pytest.approx(0.1097256858, abs=1e-10)
    with pytest.raises(TooFewLabels, match="at least 29 labelled runs"):
        beta_level(20, epsilon=0.15, delta=0.01)


def test_a_runs_critical_level_is_its_surest_mistake() -> None:
    run, confidence = ["b", "a", "a", "b", "c"], [0.9, 0.4, 0.8, 0.7, 0.3]
    levels = critical_levels(run, confidence, [0, 1, 1, 1, 0])
    assert levels.tolist() == [0.8, 0.7, -math.inf]


def test_the_run_threshold_is_the_rank_of_the_design() -> None:
    runs = np.arange(19)
    confidence = (runs + 1) / 20
    assert trajectory_threshold(runs, confidence, np.ones(19), 0.1) == confidence[17]
    assert trajectory_threshold(runs, confidence, np.zeros(19), 0.1) == -math.inf
    with pytest.raises(TooFewLabels, match="at least 19 labelled runs; there are 9"):
        trajectory_threshold(runs[:9], confidence[:9], np.ones(9), 0.05)


def test_the_run_certificate_is_stricter_than_the_average() -> None:
    rng = np.random.default_rng(0)
    run = np.repeat(np.arange(400), 5)
    confidence, wrong = INFORMATIVE.draw(rng, 2000)
    mean = trajectory_threshold(run, confidence, wrong, 0.15)
    sure = trajectory_certificate(run, confidence, wrong, epsilon=0.15, delta=0.01)
    assert sure > mean
    assert sure == np.sort(critical_levels(run, confidence, wrong))[356]


def test_silent_errors_are_kept_below_alpha_on_every_step() -> None:
    confidence, wrong = CALIBRATED.draw(np.random.default_rng(0), 1000)
    sure, mean = rcps(confidence, wrong, alpha=0.05, delta=0.1), crc(confidence, wrong, alpha=0.05)
    for found in (sure, mean):
        acting = confidence > found.threshold
        assert found.k == wrong[acting].sum()
        assert found.bound <= 0.05
    assert mean.k == 49
    assert clopper_pearson(sure.k, 1000, 0.1) <= 0.05 < clopper_pearson(sure.k + 1, 1000, 0.1)
    assert mean.coverage > sure.coverage
    assert crc(confidence, np.zeros(1000), alpha=0.05).threshold == -math.inf
    with pytest.raises(TooFewLabels, match="at least 19 labels"):
        crc([0.5] * 10, [0] * 10, alpha=0.05)
    with pytest.raises(TooFewLabels, match="at least 45 labels"):
        rcps([0.5] * 10, [0] * 10, alpha=0.05, delta=0.1)


def test_an_interval_for_the_runs_to_come() -> None:
    low, high = predictive_interval(5, 100, 100)
    assert low == 0
    assert 12 <= high <= 16
    assert predictive_interval(0, 10, 5)[0] == 0
    assert predictive_interval(10, 10, 5)[1] == 5


def test_a_column_of_two_dimensions_is_no_column() -> None:
    with pytest.raises(UnusableColumn, match="must be 1-d; it has 2 dimensions"):
        certify([[0.5] * 60], [0] * 60, alpha=0.05, delta=0.1)
