"""Checks of what a store holds and where it lies, for `hitl doctor`."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from hitl.models import Record
from hitl.ports import Store

Verdict = Literal["ok", "warn", "fail"]
_MIB = 1024 * 1024
_LITTLE, _NOTHING = 1024 * _MIB, 64 * _MIB
"""Bytes of free disk below which a warning and a failure are told."""
_LATE = timedelta(minutes=5)
_UNSEALED = 1000
"""Events without a sealed head above which the sealer is taken for dead."""


class Line(Record):
    """One thing that was looked at."""

    check: str
    verdict: Verdict
    found: str
    """What was found, and, unless it is fine, what to do."""


def ok(check: str, found: str) -> Line:
    """Return that something is fine."""
    return Line(check=check, verdict="ok", found=found)


def warn(check: str, found: str) -> Line:
    """Return that something may not work."""
    return Line(check=check, verdict="warn", found=found)


def fail(check: str, found: str) -> Line:
    """Return that something does not work."""
    return Line(check=check, verdict="fail", found=found)


def file_checks(path: Path) -> Iterator[Line]:
    """Yield the checks of a database's file: room to grow, and who may read it."""
    free = shutil.disk_usage(path.parent).free
    told = f"{free // _MIB:,} MiB are free beside the database."
    if free < _NOTHING:
        yield fail("disk", f"{told} Make room now: a full disk refuses every decision.")
    elif free < max(_LITTLE, 2 * path.stat().st_size):
        yield warn("disk", f"{told} A backup or an upgrade may not fit; make room.")
    else:
        yield ok("disk", told)
    mode = path.stat().st_mode & 0o777
    if os.name == "posix" and mode & 0o077:
        yield warn(
            "permissions",
            f"{path} can be read by others (mode {mode:03o}); it holds what agents proposed."
            f" Run: chmod 600 {path}",
        )
    else:
        yield ok("permissions", "only its owner reads the database.")


def store_checks(store: Store, *, now: datetime) -> Iterator[Line]:
    """Yield the checks of what is under way in a store."""
    late = store.read(lambda r: r.unexecuted(decided_before=now - _LATE, limit=1000))
    if late:
        yield warn(
            "executed",
            f"{len(late)} approvals are not carried out after {_LATE}, e.g. {late[0].review_id} of"
            f" run {late[0].run_id}. Is its workflow served? `hitl serve --app MODULE:NAME`.",
        )
    else:
        yield ok("executed", "what was approved is carried out.")
    dead = store.read(lambda r: r.expired_leases(now=now))
    if dead:
        yield warn(
            "leases",
            f"{dead} runs were being advanced by a process that is gone; the next one that serves"
            " their workflow takes them over.",
        )
    else:
        yield ok("leases", "no run is held by a process that is gone.")
    yield _sealed(store)


def _sealed(store: Store) -> Line:
    head, last = store.read(lambda r: (r.last_head(), r.sealable()))
    open_events = last - (head.seq if head else 0)
    told = f"{open_events:,} events are not under a sealed head yet"
    if open_events > _UNSEALED:
        return warn("heads", f"{told}; a serving process seals one a minute: is one running?")
    signed = "signed" if head and head.signature else "not signed; see `hitl audit keygen`"
    return ok("heads", f"{told}; the last head is {signed}." if head else f"{told}.")
