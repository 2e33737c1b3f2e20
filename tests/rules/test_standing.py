"""The value a running graph carries: supersteps, coverage of a yes, child graphs, rollback."""

import random
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.reliability import Standing, Write, both, fold_child, log_probability, reset_value
from tests.rules import quick

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
