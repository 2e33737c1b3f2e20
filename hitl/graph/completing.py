"""A run that a person completes by hand: what they hand in is its state, and no step of it is left.

LangGraph's own way to change a thread writes snapshot by snapshot. Here its snapshots are gathered
first and stored in one transaction with the decision's consequence: a crash leaves all or nothing.
"""

from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.constants import END
from langgraph.pregel import Pregel

from hitl.audit import entry
from hitl.graph.lg import shallow_copy, writing_node
from hitl.graph.rollback import stopped
from hitl.graph.saver import TURN_KEY, FencedSaver
from hitl.graph.session import Session, executed
from hitl.graph.signals import CompleteRun, NeedsAttention, StopRun, no_sentence
from hitl.graph.takeover import Whole, typed
from hitl.models import JsonObject, MailKind, Review
from hitl.ports import Transaction
from hitl.reviews import supersede

HAND = "__hitl_hand__"
"""A node of no graph: what a person writes into a run's state is written under this name. Unlike an
update in the name of a step it starts no other one."""
_MOST_CLEARED = 100
"""Supersteps that may hang on one another's ends; more is a graph that starts itself again."""


class Gathered(BaseCheckpointSaver[str]):
    """Reads what is stored, keeps what would be written. For one thread, outermost graph only."""

    def __init__(self, stored: FencedSaver) -> None:
        super().__init__(serde=stored.serde)
        self._stored = stored
        self.snapshots: list[CheckpointTuple] = []
        self.versions: list[ChannelVersions] = []

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver`."""
        wanted = config["configurable"].get("checkpoint_id")
        here = [s for s in self.snapshots if wanted in (None, s.checkpoint["id"])]
        found: CheckpointTuple | None = here[-1] if here else self._stored.get_tuple(config)
        return found

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver`."""
        conf = config["configurable"]
        place = {"thread_id": conf["thread_id"], "checkpoint_ns": conf.get("checkpoint_ns", "")}
        own: RunnableConfig = {"configurable": {**place, "checkpoint_id": checkpoint["id"]}}
        at = conf.get("checkpoint_id")
        parent: RunnableConfig | None = (
            {"configurable": {**place, "checkpoint_id": at}} if at else None
        )
        self.snapshots.append(CheckpointTuple(own, checkpoint, metadata, parent, []))
        self.versions.append(new_versions)
        return own

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `BaseCheckpointSaver`; what is handed in is in the snapshot, and no task wrote it."""

    def get_next_version(self, current: str | None, channel: None) -> str:
        """See `BaseCheckpointSaver`."""
        version: str = self._stored.get_next_version(current, channel)
        return version

    def put_all(self, t: Transaction, *, turn: int) -> None:
        """Store what was gathered, in a transaction that is under way."""
        for snapshot, versions in zip(self.snapshots, self.versions, strict=True):
            metadata: Any = {**snapshot.metadata, TURN_KEY: turn}
            config = snapshot.parent_config or snapshot.config
            self._stored.put_in(t, config, snapshot.checkpoint, metadata, versions)


def complete(
    graph: Pregel[Any, Any, Any, Any],
    whole: Whole,
    saver: FencedSaver,
    session: Session,
    halt: CompleteRun,
) -> None:
    """Make what a person handed in the run's state, and leave nothing of its graph to do.

    Args:
        graph: The gated graph, without the driver in front of it.
        whole: What is known of it.
        saver: Where its snapshots are.
        session: The advance.
        halt: What ended it.

    Raises:
        StopRun: Somebody else stopped the run at the same time; that is the stronger no.
        NeedsAttention: What was handed in does not fit the state's types.
    """
    stop = session.wiring.store.read(lambda r: stopped(r, session.run.id))
    if stop is not None:
        raise StopRun(stop.id, no_sentence(stop))
    review = session.wiring.store.read(lambda r: r.review(halt.review_id))
    assert review.decision is not None  # noqa: S101 - that is what halted
    update = typed(whole.form, review, review.decision.answer)
    gathered = Gathered(saver)
    _write(graph, whole, gathered, session.run.id, halt, update)
    session.wiring.store.write(lambda t: _record(t, gathered, session, review, halt))


def _write(
    graph: Pregel[Any, Any, Any, Any],
    whole: Whole,
    gathered: Gathered,
    run_id: str,
    halt: CompleteRun,
    update: Any,
) -> None:
    by_field = update if not whole.form.is_value else {_value_channel(graph): update}
    hands = shallow_copy(graph)
    hands.checkpointer = gathered
    hands.nodes[HAND] = writing_node(by_field)
    config: RunnableConfig = {"configurable": {"thread_id": run_id}}
    hands.update_state(config, None, as_node=END)  # what finished beside it stays
    if by_field:
        hands.update_state(config, None, as_node=HAND)
    for _ in range(_MOST_CLEARED):
        if not hands.get_state(config).next:
            return
        hands.update_state(config, None, as_node=END)
    raise NeedsAttention(halt.review_id, f"{halt.sentence} But its graph does not come to an end.")


def _value_channel(graph: Pregel[Any, Any, Any, Any]) -> str:
    returned = graph.output_channels
    return returned if isinstance(returned, str) else next(iter(returned))


def _record(
    t: Transaction, gathered: Gathered, session: Session, review: Review, halt: CompleteRun
) -> None:
    run, now = session.run, session.wiring.clock()
    assert review.decision is not None  # noqa: S101 - the caller looked
    t.check_epoch(run.id, session.epoch)
    gathered.put_all(t, turn=run.turn)
    stored = t.proposal_of(review.id)
    if stored is not None:
        known = {"committed_at": now, "verified": True}
        t.put_gate(t.gate(stored.gate_id).model_copy(update=known))
    executed(review.id)(t)
    supersede(t, run.id, reason=halt.sentence, now=now)
    t.drop_proposals(run.id)
    by = review.decision.by
    t.set_run(t.run(run.id).model_copy(update={"completed_by": by, "updated_at": now}))
    t.append_audit(run.id, _entry(review, halt, by, now))
    t.put_mail(run.id, MailKind.WAKE, key=f"completed:{review.id}", due_at=now)


def _entry(review: Review, halt: CompleteRun, by: str, now: Any) -> JsonObject:
    return entry(
        "run.completed_by_hand",
        at=now,
        actor=by,
        run_id=review.run_id,
        subject=review.id,
        step=review.name.step,
        reason=halt.sentence,
    )
