"""From a URL to its store. Postgres and its driver are loaded only when a URL asks for them."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from hitl.errors import MissingExtra
from hitl.ports import Clock, system_clock
from hitl.stores import sqlite
from hitl.stores.lock import Holder
from hitl.stores.sqlite import SqliteReadings, SqliteStore

if TYPE_CHECKING:
    from hitl.stores.postgres import PostgresReadings, PostgresStore

_NEEDED = "psycopg"


def open_store(url: str, *, clock: Clock = system_clock) -> "SqliteStore | PostgresStore":
    """Open the store that `url` names; a SQLite database is created or upgraded on the way.

    Args:
        url: `"sqlite:///hitl.db"` (relative), `"sqlite:////var/hitl.db"`, `"sqlite://"` in memory,
            or `"postgresql://user@host/name"`.
        clock: Returns the time now; stamps what the store itself records.

    Raises:
        StoreUnavailable: It cannot be opened, or the URL's scheme is not known.
        StoreInUse: Another process writes it (SQLite).
        NewerDatabase: A later version of hitl wrote it.
        MissingExtra: It is on Postgres and the extra `postgres` is not installed.
    """
    if not is_postgres(url):
        return SqliteStore(url, clock=clock)
    _need_driver()
    from hitl.stores.postgres import PostgresStore  # noqa: PLC0415 - an extra

    return PostgresStore(url, clock=clock)


def open_reader(url: str) -> "SqliteReadings | PostgresReadings":
    """Open a store for reading only, also while another process writes it.

    Raises:
        StoreUnavailable: It does not exist, cannot be opened, or is older than this version.
        NewerDatabase: A later version of hitl wrote it.
        MissingExtra: It is on Postgres and the extra `postgres` is not installed.
    """
    if not is_postgres(url):
        return SqliteReadings(url)
    _need_driver()
    from hitl.stores.postgres import PostgresReadings  # noqa: PLC0415 - an extra

    return PostgresReadings(url)


def holder(url: str) -> Holder | None:
    """Return the process that writes the database alone, or None: on Postgres nobody does.

    Raises:
        StoreUnavailable: The lock file belongs to another user.
    """
    return None if is_postgres(url) else sqlite.holder(url)


def upgrade(url: str) -> None:
    """Create or upgrade the tables of the database `url` names; nothing happens when they are right.

    Raises:
        StoreUnavailable: It cannot be opened.
        StoreInUse: Another process writes it (SQLite).
        NewerDatabase: A later version of hitl wrote it.
        MissingExtra: It is on Postgres and the extra `postgres` is not installed.
    """
    if not is_postgres(url):
        sqlite.upgrade(url)
        return
    _need_driver()
    from hitl.stores import postgres_open  # noqa: PLC0415 - an extra

    postgres_open.upgrade(url)


def may_lose(url: str) -> list[str]:
    """Return the settings of a Postgres server with which a power cut may break what it keeps.

    Raises:
        StoreUnavailable: It cannot be opened.
        MissingExtra: The extra `postgres` is not installed.
    """
    _need_driver()
    from hitl.stores import postgres_open  # noqa: PLC0415 - an extra

    return postgres_open.may_lose(url)


def shown(url: str) -> str:
    """Return the URL without its password, for sentences."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


def is_postgres(url: str) -> bool:
    """Return whether `url` names a Postgres database."""
    try:
        return make_url(url).get_backend_name() in ("postgresql", "postgres")
    except ArgumentError:
        return False


def _need_driver() -> None:
    if find_spec(_NEEDED) is None:
        raise MissingExtra("A store on Postgres", "postgres", _NEEDED)
