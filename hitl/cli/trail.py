"""`hitl audit`: export the trail, verify it with or without its database, keep and sign its head."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import typer
from pydantic import ValidationError

from hitl.audit import (
    Finding,
    Head,
    Heads,
    Linked,
    SealedHead,
    TrailLine,
    Verifier,
    canonical_event,
)
from hitl.audit import verify as first_break
from hitl.cli.opened import looking
from hitl.cli.terminal import console, print_json, say
from hitl.errors import ConfigurationError
from hitl.models import AuditEvent, JsonObject
from hitl.ports import Store
from hitl.reviews import read_signer, utcnow

_PAGE = 1000
_EXPORTED = ("seq", "run_id", "chain_seq", "prev", "hash", "body")
"""What an export holds of an event: nothing that `hitl audit erase` could not reach any more."""


def export(url: str, *, file: Path, run_id: str | None, as_json: bool) -> None:
    """Write the trail as JSON lines, one canonical event each."""
    rolled = Heads()
    with looking(url) as store, file.open("wb") as out:
        for event in rolled.through(lines_of(store, run_id)):
            told = {name: getattr(event, name) for name in _EXPORTED}
            out.write(canonical_event(told) + b"\n")
    if as_json:
        print_json({"file": str(file), **rolled.now.model_dump()})
    else:
        say(
            f"{rolled.now.events:,} events are in {file}. `hitl audit verify --file {file}` reads it."
        )


def head(url: str, *, file: Path | None, key: Path | None, sealed: bool, as_json: bool) -> None:
    """Print the head of the trail, signed where there is a key, or write it to a file.

    Args:
        url: The store.
        file: Where to write it, to be kept elsewhere.
        key: The private key to sign it with.
        sealed: Take the last head that the serving process sealed, instead of reading the trail.
        as_json: Print it as JSON.

    Raises:
        typer.Exit: The trail is broken; the sentence was printed.
    """
    now: Head = _last_sealed(url) if sealed else _whole(url)
    if key is not None and not sealed:
        now = read_signer(key).signed(now, sealed_at=utcnow().astimezone(UTC).isoformat())
    if file is not None:
        file.write_text(now.model_dump_json() + "\n", encoding="utf-8")
    if as_json:
        print_json(now.model_dump())
    else:
        by = f", signed by {now.key}" if isinstance(now, SealedHead) and now.key else ""
        told = f"Event {now.seq}, {now.events:,} events: {now.head}{by}"
        say(told if file is None else f"{told}\nIt is in {file}; keep that where the store is not.")


def _last_sealed(url: str) -> SealedHead:
    with looking(url) as store:
        found = store.read(lambda r: r.last_head())
    if found is None:
        raise ConfigurationError(
            f"No head of {url!r} was sealed yet: `hitl serve` seals one a minute. Leave --sealed"
            " out to build one now."
        )
    return found


def _whole(url: str) -> Head:
    rolled = Heads()
    with looking(url) as store:
        finding = first_break(rolled.through(lines_of(store)))
    if finding is not None:
        say(finding.sentence, err=True)
        raise typer.Exit(1)
    return rolled.now


@dataclass(frozen=True)
class Against:
    """What a trail is compared with: heads that were kept, and the keys that may have signed them."""

    kept: Sequence[SealedHead] = ()
    keys: Sequence[Verifier] = ()

    def signed_to(self) -> int:
        """Return the number of the last event under a good signature; 0 for none."""
        good = [head.seq for head in self.kept if _signature(head, self.keys) is None]
        return max(good, default=0)

    def problem(self) -> str | None:
        """Return what is wrong with a signature of the heads kept elsewhere, or None."""
        if not self.keys:
            return None
        return next(filter(None, (_signature(head, self.keys) for head in self.kept)), None)


def verify(
    url: str,
    *,
    file: Path | None,
    run_id: str | None,
    kept: Path | None,
    keys: Sequence[Path] = (),
    as_json: bool,
) -> None:
    """Recompute a trail: of a store, of one run, or of an exported file.

    A store is compared with the heads that were sealed in it, too.

    Raises:
        typer.Exit: An event, a head or a signature does not fit; the sentence was printed.
    """
    if run_id is not None and (kept is not None or keys):
        raise ConfigurationError(
            "A head covers the whole trail; leave --run out to compare with it."
        )
    elsewhere = Against(read_heads(kept) if kept else (), [Verifier(read_pem(key)) for key in keys])
    with _source(url, file, run_id) as (events, sealed):
        inside = Against(_from_first_signed(sealed, elsewhere.keys), elsewhere.keys)
        rolled = Heads(kept=(*elsewhere.kept, *sealed))
        finding = first_break(rolled.through(events))
    problem = (
        (finding.sentence if finding is not None else rolled.misfit())
        or elsewhere.problem()
        or inside.problem()
    )
    signed_to = max(elsewhere.signed_to(), inside.signed_to())
    if problem is None and keys and not signed_to:
        problem = "No head here is signed; give one that was kept elsewhere with --head."
    if as_json:
        print_json(_told(rolled.now, finding, problem, signed_to))
    else:
        _say(rolled.now, problem, signed_to=signed_to, kept=bool(elsewhere.kept))
    if problem is not None:
        raise typer.Exit(1)


def _say(now: Head, problem: str | None, *, signed_to: int, kept: bool) -> None:
    if problem is not None:
        say(problem, err=True)
        return
    say(f"The trail is whole: {now.events:,} events. Its head is {now.head}.")
    if signed_to:
        say(f"Signatures cover it up to event {signed_to:,}.")
    if not kept:
        say("Keep the head elsewhere (`hitl audit head`): a rewritten trail is found only by it.")


def _from_first_signed(
    heads: Sequence[SealedHead], keys: Sequence[Verifier]
) -> Sequence[SealedHead]:
    """Return the heads from the first good signature on: whoever strips one is found."""
    for index, head in enumerate(heads):
        if _signature(head, keys) is None:
            return heads[index:]
    return ()


def _signature(head: SealedHead, keys: Sequence[Verifier]) -> str | None:
    """Return what is wrong with a head's signature by any of `keys`; None when one fits."""
    problem: str | None = "There is no key to check it with."
    for key in keys:
        problem = key.problem(head)
        if problem is None:
            return None
    return problem


def _told(now: Head, finding: Finding | None, problem: str | None, signed_to: int) -> JsonObject:
    found = None if finding is None else finding.model_dump(mode="json")
    return {
        "whole": problem is None,
        **now.model_dump(),
        "signed_to": signed_to,
        "finding": found,
        "problem": problem,
    }


_Source = tuple[Iterable[Linked], Sequence[SealedHead]]


@contextmanager
def _source(url: str, file: Path | None, run_id: str | None) -> Iterator[_Source]:
    if file is not None:
        yield (e for e in _read_events(file) if run_id in (None, e.run_id)), ()
        return
    with looking(url) as store:
        if run_id is not None:
            store.read(lambda r: r.run(run_id))
        yield lines_of(store, run_id), list(_heads_of(store)) if run_id is None else ()


def _heads_of(store: Store) -> Iterator[SealedHead]:
    def page(after: int) -> list[SealedHead]:
        return store.read(lambda r: r.heads(after=after, limit=_PAGE))

    heads = page(0)
    while heads:
        yield from heads
        heads = page(heads[-1].seq)


def lines_of(store: Store, run_id: str | None = None) -> Iterator[TrailLine]:
    """Yield a store's events, page by page, and show how far it is."""

    def page(after: int) -> list[TrailLine]:
        return store.read(lambda r: r.trail(run_id=run_id, after=after, limit=_PAGE))

    with console(err=True).status("reading the trail") as shown:
        lines = page(0)
        while lines:
            yield from lines
            shown.update(f"reading the trail, event {lines[-1].seq:,}")
            lines = page(lines[-1].seq)


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


def read_heads(file: Path) -> list[SealedHead]:
    """Return the heads of a file: one, or one on each line as the sealer appends them."""
    try:
        lines = [line for line in file.read_bytes().splitlines() if line.strip()]
        heads = [SealedHead.model_validate_json(line) for line in lines]
    except (OSError, ValidationError) as problem:
        raise _no_head(file) from problem
    if not heads:
        raise _no_head(file)
    return heads


def _no_head(file: Path) -> ConfigurationError:
    return ConfigurationError(f"{str(file)!r} is not a head; `hitl audit head FILE` writes one.")


def read_pem(file: Path) -> bytes:
    """Return the text of a key file.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as problem:
        raise ConfigurationError(f"{str(file)!r} cannot be read: {problem.strerror}.") from problem
