"""Leaving Python without `close()`: nothing is printed, and the runs go on in the next process."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import hitl
from tests.runtime.stage import Body, Cheque, always, approve, line, only, policy

_SCRIPT = "import sys; from tests.runtime.test_leaving import leave; leave(sys.argv[1])"


BEGAN = {"sync": threading.Event(), "async": threading.Event()}
"""Set once a run of a colour is in a step that takes its time."""


def slow(state: Cheque) -> Any:
    BEGAN["sync"].set()
    time.sleep(0.3)
    return {"payee": "x"}


async def aslow(state: Cheque) -> Any:
    BEGAN["async"].set()
    await asyncio.sleep(0.3)
    return {"payee": "x"}


COLOURS: dict[str, Body] = {"sync": slow, "async": aslow}


def wrapped(folder: str, colour: str) -> hitl.Workflow:
    body = COLOURS[colour]
    graph = line(ask=lambda _: {"amount": 1}, first=body, second=body)
    store = f"sqlite:///{folder}/{colour}.db"
    return hitl.wrap(graph, policy(always("ask")), store=store, name="slow")


def leave(folder: str) -> None:
    """Have a run of each colour go on in an engine, and leave while a step is under way."""
    apps = {colour: wrapped(folder, colour) for colour in COLOURS}
    apps["sync"].start({}, run_id="r")
    asyncio.run(apps["async"].astart({}, run_id="r"))
    for app in apps.values():
        app.start_engine()
        approve(app, only(app.run("r")))
    assert all(began.wait(timeout=30) for began in BEGAN.values())


def test_leaving_without_close_is_clean_and_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path)]

    left = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (left.returncode, left.stderr) == (0, "")
    for colour in COLOURS:
        app = wrapped(str(tmp_path), colour)
        app.start_engine()
        assert app.run("r").wait(timeout=20).value == "done"
        app.close()
