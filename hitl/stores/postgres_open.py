"""Opening a Postgres database: what a URL names, its connections and its schema."""

import json
from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, NoReturn, cast

import psycopg
from psycopg.types.string import TextLoader
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.pool import NullPool

from hitl.errors import StoreError, StoreUnavailable
from hitl.stores.line import Line, Rendered
from hitl.stores.postgres_refusals import FROM_THE_DATABASE
from hitl.stores.rows import REVISION, VERSION_TABLE

OLDEST = 140000
"""The first server version that is tested, as Postgres numbers it."""
_CONNECT_SECONDS = 10
_UPGRADE_LOCK = 0x6869_746C
"""An advisory lock's number: "hitl" in ASCII."""
_SESSION = {
    "timezone": "UTC",
    # a frozen process must not keep a run to itself: its transaction is ended, and its lock with it
    "idle_in_transaction_session_timeout": "5s",
    "statement_timeout": "60s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}


class Session(psycopg.Connection[Any]):
    """A connection that a job cannot begin, commit or roll back by itself."""

    in_job = False

    def commit(self) -> None:
        """Commit, unless a job asks for it."""
        self._refuse_in_job()
        super().commit()

    def rollback(self) -> None:
        """Roll back, unless a job asks for it."""
        self._refuse_in_job()
        super().rollback()

    def _refuse_in_job(self) -> None:
        if self.in_job:
            raise StoreError(
                "The database did not do it, and nothing was written: a job on the store must not"
                " begin, commit or roll back by itself, nor run a script."
            )


class Postgres:
    """A database and how to connect to it.

    Attributes:
        url: The URL without its password, for sentences.
    """

    def __init__(self, url: str, *, server_time: bool = True) -> None:
        """Read the URL; nothing is connected yet.

        Args:
            url: `"postgresql://user@host/name"`.
            server_time: Whether leases are judged by the server's clock.
        """
        self._parsed = make_url(url).set(drivername="postgresql+psycopg")
        self.url = _shown(self._parsed)
        self._lease_time = _server_time if server_time else None
        self._engine = _engine(self.connect)

    def connect(self) -> Session:
        """Open a connection of the driver.

        Raises:
            psycopg.Error: It cannot be opened.
        """
        args, kwargs = self._engine_args()
        return Session.connect(*args, **kwargs)

    def line(self, *, records: bool = True) -> Line:
        """Open a connection for the store's SQL.

        Args:
            records: Whether JSON comes as text, as the store's records want it, or as values, as
                SQLAlchemy wants it when it looks at a schema.

        Raises:
            StoreUnavailable: It cannot be opened.
        """
        try:
            sql = self._engine.connect()
        except FROM_THE_DATABASE as problem:
            self.fail(problem)
        raw: Any = sql.connection.driver_connection
        if records:
            raw.adapters.register_loader("json", TextLoader)
        return Line(sql, raw, _rendered(), lease_time=self._lease_time)

    def fail(self, problem: BaseException) -> NoReturn:
        """Raise `StoreUnavailable` with what the server says."""
        said = str(getattr(problem, "orig", problem)).strip().splitlines()
        why = said[0].strip() if said else type(problem).__name__
        raise StoreUnavailable(self.url, f"Postgres says: {why.rstrip('.')}.") from problem

    def _engine_args(self) -> tuple[list[Any], dict[str, Any]]:
        dialect = _dialect()
        args, kwargs = dialect.create_connect_args(self._parsed)
        own = " ".join(f"-c {key}={value}" for key, value in _SESSION.items())
        kwargs["options"] = f"{own} {kwargs.get('options', '')}".strip()
        kwargs.setdefault("connect_timeout", _CONNECT_SECONDS)
        kwargs.setdefault("application_name", "hitl")
        return list(args), {**kwargs, "autocommit": True}


def check(line: Line, url: str) -> None:
    """Raise unless the server keeps what it acknowledges and its tables are of this version.

    Raises:
        StoreUnavailable: It cannot be used as it is.
        NewerDatabase: A later version of hitl wrote the database.
    """
    check_revision(line, url)
    facts = line.raw.execute(
        "SELECT current_setting('synchronous_commit'), pg_is_in_recovery()"
    ).fetchone()
    if facts[0] == "off":
        raise StoreUnavailable(
            url,
            "synchronous_commit is off, so a decision that was acknowledged could be lost. Set it to"
            " on for this database, e.g. ALTER DATABASE ... SET synchronous_commit = on.",
        )
    if facts[1]:
        raise StoreUnavailable(url, "this server is a standby; name the primary.")


def check_revision(line: Line, url: str) -> None:
    """Raise unless the schema is the one this version reads and writes.

    Raises:
        StoreUnavailable: The server is too old, or its tables are older or missing.
        NewerDatabase: A later version of hitl wrote the database.
    """
    if line.raw.info.server_version < OLDEST:
        found = line.raw.info.server_version // 10000
        raise StoreUnavailable(url, f"it needs Postgres 14 or later; this server is {found}.")
    found = _revision(line)
    if found == REVISION:
        return
    from hitl.stores import migrate  # noqa: PLC0415 - Alembic takes a tenth of a second to import

    migrate.refuse_newer(line.sql, url)
    state = "it has no tables of hitl yet" if found is None else f"its tables are at {found}"
    raise StoreUnavailable(
        url, f"{state}; this hitl needs {REVISION}. Run `hitl db upgrade --store {url}`."
    )


def upgrade(url: str) -> None:
    """Create or upgrade the tables; nothing happens when they are right. Several at once are fine.

    Raises:
        StoreUnavailable: It cannot be opened, or Postgres refuses.
        NewerDatabase: A later version of hitl wrote the database.
    """
    from hitl.stores import migrate  # noqa: PLC0415 - see check_revision

    database = Postgres(url)
    line = database.line(records=False)
    try:
        line.raw.execute("SET statement_timeout = 0")
        line.raw.execute("BEGIN")
        line.raw.execute("SELECT pg_advisory_xact_lock(%s)", [_UPGRADE_LOCK])
        migrate.migrate(line.sql, database.url)
        line.raw.commit()
    except FROM_THE_DATABASE as problem:
        database.fail(problem)
    finally:
        line.close()


def may_lose(url: str) -> list[str]:
    """Return the settings that are off and should not be: a power cut may break the database.

    Raises:
        StoreUnavailable: It cannot be opened.
    """
    line = Postgres(url).line()
    try:
        found = line.raw.execute(
            "SELECT name FROM pg_settings"
            " WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name"
        ).fetchall()
    finally:
        line.close()
    return [name for (name,) in found]


def _revision(line: Line) -> str | None:
    known = line.raw.execute("SELECT to_regclass(%s)", [VERSION_TABLE]).fetchone()[0]
    if known is None:
        return None
    row = line.raw.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()  # noqa: S608 - a constant
    return None if row is None else str(row[0])


def _server_time(raw: Any) -> datetime:
    return cast(datetime, raw.execute("SELECT clock_timestamp()").fetchone()[0])


def _shown(parsed: URL) -> str:
    return parsed.set(drivername="postgresql").render_as_string(hide_password=True)


def _as_json(value: Any) -> str:
    """Return records, which are JSON text already, as they are; LangGraph's dicts as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _engine(creator: Callable[[], Any]) -> Engine:
    return create_engine(
        "postgresql+psycopg://", creator=creator, poolclass=NullPool, json_serializer=_as_json
    )


@cache
def _dialect() -> Any:
    return create_engine("postgresql+psycopg://", json_serializer=_as_json).dialect


@cache
def _rendered() -> Rendered:
    return Rendered(_dialect(), insert=insert)
