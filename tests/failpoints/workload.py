"""A day's work that comes to every failpoint, and can be begun again after any of them.

The draft of a run is a new random number each time its step runs, so a step that ran twice shows. What
a caller was told is noted in a file before the next call, as a client would remember it.
"""

import contextlib
import json
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from langgraph.types import interrupt
from typing_extensions import TypedDict

import hitl
from hitl import Answer, Checkpoint, EscalationPolicy, Retry, Stop, failpoints
from hitl.errors import AlreadyDecided, InjectedFault, StoreFailed
from hitl.models import REQUESTS, Outcome, Review, ReviewRequest, RunStatus
from hitl.reviews import Sealer, utcnow
from tests.invariants import ENDED, Observed
from tests.runtime.stage import line

RETRIED, REFUSED, STOPPED = 1, 2, 3
"""Runs whose draft is denied once, always, and whose payment is denied."""
CANARY = "sk_live_4f9a_do_not_log"
POLICY = EscalationPolicy(
    "failpoints",
    checkpoints=[
        Checkpoint("draft", always=True, on_deny=[Retry(2), Answer(), Stop()]),
        Checkpoint("pay", place="before", always=True, on_deny=[Stop()]),
    ],
)
_PATIENCE = 60.0


class Deal(TypedDict, total=False):
    """The state."""

    number: int
    amount: int
    payee: str
    secret: str
    paid: int


def note(path: Path, record: dict[str, Any]) -> None:
    """Append one line that survives a kill: a single write."""
    with path.open("ab", buffering=0) as file:
        file.write(json.dumps(record).encode() + b"\n")


def lines(path: Path) -> list[dict[str, Any]]:
    """Return the noted lines."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def graph(folder: Path) -> Any:
    """Return draft (asked after it), ask (asks by itself), pay (asked before it)."""

    def draft(state: Deal) -> Deal:
        return {"amount": secrets.randbelow(10**9), "secret": CANARY}

    def ask(state: Deal) -> Deal:
        return {"payee": interrupt("Who is paid?")}

    def pay(state: Deal) -> Deal:
        here = hitl.current()
        effect = {"run": here.run_id, "key": here.idempotency_key, "proposal": dict(state)}
        note(folder / "sink", effect)
        return {"paid": state["amount"]}

    return line(Deal, draft=draft, ask=ask, pay=pay)


Size = tuple[int, int]
"""How many runs, of which two never come to their payment; and requests: one is never answered."""


def outcomes(app: hitl.Workflow, run_id: str) -> list[Outcome]:
    """Return what was said about a run."""
    return app.store.read(lambda r: r.outcomes(run_id))


class Day:
    """The work on one store, by one process."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder = folder
        self.runs, self.requested = size
        self.app = hitl.wrap(graph(folder), POLICY, store=f"sqlite:///{folder / 'hitl.db'}")
        self.queue = self.app.queue

    def work(self) -> None:
        """Do everything that is not done, until all of it is."""
        give_up = time.monotonic() + _PATIENCE
        while not self.is_done() and time.monotonic() < give_up:
            for step in (self.request, self.start, self.decide, self.go_on, self.label):
                with contextlib.suppress(InjectedFault, StoreFailed, AlreadyDecided):
                    step()
        self.app.start_engine()
        with contextlib.suppress(InjectedFault):
            self.app.stop_engine()
        self.app.close()

    def is_done(self) -> bool:
        """Return whether nothing is left to do."""
        acks = lines(self.folder / "acks")
        done = {ack["op"] for ack in acks}
        runs = self.queue.runs(limit=100)
        labelled = len([ack for ack in acks if ack["op"] == "outcome"])
        return (
            {"request", "start", "decide", "outcome"} <= done
            and len(runs) == self.runs + self.requested
            and all(run.status in ENDED for run in runs)
            and labelled == self.runs
        )

    def ack(self, op: str, **facts: Any) -> None:
        """Note what a caller was just told."""
        note(self.folder / "acks", {"op": op, **facts})

    def request(self) -> None:
        """Ask for a person as a program does, and answer with a window to undo; one is left alone."""
        for number in range(self.requested):
            key = f"req-{number}"
            asked = ReviewRequest(action="wire", arguments={"key": key}, expires_in="1h")
            review, _ = self.queue.request(asked, key=key)
            self.ack("request", key=key, review=review.id)
            if number < self.requested - 1 and review.decision is None:
                self._answer(self.queue.intend, review, "approve", undo_window=timedelta(0))
        self.queue.sweep()
        self.seal()
        self.queue.sweep(datetime.now(UTC) + timedelta(hours=2))

    def seal(self) -> None:
        """Seal the head over the trail, and keep it elsewhere too."""
        Sealer(self.app.store, clock=utcnow, publish=self.folder / "heads").seal()

    def start(self) -> None:
        """Start the runs that are not there."""
        known = {run.id for run in self.queue.runs(limit=100)}
        for number in range(self.runs):
            run_id = f"run-{number}"
            if run_id not in known:
                self.app.start({"number": number}, run_id=run_id)
            self.ack("start", run=run_id)

    def decide(self) -> None:
        """Answer everything that waits."""
        for review in self.queue.pending(blocking=True, limit=100):
            if not review.by_request:
                self._decide(review)

    def _decide(self, review: Review) -> None:
        number = int(review.run_id.removeprefix("run-"))
        step, remedies = review.name.step, {rung.kind.value for rung in review.rungs}
        if review.name.place == "question":
            self._answer(self.queue.decide, review, "approve", answer=f"payee {number}")
        elif step == "draft" and number == RETRIED and review.attempt == 1:
            self._answer(self.queue.decide, review, "deny", remedy="retry")
        elif step == "draft" and number == REFUSED:
            remedy = "retry" if "retry" in remedies else "stop"
            self._answer(self.queue.decide, review, "deny", remedy=remedy)
        elif step == "pay" and number == STOPPED:
            self._answer(self.queue.decide, review, "deny")
        else:
            self._answer(self.queue.decide, review, "approve")

    def _answer(self, how: Callable[..., Any], review: Review, verdict: str, **said: Any) -> None:
        decision_id = f"dec-{review.id}"
        how(
            review.id,
            verdict,
            by="ana",
            proposal_hash=review.proposal_hash,
            decision_id=decision_id,
            **said,
        )
        self.ack(
            "intend" if "undo_window" in said else "decide",
            review=review.id,
            decision_id=decision_id,
            verdict=verdict,
            hash=review.proposal_hash,
        )

    def go_on(self) -> None:
        """Advance every run that can."""
        for record in self.queue.runs(limit=100):
            if record.workflow == REQUESTS:
                continue
            run = self.app.run(record.id)
            if record.status is RunStatus.FAILED:
                run.retry()
            elif record.status.value not in ENDED:
                run.wait(0.0)

    def label(self) -> None:
        """Say of each run that ended whether it was good, once."""
        for record in self.queue.runs(limit=100):
            run_id = record.id
            if record.workflow == REQUESTS or record.status.value not in ENDED:
                continue
            if not outcomes(self.app, run_id):
                self.queue.outcome(run_id, good=True, by="ana")
            self.seal()
            if not any(a["op"] == "outcome" and a["run"] == run_id for a in self.acks()):
                self.ack("outcome", run=run_id)

    def acks(self) -> list[dict[str, Any]]:
        """Return what callers were told so far."""
        return lines(self.folder / "acks")


def work(folder: Path, size: Size) -> None:
    """Do the day's work in this process."""
    try:
        day = Day(folder, size)
    except InjectedFault:
        day = Day(folder, size)
    day.work()


def doomed(folder: Path, size: Size, failpoint: str) -> None:
    """Do the day's work in a process of its own, with a failpoint armed."""
    os.environ[failpoints.VARIABLE] = failpoint
    failpoints.armed.cache_clear()  # its parent had none
    work(folder, size)


def observed(folder: Path, *, drained: bool = True) -> Observed:
    """Return what is there, at the end of the day or before."""
    app = hitl.wrap(graph(folder), POLICY, store=f"sqlite:///{folder / 'hitl.db'}")
    try:
        runs = app.queue.runs(limit=1000)
        known = [outcome for run in runs for outcome in outcomes(app, run.id)]
        return Observed(
            acks=lines(folder / "acks"),
            reviews=[r.model_dump(mode="json") for r in app.queue.reviews(limit=1000)],
            runs=[r.model_dump(mode="json") for r in runs],
            events=[e.model_dump(mode="json") for e in app.queue.audit(limit=10_000)],
            effects=lines(folder / "sink"),
            heads=lines(folder / "heads"),
            outcomes=[o.model_dump(mode="json") for o in known],
            canaries=(CANARY,),
            drained=drained,
        )
    finally:
        app.close()
