"""What keeps everything, what advances runs, what tells people: the Protocols of the ports.

All work on a store is a function that is given a `Reader` or a `Transaction`:

    review = store.read(lambda r: r.review(id))
    store.write(lambda t: t.add_review(review))

`write` returns after the commit. Everything one function wrote is committed, or nothing of it.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from hitl.models import (
    Decision,
    Denial,
    GateRow,
    Intent,
    JsonObject,
    Mail,
    MailKind,
    Outcome,
    ProposalKey,
    Review,
    ReviewStatus,
    RunRecord,
    RunStatus,
    StepName,
    StoredProposal,
)
from hitl.ports.finding import ReviewFinder
from hitl.ports.keys import KeyReader, KeyWriter
from hitl.ports.trail import TrailReader, TrailWriter
from hitl.ports.upkeep import FigureReader, UpkeepWriter

T = TypeVar("T")

Clock = Callable[[], datetime]
"""Returns the time now, aware, UTC."""


class Reader(TrailReader, FigureReader, KeyReader, ReviewFinder, Protocol):
    """Reads of one consistent moment. Raises `NotFound` where a single record is asked for by id."""

    @property
    def connection(self) -> Any:
        """The raw driver connection of this read view, for the saver. Never write on it."""
        ...

    def run(self, run_id: str) -> RunRecord:
        """Return the run."""
        ...

    def find_run(self, run_id: str) -> RunRecord | None:
        """Return the run, or None."""
        ...

    def runs(
        self,
        *,
        workflow: str | None = None,
        status: Collection[RunStatus] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """Return runs, newest first; `before` is the id of the last one already seen."""
        ...

    def count_runs(self) -> dict[RunStatus, int]:
        """Return how many runs are in each status; statuses with none are left out."""
        ...

    def run_input(self, run_id: str) -> tuple[str, bytes] | None:
        """Return (serialiser type, bytes) of the input of the run's latest turn."""
        ...

    def epoch(self, run_id: str) -> int | None:
        """Return the run's current epoch; None when the run is unknown."""
        ...

    def review(self, review_id: str) -> Review:
        """Return the review, its decision filled in when there is one."""
        ...

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
        """Return reviews by due time, then id; `after` is the id of the last one already seen.

        Reviews without a due time come last. No status means every status.
        """
        ...

    def count_reviews(self) -> dict[ReviewStatus, int]:
        """Return how many reviews are in each status; statuses with none are left out."""
        ...

    def decision(self, review_id: str) -> Decision | None:
        """Return the review's decision, or None."""
        ...

    def decision_by_id(self, decision_id: str) -> Decision | None:
        """Return the decision with this id, or None."""
        ...

    def intent(self, review_id: str) -> Intent | None:
        """Return the live (not voided, not committed) intent on the review, or None."""
        ...

    def proposal(self, key: ProposalKey) -> StoredProposal | None:
        """Return the withheld proposal, or None."""
        ...

    def proposal_of(self, review_id: str) -> StoredProposal | None:
        """Return the proposal a review is about, or None."""
        ...

    def open_proposals(self, run_id: str) -> list[StoredProposal]:
        """Return the run's proposals that are not settled, oldest first."""
        ...

    def denials(self, run_id: str, name: StepName) -> list[tuple[Review, Decision]]:
        """Return every denied review of this visit, of all branches, oldest first."""
        ...

    def denials_that_undid(self, run_id: str, name: StepName) -> list[Denial]:
        """Return the denials whose rollback undid this visit, oldest first."""
        ...

    def last_visit(
        self, run_id: str, step: str, place: str, *, shards: range
    ) -> tuple[int, str] | None:
        """Return (visit, checkpoint_id) of the latest gate row that was not undone, or None.

        Withheld rows count: a step that asked was come to. Only tasks numbered in `shards` count.
        """
        ...

    def denied_effects(self, run_id: str) -> set[str]:
        """Return the effect fingerprints a person denied in this run (see `Transaction.deny_effect`)."""
        ...

    def gate(self, gate_id: str) -> GateRow:
        """Return one gate row."""
        ...

    def gates(
        self, run_id: str, *, live_only: bool = False, limit: int | None = None
    ) -> list[GateRow]:
        """Return the run's gate rows in order of commit; `live_only` leaves out undone rows."""
        ...

    def newest_gates(self, run_id: str) -> Iterator[GateRow]:
        """Yield the run's gate rows, the one first written last to come, undone ones included.

        They are read as they are asked for, so that looking back a little costs a little, however
        long the run; take what you need inside the read. Rows of one superstep come together, and
        those of later supersteps come before.
        """
        ...

    def label_counts(self, workflow: str, step: str) -> tuple[int, int]:
        """Return (right, judged) over the step's human-labelled gate rows."""
        ...

    def mail(self, run_id: str, *, now: datetime) -> list[Mail]:
        """Return the run's due, undone mail in order of id; not the timers (EXPIRY, COMMIT)."""
        ...

    def due_runs(self, *, now: datetime, limit: int = 100) -> list[str]:
        """Return ids of runs with due, undone mail and no live lease, longest waiting first.

        Timers (EXPIRY, COMMIT) order nothing of a run; see `due_timers`.
        """
        ...

    def next_due(self) -> datetime | None:
        """Return the due time of the earliest undone mail, or None."""
        ...

    def due_timers(self, *, now: datetime, limit: int = 100) -> list[Mail]:
        """Return due, undone mail of kind EXPIRY or COMMIT, earliest first."""
        ...

    def policy(self, policy_hash: str) -> JsonObject | None:
        """Return a policy's body by content hash, or None."""
        ...

    def outcomes(self, run_id: str) -> list[Outcome]:
        """Return the run's outcomes, oldest first."""
        ...

    def setting(self, key: str) -> str | None:
        """Return a stored setting (secrets of the coin and of effect keys, schema facts)."""
        ...


class Transaction(Reader, TrailWriter, KeyWriter, UpkeepWriter, Protocol):
    """Writes of one atomic unit. Later reads inside it see what it wrote."""

    @property
    def connection(self) -> Any:
        """The raw driver connection of this transaction, for the saver. Never commit on it."""
        ...

    def add_run(self, run: RunRecord, input: tuple[str, bytes] | None) -> None:
        """Insert a run."""
        ...

    def set_run(self, run: RunRecord) -> None:
        """Replace a run's record (not its lease)."""
        ...

    def set_run_input(self, run_id: str, input: tuple[str, bytes]) -> None:
        """Replace the input of the run's latest turn."""
        ...

    def claim_run(self, run_id: str, owner: str, *, now: datetime, lease: timedelta) -> int | None:
        """Take the run if nobody holds a live lease; return the new epoch, or None if held.

        The epoch grows by one at each claim, so an earlier owner's writes are refused.
        """
        ...

    def renew_lease(self, run_id: str, epoch: int, *, now: datetime, lease: timedelta) -> bool:
        """Extend the lease; False when the epoch is not current any more."""
        ...

    def break_leases(self, *, keep_owner: str) -> None:
        """End every lease of other owners if only one process can write the store; else do nothing."""
        ...

    def release_run(self, run_id: str, epoch: int) -> None:
        """Give the lease up; nothing happens when the epoch is not current."""
        ...

    def check_epoch(self, run_id: str, epoch: int | None) -> None:
        """Raise `LeaseLost` unless `epoch` is the run's current epoch."""
        ...

    def add_review(self, review: Review) -> None:
        """Insert a review."""
        ...

    def set_review(self, review: Review) -> None:
        """Replace a review's record, its status included. For claims and closings, not decisions."""
        ...

    def decide_review(
        self, review: Review, decision: Decision, *, judged_at: datetime, expires: bool = True
    ) -> bool:
        """Move the review from pending to the decision's verdict; True if this call won.

        One conditional UPDATE: `status = 'pending' AND proposal_hash = :decision.proposal_hash AND
        (expires_at IS NULL OR expires_at > :judged_at)`. `expires=False` drops the last condition:
        for decisions the policy makes at expiry. Inserts the decision when it won.
        """
        ...

    def put_intent(self, intent: Intent) -> None:
        """Insert a live intent; replaces a live one of the same review."""
        ...

    def end_intent(self, review_id: str, *, outcome: str) -> None:
        """End the live intent: `"committed"`, `"undone"` or `"void"`."""
        ...

    def add_proposal(self, proposal: StoredProposal) -> StoredProposal:
        """Insert a proposal; the first writer wins. Return the stored one, which may be another's."""
        ...

    def settle_proposal(self, key: ProposalKey) -> None:
        """Mark a proposal's consequence as committed."""
        ...

    def drop_proposals(self, run_id: str) -> None:
        """Settle every open proposal of the run and free its key: what it rested on changed."""
        ...

    def drop_proposal_of(self, review_id: str) -> None:
        """Do the same with what one review is about; nothing happens when it is settled."""
        ...

    def put_gate(self, row: GateRow) -> None:
        """Insert or replace a gate row by id."""
        ...

    def undo_gates(
        self, run_id: str, gate_ids: Sequence[str], *, at: datetime, by_decision: str
    ) -> None:
        """Mark gate rows as undone by a rollback."""
        ...

    def deny_effect(self, run_id: str, fingerprint: str) -> None:
        """Remember that a person denied this effect in this run."""
        ...

    def put_mail(
        self,
        run_id: str,
        kind: MailKind,
        *,
        key: str,
        due_at: datetime,
        payload: JsonObject | None = None,
    ) -> bool:
        """Give an order; False when the key was given before. Wakes the engine after the commit."""
        ...

    def finish_mail(self, ids: Sequence[int]) -> None:
        """Mark mail as done."""
        ...

    def save_policy(self, policy_hash: str, body: JsonObject) -> None:
        """Keep a policy's body; nothing happens when the hash is known."""
        ...

    def add_outcome(self, outcome: Outcome) -> None:
        """Insert an outcome."""
        ...

    def set_setting(self, key: str, value: str) -> str:
        """Store a setting if the key is new; return the stored value (the first one wins)."""
        ...


class Store(Protocol):
    """Keeps everything: runs, reviews, decisions, the gate log, the trail, and LangGraph's snapshots.

    Implementations: `hitl.stores`.
    """

    url: str
    lease: timedelta
    """How long a process has a run to itself without renewing it."""

    def read(self, work: Callable[[Reader], T]) -> T:
        """Run `work` on a consistent read view and return its result."""
        ...

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction and return its result after the commit.

        An exception rolls back all that `work` wrote and is raised here. Never call `write` inside
        `work`. `work` must not block: no network, no locks, no model calls.
        """
        ...

    def submit(self, work: Callable[[Transaction], T], *, run_id: str | None = None) -> "Future[T]":
        """Like `write`, without waiting: the future resolves after the commit.

        Jobs that are submitted with the same `run_id` are done in the order in which they were
        submitted: LangGraph's next snapshot must not be there before the writes it rests on.
        """
        ...

    def on_mail(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each commit that gave an order; return a function that ends it."""
        ...

    def close(self) -> None:
        """Finish what was submitted and let go of the database. Closing twice is fine."""
        ...


class Engine(Protocol):
    """Advances runs. Implementations: `hitl.engines`."""

    def serve(self, advance: Callable[[str], None], *, concurrency: int = 4) -> None:
        """Start advancing due runs in the background until `stop`."""
        ...

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop taking runs, wait for those under way."""
        ...


class Notifier(Protocol):
    """Tells the outside that a review is waiting. Implementations: `hitl.notify`."""

    def review_opened(self, review: Review) -> None:
        """Tell that a review waits."""
        ...
