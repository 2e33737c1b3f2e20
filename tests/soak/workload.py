"""The workload of the soak: runs that park, are decided, resume and commit, until all are done.

Every execution of a step makes a new random number, so a step that ran twice would show: what was
committed must be the very number that was shown to the reviewer who said yes.
"""

import contextlib
import json
import operator
import os
import secrets
import threading
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

import hitl
from hitl.errors import ReviewRefusal
from hitl.models import Review, RunStatus


class Work(TypedDict, total=False):
    draft: str
    amount: int
    trace: Annotated[list[str], operator.add]


def plan(state: Work) -> Work:
    hitl.report(confidence=0.9)
    return {"trace": [f"plan:{secrets.token_hex(4)}"]}


def draft(state: Work) -> Work:
    hitl.report(confidence=0.5)
    number = secrets.token_hex(4)
    return {"draft": number, "trace": [f"draft:{number}"]}


def price(state: Work) -> Work:
    return {"amount": secrets.randbelow(10**6)}


def note(path: str, record: dict[str, Any]) -> None:
    """Append one line that survives a kill: a single write, then fsync."""
    with Path(path).open("ab", buffering=0) as log:
        log.write(json.dumps(record).encode() + b"\n")
        os.fsync(log.fileno())


def pay(state: Work) -> Work:
    current = hitl.current()
    note(
        os.environ["SOAK_SINK"],
        {"run": current.run_id, "key": current.idempotency_key, "amount": state["amount"]},
    )
    return {"trace": [f"paid:{state['amount']}"]}


POLICY = hitl.EscalationPolicy(
    "soak",
    spot_check=0.2,
    checkpoints=[
        hitl.Checkpoint("draft", confidence_below=0.8, on_deny=[hitl.Retry(5), hitl.Stop()]),
        hitl.Checkpoint(
            "price", always=True, on_deny=[hitl.Answer(), hitl.Rollback(), hitl.Stop()]
        ),
        hitl.Checkpoint("pay", place="before", always=True),
    ],
)


def graph() -> StateGraph[Work]:
    builder = StateGraph(Work)
    for step in (plan, draft, price, pay):
        builder.add_node(step.__name__, step)
    builder.add_edge(START, "plan")
    builder.add_edge("plan", "draft")
    builder.add_edge("draft", "price")
    builder.add_edge("price", "pay")
    builder.add_edge("pay", END)
    return builder


def decide(app: hitl.Workflow, review: Review) -> None:
    """Decide by the proposal's hash: denies about a third, answers some, never stops."""
    if not review.blocking:
        return
    roll = int(review.proposal_hash[:4], 16) % 6
    extra: dict[str, Any] = {}
    verdict = "approve"
    if review.name.step == "draft" and roll < 2 and len(review.rungs) > 1:
        verdict, extra = "deny", {"remedy": "retry", "reasons": ["not yet"]}
    elif review.name.step == "price" and roll == 0:
        verdict, extra = "deny", {"remedy": "answer", "answer": {"amount": 7}}
    elif review.name.step == "price" and roll == 1 and len(review.rungs) == 3:
        verdict, extra = "deny", {"remedy": "rollback"}
    note(
        os.environ["SOAK_SHOWN"],
        {
            "review": review.id,
            "hash": review.proposal_hash,
            "arguments": review.proposal.arguments,
            "run": review.run_id,
            "step": review.name.step,
            "verdict": verdict,
        },
    )
    app.queue.decide(review.id, verdict, by="soak", proposal_hash=review.proposal_hash, **extra)


def work(url: str, runs: int) -> None:
    """Start runs until there are `runs`, decide what waits, until every run has ended."""
    app = hitl.wrap(graph(), POLICY, store=url, name="soak")
    app.start_engine()
    os.write(1, f"{os.getpid()} ready\n".encode())  # one write: the parent writes here too
    threading.Thread(target=_start_runs, args=(app, runs), daemon=True).start()
    while not _all_done(app, runs):
        for review in app.queue.pending(blocking=True, limit=20):
            with contextlib.suppress(ReviewRefusal):
                decide(app, review)
        time.sleep(0.01)
    app.close()


def _all_done(app: hitl.Workflow, runs: int) -> bool:
    counts = app.store.read(lambda r: r.count_runs())
    return counts.get(RunStatus.DONE, 0) >= runs


def _start_runs(app: hitl.Workflow, runs: int) -> None:
    for number in range(runs):
        run_id = f"soak_{number:03}"
        if not _is_known(app, run_id):
            app.start({"trace": []}, run_id=run_id)
            time.sleep(0.05)


def _is_known(app: hitl.Workflow, run_id: str) -> bool:
    return app.store.read(lambda r: r.find_run(run_id)) is not None
