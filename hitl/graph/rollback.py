"""Back to the last verified point: which snapshot that is, and the fork that makes it the newest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from hitl.audit import entry
from hitl.graph.forks import forked
from hitl.graph.lg import CHANNEL
from hitl.graph.looking_back import rows_since
from hitl.graph.saver import FencedSaver
from hitl.graph.session import Session
from hitl.graph.signals import NeedsAttention, RollBack, StopRun, no_sentence
from hitl.graph.task import turn_standing
from hitl.models import GateRow, MailKind, Place, RemedyKind, Review, RunRecord
from hitl.ports import Reader, Transaction
from hitl.reviews import supersede


@dataclass(frozen=True, slots=True)
class Target:
    """Where a rollback goes, and which gates it undoes."""

    snapshot: CheckpointTuple
    undone: tuple[GateRow, ...]


def _any(_: CheckpointTuple) -> bool:
    return True


def find_target(
    saver: FencedSaver,
    session: Session,
    halt: RollBack,
    config: RunnableConfig,
    *,
    fits: Callable[[CheckpointTuple], bool] = _any,
) -> Target:
    """Return the newest snapshot of which every write was verified; the turn's input at the latest.

    Args:
        saver: Where the snapshots are.
        session: The advance that ends here.
        halt: Why.
        config: Names the run's thread.
        fits: Whether the run can go on from a snapshot.

    Raises:
        StopRun: Somebody else stopped the run at the same time; that is the stronger no.
        NeedsAttention: The way there crosses a manual state update, or an effect that was executed.
    """
    stop = session.wiring.store.read(lambda r: stopped(r, session.run.id))
    if stop is not None:
        raise StopRun(stop.id, no_sentence(stop))
    if halt.one_superstep:
        return _checked(_before_the_last(saver, halt, config), session, halt)
    for snapshot in _newest_first(saver, config):
        if _qualifies(snapshot, session.run.turn) and fits(snapshot):
            return _checked(snapshot, session, halt)
        if snapshot.metadata.get("source") == "update":
            raise NeedsAttention(
                halt.review_id,
                f"{halt.sentence} The run cannot go back past a manual state update; set the state"
                " again, restart the run or stop it.",
            )
    raise NeedsAttention(
        halt.review_id,
        f"{halt.sentence} There is no verified point to go back to; restart the run.",
    )


def _before_the_last(saver: FencedSaver, halt: RollBack, config: RunnableConfig) -> CheckpointTuple:
    """Return the snapshot that the run's last superstep started from."""
    newest, *before = islice(_newest_first(saver, config), 2)
    if not before or newest.metadata.get("source") != "loop":
        raise NeedsAttention(
            halt.review_id,
            f"{halt.sentence} The run did not end with a step that could run again; restart the run"
            " or stop it.",
        )
    return before[0]


def _newest_first(saver: FencedSaver, config: RunnableConfig) -> Iterator[CheckpointTuple]:
    """Yield the snapshots of the run's present branch, from the newest back to its first input."""
    at: RunnableConfig | None = config
    while at is not None:
        snapshot = saver.get_tuple(at)
        if snapshot is None:
            return
        yield snapshot
        at = snapshot.parent_config


def stopped(reader: Reader, run_id: str) -> Review | None:
    """Return a review of the run that was decided with Stop and not carried out yet."""
    for stored in reader.open_proposals(run_id):
        review = reader.review(stored.review_id)
        if review.decision is not None and review.decision.remedy is RemedyKind.STOP:
            return review
    return None


def _qualifies(snapshot: CheckpointTuple, turn: int) -> bool:
    source = snapshot.metadata.get("source")
    if source == "update":
        return False
    if source == "input":
        return True
    value = snapshot.checkpoint["channel_values"].get(CHANNEL) or {}
    return turn_standing(value, turn).unverified == 0


def _checked(snapshot: CheckpointTuple, session: Session, halt: RollBack) -> Target:
    since = snapshot.checkpoint["id"]
    rows = session.wiring.store.read(lambda r: [*rows_since(r, session.run.id, since)])
    undone = tuple(r for r in reversed(rows) if r.undone_at is None)
    done = [r for r in undone if r.name.place is Place.BEFORE and r.committed_at is not None]
    if done:
        raise NeedsAttention(
            halt.review_id,
            f"{halt.sentence} Going back would pass step {done[0].name.step!r}, whose effect already"
            " happened and cannot be undone here; undo it by hand, then restart the run or stop it.",
        )
    return Target(snapshot, undone)


def roll_back(
    t: Transaction,
    saver: FencedSaver,
    session: Session,
    target: Target,
    halt: RollBack,
    config: RunnableConfig,
) -> RunRecord:
    """Fork, supersede and record in one transaction; return the run on its new branch."""
    run, now = session.run, session.wiring.clock()
    t.check_epoch(run.id, session.epoch)
    saver.put_in(t, *forked(target.snapshot, config))
    review = t.review(halt.review_id) if halt.review_id else None
    decision = review.decision if review is not None else None
    decision_id = decision.decision_id if decision is not None else halt.review_id
    t.undo_gates(run.id, [r.id for r in target.undone], at=now, by_decision=decision_id)
    t.drop_proposals(run.id)
    supersede(t, run.id, reason="The run was rolled back.", now=now)
    moved = t.run(run.id).model_copy(update={"branch": run.branch + 1, "updated_at": now})
    t.set_run(moved)
    t.append_audit(run.id, _entry(run, halt, target, now))
    t.put_mail(run.id, MailKind.WAKE, key=f"rolled_back:{run.id}:{moved.branch}", due_at=now)
    return moved


def _entry(run: RunRecord, halt: RollBack, target: Target, now: Any) -> Any:
    return entry(
        "run.rolled_back",
        at=now,
        actor="engine",
        run_id=run.id,
        subject=halt.review_id or run.id,
        to_checkpoint=target.snapshot.checkpoint["id"],
        undone=[r.id for r in target.undone],
    )
