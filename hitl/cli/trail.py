"""`hitl audit`: export the trail, verify it with or without its database, keep its head."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from pydantic import ValidationError

from hitl.audit import NO_EVENTS, Finding, Head, canonical_event
from hitl.audit import verify as first_break
from hitl.cli.opened import reading
from hitl.cli.terminal import console, print_json, say
from hitl.errors import ConfigurationError
from hitl.models import AuditEvent, JsonObject
from hitl.reviews import ReviewQueue

_PAGE = 1000


class Trail:
    """Events read once, in order, with the head over them; remembers the head at `kept.seq`.

    Args:
        events: In order of `seq`.
        kept: A head that was kept elsewhere, or None.
    """

    def __init__(self, events: Iterable[AuditEvent], kept: Head | None) -> None:
        self._events = events
        self._kept = kept
        self.head = NO_EVENTS
        self._then = NO_EVENTS

    def __iter__(self) -> Iterator[AuditEvent]:
        for event in self._events:
            self.head = self.head.after(event)
            if self._kept is not None and event.seq <= self._kept.seq:
                self._then = self.head
            yield event

    def misfit(self) -> str | None:
        """Return how the trail differs from the kept head, or None; after it was read."""
        kept = self._kept
        if kept is None or self._then == kept:
            return None
        return (
            f"The trail does not have the kept head at event {kept.seq}: {kept.events:,} events were"
            f" covered then, {self._then.events:,} are there now. Events were changed, moved or"
            " removed since; compare with a copy kept elsewhere."
        )


def export(url: str, *, file: Path, run_id: str | None, as_json: bool) -> None:
    """Write the trail as JSON lines, one canonical event each."""
    with reading(url) as queue, file.open("wb") as out:
        trail = Trail(events_of(queue, run_id), None)
        for event in trail:
            out.write(canonical_event(event.model_dump()) + b"\n")
    if as_json:
        print_json({"file": str(file), **trail.head.model_dump()})
    else:
        say(
            f"{trail.head.events:,} events are in {file}. `hitl audit verify --file {file}` reads it."
        )


def head(url: str, *, file: Path | None, as_json: bool) -> None:
    """Print the head of the trail, or write it to a file to be kept elsewhere."""
    with reading(url) as queue:
        trail = Trail(events_of(queue, None), None)
        finding = first_break(trail)
    if finding is not None:
        say(finding.sentence, err=True)
        raise typer.Exit(1)
    if file is not None:
        file.write_text(trail.head.model_dump_json() + "\n", encoding="utf-8")
    if as_json:
        print_json(trail.head.model_dump())
    else:
        told = f"Event {trail.head.seq}, {trail.head.events:,} events: {trail.head.head}"
        say(told if file is None else f"{told}\nIt is in {file}; keep that where the store is not.")


def verify(
    url: str, *, file: Path | None, run_id: str | None, kept: Path | None, as_json: bool
) -> None:
    """Recompute a trail: of a store, of one run, or of an exported file.

    Raises:
        typer.Exit: An event or the kept head does not fit; the sentence was printed.
    """
    if kept is not None and run_id is not None:
        raise ConfigurationError(
            "A head covers the whole trail; leave --run out to compare with it."
        )
    known = None if kept is None else _read_head(kept)
    with _source(url, file, run_id) as events:
        trail = Trail(events, known)
        finding = first_break(trail)
    problem = finding.sentence if finding is not None else trail.misfit()
    if as_json:
        print_json(_told(trail.head, finding, problem))
    elif problem is not None:
        say(problem, err=True)
    else:
        say(f"The trail is whole: {trail.head.events:,} events. Its head is {trail.head.head}.")
        if known is None:
            say(
                "Keep the head elsewhere (`hitl audit head`): a rewritten trail is found only by it."
            )
    if problem is not None:
        raise typer.Exit(1)


def _told(now: Head, finding: Finding | None, problem: str | None) -> JsonObject:
    found = None if finding is None else finding.model_dump(mode="json")
    return {"whole": problem is None, **now.model_dump(), "finding": found, "problem": problem}


@contextmanager
def _source(url: str, file: Path | None, run_id: str | None) -> Iterator[Iterable[AuditEvent]]:
    if file is not None:
        yield (e for e in _read_events(file) if run_id in (None, e.run_id))
        return
    with reading(url) as queue:
        if run_id is not None:
            queue.run(run_id)
        yield events_of(queue, run_id)


def events_of(queue: ReviewQueue, run_id: str | None) -> Iterator[AuditEvent]:
    """Yield a store's events, page by page, and show how far it is."""
    after = 0
    with console(err=True).status("reading the trail") as shown:
        while page := queue.audit(run_id=run_id, after=after, limit=_PAGE):
            yield from page
            after = page[-1].seq
            shown.update(f"reading the trail, event {after:,}")


def _read_events(file: Path) -> Iterator[AuditEvent]:
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield _event(file, number, line)
    except OSError as problem:
        raise ConfigurationError(f"{str(file)!r} cannot be read: {problem.strerror}.") from problem


def _event(file: Path, number: int, line: bytes) -> AuditEvent:
    try:
        return AuditEvent.model_validate_json(line)
    except ValidationError as problem:
        raise ConfigurationError(
            f"Line {number} of {str(file)!r} is not an event of a trail; export it again with"
            " `hitl audit export`."
        ) from problem


def _read_head(file: Path) -> Head:
    try:
        return Head.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as problem:
        raise ConfigurationError(
            f"{str(file)!r} is not a head; `hitl audit head FILE` writes one."
        ) from problem
