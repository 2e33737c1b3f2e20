"""One advance of one run, in one place: what its gates share, and what waits for their commit."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from hitl.graph.accuracy import Accuracy
from hitl.graph.lg import ERROR, ERROR_SOURCE_NODE, INTERRUPT, RESUME, TaskFacts
from hitl.graph.signals import Leaving
from hitl.graph.stopping import StopWatch
from hitl.lifecycle import moved
from hitl.models import (
    Decision,
    Denial,
    JsonObject,
    Place,
    ProposalKey,
    RemedyKind,
    Review,
    ReviewStatus,
    RunRecord,
    StepName,
    StoredProposal,
)
from hitl.models.reviews import FAN_OUT
from hitl.policy import EscalationPolicy
from hitl.ports import Clock, Reader, Store, Transaction
from hitl.reliability import Write
from hitl.reviews import withdraw

Work = Callable[[Transaction], None]

_DECIDED = (ReviewStatus.EXECUTED, ReviewStatus.DENIED, ReviewStatus.EXPIRED)
ASKER = "asked_by"
"""In the meta of a question of `hitl.ask`: the task of the step that asks."""
_NOT_NEEDED = "The step went on without it."


@dataclass(frozen=True)
class Wiring:
    """What all gates of one wrapped workflow share."""

    workflow: str
    version: str
    policy: EscalationPolicy
    policy_hash: str
    store: Store
    clock: Clock
    serde: SerializerProtocol
    secret: bytes = field(repr=False)
    """Key of the spot-check coin; never leaves the store."""
    key_id: str
    accuracy: Accuracy
    shape: JsonObject = field(default_factory=dict, repr=False)
    """What the workflow looks like; see `versions.shape`."""
    shadow: bool = False
    """Withhold nothing; log what would have been asked."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What is written when a task commits."""

    checkpoint_ns: str
    work: tuple[Work, ...]
    write: Write | None = None
    """What the task adds to its graph's standing; needed when a handoff discards its writes."""


class Session:
    """The shared state of one advance. Lives as long as the lease it was opened under."""

    def __init__(
        self,
        wiring: Wiring,
        run: RunRecord,
        epoch: int,
        stored: Callable[[Any], Any],
        leaving: threading.Event,
    ) -> None:
        """Hold what the gates of one advance share.

        Args:
            wiring: What all gates share.
            run: The run.
            epoch: The lease's.
            stored: Returns the snapshot a config names; LangGraph's `get_tuple`.
            leaving: Set when this process goes down.
        """
        self._stored = stored
        self._leaving = leaving
        self.wiring = wiring
        self.run = run
        self.epoch = epoch
        self.delivering: dict[str, list[str]] = {}
        """Reviews of questions whose answers are handed to LangGraph, by task."""
        self.with_snapshot: Work | None = None
        """Written in the transaction of the next snapshot: what an update by hand does to the rest."""
        self.kept_calls: dict[str, Any] = {}
        """What tasks called by a body came to, by that body's execution (see `calls`)."""
        self.acted_calls: dict[str, str] = {}
        """Paths of tasks that were let act, by key of the call: their rows may not be written yet."""
        self.asking = threading.Lock()
        """Held while `people_asked` is looked at and counted up."""
        self.people_asked: int | None = None
        """Questions of `hitl.ask` that people were asked in this run; None until one asks."""
        self.torn: BaseException | None = None
        """Why the writes of some task were not kept: then no snapshot may follow them."""
        self._lock = threading.Lock()
        self._staged: dict[str, Staged] = {}
        self._visits: dict[tuple[str, Place, int], tuple[int, str]] = {}
        self._open: dict[ProposalKey, StoredProposal] = {}
        self.reload(run)

    def reload(self, run: RunRecord) -> None:
        """Start over from what the store holds, for `run` as it now is."""
        self.run = run
        self._stops = StopWatch(self.wiring.store, run)
        self._open = {p.key: p for p in self.wiring.store.read(self._load)}

    def _load(self, reader: Reader) -> list[StoredProposal]:
        # One status at a time: an index then has the first, and a long run's thousands stay unread.
        self.has_history = self.run.branch > 0 or any(
            reader.reviews(run_id=self.run.id, status=[status], limit=1) for status in _DECIDED
        )
        self.denied_effects = reader.denied_effects(self.run.id)
        return reader.open_proposals(self.run.id)

    @property
    def stop_sentence(self) -> str | None:
        """Who pressed the stop button, and why; None while nobody did. Gates raise it."""
        return self._stops.sentence()

    def state_before(self, facts: TaskFacts) -> Mapping[str, Any]:
        """Return a graph's state as it was stored before this superstep, by channel.

        What a body was given it may have changed in place.
        """
        return self.state_of(facts.checkpoint_ns.rpartition("|")[0], facts.checkpoint_id)

    def state_of(self, graph: str, checkpoint_id: str) -> Mapping[str, Any]:
        """Return a graph's state in one snapshot, by channel; `graph` is empty for the run's own."""
        found = self._snapshot(graph, checkpoint_id)
        values: Mapping[str, Any] = found.checkpoint["channel_values"] if found else {}
        return values

    def written_in(self, facts: TaskFacts, channel: str) -> list[Any]:
        """Return what tasks of this superstep that committed already wrote to a channel."""
        found = self._snapshot(facts.checkpoint_ns.rpartition("|")[0], facts.checkpoint_id)
        kept = found.pending_writes or () if found else ()
        return [value for _, name, value in kept if name == channel]

    def _snapshot(self, graph: str, checkpoint_id: str) -> Any:
        place = {
            "thread_id": self.run.id,
            "checkpoint_ns": graph,
            "checkpoint_id": checkpoint_id,
        }
        return self._stored({"configurable": place})

    # -- which execution this is ----------------------------------------------------------------

    def visit(self, step: str, place: Place, checkpoint_id: str, *, outer: int = 0) -> int:
        """Return the number of this visit: tasks of one superstep share it.

        Args:
            step: The step's path.
            place: Where the gate stands.
            checkpoint_id: The snapshot the superstep starts from.
            outer: Which task of a fan-out the child graph of the step is; its siblings count apart.
        """
        key = (step, place, outer)
        among = range(outer * FAN_OUT, (outer + 1) * FAN_OUT)
        with self._lock:
            known = self._visits.get(key)
            if known is None:
                known = self.wiring.store.read(
                    lambda r: r.last_visit(self.run.id, step, place, shards=among)
                ) or (0, "")
            if known[1] != checkpoint_id:
                known = (known[0] + 1, checkpoint_id)
            self._visits[key] = known
            return known[0]

    def denied(self, name: StepName) -> list[tuple[Review, Decision]]:
        """Return the noes of this visit that its run waited for, of all branches, oldest first."""
        return [said for said in self._denied(name) if said[0].blocking]

    def denials(self, name: StepName) -> tuple[Denial, ...]:
        """Return the noes a step should hear of: its own, and those whose rollback re-runs it."""
        if not self.has_history:
            return ()
        own = [as_denial(review, decision) for review, decision in self._denied(name)]
        undone = self.wiring.store.read(lambda r: r.denials_that_undid(self.run.id, name))
        return tuple(sorted(dict.fromkeys([*own, *undone]), key=lambda d: d.at))

    def _denied(self, name: StepName) -> list[tuple[Review, Decision]]:
        if not self.has_history:
            return []
        return self.wiring.store.read(lambda r: r.denials(self.run.id, name))

    # -- withheld proposals ---------------------------------------------------------------------

    @property
    def withholds(self) -> bool:
        """Whether any proposal of the run is withheld."""
        return bool(self._open)

    @property
    def has_questions(self) -> bool:
        """Whether this advance began with an `interrupt()` whose answer was not delivered."""
        return any(k.place is Place.QUESTION and ASKER not in p.meta for k, p in self._open.items())

    def asked_by(self, task_id: str) -> list[StoredProposal]:
        """Return the questions of `hitl.ask` that this task asked and that are not over."""
        return [p for p in self._open.values() if p.meta.get(ASKER) == task_id]

    def end_questions(self, task_id: str) -> Work:
        """Return the work that ends the questions a task asked: its result is there."""

        def work(t: Transaction) -> None:
            now = self.wiring.clock()
            for stored in t.open_proposals(self.run.id):
                if stored.meta.get(ASKER) != task_id:
                    continue
                if t.review(stored.review_id).decision is None:
                    withdraw(t, stored.review_id, reason=_NOT_NEEDED, now=now)
                _executed(t, stored.review_id)

        return work

    def proposal(self, key: ProposalKey) -> StoredProposal | None:
        """Return the withheld proposal of this attempt, or None."""
        return self._open.get(key)

    def answers_used(self, task_id: str) -> int:
        """Return how many native answers earlier attempts of this task consumed."""
        used = [p.meta.get("answers", 0) for p in self._open.values() if p.key.task_id == task_id]
        return max((u for u in used if isinstance(u, int)), default=0)

    def keep(self, proposal: StoredProposal) -> None:
        """Remember a proposal that was withheld in this advance."""
        self._open[proposal.key] = proposal

    # -- what waits for a commit ----------------------------------------------------------------

    def stage(self, task_id: str, staged: Staged) -> None:
        """Have `staged` written in the transaction that commits the task."""
        self._staged[task_id] = staged

    def forget(self, task_id: str) -> None:
        """Drop what an earlier try of the same task staged: it begins anew.

        Raises:
            Leaving: The process is going down; another one will run the task.
        """
        if self._leaving.is_set():
            raise Leaving
        self._staged.pop(task_id, None)

    def adopt(self, task_id: str, checkpoint_ns: str) -> tuple[tuple[Work, ...], tuple[Write, ...]]:
        """Take over what tasks inside `checkpoint_ns` staged and will never commit.

        A child graph's task that hands off to its parent has no commit of its own.
        """
        inside = f"{checkpoint_ns}|"
        with self._lock:
            ids = [k for k, s in self._staged.items() if s.checkpoint_ns.startswith(inside)]
            taken = [self._staged.pop(k) for k in ids if k != task_id]
        work = tuple(w for s in taken for w in s.work)
        return work, tuple(s.write for s in taken if s.write is not None)

    def snapshot_put(self, t: Transaction) -> None:
        """Write what belongs to the next snapshot, in its transaction.

        Raises:
            BaseException: What kept the writes of a task before it from being stored. LangGraph goes on
                without them; the gate rows and commits that belong to them would be missing.
        """
        if self.torn is not None:
            raise self.torn
        work, self.with_snapshot = self.with_snapshot, None
        if work is not None:
            work(t)

    def committing(self, t: Transaction, task_id: str, channels: set[str]) -> None:
        """Write what belongs to this task, in the transaction of its writes."""
        if RESUME in channels:
            for review_id in self.delivering.pop(task_id, ()):
                _executed(t, review_id)
        handled = ERROR_SOURCE_NODE in channels
        if INTERRUPT in channels or (ERROR in channels and not handled):
            return
        if handled:
            self._give_up(t, task_id)
        staged = self._staged.pop(task_id, None)
        if staged is not None:
            for work in staged.work:
                work(t)

    def _give_up(self, t: Transaction, task_id: str) -> None:
        """Close what a step had withheld that failed, and in whose place its error handler acts."""
        for key in [key for key in self._open if key.task_id == task_id]:
            t.settle_proposal(key)
        if self.asked_by(task_id):
            self.end_questions(task_id)(t)


def _executed(t: Transaction, review_id: str) -> None:
    review = t.review(review_id)
    if review.status is ReviewStatus.APPROVED:
        t.set_review(moved(review, ReviewStatus.EXECUTED))
    proposal = t.proposal_of(review_id)
    if proposal is not None:
        t.settle_proposal(proposal.key)


def executed(review_id: str) -> Work:
    """Return the work that marks a review's consequence as committed."""
    return lambda t: _executed(t, review_id)


def as_denial(review: Review, decision: Decision) -> Denial:
    """Return a no as the retried step sees it."""
    return Denial(
        step=review.name.step,
        attempt=review.attempt,
        reasons=decision.reasons,
        note=decision.note,
        by=decision.by,
        at=decision.decided_at,
    )


def attempts_before(denied: list[tuple[Review, Decision]], task_id: str) -> int:
    """Return how many attempts of this visit are over.

    A no whose remedy is not Retry ends its own task, but is a spent attempt after a fork.
    """
    return sum(
        1
        for review, decision in denied
        if decision.remedy is RemedyKind.RETRY or review.task_id != task_id
    )


def opened_at(denied: list[tuple[Review, Decision]], now: datetime) -> datetime:
    """Return when this visit was first put before a person: budgets count from here."""
    return min((review.opened_at for review, _ in denied), default=now)


Calibrators = Mapping[str, Callable[[float], float]]
