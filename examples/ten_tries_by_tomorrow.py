"""A step that gets ten tries, but only until tomorrow at nine.

A writer's headline is never good enough at first. Every no carries a reason, the next try reads all of
them. The first run gets its yes at the fourth try. The second is left overnight: at half past nine
the tries are over although nine are left, so the no that comes then can only stop the run.

Run it with `python examples/ten_tries_by_tomorrow.py`; its clock is moved by hand, so nothing waits.
"""

from datetime import UTC, datetime, timedelta
from typing import TypedDict

from langgraph.graph import START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy, Retry, Run, Stop, Workflow
from hitl.testing import FakeClock

WORDS = {"too vague": "for small shops", "no number": "in 3 minutes", "no verb": "Get paid"}


class Page(TypedDict, total=False):
    """What is known about the page."""

    headline: str


def write(state: Page) -> Page:
    """Write a headline that answers every reason given so far."""
    said = [reason for denial in hitl.current().denials for reason in denial.reasons]
    return {"headline": " ".join(["Invoices", *(WORDS[reason] for reason in said)])}


POLICY = EscalationPolicy(
    "headlines",
    timezone="Europe/Berlin",
    checkpoints=[
        Checkpoint("write", always=True, on_deny=[Retry(10, until="tomorrow 09:00"), Stop()])
    ],
)


def answer(app: Workflow, run: Run, verdict: str, *reasons: str) -> None:
    """Decide the review that waits, and let the run go on."""
    (review,) = run.reviews()
    (shown,) = (change.after for change in review.presentation.changes)
    offered = ", ".join(
        r.label for r in review.rungs if r.ends_at is None or r.ends_at > app.clock()
    )
    print(f"{app.clock():%a %H:%M}  {shown}: {verdict} {', '.join(reasons)}".rstrip())
    print(f"           offered for a no: {offered}")
    app.queue.decide(
        review.id, verdict, by="ana", reasons=reasons, proposal_hash=review.proposal_hash
    )
    run.wait(timeout=0)


def main() -> None:
    """Get one headline right, and let another run out of time."""
    clock = FakeClock(datetime(2026, 3, 2, 15, 0, tzinfo=UTC))
    graph = StateGraph(Page)
    graph.add_node("write", write)
    graph.add_edge(START, "write")
    app = hitl.wrap(graph, POLICY, store="sqlite://", clock=clock)
    run = app.start({})
    for reason in WORDS:
        answer(app, run, "deny", reason)
        clock.advance(timedelta(minutes=30))
    answer(app, run, "approve")
    print(f"{run.status.value}: {run.value['headline']}")
    late = app.start({})
    answer(app, late, "deny", "too vague")
    clock.advance(timedelta(hours=16))
    answer(app, late, "deny", "no number")
    print(f"{late.status.value}: {late.reason}")
    app.close()


if __name__ == "__main__":
    main()
