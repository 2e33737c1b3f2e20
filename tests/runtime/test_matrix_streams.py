"""Nobody is asked: a wrapped graph says and does what the plain graph does, event for event."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hitl.ids import new_id
from hitl.models import RunStatus
from hitl.reviews import utcnow
from hitl.stores import open_store
from tests.runtime.graphs import CASES
from tests.runtime.graphs.case import Case
from tests.runtime.graphs.running import Plain, Told, Wrapped
from tests.runtime.graphs.streams import BOUNDARY, MODES, by_superstep, in_order, plain

Pairs = Callable[[Case], tuple[Plain, Wrapped]]

CELLS = [(case, colour) for case in CASES for colour in case.colours]
EITHER_COLOUR = pytest.mark.parametrize(
    ("case", "colour"), [pytest.param(c, k, id=f"{c.name}-{k}") for c, k in CELLS]
)


@pytest.fixture(scope="module")
def pairs() -> Iterator[Pairs]:
    """Both forms of each graph, made once: every cell is a run of its own."""
    store = open_store("sqlite://")
    made: dict[str, tuple[Plain, Wrapped]] = {}

    def pair(case: Case) -> tuple[Plain, Wrapped]:
        if case.name not in made:
            made[case.name] = (Plain(case), Wrapped(case, store))
        return made[case.name]

    yield pair
    for _, ours in made.values():
        ours.app.close()


@pytest.fixture
def thread() -> str:
    """A thread id that no other run has; both forms of a graph get the same."""
    return new_id("run", utcnow())


def compared(case: Case, told: Told) -> list[Any]:
    return by_superstep(told.events) if case.parallel else in_order(told.events)


def saved(output: Any, values: Any) -> Any:
    """Return the output without the channels that LangGraph never saves."""
    if not isinstance(output, dict):
        return output
    return {key: value for key, value in output.items() if key in values}


@EITHER_COLOUR
@pytest.mark.parametrize("subgraphs", [False, True], ids=["flat", "subgraphs"])
@pytest.mark.parametrize("mode", MODES)
def test_a_stream_is_the_plain_stream(
    case: Case, colour: str, mode: str, subgraphs: bool, pairs: Pairs, thread: str
) -> None:
    theirs, ours = pairs(case)
    modes = [mode, BOUNDARY] if case.parallel else mode
    expected = theirs.streamed(colour, modes, thread=thread, subgraphs=subgraphs)
    seen = ours.streamed(colour, modes, thread=thread, subgraphs=subgraphs)
    assert compared(case, seen) == compared(case, expected)


@EITHER_COLOUR
def test_all_streams_at_once_are_the_plain_streams(
    case: Case, colour: str, pairs: Pairs, thread: str
) -> None:
    theirs, ours = pairs(case)
    modes = [*MODES, BOUNDARY] if case.parallel else list(MODES)
    expected = theirs.streamed(colour, modes, thread=thread, subgraphs=True)
    seen = ours.streamed(colour, modes, thread=thread, subgraphs=True)
    assert compared(case, seen) == compared(case, expected)


@EITHER_COLOUR
def test_output_state_and_work_are_the_plain_graphs(
    case: Case, colour: str, pairs: Pairs, thread: str
) -> None:
    theirs, ours = pairs(case)
    expected, plainly = theirs.invoked(colour, thread=thread)
    output, told = ours.invoked(colour, thread=thread)
    assert plain(output) == plain(expected)
    assert plain(told.state.values) == plain(plainly.state.values)
    assert plain(told.history) == plain(plainly.history)
    assert (told.state.next, told.state.interrupts) == ((), ())
    assert (told.began, told.ended) == (plainly.began, plainly.ended)
    run = ours.app.run(thread)
    assert run.status is RunStatus.DONE
    assert plain(run.value) == plain(saved(expected, plainly.state.values))
