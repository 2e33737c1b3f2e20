"""A run of two days, killed in the middle of a step, asked about overnight, ended by a third process.

Monday's process dies of a real SIGKILL inside its second piece of work; only that is done again. Tuesday's
asks before it publishes, and ends. A person answers meanwhile; Wednesday's process publishes.
"""

import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from operator import add
from pathlib import Path
from typing import Annotated, TypedDict

from langgraph.graph import StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from hitl.testing import FakeClock

NAMES = ("Monday", "Tuesday", "Wednesday")
DAYS = {day: FakeClock(datetime(2026, 3, n, 9, tzinfo=UTC)) for n, day in enumerate(NAMES, 2)}
RUN = "report-2026"


class Report(TypedDict, total=False):
    """What is known about the report."""

    done: Annotated[list[str], add]


def main(day: str, folder: str) -> None:
    """Do what one day's process does."""

    def work(state: Report, *, name: str) -> Report:
        print(f"{day:10}{name}", flush=True)
        if day == "Monday" and name == "analyse":
            os.kill(os.getpid(), signal.SIGKILL)
        return {"done": [f"{name} on {day}"]}

    graph = StateGraph(Report)
    names = ("fetch", "analyse", "publish")
    graph.add_sequence([(n, lambda s, n=n: work(s, name=n)) for n in names])
    graph.set_entry_point("fetch")
    policy = EscalationPolicy("r", checkpoints=[Checkpoint("publish", place="before", always=True)])
    app = hitl.wrap(graph, policy, store=f"sqlite:///{folder}/hitl.db", clock=DAYS[day])
    run = app.start({"done": []}, run_id=RUN) if day == "Monday" else app.run(RUN)
    run.wait(timeout=0)
    for review in run.reviews():
        print(f"{day:10}asks: {review.presentation.title}")
    if day == "Wednesday":
        print(f"{day:10}{run.status.value}: {', '.join(run.value['done'])}")
    app.close()


def answer(url: str, clock: FakeClock) -> None:
    """Say yes while no process has the run; a person does this on the page or with `hitl decide`."""
    store = open_store(url, clock=clock)
    queue = ReviewQueue(store, clock=clock)
    (review,) = queue.pending()
    queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    store.close()


def tell() -> None:
    """Start one process after the other, and answer in between."""
    with tempfile.TemporaryDirectory() as folder:
        for day in DAYS:
            ended = subprocess.run([sys.executable, Path(__file__), day, folder], check=False)
            print(f"{day:10}ended with {ended.returncode}", flush=True)
            if day == "Tuesday":
                answer(f"sqlite:///{folder}/hitl.db", DAYS[day])


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) > 1 else tell()
