"""`hitl db backup` and `hitl db restore`: no restore loses decisions without saying so."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import typer

from hitl.audit import Head, Heads, SealedHead, Verifier, entry
from hitl.audit import verify as first_break
from hitl.cli.opened import looking
from hitl.cli.terminal import print_json, say
from hitl.cli.trail import lines_of, read_heads, read_pem
from hitl.errors import ConfigurationError, StoreError, StoreUnavailable, UpkeepRefused
from hitl.models import JsonObject
from hitl.reviews import utcnow
from hitl.stores import open_store
from hitl.stores.backup import backup, check_backup, put_back

CHAIN = "store"
"""The chain of what happened to the store itself."""


@dataclass(frozen=True)
class Restore:
    """What is to be restored, and what it is held against."""

    file: Path
    heads: Sequence[SealedHead]
    keys: Sequence[Verifier]
    accept_loss: bool
    by: str


def make(url: str, file: Path, *, as_json: bool) -> None:
    """Copy the database, and tell the head of the copy's trail."""
    backup(url, file)
    head = _whole(f"sqlite:///{file.resolve()}")
    if as_json:
        print_json({"file": str(file), **head.model_dump()})
    else:
        say(f"{file} holds {head.events:,} events, up to {head.seq}. Its head is {head.head}.")


def restore(
    url: str,
    file: Path,
    *,
    head: Path | None,
    keys: Sequence[Path],
    accept_loss: bool,
    by: str | None,
    as_json: bool,
) -> None:
    """Put a copy back, unless decisions were made after it; those are lost only by order.

    Raises:
        UpkeepRefused: The copy is broken, or older than the head or than the database that is there.
    """
    if accept_loss and not (by or "").strip():
        raise ConfigurationError("--accept-loss needs --by NAME: it is recorded on the trail.")
    if head is None and not accept_loss:
        raise ConfigurationError(
            "Give the newest head that was kept elsewhere with --head, so that lost decisions are"
            " found; or --accept-loss --by NAME to restore without one."
        )
    wanted = Restore(
        file=file,
        heads=read_heads(head) if head else (),
        keys=[Verifier(read_pem(key)) for key in keys],
        accept_loss=accept_loss,
        by=by or "operator",
    )
    now = _checked(wanted)
    newest = max((*wanted.heads, _there(url)), key=lambda each: each.seq)
    lost = newest.events - now.events if newest.seq > now.seq else 0
    if lost and not accept_loss:
        raise UpkeepRefused(_too_old(now, newest, lost))
    stamp = f"{utcnow():%Y%m%dT%H%M%SZ}"
    aside = put_back(url, file, suffix=f"before-{stamp}")
    _record(url, wanted, now, newest if lost else None)
    if as_json:
        print_json(
            {
                "store": url,
                "lost": lost,
                "aside": None if aside is None else str(aside),
                **now.model_dump(),
            }
        )
        return
    say(f"{url} is what it was at event {now.seq}: {now.events:,} events, {lost:,} lost.")
    if aside is not None:
        say(f"What was there before is kept as {aside}.")


def _checked(wanted: Restore) -> Head:
    """Return the head of a copy that is whole and fits the heads it is old enough for."""
    check_backup(wanted.file)
    known = [head for head in wanted.heads if _is_covered(wanted.file, head)]
    now = _whole(f"sqlite:///{wanted.file.resolve()}", kept=known)
    for head in wanted.heads:
        problems = [key.problem(head) for key in wanted.keys]
        if problems and all(problems):
            raise UpkeepRefused(f"{problems[0]} Nothing was restored.")
    return now


def _is_covered(file: Path, head: Head) -> bool:
    with looking(f"sqlite:///{file.resolve()}") as store:
        return head.seq <= store.read(lambda r: r.sealable())


def _whole(url: str, *, kept: Sequence[Head] = ()) -> Head:
    rolled = Heads(kept=kept)
    with looking(url) as store:
        finding = first_break(rolled.through(lines_of(store)))
    problem = finding.sentence if finding is not None else rolled.misfit()
    if problem is not None:
        raise UpkeepRefused(f"{problem} This copy is not used.")
    return rolled.now


def _there(url: str) -> Head:
    """Return the head of the database that is to be replaced; nothing is asked of a broken one."""
    try:
        with looking(url) as store:
            last = store.read(lambda r: r.last_head())
            events = Heads(last) if last is not None else Heads()
            lines = (line for line in lines_of(store) if line.seq > (last.seq if last else 0))
            return events.over(lines)
    except (StoreError, sqlite3.Error):
        return Heads().now


def _too_old(now: Head, newest: Head, lost: int) -> str:
    return (
        f"The copy ends at event {now.seq}; event {newest.seq} is known, so {lost:,} events would be"
        " lost, with the decisions in them: what was approved then would be asked again, and what was"
        " done then could be done again. Nothing was restored. Take a newer copy, or add"
        " --accept-loss --by NAME: the gap is then recorded on the trail."
    )


def _record(url: str, wanted: Restore, now: Head, lost: Head | None) -> None:
    action = "store.restored" if lost is None else "store.restored_with_loss"
    gap: JsonObject = {}
    if lost is not None:
        gap = {"lost_head": lost.head, "lost_seq": lost.seq, "lost": lost.events - now.events}
    body = entry(
        action,
        at=utcnow(),
        actor=wanted.by,
        run_id=CHAIN,
        subject=CHAIN,
        backup_seq=now.seq,
        backup_head=now.head,
        **gap,
    )
    try:
        with closing(open_store(url)) as store:
            store.write(lambda t: t.append_audit(CHAIN, body))
    except StoreUnavailable as problem:
        say(str(problem), err=True)
        raise typer.Exit(1) from problem
