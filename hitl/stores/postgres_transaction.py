"""What only Postgres needs: many write at once, so a job has the runs it touches to itself.

The first touch of a run in a job takes a lock on the run until the job's commit. Jobs read before they
write, and what they read must not change under them: with the lock, jobs on one run follow each other
as on SQLite, and jobs on different runs pass each other by. Reads outside of jobs take no lock.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from hitl.models import (
    AuditEvent,
    Decision,
    GateRow,
    Intent,
    JsonObject,
    Mail,
    ProposalKey,
    Review,
    ReviewStatus,
    RunRecord,
    StoredProposal,
)
from hitl.ports import Clock
from hitl.stores.line import Line
from hitl.stores.reader import SqlReader
from hitl.stores.transaction import SqlTransaction

_RUNS, _TRAIL = 0x6869_7401, 0x6869_7402
"""Numbers that keep our advisory locks apart from those of others."""
_HASH = f"hashtextextended({{}}, {_RUNS})"
_SEQUENCE = "hitl_audit_seq_seq"
_BOUND = f"SELECT mod(last_value, 2147483647)::integer FROM {_SEQUENCE}"  # noqa: S608 - constants
_LOCKS = "SELECT pg_advisory_xact_lock({run}), pg_advisory_xact_lock_shared({trail}, ({bound}))"
_LOCK_RUN = _LOCKS.format(run=_HASH.format("%(run_id)s"), trail=_TRAIL, bound=_BOUND)
_LOCK_RUN_OF = (
    _LOCKS.format(run=_HASH.format("run_id"), trail=_TRAIL, bound=_BOUND)
    + ", run_id FROM hitl_review WHERE id = %(id)s"
)
_LAST_GIVEN = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {_SEQUENCE}"  # noqa: S608 - constants
_UNDER_WAY = (
    "SELECT min(objid::bigint) FROM pg_locks WHERE locktype = 'advisory'"  # noqa: S608 - constants
    f" AND classid = {_TRAIL} AND objsubid = 2"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def sealable(line: Line) -> int:
    """Return the number up to which no event can appear any more in later reads.

    Numbers are given out before the commit. A job that may append holds a lock whose number is the
    last one given out before it, so its own are greater. The numbers are read before the locks.
    """
    last = line.raw.execute(_LAST_GIVEN).fetchone()[0]
    under_way = line.raw.execute(_UNDER_WAY).fetchone()[0]
    return int(last if under_way is None else min(last, under_way))


class PostgresReader(SqlReader):
    """Implements `hitl.ports.Reader` on a read-only transaction."""

    def sealable(self) -> int:
        """See `TrailReader`."""
        return sealable(self._line)


class PostgresTransaction(SqlTransaction):
    """Implements `hitl.ports.Transaction`, with the lock on each run it touches."""

    def __init__(self, line: Line, *, clock: Clock) -> None:
        super().__init__(line, clock=clock)
        self._runs: set[str] = set()
        self._reviews: set[str] = set()

    def reader(self) -> SqlReader:
        """Return a reader that sees what this transaction sees."""
        return PostgresReader(self._line)

    def _hold(self, run_id: str) -> None:
        """Wait until no other job touches the run, and keep others out until the commit."""
        if run_id not in self._runs and "\0" not in run_id:
            self._line.raw.execute(_LOCK_RUN, {"run_id": run_id})
            self._runs.add(run_id)

    def _hold_review(self, review_id: str) -> None:
        if review_id in self._reviews or "\0" in review_id:
            return
        row = self._line.raw.execute(_LOCK_RUN_OF, {"id": review_id}).fetchone()
        if row is not None:
            self._runs.add(row[2])
            self._reviews.add(review_id)

    # -- reads, which a job may act on ----------------------------------------------------------

    def sealable(self) -> int:
        """See `TrailReader`."""
        return sealable(self._line)

    def find_run(self, run_id: str) -> RunRecord | None:
        """See `Reader`."""
        self._hold(run_id)
        return super().find_run(run_id)

    def epoch(self, run_id: str) -> int | None:
        """See `Reader`."""
        self._hold(run_id)
        return super().epoch(run_id)

    def review(self, review_id: str) -> Review:
        """See `Reader`."""
        self._hold_review(review_id)
        return super().review(review_id)

    def reviews(
        self,
        *,
        status: Collection[ReviewStatus] = (),
        run_id: str | None = None,
        workflow: str | None = None,
        blocking: bool | None = None,
        limit: int = 50,
        after: str | None = None,
    ) -> list[Review]:
        """See `Reader`. Without `run_id` nothing is locked: read what is to be changed again."""
        if run_id is not None:
            self._hold(run_id)
        found = super().reviews(
            status=status,
            run_id=run_id,
            workflow=workflow,
            blocking=blocking,
            limit=limit,
            after=after,
        )
        self._reviews.update(review.id for review in found if review.run_id in self._runs)
        return found

    def intent(self, review_id: str) -> Intent | None:
        """See `Reader`."""
        self._hold_review(review_id)
        return super().intent(review_id)

    def proposal(self, key: ProposalKey) -> StoredProposal | None:
        """See `Reader`."""
        self._hold(key.run_id)
        return super().proposal(key)

    def proposal_of(self, review_id: str) -> StoredProposal | None:
        """See `Reader`."""
        self._hold_review(review_id)
        return super().proposal_of(review_id)

    def open_proposals(self, run_id: str) -> list[StoredProposal]:
        """See `Reader`."""
        self._hold(run_id)
        return super().open_proposals(run_id)

    def gates(
        self, run_id: str, *, live_only: bool = False, limit: int | None = None
    ) -> list[GateRow]:
        """See `Reader`."""
        self._hold(run_id)
        return super().gates(run_id, live_only=live_only, limit=limit)

    def newest_gates(self, run_id: str) -> Iterator[GateRow]:
        """See `Reader`."""
        self._hold(run_id)
        return super().newest_gates(run_id)

    def mail(self, run_id: str, *, now: datetime) -> list[Mail]:
        """See `Reader`."""
        self._hold(run_id)
        return super().mail(run_id, now=now)

    # -- writes ---------------------------------------------------------------------------------

    def add_run(self, run: RunRecord, input: tuple[str, bytes] | None) -> None:
        """See `Transaction`."""
        self._hold(run.id)
        super().add_run(run, input)

    def set_run(self, run: RunRecord) -> None:
        """See `Transaction`."""
        self._hold(run.id)
        super().set_run(run)

    def claim_run(self, run_id: str, owner: str, *, now: datetime, lease: timedelta) -> int | None:
        """See `Transaction`."""
        self._hold(run_id)
        return super().claim_run(run_id, owner, now=now, lease=lease)

    def break_leases(self, *, keep_owner: str) -> None:
        """Do nothing: other processes may be alive, and their leases end by themselves."""

    def add_review(self, review: Review) -> None:
        """See `Transaction`."""
        self._hold(review.run_id)
        super().add_review(review)

    def set_review(self, review: Review) -> None:
        """See `Transaction`."""
        self._hold(review.run_id)
        super().set_review(review)

    def decide_review(
        self, review: Review, decision: Decision, *, judged_at: datetime, expires: bool = True
    ) -> bool:
        """See `Transaction`."""
        self._hold(review.run_id)
        return super().decide_review(review, decision, judged_at=judged_at, expires=expires)

    def put_gate(self, row: GateRow) -> None:
        """See `Transaction`."""
        self._hold(row.run_id)
        super().put_gate(row)

    def undo_gates(
        self, run_id: str, gate_ids: Sequence[str], *, at: datetime, by_decision: str
    ) -> None:
        """See `Transaction`."""
        self._hold(run_id)
        super().undo_gates(run_id, gate_ids, at=at, by_decision=by_decision)

    def erase_run(self, run_id: str) -> dict[str, int]:
        """See `UpkeepWriter`."""
        self._hold(run_id)
        return super().erase_run(run_id)

    def append_audit(self, run_id: str, body: JsonObject) -> AuditEvent:
        """See `TrailWriter`."""
        self._hold(run_id)
        return super().append_audit(run_id, body)
