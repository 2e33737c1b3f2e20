"""Opening a SQLite database: which file a URL names, its connections and its schema."""

import contextlib
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import NullPool

from hitl.errors import StoreInUse, StoreUnavailable
from hitl.stores.line import Line, Rendered
from hitl.stores.lock import LockTaken, WriterLock
from hitl.stores.rows import REVISION, VERSION_TABLE

OLDEST = (3, 35, 0)
"""The first SQLite with RETURNING."""
BUSY_SECONDS = 10
_HEADER = b"SQLite format 3\0"
_KNOWN = (
    "known are 'sqlite:///hitl.db' (a file), 'sqlite://' (in memory) and"
    " 'postgresql://user@host/name'."
)
_WRITER_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "trusted_schema=OFF",
    "secure_delete=ON",
)
_READER_PRAGMAS = ("query_only=ON", "trusted_schema=OFF")


@dataclass(frozen=True)
class Location:
    """Where a database is."""

    url: str
    path: Path | None
    """The file, with links resolved, so that one database has one lock; None in memory."""

    @property
    def lock_path(self) -> Path:
        """The lock file beside the database."""
        return Path(f"{self.path}.lock")


def locate(url: str) -> Location:
    """Return the database that `url` names.

    Raises:
        StoreUnavailable: It is not the URL of a SQLite database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as problem:
        raise StoreUnavailable(url, f"this is not a store URL; {_KNOWN}") from problem
    scheme, shown = parsed.get_backend_name(), parsed.render_as_string(hide_password=True)
    if scheme in ("postgresql", "postgres"):
        told = "this is for files; for Postgres use its own tools, such as pg_dump and pg_restore."
        raise StoreUnavailable(shown, told)
    if scheme != "sqlite":
        raise StoreUnavailable(shown, f"the scheme {scheme!r} is not known; {_KNOWN}")
    if parsed.host or parsed.query:
        raise StoreUnavailable(shown, f"a SQLite URL has three slashes and no options; {_KNOWN}")
    if parsed.database in (None, "", ":memory:"):
        return Location(url, None)
    return Location(url, Path(os.path.realpath(str(parsed.database))))


def take_lock(at: Location, *, wait: float | None = None) -> WriterLock | None:
    """Return the lock on the database's file, None in memory.

    Raises:
        StoreInUse: Another process has it.
        StoreUnavailable: There is no such place, or what is there is no database.
    """
    if at.path is None:
        return None
    _refuse_what_is_no_database(at, at.path)
    try:
        return WriterLock(at.lock_path) if wait is None else WriterLock(at.lock_path, wait=wait)
    except LockTaken as taken:
        raise StoreInUse(at.url, str(taken)) from None
    except OSError as problem:
        raise StoreUnavailable(at.url, f"its lock file cannot be made ({problem}).") from problem


def open_writer(at: Location) -> Line:
    """Open the writing connection and bring the schema up to date.

    Raises:
        NewerDatabase: A later version of hitl wrote the database.
        StoreUnavailable: SQLite cannot open it.
    """
    name = ":memory:" if at.path is None else at.path.as_uri()
    if at.path is not None and not at.path.exists():
        with contextlib.suppress(OSError):  # then SQLite says why it cannot
            at.path.touch(mode=0o600)  # and SQLite makes the log beside it the same
    line = _open_line(at, name, pragmas=_WRITER_PRAGMAS)
    try:
        _bring_up_to_date(line, at)
    except (sqlite3.Error, DBAPIError) as problem:
        line.close()
        raise StoreUnavailable(at.url, f"SQLite says: {problem}.") from problem
    except BaseException:
        line.close()
        raise
    return line


def open_reader_line(at: Location) -> Line:
    """Open a connection that can only read the database's file."""
    path = at.path or Path()
    _refuse_what_is_no_database(at, path)
    return _open_line(at, f"{path.as_uri()}?mode=ro", pragmas=_READER_PRAGMAS, many_threads=True)


def empty_log(line: Line) -> bool:
    """Write the log into the file and cut it to nothing; False while a reader still needs it."""
    (busy, _, _) = line.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy


def check_revision(line: Line, at: Location) -> None:
    """Raise unless the schema is the one this version reads.

    Raises:
        NewerDatabase: A later version of hitl wrote the database.
        StoreUnavailable: It has no tables of hitl yet, or older ones.
    """
    if _is_current(line):
        return
    from hitl.stores import migrate  # noqa: PLC0415 - see _bring_up_to_date

    migrate.refuse_newer(line.sql, at.url)
    raise StoreUnavailable(at.url, "its tables are older than this hitl; run `hitl db upgrade`.")


def refuse_old_sqlite(url: str) -> None:
    """Raise when Python's SQLite is older than `OLDEST`."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise StoreUnavailable(
            url, f"it needs SQLite 3.35 or later; this Python has {sqlite3.sqlite_version}."
        )


def _refuse_what_is_no_database(at: Location, path: Path) -> None:
    if not path.parent.is_dir():
        raise StoreUnavailable(at.url, f"the folder {str(path.parent)!r} does not exist; make it.")
    if path.is_dir():
        raise StoreUnavailable(at.url, "this is a folder; name a file in it.")
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            start = file.read(len(_HEADER))
    except OSError as problem:
        raise StoreUnavailable(at.url, f"the file cannot be read ({problem}).") from problem
    if start not in (b"", _HEADER):
        raise StoreUnavailable(at.url, "this file is not a SQLite database; name another.")


def _open_line(
    at: Location, name: str, *, pragmas: tuple[str, ...], many_threads: bool = False
) -> Line:
    try:
        raw = _connect(name, pragmas=pragmas, many_threads=many_threads)
    except sqlite3.Error as problem:
        raise StoreUnavailable(at.url, f"SQLite says: {problem}.") from problem
    engine = _engine(lambda: raw)
    return Line(engine.connect(), raw, _rendered())


def _connect(name: str, *, pragmas: tuple[str, ...], many_threads: bool) -> sqlite3.Connection:
    raw = sqlite3.connect(
        name,
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=not many_threads,
        cached_statements=512,
    )
    try:
        for pragma in pragmas:
            raw.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        raw.close()
        raise
    return raw


def _engine(creator: Callable[[], sqlite3.Connection]) -> Engine:
    # records are JSON text already: the column type passes it through
    return create_engine(
        "sqlite://",
        creator=creator,
        poolclass=NullPool,
        json_serializer=str,
        json_deserializer=str,
    )


@cache
def _rendered() -> Rendered:
    dialect = _engine(lambda: sqlite3.connect(":memory:")).dialect
    return Rendered(dialect, insert=insert)


def _is_current(line: Line) -> bool:
    try:
        found = line.raw.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()  # noqa: S608 - a constant
    except sqlite3.OperationalError as problem:
        if "no such table" in str(problem):
            return False
        raise
    return [str(number) for (number,) in found] == [REVISION]


def _bring_up_to_date(line: Line, at: Location) -> None:
    if _is_current(line):
        return
    line.raw.execute("PRAGMA foreign_keys=OFF")  # a table that is rebuilt drops the old one
    line.raw.execute("BEGIN IMMEDIATE")
    try:
        _make_or_migrate(line, at)
        line.raw.commit()
    finally:
        line.raw.rollback()
        line.raw.execute("PRAGMA foreign_keys=ON")


_made: list[str] = []
"""What made this process's first database, as SQL: migrations take twenty times as long."""


def _make_or_migrate(line: Line, at: Location) -> None:
    """Bring a database that exists to this version; make an empty one what migrations made before."""
    is_empty = line.raw.execute("SELECT 1 FROM sqlite_master").fetchone() is None
    if is_empty and _made:
        for statement in _made:
            line.raw.execute(statement)
        return
    # Alembic takes a tenth of a second to import and is only needed when the schema changes.
    from hitl.stores import migrate  # noqa: PLC0415

    migrate.migrate(line.sql, at.url)
    if is_empty:
        _made[:] = [*line.raw.iterdump()][1:-1]  # without its own BEGIN and COMMIT
