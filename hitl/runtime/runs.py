"""A handle on one run, in this process or a later one."""

import threading
import time
from typing import Any, Protocol

from langchain_core.runnables import RunnableConfig

from hitl.errors import RunNotFinished
from hitl.graph.moving import VersionChange, Versions
from hitl.ids import new_id
from hitl.models import MailKind, Outcome, Review, ReviewStatus, RunRecord, RunStatus
from hitl.ports import Clock, Store
from hitl.reviews import ReviewQueue, RunTimeline

ENDED = frozenset({RunStatus.DONE, RunStatus.FAILED, RunStatus.STOPPED, RunStatus.NEEDS_ATTENTION})
"""Statuses in which a run does not go on by itself."""

_POLL = 0.1
"""Seconds between looks at a run that somebody else advances."""


class Advancing(Protocol):
    """What a run needs of its workflow."""

    queue: ReviewQueue
    store: Store
    graph: Any
    clock: Clock
    versions: Versions

    @property
    def is_serving(self) -> bool:
        """Whether this process advances parked runs by itself."""
        ...

    def advance(self, run_id: str) -> None:
        """Advance a run until it ends or parks."""
        ...


class Run:
    """A handle on one run. It holds no state: every attribute is read from the store."""

    def __init__(self, workflow: Advancing, run_id: str) -> None:
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
    def notes(self) -> tuple[str, ...]:
        """What hitl noticed about the run, e.g. that its state grows with each step."""
        return self.record.notes

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
        now = self._workflow.clock()
        key = new_id("retry", now)
        self._workflow.store.write(
            lambda t: t.put_mail(self.id, MailKind.WAKE, key=key, due_at=now)
        )
        self._workflow.advance(self.id)
        return self.status

    def migrate(self, *, by: str, dry_run: bool = False) -> VersionChange:
        """Go on where it is with this version of workflow and policy, and return what that means.

        What was withdrawn is asked anew; what was decided is carried out. With no engine in this
        process, `wait` advances it.

        Args:
            by: Who takes it on.
            dry_run: Only tell what would happen.

        Raises:
            RunRefusal: It has ended, a step it stands at is gone, or this actor may not.
        """
        return self._workflow.versions.migrate(self.id, by=by, dry_run=dry_run)

    def restart(self, *, by: str, dry_run: bool = False) -> VersionChange:
        """Go back to the newest state that a person verified, or to the input, with this version.

        Raises:
            RunRefusal: It has ended, an effect that happened lies in between, or this actor may not.
        """
        return self._workflow.versions.restart(self.id, by=by, dry_run=dry_run)

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
            now = workflow.clock()
            while workflow.store.read(lambda r: r.mail(self.id, now=now)):
                before = self.record
                workflow.advance(self.id)
                if self.record == before:
                    break
        return self.status
