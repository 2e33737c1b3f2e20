"""What follows a no: retries with reasons and deadlines, the human's own answer, stopping."""

import operator
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from langgraph.types import Command
from pydantic import AfterValidator, BaseModel
from typing_extensions import TypedDict

import hitl
from hitl import Answer, Retry, Rollback, Run, Stop
from hitl.errors import InvalidAnswer
from hitl.models import DecidedBy, ReviewStatus, RunStatus
from tests.runtime.stage import (
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    rows,
    settle,
    trail,
)


def labels(run: Run) -> list[str]:
    return [rung.label for rung in only(run).rungs]


def kinds(run: Run) -> list[str]:
    return [rung.kind.value for rung in only(run).rungs]


def test_the_reasons_reach_the_step_that_tries_again(tmp_path: Path) -> None:
    heard: list[Any] = []

    def read(state: Cheque) -> Cheque:
        here = hitl.current()
        heard.append([(d.attempt, d.reasons, d.note, d.by) for d in here.denials])
        return {"payee": f"try {here.attempt}"}

    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry", reasons=["wrong payee"], note="it is a company")
        go_on(run)
        deny(app, only(run), "retry", by="bob", reasons=["still wrong"])
        go_on(run)
        first, second = (
            (1, ("wrong payee",), "it is a company", "ana"),
            (2, ("still wrong",), "", "bob"),
        )
        assert heard == [[], [first], [first, second]]
        assert [d.by for d in only(run).presentation.denials] == ["ana", "bob"]
        approve(app, only(run))
        assert go_on(run).value["payee"] == "try 3"


def test_retries_are_counted_and_then_the_next_rung_is_first(tmp_path: Path) -> None:
    rules = policy(always("read", on_deny=[Retry(2), Answer(), Stop()]))
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), rules) as app:
        run = app.start({"amount": 1})
        seen = []
        for _ in range(2):
            seen.append(labels(run)[0])
            deny(app, only(run))
            go_on(run)
        assert seen == ["Retry, 2 left", "Retry, 1 left"]
        assert kinds(run) == ["answer", "stop"]
        with pytest.raises(InvalidAnswer, match="'retry' is not offered here"):
            deny(app, only(run), "retry")


def test_within_and_until_count_from_the_first_review(tmp_path: Path) -> None:
    clock = HandClock()  # noon, UTC
    here = always("read", on_deny=[Retry(9, within="2h", until="16:00"), Stop()])
    with opened(
        tmp_path,
        line(read=lambda _: {"payee": "x"}),
        policy(here, timezone="Europe/Berlin"),
        clock=clock,
    ) as app:
        run = app.start({"amount": 1})
        assert labels(run)[0] == "Retry, 9 left, until 15:00 on 24 Nov"
        clock.move(timedelta(minutes=90))
        deny(app, only(run))
        go_on(run)
        assert labels(run)[0] == "Retry, 8 left, until 15:00 on 24 Nov"
        clock.move(timedelta(minutes=29))
        deny(app, only(run))
        clock.move(timedelta(minutes=1))
        go_on(run)
        assert kinds(run) == ["stop"]


def test_the_deadline_is_told_to_the_step(tmp_path: Path) -> None:
    clock = HandClock()
    told: list[Any] = []

    def read(state: Cheque) -> Cheque:
        told.append(hitl.current().deadline)
        return {"payee": "x"}

    here = always("read", on_deny=[Retry(3, within="2h"), Stop()])
    with opened(tmp_path, line(read=read), policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        started = clock()
        clock.move(timedelta(minutes=30))
        deny(app, only(run))
        go_on(run)
        assert told == [started + timedelta(hours=2)] * 2


def test_a_retry_chosen_after_its_deadline_is_refused(tmp_path: Path) -> None:
    clock = HandClock()
    here = always("read", on_deny=[Retry(3, within="2h"), Answer(), Stop()])
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        clock.move(timedelta(hours=3))
        with pytest.raises(InvalidAnswer, match="'retry' is over since"):
            deny(app, only(run), "retry")
        decision = deny(app, only(run), answer={"payee": "y"})
        assert decision.remedy == "answer"


# -- the human's own answer ---------------------------------------------------------------------------


def test_an_answer_stands_in_for_the_step_and_is_checked_against_its_fields(
    tmp_path: Path,
) -> None:
    graph = line(
        read=lambda _: {"amount": 70, "payee": "x"}, end=lambda s: {"paid": str(s["amount"])}
    )
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run = app.start({"amount": 1})
        for wrong in ({"amount": "seven", "payee": "x"}, {"amount": 7}, {"sum": 7}, 7):
            with pytest.raises(InvalidAnswer):
                deny(app, only(run), "answer", answer=wrong)
        deny(app, only(run), "answer", answer={"amount": 7, "payee": "Bolt"})
        go_on(run)
        assert run.value == {"amount": 7, "payee": "Bolt", "paid": "7", "log": []}
        assert row(app, run, "read").verified


class Money(BaseModel):
    """A typed part of a state."""

    cents: int


class Typed(TypedDict, total=False):
    """A state with a model in it."""

    money: Money


def test_an_answer_arrives_as_the_states_types(tmp_path: Path) -> None:
    graph = line(
        Typed, read=lambda _: {"money": Money(cents=1)}, end=lambda s: {"money": s["money"]}
    )
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run = app.start({})
        deny(app, only(run), "answer", answer={"money": {"cents": 250}})
        go_on(run)
        assert run.value["money"] == Money(cents=250)


def at_most_ten(value: int) -> int:
    if value > 10:
        raise ValueError("it is over ten")
    return value


class Checked(TypedDict, total=False):
    """A state with a check no JSON Schema can say."""

    amount: Annotated[int, AfterValidator(at_most_ten)]


def test_an_answer_that_fits_the_schema_but_not_the_type_needs_attention(tmp_path: Path) -> None:
    with opened(
        tmp_path, line(Checked, read=lambda _: {"amount": 1}), policy(always("read"))
    ) as app:
        run = app.start({})
        deny(app, only(run), "answer", answer={"amount": 11})
        go_on(run)
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "does not fit step 'read'" in run.reason
        assert "it is over ten" in run.reason


def test_an_answer_before_an_effect_takes_its_place(tmp_path: Path) -> None:
    paid: list[str] = []

    def pay(state: Cheque) -> Cheque:
        paid.append("paid")
        return {"paid": "yes"}

    here = always("pay", place="before", on_deny=[Answer(), Stop()])
    with opened(tmp_path, line(pay=pay, end=lambda s: {"log": [s["paid"]]}), policy(here)) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "answer", answer={"paid": "by hand"})
        go_on(run)
        assert run.value["log"] == ["by hand"]
        assert paid == []


def test_an_answer_covers_the_step_and_nothing_before_it(tmp_path: Path) -> None:
    def sure(state: Cheque) -> Cheque:
        hitl.report(confidence=0.8)
        return {"payee": "x"}

    here = always("read", covers="since_reset")
    with opened(tmp_path, line(plan=sure, read=sure), policy(here)) as app:
        run = app.start({"amount": 1})
        assert [v.step for v in only(run).presentation.vouched] == ["plan"]
        deny(app, only(run), "answer", answer={"payee": "y"})
        go_on(run)
        assert run.reliability == pytest.approx(0.8), "a no vouches for nothing"
        assert row(app, run, "read").covers == "step"


def test_an_answer_keeps_where_the_step_goes(tmp_path: Path) -> None:
    def choose(state: Cheque) -> Any:
        return [Command(goto="pay", update={"amount": 70}), {"payee": "x"}]

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("choose", choose, destinations=("pay",))
    graph.add_node("pay", lambda state: {"paid": f"{state['amount']} to {state['payee']}"})
    graph.add_edge(START, "choose")
    with opened(tmp_path, graph, policy(always("choose"))) as app:
        run = app.start({"amount": 1})
        assert only(run).proposal.arguments == {
            "update": {"amount": 70, "payee": "x"},
            "goto": ["pay"],
        }
        deny(app, only(run), "answer", answer={"amount": 7, "payee": "Bolt"})
        assert go_on(run).value["paid"] == "7 to Bolt"


def test_a_state_that_is_one_value_is_answered_with_a_value(tmp_path: Path) -> None:
    appended: Any = Annotated[list[str], operator.add]
    words: StateGraph[Any, Any, Any, Any] = StateGraph(appended)
    words.add_node("say", lambda _: ["wrong"])
    words.add_edge(START, "say")
    with opened(tmp_path, words, policy(always("say"))) as app:
        run = app.start(["begin"])
        assert only(run).proposal.arguments == {"update": ["wrong"]}
        with pytest.raises(InvalidAnswer, match="does not fit"):
            deny(app, only(run), "answer", answer="right")
        deny(app, only(run), "answer", answer=["right"])
        assert go_on(run).value == ["begin", "right"]


def test_an_entrypoint_is_answered_with_its_result(tmp_path: Path) -> None:
    @entrypoint()
    def flow(amount: int) -> str:
        return f"read {amount}"

    with opened(tmp_path, flow, policy(always("flow"))) as app:
        run = app.start(70)
        assert only(run).proposal.arguments == {"update": "read 70"}
        deny(app, only(run), "answer", answer="read 7")
        assert go_on(run).value == "read 7"


# -- time ---------------------------------------------------------------------------------------------


def test_an_expiry_is_the_policys_decision_and_never_a_label(tmp_path: Path) -> None:
    clock = HandClock()
    here = always("read", expires_in="1h")
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        review = only(run)
        clock.move(timedelta(minutes=59))
        assert run.wait(0.0) is RunStatus.WAITING
        clock.move(timedelta(minutes=1))
        assert run.wait(0.0) is RunStatus.STOPPED

        closed = app.queue.get(review.id)
        assert closed.status is ReviewStatus.EXPIRED
        assert closed.decision is not None
        assert closed.decision.made_by is DecidedBy.POLICY
        assert "review.expired" in trail(app, run)
        assert app.store.read(lambda r: r.label_counts(app.name, "read")) == (0, 0)


def test_an_expiry_retries_no_more_often_than_it_says(tmp_path: Path) -> None:
    clock = HandClock()
    here = always("read", expires_in="1h", on_expiry=Retry(2))
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        attempts = []
        while run.status is RunStatus.WAITING:
            attempts.append(only(run).attempt)
            clock.move(timedelta(hours=1))
            go_on(run)
        assert attempts == [1, 2, 3]
        assert run.status is RunStatus.STOPPED


def test_an_expiry_can_roll_back_once(tmp_path: Path) -> None:
    clock = HandClock()
    done: list[str] = []

    def plan(state: Cheque) -> Cheque:
        done.append("plan")
        return {}

    here = always("read", expires_in="1h", on_expiry=Rollback())
    graph = line(plan=plan, read=lambda _: {"payee": "x"})
    with opened(tmp_path, graph, policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        clock.move(timedelta(hours=1))
        go_on(run)
        assert (done, only(run).attempt) == (["plan", "plan"], 2)
        clock.move(timedelta(hours=1))
        go_on(run)
        assert run.status is RunStatus.STOPPED


def test_a_review_is_due_before_it_expires(tmp_path: Path) -> None:
    clock = HandClock()
    here = always("read", due_in="4h", expires_in="1d")
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(here), clock=clock) as app:
        review = only(app.start({"amount": 1}))
        assert review.due_at == clock() + timedelta(hours=4)
        assert review.expires_at == clock() + timedelta(days=1)


def test_a_denied_child_graph_tells_its_steps_why_and_keeps_their_ladders(tmp_path: Path) -> None:
    heard: list[tuple[int, int, list[tuple[str, ...]]]] = []

    def draft(state: Cheque) -> Cheque:
        here = hitl.current()
        heard.append((here.visit, here.attempt, [d.reasons for d in here.denials]))
        return {"payee": "x"}

    rules = policy(always("letter"), always("letter/draft", on_deny=[Retry(1), Stop()]))
    with opened(tmp_path, line(letter=line(draft=draft).compile()), rules) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry", reasons=["inside"])
        settle_one(app, run)
        deny(app, only(run), "retry", reasons=["outside"])
        go_on(run)

        assert heard == [
            (1, 1, []),
            (1, 2, [("inside",)]),
            (1, 2, [("inside",), ("outside",)]),
        ]
        assert kinds(run) == ["stop"], "its one retry was used"
        settle(app, run)
        live = [r.name.step for r in rows(app, run, live=True) if r.committed_at]
        assert sorted(live) == ["letter", "letter/draft"]


def settle_one(app: Any, run: Run) -> None:
    go_on(run)
    approve(app, only(run))
    go_on(run)
