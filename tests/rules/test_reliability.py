"""How error compounds: the worked examples of the design, and the algebra of a running graph."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.reliability import (
    Standing,
    Write,
    alike_attempts,
    alike_chain,
    both,
    closure,
    compound,
    fold_child,
    given_yes,
    log_probability,
    reset_value,
    survival,
    vote,
    with_recovery,
    with_retries,
    yes_probability,
)
from tests.rules import quick

DIAMOND = {"B": ["A"], "C": ["A"], "D": ["B", "C"]}
NINES = dict.fromkeys("ABCD", 0.9)

chances = st.floats(0.01, 1.0)


def passed(step: int, p: float) -> Write:
    return Write(step=step, log_p=log_probability(p))


def unknown(step: int) -> Write:
    return Write(step=step, unknown=1)


def approved(step: int, *covered: float, whole: bool, through: bool = False) -> Write:
    """Return a yes's write: the posterior of what it covered, 1.0 for a perfect reviewer."""
    return Write(
        step=step,
        log_p=sum(log_probability(p) for p in covered),
        unverified=0,
        reset=whole,
        through=through,
    )


def after(writes: Sequence[Write], start: Standing | None = None) -> Standing:
    standing = start or Standing()
    for write in writes:
        standing = standing.then(write)
    return standing


# -- the worked examples, in their order ---------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(2, 0.5625), (3, 0.421875), (4, 0.316406), (8, 0.100113)],
)
def test_1_a_chain_is_the_product_of_its_steps(steps: int, expected: float) -> None:
    assert compound([0.75] * steps) == pytest.approx(expected, abs=5e-7)
    standing = after([passed(step, 0.75) for step in range(steps)])
    assert standing.reliability == pytest.approx(expected, abs=5e-7)


def test_1_two_steps_of_three_quarters_are_right_little_more_than_half_the_time() -> None:
    assert after([passed(1, 0.75), passed(2, 0.75)]).reliability == pytest.approx(0.75 * 0.75)


def test_2_a_shared_ancestor_is_counted_once() -> None:
    of_b, of_c, of_d = (given_yes(NINES, DIAMOND, approved={}, target=n).right for n in "BCD")

    assert closure(DIAMOND, "D") == frozenset("ABCD")
    assert of_d == pytest.approx(0.6561, abs=1e-12)
    assert of_b * of_c * 0.9 == pytest.approx(0.59049, abs=1e-12)  # the parents' marginals: wrong


def test_2_the_running_diamond_counts_its_shared_ancestor_once() -> None:
    run = after([passed(1, 0.9), passed(2, 0.9), passed(2, 0.9), passed(3, 0.9)])

    assert run.reliability == pytest.approx(0.6561, abs=1e-12)


def test_3_a_join_of_everything_is_the_product_over_the_union_of_closures() -> None:
    inputs = {"left": ["root"], "right": ["root"], "join": ["left", "right"]}
    accuracy = {"root": 0.8, "left": 0.9, "right": 0.7, "join": 1.0}

    joined = given_yes(accuracy, inputs, approved={}, target="join")

    assert joined.right == pytest.approx(0.8 * 0.9 * 0.7)


@pytest.mark.parametrize(("voters", "expected"), [(1, 0.75), (3, 0.84375), (5, 0.896484)])
def test_3_a_vote_is_a_binomial_tail(voters: int, expected: float) -> None:
    assert vote(0.75, voters) == pytest.approx(expected, abs=5e-7)


def test_3_a_vote_that_needs_everybody_is_a_chain() -> None:
    assert vote(0.75, 4, needed=4) == pytest.approx(0.75**4)
    assert vote(0.75, 4, needed=0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("steps", "expected", "independent"), [(2, 0.6, 0.5625), (4, 0.42857, 0.31641)]
)
def test_4_independence_understates_a_chain_of_alike_steps(
    steps: int, expected: float, independent: float
) -> None:
    assert alike_chain(3, 1, steps) == pytest.approx(expected, abs=5e-6)
    assert 0.75**steps == pytest.approx(independent, abs=5e-6)


@pytest.mark.parametrize(
    ("tries", "expected", "independent"), [(2, 0.9, 0.9375), (10, 0.9965, 0.999999)]
)
def test_4_independence_overstates_alike_attempts(
    tries: int, expected: float, independent: float
) -> None:
    assert alike_attempts(3, 1, tries) == pytest.approx(expected, abs=5e-5)
    assert 1 - 0.25**tries == pytest.approx(independent, abs=5e-7)


@quick
@given(st.floats(0.1, 50), st.floats(0.1, 50), st.integers(1, 12))
def test_4_the_direction_of_both_errors_holds_for_every_spread(a: float, b: float, k: int) -> None:
    mean = a / (a + b)

    assert alike_chain(a, b, k) >= mean**k - 1e-12
    assert alike_attempts(a, b, k) <= 1 - (1 - mean) ** k + 1e-12


def test_5_recovery_gives_a_chain_a_floor() -> None:
    assert with_recovery(0.95, 0.1, 10) == pytest.approx(0.732291, abs=5e-7)
    assert with_recovery(0.95, 0.0, 10) == pytest.approx(0.598737, abs=5e-7)
    assert with_recovery(0.95, 0.1, 10_000) == pytest.approx(0.6667, abs=5e-5)
    assert with_recovery(1.0, 0.0, 10) == 1.0


@quick
@given(chances, st.floats(0, 1), st.integers(0, 30))
def test_5_recovery_is_the_two_state_chain_walked_step_by_step(p: float, q: float, k: int) -> None:
    right = 1.0
    for _ in range(k):
        right = right * p + (1 - right) * q

    assert with_recovery(p, q, k) == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize(
    ("sensitivity", "expected"), [(1.0, 1.000), (0.9, 0.966), (0.6, 0.877), (0.2, 0.781)]
)
def test_6_a_yes_is_worth_what_the_reviewer_catches(sensitivity: float, expected: float) -> None:
    assert reset_value(0.75, sensitivity, 0.95) == pytest.approx(expected, abs=5e-4)


def test_6_gated_steps_multiply_their_posteriors() -> None:
    gated = reset_value(0.75, 0.9, 0.95)

    assert gated == pytest.approx(0.966102, abs=5e-7)
    assert compound([gated] * 2) == pytest.approx(0.933352, abs=5e-7)
    assert compound([gated] * 8) == pytest.approx(0.7589, abs=5e-5)
    assert compound([0.75] * 8) == pytest.approx(0.1001, abs=5e-5)


def test_6_unlimited_retries_reach_the_posterior_and_no_more() -> None:
    many = with_retries([0.75] * 200, sensitivity=0.9, specificity=0.95)

    assert many.right == pytest.approx(reset_value(0.75, 0.9, 0.95))


@quick
@given(chances, st.floats(0, 1), st.floats(0.01, 1))
def test_6_the_posterior_times_the_yes_is_bayes(p: float, s: float, t: float) -> None:
    assert reset_value(p, s, t) * yes_probability(p, s, t) == pytest.approx(p * t, abs=1e-12)


def test_6_a_yes_that_cannot_happen_says_nothing() -> None:
    assert reset_value(0.0, 1.0, 0.95) == 0.0


@pytest.mark.parametrize(
    ("accuracies", "s", "t", "takeover", "expected"),
    [
        ([0.75], 1, 1, None, (0.75, 0, 0.25, 1)),  # one try
        ([0.75] * 3, 1, 1, None, (0.984375, 0, 0.015625, 1.3125)),  # two retries
        ([0.75] * 3, 0.9, 0.95, None, (0.948627, 0.033285, 0.018088, 1.331406)),  # real reviewers
        ([0.75, 0.9, 0.9], 0.9, 0.95, None, (0.967237, 0.027979, 0.004784, 1.297938)),  # feedback
        ([0.75] * 3, 0.9, 0.95, 0.98, (0.966353, 0.033647, 0, 1.331406)),  # takeover at the end
    ],
)
def test_7_retries_with_a_fallback(
    accuracies: list[float],
    s: float,
    t: float,
    takeover: float | None,
    expected: tuple[float, float, float, float],
) -> None:
    end = with_retries(accuracies, sensitivity=s, specificity=t, takeover=takeover)

    assert (end.right, end.silent, end.stopped, end.attempts) == pytest.approx(expected, abs=5e-7)


@quick
@given(st.lists(chances, min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1))
def test_7_a_gated_step_ends_somewhere(accuracies: list[float], s: float, t: float) -> None:
    end = with_retries(accuracies, sensitivity=s, specificity=t)

    assert end.right + end.silent + end.stopped == pytest.approx(1.0)


def test_8_a_yes_says_something_about_ancestors_and_cousins() -> None:
    at_b = {"B": (0.9, 0.95)}

    ancestor = given_yes(NINES, DIAMOND, approved=at_b, target="A")
    descendant = given_yes(NINES, DIAMOND, approved=at_b, target="D")
    itself = given_yes(NINES, DIAMOND, approved={"D": (0.9, 0.95)}, target="D")

    assert ancestor.right == pytest.approx(0.987318, abs=5e-7)
    assert ancestor.yes == pytest.approx(0.7885, abs=5e-7)
    assert descendant.right == pytest.approx(0.790482, abs=5e-7)
    assert itself.right == pytest.approx(0.947711, abs=5e-7)


@quick
@given(chances, st.floats(0, 1), st.floats(0.01, 1))
def test_8_for_one_step_the_enumeration_is_the_reset_value(p: float, s: float, t: float) -> None:
    alone = given_yes({"A": p}, {}, approved={"A": (s, t)}, target="A")

    assert alone.right == pytest.approx(reset_value(p, s, t))
    assert alone.yes == pytest.approx(yes_probability(p, s, t))


def test_8_a_yes_that_cannot_happen_leaves_nothing() -> None:
    assert given_yes({"A": 0.0}, {}, approved={"A": (1.0, 1.0)}, target="A").right == 0.0


def test_8_more_nodes_than_can_be_enumerated_are_refused() -> None:
    names = [f"n{i}" for i in range(21)]
    chain = {name: [before] for before, name in pairwise(names)}

    with pytest.raises(ValueError, match="21 nodes are too many to enumerate; 20 is the most"):
        given_yes(dict.fromkeys(names, 0.9), chain, approved={}, target="n20")


def test_9_a_verifiers_precision_not_the_number_of_tries_is_the_limit() -> None:
    best_of_five = with_retries([0.3] * 5, sensitivity=0.9, specificity=0.9)

    assert best_of_five.right == pytest.approx(0.694668, abs=5e-7)
    assert best_of_five.silent == pytest.approx(0.180099, abs=5e-7)
    assert best_of_five.stopped == pytest.approx(0.125233, abs=5e-7)
    assert reset_value(0.3, 0.9, 0.9) == pytest.approx(0.794118, abs=5e-7)


def test_10_measured_accuracies_multiply_with_their_uncertainty() -> None:
    measured = [(95, 100), (48, 50), (190, 200)]
    posteriors = [(right + 0.5, judged - right + 0.5) for right, judged in measured]
    rng = random.Random(7)
    draws = sorted(compound(rng.betavariate(a, b) for a, b in posteriors) for _ in range(20_000))

    assert compound(right / judged for right, judged in measured) == pytest.approx(0.8664, abs=5e-5)
    assert draws[1_000] == pytest.approx(0.7872, abs=0.003)
    assert sum(draws) / len(draws) == pytest.approx(
        compound(a / (a + b) for a, b in posteriors), abs=1e-3
    )
    second = compound(a * (a + 1) / ((a + b) * (a + b + 1)) for a, b in posteriors)
    variance = second - compound(a / (a + b) for a, b in posteriors) ** 2
    assert sum(d * d for d in draws) / len(draws) - (sum(draws) / len(draws)) ** 2 == pytest.approx(
        variance, rel=0.05
    )


def test_11_a_yes_starts_the_clock_again() -> None:
    assert survival(60, 60) == pytest.approx(0.5)
    assert survival(60 * math.log(1 / 0.8) / math.log(2), 60) == pytest.approx(0.8)  # T80/T50=.3219
    assert math.log(1 / 0.8) / math.log(2) == pytest.approx(0.3219, abs=5e-5)
    assert survival(10, 60) == pytest.approx(0.891, abs=5e-4)
    gated = survival(30, 60, start=reset_value(survival(30, 60), 0.9, 0.95))
    assert gated > survival(60, 60)


# -- supersteps ----------------------------------------------------------------------------------


@quick
@given(st.permutations([0.9, 0.8, 0.7, 0.6]), st.integers(0, 4))
def test_the_order_inside_a_superstep_changes_nothing(order: list[float], yes_at: int) -> None:
    before = after([passed(1, 0.5), unknown(2)])
    siblings = [passed(3, p) for p in order]
    siblings.insert(yes_at, approved(3, whole=True))

    standing = after(siblings, before)

    assert standing.reliability == pytest.approx(0.9 * 0.8 * 0.7 * 0.6)
    assert (standing.unverified, standing.unknown) == (4, 0)


@quick
@given(st.lists(st.tuples(st.integers(0, 3), chances, st.booleans()), max_size=9), st.randoms())
def test_any_order_inside_supersteps_gives_the_same_standing(
    steps: list[tuple[int, float, bool]], shuffler: random.Random
) -> None:
    writes = [approved(step, p, whole=True) if yes else passed(step, p) for step, p, yes in steps]
    turned = list(writes)
    shuffler.shuffle(turned)

    one, other = (after(sorted(each, key=lambda w: w.step)) for each in (writes, turned))

    assert one.reliability == pytest.approx(other.reliability)
    assert (one.unverified, one.unknown) == (other.unverified, other.unknown)


def test_a_yes_in_a_superstep_drops_the_shared_prefix_once_and_keeps_its_siblings() -> None:
    run = after([passed(1, 0.5), passed(2, 0.9), approved(2, whole=True), approved(2, whole=True)])

    assert run.reliability == pytest.approx(0.9)
    assert run.unverified == 1


@quick
@given(chances, chances)
def test_two_writes_of_a_superstep_as_one_say_the_same(p: float, q: float) -> None:
    prefix = after([passed(1, 0.5)])
    pair = (approved(2, p, whole=True, through=True), passed(2, q))

    assert prefix.then(both(*pair)) == after(pair, prefix)


def test_a_fan_out_joins_with_each_branch_counted_once() -> None:
    run = after([passed(1, 0.9), *(passed(2, 0.95) for _ in range(3)), passed(3, 0.99)])

    assert run.reliability == pytest.approx(0.9 * 0.95**3 * 0.99)
    assert run.unverified == 5


def test_an_unsure_step_is_never_more_than_nothing() -> None:
    assert after([passed(1, 0.0)]).reliability == pytest.approx(1e-12)


def test_ten_thousand_steps_keep_a_standing_of_constant_size() -> None:
    run = after([passed(step, 0.9999) for step in range(10_000)])

    assert run.reliability == pytest.approx(0.9999**10_000)
    assert len(str(run.dump())) < 250


@quick
@given(st.lists(st.tuples(st.integers(0, 5), chances), max_size=8))
def test_a_standing_survives_being_kept(steps: list[tuple[int, float]]) -> None:
    run = after([passed(step, p) for step, p in sorted(steps)])

    assert Standing.load(run.dump()) == run


def test_a_turn_and_a_cold_start_begin_at_one() -> None:
    assert Standing.load(None) == Standing.load({}) == Standing()
    assert (Standing().reliability, Standing().unverified, Standing().unknown) == (1.0, 0, 0)


def test_steps_nobody_knows_anything_about_count_as_one_and_are_counted() -> None:
    run = after([unknown(1), passed(2, 0.9), unknown(3)])

    assert run.reliability == pytest.approx(0.9)
    assert (run.unverified, run.unknown) == (3, 2)


# -- what a yes covers ---------------------------------------------------------------------------


def test_a_yes_to_the_step_alone_leaves_what_came_before() -> None:
    run = after([passed(1, 0.9), passed(2, 0.8), approved(3, whole=False)])

    assert run.reliability == pytest.approx(0.72)
    assert (run.unverified, run.unknown) == (2, 0)


def test_a_yes_since_the_reset_clears_what_came_before() -> None:
    run = after([passed(1, 0.9), unknown(2), approved(3, whole=True)])

    assert run.reliability == 1.0
    assert (run.unverified, run.unknown) == (0, 0)


def test_a_fallible_reviewers_yes_leaves_the_posterior_of_each_covered_step() -> None:
    covered = [reset_value(p, 0.9, 0.95) for p in (0.75, 0.75)]

    of_both = after([passed(1, 0.75), approved(2, *covered, whole=True)])
    of_one = after([passed(1, 0.75), approved(2, covered[1], whole=False)])

    assert of_both.reliability == pytest.approx(0.933352, abs=5e-7)
    assert of_one.reliability == pytest.approx(0.75 * 0.966102, abs=5e-7)


def test_a_shard_that_saw_only_its_own_part_does_not_clear_the_rest() -> None:
    run = after([passed(1, 0.7), approved(2, whole=False), passed(2, 0.9), passed(2, 0.9)])

    assert run.reliability == pytest.approx(0.7 * 0.81)


# -- retries, rollback ---------------------------------------------------------------------------


def test_a_denied_attempt_never_entered_the_standing() -> None:
    before = after([passed(1, 0.9)])
    denied = before.then(passed(2, 0.3))

    retried = before.then(passed(2, 0.95))

    assert denied != retried
    assert retried.reliability == pytest.approx(0.9 * 0.95)


def test_a_rollback_restores_the_standing_of_its_snapshot() -> None:
    snapshot = after([passed(1, 0.9), approved(2, whole=True)]).dump()
    went_on = after([passed(3, 0.6), passed(4, 0.6)], Standing.load(snapshot))

    back = Standing.load(snapshot)

    assert went_on.reliability == pytest.approx(0.36)
    assert (back.reliability, back.unverified) == (1.0, 0)
    assert after([passed(3, 0.95)], back).reliability == pytest.approx(0.95)


# -- child graphs --------------------------------------------------------------------------------


def test_a_child_graph_starts_from_its_parents_value() -> None:
    parent = after([passed(1, 0.9), unknown(2)])
    child = after([passed(1, 0.8)])

    seen = child.under(parent)

    assert seen.reliability == pytest.approx(0.72)
    assert (seen.unverified, seen.unknown) == (3, 1)


def test_a_yes_that_saw_the_parents_state_ends_the_parents_prefix_in_the_child() -> None:
    parent = after([passed(1, 0.5)])
    child = after([passed(1, 0.8), approved(2, whole=True, through=True), passed(3, 0.9)])

    assert child.under(parent).reliability == pytest.approx(0.9)


def test_a_yes_that_saw_only_the_childs_state_keeps_the_parents_prefix() -> None:
    parent = after([passed(1, 0.5)])
    child = after([passed(1, 0.8), approved(2, whole=True), passed(3, 0.9)])

    assert child.under(parent).reliability == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("through", "expected"),
    [(False, 0.5 * 0.9), (True, 0.9)],  # the child's own reset; one that reached the parent
)
def test_a_finished_child_folds_into_its_parents_superstep(through: bool, expected: float) -> None:
    parent = after([passed(1, 0.5)])
    child = after([passed(1, 0.8), approved(2, whole=True, through=through), passed(3, 0.9)])

    folded = parent.then(fold_child(child, 2))

    assert folded.reliability == pytest.approx(expected)
    assert folded.unverified == 1 + (not through)


def test_a_childs_unknown_steps_are_the_parents_too() -> None:
    child = after([unknown(1), passed(2, 0.9)])

    folded = after([passed(1, 0.8)]).then(fold_child(child, 2))

    assert (folded.unverified, folded.unknown) == (3, 1)


def test_three_graphs_deep_the_value_is_the_product_of_all() -> None:
    inner = after([passed(1, 0.9), passed(2, 0.8)])
    middle = after([passed(1, 0.7)]).then(fold_child(inner, 2))
    outer = after([passed(1, 0.95)]).then(fold_child(middle, 2))

    assert outer.reliability == pytest.approx(0.9 * 0.8 * 0.7 * 0.95)
    assert inner.under(after([passed(1, 0.7)]).under(after([passed(1, 0.95)]))).reliability == (
        pytest.approx(outer.reliability)
    )


@pytest.mark.parametrize("through", [False, True])
def test_a_yes_three_graphs_deep_reaches_the_root_only_if_each_graph_saw_it_all(
    through: bool,
) -> None:
    inner = after([approved(1, whole=True, through=True)])
    middle = after([passed(1, 0.7)]).then(fold_child(inner, 2, through=through))
    outer = after([passed(1, 0.95)]).then(fold_child(middle, 2))

    assert middle.reliability == 1.0
    assert outer.reliability == pytest.approx(1.0 if through else 0.95)


def test_children_of_one_superstep_fold_like_any_siblings() -> None:
    children = [after([passed(1, 0.9)]), after([approved(1, whole=True, through=True)])]

    results = {
        round(after([passed(1, 0.5), *(fold_child(c, 2) for c in order)]).reliability, 12)
        for order in product(children, repeat=2)
        if order[0] is not order[1]
    }

    assert results == {0.9}
