"""Leaving Python without `close()`: nothing is printed, and the run goes on in the next process."""

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import asyncio, sys, time
import hitl
from tests.runtime.stage import always, line, policy

colour, url, leaves = sys.argv[1:]

def slow(state):
    time.sleep(0.3)
    return {"payee": "x"}

async def aslow(state):
    await asyncio.sleep(0.3)
    return {"payee": "x"}

body = aslow if colour == "async" else slow
app = hitl.wrap(line(ask=lambda s: {"amount": 1}, first=body, second=body),
                policy(always("ask")), store=url, name="slow")
app.start_engine()
if leaves == "leaves":
    start = lambda: asyncio.run(app.astart({}, run_id="r")) if colour == "async" else app.start({}, run_id="r")
    review = start().reviews()[0]
    app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    time.sleep(0.1)
else:
    print(app.run("r").wait(timeout=20).value)
    app.close()
"""


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_leaving_without_close_is_clean_and_loses_nothing(tmp_path: Path, colour: str) -> None:
    url = f"sqlite:///{tmp_path / 'hitl.db'}"

    def python(what: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-c", _SCRIPT, colour, url, what]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    left = python("leaves")
    assert (left.returncode, left.stderr) == (0, "")
    went_on = python("goes on")
    assert (went_on.stdout.strip(), went_on.stderr) == ("done", "")
