"""Advances runs: takes the lease, calls LangGraph, and records how it ended.

Every way into a gated graph comes through here, so that one run advances in one place only and what
LangGraph would let through (a resume aimed at a gate, an old snapshot) is refused first.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import StateSnapshot

from hitl import spans
from hitl.audit import entry
from hitl.errors import HitlError, ResumeRefused, RunBusy, SnapshotRefused, StoreFailed
from hitl.failpoints import reach
from hitl.graph import questions
from hitl.graph.completing import complete
from hitl.graph.done import is_of_the_end, waits_at_the_end
from hitl.graph.endings import failed, halted, lost, moved
from hitl.graph.leases import Leases, owner
from hitl.graph.lg import CHANNEL, EPOCH_KEY, SESSION_KEY, with_configurable
from hitl.graph.rollback import find_target, roll_back
from hitl.graph.saver import TURN_KEY, FencedSaver
from hitl.graph.session import Session, Wiring
from hitl.graph.signals import CompleteRun, Halt, Leaving, RollBack
from hitl.graph.stopping import stopped_instead
from hitl.graph.takeover import Whole
from hitl.graph.task import turn_standing
from hitl.models import Mail, RunRecord, RunStatus
from hitl.policy import nothing_stood, run_coin
from hitl.ports import Transaction
from hitl.reviews import supersede

_log = logging.getLogger(__name__)

_BUSY_WAIT = 10.0
"""Seconds a caller waits for another thread to finish advancing the same run."""


@dataclass
class Advance:
    """One advance under way: the session, the orders it answers, and how it ended."""

    session: Session
    config: RunnableConfig
    mail: list[Mail]
    halted: Halt | None = None
    error: BaseException | None = None
    waits: bool = False
    """Whether the graph ended, and a person must accept that."""
    again: bool = False
    """Whether LangGraph must be called once more: after a rollback, or a completion by hand."""


class Driver:
    """The advances of one wrapped workflow.

    Args:
        wiring: What the gates share.
        saver: The fenced saver of the gated graph.
        whole: What a person who takes a run over must know of it.
    """

    def __init__(self, wiring: Wiring, saver: FencedSaver, whole: Whole) -> None:
        self.wiring = wiring
        self.whole = whole
        self.saver = saver
        self.store = wiring.store
        self.leases = Leases(wiring.store, wiring.clock, wiring.store.lease)
        self.leaving = threading.Event()
        """Set when this process goes down: runs are given back at their next step."""
        self.snapshot_of: Callable[[RunnableConfig], StateSnapshot] = _not_bound
        self.graph: Any = None
        """The gated graph without this driver in front of it; bound with `snapshot_of`."""

    # -- taking and giving back a run -----------------------------------------------------------

    def claim(self, run_id: str, *, wait: float = 0.0) -> int | None:
        """Take the run and return its new epoch; None when another holds it for longer than `wait`."""
        give_up = time.monotonic() + wait
        while (epoch := self._try(run_id)) is None and time.monotonic() < give_up:
            time.sleep(0.01)
        return epoch

    def _try(self, run_id: str) -> int | None:
        now = self.wiring.clock()
        return self.store.write(
            lambda t: t.claim_run(run_id, owner(), now=now, lease=self.store.lease)
        )

    def open(self, run_id: str, config: RunnableConfig, *, wait: float = _BUSY_WAIT) -> Advance:
        """Take the run and return the advance, its config ready for LangGraph.

        Raises:
            RunBusy: Another thread or process is advancing it.
            ResumeRefused: It is a run of another workflow.
        """
        whose = self.store.read(lambda r: r.run(run_id)).workflow
        if whose != self.wiring.workflow:
            raise ResumeRefused(
                f"Run {run_id!r} belongs to workflow {whose!r}; this is {self.wiring.workflow!r}."
                " Nothing was run."
            )
        epoch = self.claim(run_id, wait=wait)
        if epoch is None:
            raise RunBusy(run_id)
        try:
            reach("resume.after_claim_before_invoke")
            return self.taken(run_id, epoch, config)
        except BaseException:
            self._let_go(run_id, epoch)
            raise

    def taken(self, run_id: str, epoch: int, config: RunnableConfig) -> Advance:
        """Return the advance of a run that was just claimed under `epoch`."""
        self.leases.hold(run_id, epoch)
        now = self.wiring.clock()
        run, mail = self.store.read(lambda r: (r.run(run_id), r.mail(run_id, now=now)))
        session = Session(self.wiring, run, epoch, self.saver.get_tuple, self.leaving)
        ready = with_configurable(
            config, thread_id=run_id, **{SESSION_KEY: session, EPOCH_KEY: epoch}
        )
        return Advance(session, ready, mail)

    @contextlib.contextmanager
    def advancing(self, advance: Advance) -> Iterator[Advance]:
        """Record how the block ended, and give the run back. A halt is swallowed, an error is not."""
        try:
            with spans.advancing(advance.session.run, advance.mail):
                yield advance
        except Halt as halt:
            advance.halted = halt
        except (GeneratorExit, Leaving):
            self.give_back(advance)
            raise
        except BaseException as error:
            self._broke(advance, error)
            raise
        self._conclude(advance)

    @contextlib.asynccontextmanager
    async def aadvancing(self, advance: Advance) -> AsyncIterator[Advance]:
        """See `advancing`."""
        try:
            with spans.advancing(advance.session.run, advance.mail):
                yield advance
        except Halt as halt:
            advance.halted = halt
        except (GeneratorExit, asyncio.CancelledError, Leaving):
            self.give_back(advance)
            raise
        except BaseException as error:
            if self.leaving.is_set():  # no new threads any more
                self._broke(advance, error)
            else:
                await asyncio.to_thread(self._broke, advance, error)
            raise
        await asyncio.to_thread(self._conclude, advance)

    def _broke(self, advance: Advance, error: BaseException) -> None:
        """Record an error as the run's end; not one of the store, or of the interpreter going down."""
        if isinstance(error, StoreFailed):
            self._let_go(advance.session.run.id, advance.session.epoch)
            return  # nothing says that a step failed: the orders stand, and the run is advanced again
        if self.leaving.is_set() and isinstance(error, RuntimeError):
            self.give_back(advance)
            raise Leaving from error
        advance.error = error
        self._conclude(advance)

    def give_back(self, advance: Advance) -> None:
        """Let the run go without recording an end: the caller went away, or was refused."""
        run_id, epoch = advance.session.run.id, advance.session.epoch
        self.leases.let_go(run_id)
        self.store.write(lambda t: t.release_run(run_id, epoch))

    def _let_go(self, run_id: str, epoch: int) -> None:
        """Give a run back after a failure; if that fails too, its lease runs out."""
        self.leases.let_go(run_id)
        with contextlib.suppress(HitlError):
            self.store.write(lambda t: t.release_run(run_id, epoch))

    def saw_input(self, session: Session) -> bool:
        """Return whether a snapshot holds the input of the run's latest turn."""
        latest = self.saver.get_tuple(_root(session.run.id))
        seen: Any = latest.metadata.get(TURN_KEY, 1) if latest is not None else 0
        return bool(seen >= session.run.turn)

    def finish(self, advance: Advance) -> None:
        """Mark the orders as done and give the run back, its status unchanged."""
        self._finish_mail(advance)

    def has_snapshots(self, run_id: str) -> bool:
        """Return whether LangGraph knows a thread of this id."""
        return self.saver.get_tuple(_root(run_id)) is not None

    def new_run(self, run_id: str, initiator: str | None) -> RunRecord:
        """Return the record of a run that begins now."""
        wiring, now = self.wiring, self.wiring.clock()
        return RunRecord(
            id=run_id,
            workflow=wiring.workflow,
            workflow_version=wiring.version,
            policy_hash=wiring.policy_hash,
            initiator=initiator,
            created_at=now,
            updated_at=now,
            full_spot_check=run_coin(wiring.secret, run_id) < wiring.policy.spot_check_runs,
        )

    def adopt(
        self, run_id: str, *, initiator: str | None = None, call: tuple[str, bytes] | None = None
    ) -> None:
        """Make a run of a LangGraph thread that was not started through hitl; its first turn is over.

        Args:
            run_id: The thread's id.
            initiator: Who calls.
            call: What later advances need again (see `entry`).
        """
        run = self.new_run(run_id, initiator)

        def work(t: Transaction) -> None:
            if t.find_run(run_id) is not None:
                return
            t.add_run(run, call)
            said = entry(
                "run.adopted",
                at=run.created_at,
                actor=initiator or "engine",
                run_id=run_id,
                subject=run_id,
                policy_hash=run.policy_hash,
            )
            t.append_audit(run_id, said)

        self.store.write(work)

    # -- how it ended ---------------------------------------------------------------------------

    def _conclude(self, advance: Advance) -> None:
        try:
            self._end(advance)
        except BaseException:
            # what cannot be recorded now is advanced again: the lease must not be renewed for ever
            self._let_go(advance.session.run.id, advance.session.epoch)
            raise

    def _end(self, advance: Advance) -> None:
        try:
            self._check_end(advance)
            if self._goes_again(advance):
                return
            ended = halted(advance.halted) or failed(advance.error) or self._parked(advance)
        except SnapshotRefused as refused:
            ended = RunStatus.NEEDS_ATTENTION, str(refused), None
        self._record(advance.session, advance, *ended)

    def park(self, run_id: str, refused: SnapshotRefused) -> None:
        """Record that what is stored of a run is not read; nothing happens while another has it."""
        with contextlib.suppress(RunBusy):
            advance = self.open(run_id, {}, wait=0.0)
            advance.error = refused
            self._conclude(advance)

    def _check_end(self, advance: Advance) -> None:
        """Have the end of a run looked at where the policy says so; a no halts it after all."""
        session = advance.session
        if advance.halted or advance.error or session.wiring.policy.end is None:
            return
        if session.run.completed_by:
            return
        snapshot = self.snapshot_of(advance.config)
        left = self.store.read(lambda r: r.open_proposals(session.run.id))
        if snapshot.interrupts or snapshot.next or any(not is_of_the_end(p.key) for p in left):
            return
        try:
            advance.waits = waits_at_the_end(session, snapshot, self._standing(session), self.whole)
        except Halt as no:
            advance.halted = no

    def _goes_again(self, advance: Advance) -> bool:
        """Carry out a no after which LangGraph is called once more; False for another end."""
        session, halt = advance.session, advance.halted
        config = _root(session.run.id)
        try:
            if isinstance(halt, RollBack):
                target = find_target(self.saver, session, halt, config)
                self.store.write(lambda t: roll_back(t, self.saver, session, target, halt, config))
            elif isinstance(halt, CompleteRun):
                complete(self.graph, self.whole, self.saver, session, halt)
            else:
                return False
        except Halt as instead:
            advance.halted = instead
            return False
        self._finish_mail(advance)
        advance.again = True
        return True

    def _finish_mail(self, advance: Advance) -> None:
        """Keep the run, and give it back with an order to go on: the fork is a fresh start."""
        session = advance.session
        self.leases.let_go(session.run.id)

        def work(t: Transaction) -> None:
            t.finish_mail([m.id for m in advance.mail])
            t.release_run(session.run.id, session.epoch)

        self.store.write(work)

    def _parked(self, advance: Advance) -> tuple[RunStatus, str, StateSnapshot | None]:
        snapshot = self.snapshot_of(advance.config)
        if advance.session.has_questions:
            asked = list(questions.pending(snapshot))
            self.store.write(lambda t: questions.settle_answered(t, advance.session, asked))
        if snapshot.interrupts:
            return RunStatus.WAITING, "", snapshot
        if snapshot.next:
            names = ", ".join(repr(n) for n in snapshot.next)
            return (
                RunStatus.WAITING,
                f"Stopped at a breakpoint before {names}; continue with `app.invoke(None, ...)`.",
                snapshot,
            )
        if advance.waits:
            return RunStatus.WAITING, "", snapshot
        left = self.store.read(lambda r: r.open_proposals(advance.session.run.id))
        if left:
            return RunStatus.NEEDS_ATTENTION, lost(left[0].name.step, left[0].review_id), snapshot
        return RunStatus.DONE, nothing_stood(advance.session.wiring.policy), snapshot

    def _record(
        self,
        session: Session,
        advance: Advance,
        status: RunStatus,
        reason: str,
        snapshot: StateSnapshot | None,
    ) -> None:
        now = self.wiring.clock()
        standing = self._reliability(session)
        asked = list(questions.pending(snapshot)) if snapshot is not None else []
        self.leases.let_go(session.run.id)
        if asked:
            reach("interrupt.after_checkpoint_before_request_row")
        reach("resume.after_invoke_before_mark")

        def work(t: Transaction) -> None:
            t.check_epoch(session.run.id, session.epoch)
            run = t.run(session.run.id)
            questions.open_questions(t, session, asked)
            stands, why = stopped_instead(run, status, reason)
            if stands in (RunStatus.STOPPED, RunStatus.NEEDS_ATTENTION):
                supersede(t, run.id, reason=why, now=now)
            ended = run.model_copy(
                update={"status": stands, "reason": why, "updated_at": now, **standing}
            )
            t.set_run(ended)
            if stands is not run.status:
                t.append_audit(run.id, moved(ended, now))
            t.finish_mail([m.id for m in advance.mail])
            t.release_run(run.id, session.epoch)

        self.store.write(work)

    def _reliability(self, session: Session) -> dict[str, Any]:
        """Return what the run's record says of it now; nothing when the snapshot is not read."""
        try:
            standing = self._standing(session)
        except SnapshotRefused:
            return {}
        return {"reliability": standing.reliability, "unknown_steps": standing.unknown}

    def _standing(self, session: Session) -> Any:
        latest = self.saver.get_tuple(_root(session.run.id))
        value = latest.checkpoint["channel_values"].get(CHANNEL) if latest else None
        return turn_standing(value or {}, session.run.turn)


def _root(run_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}


def _not_bound(config: RunnableConfig) -> StateSnapshot:
    raise RuntimeError("The driver has no graph yet.")
