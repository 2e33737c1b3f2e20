"""Everybody is asked: what is committed in the end is what the plain graph commits, and only that."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.ids import new_id
from hitl.models import Place, ReviewStatus, RunStatus
from hitl.reviews import utcnow
from hitl.stores import open_store
from tests.runtime.conftest import DecideAll
from tests.runtime.graphs import CASES
from tests.runtime.graphs.case import DENIED, WRONG_NUMBER, Builder, Case
from tests.runtime.graphs.running import Plain, Told, Wrapped, asking_steps
from tests.runtime.graphs.shapes import Log, start
from tests.runtime.graphs.streams import Event, changes, of_mode, plain, without_interrupts

Asked = Callable[[Case, str], Wrapped]
Expected = Callable[[Case, str], Told]

WITH_GRAPHS = [case for case in CASES if asking_steps(case, "graphs")]
GATED = [
    (case, gates, colour)
    for gates, cases in (("leaves", CASES), ("graphs", WITH_GRAPHS))
    for case in cases
    for colour in case.colours
]
NESTED = [(case, "all", case.colours[0]) for case in WITH_GRAPHS]
COMMITTED = ["values", "updates"]


def cells(gated: list[tuple[Case, str, str]]) -> pytest.MarkDecorator:
    named = [pytest.param(c, g, k, id=f"{c.name}-{g}-{k}") for c, g, k in gated]
    return pytest.mark.parametrize(("case", "gates", "colour"), named)


@pytest.fixture(scope="module")
def expected_of() -> Expected:
    """What the plain graph commits; it is run once in each colour."""

    @cache
    def expected(case: Case, colour: str) -> Told:
        thread = new_id("run", utcnow())
        return Plain(case).streamed(colour, COMMITTED, thread=thread, only_whole=True)

    return expected


@pytest.fixture(scope="module")
def asked() -> Iterator[Asked]:
    """The graph with gates that always ask, made once; all of them in one store."""
    store = open_store("sqlite://")
    made: list[Wrapped] = []

    @cache
    def wrapped(case: Case, gates: str) -> Wrapped:
        made.append(Wrapped(case, store, gates))
        return made[-1]

    yield wrapped
    for each in made:
        each.app.close()


def same_commits(case: Case, told: Told, expected: Told) -> None:
    """Assert that two runs committed the same, in the same order, and told it the same."""
    assert plain(told.state.values) == plain(expected.state.values)
    assert plain(told.history) == plain(expected.history)
    assert (told.state.next, told.state.interrupts) == ((), ())
    committed, expectedly = without_interrupts(told.events), without_interrupts(expected.events)
    assert values(case, committed) == values(case, expectedly)
    assert updates(committed) == updates(expectedly)


def values(case: Case, events: list[Event]) -> list[Any]:
    """Return what the state came to be, from the stream of values."""
    told = []
    for e in of_mode(events, "values"):
        kept = (
            e.data
            if not isinstance(e.data, dict)
            else {k: v for k, v in e.data.items() if k not in case.unsaved}
        )
        told.append(e._replace(data=kept))
    return changes(told)


def updates(events: list[Event]) -> list[str]:
    """Return what steps wrote, in any order; a `@task` is no step: its result is told at once."""
    told = [plain(e.data) for e in of_mode(events, "updates")]
    return sorted(repr(data) for data in told if set(data) != {"square"})


def every_step_was_asked_once(ours: Wrapped, thread: str, told: Told) -> None:
    """Assert that each attempt of each step that ran was put before a person, and settled."""
    gates = ours.app.store.read(lambda r: r.gates(thread))
    ran = [g for g in gates if g.name.step in ours.asked and g.name.place is Place.AFTER]
    assert {g.action for g in ran} <= {"ask"}
    asked = [(r.name, r.attempt, r.task_id) for r in told.reviews if r.name.place is Place.AFTER]
    assert len(asked) == len(set(asked)) == len(ran)
    asks = [len(ours.tally.around(r.name.step)) for r in told.reviews if r.name.place == "question"]
    assert len(asks) == len(ours.case.answers) * (1 + max(asks, default=0))
    left = {ours.app.queue.get(r.id).status for r in told.reviews}
    assert left <= {ReviewStatus.EXECUTED, ReviewStatus.DENIED}
    assert ours.app.store.read(lambda r: r.open_proposals(thread)) == []


@cells(GATED)
def test_every_step_approved(
    case: Case, gates: str, colour: str, asked: Asked, expected_of: Expected
) -> None:
    ours, expected, thread = asked(case, gates), expected_of(case, colour), new_id("run", utcnow())
    told = ours.streamed(colour, COMMITTED, thread=thread)
    assert ours.app.run(thread).status is RunStatus.DONE, ours.app.run(thread).reason
    same_commits(case, told, expected)
    every_step_was_asked_once(ours, thread, told)
    assert told.ended == times(case, ours, expected)


@cells(GATED + NESTED)
def test_every_step_denied_once_and_then_approved(
    case: Case, gates: str, colour: str, asked: Asked, expected_of: Expected
) -> None:
    ours, expected, thread = asked(case, gates), expected_of(case, colour), new_id("run", utcnow())
    told = ours.streamed(colour, COMMITTED, thread=thread, deny_first=True)
    assert ours.app.run(thread).status is RunStatus.DONE, ours.app.run(thread).reason
    same_commits(case, told, expected)
    every_step_was_asked_once(ours, thread, told)
    assert told.ended == times(case, ours, expected)
    seen = repr((told.state.values, told.history, of_mode(told.events, "values")))
    assert DENIED not in seen
    assert str(WRONG_NUMBER) not in seen


def test_a_no_to_a_child_graph_is_heard_by_steps_that_had_not_run(
    store_url: str, decide_all: DecideAll
) -> None:
    heard: list[list[str]] = []

    def choose(state: Log) -> Log:
        return {"route": "careful" if hitl.current().denials else "hasty"}

    def careful(state: Log) -> Log:
        heard.append([reason for d in hitl.current().denials for reason in d.reasons])
        return {"log": ["careful"]}

    sub: Builder = StateGraph(Log)
    sub.add_node("choose", choose)
    sub.add_node("hasty", lambda state: {"log": ["hasty"]})
    sub.add_node("careful", careful)
    sub.add_edge(START, "choose")
    sub.add_conditional_edges("choose", lambda state: state["route"], ["hasty", "careful"])
    graph: Builder = StateGraph(Log)
    graph.add_node("sub", sub.compile())
    graph.add_edge(START, "sub")
    rules = EscalationPolicy("p", checkpoints=[Checkpoint("sub", always=True)])
    app = hitl.wrap(graph, rules, store=store_url)
    run = app.start(start())
    decide_all(app, run, deny_first=True)
    assert run.value["log"][-1] == "careful"
    assert heard == [["wrong: sub"]]
    app.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_step_approved_before_it_runs_in_a_run_that_goes_on_by_itself(
    case: Case, asked: Asked, expected_of: Expected
) -> None:
    colour = case.colours[0]
    ours, expected, thread = (
        asked(case, "before"),
        expected_of(case, colour),
        new_id("run", utcnow()),
    )
    told = ours.started(colour, thread=thread)
    run = ours.app.run(thread)
    assert run.status is RunStatus.DONE, run.reason
    assert plain(told.state.values) == plain(expected.state.values)
    assert plain(told.history) == plain(expected.history)
    assert told.ended == times(case, ours, expected)
    gates = ours.app.store.read(lambda r: r.gates(thread))
    before = [g for g in gates if g.name.place is Place.BEFORE]
    assert {g.action for g in before} == {"ask"}
    assert {g.name.step for g in before} == {g.name.step for g in gates} & set(ours.asked)
    assert {ours.app.queue.get(r.id).status for r in told.reviews} == {ReviewStatus.EXECUTED}


def times(case: Case, ours: Wrapped, expected: Told) -> dict[str, int]:
    """Return how often each body must have run: doubled by every gate around it that says no."""
    once = dict.fromkeys(case.resumed, 1) if "graphs" not in ours.gates else {}
    return {body: n * ours.tally.times(body) for body, n in {**expected.ended, **once}.items()}
