"""Where to ask on a chain: P1 to P5 and brute force over every set of gates."""

import itertools
import math
from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import node_accuracy
from hitl.lab.planner import (
    Plan,
    interval_overhead,
    plan_chain,
    plan_chain_loss,
    plan_chain_minutes,
    plan_sensitivity,
    review_interval,
)
from tests.lab import quick

P = [0.95, 0.9, 0.75, 0.98, 0.8, 0.9]
COST = [1, 2, 5, 1, 8, 3]


class Rates(TypedDict):
    sensitivity: float
    specificity: float


FALLIBLE: Rates = {"sensitivity": 0.9, "specificity": 0.95}


def value(
    gates: tuple[int, ...],
    p: Sequence[float],
    cost: Sequence[float],
    review: float,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> Plan:
    """Return what a set of gates brings, written out segment by segment."""
    spent, right, start = 0.0, 1.0, 0
    for gate in gates:
        good = math.prod(p[start:gate])
        yes = good * specificity + (1 - good) * (1 - sensitivity)
        spent += (sum(cost[start:gate]) + review) / yes
        right *= good * specificity / yes
        start = gate
    return Plan(gates, spent + sum(cost[start:]), right * math.prod(p[start:]))


def every_set(n: int) -> list[tuple[int, ...]]:
    return [gates for m in range(n + 1) for gates in itertools.combinations(range(1, n + 1), m)]


def test_p1_a_perfect_reviewer() -> None:
    plan = plan_chain(P, COST, 2)
    assert plan.gates == (2, 3, 5, 6)
    assert plan.expected_cost == pytest.approx(34.7674543502, abs=1e-9)
    assert plan.p_right == 1.0
    assert value((6,), P, COST, 2).expected_cost == pytest.approx(48.6224379290, abs=1e-9)
    everywhere = value((1, 2, 3, 4, 5, 6), P, COST, 2)
    assert everywhere.expected_cost == pytest.approx(38.0524525600, abs=1e-9)


def test_p2_a_fallible_reviewer() -> None:
    plan = plan_chain(P, COST, 2, **FALLIBLE)
    assert plan.gates == (2, 4, 6)
    assert plan.expected_cost == pytest.approx(35.3444934733, abs=1e-9)
    assert plan.p_right == pytest.approx(0.9093149783, abs=1e-9)
    end, everywhere = (value(g, P, COST, 2, **FALLIBLE) for g in ((6,), (1, 2, 3, 4, 5, 6)))
    assert end.expected_cost == pytest.approx(45.4, abs=0.05)
    assert end.p_right == pytest.approx(0.887, abs=5e-4)
    assert everywhere.expected_cost == pytest.approx(39.2, abs=0.05)
    assert everywhere.p_right == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("budget", "right", "gates"),
    [
        (0, 0.452466, ()),
        (1, 0.8870122975, (6,)),
        (2, 0.9046534670, (3, 6)),
        (3, 0.9093149783, (2, 4, 6)),
    ],
)
def test_p3_a_budget_of_gates(budget: int, right: float, gates: tuple[int, ...]) -> None:
    plan = plan_chain(P, COST, 2, **FALLIBLE, max_gates=budget)
    assert plan.gates == gates
    assert plan.p_right == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize(
    ("review", "cost", "gates"),
    [
        (0.25, 24.930748, tuple(range(2, 21, 2))),
        (1.0, 30.693442, (4, 8, 12, 16, 20)),
        (4.0, 45.107143, (6, 13, 20)),
    ],
)
def test_p4_twenty_equal_steps(review: float, cost: float, gates: tuple[int, ...]) -> None:
    plan = plan_chain([0.95] * 20, [1] * 20, review)
    assert plan.expected_cost == pytest.approx(cost, abs=1e-6)
    twin = value(gates, [0.95] * 20, [1.0] * 20, review)
    assert twin.expected_cost == pytest.approx(plan.expected_cost, abs=1e-9)
    assert len(plan.gates) == len(gates)


chains = st.lists(st.tuples(st.floats(0.3, 1.0), st.floats(0.0, 9.0)), min_size=2, max_size=7)
reviewers = st.sampled_from([(1.0, 1.0), (0.9, 0.95), (0.6, 0.9)])


@quick
@given(chains, reviewers, st.floats(0.0, 5.0), st.integers(0, 7), st.floats(0.0, 200.0))
def test_no_set_of_gates_is_better(
    steps: list[tuple[float, float]],
    rates: tuple[float, float],
    review: float,
    budget: int,
    loss: float,
) -> None:
    p, cost = [x for x, _ in steps], [c for _, c in steps]
    known: Rates = {"sensitivity": rates[0], "specificity": rates[1]}
    plans = [value(gates, p, cost, review, *rates) for gates in every_set(len(p))]
    closed = [plan for plan in plans if len(p) in plan.gates]

    cheapest = plan_chain(p, cost, review, **known)
    least = min(plan.expected_cost for plan in closed)
    assert cheapest.expected_cost == pytest.approx(least, rel=1e-12, abs=1e-12)

    likeliest = plan_chain(p, cost, review, **known, max_gates=budget)
    within = [plan for plan in plans if len(plan.gates) <= budget]
    best = max(plan.p_right for plan in within)
    assert likeliest.p_right == pytest.approx(best, abs=1e-11)
    equal = [plan.expected_cost for plan in within if plan.p_right >= best - 1e-12]
    assert likeliest.expected_cost <= min(equal) + 1e-9

    traded = plan_chain_loss(p, cost, review, silent_cost=loss, **known)
    least = min(plan.expected_cost + loss * (1 - plan.p_right) for plan in plans)
    assert traded.expected_cost + loss * (1 - traded.p_right) == pytest.approx(least, abs=1e-9)


@quick
@given(chains, st.lists(st.integers(1, 5), min_size=7, max_size=7), st.integers(0, 12))
def test_minutes_are_kept_and_used_best(
    steps: list[tuple[float, float]], minutes: list[int], budget: int
) -> None:
    p, cost = [x for x, _ in steps], [c for _, c in steps]
    plan = plan_chain_minutes(p, cost, minutes[: len(p)], budget=budget, **FALLIBLE)
    fits = [g for g in every_set(len(p)) if sum(minutes[i - 1] for i in g) <= budget]
    assert plan.gates in fits
    best = max(value(gates, p, cost, 0, **FALLIBLE).p_right for gates in fits)
    assert plan.p_right == pytest.approx(best, abs=1e-11)


@quick
@given(chains)
def test_p5_metamorphic(steps: list[tuple[float, float]]) -> None:
    """Steps right .9 to .99 of the time: where half of all segments fail, splitting always pays."""
    p, cost = [0.9 + 0.09 * x for x, _ in steps], [c + 0.1 for _, c in steps]
    n = len(p)
    rights = [plan_chain(p, cost, 1, **FALLIBLE, max_gates=m).p_right for m in range(n + 1)]
    assert all(more >= less - 1e-12 for less, more in itertools.pairwise(rights))
    assert plan_chain(p, cost, 1e-9).gates == tuple(range(1, n + 1))  # a review costs nothing
    assert plan_chain(p, cost, 1e9).gates == (n,)  # a review costs the world
    same = [0.9] * n
    turned = plan_chain(same, cost[::-1], 1.0, max_gates=2)
    assert turned.p_right == pytest.approx(plan_chain(same, cost, 1.0, max_gates=2).p_right)


def test_a_segments_formula_equals_its_simulation() -> None:
    """P = .7, s = .9, t = .95, C = 3: cost 4.3165 and silent error .04317 in the design."""
    plan = plan_chain([0.7], [3], 0, **FALLIBLE)
    assert plan.expected_cost == pytest.approx(4.3165, abs=5e-5)
    assert 1 - plan.p_right == pytest.approx(0.04317, abs=5e-6)
    rng = np.random.default_rng(0)
    runs, alive, cost = 100_000, np.arange(100_000), np.zeros(100_000)
    silent = 0
    while alive.size:
        cost[alive] += 3
        right = rng.random(alive.size) < 0.7
        approved = rng.random(alive.size) < np.where(right, 0.95, 0.1)
        silent += int((approved & ~right).sum())
        alive = alive[~approved]
    assert cost.mean() == pytest.approx(plan.expected_cost, abs=4 * cost.std() / runs**0.5)
    assert silent / runs == pytest.approx(1 - plan.p_right, abs=0.003)


def test_a_hundred_steps_and_twenty_gates_are_planned_on_a_budget() -> None:
    rng = np.random.default_rng(1)
    p, cost = rng.uniform(0.9, 1.0, 100).tolist(), rng.uniform(1, 5, 100).tolist()
    twenty = plan_chain(p, cost, 2, **FALLIBLE, max_gates=20)
    assert len(twenty.gates) == 20
    assert twenty.p_right > plan_chain(p, cost, 2, **FALLIBLE, max_gates=10).p_right


def test_a_two_day_agent_stops_every_eighteen_minutes() -> None:
    best = review_interval(5, 60)
    assert best.every == pytest.approx(18.4537, abs=5e-5)
    assert best.overhead == pytest.approx(1.573, abs=5e-4)
    assert interval_overhead(29.42, 5, 60) == pytest.approx(1.644, abs=1e-3)  # Young's
    assert interval_overhead(60, 5, 60) == pytest.approx(2.167, abs=5e-4)
    grid = np.linspace(1, 100, 5000)
    numeric = grid[np.argmin([interval_overhead(t, 5, 60) for t in grid])]
    assert best.every == pytest.approx(numeric, abs=0.03)


def test_a_plan_over_draws_says_how_often_each_gate_is_chosen() -> None:
    nodes = [node_accuracy(round(100 * p), 100) for p in P]

    def plan(p: list[float]) -> Plan:
        return plan_chain(p, COST, 2, **FALLIBLE)

    found = plan_sensitivity(nodes, plan, rng=np.random.default_rng(0))
    assert found.draws == 200
    assert found.chosen[6] == 200  # the end is reviewed in any case
    assert 0 < found.same < 200
    assert found.same <= min(found.chosen[gate] for gate in found.plan.gates)
    assert found.cost[0] < found.plan.expected_cost < found.cost[1]
    sure = [node_accuracy(round(1e6 * p), 1_000_000) for p in P]
    assert plan_sensitivity(sure, plan, rng=np.random.default_rng(0)).same == 200


@pytest.mark.parametrize(
    ("p", "cost", "review", "sentence"),
    [
        ([0.0, 0.9], [1, 1], 1, "A step that is never right lets no plan end"),
        ([0.9], [1, 1], 1, "A chain needs one cost per step: 1 accuracies, 2 costs"),
        ([0.9], [-1], 1, "'the smallest cost' must be a finite number >= 0"),
        ([1.1], [1], 1, "Column 'accuracy' row 0: 1.1 lies outside"),
    ],
)
def test_bad_numbers_get_a_sentence(
    p: list[float], cost: list[float], review: float, sentence: str
) -> None:
    with pytest.raises(EvidenceRefusal) as refused:
        plan_chain(p, cost, review)
    assert str(refused.value).startswith(sentence)


def test_a_reviewer_who_denies_everything_lets_nothing_end() -> None:
    with pytest.raises(EvidenceRefusal, match="denies everything right"):
        plan_chain([0.9], [1], 1, specificity=0.0)
    with pytest.raises(EvidenceRefusal, match="'max_gates' must be >= 0"):
        plan_chain([0.9], [1], 1, max_gates=-1)
    with pytest.raises(EvidenceRefusal, match="whole minutes"):
        plan_chain_minutes([0.9], [1], [0], budget=3)
