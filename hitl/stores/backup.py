"""Copies of a SQLite database: made while it is in use, and put back while nobody uses it."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from hitl.errors import StoreUnavailable, UpkeepRefused
from hitl.stores import sqlite_open


def backup(url: str, file: Path) -> None:
    """Write a consistent copy of the database to `file`, readable by this user only.

    It is one moment of the database, also while a process writes it.

    Raises:
        UpkeepRefused: `file` is there already, or cannot be written.
        StoreUnavailable: There is no such database.
    """
    at = sqlite_open.locate(url)
    if at.path is None or not at.path.is_file():
        raise StoreUnavailable(url, "there is no such file to copy.")
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as problem:
        why = "is there already" if isinstance(problem, FileExistsError) else problem.strerror
        raise UpkeepRefused(
            f"{str(file)!r} was left as it is: it {why}. Name another."
        ) from problem
    try:
        with closing(sqlite3.connect(f"{at.path.as_uri()}?mode=ro", uri=True)) as source:
            source.execute("VACUUM INTO ?", (str(file),))
    except sqlite3.Error as problem:
        file.unlink(missing_ok=True)
        raise UpkeepRefused(f"No copy was made: SQLite says {problem}.") from problem


def check_backup(file: Path) -> None:
    """Raise unless `file` is a database that SQLite finds whole.

    Raises:
        UpkeepRefused: It is not.
    """
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as raw:
            (said,) = raw.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as problem:
        said = str(problem)
    if said != "ok":
        raise UpkeepRefused(
            f"{str(file)!r} is not a whole database ({said}); nothing was restored."
        )


def put_back(url: str, file: Path, *, suffix: str) -> Path | None:
    """Make the database be what `file` is; return where the one before was moved to, or None.

    Args:
        url: The database.
        file: The copy; it stays.
        suffix: Added to the name of the database that was there.

    Raises:
        StoreInUse: A process writes the database.
        StoreUnavailable: It is not one in a file.
    """
    at = sqlite_open.locate(url)
    if at.path is None:
        raise StoreUnavailable(url, "a store in memory cannot be restored.")
    lock = sqlite_open.take_lock(at)
    try:
        fresh = Path(f"{at.path}.restoring")
        fresh.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        shutil.copyfile(file, fresh)
        _flush(fresh)
        aside = _set_aside(at.path, suffix)
        fresh.replace(at.path)
        return aside
    finally:
        if lock is not None:
            lock.release()


def _set_aside(path: Path, suffix: str) -> Path | None:
    """Move the database with its log: a log of another file must not be applied to the new one."""
    if not path.exists():
        return None
    aside = Path(f"{path}.{suffix}")
    for tail in ("", "-wal", "-shm"):
        part = Path(f"{path}{tail}")
        if part.exists():
            part.replace(f"{aside}{tail}")
    return aside


def _flush(file: Path) -> None:
    with file.open("rb+") as written:
        os.fsync(written.fileno())
