"""What the runtime's tests start from: a graph in a line, an app on a real file, and short words."""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from langgraph.graph import END, START, StateGraph
from typing_extensions import TypedDict

import hitl
from hitl import Checkpoint, EscalationPolicy, Run, Workflow
from hitl.models import Decision, GateRow, Review, StoredProposal
from tests.decisions.desk import HandClock

Body = Callable[..., Any]


class Cheque(TypedDict, total=False):
    """A state with plain fields, and one that appends."""

    amount: int
    payee: str
    paid: str
    log: Annotated[list[str], operator.add]


def line(schema: type = Cheque, /, **bodies: Any) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose steps follow each other in the order given."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    for name, body in bodies.items():
        graph.add_node(name, body)
    names = [START, *bodies, END]
    for source, target in pairwise(names):
        graph.add_edge(source, target)
    return graph


def fan(schema: type = Cheque, /, **bodies: Any) -> "StateGraph[Any, Any, Any, Any]":
    """Return a graph whose steps run in one superstep."""
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(schema)
    for name, body in bodies.items():
        graph.add_node(name, body)
        graph.add_edge(START, name)
        graph.add_edge(name, END)
    return graph


def policy(*checkpoints: Checkpoint, **options: Any) -> EscalationPolicy:
    """Return a policy of these checkpoints."""
    return EscalationPolicy("p", checkpoints=checkpoints, **options)


def always(step: str, **options: Any) -> Checkpoint:
    """Return a checkpoint that always asks."""
    return Checkpoint(step, always=True, **options)


@contextmanager
def opened(
    home: Path | str, graph: Any, rules: EscalationPolicy | None = None, **options: Any
) -> Iterator[Workflow]:
    """Wrap `graph` on the database file in the folder `home`, or at its URL; close it at the end."""
    url = home if isinstance(home, str) else f"sqlite:///{home / 'hitl.db'}"
    options.setdefault("store", url)
    app = hitl.wrap(graph, rules or policy(), **options)
    try:
        yield app
    finally:
        app.close()


def only(run: Run) -> Review:
    """Return the one review that waits."""
    (review,) = run.reviews()
    return review


def approve(app: Workflow, review: Review, *, by: str = "ana", **said: Any) -> Decision:
    """Say yes to what is shown."""
    return app.queue.decide(review.id, "approve", by=by, proposal_hash=review.proposal_hash, **said)


def deny(
    app: Workflow, review: Review, remedy: str | None = None, *, by: str = "ana", **said: Any
) -> Decision:
    """Say no to what is shown."""
    return app.queue.decide(
        review.id, "deny", by=by, proposal_hash=review.proposal_hash, remedy=remedy, **said
    )


def go_on(run: Run) -> Run:
    """Let the run go on until it waits or ends; the decision is there already."""
    run.wait(0.0)
    return run


def settle(app: Workflow, run: Run, *, most: int = 50) -> Run:
    """Approve everything until the run ends."""
    for _ in range(most):
        waiting = run.reviews()
        if not waiting:
            break
        for review in waiting:
            approve(app, review)
        go_on(run)
    return run


def rows(app: Workflow, run: Run, step: str | None = None, *, live: bool = False) -> list[GateRow]:
    """Return the run's gate rows, of one step or of all."""
    found = app.store.read(lambda r: r.gates(run.id, live_only=live))
    return [row for row in found if step is None or row.name.step == step]


def row(app: Workflow, run: Run, step: str) -> GateRow:
    """Return the one live gate row of a step."""
    (found,) = rows(app, run, step, live=True)
    return found


def proposal(app: Workflow, review: Review) -> StoredProposal:
    """Return what a review withholds."""
    found = app.store.read(lambda r: r.proposal_of(review.id))
    assert found is not None
    return found


def trail(app: Workflow, run: Run) -> list[str]:
    """Return what happened in the run, in order."""
    return [event.body["action"] for event in app.queue.audit(run_id=run.id, limit=1000)]


__all__ = [
    "Body",
    "Cheque",
    "HandClock",
    "always",
    "approve",
    "deny",
    "fan",
    "go_on",
    "line",
    "only",
    "opened",
    "policy",
    "proposal",
    "row",
    "rows",
    "settle",
    "trail",
]
