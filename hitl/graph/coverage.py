"""What a yes may cover: the committed steps its page shows, because the step it is about saw them."""

from datetime import datetime

from hitl.graph.looking_back import committed_since_reset
from hitl.graph.task import Attempt, GatedTask
from hitl.models import GateRow, Vouched
from hitl.ports import Reader
from hitl.reviews.ancestry import Ancestry, Level


def unverified(attempt: Attempt) -> tuple[Vouched, ...]:
    """Return the committed steps that this step saw and nobody verified, oldest first.

    Of the graphs around its own it saw only those whose state it was given.
    """
    session, task = attempt.task.session, attempt.task
    committed, covered = session.wiring.store.read(lambda r: _read(r, task))
    running = (task.level, *task.above)
    levels: dict[Level, str] = {
        ((path, shard), None): snapshot for path, shard, snapshot in running
    }
    shown = [
        row
        for index, row in enumerate(committed.rows)
        if committed.counts(row)
        and committed.was_before(index, levels)
        and not covered.intersection(r.id for r in committed.chain(index))
    ]
    return tuple(Vouched(gate_id=r.id, step=r.name.step, p=r.p, summary=r.summary) for r in shown)


def _read(reader: Reader, task: GatedTask) -> tuple[Ancestry, set[str]]:
    """Return what the turn committed since the last yes that covered all of it, and what is covered."""
    kept = [*committed_since_reset(reader, task.session.run)]
    kept.reverse()  # of rows committed at the same time, the one first written comes first
    kept.sort(key=_committed_at)
    covered = {r.id for r in kept if r.verified}
    for row in kept:
        if row.resets and row.review_id is not None:
            vouched = reader.review(row.review_id).presentation.vouched
            covered.update(v.gate_id for v in vouched)
    return Ancestry(kept), covered


def _committed_at(row: GateRow) -> datetime:
    assert row.committed_at is not None  # noqa: S101 - only committed rows are kept
    return row.committed_at
