"""`wrap` puts gates into a LangGraph graph; a `Workflow` starts and advances its runs."""

import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from hitl.errors import ConfigurationError, HitlError, RunBusy, RunNotFinished, RunStopped
from hitl.graph.accuracy import Accuracy
from hitl.graph.driver import Driver
from hitl.graph.entry import Entry, next_input
from hitl.graph.guard import guarded
from hitl.graph.leases import OWNER
from hitl.graph.lg import serde_allowlist
from hitl.graph.loops import finish
from hitl.graph.saver import FencedSaver
from hitl.graph.seam import compiled, instrument, needs_loop, nodes, notes, workflow_version
from hitl.graph.session import Wiring
from hitl.ids import new_id
from hitl.models import MailKind, Outcome, Review, ReviewStatus, RunRecord, RunStatus
from hitl.policy import Checkpoint, EscalationPolicy
from hitl.ports import Clock, Store
from hitl.reviews import ReviewQueue, RunTimeline, utcnow
from hitl.serving import engine_for, prepare
from hitl.stores import open_store

_log = logging.getLogger(__name__)

ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED, RunStatus.NEEDS_ATTENTION})
"""Statuses in which a run does not go on by itself."""

DEFAULT_STORE = "sqlite:///hitl.db"
_SPOT_CHECKS = 0.02


def wrap(
    graph: Any,
    policy: EscalationPolicy | None = None,
    *,
    store: str | Store = DEFAULT_STORE,
    name: str | None = None,
    calibrators: Mapping[str, Callable[[float], float]] | None = None,
    allow_types: Sequence[type] = (),
    context: Any = None,
    clock: Clock = utcnow,
) -> "Workflow":
    """Return `graph` as a workflow with a gate in every step.

    The graph object is not changed. Its checkpoints, reviews and trail are kept in `store`.

    Args:
        graph: A `StateGraph`, a compiled graph, or an agent of `create_agent`; without a
            checkpointer of its own.
        policy: When to ask. None: before steps with `metadata={"effect": True}`, and 2 % spot
            checks.
        store: A store, or its URL; `sqlite:///file.db`, or `sqlite://` for memory.
        name: The workflow's name; the graph's own when None, and "workflow" when it has none.
        calibrators: By step path: a function from reported confidence to P(right). Its `name` and
            `cutoff` attributes are logged when it has them.
        allow_types: Types in the state besides those its schemas name. Anything else in a stored
            snapshot is read back as plain data.
        context: LangGraph's static context for advances that no caller starts.
        clock: Returns the time now, aware, UTC.

    Raises:
        ConfigurationError: The graph, the policy or the store cannot be used; nothing was written.
    """
    base = compiled(graph)
    steps = [n.path for n in nodes(base)]
    rules = policy or _default_policy(base)
    rules.check(steps)
    for checkpoint in calibrators or {}:
        if checkpoint not in steps:
            raise ConfigurationError(
                f"A calibrator names step {checkpoint!r}; the graph has {', '.join(map(repr, sorted(steps)))}."
            )
    title = name or _name_of(base)
    opened = open_store(store, clock=clock) if isinstance(store, str) else store
    return Workflow(
        base,
        _wiring(base, rules, opened, clock, title, calibrators or {}, allow_types),
        context=context,
    )


def _name_of(graph: Any) -> str:
    own = str(graph.get_name())
    return "workflow" if own in ("LangGraph", "Pregel") else own


def _default_policy(graph: Any) -> EscalationPolicy:
    effects = [n.path for n in nodes(graph) if (n.graph.nodes[n.name].metadata or {}).get("effect")]
    return EscalationPolicy(
        "default",
        spot_check=_SPOT_CHECKS,
        checkpoints=[Checkpoint(p, place="before", always=True) for p in effects],
    )


def _wiring(
    graph: Any,
    policy: EscalationPolicy,
    store: Store,
    clock: Clock,
    name: str,
    calibrators: Mapping[str, Callable[[float], float]],
    allow_types: Sequence[type],
) -> Wiring:
    secret = store.write(lambda t: t.set_setting("coin.secret", secrets.token_hex(32)))
    key_id = store.write(lambda t: t.set_setting("coin.key_id", secrets.token_hex(4)))
    store.write(lambda t: t.break_leases(keep_owner=OWNER))
    store.write(lambda t: t.save_policy(policy.content_hash, policy.body()))
    return Wiring(
        workflow=name,
        version=workflow_version(graph),
        policy=policy,
        policy_hash=policy.content_hash,
        store=store,
        clock=clock,
        serde=JsonPlusSerializer(allowed_msgpack_modules=serde_allowlist(graph, allow_types)),
        secret=bytes.fromhex(secret),
        key_id=key_id,
        accuracy=Accuracy(name, policy, store, clock, calibrators),
    )


class Workflow:
    """A wrapped graph: starts runs, advances them, and knows the queue of its reviews.

    Attributes:
        graph: The gated compiled graph; an instance of the wrapped graph's class.
        queue: The review queue.
        policy: When it asks.
        notes: What to know before the first run, one sentence each.
    """

    def __init__(self, base: Any, wiring: Wiring, *, context: Any) -> None:
        self._wiring = wiring
        self._context = context
        self.store = wiring.store
        self.name = wiring.workflow
        self.version = wiring.version
        self.policy = wiring.policy
        self._needs_loop = needs_loop(base)
        self.notes: tuple[str, ...] = tuple(notes(base, wiring))
        self.queue = ReviewQueue(wiring.store, clock=wiring.clock)
        saver = FencedSaver(wiring.store, serde=wiring.serde)
        self._driver = Driver(wiring, saver)
        gated = instrument(base, wiring)
        gated.checkpointer = saver
        self.graph = guarded(gated, self._driver)
        self._engine: Any = None
        for note in self.notes:
            _log.info("%s", note)

    # -- LangGraph's own ways in ----------------------------------------------------------------

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """See LangGraph's `invoke`. A parked run returns with `__interrupt__`.

        Raises:
            RunStopped: The run was stopped by decision, or needs attention.
        """
        return self.graph.invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        """See `invoke`."""
        return await self.graph.ainvoke(input, config, **kwargs)

    def stream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        """See LangGraph's `stream`."""
        return self.graph.stream(input, config, **kwargs)  # type: ignore[no-any-return]

    def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        """See LangGraph's `astream`."""
        return self.graph.astream(input, config, **kwargs)  # type: ignore[no-any-return]

    # -- runs -----------------------------------------------------------------------------------

    def start(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        run_id: str | None = None,
        by: str | None = None,
        **kwargs: Any,
    ) -> "Run":
        """Start a run, or give a finished one new input; return when it ends or parks.

        A step that raises leaves the run `failed`, with the error in `run.reason`.

        Args:
            input: The graph's input.
            config: LangGraph's config.
            run_id: The run's id; a new one when None.
            by: Who starts it; may not decide its reviews.
            kwargs: LangGraph's other arguments, such as `context`.
        """
        ready = self._ready(config, run_id, by)
        run = Run(self, ready["configurable"]["thread_id"])
        try:
            self.graph.invoke(input, ready, **kwargs)
        except RunStopped:
            pass
        except HitlError:
            raise
        except Exception:
            _log.exception("a step raised", extra={"run_id": run.id})
        return run

    async def astart(
        self,
        input: Any,
        config: RunnableConfig | None = None,
        *,
        run_id: str | None = None,
        by: str | None = None,
        **kwargs: Any,
    ) -> "Run":
        """See `start`."""
        ready = self._ready(config, run_id, by)
        run = Run(self, ready["configurable"]["thread_id"])
        try:
            await self.graph.ainvoke(input, ready, **kwargs)
        except RunStopped:
            pass
        except HitlError:
            raise
        except Exception:
            _log.exception("a step raised", extra={"run_id": run.id})
        return run

    def _ready(
        self, config: RunnableConfig | None, run_id: str | None, by: str | None
    ) -> RunnableConfig:
        merged = ensure_config(config)
        own = dict(merged.get("configurable", {}))
        own["thread_id"] = run_id or own.get("thread_id") or new_id("run", self._wiring.clock())
        if by is not None:
            own["hitl_initiator"] = by
        return {**merged, "configurable": own}

    def run(self, run_id: str) -> "Run":
        """Return a run, started here or in another process.

        Raises:
            NotFound: There is no such run.
        """
        self.queue.run(run_id)
        return Run(self, run_id)

    def runs(self, *, status: Collection[RunStatus] = (), limit: int = 50) -> list["Run"]:
        """Return this workflow's runs, newest first."""
        found = self.queue.runs(workflow=self.name, status=status, limit=limit)
        return [Run(self, r.id) for r in found]

    def advance(self, run_id: str) -> None:
        """Advance a run until it ends or parks; nothing happens while another advances it.

        It runs in an event loop when it was started in one, or when a step has no other form. A step
        that raises leaves the run `failed`.
        """
        if self.queue.run(run_id).workflow != self.name:
            return  # another workflow's run in the same store: its own process advances it
        kept = self.store.read(lambda r: r.run_input(run_id))
        call = self._wiring.serde.loads_typed(kept) if kept else {}
        config = ensure_config(call.get("config"))
        try:
            advance = self._driver.open(run_id, config, wait=0.0)
        except RunBusy:
            return
        if advance.session.run.status in (RunStatus.DONE, RunStatus.STOPPED):
            self._driver.finish(advance)
            return
        entry = Entry(advance, lambda: next_input(self._driver, advance))
        self._drain(entry, in_loop=bool(call.get("in_loop")) or self._needs_loop)

    def _drain(self, entry: Entry, *, in_loop: bool) -> None:
        kwargs = {"context": self._context}
        try:
            if in_loop:
                finish(_exhaust(self.graph.hitl_astream(entry, kwargs)))
            else:
                for _ in self.graph.hitl_stream(entry, kwargs):
                    pass
        except RunStopped:
            pass
        except HitlError:
            raise
        except Exception:
            _log.exception("a step raised", extra={"run_id": entry.advance.session.run.id})

    # -- serving --------------------------------------------------------------------------------

    @property
    def is_serving(self) -> bool:
        """Whether this process advances parked runs by itself."""
        return self._engine is not None

    def start_engine(self) -> None:
        """Advance parked runs in the background from now on."""
        if self._engine is None:
            self._engine = engine_for(self.store, self._wiring.clock, self.advance, self.queue)

    def serve(
        self,
        *,
        port: int = 8700,
        reviewer: str = "you",
        extra_routers: Sequence[Any] = (),
        on_ready: Callable[[str], None] | None = None,
    ) -> None:
        """Serve the queue on 127.0.0.1 and advance parked runs, until interrupted.

        Args:
            port: 0 takes a free one.
            reviewer: The name decisions on the pages carry.
            extra_routers: FastAPI routers mounted beside the pages.
            on_ready: Called with the URL (one-time token included) once the port is bound.
        """
        server = prepare(
            self.queue,
            self.store,
            title=self.name,
            port=port,
            reviewer=reviewer,
            extra_routers=extra_routers,
        )
        self.start_engine()
        (on_ready or _tell)(server.url)
        try:
            server.run()
        finally:
            self.close()

    def close(self) -> None:
        """Stop the engine, finish what is under way, and close the store."""
        if self._engine is not None:
            self._engine.stop()
            self._engine = None
        self._driver.leases.close()
        self.store.close()


async def _exhaust(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


def _tell(url: str) -> None:
    _log.warning("the queue is at %s", url)


class Run:
    """A handle on one run. It holds no state: every attribute is read from the store."""

    def __init__(self, workflow: Workflow, run_id: str) -> None:
        self._workflow = workflow
        self.id = run_id

    def __repr__(self) -> str:
        return f"<Run {self.id} {self.status.value}>"

    @property
    def record(self) -> RunRecord:
        """The run as it stands."""
        return self._workflow.queue.run(self.id)

    @property
    def status(self) -> RunStatus:
        """Where it stands."""
        return self.record.status

    @property
    def reason(self) -> str:
        """Why it failed, stopped or needs attention; empty otherwise."""
        return self.record.reason

    @property
    def reliability(self) -> float:
        """P(everything since the last reset is right), over the steps whose p is known, in [0, 1]."""
        return self.record.reliability

    @property
    def value(self) -> Any:
        """What the graph returned.

        Raises:
            RunNotFinished: It is not done.
        """
        record = self.record
        if record.status is not RunStatus.DONE:
            raise RunNotFinished(self.id, record.status.value)
        values = self._workflow.graph.get_state(self.config).values
        wanted = self._workflow.graph.output_channels
        if isinstance(wanted, str) or not isinstance(values, dict):
            return values
        return {key: values[key] for key in wanted if key in values}

    @property
    def config(self) -> RunnableConfig:
        """LangGraph's config of the run's thread."""
        return {"configurable": {"thread_id": self.id}}

    def reviews(self, *, pending: bool = True) -> list[Review]:
        """Return its reviews: those that wait, or all of them."""
        status = (ReviewStatus.PENDING,) if pending else ()
        return self._workflow.queue.reviews(run_id=self.id, status=status, limit=1000)

    def timeline(self) -> RunTimeline:
        """Return everything that happened in it: reliability after each step, and what it rests on."""
        return self._workflow.queue.timeline(self.id)

    def outcome(self, *, good: bool, step: str | None = None, note: str = "") -> Outcome:
        """Record whether the run led to something good; silence means unknown."""
        return self._workflow.queue.outcome(self.id, good=good, step=step, note=note)

    def retry(self) -> RunStatus:
        """Advance a failed run again from where it failed, in this thread."""
        now = self._workflow._wiring.clock()
        key = new_id("retry", now)
        self._workflow.store.write(
            lambda t: t.put_mail(self.id, MailKind.WAKE, key=key, due_at=now)
        )
        self._workflow.advance(self.id)
        return self.status

    def wait(self, timeout: float | None = None) -> RunStatus:
        """Wait until the run ends, and return its status; after `timeout` seconds as it then is.

        With no engine in this process it advances the run in this thread.
        """
        give_up = None if timeout is None else time.monotonic() + timeout
        changed = threading.Event()
        unsubscribe = self._workflow.store.on_mail(changed.set)
        try:
            while True:
                changed.clear()
                status = self._step()
                left = _POLL if give_up is None else give_up - time.monotonic()
                if status in ENDED or left <= 0:
                    return status
                changed.wait(min(_POLL, left))
        finally:
            unsubscribe()

    def _step(self) -> RunStatus:
        workflow = self._workflow
        if not workflow.is_serving:
            workflow.queue.sweep()
            now = workflow._wiring.clock()
            while workflow.store.read(lambda r: r.mail(self.id, now=now)):
                before = self.record
                workflow.advance(self.id)
                if self.record == before:
                    break
        return self.status


_POLL = 0.1
"""Seconds between looks at a run that somebody else advances."""
