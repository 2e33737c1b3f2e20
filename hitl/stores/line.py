"""One database connection as the store's SQL uses it.

Statements are SQLAlchemy expressions, rendered once for each kind of database and then run on the
driver itself: building and running an expression anew costs SQLAlchemy a few hundred microseconds,
which a decision would pay ten times over.
"""

import contextlib
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Select, String, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement
from sqlalchemy.types import TypeEngine

from hitl.errors import StoreError

InsertFactory = Callable[[Table], sqlite.Insert | postgresql.Insert]
"""An insert that knows ON CONFLICT; each database has its own."""

Statement = ClauseElement | Callable[[InsertFactory], ClauseElement]
"""A statement with named parameters, or how to make one that needs ON CONFLICT."""

_Convert = Callable[[Any], Any]


class Line:
    """One open connection. Transactions are begun and ended on the driver, by whoever opened it."""

    def __init__(
        self,
        sql: Connection,
        raw: Any,
        rendered: "Rendered",
        *,
        lease_time: Callable[[Any], datetime] | None = None,
    ) -> None:
        """Hold the connection.

        Args:
            sql: SQLAlchemy's view of it, for queries that are put together at each call.
            raw: The driver's.
            rendered: The statements of its database.
            lease_time: Asks the driver's connection for the time that leases are judged by; None
                takes what callers pass in.
        """
        self.sql = sql
        self.raw = raw
        self._rendered = rendered
        self._lease_time = lease_time

    def lease_time(self, now: datetime) -> datetime:
        """Return the instant leases are judged by: the server's clock if it rules, else `now`."""
        return now if self._lease_time is None else self._lease_time(self.raw)

    def rows(self, statement: Statement, **values: Any) -> list[Any]:
        """Run a statement; return its rows, with the columns as attributes."""
        return self._rendered.of(statement).rows(self.raw, values)

    def value(self, statement: Statement, **values: Any) -> Any:
        """Run a statement; return the first column of its first row, or None."""
        rows = self._rendered.of(statement).rows(self.raw, values)
        return rows[0][0] if rows else None

    def run(self, statement: Statement, **values: Any) -> int:
        """Run a statement that returns nothing; return how many rows it changed."""
        return int(self._rendered.of(statement).run(self.raw, values).rowcount)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(DBAPIError):  # one that broke cannot be told so
            self.sql.close()
        self.raw.close()


class Rendered:
    """The statements of one kind of database, each rendered at its first use."""

    def __init__(self, dialect: Dialect, *, insert: InsertFactory) -> None:
        self._dialect = dialect
        self._insert = insert
        self._statements: dict[Statement, _Prepared] = {}

    def of(self, statement: Statement) -> "_Prepared":
        """Return the statement, ready to run."""
        prepared = self._statements.get(statement)
        if prepared is None:
            made = statement if isinstance(statement, ClauseElement) else statement(self._insert)
            prepared = self._statements[statement] = _Prepared.of(made, self._dialect)
        return prepared


@dataclass(frozen=True, slots=True)
class _Prepared:
    """SQL text, the order of its parameters, and how values go in and come out."""

    sql: str
    order: list[str] | None
    constants: dict[str, Any]
    inward: dict[str, _Convert]
    row: Callable[[Any], Any]
    outward: list[tuple[int, _Convert]]

    @classmethod
    def of(cls, statement: ClauseElement, dialect: Dialect) -> "_Prepared":
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect))
        plain = _looked_for if isinstance(statement, Select) else _without_nul
        inward = {
            name: plain if _is_text(b.type) else _inward(b.type, dialect)
            for b, name in compiled.bind_names.items()
        }
        columns = list(_returned(statement))
        outward = [(i, _outward(column.type, dialect)) for i, column in enumerate(columns)]
        names = [column.name for column in columns]
        return cls(
            sql=str(compiled),
            order=compiled.positiontup,
            constants=dict(compiled.params),
            inward={key: convert for key, convert in inward.items() if convert},
            row=cast(Any, namedtuple("Row", names))._make,
            outward=[(i, convert) for i, convert in outward if convert],
        )

    def run(self, raw: Any, values: dict[str, Any]) -> Any:
        """Execute on the driver connection `raw`; return its cursor."""
        filled = self.constants | values
        for key, convert in self.inward.items():
            filled[key] = convert(filled[key])
        order = self.order
        return raw.execute(self.sql, filled if order is None else [filled[key] for key in order])

    def rows(self, raw: Any, values: dict[str, Any]) -> list[Any]:
        """Execute and return all rows; a statement that is not read to its end blocks the commit."""
        found = self.run(raw, values).fetchall()
        if self.outward:
            found = [self._converted(row) for row in found]
        return [self.row(row) for row in found]

    def _converted(self, row: Any) -> list[Any]:
        values = list(row)
        for index, convert in self.outward:
            values[index] = convert(values[index])
        return values


def _returned(statement: Any) -> Any:
    """Return the columns of a query, or those a change returns."""
    if isinstance(statement, Select):
        return statement.selected_columns
    return statement.exported_columns


def _is_text(kind: TypeEngine[Any]) -> bool:
    return isinstance(getattr(kind, "impl", kind), String)


def _without_nul(text: str | None) -> str | None:
    """Refuse what Postgres cannot keep in a column of text; JSON keeps it as an escape."""
    if text is not None and "\0" in text:
        raise StoreError(
            f"{text!r} cannot be stored: names and ids have no NUL character. Nothing was written."
        )
    return text


def _looked_for(text: str | None) -> str | None:
    """Return what is looked for: nothing that is stored has a NUL, nor has what stands for it."""
    return text if text is None or "\0" not in text else text.replace("\0", "\ufffe")


def _inward(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _outward(kind: TypeEngine[Any], dialect: Dialect) -> _Convert | None:
    return kind.dialect_impl(dialect).result_processor(dialect, None)
