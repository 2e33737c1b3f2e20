"""Nobody is asked: a wrapped graph says and does what the plain graph does, event for event."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import pytest

from hitl.ids import new_id
from hitl.models import RunRecord, RunStatus
from hitl.reviews import utcnow
from hitl.stores import open_store
from tests.runtime.graphs import CASES
from tests.runtime.graphs.case import Case
from tests.runtime.graphs.running import Plain, Told, Wrapped
from tests.runtime.graphs.streams import (
    BOUNDARY,
    MODES,
    Event,
    by_superstep,
    in_order,
    of_mode,
    plain,
)


class Both(NamedTuple):
    """Both forms of one graph, and what they said when they streamed in all modes at once."""

    theirs: Plain
    ours: Wrapped
    expected: list[Event]
    seen: list[Event]


Streamed = Callable[[Case, str, bool], Both]
Turns = Callable[[Case, str], tuple["Turn", "Turn"]]

CELLS = [(case, colour) for case in CASES for colour in case.colours]
IN_LINE = [(case, colour) for case, colour in CELLS if not case.parallel]
NAMESPACES = pytest.mark.parametrize("subgraphs", [False, True], ids=["flat", "subgraphs"])


def cells(chosen: list[tuple[Case, str]]) -> pytest.MarkDecorator:
    named = [pytest.param(case, colour, id=f"{case.name}-{colour}") for case, colour in chosen]
    return pytest.mark.parametrize(("case", "colour"), named)


@pytest.fixture(scope="module")
def streamed() -> Iterator[Streamed]:
    """Both forms of a graph, made once; every stream is a run of its own."""
    store = open_store("sqlite://")
    made: dict[str, tuple[Plain, Wrapped]] = {}

    @cache
    def stream(case: Case, colour: str, subgraphs: bool) -> Both:
        if case.name not in made:
            made[case.name] = (Plain(case), Wrapped(case, store))
        theirs, ours = made[case.name]
        modes = [*MODES, BOUNDARY] if case.parallel else [*MODES]
        thread = new_id("run", utcnow())
        expected = theirs.streamed(colour, modes, thread=thread, subgraphs=subgraphs).events
        seen = ours.streamed(colour, modes, thread=thread, subgraphs=subgraphs).events
        return Both(theirs, ours, expected, seen)

    yield stream
    for _, ours in made.values():
        ours.app.close()


def compared(case: Case, events: list[Event]) -> list[Any]:
    return by_superstep(events) if case.parallel else in_order(events)


@cells(CELLS)
@NAMESPACES
@pytest.mark.parametrize("mode", MODES)
def test_each_stream_is_the_plain_stream(
    case: Case, colour: str, mode: str, subgraphs: bool, streamed: Streamed
) -> None:
    both = streamed(case, colour, subgraphs)
    seen, expected = (of_mode(e, mode, BOUNDARY) for e in (both.seen, both.expected))
    assert compared(case, seen) == compared(case, expected)


@cells(CELLS)
@NAMESPACES
def test_the_streams_keep_step_with_each_other(
    case: Case, colour: str, subgraphs: bool, streamed: Streamed
) -> None:
    both = streamed(case, colour, subgraphs)
    assert compared(case, both.seen) == compared(case, both.expected)


@cells(IN_LINE)
@pytest.mark.parametrize("mode", MODES)
def test_a_stream_alone_is_the_plain_stream(
    case: Case, colour: str, mode: str, streamed: Streamed
) -> None:
    both = streamed(case, colour, False)
    seen = both.ours.streamed(colour, mode, thread=new_id("run", utcnow())).events
    assert in_order(seen) == in_order(of_mode(both.expected, mode))


@dataclass(frozen=True)
class Turn:
    """What one `invoke` returned and left behind, in both forms."""

    outputs: tuple[Any, Any]
    told: tuple[Told, Told]
    run: RunRecord
    value: Any

    def same(self, of: Callable[[Told], Any]) -> bool:
        theirs, ours = (plain(of(told)) for told in self.told)
        return bool(theirs == ours)


@pytest.fixture(scope="module")
def turns(streamed: Streamed) -> Turns:
    """Two turns on one thread; the second sees what the first left."""

    def turn(case: Case, colour: str, thread: str) -> Turn:
        both = streamed(case, colour, False)
        expected, plainly = both.theirs.invoked(colour, thread=thread)
        output, told = both.ours.invoked(colour, thread=thread)
        run = both.ours.app.run(thread)
        for each in (plainly, told):
            assert each.state.values is not None
            assert each.history  # read now, before the next turn adds to it
        return Turn((plain(expected), plain(output)), (plainly, told), run.record, plain(run.value))

    @cache
    def two(case: Case, colour: str) -> tuple[Turn, Turn]:
        thread = new_id("run", utcnow())
        return turn(case, colour, thread), turn(case, colour, thread)

    return two


@cells(CELLS)
@pytest.mark.parametrize("nth", [1, 2], ids=["first_turn", "second_turn"])
def test_output_state_and_work_are_the_plain_graphs(
    case: Case, colour: str, nth: int, turns: Turns
) -> None:
    turn = turns(case, colour)[nth - 1]
    expected, output = turn.outputs
    assert output == expected
    assert turn.same(lambda told: told.state.values)
    assert turn.same(lambda told: told.history)
    assert turn.same(lambda told: (told.state.next, told.state.interrupts))
    assert turn.same(lambda told: (told.began, told.ended))
    assert (turn.run.status, turn.run.turn) == (RunStatus.DONE, nth)
    assert turn.value == saved(expected, turn.told[0].state.values)


def saved(output: Any, values: Any) -> Any:
    """Return the output without the channels that LangGraph never saves."""
    if not isinstance(output, dict):
        return output
    return {key: value for key, value in output.items() if key in values}
