"""A long run is as quick at its end as at its beginning, and what hitl keeps in its state stays small.

Counted is what the database does (instructions of SQLite's virtual machine), not seconds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy, Retry, Rollback, Stop, Workflow
from hitl.graph.lg import CHANNEL
from hitl.models import RunStatus

PART = 12
"""Steps that are compared: the first after a few, and the last."""
STEPS = 96


class Count(TypedDict):
    n: int


class Effort:
    """Counts what the database does, by step."""

    def __init__(self, app: Workflow) -> None:
        self.done = 0
        self.before_step: list[int] = []
        app.store.write(lambda t: t.connection.set_progress_handler(self._tick, 10))

    def _tick(self) -> None:
        self.done += 10

    def step(self, state: Count) -> Count:
        self.before_step.append(self.done)
        return {"n": state["n"] + 1}

    def growth(self) -> float:
        """Return what the last steps cost, as a multiple of what the first ones did."""
        marks = self.before_step
        assert len(marks) >= STEPS
        return (marks[-1] - marks[-1 - PART]) / (marks[2 * PART] - marks[PART])


@contextmanager
def counted(policy: EscalationPolicy, *, inside: bool = False, **kwargs: Any) -> Iterator[Any]:
    """Yield a workflow in memory that makes `STEPS` steps, and its effort."""
    efforts: list[Effort] = []

    def step(state: Count) -> Count:
        return efforts[0].step(state)

    graph = _loop(step)
    if inside:
        child = StateGraph(Count)
        child.add_sequence([("inc", step)])
        child.set_entry_point("inc")
        graph = _loop(child.compile())
    app = hitl.wrap(graph, policy, store="sqlite://", name="long", **kwargs)
    efforts.append(Effort(app))
    yield app, efforts[0]
    app.close()


def _loop(body: Any) -> StateGraph[Any]:
    graph = StateGraph(Count)
    graph.add_node("step", body)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda s: "step" if s["n"] < STEPS else END)
    return graph


def _to_the_end(app: Workflow, *, deny_every: int = 0) -> None:
    run = app.start({"n": 0}, recursion_limit=10_000)
    asked = 0
    while run.status is RunStatus.WAITING:
        (review,) = run.reviews()
        asked += 1
        verdict = "deny" if deny_every and asked % deny_every == 0 else "approve"
        app.queue.decide(review.id, verdict, by="ana", proposal_hash=review.proposal_hash)
        run.wait(timeout=0)
    assert run.status is RunStatus.DONE
    assert run.value == {"n": STEPS}


def _policy(step: str = "step", **keys: Any) -> EscalationPolicy:
    return EscalationPolicy("long", checkpoints=[Checkpoint(step, **keys)])


def test_a_step_nobody_is_asked_about_costs_the_same_and_keeps_little() -> None:
    with counted(EscalationPolicy("long")) as (app, effort):
        _to_the_end(app)
        kept = app.store.read(
            lambda r: r.connection.execute(
                "SELECT type, checkpoint FROM checkpoints ORDER BY checkpoint_id"
            ).fetchall()
        )
        serde = app.graph.checkpointer.serde
        values = [serde.loads_typed(row)["channel_values"].get(CHANNEL) for row in kept]
        sizes = [len(serde.dumps_typed(value)[1]) for value in values if value]

        assert effort.growth() < 1.1
        assert len(sizes) == STEPS
        assert max(sizes) <= 200


def test_asking_about_the_run_so_far_costs_the_same() -> None:
    policy = _policy(every=4, on_deny=[Rollback(), Stop()])
    with counted(policy) as (app, effort):
        _to_the_end(app, deny_every=5)

        assert effort.growth() < 1.25


def test_asking_about_a_child_graph_costs_the_same() -> None:
    policy = _policy(always=True, on_deny=[Retry(2), Stop()])
    with counted(policy, inside=True) as (app, effort):
        _to_the_end(app)

        assert effort.growth() < 1.1


def test_a_shadow_that_would_always_ask_about_the_run_costs_the_same() -> None:
    policy = EscalationPolicy("long", reliability_below=0.9, accuracy={"*": 0.8})
    with counted(policy, mode="shadow") as (app, effort):
        _to_the_end(app)

        assert effort.growth() < 1.1
