"""Traps T10 to T13: effects stand behind a gate of their own, and nothing is asked or put twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.types import Command

import hitl
from hitl import Checkpoint
from hitl.errors import ReviewClosed
from hitl.models import Place, ReviewStatus, RunStatus
from hitl.reviews import open_review
from tests.runtime.processes import die, killed
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
    proposal,
    row,
    rows,
    trail,
)

BEFORE_PAY = always("pay", place="before")


def paying(path: Path, *, dies: bool) -> Any:
    """Return a graph that pays: it writes each key it is given to a ledger, and may die there."""

    def pay(state: Cheque) -> Cheque:
        with (path / "paid.jsonl").open("a") as ledger:
            ledger.write(json.dumps(hitl.current().idempotency_key) + "\n")
        if dies:
            die()
        return {"paid": f"{state['amount']} to {state['payee']}"}

    return line(pay=pay)


def keys(path: Path) -> list[str]:
    return [json.loads(each) for each in (path / "paid.jsonl").read_text().splitlines()]


def pay_and_die(path: Path) -> None:
    with opened(path, paying(path, dies=True), policy(BEFORE_PAY)) as app:
        run = app.start({"amount": 5, "payee": "ACME"}, run_id="run_1")
        approve(app, only(run))
        go_on(run)


def test_t10_an_effect_waits_for_the_yes_and_its_input_is_what_is_shown(tmp_path: Path) -> None:
    with opened(tmp_path, paying(tmp_path, dies=False), policy(BEFORE_PAY)) as app:
        run = app.start({"amount": 5, "payee": "ACME"})
        review = only(run)
        assert not (tmp_path / "paid.jsonl").exists()
        assert review.name.place is Place.BEFORE
        assert review.proposal.arguments["input"] == {"amount": 5, "payee": "ACME", "log": []}

        approve(app, review)
        go_on(run)
        assert run.value["paid"] == "5 to ACME"
        assert len(keys(tmp_path)) == 1


def test_t10_an_effect_cut_short_by_a_kill_is_tried_again_under_the_same_key(
    tmp_path: Path,
) -> None:
    assert killed(pay_and_die, tmp_path)

    with opened(tmp_path, paying(tmp_path, dies=False), policy(BEFORE_PAY)) as app:
        run = app.run("run_1")
        assert run.reviews() == []
        assert run.wait(5.0) is RunStatus.DONE

        first, second = keys(tmp_path)
        assert first == second


def test_t10_a_no_before_the_effect_leaves_it_undone(tmp_path: Path) -> None:
    with opened(tmp_path, paying(tmp_path, dies=False), policy(BEFORE_PAY)) as app:
        run = app.start({"amount": 5, "payee": "ACME"})
        deny(app, only(run), reasons=["wrong payee"])
        go_on(run)

        assert run.status is RunStatus.STOPPED
        assert "wrong payee" in run.reason
        assert not (tmp_path / "paid.jsonl").exists()


SECRET = "the password is swordfish"


@pytest.mark.parametrize("mode", ["values", "updates"])
def test_t11_a_stream_carries_the_reviews_id_and_not_what_is_withheld(
    tmp_path: Path, mode: str
) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": SECRET}), policy(always("read"))) as app:
        config: Any = {"configurable": {"thread_id": "t"}}
        chunks = list(app.stream({"amount": 1}, config, stream_mode=mode))
        review = only(app.run("t"))

        (parked,) = chunks[-1]["__interrupt__"]
        assert set(parked.value) == {"hitl", "review_id", "step", "attempt", "title"}
        assert parked.value["review_id"] == review.id
        assert SECRET not in repr(chunks)
        assert review.proposal.arguments == {"update": {"payee": SECRET}}

        approve(app, review)
        assert SECRET in repr(list(app.stream(None, config, stream_mode=mode)))


def counting(calls: list[int]) -> Any:
    def read(state: Cheque) -> Cheque:
        calls.append(state["amount"])
        return {"payee": f"{state['amount']}"}

    return line(read=read)


def test_t12_an_update_by_hand_supersedes_what_waits(tmp_path: Path) -> None:
    calls: list[int] = []
    with opened(tmp_path, counting(calls), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        old = only(run)
        app.graph.update_state(run.config, {"amount": 7})

        assert run.reviews() == []
        assert app.queue.get(old.id).status is ReviewStatus.SUPERSEDED
        assert "updated by hand" in run.reason
        with pytest.raises(ReviewClosed, match="superseded"):
            approve(app, old)

        app.invoke(None, run.config)
        new = only(run)
        assert new.proposal.arguments == {"update": {"payee": "7"}}
        approve(app, new)
        go_on(run)
        assert run.value["payee"] == "7"
        assert calls == [1, 7]
        assert trail(app, run).count("run.state_updated") == 1


def test_t12_new_input_supersedes_what_waits_and_begins_again(tmp_path: Path) -> None:
    calls: list[int] = []
    with opened(tmp_path, counting(calls), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        old = only(run)
        app.start({"amount": 9}, run_id=run.id)

        new = only(run)
        assert app.queue.get(old.id).status is ReviewStatus.SUPERSEDED
        assert new.proposal.arguments == {"update": {"payee": "9"}}
        assert (new.name.visit, new.attempt) == (2, 1)
        approve(app, new)
        go_on(run)
        assert run.value["payee"] == "9"
        assert run.record.turn == 2


@pytest.mark.parametrize("how", [Command(update={"amount": 7}), Command(goto="read")])
def test_t12_a_command_that_changes_a_parked_run_supersedes_what_waits(
    tmp_path: Path, how: Command[Any]
) -> None:
    calls: list[int] = []
    with opened(tmp_path, counting(calls), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        old = only(run)
        app.invoke(how, run.config)

        assert app.queue.get(old.id).status is ReviewStatus.SUPERSEDED
        assert calls[0] == 1
        for review in run.reviews():
            approve(app, review)
        go_on(run)
        assert run.status is RunStatus.DONE, run.reason
        assert run.value["payee"] == str(calls[-1])


def test_t12_a_child_graph_updated_by_hand_supersedes_what_waits_beside_it(tmp_path: Path) -> None:
    graph = line(letter=line(draft=lambda _: {"payee": "x"}).compile())
    with opened(tmp_path, graph, policy(always("letter/draft"))) as app:
        run = app.start({"amount": 1})
        old = only(run)
        inside: Any = app.graph.get_state(run.config, subgraphs=True).tasks[0].state
        place = {
            "thread_id": run.id,
            "checkpoint_ns": inside.config["configurable"]["checkpoint_ns"],
        }
        app.graph.update_state({"configurable": place}, {"amount": 3})
        assert app.queue.get(old.id).status is ReviewStatus.SUPERSEDED

        app.invoke(None, run.config)
        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.DONE, run.reason
        assert (run.value["amount"], run.value["payee"]) == (3, "x")


def test_t13_the_first_proposal_of_an_attempt_wins_and_the_loser_takes_it(tmp_path: Path) -> None:
    with opened(tmp_path, counting([]), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        stored, gate = proposal(app, review), row(app, run, "read")
        late = review.model_copy(update={"id": "rev_late"})
        late_stored = stored.model_copy(
            update={"review_id": "rev_late", "blob": b"other", "gate_id": "gate_late"}
        )
        late_gate = gate.model_copy(update={"id": "gate_late"})
        won = app.store.write(
            lambda t: open_review(t, late, late_stored, late_gate, now=review.opened_at)
        )

        assert won.id == review.id
        assert only(run).id == review.id
        assert proposal(app, review).blob == stored.blob
        assert [r.id for r in rows(app, run)] == [gate.id]


def test_t13_a_step_executed_twice_at_once_is_asked_about_once(tmp_path: Path) -> None:
    clock = HandClock()
    rules = policy(Checkpoint("read", always=True))
    with opened(tmp_path, counting([]), rules, clock=clock) as app:
        run = app.start({"amount": 1})
        for _ in range(3):
            app.advance(run.id)

        assert len(run.reviews(pending=False)) == 1
        assert len(rows(app, run)) == 1
