"""`hitl serve`: the pages and the queue, with or without the workflow they belong to."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from hitl.cli.loading import load_workflow
from hitl.cli.terminal import say
from hitl.errors import ConfigurationError
from hitl.logs import log_json
from hitl.reviews import ReviewQueue, utcnow
from hitl.serving import engine_for, prepare
from hitl.stores import open_store


def serve_app(target: str, *, port: int, reviewer: str) -> None:
    """Serve a workflow's queue and advance its parked runs, until interrupted.

    Args:
        target: The workflow, as `module:name`.
        port: 0 takes a free one.
        reviewer: The name decisions on the pages carry.
    """
    log_as_asked()
    workflow = load_workflow(target)
    for note in workflow.notes:
        say(note, err=True)
    with until_interrupted():
        workflow.serve(port=port, reviewer=reviewer, on_ready=tell_address)


def serve_store(url: str, *, port: int, reviewer: str) -> None:
    """Serve the queue of a store alone: answers are taken, expiries fire, no run is advanced."""
    log_as_asked()
    store = open_store(url)
    try:
        queue = ReviewQueue(store)
        server = prepare(queue, store, title="hitl", port=port, reviewer=reviewer)
        engine = engine_for(store, utcnow, _advance_nothing, queue)
        say("No --app: answers are kept, and no run is advanced here.", err=True)
        tell_address(server.url)
        try:
            with until_interrupted():
                server.run()
        finally:
            engine.stop()
    finally:
        store.close()


def _advance_nothing(run_id: str) -> None:
    """Leave a run where it is: its graph is not known here."""


def log_as_asked() -> None:
    """Log as `HITL_LOG` says: `json` for structured lines, `text` or nothing for Python's own way.

    Raises:
        ConfigurationError: It says something else.
    """
    asked = os.environ.get("HITL_LOG", "text")
    if asked == "json":
        log_json()
    elif asked not in ("", "text"):
        raise ConfigurationError(f"HITL_LOG is {asked!r}; write 'json' or 'text'.")


def tell_address(url: str) -> None:
    """Print where the pages are: the first line on standard output, at once."""
    say(f"The queue is at {url}")
    say("Ctrl-C ends it.", err=True)
    sys.stdout.flush()


@contextlib.contextmanager
def until_interrupted() -> Iterator[None]:
    """End quietly at SIGINT and SIGTERM, after what stands in `finally`."""
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    except KeyboardInterrupt:
        say("Ended.", err=True)
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
