"""Where to ask in a graph: exact against brute force and the chain, the search against the exact."""

import itertools
import math
from typing import TypedDict

import numpy as np
import pytest

from hitl.errors import EvidenceRefusal
from hitl.lab.planner import GraphPlan, plan_chain, plan_graph
from hitl.reliability import closure


class Rates(TypedDict):
    sensitivity: float
    specificity: float


RATES: Rates = {"sensitivity": 0.9, "specificity": 0.95}
Graph = tuple[dict[str, float], dict[str, list[str]], dict[str, float]]


def random_graph(rng: np.random.Generator, n: int, *, density: float = 0.3) -> Graph:
    steps = [f"s{i:02}" for i in range(n)]
    accuracy = {s: float(rng.uniform(0.6, 0.99)) for s in steps}
    inputs = {s: [u for u in steps[:i] if rng.random() < density] for i, s in enumerate(steps)}
    return accuracy, inputs, {s: float(rng.uniform(0.5, 6)) for s in steps}


def value(graph: Graph, gates: tuple[str, ...], order: list[str], review: float) -> GraphPlan:
    """Return what a set of gates brings, written out: each gate takes what is not yet approved."""
    accuracy, inputs, cost = graph
    done: set[str] = set()
    spent, right = 0.0, 1.0
    for gate in (s for s in order if s in gates):
        fresh = closure(inputs, gate) - done
        good = math.prod(accuracy[s] for s in fresh)
        yes = good * 0.95 + (1 - good) * 0.1
        spent += (sum(cost[s] for s in fresh) + review) / yes
        right *= good * 0.95 / yes
        done |= fresh
    rest = set(accuracy) - done
    return GraphPlan(
        gates,
        spent + sum(cost[s] for s in rest),
        right * math.prod(accuracy[s] for s in rest),
        True,
        0.0,
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_chain_is_planned_as_a_chain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, cost = rng.uniform(0.6, 1, 7).tolist(), rng.uniform(1, 5, 7).tolist()
    steps = [f"s{i}" for i in range(7)]
    inputs = {b: [a] for a, b in itertools.pairwise(steps)}
    for most in (None, 0, 2, 4):
        flat = plan_chain(p, cost, 1.5, **RATES, max_gates=most)
        plan = plan_graph(
            dict(zip(steps, p, strict=True)),
            inputs,
            dict(zip(steps, cost, strict=True)),
            1.5,
            **RATES,
            max_gates=most,
        )
        assert plan.gates == tuple(steps[g - 1] for g in flat.gates)
        assert plan.expected_cost == pytest.approx(flat.expected_cost, rel=1e-12)
        assert plan.p_right == pytest.approx(flat.p_right, rel=1e-12)
        assert plan.exact


@pytest.mark.parametrize("seed", range(4))
def test_no_set_of_gates_is_better(seed: int) -> None:
    graph = random_graph(np.random.default_rng(seed), 7)
    accuracy, inputs, cost = graph
    order = list(accuracy)
    sets = [g for m in range(8) for g in itertools.combinations(order, m)]
    plans = [value(graph, gates, order, 1.5) for gates in sets]
    final = {s for s in order if all(s not in rests for rests in inputs.values())}

    cheapest = plan_graph(accuracy, inputs, cost, 1.5, **RATES)
    least = min(plan.expected_cost for plan in plans if final <= set(plan.gates))
    assert cheapest.expected_cost == pytest.approx(least, rel=1e-9)
    assert final <= set(cheapest.gates)

    likeliest = plan_graph(accuracy, inputs, cost, 1.5, **RATES, max_gates=3)
    best = max(plan.p_right for plan in plans if len(plan.gates) <= 3)
    assert likeliest.p_right == pytest.approx(best, rel=1e-9)


def test_the_search_finds_the_best_on_small_graphs() -> None:
    """30 random graphs of 5 to 12 steps, both aims: optimal in >= 95 %, gap <= 1 %."""
    rng = np.random.default_rng(12)
    gaps = []
    for _ in range(30):
        graph = random_graph(rng, int(rng.integers(5, 13)))
        for most in (None, 3):
            exact = plan_graph(*graph, 1.5, **RATES, max_gates=most)
            found = plan_graph(*graph, 1.5, **RATES, max_gates=most, exact_up_to=0)
            assert exact.exact
            assert not found.exact
            if most is None:
                real = found.expected_cost / exact.expected_cost - 1
            else:
                real = 1 - found.p_right / exact.p_right
            assert real <= found.gap + 1e-12  # what the search reports is a bound
            gaps.append(real)
    assert float(np.mean(np.array(gaps) <= 1e-9)) >= 0.95
    assert max(gaps) <= 0.01


def test_a_large_graph_says_how_far_from_the_best_it_may_be() -> None:
    graph = random_graph(np.random.default_rng(5), 30, density=0.1)
    plan = plan_graph(*graph, 1.5, **RATES, max_gates=8)
    assert not plan.exact
    assert len(plan.gates) == 8
    assert 0 < plan.gap < 1
    more = plan_graph(*graph, 1.5, **RATES, max_gates=12)
    assert more.p_right > plan.p_right


def test_only_candidates_get_a_gate() -> None:
    graph = random_graph(np.random.default_rng(1), 8)
    plan = plan_graph(*graph, 1.5, **RATES, max_gates=3, candidates=["s01", "s04"])
    assert set(plan.gates) <= {"s01", "s04"}


def test_a_shared_ancestor_is_reviewed_once() -> None:
    """Diamond: whoever is reviewed first answers for the root."""
    accuracy = dict.fromkeys("ABCD", 0.9)
    inputs = {"B": ["A"], "C": ["A"], "D": ["B", "C"]}
    plan = plan_graph(accuracy, inputs, dict.fromkeys("ABCD", 1.0), 0.5, max_gates=1, **RATES)
    good = 0.9**4
    yes = good * 0.95 + (1 - good) * 0.1
    assert plan.gates == ("D",)
    assert plan.p_right == pytest.approx(good * 0.95 / yes)
    assert plan.p_right == pytest.approx(0.947711, abs=5e-7)


def test_unknown_steps_and_cycles_get_a_sentence() -> None:
    with pytest.raises(EvidenceRefusal, match=r"No accuracy is given for the steps \['b'\]"):
        plan_graph({"a": 0.9}, {"a": ["b"]}, {"a": 1.0}, 1.0)
    with pytest.raises(EvidenceRefusal, match="feed each other"):
        plan_graph({"a": 0.9, "b": 0.9}, {"a": ["b"], "b": ["a"]}, {"a": 1.0, "b": 1.0}, 1.0)
    with pytest.raises(EvidenceRefusal, match=r"No cost is given for the steps \['a'\]"):
        plan_graph({"a": 0.9}, {}, {}, 1.0)
    with pytest.raises(EvidenceRefusal, match="'accuracy' must lie between 0 and 1"):
        plan_graph({"a": 0.0}, {}, {"a": 1.0}, 1.0)
