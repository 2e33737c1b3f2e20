"""What is left of a run when it is erased: that it was, what was decided by whom, and no content.

The trail is not touched: its events hold digests. What the digests are of goes, with their salt.
"""

from typing import Any

from sqlalchemy import Table, delete, inspect, select, text, update

from hitl.models import Decision, GateRow, Outcome, Presentation, Review, RunRecord
from hitl.ports import ERASED
from hitl.stores.line import Line
from hitl.stores.records import GATE_COLUMNS, REVIEW_COLUMNS
from hitl.stores.rows import (
    AUDIT_PERSONAL,
    DECISION,
    DENIED_EFFECT,
    GATE,
    INTENT,
    OUTCOME,
    PROPOSAL,
    REVIEW,
    RUN,
)
from hitl.stores.text import record_text

_SNAPSHOTS = ("checkpoints", "checkpoint_blobs", "checkpoint_writes", "writes")
"""LangGraph's tables, of every saver it has; each has a column `thread_id`."""


class Erasing:
    """Erases in a transaction that somebody else begins and commits."""

    _line: Line

    def erase_run(self, run_id: str) -> dict[str, int]:
        """See `Transaction`."""
        reviews = [str(row.id) for row in self._all(REVIEW, "id", REVIEW.c.run_id == run_id)]
        counts = {
            "snapshots": self._snapshots(run_id),
            "proposals": self._delete(PROPOSAL, PROPOSAL.c.run_id == run_id),
            "events": self._delete(AUDIT_PERSONAL, AUDIT_PERSONAL.c.run_id == run_id),
            "reviews": self._rewrite(REVIEW, REVIEW.c.run_id == run_id, _review),
            "decisions": self._rewrite(DECISION, DECISION.c.review_id.in_(reviews), _decision),
            "gates": self._rewrite(GATE, GATE.c.run_id == run_id, _gate),
            "outcomes": self._rewrite(OUTCOME, OUTCOME.c.run_id == run_id, _outcome),
        }
        self._delete(INTENT, INTENT.c.review_id.in_(reviews))
        self._delete(DENIED_EFFECT, DENIED_EFFECT.c.run_id == run_id)
        self._rewrite(RUN, RUN.c.id == run_id, _run)
        nothing = {"input_type": None, "input_blob": None}
        self._line.sql.execute(update(RUN).where(RUN.c.id == run_id).values(nothing))
        return counts

    def _all(self, table: Table, column: str, condition: Any) -> list[Any]:
        return list(self._line.sql.execute(select(table.c[column]).where(condition)).all())

    def _delete(self, table: Table, condition: Any) -> int:
        return int(self._line.sql.execute(delete(table).where(condition)).rowcount)

    def _rewrite(self, table: Table, condition: Any, erased: Any) -> int:
        (key,) = table.primary_key.columns
        rows = self._line.sql.execute(select(key.label("key"), table.c.record).where(condition))
        found = list(rows.all())
        for row in found:
            new = update(table).where(key == row.key).values(record=erased(row.record))
            self._line.sql.execute(new)
        return len(found)

    def _snapshots(self, run_id: str) -> int:
        there = inspect(self._line.sql)
        gone = 0
        for name in _SNAPSHOTS:
            if there.has_table(name):
                sql = text(f"DELETE FROM {name} WHERE thread_id = :run")  # noqa: S608 - constants
                gone += self._line.sql.execute(sql, {"run": run_id}).rowcount
        return gone


def _run(kept: str) -> str:
    run = RunRecord.model_validate_json(kept)
    return record_text(run.model_copy(update={"reason": ERASED, "stop_asked": ""}))


def _review(kept: str) -> str:
    review = Review.model_validate_json(kept)
    shown = review.presentation
    figures = ("covers", "confidence", "confidence_kind", "reliability_before", "reliability_now")
    numbers = {name: getattr(shown, name) for name in figures}
    asked = review.question
    left = {
        "question": asked and asked.model_copy(update={"text": ERASED, "sha256": ""}),
        "proposal": review.proposal.model_copy(update={"arguments": {}}),
        "presentation": Presentation(title=ERASED, **numbers),
        "closed_reason": "",
    }
    return record_text(review.model_copy(update=left), without=REVIEW_COLUMNS)


def _decision(kept: str) -> str:
    decision = Decision.model_validate_json(kept)
    return record_text(decision.model_copy(update={"reasons": (), "note": "", "answer": None}))


def _gate(kept: str) -> str:
    gate = GateRow.model_validate_json(kept)
    silent = {"summary": "", "problem": ""}
    tried = tuple(
        t.model_copy(
            update={
                **silent,
                "opinions": tuple(o.model_copy(update={"problem": ""}) for o in t.opinions),
            }
        )
        for t in gate.tried
    )
    left = {
        "summary": "",
        "settled_by": "",
        "tried": tried,
        "signals": tuple(s.model_copy(update={"detail": ""}) for s in gate.signals),
        "triggers": tuple(t.model_copy(update={"sentence": ""}) for t in gate.triggers),
    }
    return record_text(gate.model_copy(update=left), without=GATE_COLUMNS)


def _outcome(kept: str) -> str:
    return record_text(Outcome.model_validate_json(kept).model_copy(update={"note": ""}))
