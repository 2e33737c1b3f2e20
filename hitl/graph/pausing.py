"""A body that asks: its questions are written before its task parks, and ended with its result."""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from hitl.graph.bodies import Asks, Paused
from hitl.graph.task import Ran, RunBody


def has_asked(body: RunBody) -> bool:
    """Return whether a body called `hitl.ask`, answered or not."""
    asker = body.current.asker
    return asker is not None and asker.asked > 0


def to_its_end(body: RunBody) -> Generator[Asks, Any, Ran]:
    """Run a body; return what it did, with the end of its questions as work.

    A body that swallowed the signal of its question parks nevertheless: what it returned rests on an
    answer it never had.

    Raises:
        GraphInterrupt: It waits for a person; its questions are written.
        StopRun: A person answered one of its questions by stopping the run.
        NeedsAttention: One of its questions was cancelled.
    """
    asker = body.current.asker
    assert asker is not None  # noqa: S101 - given to every body
    asker.check()
    done: Ran | Paused = yield body
    signal = done.signal if isinstance(done, Paused) else asker.signal
    if signal is None:
        assert isinstance(done, Ran)  # noqa: S101 - else it has a signal
        return replace(done, work=(*done.work, *asker.ending))
    if asker.opening is not None:
        yield asker.opening
        asker.keep()
    raise signal
