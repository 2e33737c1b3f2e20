"""LangGraph's snapshots in our store: the same tables as its own saver, written by our jobs, fenced.

Every write checks the run's epoch in its own transaction, so a process that was frozen while another
took the run over can change nothing. What belongs to a task's commit (its gate row, a spot check's
review, "this answer was delivered") is written in the transaction of that task's `put_writes`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)

from hitl.errors import LeaseLost
from hitl.failpoints import reach
from hitl.graph.growth import is_measured, watch_growth
from hitl.graph.lg import EPOCH_KEY, ERROR, ERROR_SOURCE_NODE, INTERRUPT, RESUME, SESSION_KEY
from hitl.graph.session import Session
from hitl.ports import Store, Transaction

T = TypeVar("T")

TURN_KEY = "hitl_turn"
"""In a snapshot's metadata: which input of the run it belongs to."""

_KEPT_WITH_ERROR = frozenset({ERROR, INTERRUPT, RESUME})


class FencedSaver(BaseCheckpointSaver[str]):
    """A LangGraph saver whose writes are jobs of the store; the SQL is that of the next base class.

    Existing threads in the same database keep working. Its async methods use the same jobs.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._here = threading.local()

    def setup(self) -> None:
        """Do nothing: the tables were made when this saver was."""

    # -- where the SQL of the parent class runs -------------------------------------------------

    @property
    def _connection(self) -> Any:
        """The connection of the store's work that is under way in this thread."""
        connection = getattr(self._here, "connection", None)
        if connection is None:
            msg = "A snapshot was touched outside the store's own work; use the saver's methods."
            raise RuntimeError(msg)
        return connection

    def _on(self, connection: Any, work: Callable[[], T]) -> T:
        outer = getattr(self._here, "connection", None)
        self._here.connection = connection
        try:
            return work()
        finally:
            self._here.connection = outer

    def _reading(self, work: Callable[[], T]) -> T:
        return self._store.read(lambda r: self._on(r.connection, work))

    def _writing(self, config: RunnableConfig, work: Callable[[Transaction], T]) -> Any:
        conf = config["configurable"]
        thread_id, epoch = str(conf["thread_id"]), conf.get(EPOCH_KEY)
        if epoch is None:
            raise LeaseLost(thread_id, None)

        def fenced(t: Transaction) -> T:
            t.check_epoch(thread_id, epoch)
            return self._on(t.connection, lambda: work(t))

        return self._store.submit(fenced, run_id=thread_id)

    # -- reads ----------------------------------------------------------------------------------

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver`."""
        return self._reading(lambda: super(FencedSaver, self).get_tuple(config))

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """See `BaseCheckpointSaver`."""
        found = self._reading(
            lambda: [
                *super(FencedSaver, self).list(config, filter=filter, before=before, limit=limit)
            ]
        )
        yield from found

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """See `BaseCheckpointSaver`."""
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """See `BaseCheckpointSaver`."""
        found = await asyncio.to_thread(
            lambda: [*self.list(config, filter=filter, before=before, limit=limit)]
        )
        for item in found:
            yield item

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `BaseCheckpointSaver`: what a channel that is saved as changes is rebuilt from."""
        return self._reading(
            lambda: super(FencedSaver, self).get_delta_channel_history(
                config=config, channels=channels
            )
        )

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """See `get_delta_channel_history`."""
        return await asyncio.to_thread(
            lambda: self.get_delta_channel_history(config=config, channels=channels)
        )

    # -- writes ---------------------------------------------------------------------------------

    def _put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> Any:
        stored = _without_ours(config)
        session = config["configurable"].get(SESSION_KEY)
        if session is not None:
            metadata = _with_turn(metadata, session.run.turn)

        step = metadata.get("step", 0) if not stored["configurable"].get("checkpoint_ns") else 0

        def work(t: Transaction) -> RunnableConfig:
            if session is not None:
                session.snapshot_put(t)
                if is_measured(step):
                    watch_growth(t, session.run.id, step, checkpoint["channel_values"], self.serde)
            done: RunnableConfig = super(FencedSaver, self).put(
                stored, checkpoint, metadata, new_versions
            )
            return done

        return self._writing(config, work)

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `BaseCheckpointSaver`. Raises `LeaseLost` when the run was taken over."""
        result: RunnableConfig = self._put(config, checkpoint, metadata, new_versions).result()
        return result

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """See `put`."""
        result: RunnableConfig = await asyncio.wrap_future(
            self._put(config, checkpoint, metadata, new_versions)
        )
        return result

    def put_in(self, t: Transaction, config: RunnableConfig, *rest: Any) -> RunnableConfig:
        """Like `put`, inside a transaction that is under way."""
        return self._on(t.connection, lambda: super(FencedSaver, self).put(config, *rest))

    def _put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> Any:
        channels = {channel for channel, _ in writes}
        if INTERRUPT in channels:
            reach("interrupt.before_checkpoint")
        session = config["configurable"].get(SESSION_KEY)
        kept = list(writes)
        if ERROR in channels and ERROR_SOURCE_NODE not in channels:
            # A failed task must run again as a whole: with half its writes stored LangGraph would
            # take it for finished, and approved work would be lost without a word.
            kept = [w for w in writes if w[0] in _KEPT_WITH_ERROR]

        def work(t: Transaction) -> None:
            super(FencedSaver, self).put_writes(config, kept, task_id, task_path)
            if session is not None:
                session.committing(t, task_id, channels)

        if session is None:
            return self._writing(config, work)
        written = self._writing(config, _noticing(session, work))
        written.add_done_callback(lambda done: _tear(session, done.exception()))
        return written

    def put_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `BaseCheckpointSaver`. Raises `LeaseLost` when the run was taken over."""
        self._put_writes(config, writes, task_id, task_path).result()

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """See `put_writes`."""
        await asyncio.wrap_future(self._put_writes(config, writes, task_id, task_path))

    def delete_thread(self, thread_id: str) -> None:
        """Delete a thread's snapshots. The run's own record, reviews and trail stay."""
        self._store.write(
            lambda t: self._on(
                t.connection, lambda: super(FencedSaver, self).delete_thread(thread_id)
            )
        )

    async def adelete_thread(self, thread_id: str) -> None:
        """See `delete_thread`."""
        await asyncio.to_thread(self.delete_thread, thread_id)


def _noticing(session: Session, work: Callable[[Transaction], T]) -> Callable[[Transaction], T]:
    """Return `work`, the session told when it raises: a snapshot may follow in the same commit."""

    def noticing(t: Transaction) -> T:
        try:
            return work(t)
        except BaseException as problem:
            _tear(session, problem)
            raise

    return noticing


def _tear(session: Session, problem: BaseException | None) -> None:
    session.torn = session.torn or problem


def _with_turn(metadata: CheckpointMetadata, turn: int) -> CheckpointMetadata:
    marked: Any = {**metadata, TURN_KEY: turn}
    return marked  # type: ignore[no-any-return] # LangGraph keeps unknown keys of the metadata


def _without_ours(config: RunnableConfig) -> RunnableConfig:
    conf = {
        key: value
        for key, value in config["configurable"].items()
        if key not in (SESSION_KEY, EPOCH_KEY)
    }
    return {**config, "configurable": conf}
