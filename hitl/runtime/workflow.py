"""A wrapped graph: starts runs, advances them, and knows the queue of its reviews."""

import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig

from hitl.errors import (
    ConfigurationError,
    HitlError,
    NotFound,
    RunBusy,
    RunStopped,
    SnapshotRefused,
)
from hitl.graph import seam
from hitl.graph.driver import Driver
from hitl.graph.entry import Entry, next_input
from hitl.graph.guard import guarded
from hitl.graph.lg import INITIATOR_KEY
from hitl.graph.loops import before_python_ends, finish
from hitl.graph.moving import Versions
from hitl.graph.savers import fenced_saver
from hitl.graph.session import Wiring
from hitl.graph.signals import Leaving
from hitl.ids import new_id
from hitl.models import RunStatus
from hitl.reviews import (
    AskReport,
    ReviewQueue,
    ShadowReport,
    ask_reports,
    shadow_reports,
    stop_all,
)
from hitl.runtime.over_http import RunsOverHttp
from hitl.runtime.runs import Run
from hitl.serving import engine_for, mounted, prepare

if TYPE_CHECKING:
    from fastapi import APIRouter

_log = logging.getLogger(__name__)


class Workflow:
    """A wrapped graph: starts runs, advances them, and knows the queue of its reviews.

    Attributes:
        graph: The gated compiled graph; an instance of the wrapped graph's class.
        queue: The review queue.
        policy: When it asks.
        notes: What to know before the first run, one sentence each.
    """

    def __init__(
        self,
        base: Any,
        wiring: Wiring,
        *,
        context: Any,
        give_back: Callable[[], None],
        notes: Sequence[str] = (),
    ) -> None:
        self._wiring = wiring
        self._context = context
        self._give_back: Callable[[], None] | None = give_back
        self.store = wiring.store
        self.clock = wiring.clock
        self.name = wiring.workflow
        self.version = wiring.version
        self.policy = wiring.policy
        self._needs_loop = seam.needs_loop(base)
        self.notes: tuple[str, ...] = (*notes, *seam.notes(base, wiring))
        self.queue = ReviewQueue(wiring.store, clock=wiring.clock)
        saver = fenced_saver(wiring.store, serde=wiring.serde)
        self._driver = Driver(wiring, saver, seam.whole_of(base))
        self.versions = Versions(self._driver)
        gated = seam.instrument(base, wiring)
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
    ) -> Run:
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
    ) -> Run:
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
        given = config or RunnableConfig()
        own = dict(given.get("configurable", {}))
        own["thread_id"] = run_id or own.get("thread_id") or new_id("run", self._wiring.clock())
        if by is not None:
            own[INITIATOR_KEY] = by
        return {**given, "configurable": own}

    def run(self, run_id: str) -> Run:
        """Return a run, started here or in another process.

        Raises:
            NotFound: There is no such run.
        """
        self.queue.run(run_id)
        return Run(self, run_id)

    def runs(self, *, status: Collection[RunStatus] = (), limit: int = 50) -> list[Run]:
        """Return this workflow's runs, newest first."""
        found = self.queue.runs(workflow=self.name, status=status, limit=limit)
        return [Run(self, r.id) for r in found]

    def shadow_report(self) -> ShadowReport:
        """Return what would have been asked while this workflow ran in shadow mode; prints well.

        Raises:
            NotFound: No gate of it was passed in shadow mode yet.
        """
        for report in self.store.read(lambda r: shadow_reports(r, workflow=self.name)):
            return report
        raise NotFound("gate of shadow mode in workflow", self.name)

    def ask_report(self) -> AskReport:
        """Return how many questions `hitl.ask` asked, and how many for nothing; prints well.

        Raises:
            NotFound: No step asked one yet.
        """
        for report in self.store.read(lambda r: ask_reports(r, workflow=self.name)):
            return report
        raise NotFound("question of hitl.ask in workflow", self.name)

    def advance(self, run_id: str) -> None:
        """Advance a run until it ends or parks; nothing happens while another advances it.

        It runs in an event loop when it was started in one, or when a step has no other form. A step
        that raises leaves the run `failed`.
        """
        if self.queue.run(run_id).workflow != self.name:
            return None  # another workflow's run in the same store: its own process advances it
        kept = self.store.read(lambda r: r.run_input(run_id))
        try:
            call = self._wiring.serde.loads_typed(kept) if kept else {}
        except SnapshotRefused as refused:
            return self._driver.park(run_id, refused)
        config = self._kept(call.get("config", {}))
        try:
            advance = self._driver.open(run_id, config, wait=0.0)
        except RunBusy:
            return None
        if advance.session.run.status in (RunStatus.DONE, RunStatus.STOPPED):
            self._driver.finish(advance)
            return None
        entry = Entry(advance, lambda: next_input(self._driver, advance))
        return self._drain(entry, in_loop=bool(call.get("in_loop")) or self._needs_loop)

    def _kept(self, config: RunnableConfig) -> RunnableConfig:
        """Return the config a run was started with, without what the graph brings by itself."""
        own = (self.graph.config or {}).get("tags") or ()
        return {**config, "tags": [t for t in config.get("tags", ()) if t not in own]}

    def stop(self, run_id: str | None = None, *, by: str, reason: str = "") -> list[Run]:
        """Stop a run, or all that are running or waiting, and return them.

        What nobody advances is stopped at once; a step under way ends first, and its run stops before
        the next. What waited for a person is withdrawn; what was decided stands.

        Raises:
            RunRefusal: The run has ended, or this actor may not stop it.
            NotFound: There is no such run.
        """
        if run_id is not None:
            return [Run(self, self.queue.stop(run_id, by=by, reason=reason).id)]
        stopped = stop_all(self.queue, workflow=self.name, by=by, reason=reason)
        return [Run(self, r.id) for r in stopped]

    def resume(self, run_id: str, *, by: str) -> Run:
        """Let a run go on that `stop` stopped; with no engine, in this thread until it parks or ends.

        Steps that waited for a person run again and are asked anew, in new reviews; what was decided
        before is not asked again.

        Raises:
            RunRefusal: It was not stopped so, or this actor may not resume it.
            NotFound: There is no such run.
        """
        self.queue.resume(run_id, by=by)
        if not self.is_serving:
            self.advance(run_id)
        return Run(self, run_id)

    def _drain(self, entry: Entry, *, in_loop: bool) -> None:
        kwargs = {"context": self._context}
        try:
            if in_loop:
                finish(_exhaust(self.graph.hitl_astream(entry, kwargs)))
            else:
                for _ in self.graph.hitl_stream(entry, kwargs):
                    pass
        except (RunStopped, Leaving, SnapshotRefused):
            pass
        except HitlError:
            raise
        except Exception:
            if not self._driver.leaving.is_set():
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
            before_python_ends(self._leave)

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
            workflows=[RunsOverHttp(self, self._driver)],
        )
        self.start_engine()
        (on_ready or _tell)(server.url)
        try:
            server.run()
        finally:
            self.close()

    def router(self, *, auth: Callable[..., Any] | None = None) -> "APIRouter":
        """Return the queue, its pages and `/v1`, for your own FastAPI app.

            web.include_router(app.router(auth=current_user), prefix="/approvals")

        Parked runs go on by themselves for as long as that app runs.

        Args:
            auth: A FastAPI dependency that returns the name of who is there, or raises. It guards
                every page, file and request below the prefix, and must not read the body. Decisions
                carry its name.

        Raises:
            ConfigurationError: There is no such dependency.
        """
        if not callable(auth):
            given = "none was given" if auth is None else f"a {type(auth).__name__} was given"
            raise ConfigurationError(
                "`app.router` needs `auth=`, a function FastAPI can depend on that returns the"
                f" reviewer's name or raises; {given}. Without one everybody could decide. For a"
                " queue on this machine alone, `app.serve()` brings its own door."
            )
        return mounted(
            self.queue,
            title=self.name,
            auth=auth,
            serving=self._engine_running,
            workflows=[RunsOverHttp(self, self._driver)],
        )

    @contextmanager
    def _engine_running(self) -> Iterator[None]:
        self.start_engine()
        try:
            yield
        finally:
            self.stop_engine()

    def stop_engine(self) -> None:
        """Advance no parked runs any more; what is under way ends first. Twice is fine."""
        if self._engine is not None:
            self._engine.stop()
            self._engine = None

    def close(self) -> None:
        """Stop the engine, finish what is under way, and let go of the store. Twice is fine."""
        self.stop_engine()
        self._driver.leases.close()
        if self._give_back is not None:
            self._give_back()
            self._give_back = None

    def _leave(self) -> None:
        """Give runs under way back at their next step: the interpreter goes down."""
        if self._engine is not None:
            self._driver.leaving.set()
            self.close()


async def _exhaust(stream: AsyncIterator[Any]) -> None:
    async for _ in stream:
        pass


def _tell(url: str) -> None:
    _log.warning("the queue is at %s", url)
