"""The trail and its sealed heads in SQL. The methods of `hitl.ports.TrailReader` and `TrailWriter`."""

from typing import Any

from sqlalchemy import BindParameter, String, bindparam, func, select, type_coerce
from sqlalchemy.sql.elements import ClauseElement

from hitl.audit import GENESIS, SealedHead, TrailLine, canonical_event, link
from hitl.errors import StoreError
from hitl.models import AuditEvent, JsonObject
from hitl.stores.line import InsertFactory, Line
from hitl.stores.records import event_of
from hitl.stores.rows import AUDIT, HEAD
from hitl.stores.text import json_value, record_text


def _these(table: Any, *names: str) -> dict[str, BindParameter[Any]]:
    return {name: bindparam(name, type_=table.c[name].type) for name in names}


_CHAIN_END = (
    select(AUDIT.c.chain_seq, AUDIT.c.hash)
    .where(AUDIT.c.run_id == bindparam("run_id"))
    .order_by(AUDIT.c.chain_seq.desc())
    .limit(1)
)
_ADD_EVENT = (
    AUDIT.insert()
    .values(_these(AUDIT, "run_id", "chain_seq", "prev", "hash", "body"))
    .returning(AUDIT.c.seq)
)
_COLUMNS = (AUDIT.c.seq, AUDIT.c.run_id, AUDIT.c.chain_seq, AUDIT.c.prev, AUDIT.c.hash)
# the text of the body goes through as it is: a million conversions less when all is verified
_EVENTS = (
    select(*_COLUMNS, type_coerce(AUDIT.c.body, String).label("body"))
    .where(AUDIT.c.seq > bindparam("after"))
    .order_by(AUDIT.c.seq)
    .limit(bindparam("most"))
)
_EVENTS_OF = _EVENTS.where(AUDIT.c.run_id == bindparam("run_id"))
_LAST_EVENT = select(func.max(AUDIT.c.seq))
_HEADS = (
    select(HEAD.c.record)
    .where(HEAD.c.seq > bindparam("after"))
    .order_by(HEAD.c.seq)
    .limit(bindparam("most"))
)
_LAST_HEAD = select(HEAD.c.record).order_by(HEAD.c.seq.desc()).limit(1)


def _add_head(insert: InsertFactory) -> ClauseElement:
    """Insert a head unless there is one at its event; return its event when it is new."""
    add = insert(HEAD).values(_these(HEAD, "seq", "record"))
    return add.on_conflict_do_nothing().returning(HEAD.c.seq)


class TrailReads:
    """Reads of the trail on one open read view."""

    _line: Line

    def audit(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[AuditEvent]:
        """See `Reader`."""
        lines = self.trail(run_id=run_id, after=after, limit=limit)
        return [event_of(line) for line in lines]

    def trail(
        self, *, run_id: str | None = None, after: int = 0, limit: int = 100
    ) -> list[TrailLine]:
        """See `Reader`."""
        if run_id is None:
            rows = self._line.rows(_EVENTS, after=after, most=limit)
        else:
            rows = self._line.rows(_EVENTS_OF, after=after, most=limit, run_id=run_id)
        return [TrailLine._make(row) for row in rows]

    def sealable(self) -> int:
        """See `Reader`. SQLite has one writer: what can be seen is all there is up to it."""
        return int(self._line.value(_LAST_EVENT) or 0)

    def heads(self, *, after: int = 0, limit: int = 100) -> list[SealedHead]:
        """See `Reader`."""
        rows = self._line.rows(_HEADS, after=after, most=limit)
        return [SealedHead.model_validate_json(row.record) for row in rows]

    def last_head(self) -> SealedHead | None:
        """See `Reader`."""
        text = self._line.value(_LAST_HEAD)
        return None if text is None else SealedHead.model_validate_json(text)


class TrailWrites(TrailReads):
    """Appends to the trail in a transaction that somebody else begins and commits."""

    def append_audit(self, run_id: str, body: JsonObject) -> AuditEvent:
        """See `Transaction`."""
        ends = self._line.rows(_CHAIN_END, run_id=run_id)
        number, prev = (ends[0].chain_seq + 1, ends[0].hash) if ends else (1, GENESIS)
        event: dict[str, Any] = {"run_id": run_id, "chain_seq": number, "prev": prev}
        text = _canonical(body)
        event["hash"] = link(prev, number, body)
        seq = self._line.value(_ADD_EVENT, **event, body=text)
        return AuditEvent(seq=seq, body=json_value(text), **event)

    def add_head(self, head: SealedHead) -> bool:
        """See `Transaction`."""
        if any(known.seq == head.seq for known in self.heads(after=head.seq - 1, limit=1)):
            return False  # asked first: on SQLite a trigger refuses the mere attempt
        added = self._line.value(_add_head, seq=head.seq, record=record_text(head))
        return added is not None


def _canonical(body: JsonObject) -> str:
    """Return the text that is kept: canonical, so that it is verified without reading it."""
    try:
        return canonical_event(body).decode()
    except ValueError as problem:
        raise StoreError(
            f"An audit event cannot be stored: {problem}. Nothing was written."
        ) from problem
