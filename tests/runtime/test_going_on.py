"""Parked runs go on by themselves while an engine serves, in the colour they were started in."""

import asyncio
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableLambda

from hitl import Run
from hitl.models import RunStatus
from tests.runtime.stage import (
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    line,
    only,
    opened,
    policy,
)


def reached(run: Run, status: RunStatus, *, within: float = 10.0) -> bool:
    """Wait until the run is in this status, without advancing it."""
    give_up = time.monotonic() + within
    while run.status is not status and time.monotonic() < give_up:
        time.sleep(0.005)
    return run.status is status


def test_a_decision_wakes_the_run(tmp_path: Path) -> None:
    graph = line(read=lambda _: {"payee": "x"}, pay=lambda s: {"paid": s["payee"]})
    with opened(tmp_path, graph, policy(always("read"), always("pay"))) as app:
        app.start_engine()
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        give_up = time.monotonic() + 10
        while not run.reviews() and time.monotonic() < give_up:
            time.sleep(0.005)
        assert only(run).attempt == 2
        approve(app, only(run))
        while not run.reviews() and time.monotonic() < give_up:
            time.sleep(0.005)
        approve(app, only(run))
        assert reached(run, RunStatus.DONE)
        assert run.value["paid"] == "x"


def test_an_expiry_is_fired_by_the_engine(tmp_path: Path) -> None:
    clock = HandClock()
    graph = line(read=lambda _: {"payee": "x"})
    with opened(tmp_path, graph, policy(always("read", expires_in="1h")), clock=clock) as app:
        app.start_engine()
        run = app.start({"amount": 1})
        clock.move(timedelta(hours=1))
        assert reached(run, RunStatus.STOPPED)


def async_graph(threads: set[str]) -> Any:
    async def read(state: Cheque) -> Cheque:
        await asyncio.sleep(0)
        threads.add(threading.current_thread().name)
        return {"payee": "x"}

    return line(first=read, read=read, pay=read)


def test_steps_without_a_synchronous_form_are_woken_too(tmp_path: Path) -> None:
    threads: set[str] = set()
    with opened(tmp_path, async_graph(threads), policy(always("read"))) as app:
        run = asyncio.run(app.astart({"amount": 1}))
        app.start_engine()
        approve(app, only(run))
        assert reached(run, RunStatus.DONE)
        assert len(threads) == 2, "here, and in the engine"


async def test_and_advanced_by_wait_inside_a_running_loop(tmp_path: Path) -> None:
    with opened(tmp_path, async_graph(set()), policy(always("read"))) as app:
        run = await app.astart({"amount": 1})
        approve(app, only(run))
        assert run.wait(10.0) is RunStatus.DONE


def test_a_run_started_in_a_loop_goes_on_in_one(tmp_path: Path) -> None:
    forms: list[str] = []

    async def in_loop(state: Cheque) -> Cheque:
        forms.append("async")
        return {"payee": "x"}

    def plain(state: Cheque) -> Cheque:
        forms.append("sync")
        return {"payee": "x"}

    both: Any = RunnableLambda(plain, afunc=in_loop)
    with opened(tmp_path, line(first=both, read=both), policy(always("read"))) as app:
        run = asyncio.run(app.astart({"amount": 1}))
        deny(app, only(run), "retry")
        run.wait(0.0)
        assert forms == ["async"] * 3
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        run.wait(0.0)
        assert forms[3:] == ["sync"] * 3
