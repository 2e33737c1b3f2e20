"""The chain: append-only events, chained per run, so that any edit can be found.

Each event's hash covers the hash before it, its number in the run's chain and its body; the chain of
a run starts at `GENESIS` with number 1. Chaining per run keeps writers of different runs apart. What
breaks the promise: whoever rewrites a whole suffix with new hashes is found only against a hash
that was kept elsewhere.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from pydantic import JsonValue
from pydantic_core import from_json

from hitl.audit.personal import DIGEST, belongs
from hitl.canonical import canonical_json, sha256_hex
from hitl.models import JsonObject, Record

GENESIS = "0" * 64
"""What the first event of a run follows."""


_MOST = 2**53 - 1
_PLAIN = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


class Linked(Protocol):
    """An event as far as verification looks at it."""

    @property
    def seq(self) -> int:
        """Its number in the whole trail."""
        ...

    @property
    def run_id(self) -> str:
        """The chain it belongs to."""
        ...

    @property
    def chain_seq(self) -> int:
        """Its number in the run's chain, from 1."""
        ...

    @property
    def prev(self) -> str:
        """Hash of the event before it in the run."""
        ...

    @property
    def hash(self) -> str:
        """What `link` returns for it."""
        ...

    @property
    def body(self) -> dict[str, Any]:
        """What happened."""
        ...


class TrailLine(NamedTuple):
    """An event with its body still as text: a quarter of the time when millions are verified."""

    seq: int
    run_id: str
    chain_seq: int
    prev: str
    hash: str
    text: str
    personal: str | None = None
    """What it says about people, as text; None for nothing, or when it was erased."""

    @property
    def body(self) -> dict[str, Any]:
        """What happened.

        Raises:
            ValueError: The text is no JSON.
        """
        body: dict[str, Any] = from_json(self.text)
        return body


class Finding(Record):
    """The first event at which a trail is broken."""

    seq: int
    """The event's number in the whole trail."""
    run_id: str
    chain_seq: int
    """The event's number in its run's chain, from 1."""
    sentence: str


def entry(
    action: str,
    *,
    at: datetime,
    actor: str,
    run_id: str,
    subject: str,
    **rest: JsonValue,
) -> JsonObject:
    """Return the body of an event.

    Args:
        action: Noun and past participle, e.g. `"review.decided"`.
        at: When it happened.
        actor: A person's name, `"policy"`, or `"engine"`.
        run_id: The chain it belongs to; in the body, so that an event cannot move to another run.
        subject: Id of what it happened to.
        rest: What belongs to the action. JSON only.
    """
    body: JsonObject = {
        "at": at.isoformat(),
        "actor": actor,
        "action": action,
        "run_id": run_id,
        "subject": subject,
    }
    return body | rest


def link(prev: str, chain_seq: int, body: JsonObject) -> str:
    """Return an event's hash: SHA-256 over the canonical JSON of `{"prev", "chain_seq", "body"}`.

    Args:
        prev: Hash of the event before it in the run, or `GENESIS`.
        chain_seq: Number in the run's chain, from 1.
        body: What happened.

    Raises:
        ValueError: `body` has no canonical form (NaN, integers beyond 2**53, lone surrogates).
    """
    if _is_plain(body) and prev.isascii() and prev.isalnum():
        # the same bytes without a copy: keys in their order, and nothing in `prev` to escape
        text = f'{{"body":{_PLAIN.encode(body)},"chain_seq":{chain_seq},"prev":"{prev}"}}'
        return sha256_hex(text.encode())
    return sha256_hex(canonical_json({"prev": prev, "chain_seq": chain_seq, "body": body}))


def canonical_event(value: JsonObject) -> bytes:
    """Return the canonical JSON of an event, by the faster of two ways to the same bytes.

    A trail of a million events is verified in seconds so; the reference encoder takes minutes.

    Raises:
        ValueError: `value` has no canonical form.
    """
    return _PLAIN.encode(value).encode() if _is_plain(value) else canonical_json(value)


def verify(events: Iterable[Linked]) -> Finding | None:
    """Return the first event that breaks its run's chain, or None when all is whole.

    Args:
        events: In order of `seq`, each run from its first event on; read once, so a generator may
            page through millions.
    """
    heads: dict[str, tuple[int, str]] = {}
    last_seq = 0
    for event in events:
        number, head = heads.get(event.run_id, (0, GENESIS))
        problem = _problem(event, number=number, head=head, last_seq=last_seq)
        if problem is not None:
            return _finding(event, problem)
        heads[event.run_id] = (event.chain_seq, event.hash)
        last_seq = event.seq
    return None


def fits(event: Linked) -> bool:
    """Return whether an event's hash is that of its content."""
    personal = event.personal if isinstance(event, TrailLine) else None
    if isinstance(event, TrailLine) and event.hash == _framed(event.text, event):
        # the text is canonical already: it is what was hashed
        return personal is None or _is_of(personal, event.text)
    try:
        chained = event.hash == link(event.prev, event.chain_seq, event.body)
        return chained and (personal is None or belongs(from_json(personal), event.body))
    except ValueError:
        return False


def _is_of(personal: str, text: str) -> bool:
    """Whether what stands apart is what the event was written with; both are canonical text."""
    if f'"{DIGEST}":"{sha256_hex(personal.encode())}"' in text:
        return True
    return belongs(from_json(personal), from_json(text))


def _framed(body: str, event: Linked) -> str:
    text = f'{{"body":{body},"chain_seq":{event.chain_seq},"prev":"{event.prev}"}}'
    return sha256_hex(text.encode(errors="surrogatepass"))


def _problem(event: Linked, *, number: int, head: str, last_seq: int) -> str | None:
    if event.seq <= last_seq:
        return f"it stands after event {last_seq}, so events were moved or put in"
    if event.chain_seq != number + 1:
        return (
            f"number {number + 1} of the run was expected there, so events were removed or put in"
        )
    if event.prev != head:
        return "it does not follow the event before it"
    if not fits(event):
        return "its content is not what was written"
    told = _told_run(event)
    return None if told == event.run_id else f"it belongs to run {told!r}"


def _told_run(event: Linked) -> Any:
    """Return the run an event says it belongs to; one that says none belongs where it stands."""
    try:
        return event.body.get("run_id", event.run_id)
    except (ValueError, AttributeError):
        return None  # hashed as it is, but no JSON object: nobody but a forger wrote that


def _finding(event: Linked, problem: str) -> Finding:
    return Finding(
        seq=event.seq,
        run_id=event.run_id,
        chain_seq=event.chain_seq,
        sentence=(
            f"Event {event.seq} (number {event.chain_seq} of run {event.run_id!r}) breaks the"
            f" trail: {problem}. Compare with a copy kept elsewhere."
        ),
    )


def _is_plain(value: Any) -> bool:
    """Whether Python's own encoder writes RFC 8785 for `value`.

    It does for texts, small integers, true, false and null, and keys whose order is the same in
    Unicode and in UTF-16. It does not for floats.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_MOST <= value <= _MOST)
    if kind is list:
        return _are_plain(value)
    return kind is dict and _keys_fit(value) and _are_plain(value.values())


def _are_plain(values: Iterable[Any]) -> bool:
    return all(type(value) is str or _is_plain(value) for value in values)


def _keys_fit(value: dict[Any, Any]) -> bool:
    try:
        return "".join(value).isascii()
    except TypeError:
        return False  # a key that is no text
