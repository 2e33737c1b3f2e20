"""Evaluation and certificates from a gate log: true numbers, or a sentence."""

from pathlib import Path

import numpy as np
import pytest

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import clopper_pearson
from hitl.lab.log import GateLog
from hitl.lab.reports import (
    asking,
    certify_log,
    coin_sample,
    evaluate,
    evaluation_page,
    lag,
    people,
    plain,
    run_errors,
    silent_errors,
    workload,
)
from hitl.lab.reports.words import sentences
from tests.lab.desk import DeskLog, desk_log
from tests.lab.logs import record, synthetic


def test_the_silent_error_rate_is_true_where_the_plain_mean_is_not() -> None:
    rng = np.random.default_rng(7)
    missed, below, naive = 0, 0, list[float]()
    for _ in range(60):
        log, wrong = synthetic(rng, 1500)
        truth = float(wrong[~log.flag("asked")].mean())
        found = silent_errors(log)
        assert found.estimate is not None
        assert found.bound is not None
        missed += not found.estimate.low <= truth <= found.estimate.high
        below += found.bound < truth
        labelled = log.number("wrong")
        naive.append(float(np.nanmean(labelled)) / truth)

    assert missed <= 7  # 95 % intervals: P(more than 7 of 60) < .01
    assert below <= 7
    assert min(naive) > 1.3
    assert np.mean(naive) > 2.0


def test_without_spot_checks_there_is_a_sentence_and_how_many_would_settle_it() -> None:
    log = GateLog.of([record(n, propensity_label=0.0, coin_rate=0.0) for n in range(5)])

    found = silent_errors(log, alpha=0.01, delta=0.05)

    assert found.estimate is None
    assert found.bound is None
    assert "not identifiable: no spot checks on 5 of 5 unasked steps" in found.refusal
    assert "299 random spot checks without an error" in found.refusal
    assert "14,950 unasked steps" in found.refusal


def test_one_stratum_has_the_exact_bound_and_unanswered_spot_checks_count_as_wrong() -> None:
    spot = {"spot_check": True, "coin_u": 0.01}
    rows = [record(n, wrong=float(n < 2), **spot) for n in range(50)]
    rows += [record(n) for n in range(50, 500)]
    silent = silent_errors(GateLog.of(rows))
    assert silent.bound == clopper_pearson(2, 50, 0.05)
    rows[9] |= {"wrong": None, "verdict": "pending"}

    later = silent_errors(GateLog.of(rows))

    assert later.bound == clopper_pearson(3, 50, 0.05)
    assert (later.spot_checks, later.answered, later.wrong) == (50, 49, 2)


def test_two_coins_are_two_strata() -> None:
    spot = {"spot_check": True, "coin_u": 0.01}
    rows = [record(n, wrong=0.0, **spot) for n in range(30)]
    rows += [record(n, wrong=0.0, propensity_label=1.0, **spot) for n in range(30, 60)]

    found = silent_errors(GateLog.of(rows))

    assert found.bound == pytest.approx(clopper_pearson(0, 30, 0.025))


def test_asking_is_scored_and_a_yes_is_not_needless() -> None:
    ask = {"asked": True, "propensity_label": 1.0, "reset_to": 1.0, "reliability_before": 0.8}
    rows = [record(0, wrong=1.0, **ask), record(1, wrong=0.0, **ask), record(2, p=0.5, **ask)]
    rows += [record(3, wrong=1.0, spot_check=True, propensity_label=0.5)]
    rows += [record(4, wrong=0.0, spot_check=True, propensity_label=0.5)]

    found = asking(GateLog.of(rows))

    assert (found.questions, found.answered, found.denied, found.approved) == (3, 2, 1, 1)
    assert found.precision == 0.5
    assert found.recall == pytest.approx(1 / 3)
    assert found.under == pytest.approx(2 / 3)
    assert found.over == pytest.approx(1 / 3)
    assert found.f1 == pytest.approx(2 * 1 / (2 + 3))
    assert found.bought == pytest.approx(1.0 - 0.8 * 0.9)


def test_the_lag_runs_to_the_next_question_of_the_same_run() -> None:
    ask = {"asked": True, "propensity_label": 1.0}
    spot = {"spot_check": True, "propensity_label": 0.5}
    rows = [
        record(0, run_id="a", wrong=1.0, ts=0.0, **spot),
        record(1, run_id="a", ts=60.0),
        record(2, run_id="a", wrong=1.0, ts=120.0, **ask),
        record(3, run_id="b", wrong=1.0, ts=130.0, **spot),
        record(4, run_id="c", wrong=0.0, ts=140.0, **ask),
    ]

    found = lag(GateLog.of(rows))

    assert found.wrong == 3
    assert found.steps == pytest.approx((2 * 2 + 0 * 1) / 3)
    assert found.minutes == pytest.approx((2 * 2 + 0) / 3)
    assert found.never == pytest.approx(2 / 5)


def test_runs_are_counted_only_when_they_were_drawn_whole() -> None:
    whole = {"spot_check": True, "propensity_label": 1.0, "coin_rate": 1.0}
    rows = [record(n, run_id="a", wrong=float(n == 1), **whole) for n in range(3)]
    rows += [record(n, run_id="b", wrong=0.0, **whole) for n in range(3, 6)]
    rows += [record(n, run_id="c", wrong=1.0, spot_check=True) for n in range(6, 9)]

    found = run_errors(GateLog.of(rows))

    assert found.rate is not None
    assert (found.rate.k, found.rate.n) == (1, 2)
    assert "set spot_check_runs" in run_errors(GateLog.of(rows[6:])).refusal


def test_known_answer_items_measure_reviewers_and_stay_out_of_the_rates() -> None:
    seed = {"is_seed": True, "reviewer": "ana", "review_seconds": 4.0}
    rows = [
        record(n, verdict="deny" if n < 24 else "approve", seed_truth=0.0, **seed)
        for n in range(30)
    ]
    rows += [record(n, verdict="approve", seed_truth=1.0, **seed) for n in range(30, 60)]
    spot = {"spot_check": True, "wrong": 0.0, "verdict": "approve", "coin_u": 0.01}
    work = [record(n, reviewer="ana", p=0.5 + n / 1000, **spot) for n in range(100, 400)]
    log = GateLog.of([*rows, *work])

    (ana,) = people(log)
    (proof,) = certify_log(log, alpha=0.05, delta=0.1)

    assert ana.card is not None
    assert ana.card.sensitivity is not None
    assert (ana.card.sensitivity.k, ana.card.sensitivity.n) == (24, 30)
    assert evaluate(log).total.rows == 300
    assert proof.certificate is not None
    assert proof.certificate.sensitivity == pytest.approx(0.64299, abs=1e-5)
    assert proof.labels == 300


def test_a_certificate_rests_on_the_coins_sample() -> None:
    rng = np.random.default_rng(3)
    log, _ = synthetic(rng, 20_000, rate=0.1)

    sample = coin_sample(log)
    (found,) = certify_log(log, alpha=0.10, delta=0.1)

    assert (sample == (log.number("coin_u") < 0.1)).all()
    assert found.certificate is not None
    assert found.confidence_below is not None
    assert found.confidence_below > found.certificate.threshold
    assert found.left_out > 0
    assert found.labels == int(sample.sum())


def test_certified_thresholds_keep_the_promise_and_labels_by_doubt_alone_would_not() -> None:
    rng = np.random.default_rng(11)
    alpha, broken, proven = 0.08, 0, 0
    for _ in range(40):
        log, _ = synthetic(rng, 4000, rate=0.2, threshold=0.7)
        (found,) = certify_log(log, alpha=alpha, delta=0.1)
        if found.certificate is not None:
            proven += 1
            t = max(0.0, found.certificate.threshold)
            broken += _risk_above(t) > alpha

    assert proven >= 20
    assert broken <= 9  # P(Bin(40, .1) > 9) < .01


def _risk_above(t: float) -> float:
    p = np.random.default_rng(0).beta(6.0, 1.0, 200_000)
    return float((1 - p)[p > t].mean())


def test_too_little_is_none_with_a_sentence() -> None:
    rng = np.random.default_rng(5)
    few, _ = synthetic(rng, 200)
    many, _ = synthetic(rng, 4000, rate=0.2)

    (short,) = certify_log(few, alpha=0.05, delta=0.1)
    (strict,) = certify_log(many, alpha=0.01, delta=0.1)

    assert short.certificate is None
    assert "needs at least" in short.refusal
    assert strict.certificate is None
    assert "ask about everything" in strict.refusal


def test_mixed_policies_are_refused_and_a_missing_coin_too() -> None:
    spot = {"spot_check": True, "wrong": 0.0}
    mixed = GateLog.of([record(0, **spot), record(1, policy_hash="other", **spot)])
    coinless = GateLog.of([record(n, coin_u=None, **spot) for n in range(3)])

    assert "mixes 2 policies" in certify_log(mixed, alpha=0.1, delta=0.1)[0].refusal
    assert "no 'coin_u'" in certify_log(coinless, alpha=0.1, delta=0.1)[0].refusal
    with pytest.raises(EvidenceRefusal, match="nothing to certify"):
        certify_log(GateLog.of([record(0, p=None)]), alpha=0.1, delta=0.1)


def test_work_is_counted_per_hundred_runs() -> None:
    ask = {"asked": True, "propensity_label": 1.0, "wrong": 0.0}
    log = GateLog.of(
        [
            record(0, review_seconds=90.0, wait_seconds=10.0, **ask),
            *(record(n) for n in range(1, 4)),
        ]
    )

    assert workload(log).minutes_per_100_runs == 25 * 1.5
    assert workload(log, review_minutes=2.0).minutes_per_100_runs == 50.0
    assert workload(log).wait_p50 == 10.0


def test_the_desk_without_spot_checks_gets_sentences_and_with_them_numbers(
    tmp_path: Path, desk: DeskLog
) -> None:
    blind = evaluate(desk_log(tmp_path, cheques=2, spot_check=0.0).log)
    seen = evaluate(desk.log, review_minutes=0.5)

    assert blind.total.silent.estimate is None
    assert any("no spot checks" in each for each in sentences(blind))
    assert [each.name for each in seen.slices] == ["before pay", "check", "read_digit"]
    reading = seen.slices[2].silent
    acted = [
        i for i, asked in zip(desk.log.text("id"), desk.log.flag("asked"), strict=True) if not asked
    ]
    silent = [desk.truth[i] for i in acted if i in desk.truth]
    assert reading.estimate is not None
    assert reading.acted == len(silent)
    assert reading.estimate.low <= np.mean(silent) <= reading.estimate.high
    page = evaluation_page(seen, title="<desk>")
    assert "&lt;desk&gt;" in page
    assert page.count("<svg") >= 2
    assert page.count("<svg") == page.count("Show as table")
    assert "<script" not in page
    assert ">nan" not in page
    assert '"nan' not in page
    assert isinstance(plain(seen), dict)
