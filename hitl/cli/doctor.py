"""`hitl doctor`: what works on this machine, what may not, and what to do about it."""

import os
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata, util

import typer
from packaging.requirements import Requirement
from rich.text import Text

from hitl.audit import Heads, verify
from hitl.cli.health import Line, file_checks, store_checks
from hitl.cli.health import fail as _fail
from hitl.cli.health import ok as _ok
from hitl.cli.health import warn as _warn
from hitl.cli.opened import looking
from hitl.cli.terminal import console, print_json, visible
from hitl.cli.trail import lines_of
from hitl.errors import HitlError
from hitl.models import RunStatus
from hitl.ports import Store
from hitl.reviews import ReviewQueue, utcnow
from hitl.stores import (
    Holder,
    holder,
    is_postgres,
    may_lose,
    open_reader,
    open_store,
    shown,
    wal_reset_affected,
)
from hitl.stores.sqlite_open import locate

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_EXTRAS = {
    "crypto": ("signing and encryption", ("cryptography",)),
    "demo": ("hitl demo", ("PIL", "sklearn")),
    "lab": ("policy evaluation", ("numpy", "scipy")),
    "postgres": ("a store on Postgres", ("psycopg", "langgraph.checkpoint.postgres")),
}
_DISTRIBUTION = "hitl-framework"


def examine(url: str, *, as_json: bool) -> None:
    """Print every check.

    Raises:
        typer.Exit: Something does not work.
    """
    lines = list(look(url))
    failed = any(line.verdict == "fail" for line in lines)
    if as_json:
        print_json({"ok": not failed, "checks": [line.model_dump(mode="json") for line in lines]})
    else:
        for line in lines:
            told = Text(f"{line.verdict:<5}", style=_STYLES[line.verdict])
            told.append(visible(f"{line.check:<14}{line.found}"), style="default")
            console().print(told, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def look(url: str) -> Iterator[Line]:
    """Yield every check of this installation and of the store `url`."""
    yield from _installation()
    yield from _extras()
    yield _sqlite()
    yield _msgpack()
    yield from _postgres(url) if is_postgres(url) else _store(url)


def _installation() -> Iterator[Line]:
    try:
        metadata.version(_DISTRIBUTION)
    except metadata.PackageNotFoundError:
        yield _warn("hitl", f"runs from its source; `pip install -e .` makes it {_DISTRIBUTION}.")
        return
    yield _python()
    yield _packages()


def _python() -> Line:
    version = ".".join(map(str, sys.version_info[:3]))
    asked = metadata.metadata(_DISTRIBUTION)["Requires-Python"] or ">=3.11"
    if Requirement(f"python{asked}").specifier.contains(version):
        return _ok("Python", f"{version}.")
    return _warn("Python", f"{version} is not one of {asked}, which hitl is tested on; use one.")


def _packages() -> Line:
    wrong = list(_unfit())
    if wrong:
        told = "; ".join(wrong)
        return _fail("packages", f"{told}. Run: pip install --upgrade {_DISTRIBUTION}")
    return _ok("packages", f"langgraph {metadata.version('langgraph')} and all others fit.")


def _unfit() -> Iterator[str]:
    for line in metadata.requires(_DISTRIBUTION) or ():
        needed = Requirement(line)
        if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(needed.name)
        except metadata.PackageNotFoundError:
            yield f"{needed.name} is not installed"
            continue
        if not needed.specifier.contains(found, prereleases=True):
            yield f"{needed.name} {found} is not {needed.specifier}"


def _extras() -> Iterator[Line]:
    for extra, (use, modules) in _EXTRAS.items():
        missing = [name for name in modules if util.find_spec(name) is None]
        if missing:
            told = f"not installed; {use} needs it. Run: pip install '{_DISTRIBUTION}[{extra}]'"
            yield _warn(f"extra {extra}", told)
        else:
            yield _ok(f"extra {extra}", "installed.")


def _sqlite() -> Line:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < (3, 35, 0):
        return _fail("SQLite", f"{version} is older than 3.35; use a Python with a newer one.")
    if wal_reset_affected(version):
        return _warn(
            "SQLite",
            f"{version} has the WAL-reset bug: a file that two programs write at once may break."
            " hitl writes through one connection only; let no other program write its file, or use"
            " a Python with SQLite 3.51.3 or later.",
        )
    return _ok("SQLite", f"{version}.")


def _msgpack() -> Line:
    if os.environ.get("LANGGRAPH_STRICT_MSGPACK", "").lower() in ("1", "true", "yes"):
        return _ok("msgpack", "strict for all of LangGraph.")
    return _warn(
        "msgpack",
        "wrapped workflows load only the types their states name; other LangGraph code on the same"
        " snapshots loads any. Set LANGGRAPH_STRICT_MSGPACK=true before Python starts.",
    )


def _store(url: str) -> Iterator[Line]:
    try:
        path = locate(url).path
        if path is None:
            yield _ok("store", "in memory: it ends with its process.")
            return
        if not path.exists() and os.access(path.parent, os.W_OK):
            yield _ok("store", f"{url} does not exist yet; the first run makes it.")
            return
        held = holder(url)
        open_reader(url).close()
    except HitlError as refusal:
        yield _fail("store", str(refusal))
        return
    yield _ok("store", f"{url} opens, and its tables are those of this version.")
    yield _writer(held)
    yield from file_checks(path)
    yield from _kept(url)


def _postgres(url: str) -> Iterator[Line]:
    try:
        open_store(url).close()
        off = may_lose(url)
    except HitlError as refusal:
        yield _fail("store", str(refusal))
        return
    yield _ok("store", f"{shown(url)} opens, and its tables are those of this version.")
    yield _ok("writer", "any number of processes write it.")
    if off:
        told = f"{' and '.join(off)}: off. A power cut may break this database; set them to on."
        yield _warn("server", told)
    yield from _kept(url)


def _kept(url: str) -> Iterator[Line]:
    with looking(url) as opened:
        queue = ReviewQueue(opened)
        yield _runs(queue)
        yield _states(queue)
        yield from store_checks(opened, now=utcnow())
        yield _trail(opened)


def _writer(held: Holder | None) -> Line:
    if held is None:
        return _ok("writer", "no process writes it now; the next one may.")
    if held.url is None:
        return _warn("writer", f"process {held.pid} writes it and serves no queue; use its own.")
    return _ok("writer", f"process {held.pid} writes it and serves its queue at {held.url}")


def _runs(queue: ReviewQueue) -> Line:
    stuck = (RunStatus.FAILED, RunStatus.NEEDS_ATTENTION)
    found = queue.runs(status=stuck, limit=1000)
    if not found:
        return _ok("runs", "none failed or needs attention.")
    some = f"{len(found)} failed or need attention, e.g. {found[0].id}: {found[0].reason}"
    return _warn("runs", f"{some} Look at them with `hitl runs --status failed`.")


def _states(queue: ReviewQueue) -> Line:
    noted = [run for run in queue.runs(limit=1000) if run.notes]
    if not noted:
        return _ok("states", "no run's state was seen to grow with every step.")
    return _warn("states", f"{len(noted)} of the newest runs are noted, e.g. {noted[0].notes[0]}")


def _trail(store: Store) -> Line:
    rolled = Heads()
    finding = verify(rolled.through(lines_of(store)))
    if finding is not None:
        return _fail("trail", finding.sentence)
    return _ok("trail", f"whole, {rolled.now.events:,} events.")
