"""The trail and its sealed heads in SQL. The methods of `hitl.ports.TrailReader` and `TrailWriter`."""

import secrets
from typing import Any

from sqlalchemy import BindParameter, String, and_, bindparam, func, select, type_coerce
from sqlalchemy.sql.elements import ClauseElement

from hitl.audit import GENESIS, SealedHead, TrailLine, canonical_event, link, parted
from hitl.errors import StoreError
from hitl.models import AuditEvent, JsonObject
from hitl.stores.line import InsertFactory, Line
from hitl.stores.records import event_of
from hitl.stores.rows import AUDIT, AUDIT_PERSONAL, HEAD
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
_TEXT = type_coerce(AUDIT.c.body, String).label("body")
# the text of the body goes through as it is: a million conversions less when all is verified
_EVENTS = (
    select(*_COLUMNS, _TEXT, type_coerce(AUDIT_PERSONAL.c.body, String).label("personal"))
    .select_from(
        AUDIT.outerjoin(
            AUDIT_PERSONAL,
            and_(
                AUDIT_PERSONAL.c.run_id == AUDIT.c.run_id,
                AUDIT_PERSONAL.c.chain_seq == AUDIT.c.chain_seq,
            ),
        )
    )
    .where(AUDIT.c.seq > bindparam("after"))
    .order_by(AUDIT.c.seq)
    .limit(bindparam("most"))
)
_EVENTS_OF = _EVENTS.where(AUDIT.c.run_id == bindparam("run_id"))
_ADD_PERSONAL = AUDIT_PERSONAL.insert().values(
    _these(AUDIT_PERSONAL, "run_id", "chain_seq", "body")
)
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
        text, personal = _parted(body)
        event["hash"] = link(prev, number, json_value(text))
        seq = self._line.value(_ADD_EVENT, **event, body=text)
        if personal is not None:
            self._line.run(_ADD_PERSONAL, run_id=run_id, chain_seq=number, body=personal)
        kept = None if personal is None else json_value(personal)
        return AuditEvent(seq=seq, body=json_value(text), personal=kept, **event)

    def add_head(self, head: SealedHead) -> bool:
        """See `Transaction`."""
        if any(known.seq == head.seq for known in self.heads(after=head.seq - 1, limit=1)):
            return False  # asked first: on SQLite a trigger refuses the mere attempt
        added = self._line.value(_add_head, seq=head.seq, record=record_text(head))
        return added is not None


def _parted(body: JsonObject) -> tuple[str, str | None]:
    """Return the two texts that are kept, canonical so that they are verified without being read."""
    try:
        chained, personal = parted(body, salt=secrets.token_hex(16))
        kept = None if personal is None else canonical_event(personal).decode()
        return canonical_event(chained).decode(), kept
    except ValueError as problem:
        raise StoreError(
            f"An audit event cannot be stored: {problem}. Nothing was written."
        ) from problem
