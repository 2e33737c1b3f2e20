"""One database connection as the store's SQL uses it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

from hitl.stores.rows import GATE, RUN

InsertFactory = Callable[[Table], sqlite.Insert | postgresql.Insert]
"""An insert that knows ON CONFLICT; each database has its own."""


class Prepared:
    """A statement that is compiled once and runs on the driver itself.

    SQLAlchemy costs tens of microseconds for each execution; the few statements that run at every
    step of a workflow do without.
    """

    def __init__(self, statement: ClauseElement, dialect: Dialect) -> None:
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect))
        self._sql = str(compiled)
        self._order = compiled.positiontup
        self._constants: dict[str, Any] = dict(compiled.params)
        processors = {
            key: bind.type.dialect_impl(dialect).bind_processor(dialect)
            for key, bind in compiled.binds.items()
        }
        self._convert = {key: convert for key, convert in processors.items() if convert}

    def run(self, raw: Any, values: dict[str, Any]) -> Any:
        """Execute on the driver connection `raw`; return its cursor."""
        filled = self._constants | values
        for key, convert in self._convert.items():
            filled[key] = convert(filled[key])
        if self._order is None:
            return raw.execute(self._sql, filled)
        return raw.execute(self._sql, [filled[key] for key in self._order])


class HotStatements:
    """The statements that run at every step of a workflow, for one database."""

    def __init__(self, dialect: Dialect, insert: InsertFactory) -> None:
        self.put_gate = Prepared(_put_gate(insert), dialect)
        self.last_visit = Prepared(
            select(GATE.c.visit, GATE.c.checkpoint_id)
            .where(
                GATE.c.run_id == bindparam("run_id"),
                GATE.c.step == bindparam("step"),
                GATE.c.place == bindparam("place"),
                GATE.c.committed_at.is_not(None),
                GATE.c.undone_at.is_(None),
            )
            .order_by(GATE.c.visit.desc(), GATE.c.seq.desc())
            .limit(1),
            dialect,
        )
        self.epoch = Prepared(select(RUN.c.epoch).where(RUN.c.id == bindparam("run_id")), dialect)


@dataclass(frozen=True, slots=True)
class Line:
    """One open connection: SQLAlchemy's view of it, the driver's, and what fits its database.

    Transactions are begun and ended on the driver; SQLAlchemy only renders and reads.
    """

    sql: Connection
    raw: Any
    insert: InsertFactory
    hot: HotStatements

    def close(self) -> None:
        """Close the connection."""
        self.sql.close()
        self.raw.close()


def _put_gate(insert: InsertFactory) -> ClauseElement:
    names = [column.name for column in GATE.c if column.name != "seq"]
    new = insert(GATE).values({name: bindparam(name, type_=GATE.c[name].type) for name in names})
    changed = {name: new.excluded[name] for name in names if name != "id"}
    return new.on_conflict_do_update(index_elements=[GATE.c.id], set_=changed)
