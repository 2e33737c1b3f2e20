"""Traps T22 and T25: rows that tell the truth whenever the process is killed, and one writer."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

import hitl
from hitl import Run, Workflow
from hitl.errors import LeaseLost, StoreError
from hitl.graph.lg import EPOCH_KEY
from hitl.models import RunStatus
from hitl.policy import coin
from hitl.ports import Transaction
from tests.runtime.processes import Moment, each_commit, killed, mortal
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
    rows,
    trail,
)

SPOT = {"spot_check": 1.0}


def flow(seen: Path) -> Any:
    """Return a graph whose first step never says the same twice, as an agent does."""

    def read(state: Cheque) -> Cheque:
        with seen.open("a") as notes:
            notes.write(".")
        tries = len(seen.read_text())
        hitl.report(confidence=1.0 / (1 + tries))
        return {"payee": f"try {tries}"}

    return line(read=read, pay=lambda state: {"paid": state["payee"]})


def whole_run_until_killed(path: Path, at: int, moment: Moment) -> None:
    """Run, decide and finish, and die at the nth write since the start."""
    store = mortal(path)
    with opened(path, flow(path / "seen"), policy(always("pay"), **SPOT), store=store) as app:
        store.doom(at=at, moment=moment)
        run = app.start({"amount": 1}, run_id="run_1")
        approve_blocking(app, run)
        go_on(run)


def approve_blocking(app: Workflow, run: Run) -> None:
    """Approve what the run waits for; spot checks stay open."""
    for review in run.reviews():
        if review.blocking:
            approve(app, review)


def finish(path: Path) -> None:
    """Finish the run in this process, and check that what it left is true."""
    with opened(path, flow(path / "seen"), policy(always("pay"), **SPOT)) as app:
        if app.store.read(lambda r: r.find_run("run_1")) is None:
            run = app.start({"amount": 1}, run_id="run_1")
        else:
            run = app.run("run_1")
            app.advance("run_1")
        approve_blocking(app, run)
        assert run.wait(5.0) is RunStatus.DONE, run.reason

        found = {row.name.step: row for row in rows(app, run)}
        assert len(rows(app, run)) == 2, "one row for each gate"
        assert found["read"].summary == f"payee: {run.value['payee']}"
        tries = int(run.value["payee"].removeprefix("try "))
        assert found["read"].confidence == pytest.approx(1.0 / (1 + tries))
        assert found["pay"].summary == f"paid: {run.value['paid']}"
        assert run.value["paid"] == run.value["payee"]
        spots = [r for r in run.reviews(pending=False) if not r.blocking]
        shown = [r.proposal.arguments["update"] for r in spots]
        assert shown == [{"payee": run.value["payee"]}]
        assert [found["read"].review_id] == [spot.id for spot in spots]
        assert trail(app, run).count("step.committed") == 1
        assert app.queue.verify() is None


@pytest.mark.parametrize("moment", ["inside", "after"])
def test_t22_no_kill_leaves_a_row_that_lies(tmp_path: Path, moment: Moment) -> None:
    for at in each_commit():
        path = tmp_path / str(at)
        path.mkdir()
        if not killed(whole_run_until_killed, path, at, moment):
            break
        finish(path)
    assert at > 10, "each write was cut short once"


def test_t22_the_coin_is_of_the_visit_and_not_of_the_task(tmp_path: Path) -> None:
    draws = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        with opened(tmp_path / folder, flow(tmp_path / "seen"), policy()) as app:
            app.store.write(lambda t: t.connection.execute(PLANT))
        with opened(tmp_path / folder, flow(tmp_path / "seen"), policy()) as app:
            run = app.start({"amount": 1}, run_id="run_1")
            draws.append([(row.task_id, row.coin_u) for row in rows(app, run)])
            for row in rows(app, run):
                expected = coin(
                    bytes.fromhex("ab" * 32), run_id="run_1", branch=0, name=row.name, attempt=1
                )
                assert row.coin_u == expected

    assert [u for _, u in draws[0]] == [u for _, u in draws[1]]
    assert {task for task, _ in draws[0]}.isdisjoint(task for task, _ in draws[1])


PLANT = f"UPDATE hitl_setting SET value = '{'ab' * 32}' WHERE key = 'coin.secret'"


# -- T25: one writer ----------------------------------------------------------------------------------


def test_t25_a_snapshot_is_never_written_without_an_epoch(tmp_path: Path) -> None:
    with opened(tmp_path, flow(tmp_path / "seen"), policy(always("pay"))) as app:
        run = app.start({"amount": 1})
        saver: Any = app.graph.checkpointer
        latest = saver.get_tuple(run.config)
        with pytest.raises(LeaseLost, match="carries no epoch"):
            saver.put_writes(latest.config, [("payee", "forged")], "task")
        stale: Any = {**latest.config["configurable"], EPOCH_KEY: 0}
        with pytest.raises(LeaseLost, match="epoch 0"):
            saver.put({"configurable": stale}, latest.checkpoint, latest.metadata, {})
        assert saver.get_tuple(run.config).pending_writes == latest.pending_writes


class Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("not for storage")


def test_t25_a_task_whose_writes_fail_midway_leaves_none_of_them(tmp_path: Path) -> None:
    broken = line(read=lambda _: {"amount": 2, "payee": Unpicklable()})
    with opened(tmp_path, broken, policy(**SPOT)) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.FAILED
        of_read = "SELECT channel FROM writes WHERE task_path LIKE '%read'"
        assert app.store.read(lambda r: r.connection.execute(of_read).fetchall()) == []
        assert rows(app, run) == []
        assert run.reviews(pending=False) == []


def test_t25_a_job_cannot_end_the_transaction_it_is_in(tmp_path: Path) -> None:
    def ends(t: Transaction) -> None:
        t.set_setting("half", "written")
        t.connection.commit()

    with opened(tmp_path, flow(tmp_path / "seen")) as app:
        with pytest.raises(StoreError, match=r"must not begin"):
            app.store.write(ends)
        assert app.store.read(lambda r: r.setting("half")) is None


def test_t25_the_saver_works_without_a_running_loop_and_in_one(tmp_path: Path) -> None:
    with opened(tmp_path, flow(tmp_path / "seen"), policy(always("pay"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.DONE


async def test_t25_and_reads_the_same_in_a_loop(tmp_path: Path) -> None:
    with opened(tmp_path, flow(tmp_path / "seen"), policy(always("pay"))) as app:
        run = await app.astart({"amount": 1})
        saver: Any = app.graph.checkpointer
        listed = [each async for each in saver.alist(run.config)]
        assert [each.config for each in listed] == [each.config for each in saver.list(run.config)]
        assert (await saver.aget_tuple(run.config)).config == listed[0].config
        deny(app, only(run), "stop")


def test_t25_threads_of_plain_langgraph_in_the_same_file_stay_plain(tmp_path: Path) -> None:
    config: Any = {"configurable": {"thread_id": "plain"}}
    connection = sqlite3.connect(tmp_path / "hitl.db", check_same_thread=False)
    plain = flow(tmp_path / "seen").compile(checkpointer=SqliteSaver(connection))
    before = plain.invoke({"amount": 1}, config)
    with opened(tmp_path, flow(tmp_path / "seen")) as app:
        assert app.graph.get_state(config).values == plain.get_state(config).values
        ours = app.start({"amount": 2}, run_id="ours")
        assert ours.status is RunStatus.DONE
    assert plain.get_state({"configurable": {"thread_id": "ours"}}).values["amount"] == 2
    assert plain.get_state(config).values["payee"] == before["payee"]
    connection.close()
