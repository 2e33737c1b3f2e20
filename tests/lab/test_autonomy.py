"""Earned autonomy, exactly: pinned evidence, the spending of delta, levels, alarms, moves."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.errors import EvidenceRefusal, TooFewLabels, UnusableColumn
from hitl.lab.autonomy import (
    Autonomy,
    Looks,
    Move,
    Promise,
    Reviewing,
    begin,
    grid,
    tell,
    unearnable,
)
from hitl.lab.autonomy.alarms import Alarms, watch
from hitl.lab.autonomy.evidence import Evidence, growth, log_e
from hitl.lab.certificates import anytime_certificate
from tests.lab.agents import INFORMATIVE, REVIEWED, TRUSTED

Array = NDArray[np.float64]
EVEN = (np.arange(1000) + 0.5) / 1000


def looks(
    wrong: list[int] | Array,
    *,
    confidence: float | Array = 0.99,
    acted: bool = False,
    coin: bool = True,
    run: list[int] | None = None,
) -> Looks:
    n = len(wrong)
    return Looks(
        np.broadcast_to(np.asarray(confidence, dtype=float), n),
        np.asarray(wrong, dtype=float),
        np.full(n, acted),
        np.full(n, coin),
        None if run is None else np.asarray(run),
    )


def earning() -> Autonomy:
    return begin(TRUSTED, grid(EVEN))


def acting(rows: int = 400) -> Autonomy:
    """Return a state that earned its widest level on right rows, asked ones wrong now and then."""
    state, _ = earning().observe(looks([0] * rows))
    assert state.live
    return state


def test_the_evidence_equals_its_reference_values() -> None:
    wrong = np.zeros((400, 1))
    wrong[[49, 119]] = 1  # rows 50 and 120
    path = log_e(np.cumsum(growth(wrong, 0.02), axis=0))[:, 0]
    expected = [0.033042979, 0.181769841, 1.146945573, 2.340031531]
    assert path[[99, 199, 299, 399]] == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("share", "labels"), [(0.6, 258), (0.2, 320)])
def test_the_first_certification_without_an_error(share: float, labels: int) -> None:
    path = log_e(np.cumsum(growth(np.zeros((400, 1)), 0.02), axis=0))[:, 0]
    bar = -math.log(TRUSTED.generation_delta(1) * share)
    assert int(np.argmax(path >= bar)) + 1 == labels


def test_the_mixture_of_bets_is_close_to_the_closed_form() -> None:
    path = log_e(np.cumsum(growth(np.zeros((600, 1)), 0.02), axis=0))[:, 0]
    assert path[-1] == pytest.approx(anytime_certificate(0, 600, 0.02), abs=2.5)


@pytest.mark.parametrize("limit", [0.01, 0.02, 0.3])
def test_every_bet_is_fair_at_the_edge(limit: float) -> None:
    moves = np.exp(growth(np.array([0.0, 1.0]), limit))
    assert (1 - limit) * moves[0] + limit * moves[1] == pytest.approx(np.ones(5), abs=1e-12)
    fractional = np.exp(growth(np.array([limit]), limit))
    assert fractional[0] == pytest.approx(np.ones(5), abs=1e-12)


def test_generations_spend_delta_once() -> None:
    assert TRUSTED.generation_delta(1) == pytest.approx(0.8 * 0.05)
    assert TRUSTED.generation_delta(2) == pytest.approx(0.2 * 0.05 / 2)
    spent = sum(TRUSTED.generation_delta(n) for n in range(1, 5000))
    assert spent == pytest.approx(0.05, abs=1e-5)
    with_reviewers = sum(REVIEWED.generation_delta(n) for n in range(1, 5000))
    assert with_reviewers + REVIEWED.reviewers_delta == pytest.approx(0.05, abs=1e-5)


def test_levels_are_quantiles_of_what_was_seen_before() -> None:
    levels = grid(EVEN)
    assert [level.coverage for level in levels] == [0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0]
    assert [float((level.threshold < EVEN).mean()) for level in levels] == [
        level.coverage for level in levels
    ]
    assert levels[-1].threshold == -math.inf
    assert [level.share for level in levels] == [0.2, 0.0, 0.6, 0.0, 0.0, 0.0, 0.2]
    with pytest.raises(TooFewLabels, match="at least 100 confidences; there are 99"):
        grid(EVEN[:99])


def test_ties_drop_levels_and_their_share_moves_up() -> None:
    two = grid(np.repeat([0.3, 0.9], [700, 300]))
    assert [(level.coverage, level.share) for level in two] == [(0.9, 0.8), (1.0, 0.2)]
    assert [level.threshold for level in two] == [0.3, -math.inf]
    one = grid(np.full(200, 0.7))
    assert [(level.threshold, level.share) for level in one] == [(-math.inf, 1.0)]


def test_shares_pass_through_proven_levels() -> None:
    evidence = Evidence.none(grid(EVEN))
    capital = np.zeros((7, 5))
    capital[2] = 9.0  # coverage .5 proven first
    first = evidence.at(capital).settled(0.04)
    assert first.proven == (False, False, True, False, False, False, False)
    assert first.shares == (0.2, 0.0, 0.0, 0.6, 0.0, 0.0, 0.2)
    capital[:2] = 9.0  # then the narrower ones: their share ends beyond .5
    second = first.at(capital).settled(0.04)
    assert second.proven[:3] == (True, True, True)
    assert second.shares == (0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.2)
    assert second.widest == 3


def test_it_asks_always_until_the_evidence_is_there() -> None:
    state, used, move = earning().step(looks([0] * 1000))
    assert move is not None
    assert used == 258  # the share of coverage .5
    assert (move.kind, move.seq, move.generation) == ("widened", 1, 1)
    assert move.sentence.startswith("0 of 258 checked steps were wrong: acting alone on the")
    assert state.threshold < math.inf
    assert earning().threshold == math.inf


def test_one_row_at_a_time_is_the_same_as_all_at_once() -> None:
    rng = np.random.default_rng(0)
    wrong, confidence = (rng.random(600) < 0.01).astype(float), rng.random(600)
    whole, moves = earning().observe(looks(wrong, confidence=confidence))
    state = earning()
    single: list[Move] = []
    for y, c in zip(wrong, confidence, strict=True):
        state, made = state.observe(looks([int(y)], confidence=c))
        single.extend(made)
    assert tuple(single) == moves
    assert np.asarray(state.evidence.log_capital) == pytest.approx(
        np.asarray(whole.evidence.log_capital), abs=1e-9
    )
    assert (state.inside, state.outside, state.live) == (whole.inside, whole.outside, whole.live)


def test_rows_below_a_level_are_no_evidence_for_it() -> None:
    state, moves = earning().observe(looks([1] * 500, confidence=0.001))
    assert moves == ()
    assert state.evidence.log_e[:-1] == pytest.approx(np.zeros(6))
    assert state.evidence.log_e[-1] < 0


def test_rows_without_a_coin_are_no_evidence() -> None:
    state, moves = earning().observe(looks([0] * 2000, coin=False))
    assert moves == ()
    assert state.evidence.log_e == pytest.approx(np.zeros(7))


def test_a_run_counts_once() -> None:
    rows = [0, 1] * 100
    runs = [i // 2 for i in range(200)]
    once, _ = earning().observe(looks(rows, run=runs))
    halves = np.cumsum(growth(np.full((100, 1), 0.5), 0.02), axis=0)
    assert once.evidence.log_e[0] == pytest.approx(log_e(halves)[-1, 0], abs=1e-9)
    with pytest.raises(UnusableColumn, match="whose rows are not together"):
        looks([0, 0, 0], run=[1, 2, 1])


def test_the_spot_check_rate_falls_to_its_floor_and_is_the_same_for_all() -> None:
    half = looks(np.tile([0.0, 1.0], 300), confidence=np.tile([0.99, 0.3], 300))
    state, moves = earning().observe(half)
    assert [move.level for move in moves] == [4]  # the surest half, and .65 at once
    n = 6000
    calls = state.calls(np.tile([0.999, 0.1], n // 2), np.zeros(n))
    assert calls.acted.tolist() == [True, False] * (n // 2)
    before = np.repeat(np.arange(n // 2), 2) + np.tile([0, 1], n // 2)
    assert calls.rate == pytest.approx(np.maximum(0.05, 100 / (100 + before)))
    later = state.called(1900).calls(np.array([0.999, 0.1]), np.array([0.04, 0.06]))
    assert later.rate.tolist() == [0.05, 0.05]
    assert later.coin.tolist() == [True, False]
    asking = earning().calls(np.array([0.999]), np.array([0.999]))
    assert (bool(asking.acted[0]), bool(asking.coin[0])) == (False, True)


def test_five_wrong_spot_checks_in_a_row_revoke_and_four_do_not() -> None:
    """The harm alarm alone; the change alarms would be sooner."""
    alarms = Alarms.none(0.02)
    wrong = looks([1] * 5, acted=True)
    assert alarms.first(wrong.part(0, 4)) is None
    assert alarms.first(wrong) == (4, "Spot checks of steps that acted alone show too many errors.")


def test_an_alarm_asks_always_at_once_and_voids_the_evidence() -> None:
    state = acting()
    state, moves = state.observe(looks([1] * 5, acted=True))
    (revoked,) = [move for move in moves if move.kind == "revoked"]
    assert (revoked.level, revoked.generation, state.live) == (0, 2, 0)
    assert state.evidence == Evidence.none(state.levels)
    assert state.threshold == math.inf
    assert state.promise.generation_delta(state.generation) == pytest.approx(0.005)
    assert state.calls(np.array([0.99]), np.array([0.9])).coin[0]


def test_asked_steps_that_get_worse_raise_an_alarm() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(3000)
    wrong = (rng.random(3000) < np.where(confidence < 0.5, 0.05, 0.0)).astype(float)
    state, _ = earning().observe(looks(wrong, confidence=confidence))
    assert 0 < state.live < 6
    assert state.alarms.asked is not None
    below = confidence[confidence <= state.threshold]
    same = (rng.random(below.size) < 0.05).astype(float)
    quiet, moves = state.observe(looks(same, confidence=below, coin=False))
    assert moves == ()
    assert quiet.live == state.live
    worse = (rng.random(below.size) < 0.25).astype(float)
    _, moves = state.observe(looks(worse, confidence=below, coin=False))
    assert moves[0].sentence == "Steps that were asked about are wrong more often than before."


def test_after_three_alarms_a_person_signs() -> None:
    state = acting()
    for count in (1, 2, 3):
        state, _ = state.revoked("Drill.")
        assert state.locked == (count == 3)
    idle, moves = state.observe(looks([0] * 5000))
    assert (idle.live, moves) == (0, ())
    state, move = idle.signed()
    assert move is None
    earned, moves = state.observe(looks([0] * 5000))
    assert earned.live > 0
    assert moves[0].kind == "widened"


def test_a_signature_only_delays_a_widening() -> None:
    promise = Promise(trusted=True, sign_off=True)
    state, moves = begin(promise, grid(EVEN)).observe(looks([0] * 300))
    assert [move.kind for move in moves] == ["offered"]
    assert (state.live, state.on_offer) == (0, 7)  # equally sure steps: the share passes on
    assert moves[0].sentence.endswith("It waits for a signature.")
    signed, move = state.signed()
    assert move is not None
    assert (signed.live, signed.on_offer, signed.seq) == (7, 0, 1)


def test_reviewers_are_measured_before_anything_is_earned() -> None:
    state = begin(REVIEWED, grid(EVEN))
    idle, moves = state.observe(looks([0] * 2000))
    assert (idle.live, moves) == (0, ())
    for i in range(60):
        state, _ = state.item(caught=i >= 6)
    assert state.reviewing.sensitivity == pytest.approx(0.7016154, abs=5e-8)
    assert state.limit == pytest.approx(0.02 * 0.7016154, abs=1e-9)
    earned, moves = state.observe(looks([0] * 2000))
    assert earned.live > 0
    assert moves[0].seq == 1


def test_reviewers_who_tire_revoke_and_start_again() -> None:
    state = begin(REVIEWED, grid(EVEN))
    for i in range(60):
        state, _ = state.item(caught=i >= 3)
    state, _ = state.observe(looks([0] * 2000))
    assert state.live > 0
    move = None
    items = 0
    while move is None:
        state, move = state.item(caught=False)
        items += 1
    assert items <= 12
    assert move.sentence == "Reviewers miss more known-answer items than at the start."
    assert (state.live, state.reviewing) == (0, Reviewing(REVIEWED.reviewers_delta))
    assert not state.reviewing.ready


def test_noisy_reviewers_make_a_promise_impossible_and_it_is_said() -> None:
    assert unearnable(TRUSTED, specificity=0.99, sensitivity=0.9) is None
    assert unearnable(TRUSTED, specificity=0.97, sensitivity=0.9) == (
        "Reviewers deny 3.0% of what is right, after second looks; an error rate of 0.02 can't be"
        " earned. Use an error_at_most above 0.033, or clearer reviews."
    )


def test_alarms_watch_rates_between_the_reference_and_one() -> None:
    sure = watch(0.3, (1.5, 5.0), 100.0)
    assert sure is not None
    assert sure.rates == pytest.approx((0.45, 0.65))
    assert watch(1.0, (2.0,), 100.0) is None


def test_an_alarm_in_pieces_is_the_same_alarm() -> None:
    rng = np.random.default_rng(0)
    wrong = (rng.random(500) < 0.1).astype(float)
    whole = watch(0.08, (1.5, 2.5), 1e9)
    assert whole is not None
    capital, state = [0.0, 0.0], whole
    for y in wrong:
        for i, q in enumerate(whole.rates):
            factor = q / 0.08 if y else (1 - q) / 0.92
            capital[i] = max(0.0, capital[i]) + math.log(factor)
        state = state.after(np.array([y]))
    assert whole.after(wrong).log_capital == pytest.approx(capital, abs=1e-9)
    assert state.log_capital == pytest.approx(capital, abs=1e-9)


def test_a_story_sees_only_what_was_asked_or_checked() -> None:
    rng = np.random.default_rng(7)
    confidence, wrong = INFORMATIVE.stream(rng, 6000)
    u = rng.random(6000)
    story = tell(TRUSTED, confidence, wrong, u)
    hidden = np.where(story.looked, wrong, 1 - wrong)  # what nobody looked at does not matter
    again = tell(TRUSTED, confidence, hidden, u)
    assert np.array_equal(story.acted, again.acted)
    assert story.moves == again.moves
    first = story.first_autonomy()
    assert first is not None
    assert not story.acted[:first].any()
    assert story.looked[:first].all()
    assert not story.looked.all()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"error_at_most": 0.0}, "'error_at_most' must lie between 0 and 1"),
        ({"sure": 1.0}, "'sure' must lie between 0 and 1"),
        ({"floor": 0.0}, "'floor' must lie between 0 and 1"),
    ],
)
def test_promises_out_of_range_are_refused(changes: dict[str, float], sentence: str) -> None:
    with pytest.raises(EvidenceRefusal, match=sentence):
        Promise(**changes)  # type: ignore[arg-type] # floats only


def test_looks_that_are_no_looks_are_refused() -> None:
    with pytest.raises(UnusableColumn, match="lies outside"):
        looks([0], confidence=1.5)
    with pytest.raises(UnusableColumn, match="neither 0 nor 1"):
        looks(np.array([0.5]))
