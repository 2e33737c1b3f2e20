"""What else is the plain graph's: its class, schemas, drawing and copies, and its other ways in."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic.errors import PydanticUserError

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.errors import ConfigurationError
from hitl.models import RunStatus
from hitl.stores import open_store
from tests.runtime.conftest import DecideAll
from tests.runtime.graphs import CASES
from tests.runtime.graphs.case import Builder, Case, Graph, Tally
from tests.runtime.graphs.nested import child
from tests.runtime.graphs.nodes import cached
from tests.runtime.graphs.running import compiled
from tests.runtime.graphs.shapes import Log, linear, loop, start
from tests.runtime.graphs.states import Line, pydantic_state
from tests.runtime.graphs.streams import plain

EVERY_GRAPH = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
Forms = Callable[[Case], tuple[Graph, Any]]


@pytest.fixture(scope="module")
def forms() -> Iterator[Forms]:
    """A plain compiled graph, and the gated graph that was made of it."""
    store = open_store("sqlite://")
    made: list[hitl.Workflow] = []

    @cache
    def both(case: Case) -> tuple[Graph, Any]:
        graph = compiled(case, Tally())
        before = anatomy(graph)
        made.append(hitl.wrap(graph, EscalationPolicy("p"), store=store, name=case.name))
        assert anatomy(graph) == before, "Wrapping changed the graph."
        return graph, made[-1].graph

    yield both
    for app in made:
        app.close()


@EVERY_GRAPH
def test_the_gated_graph_is_of_the_graphs_class(case: Case, forms: Forms) -> None:
    theirs, ours = forms(case)
    assert isinstance(ours, type(theirs))
    assert isinstance(ours, CompiledStateGraph) or case.name == "functional"
    assert type(ours).__name__ == type(theirs).__name__
    assert getattr(ours, "builder", None) is getattr(theirs, "builder", None)
    assert ours.get_name() == theirs.get_name()


@EVERY_GRAPH
def test_the_schemas_are_the_graphs(case: Case, forms: Forms) -> None:
    theirs, ours = forms(case)
    for schema in ("input", "output", "context"):
        assert outcome(ours, f"get_{schema}_jsonschema") == outcome(
            theirs, f"get_{schema}_jsonschema"
        )
    assert ours.stream_channels_asis == theirs.stream_channels_asis


def outcome(graph: Any, method: str) -> Any:
    """Return what a method returns, or how it fails: some states have no JSON schema."""
    try:
        return getattr(graph, method)()
    except PydanticUserError as problem:
        return problem.code


@EVERY_GRAPH
@pytest.mark.parametrize("xray", [False, True], ids=["plain", "xray"])
def test_the_drawing_is_the_graphs(case: Case, xray: bool, forms: Forms) -> None:
    theirs, ours = forms(case)
    drawn = ours.get_graph(xray=xray).draw_mermaid()
    assert drawn == theirs.get_graph(xray=xray).draw_mermaid()
    assert [name for name, _ in ours.get_subgraphs(recurse=True)] == [
        name for name, _ in theirs.get_subgraphs(recurse=True)
    ]


@EVERY_GRAPH
def test_wrapping_leaves_the_graph_as_it_was(case: Case, forms: Forms) -> None:
    graph, gated = forms(case)
    assert graph.checkpointer is None
    assert not [name for name in graph.channels if name.startswith("__hitl")]
    assert anatomy(graph) != anatomy(gated)


def anatomy(graph: Graph) -> Any:
    """Return everything a wrapper could have changed, by identity."""
    own = {key: id(value) for key, value in vars(graph).items()}
    nodes = {name: {k: id(v) for k, v in vars(n).items()} for name, n in graph.nodes.items()}
    channels = {name: id(channel) for name, channel in graph.channels.items()}
    inside = [anatomy(sub) for _, sub in graph.get_subgraphs()]  # type: ignore[arg-type]
    return type(graph), own, nodes, channels, inside


def asking(graph: Any, store: str, *steps: str) -> hitl.Workflow:
    checkpoints = [Checkpoint(step, always=True) for step in steps]
    return hitl.wrap(graph, EscalationPolicy("p", checkpoints=checkpoints), store=store)


def at(thread: str) -> Any:
    return {"configurable": {"thread_id": thread}}


def test_an_unused_cache_is_told() -> None:
    app = hitl.wrap(cached(Tally()), EscalationPolicy("p"), store="sqlite://")
    assert [note for note in app.notes if "cache policy of step 'costly' is not used" in note]
    app.close()


# -- copies ---------------------------------------------------------------------------------------


def test_a_copy_with_a_config_keeps_its_gates_and_uses_the_config(
    store_url: str, decide_all: DecideAll
) -> None:
    app = asking(linear(Tally()), store_url, "work")
    copy = app.graph.with_config(tags=["mine"], configurable={"thread_id": "t1", "desk": "three"})
    assert isinstance(copy, CompiledStateGraph)
    copy.invoke(start())
    run = app.run("t1")
    assert run.status is RunStatus.WAITING
    assert [r.name.step for r in run.reviews()] == ["work"]
    decide_all(app, run)
    assert run.value["log"] == ["start", "plan", "work", "check"]
    kept = app.graph.get_state(at("t1")).metadata
    assert kept["desk"] == "three"
    app.close()


@pytest.mark.parametrize("bound", [False, True], ids=["call", "with_config"])
def test_the_recursion_limit_is_the_callers(bound: bool, store_url: str) -> None:
    app = asking(loop(Tally()), store_url)
    limit: Any = {"recursion_limit": 3}
    graph = app.graph.with_config(limit) if bound else app.graph
    with pytest.raises(GraphRecursionError):
        graph.invoke(start(), at("t1") if bound else {**limit, **at("t1")})
    app.close()


def test_without_a_recursion_limit_langgraphs_own_holds(store_url: str) -> None:
    """It is far above the 25 supersteps that LangChain's other runnables stop at."""
    app = asking(loop(Tally(), visits=40), store_url)
    assert app.start(start()).value["n"] == 40
    app.close()


def test_callbacks_and_tags_of_the_graph_are_not_doubled(
    store_url: str, decide_all: DecideAll
) -> None:
    seen: list[list[str]] = []

    def note(state: Any, config: RunnableConfig) -> dict[str, Any]:
        seen.append(list(config["tags"]))
        return {"log": ["note"]}

    graph = linear(Tally())
    graph.add_node("note", note)
    graph.add_edge("check", "note")
    bound = graph.compile().with_config(tags=["graph"])
    app = asking(bound, store_url, "check")
    run = app.start(start(), {"tags": ["caller"]})
    decide_all(app, run)
    assert run.status is RunStatus.DONE
    assert sorted(seen[0]) == ["caller", "graph"]
    app.close()


# -- other ways in --------------------------------------------------------------------------------


def test_batches_run_as_runs_of_their_own(store_url: str) -> None:
    app = asking(linear(Tally()), store_url)
    plainly = linear(Tally()).compile().batch([start(), start()])
    assert app.graph.batch([start(), start()]) == plainly
    assert {run.status for run in app.runs()} == {RunStatus.DONE}
    assert len(app.runs()) == 2
    app.close()


@pytest.mark.parametrize("mode", ["values", "updates"])
def test_typed_streams_carry_the_states_class(mode: Any, store_url: str) -> None:
    given: Any = {"lines": [Line(item="ink", cents=300)]}
    app = asking(pydantic_state(Tally()), store_url)
    theirs = pydantic_state(Tally()).compile()
    options: Any = {"stream_mode": mode, "version": "v2"}
    seen = [plain(part) for part in app.graph.stream(given, at("t"), **options)]
    assert seen == [plain(part) for part in theirs.stream(given, at("t"), **options)]
    app.close()


async def test_the_events_of_runnables_are_the_graphs(store_url: str) -> None:
    app = asking(child(Tally()), store_url)
    theirs = child(Tally()).compile()

    async def told(graph: Any) -> list[Any]:
        events = graph.astream_events(start(), at("t"), version="v2")
        return [(e["event"], e["name"], plain(e["data"])) async for e in events]

    assert await told(app.graph) == await told(theirs)
    app.close()


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol on Pregel is experimental")
def test_a_run_streamed_in_the_newest_form_ends_with_the_graphs_output(store_url: str) -> None:
    app = asking(child(Tally()), store_url)
    theirs = child(Tally()).compile()
    with app.graph.stream_events(start(), at("t"), version="v3") as ours:
        output = ours.output
    with theirs.stream_events(start(), at("t"), version="v3") as stream:
        assert output == stream.output
    app.close()


def test_a_workflow_called_in_a_step_of_another_is_refused(store_url: str) -> None:
    inner = asking(linear(Tally()), "sqlite://")
    graph: Builder = StateGraph(Log)
    graph.add_node("call", lambda state: inner.invoke(state))
    graph.add_edge(START, "call")
    app = asking(graph, store_url)
    with pytest.raises(ConfigurationError, match="called inside a step of run"):
        app.invoke(start(), at("t"))
    assert inner.runs() == []
    inner.close()
    app.close()


def test_a_workflow_called_in_a_step_on_its_own_thread_is_a_run(store_url: str) -> None:
    inner = asking(linear(Tally()), "sqlite://", "work")
    graph: Builder = StateGraph(Log)
    graph.add_node("call", lambda state: {"route": inner.start(start(), run_id="in").status.value})
    graph.add_edge(START, "call")
    app = asking(graph, store_url)
    assert app.invoke(start(), at("t"))["route"] == "waiting"
    assert [r.name.step for r in inner.run("in").reviews()] == ["work"]
    inner.close()
    app.close()
