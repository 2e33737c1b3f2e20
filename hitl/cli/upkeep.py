"""`hitl db` and `hitl audit`: the tables of a store, and the trail in it."""

from collections.abc import Iterator

import typer

from hitl.audit import verify as first_break
from hitl.cli.opened import reading
from hitl.cli.terminal import print_json, say
from hitl.models import AuditEvent
from hitl.reviews import ReviewQueue
from hitl.stores import upgrade as upgrade_store

_PAGE = 1000


class Trail:
    """The events of a trail, read page by page and counted; remembers the last hash."""

    def __init__(self, queue: ReviewQueue, run_id: str | None) -> None:
        self._queue = queue
        self._run_id = run_id
        self.events = 0
        self.head: str | None = None

    def __iter__(self) -> Iterator[AuditEvent]:
        after = 0
        while page := self._queue.audit(run_id=self._run_id, after=after, limit=_PAGE):
            for event in page:
                self.events += 1
                self.head = event.hash
                yield event
            after = page[-1].seq


def upgrade(url: str, *, as_json: bool) -> None:
    """Bring the tables of a store to this version."""
    upgrade_store(url)
    if as_json:
        print_json({"store": url, "current": True})
    else:
        say(f"The tables of {url} are those of this version.")


def verify(url: str, *, run_id: str | None, as_json: bool) -> None:
    """Recompute the trail of a store, or of one run.

    Raises:
        typer.Exit: An event does not fit; the sentence was printed.
    """
    with reading(url) as queue:
        if run_id is not None:
            queue.run(run_id)
        trail = Trail(queue, run_id)
        finding = first_break(trail)
    if as_json:
        print_json(
            {
                "whole": finding is None,
                "events": trail.events,
                "head": trail.head,
                "finding": None if finding is None else finding.model_dump(mode="json"),
            }
        )
    elif finding is not None:
        say(finding.sentence, err=True)
    else:
        say(f"The trail is whole: {trail.events:,} events. Its last hash is {trail.head}.")
        say("Keep that hash elsewhere: who rewrites everything after an edit is found only by it.")
    if finding is not None:
        raise typer.Exit(1)
