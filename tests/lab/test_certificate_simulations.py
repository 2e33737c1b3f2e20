"""Simulation gates S1 to S3, S6, S10 and S16: what is promised holds over thousands of calibrations.

Repetitions are fewer than the 2,000 of the design so that the suite stays short; every gate keeps
the design's pass rule at its own B, and each has a rival that must break it, so it has teeth.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.lab.certificates import (
    anytime_certificate,
    certify,
    certify_with_reviewers,
    crc,
    predictive_interval,
    rcps,
    trajectory_threshold,
)
from hitl.lab.certificates.fixed_sequence import Certificate, candidates
from hitl.lab.estimators import clopper_pearson
from tests.lab.gates import ALPHA, DELTA, violations
from tests.lab.peeking import ever_outside
from tests.lab.populations import (
    AT_THE_EDGE,
    CALIBRATED,
    FLAT_SAFE,
    INFORMATIVE,
    NEARLY_FLAT,
    PLATEAUS,
    Population,
    allowed,
)

Array = NDArray[np.float64]
POPULATIONS = (INFORMATIVE, CALIBRATED, NEARLY_FLAT, AT_THE_EDGE, PLATEAUS)


def ours(confidence: Array, wrong: Array) -> Certificate | None:
    return certify(confidence, wrong, alpha=ALPHA, delta=DELTA)


def naive(confidence: Array, wrong: Array) -> Certificate | None:
    """The plain rule: the laxest threshold whose observed error rate is at most alpha."""
    thresholds, n, k = candidates(confidence, wrong)
    fine = np.flatnonzero(k / n <= ALPHA)
    if fine.size == 0:
        return None
    at = fine[-1]
    return Certificate(float(thresholds[at]), int(n[at]), int(k[at]), 1.0, 1.0, ALPHA, DELTA)


@pytest.mark.parametrize("n", [300, 1000, 4000])
@pytest.mark.parametrize("population", POPULATIONS, ids=lambda p: p.name)
def test_s1_a_certificate_is_seldom_wrong(population: Population, n: int) -> None:
    """B = 200 per cell: allowed .164 at delta = .1 (seen .000 to .11)."""
    rate, _ = violations(ours, population, n, repetitions=200)
    assert rate <= allowed(DELTA, 200)


@pytest.mark.parametrize("n", [300, 1000])
def test_s1_the_plain_rule_is_wrong_in_half_of_all_calibrations(n: int) -> None:
    rate, _ = violations(naive, CALIBRATED, n, repetitions=200)
    assert rate > 0.45


@pytest.mark.parametrize(("n", "floor"), [(1000, 0.29), (4000, 0.44)])
def test_s2_a_certificate_lets_act_what_it_can(n: int, floor: float) -> None:
    """Oracle .526; B = 300, standard error of the mean .01."""
    _, coverage = violations(ours, CALIBRATED, n, repetitions=300)
    assert coverage >= floor


def test_s2_informative_confidences_are_certified_near_the_oracle() -> None:
    """Oracle .874: at 1,000 labels at least 80 % of it."""
    _, coverage = violations(ours, INFORMATIVE, 1000, repetitions=200)
    assert coverage >= 0.8 * 0.874


def test_s2_flat_risks_are_rescued_by_the_test_of_everything() -> None:
    _, coverage = violations(ours, FLAT_SAFE, 4000, repetitions=100)
    assert coverage >= 0.61


def test_s3_the_anytime_certificate_survives_peeking_and_repeated_bounds_do_not() -> None:
    """2,000 streams at the edge, looked at after each of 1,500 labels: allowed .1201 (seen .08)."""
    bar = math.log(1 / DELTA)

    def not_certified(k: int, n: int) -> bool:
        return anytime_certificate(k, n, ALPHA) < bar

    def not_below(k: int, n: int) -> bool:
        return clopper_pearson(k, n, DELTA) > ALPHA

    false = ever_outside(not_certified, rate=ALPHA, looks=1500, repetitions=2000, seed=5)
    repeated = ever_outside(not_below, rate=ALPHA, looks=1500, repetitions=2000, seed=5)
    assert false <= allowed(DELTA, 2000)
    assert repeated > 0.35


def test_s6_runs_fail_as_often_as_promised_on_average() -> None:
    """600 calibrations of 200 runs with steps that err together: .1493 expected, within .006."""
    rng, runs, steps = np.random.default_rng(6), 200, 6
    hard = rng.beta(1, 8, 200_000)[:, None]
    score = rng.random((200_000, steps))
    wrong = rng.random((200_000, steps)) < hard * (1.5 - score)
    levels = np.where(wrong, score, -np.inf).max(axis=1)
    everything = np.sort(levels)
    failures, run = [], np.repeat(np.arange(runs), steps)
    for _ in range(600):
        drawn = rng.integers(0, levels.size, runs)
        threshold = trajectory_threshold(
            run, score[drawn].ravel(), wrong[drawn].ravel().astype(float), 0.15
        )
        above = levels.size - np.searchsorted(everything, threshold, side="right")
        failures.append(above / levels.size)
    assert float(np.mean(failures)) == pytest.approx(0.1493, abs=0.006)
    assert 0.35 < float(np.mean(np.array(failures) > 0.15)) < 0.6  # single ones are no promise


def test_s10_reviewers_who_miss_errors_are_reckoned_with() -> None:
    """.06 wrong everywhere, reviewers catch .7: they see .042, which looks fine at alpha = .05."""
    rng, repetitions, believed, reckoned = np.random.default_rng(10), 200, 0, 0
    for _ in range(repetitions):
        confidence, wrong = rng.random(4000), rng.random(4000) < 0.06
        denied = (wrong & (rng.random(4000) < 0.7)).astype(float)
        believed += certify(confidence, denied, alpha=ALPHA, delta=DELTA) is not None
        caught = int(rng.binomial(60, 0.7))
        reckoned += (
            certify_with_reviewers(
                confidence, denied, alpha=ALPHA, delta=DELTA, caught=caught, shown=60
            )
            is not None
        )
    assert believed / repetitions > 0.3
    assert reckoned / repetitions <= allowed(DELTA, repetitions)


def test_e7_the_rate_of_silent_errors_is_kept() -> None:
    """B = 400: `rcps` with probability 1 - delta, `crc` on average, where half lie above."""
    rng, repetitions = np.random.default_rng(7), 400
    sure: list[float] = []
    mean: list[float] = []
    for _ in range(repetitions):
        confidence, wrong = CALIBRATED.draw(rng, 500)
        for found, rates in (
            (rcps(confidence, wrong, alpha=ALPHA, delta=DELTA), sure),
            (crc(confidence, wrong, alpha=ALPHA), mean),
        ):
            t = found.threshold
            rates.append(CALIBRATED.coverage_above(t) * CALIBRATED.risk_above(t))
    assert float(np.mean(np.array(sure) > ALPHA)) <= allowed(DELTA, repetitions)
    assert float(np.mean(mean)) <= ALPHA + 3 * float(np.std(mean)) / 20
    assert float(np.mean(np.array(mean) > ALPHA)) > 0.35


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.4])
def test_s16_intervals_for_coming_runs_cover_at_their_rate(rate: float) -> None:
    """B = 1,000: 100 runs seen, 60 to come; at least .95 covered, and no absurd width."""
    rng, covered, width = np.random.default_rng(16), 0, 0
    for _ in range(1000):
        low, high = predictive_interval(int(rng.binomial(100, rate)), 100, 60)
        covered += low <= rng.binomial(60, rate) <= high
        width += high - low
    assert 1 - covered / 1000 <= allowed(0.05, 1000)
    assert width / 1000 <= 8 * math.sqrt(60 * rate * (1 - rate))
