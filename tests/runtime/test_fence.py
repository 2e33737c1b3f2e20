"""The fence: a process that was frozen while another took its run over changes nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

import hitl
from hitl.errors import LeaseLost, RunBusy
from hitl.graph.lg import EPOCH_KEY
from hitl.models import RunStatus
from tests.runtime.processes import die, killed
from tests.runtime.stage import (
    Cheque,
    HandClock,
    always,
    approve,
    go_on,
    line,
    only,
    opened,
    policy,
    rows,
    trail,
)


def taken_over(app: Any, run: hitl.Run, clock: HandClock) -> tuple[Any, Any]:
    """Open the run twice: the first lease ran out. Return the zombie's advance and the owner's."""
    zombie = app._driver.open(run.id, run.config)
    app._driver.leases.let_go(run.id)
    clock.move(app.store.lease + timedelta(seconds=1))
    return zombie, app._driver.open(run.id, run.config)


def latest(app: Any, run: hitl.Run) -> Any:
    return app.graph.checkpointer.get_tuple(run.config)


@contextmanager
def zombie_writing(home: str) -> Iterator[tuple[Any, Any, Any]]:
    """Yield the saver, a zombie's config and the snapshot; check at the end that nothing changed."""
    clock = HandClock()
    graph = line(read=lambda _: {"payee": "x"})
    with opened(home, graph, policy(always("read")), clock=clock) as app:
        run = app.start({"amount": 1})
        zombie, owner = taken_over(app, run, clock)
        before = latest(app, run)
        place = {**before.config["configurable"], EPOCH_KEY: zombie.session.epoch}
        yield app.graph.checkpointer, {"configurable": place}, before
        assert latest(app, run) == before
        app._driver.give_back(owner)


def test_a_zombies_snapshot_and_writes_are_refused(home: str) -> None:
    with zombie_writing(home) as (saver, config, snapshot):
        with pytest.raises(LeaseLost, match="is not current"):
            saver.put(config, snapshot.checkpoint, snapshot.metadata, {})
        with pytest.raises(LeaseLost, match="is not current"):
            saver.put_writes(config, [("payee", "zombie")], "task")


async def test_a_zombies_asynchronous_ones_too(home: str) -> None:
    with zombie_writing(home) as (saver, config, snapshot):
        with pytest.raises(LeaseLost, match="is not current"):
            await saver.aput(config, snapshot.checkpoint, snapshot.metadata, {})
        with pytest.raises(LeaseLost, match="is not current"):
            await saver.aput_writes(config, [("payee", "zombie")], "task")


def test_a_zombie_neither_ends_the_run_nor_opens_a_review(home: str) -> None:
    clock = HandClock()
    with opened(
        home, line(read=lambda _: {"payee": "x"}), policy(always("read")), clock=clock
    ) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        zombie, owner = taken_over(app, run, clock)
        with pytest.raises(LeaseLost), app._driver.advancing(zombie):
            pass
        assert run.status is RunStatus.WAITING

        app._driver.give_back(zombie)  # the lease of another is not given back
        with pytest.raises(RunBusy):
            app._driver.open(run.id, run.config, wait=0.0)
        app._driver.give_back(owner)
        assert go_on(run).status is RunStatus.DONE


def test_a_run_whose_process_froze_is_finished_by_another_and_has_one_history(
    home: str,
) -> None:
    clock = HandClock()
    order: list[str] = []

    def slow(state: Cheque) -> Cheque:
        order.append("slow")
        if len(order) == 1:
            app._driver.leases.let_go("run_1")
            clock.move(app.store.lease + timedelta(seconds=1))
            app.advance("run_1")  # the other one, while this one is frozen
            order.append("thawed")
        return {"payee": f"from {len(order)}"}

    with opened(home, line(slow=slow, end=lambda _: {"paid": "y"}), clock=clock) as app:
        with pytest.raises(LeaseLost):
            app.start({"amount": 1}, run_id="run_1")
        run = app.run("run_1")
        assert run.status is RunStatus.DONE
        assert order == ["slow", "slow", "thawed"]
        assert run.value["payee"] == "from 2"
        assert len([r for r in rows(app, run) if r.name.step == "slow"]) == 1
        assert trail(app, run).count("run.done") == 1
        history = list(app.graph.get_state_history(run.config))
        parents = [s.parent_config for s in history]
        assert len({str(p) for p in parents}) == len(parents), "no forks"


def hold_and_die(home: str) -> None:
    def slow(state: Cheque) -> Cheque:
        die()
        return {}

    with opened(home, line(slow=slow)) as app:
        app.start({"amount": 1}, run_id="run_1")


def test_the_lease_of_a_dead_process_does_not_hold_the_run(home: str) -> None:
    assert killed(hold_and_die, home)
    with opened(home, line(slow=lambda _: {"payee": "x"})) as app:
        run = app.run("run_1")
        assert run.wait(15.0) is RunStatus.DONE, "on Postgres, when its lease has run out"


def test_an_abandoned_stream_gives_the_run_back(home: str) -> None:
    graph = line(one=lambda _: {"payee": "x"}, two=lambda _: {"paid": "y"})
    with opened(home, graph) as app:
        config: Any = {"configurable": {"thread_id": "t"}}
        stream: Any = app.stream({"amount": 1}, config, stream_mode="updates")
        assert next(stream) == {"one": {"payee": "x"}}
        stream.close()
        run = app.run("t")
        assert run.status is RunStatus.RUNNING
        assert run.wait(5.0) is RunStatus.DONE
        assert run.value["paid"] == "y"


async def test_and_so_does_a_cancelled_one(home: str) -> None:
    started = asyncio.Event()

    async def slow(state: Cheque) -> Cheque:
        started.set()
        await asyncio.sleep(0.0 if hitl.current().run_id == "again" else 30)
        return {"payee": "x"}

    with opened(home, line(slow=slow)) as app:
        task = asyncio.create_task(app.astart({"amount": 1}, run_id="run_1"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        advance = app._driver.open("run_1", {}, wait=0.0)
        app._driver.give_back(advance)
