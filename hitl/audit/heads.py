"""Heads: one hash over every event up to a point, sealed now and then, signed when there is a key.

Chains per run let writers of different runs go on side by side; a head ties them together outside of
their transactions. Heads kept where the database is not find a trail that was rewritten as a whole.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from hitl.audit.chain import GENESIS, Linked
from hitl.canonical import canonical_json, sha256_hex
from hitl.models import Record

Event = TypeVar("Event", bound=Linked)

_DOMAIN = b"hitl head v1\n"
"""Signed with the head, so that a signature made for something else never fits one."""


class Head(Record):
    """What to keep elsewhere: a hash over every event up to `seq`.

    Any edit, removal, reordering or truncation up to there is found against it.
    """

    seq: int
    """Number of the last event it covers, in the whole trail."""
    events: int
    """How many events it covers."""
    head: str
    """SHA-256 over the ASCII hex of the head before and of the event's hash; `GENESIS` for no event."""

    def after(self, event: Linked) -> "Head":
        """Return the head with one more event."""
        return Heads(self).over((event,))


NO_EVENTS = Head(seq=0, events=0, head=GENESIS)
"""The head before the first event."""


class SealedHead(Head):
    """A head with the time it was sealed at and, where there is a key, a signature over all of it."""

    sealed_at: str = ""
    """UTC, ISO 8601; empty in a head that nobody sealed."""
    key: str = ""
    """Name of the key: the first 16 hex digits of the SHA-256 of its 32 public bytes."""
    signature: str = ""
    """Ed25519 over `signed_bytes`, 128 hex digits; empty when it is not signed."""


def signed_bytes(head: SealedHead) -> bytes:
    """Return what is signed: a fixed line, then canonical JSON of all but key and signature."""
    covered = head.model_dump(include={"seq", "events", "head", "sealed_at"})
    return _DOMAIN + canonical_json(covered)


class Heads:
    """Rolls the head over a trail that is read once, and compares heads on the way.

    Args:
        start: The head so far.
        kept: Heads that must be met, in any order.
    """

    def __init__(self, start: Head = NO_EVENTS, kept: Iterable[Head] = ()) -> None:
        self._seq, self._events, self._head = start.seq, start.events, start.head
        self._kept = sorted(kept, key=lambda head: head.seq, reverse=True)
        self._missed: str | None = None

    @property
    def now(self) -> Head:
        """The head over what was read."""
        return Head(seq=self._seq, events=self._events, head=self._head)

    def over(self, events: Iterable[Linked]) -> Head:
        """Roll over all of `events` and return the head then."""
        for _ in self.through(events):
            pass
        return self.now

    def through(self, events: Iterable[Event]) -> Iterator[Event]:
        """Yield the events, in order of `seq`, and roll over each."""
        for event in events:
            if self._kept and self._kept[-1].seq < event.seq:
                self._compare(before=event.seq)
            self._head = sha256_hex((self._head + event.hash).encode())
            self._seq, self._events = event.seq, self._events + 1
            yield event

    def misfit(self) -> str | None:
        """Return how the trail differs from a kept head, or None; once it was read to its end."""
        self._compare(before=None)
        return self._missed

    def _compare(self, *, before: int | None) -> None:
        while self._kept and (before is None or self._kept[-1].seq < before):
            kept = self._kept.pop()
            fits = (kept.events, kept.head) == (self._events, self._head)
            if not fits and self._missed is None:
                self._missed = (
                    f"The trail does not have the kept head at event {kept.seq}: {kept.events:,}"
                    f" events were covered then, {self._events:,} are there now. Events were"
                    " changed, moved or removed since; compare with a copy kept elsewhere."
                )
