"""A state that grows with each step is noted once, with its field and the remedy."""

import logging
from operator import add
from typing import Annotated, Any, TypedDict

import pytest
from langgraph.channels import DeltaChannel
from langgraph.graph import END, START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.cli import run as command
from hitl.models import RunRecord

STEPS = 260
SIZE = 300


def joined(state: list[str], writes: list[list[str]]) -> list[str]:
    return [*state, *(item for write in writes for item in write)]


class Growing(TypedDict, total=False):
    n: int
    log: Annotated[list[str], add]


class Small(TypedDict, total=False):
    n: int
    log: list[str]


class Changes(TypedDict, total=False):
    n: int
    log: Annotated[list[str], DeltaChannel(joined)]


def run_of(schema: Any, url: str, *, start: list[str]) -> RunRecord:
    """Return a run of `STEPS` steps that was asked about once on the way."""

    def step(state: Any) -> Any:
        grown = {} if start else {"log": ["x" * SIZE]}
        return {"n": state["n"] + 1, **grown}

    graph = StateGraph(schema)
    graph.add_node("step", step)
    graph.add_edge(START, "step")
    graph.add_conditional_edges("step", lambda s: "step" if s["n"] < STEPS else END)
    asks = Checkpoint("step", every=200)  # goes on in another advance, over another measurement
    app = hitl.wrap(graph, EscalationPolicy("grow", checkpoints=[asks]), store=url)
    run = app.start({"n": 0, "log": start}, recursion_limit=10_000)
    (review,) = run.reviews()
    app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    run.wait(timeout=0)
    assert run.value["n"] == STEPS
    record = run.record
    app.close()
    return record


def test_a_growing_list_is_noted_once_with_the_remedy(
    store_url: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING, logger="hitl.graph.growth"):
        run = run_of(Growing, store_url, start=[])

    (note,) = run.notes
    assert [record.getMessage() for record in caplog.records] == [note]
    assert note.startswith(
        f"The state of run {run.id!r} grows with every step: 19 kB after 64 steps,"
        " 39 kB after 128, most of it in 'log'. Each snapshot stores all of it, so at this pace the"
        " snapshots of 10,000 steps take 15 GB. Annotate 'log' with LangGraph's DeltaChannel"
    )
    assert command(["runs", run.id, "--store", store_url]) == 0
    assert "grows with every step" in capsys.readouterr().out
    command(["doctor", "--store", store_url, "--json"])
    assert "1 of the newest runs are noted" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("schema", "start"),
    [(Small, ["x" * SIZE * 200]), (Changes, [])],
    ids=["large but constant", "saved as changes"],
)
def test_a_state_that_stays_as_it_is_is_not_noted(
    schema: Any, start: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        run = run_of(schema, "sqlite://", start=start)

    assert run.notes == ()
    assert caplog.records == []
