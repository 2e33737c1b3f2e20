"""Make the database of a release: `python -m tests.corpus.make` writes tests/corpus/VERSION.db.gz.

Run it once when a version is released, with that version, and commit the file: it is never made again.
A database holds runs in every status and reviews in every one, so that later versions prove on it that
they open, upgrade, go on with and verify what was left behind. The clock stands at a fixed day.
"""

import gzip
import sqlite3
import sys
import tempfile
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langgraph.types import interrupt

import hitl
from hitl import Answer, Checkpoint, EscalationPolicy, Retry, Rollback, Run, Stop, Workflow
from hitl.models import Review, ReviewRequest
from hitl.testing import FakeClock
from tests.runtime.stage import Cheque, approve, deny, go_on, line

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
POLICY = EscalationPolicy(
    "corpus",
    spot_check=0.5,
    checkpoints=[
        Checkpoint(
            "read", always=True, on_deny=[Retry(2), Answer(), Rollback(), Stop()], expires_in="2d"
        ),
        Checkpoint("pay", place="before", always=True, on_deny=[Stop()]),
    ],
)


def graph() -> Any:
    """Return read (asked after it), ask (asks by itself), note (passes), pay (asked before it)."""

    def read(state: Cheque) -> Cheque:
        if state["amount"] < 0:
            raise ValueError("a cheque has a positive amount")
        return {"payee": "ACME"}

    def ask(state: Cheque) -> Cheque:
        return {"log": [interrupt("Which account?")]}

    def note(state: Cheque) -> Cheque:
        return {"log": ["noted"]}

    def pay(state: Cheque) -> Cheque:
        return {"paid": f"{state['amount']} to {state['payee']}"}

    return line(read=read, ask=ask, note=note, pay=pay)


def wrapped(url: str, clock: FakeClock) -> Workflow:
    """Return the workflow of the corpus on a database."""
    return hitl.wrap(graph(), POLICY, store=url, name="corpus", clock=clock)


def asked(run: Run) -> Review:
    """Return the one review the run waits for; spot checks wait for nobody."""
    (review,) = (r for r in run.reviews() if r.blocking)
    return review


def answer(app: Workflow, run_id: str, times: int) -> None:
    """Say yes to the next `times` questions of a run."""
    for _ in range(times):
        run = app.run(run_id)
        review = asked(run)
        given = {"answer": "the first"} if review.name.place == "question" else {}
        approve(app, review, **given)
        go_on(run)


def fill(app: Workflow) -> None:
    """Make one run for every status, and one review for each of theirs."""
    for name in ("read", "ask", "pay", "done", "denied", "retried", "stopped", "decided", "intent"):
        app.start({"amount": 5}, run_id=f"run_{name}")
    answer(app, "run_ask", 1)
    answer(app, "run_pay", 2)
    answer(app, "run_done", 3)
    deny(app, asked(app.run("run_denied")), "stop", reasons=["wrong payee"])
    go_on(app.run("run_denied"))
    deny(app, asked(app.run("run_retried")), "retry", note="look again")
    go_on(app.run("run_retried"))
    app.stop("run_stopped", by="ana", reason="a drill")
    approve(app, asked(app.run("run_decided")))  # decided, and not carried out yet
    waiting = asked(app.run("run_intent"))
    app.queue.intend(
        waiting.id,
        "approve",
        by="ben",
        proposal_hash=waiting.proposal_hash,
        undo_window=timedelta(days=1),
    )
    app.start({"amount": -1}, run_id="run_failed")
    app.start({"amount": 5}, run_id="run_cancelled")
    app.queue.cancel(asked(app.run("run_cancelled")).id, by="ana", reason="asked twice")
    go_on(app.run("run_cancelled"))
    app.run("run_done").outcome(good=True, note="paid in time")
    wire, _ = app.queue.request(ReviewRequest(action="wire", arguments={"amount": 7}), key="k1")
    app.queue.request(ReviewRequest(action="wire", arguments={"amount": 8}), key="k2")
    app.queue.decide(wire.id, "approve", by="ana", proposal_hash=wire.proposal_hash)


def expire_one(app: Workflow, clock: FakeClock) -> None:
    """Leave a run whose review nobody answered in time; before the others are begun."""
    app.start({"amount": 5}, run_id="run_expired")
    clock.advance(timedelta(days=2))
    app.queue.sweep()
    go_on(app.run("run_expired"))


def main(path: Path) -> None:
    """Write the database of this version, compressed."""
    with tempfile.TemporaryDirectory() as folder:
        made, clock = Path(folder) / "hitl.db", FakeClock(NOON)
        app = wrapped(f"sqlite:///{made}", clock)
        expire_one(app, clock)
        fill(app)
        app.close()
        with closing(sqlite3.connect(made)) as database:
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("VACUUM")
        path.write_bytes(gzip.compress(made.read_bytes(), mtime=0))


if __name__ == "__main__":
    project = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text())["project"]
    target = HERE / f"{project['version']}.db.gz"
    if target.exists():
        sys.exit(f"{target.name} is there: a release's database is never made again.")
    main(target)
    print(f"{target.name}: {target.stat().st_size:,} bytes")
