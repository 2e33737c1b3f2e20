"""Error rates from labels that exist only where somebody looked: A16, S4, S5."""

from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.errors import EvidenceRefusal, NotIdentifiable, UnusableColumn
from hitl.lab.estimators import (
    Stratum,
    aipw,
    candidate_policy_bound,
    clopper_pearson,
    ips,
    snips,
    stratified_bound,
)
from tests.lab.populations import CALIBRATED, allowed

Array = NDArray[np.float64]
Log = tuple[Array, Array, Array, Array]


def log_of(rng: np.random.Generator, n: int, *, asks_below: float, spot_check: float) -> Log:
    """Return (confidence, wrong with NaN where unseen, observed, propensity) of a live policy."""
    confidence, wrong = CALIBRATED.draw(rng, n)
    propensity = np.where(confidence <= asks_below, 1.0, spot_check)
    observed = rng.random(n) < propensity
    return confidence, np.where(observed, wrong, np.nan), observed.astype(float), propensity


def test_three_estimators_by_hand() -> None:
    """Six rows, every sum a fraction: what the off-policy library computes with `label observed`."""
    wrong = [1.0, 0.0, 1.0, 0.0, np.nan, np.nan]
    observed = [1, 1, 1, 1, 0, 0]
    propensity = [1.0, 1.0, 0.25, 0.5, 0.5, 0.25]
    guess = [0.5, 0.5, 0.75, 0.25, 0.25, 0.5]
    weighted = Fraction(1) + Fraction(4)  # row 1 at weight 1, row 3 at weight 4
    weights = 1 + 1 + 4 + 2
    corrections = [
        Fraction(1, 2) + Fraction(1, 2),
        Fraction(1, 2) - Fraction(1, 2),
        Fraction(3, 4) + 4 * Fraction(1, 4),
        Fraction(1, 4) - 2 * Fraction(1, 4),
        Fraction(1, 4),
        Fraction(1, 2),
    ]
    assert ips(wrong, observed, propensity).value == pytest.approx(float(weighted / 6), abs=1e-12)
    assert snips(wrong, observed, propensity).value == pytest.approx(
        float(weighted / weights), abs=1e-12
    )
    doubly = aipw(wrong, observed, propensity, guess).value
    assert doubly == pytest.approx(float(sum(corrections) / 6), abs=1e-12)


def test_the_plain_mean_is_biased_and_the_three_are_not() -> None:
    """The design of A16 on a log made here: 5,000 rows, a fixed seed; plain .5 to .6 off."""
    rng = np.random.default_rng(16)
    values: list[tuple[float, ...]] = []
    for _ in range(60):
        confidence, wrong, observed, propensity = log_of(rng, 5000, asks_below=0.6, spot_check=0.05)
        plain = float(np.nanmean(wrong))
        guess = 1.0 - confidence
        values.append(
            (
                plain,
                ips(wrong, observed, propensity, interval="normal").value,
                snips(wrong, observed, propensity).value,
                aipw(wrong, observed, propensity, guess, interval="normal").value,
            )
        )
    truth = CALIBRATED.risk_above(0.0)
    error = np.abs(np.mean(values, axis=0) - truth)
    spread = np.std(values, axis=0) / np.sqrt(len(values))
    assert error[0] > 0.1
    assert np.all(error[1:] <= 4 * spread[1:])


def test_a_useless_guess_costs_width_and_not_truth() -> None:
    rng = np.random.default_rng(2)
    confidence, wrong, observed, propensity = log_of(rng, 20_000, asks_below=0.6, spot_check=0.05)
    good = aipw(wrong, observed, propensity, 1.0 - confidence)
    bad = aipw(wrong, observed, propensity, np.ones(20_000))
    truth = CALIBRATED.risk_above(0.0)
    assert good.stderr < bad.stderr
    for estimate in (good, bad):
        assert abs(estimate.value - truth) <= 4 * estimate.stderr
        assert estimate.low <= truth <= estimate.high


def test_s4_plain_intervals_never_cover_and_ours_do() -> None:
    """B = 300 logs of 1,500 rows; allowed to miss .0877 at delta = .05."""
    rng, repetitions, missed, plain_covers = np.random.default_rng(4), 300, 0, 0
    truth = CALIBRATED.risk_above(0.0)
    for _ in range(repetitions):
        confidence, wrong, observed, propensity = log_of(
            rng, 1500, asks_below=0.75, spot_check=0.05
        )
        k, n = int(np.nansum(wrong)), int(observed.sum())
        plain_covers += clopper_pearson(k, n, 0.025, "lower") <= truth
        bound = candidate_policy_bound(
            confidence, wrong, observed, propensity, threshold=-1.0, delta=0.05
        )
        missed += bound.bound < truth
    assert plain_covers == 0
    assert missed / repetitions <= allowed(0.05, repetitions)


def test_the_betting_interval_covers_where_the_normal_one_does_not() -> None:
    """The same logs: the finite-sample interval misses at most delta."""
    rng, repetitions = np.random.default_rng(5), 150
    truth, missed = CALIBRATED.risk_above(0.0), {"betting": 0, "normal": 0}
    for _ in range(repetitions):
        _, wrong, observed, propensity = log_of(rng, 800, asks_below=0.75, spot_check=0.05)
        bet = ips(wrong, observed, propensity, delta=0.1)
        usual = ips(wrong, observed, propensity, delta=0.1, interval="normal")
        missed["betting"] += not bet.low <= truth <= bet.high
        missed["normal"] += not usual.low <= truth <= usual.high
    assert missed["betting"] / repetitions <= allowed(0.1, repetitions)
    assert missed["betting"] < missed["normal"]


@pytest.mark.parametrize(("n", "rate"), [(4_000, 0.05), (20_000, 0.05), (20_000, 0.01)])
def test_s5_a_laxer_candidate_is_bounded(n: int, rate: float) -> None:
    """B = 400 (allowed .145 at delta = .1); design: .03 to .05, the normal interval .13 to .18."""
    rng, repetitions, missed, normal = np.random.default_rng(n), 400, 0, 0
    threshold, live = 0.7, 0.85
    truth = CALIBRATED.risk_above(threshold)
    for _ in range(repetitions):
        confidence, wrong, observed, propensity = log_of(rng, n, asks_below=live, spot_check=rate)
        found = candidate_policy_bound(
            confidence, wrong, observed, propensity, threshold=threshold, delta=0.1
        )
        assert found.method == "stratified Clopper-Pearson"
        missed += found.bound < truth
        acts = confidence > threshold
        usual = ips(wrong[acts], observed[acts], propensity[acts], delta=0.2, interval="normal")
        normal += usual.high < truth
    assert missed / repetitions <= allowed(0.1, repetitions)
    assert missed < normal


def test_a_stricter_candidate_needs_no_stratum() -> None:
    rng = np.random.default_rng(0)
    confidence, wrong, observed, propensity = log_of(rng, 4000, asks_below=0.7, spot_check=0.1)
    found = candidate_policy_bound(
        confidence, wrong, observed, propensity, threshold=0.9, delta=0.1
    )
    acts = confidence > 0.9
    k, n = int(np.nansum(wrong[acts])), int(observed[acts].sum())
    assert found.bound == pytest.approx(clopper_pearson(k, n, 0.1), abs=1e-12)
    assert (found.labelled, found.rows) == (n, int(acts.sum()))


def test_mixed_propensities_are_bounded_by_betting() -> None:
    rng = np.random.default_rng(1)
    confidence, truth = CALIBRATED.draw(rng, 5000)
    propensity = np.where(confidence > 0.9, 0.1, 0.3)
    observed = rng.random(5000) < propensity
    wrong = np.where(observed, truth, np.nan)
    found = candidate_policy_bound(confidence, wrong, observed, propensity, threshold=0.5)
    assert found.method == "betting"
    assert CALIBRATED.risk_above(0.5) < found.bound < 0.35


def test_a_stratum_without_a_label_counts_as_all_wrong() -> None:
    assert stratified_bound([Stratum(10, 0, 0)], 0.1) == 1.0
    assert stratified_bound([Stratum(10, 0, 0), Stratum(0, 0, 0)], 0.1) == 1.0


def test_no_spot_checks_no_number() -> None:
    for estimate in (ips, snips):
        with pytest.raises(NotIdentifiable) as refused:
            estimate([1.0, np.nan], [1, 0], [1.0, 0.0])
        assert "no spot checks on 1 of 2 rows; 59 random spot checks" in str(refused.value)
    with pytest.raises(NotIdentifiable):
        candidate_policy_bound([0.5, 0.9], [1.0, np.nan], [1, 0], [1.0, 0.0], threshold=0.1)


@pytest.mark.parametrize(
    ("wrong", "observed", "propensity", "sentence"),
    [
        ([1.0], [1], [np.nan], "Column 'propensity' row 0: nan is not a finite number"),
        ([1.0], [1], [1.5], "Column 'propensity' row 0: 1.5 lies outside [0, 1]."),
        ([1.0], [1], [0.0], "Column 'propensity' is 0 on a row that has a label"),
        ([np.nan], [0], [1.0], "Column 'propensity' is 1 on 1 rows without a label"),
        ([np.nan], [1], [0.5], "Column 'wrong' row 0: nan is not a finite number"),
        ([1.0, 0.0], [1], [0.5], "Column 'wrong' has 2 rows, but 'observed' has 1."),
        ([], [], [], "Column 'observed' is empty: the slice holds no row."),
    ],
)
def test_bad_columns_get_a_sentence(
    wrong: list[float], observed: list[int], propensity: list[float], sentence: str
) -> None:
    for estimate in (ips, snips):
        with pytest.raises(UnusableColumn) as refused:
            estimate(wrong, observed, propensity)
        assert str(refused.value).startswith(sentence)


def test_a_threshold_nothing_exceeds_has_no_error_rate() -> None:
    with pytest.raises(EvidenceRefusal, match="the policy never acts"):
        candidate_policy_bound([0.5], [0.0], [1], [1.0], threshold=0.5)
