"""Runs a graph of the matrix, plain and wrapped, in either colour."""

import asyncio
import atexit
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import StateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command

import hitl
from hitl import Checkpoint, EscalationPolicy, Retry, Stop
from hitl.graph.seam import nodes
from hitl.models import Place, Review
from hitl.ports import Store
from tests.runtime.conftest import decide, decide_until_it_ends
from tests.runtime.graphs.case import Case, Graph, Tally
from tests.runtime.graphs.streams import Event, event, of_mode, plain, without_interrupts

LOOP = asyncio.Runner()
"""One event loop for all cells: a new one for each call would take longer than the graphs do."""
atexit.register(LOOP.close)

BOTH = (Place.BEFORE, Place.AFTER)
MOST_ADVANCES = 200
"""More than any graph of the matrix needs; a run that asks for ever fails the test."""


@dataclass
class Told:
    """What one run said and left behind."""

    events: list[Event]
    graph: Any
    config: Any
    began: Mapping[str, int]
    ended: Mapping[str, int]
    reviews: Sequence[Review] = ()

    @cached_property
    def state(self) -> Any:
        """LangGraph's last snapshot."""
        return self.graph.get_state(self.config)

    @cached_property
    def history(self) -> list[Any]:
        """The values of every snapshot, the last one first."""
        return [snapshot.values for snapshot in self.graph.get_state_history(self.config)]


def compiled(case: Case, tally: Tally) -> Graph:
    """Return the case's graph, compiled without a checkpointer."""
    made = case.build(tally)
    return made.compile() if isinstance(made, StateGraph) else made


def config_of(case: Case, thread: str) -> Any:
    """Return the config of a caller of the case's graph."""
    own = dict(case.config)
    return {**own, "configurable": {**own.get("configurable", {}), "thread_id": thread}}


def streamed(
    graph: Any, case: Case, colour: str, given: Any, thread: str, modes: Any, *, subgraphs: bool
) -> list[Event]:
    """Return all events of one call of `stream` or `astream`."""
    config = config_of(case, thread)
    said = {"context": case.context, "stream_mode": modes, "subgraphs": subgraphs}
    if colour == "sync":
        chunks = list(graph.stream(given, config, **said))
    else:

        async def gather() -> list[Any]:
            return [chunk async for chunk in graph.astream(given, config, **said)]

        chunks = LOOP.run(gather())
    return [event(chunk, modes, subgraphs=subgraphs) for chunk in chunks]


def invoked(graph: Any, case: Case, colour: str, given: Any, thread: str) -> Any:
    """Return what one call of `invoke` or `ainvoke` returned."""
    config = config_of(case, thread)
    if colour == "sync":
        return graph.invoke(given, config, context=case.context)
    return LOOP.run(graph.ainvoke(given, config, context=case.context))


@dataclass
class Plain:
    """The graph as LangGraph runs it; its questions are answered with `Command(resume=...)`."""

    case: Case
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.graph = compiled(self.case, self.tally)
        self.graph.checkpointer = InMemorySaver()

    def streamed(
        self,
        colour: str,
        modes: Any,
        *,
        thread: str,
        subgraphs: bool = False,
        only_whole: bool = False,
    ) -> Told:
        """Stream the case's input to the run's end; see `whole` for `only_whole`."""
        begin(self.graph, self.tally)
        events: list[Event] = []
        for given in self._inputs(thread):
            said = streamed(
                self.graph, self.case, colour, given, thread, modes, subgraphs=subgraphs
            )
            events += whole(self.graph, self.case, thread, said) if only_whole else said
        return _told(self.graph, self.case, thread, events, self.tally)

    def invoked(self, colour: str, *, thread: str) -> tuple[Any, Told]:
        """Return the output, and what the run left behind."""
        begin(self.graph, self.tally)
        output: Any = None
        for given in self._inputs(thread):
            output = invoked(self.graph, self.case, colour, given, thread)
        return output, _told(self.graph, self.case, thread, [], self.tally)

    def _inputs(self, thread: str) -> Iterator[Any]:
        """Yield the case's input, then answers for as long as the graph asks."""
        yield self.case.given()
        answers = iter(self.case.answers)
        while asked := self.graph.get_state(config_of(self.case, thread)).interrupts:
            yield Command(resume={question.id: next(answers) for question in asked})


class Wrapped:
    """The graph with gates: nobody is asked, or everybody is, at every step of one kind.

    Args:
        case: The graph.
        store: Where the runs are kept.
        gates: Which steps always ask: `none`, the `leaves`, the `graphs` that are steps of others,
            or `all`; `before`: the leaves, before they run; `shadow`: all would, before and after.
    """

    def __init__(self, case: Case, store: Store, gates: str = "none") -> None:
        self.case = case
        self.gates = gates
        self.tally = Tally()
        built = case.build(self.tally)
        self.asked = asking_steps(case, gates)
        how: dict[str, Any] = {"on_deny": [Retry(1), Stop()]}
        if gates == "before":
            how = {"place": Place.BEFORE}
        checkpoints = [Checkpoint(path, always=True, **how) for path in self.asked]
        if gates == "shadow":
            checkpoints = [Checkpoint("*", always=True, place=place) for place in BOTH]
        policy = EscalationPolicy(f"{case.name} {gates}", checkpoints=checkpoints)
        self.app = hitl.wrap(
            built,
            policy,
            mode="shadow" if gates == "shadow" else "gates",
            store=store,
            name=f"{case.name} {gates}",
            allow_types=case.types,
            context=case.context,
        )

    def streamed(
        self,
        colour: str,
        modes: Any,
        *,
        thread: str,
        subgraphs: bool = False,
        deny_first: bool = False,
    ) -> Told:
        """Stream the case's input to the run's end, deciding every review on the way."""
        self._begin(deny_first=deny_first)
        events: list[Event] = []
        reviews: list[Review] = []
        answers = list(self.case.answers) * 8
        given = self.case.given()
        for _ in range(MOST_ADVANCES):
            said = streamed(self.app, self.case, colour, given, thread, modes, subgraphs=subgraphs)
            given = None
            waiting = self.app.run(thread).reviews()
            events += whole(self.app.graph, self.case, thread, said) if self.asked else said
            if not waiting:
                break
            one_by_one = self.asked and self.case.parallel and not deny_first
            for review in waiting[:1] if one_by_one else waiting:
                decide(self.app, review, deny_first=deny_first, answers=answers)
                reviews.append(review)
        return self._left(thread, events, reviews)

    def invoked(self, colour: str, *, thread: str) -> tuple[Any, Told]:
        """Return the output of a run in which only the graph's own questions are answered."""
        self._begin()
        answers = list(self.case.answers)
        given = self.case.given()
        while True:
            output = invoked(self.app, self.case, colour, given, thread)
            given = None
            waiting = self.app.run(thread).reviews()
            if not waiting:
                return output, self._left(thread, [], [])
            for review in waiting:
                decide(self.app, review, answers=answers)

    def started(self, colour: str, *, thread: str) -> Told:
        """Start a run and let it go on by itself after each decision; approve everything."""
        self._begin()
        config, given = config_of(self.case, thread), self.case.given()
        if colour == "sync":
            run = self.app.start(given, config, context=self.case.context)
        else:
            run = LOOP.run(self.app.astart(given, config, context=self.case.context))
        answers = list(self.case.answers)
        return self._left(thread, [], decide_until_it_ends(self.app, run, answers=answers))

    def _begin(self, *, deny_first: bool = False) -> None:
        begin(self.app.graph, self.tally)
        self.tally.denies = frozenset(self.asked) if deny_first else frozenset()

    def _left(self, thread: str, events: list[Event], reviews: list[Review]) -> Told:
        told = _told(self.app.graph, self.case, thread, events, self.tally)
        told.reviews = reviews
        return told


def whole(graph: Any, case: Case, thread: str, events: list[Event]) -> list[Event]:
    """Return the events without the values of a superstep that is not over.

    When a task parks, LangGraph tells what its finished siblings wrote; how much that is depends on
    who finished first.
    """
    snapshot = next(iter(graph.get_state_history(config_of(case, thread), limit=1)))
    values = [e for e in of_mode(without_interrupts(events), "values") if not e.ns]
    over = not case.parallel or not snapshot.next
    if over or not values or plain(values[-1].data) == plain(snapshot.values):
        return events
    return [e for e in events if e.data is not values[-1].data]


def begin(graph: Graph, tally: Tally) -> None:
    """Forget what earlier runs left in memory."""
    tally.clear()
    if graph.cache is not None:
        graph.clear_cache()


@cache
def steps(case: Case) -> dict[str, bool]:
    """Return the paths of the case's steps, and whether each is a graph."""
    graph = compiled(case, Tally())
    return {n.path: isinstance(n.graph.nodes[n.name].bound, Pregel) for n in nodes(graph)}


def asking_steps(case: Case, gates: str) -> list[str]:
    """Return the paths of the steps that ask."""
    leaves, both = (False,), (False, True)
    kinds = {"leaves": leaves, "before": leaves, "graphs": (True,), "all": both}.get(gates, ())
    return [path for path, is_graph in steps(case).items() if is_graph in kinds]


def _told(graph: Any, case: Case, thread: str, events: list[Event], tally: Tally) -> Told:
    return Told(
        events=events,
        graph=graph,
        config=config_of(case, thread),
        began=dict(tally.began),
        ended=dict(tally.ended),
    )
