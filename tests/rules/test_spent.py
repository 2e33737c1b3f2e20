"""What a run spent since the last reset: how it adds up, and when it is a reason to ask."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigurationError
from hitl.models import Covers
from hitl.policy import Checkpoint, Escalate, EscalationPolicy, GateFacts, Pass, Step, Tool, gate
from hitl.reliability import Standing, Write, both, fold_child
from hitl.spent import NOTHING, Spent
from tests.rules import quick

Facts = Callable[..., GateFacts]

amounts = st.builds(
    Spent,
    cost=st.integers(0, 9).map(float),
    effects=st.integers(0, 3),
    since=st.none() | st.integers(1, 99).map(float),
)


def spending(step: int, spent: Spent, *, reset: bool = False) -> Write:
    return Write(step=step, unverified=0 if reset else 1, reset=reset, spent=spent)


def after(*writes: Write) -> Standing:
    standing = Standing()
    for write in writes:
        standing = standing.then(write)
    return standing


@quick
@given(amounts, amounts, amounts)
def test_what_is_spent_adds_up_in_any_order(a: Spent, b: Spent, c: Spent) -> None:
    assert a.plus(b).plus(c) == c.plus(a).plus(b)
    assert a.plus(NOTHING) == a
    assert Spent.load(a.dump()) == a


@quick
@given(st.permutations([0, 1, 2]), amounts, amounts, amounts)
def test_a_reset_forgets_the_prefix_and_keeps_its_siblings(
    order: list[int], a: Spent, b: Spent, c: Spent
) -> None:
    siblings = [spending(2, b), spending(2, c), spending(2, NOTHING, reset=True)]
    run = after(spending(1, a), *(siblings[n] for n in order))

    assert run.spent == b.plus(c)
    assert Standing.load(run.dump()) == run


def test_a_child_graph_goes_on_from_its_parent_and_folds_back() -> None:
    parent = after(spending(1, Spent(2.0, 1, 10.0)))
    child = after(spending(0, Spent(3.0, 1, 20.0)))

    assert child.under(parent).spent == Spent(5.0, 2, 10.0)
    assert parent.then(fold_child(child, 2)).spent == Spent(5.0, 2, 10.0)
    one, two = spending(3, Spent(1.0, 0, 5.0)), spending(3, Spent(1.0, 1, 6.0))
    assert both(one, two).spent == Spent(2.0, 1, 5.0)
    assert Write.load(one.dump()) == one


@pytest.mark.parametrize(
    ("checkpoint", "changes", "sentence"),
    [
        (
            Checkpoint("read", every=3),
            {"unverified": 3},
            "3 unverified steps since the last reset; this checkpoint asks at 3.",
        ),
        (
            Checkpoint("read", cost_above=2),
            {"spent": Spent(cost=2.5)},
            "Cost 2.5 since the last reset is above 2.",
        ),
        (
            Checkpoint("read", time_above="2h"),
            {"seconds": 7500.0},
            "2h5m since the last reset is above 2h.",
        ),
        (
            Checkpoint("read", effects_above=1),
            {"spent": Spent(effects=2)},
            "2 side effects since the last reset; this checkpoint asks above 1.",
        ),
    ],
)
def test_each_limit_asks_with_a_sentence_about_the_whole_run(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str, facts: Facts
) -> None:
    policy = EscalationPolicy("p", checkpoints=[checkpoint])

    asked = gate(policy, facts(**changes))

    assert isinstance(asked, Escalate)
    assert [t.sentence for t in asked.triggers] == [sentence]
    assert asked.covers is Covers.SINCE_RESET
    assert isinstance(gate(policy, facts()), Pass)
    assert EscalationPolicy.from_yaml(policy.to_yaml()) == policy


def test_a_limit_itself_is_allowed(facts: Facts) -> None:
    here = Checkpoint("read", cost_above=2, time_above=timedelta(hours=2), effects_above=1)
    policy = EscalationPolicy("p", checkpoints=[here])

    assert isinstance(gate(policy, facts(spent=Spent(2.0, 1), seconds=7200.0)), Pass)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"every": 0}, r"every is 0; it must be a whole number of at least 1\."),
        ({"every": 2.5}, r"every is 2\.5; it must be a whole number of at least 1\."),
        ({"effects_above": -1}, r"effects_above is -1; it must be a whole number of at least 0\."),
        ({"cost_above": -1}, r"cost_above is -1; it must be a number of at least 0\."),
        ({"time_above": "soon"}, r"time_above is 'soon'; write it like"),
    ],
)
def test_a_limit_that_is_none_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        Checkpoint("read", **options)


def test_what_counts_as_a_side_effect() -> None:
    tools = (Tool("send", frozenset({"effect"})), Tool("look"), Tool("pay"))
    policy = EscalationPolicy(
        "p", checkpoints=[Checkpoint("wire", place="before"), Checkpoint("tool:pay")]
    ).on([Step("tools", tools=tools), Step("mail", frozenset({"effect"})), Step("wire"), Step("a")])

    assert [policy.effects_of(step) for step in ("mail", "wire", "a", "tools")] == [1, 1, 0, 0]
    assert policy.effects_of("tools", calls=("send", "look", "pay", "send")) == 3
