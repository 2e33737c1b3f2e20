"""The gated graph as callers see it: LangGraph's own methods, with the driver in front of them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.pregel import Pregel

from hitl.errors import ConfigurationError, RunStopped
from hitl.graph.driver import Advance, Driver
from hitl.graph.entry import Entry, enter, next_input, refuse_old_snapshot, updated_by_hand
from hitl.graph.lg import (
    CHECKPOINTER_KEY,
    EPOCH_KEY,
    INITIATOR_KEY,
    SESSION_KEY,
    merged_config,
    shallow_copy,
    with_configurable,
)
from hitl.graph.pinned import check_version
from hitl.graph.signals import NeedsAttention
from hitl.models import RunStatus


class Guarded(Pregel[Any, Any, Any, Any]):
    """Mixed in before the compiled graph's own class; `hitl_driver` is set on the subclass."""

    hitl_driver: Driver

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """See LangGraph. Opens an advance; durability is always "sync"."""
        if self._is_inside(config):
            yield from super().stream(input, config, **kwargs)
            return
        entry = self._enter(input, config)
        yield from self.hitl_stream(entry, kwargs)

    def hitl_stream(self, entry: Entry, kwargs: dict[str, Any]) -> Iterator[Any]:
        """Stream an advance that is open, over rollbacks, to its end; record how it ended."""
        kwargs["durability"] = "sync"
        while True:
            advance = entry.advance
            with self.hitl_driver.advancing(advance):
                yield from super().stream(self._input_of(entry), advance.config, **kwargs)
            if not advance.again:
                break
            entry = self._reopen(advance)
        _raise_halt(advance)

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """See `stream`."""
        if self._is_inside(config):
            async for chunk in super().astream(input, config, **kwargs):
                yield chunk
            return
        entry = await asyncio.to_thread(self._enter, input, config, in_loop=True)
        async for chunk in self.hitl_astream(entry, kwargs):
            yield chunk

    async def hitl_astream(self, entry: Entry, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
        """See `hitl_stream`."""
        kwargs["durability"] = "sync"
        while True:
            advance = entry.advance
            async with self.hitl_driver.aadvancing(advance):
                given = await asyncio.to_thread(self._input_of, entry)
                async for chunk in super().astream(given, advance.config, **kwargs):
                    yield chunk
            if not advance.again:
                break
            entry = await asyncio.to_thread(self._reopen, advance)
        _raise_halt(advance)

    def _input_of(self, entry: Entry) -> Any:
        """Return what LangGraph is given, unless a deploy changed what the run stands at."""
        check_version(self.hitl_driver, entry.advance)
        return entry.input()

    def _enter(self, input: Any, config: RunnableConfig | None, *, in_loop: bool = False) -> Entry:
        merged = merged_config(self.config, config)
        self._refuse_foreign_saver(config)
        initiator = merged["configurable"].pop(INITIATOR_KEY, None)
        entry = enter(self.hitl_driver, input, merged, initiator=initiator, in_loop=in_loop)
        entry.advance.config = _given(config, entry.advance)
        return entry

    def _is_inside(self, config: RunnableConfig | None) -> bool:
        """Return whether a step of this workflow calls its own graph.

        Raises:
            ConfigurationError: A step of another wrapped workflow calls, with no thread for it.
        """
        session = merged_config(config)["configurable"].get(SESSION_KEY)
        if session is not None and session.wiring is not self.hitl_driver.wiring:
            raise ConfigurationError(
                f"Workflow {self.hitl_driver.wiring.workflow!r} was called inside a step of run"
                f" {session.run.id!r}, another wrapped workflow; nothing was run. Give the call a"
                " thread of its own, or make the unwrapped graph a step."
            )
        return session is not None

    def _refuse_foreign_saver(self, config: RunnableConfig | None) -> None:
        brought = (config or {}).get("configurable", {}).get(CHECKPOINTER_KEY)
        used = self.checkpointer if brought is None else brought
        if used is not self.hitl_driver.saver:
            raise ConfigurationError(
                f"This gated graph was given another checkpointer ({used!r}); what is"
                " approved is kept with hitl's own snapshots, so nothing was run. Name the database"
                " in `wrap(store=...)` and leave the graph's checkpointer alone."
            )

    def _reopen(self, advance: Advance) -> Entry:
        """Go on after a rollback, or with nothing left to do after a completion by hand."""
        again = self.hitl_driver.open(advance.session.run.id, advance.config)
        return Entry(again, lambda: next_input(self.hitl_driver, again))

    def bulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[Any]]
    ) -> RunnableConfig:
        """See LangGraph. Supersedes what waits, is audited, and voids the verified snapshot."""
        if self._is_inside(config):
            return super().bulk_update_state(config, supersteps)
        advance = self._taken_for_update(config)
        try:
            return super().bulk_update_state(advance.config, supersteps)
        finally:
            self.hitl_driver.give_back(advance)

    async def abulk_update_state(
        self, config: RunnableConfig, supersteps: Sequence[Sequence[Any]]
    ) -> RunnableConfig:
        """See `bulk_update_state`."""
        if self._is_inside(config):
            return await super().abulk_update_state(config, supersteps)
        advance = await asyncio.to_thread(self._taken_for_update, config)
        try:
            return await super().abulk_update_state(advance.config, supersteps)
        finally:
            await asyncio.to_thread(self.hitl_driver.give_back, advance)

    def _taken_for_update(self, config: RunnableConfig) -> Advance:
        self._refuse_foreign_saver(config)
        driver, merged = self.hitl_driver, merged_config(self.config, config)
        conf = merged["configurable"]
        refuse_old_snapshot(driver, conf)
        driver.adopt(str(conf["thread_id"]))
        advance = driver.open(str(conf["thread_id"]), merged)
        advance.session.with_snapshot = updated_by_hand(advance.session, actor="operator")
        return advance


def guarded(graph: Pregel[Any, Any, Any, Any], driver: Driver) -> Any:
    """Return `graph` with the driver in front of its methods; it stays an instance of its class."""
    kind = type(graph)
    driver.graph = shallow_copy(graph)
    graph.__class__ = type(kind.__name__, (Guarded, kind), {"hitl_driver": driver})
    driver.snapshot_of = lambda config: graph.get_state(config, subgraphs=True)
    return graph


def _given(config: RunnableConfig | None, advance: Advance) -> RunnableConfig:
    """Return the caller's config with what makes it an advance; LangGraph merges it with its own."""
    ours = advance.config["configurable"]
    keys = {key: ours[key] for key in ("thread_id", SESSION_KEY, EPOCH_KEY)}
    given = with_configurable(config or {}, **keys)
    given["configurable"].pop(INITIATOR_KEY, None)
    return given


def _raise_halt(advance: Advance) -> None:
    if advance.halted is not None and not advance.again:
        attention = isinstance(advance.halted, NeedsAttention)
        status = RunStatus.NEEDS_ATTENTION if attention else RunStatus.STOPPED
        raise RunStopped(advance.session.run.id, status.value, advance.halted.sentence)
