"""Effects: what a person denied is not done another way, and what was done is not done again."""

from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Answer, Checkpoint, Retry, Run, Stop
from hitl.errors import ConfigurationError
from hitl.models import DecidedBy, RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    settle,
)


def kinds(run: Run) -> list[str]:
    return [rung.kind.value for rung in only(run).rungs]


def loop(done: list[int], amounts: list[int]) -> Any:
    left = list(amounts)

    def pay(state: Cheque) -> Cheque:
        done.append(state["amount"])
        return {"paid": "yes"}

    graph = line(plan=lambda _: {"amount": left.pop(0)}, pay=pay, check=lambda _: {})
    graph.edges.discard(("check", "__end__"))
    graph.add_conditional_edges("check", lambda _: "plan" if left else "__end__")
    return graph


def asks_first(arguments: Any) -> bool:
    return bool(arguments["amount"] == 5)


@pytest.mark.parametrize(
    "trigger", [{"always": True}, {"rule": asks_first}], ids=["always", "rule"]
)
def test_a_denied_effect_is_refused_by_policy_when_it_comes_again(
    tmp_path: Path, trigger: dict[str, Any]
) -> None:
    done: list[int] = []
    here = Checkpoint(
        "pay",
        place="before",
        on_deny=[Answer(), Stop()],
        shows=lambda state: {"amount": state["amount"]},
        **trigger,
    )
    with opened(tmp_path, loop(done, [5, 5, 7]), policy(here)) as app:
        run = app.start({"amount": 0})
        deny(app, only(run), "answer", answer={"paid": "no"})
        go_on(run)

        assert run.status is RunStatus.STOPPED
        assert "was denied before in this run" in run.reason
        assert done == []
        last = max(run.reviews(pending=False), key=lambda review: review.opened_at)
        assert last.decision is not None
        assert (last.decision.by, last.decision.made_by) == ("policy", DecidedBy.POLICY)
        assert app.store.read(lambda r: r.label_counts(app.name, "pay")) == (0, 1)


def test_a_denied_effect_is_asked_about_again_where_the_policy_says_so(tmp_path: Path) -> None:
    done: list[int] = []
    here = Checkpoint(
        "pay",
        place="before",
        rule=lambda arguments: done == [] and arguments["amount"] == 5 and not seen,
        on_repeat="ask",
        on_deny=[Answer(), Stop()],
        shows=lambda state: {"amount": state["amount"]},
    )
    seen: list[str] = []
    with opened(tmp_path, loop(done, [5, 5]), policy(here)) as app:
        run = app.start({"amount": 0})
        deny(app, only(run), "answer", answer={"paid": "no"})
        seen.append("once")
        go_on(run)
        assert only(run).presentation.why == (
            "A person denied this very effect before in this run.",
        )
        approve(app, only(run))
        go_on(run)
        assert done == [5]


def test_another_effect_is_another_question(tmp_path: Path) -> None:
    done: list[int] = []
    here = always(
        "pay",
        place="before",
        on_deny=[Answer(), Stop()],
        shows=lambda state: {"amount": state["amount"]},
    )
    with opened(tmp_path, loop(done, [5, 7]), policy(here)) as app:
        run = app.start({"amount": 0})
        deny(app, only(run), "answer", answer={"paid": "no"})
        settle(app, go_on(run))
        assert done == [7]
        assert run.status is RunStatus.DONE


def test_a_retry_before_its_step_is_refused_in_the_policy() -> None:
    with pytest.raises(ConfigurationError, match="cannot retry: nothing has run yet"):
        Checkpoint("pay", place="before", on_deny=[Retry(1)])


def test_a_child_graph_whose_effect_happened_is_not_offered_again(tmp_path: Path) -> None:
    done: list[str] = []

    def pay(state: Cheque) -> Cheque:
        done.append("paid")
        return {"paid": "yes"}

    rules = policy(always("desk"), Checkpoint("desk/pay", place="before"))
    with opened(tmp_path, line(desk=line(pay=pay).compile()), rules) as app:
        run = app.start({"amount": 1})
        assert kinds(run) == ["answer", "stop"]
        assert done == ["paid"]


def paying(keys: list[str]) -> Any:
    def pay(state: Cheque) -> Cheque:
        keys.append(hitl.current().idempotency_key)
        return {"paid": "yes"}

    return pay


def key_of(path: Path, state: Cheque, *, run_id: str, step: str = "pay") -> str:
    keys: list[str] = []
    path.mkdir()
    with opened(path, line(**{step: paying(keys)})) as app:
        app.start(state, run_id=run_id)
    (key,) = keys
    return key


def test_an_effects_key_is_of_run_step_visit_and_action(tmp_path: Path) -> None:
    five, seven = Cheque(amount=5), Cheque(amount=7)
    key = key_of(tmp_path / "1", five, run_id="run_1")
    assert len(key) == 64
    assert key_of(tmp_path / "2", five, run_id="run_1") == key, "another process, the same effect"
    others = [
        key_of(tmp_path / "3", seven, run_id="run_1"),
        key_of(tmp_path / "4", five, run_id="run_2"),
        key_of(tmp_path / "5", five, run_id="run_1", step="pay_twice"),
    ]
    assert len({key, *others}) == 4


def test_each_visit_of_a_loop_has_a_key_of_its_own(tmp_path: Path) -> None:
    keys: list[str] = []
    left = [5, 5, 5]
    graph = line(plan=lambda _: {"amount": left.pop()}, pay=paying(keys), check=lambda _: {})
    graph.edges.discard(("check", "__end__"))
    graph.add_conditional_edges("check", lambda _: "plan" if left else "__end__")
    here = Checkpoint("pay", place="before", shows=lambda state: {"amount": state["amount"]})
    with opened(tmp_path, graph, policy(here)) as app:
        app.start({"amount": 0})
    assert len(set(keys)) == 3


def test_a_key_does_not_change_when_the_body_changes_its_input(tmp_path: Path) -> None:
    keys: list[str] = []

    def pay(state: Cheque) -> Cheque:
        keys.append(hitl.current().idempotency_key)
        state["amount"] = 99
        state["log"].append("begun")
        keys.append(hitl.current().idempotency_key)
        return {"paid": "yes"}

    with opened(tmp_path, line(pay=pay)) as app:
        app.start({"amount": 5})
    assert keys[0] == keys[1]


def test_a_key_read_late_is_that_of_the_input_all_the_same(tmp_path: Path) -> None:
    def late(state: Cheque) -> Cheque:
        state["log"].append("begun")
        keys.append(hitl.current().idempotency_key)
        return {"paid": "yes"}

    keys: list[str] = []
    rules = policy(always("pay", place="before"))
    for folder, body in (("early", paying(keys)), ("late", late)):
        (tmp_path / folder).mkdir()
        with opened(tmp_path / folder, line(pay=body), rules) as app:
            settle(app, app.start({"amount": 5}, run_id="run_1"))
    assert keys[0] == keys[1]
