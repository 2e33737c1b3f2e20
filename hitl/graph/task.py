"""One execution of a gated step: where it stands in the run, and what it asks the store for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from langchain_core.runnables import Runnable, RunnableConfig

from hitl.canonical import content_hash
from hitl.errors import ConfigurationError
from hitl.graph.answers import AnswerForm
from hitl.graph.context import Current, enclosing
from hitl.graph.lg import (
    ABOVE_KEY,
    BASE_KEY,
    SESSION_KEY,
    SHARD_KEY,
    TaskFacts,
    read_channel,
    task_facts,
)
from hitl.graph.presentation import input_view, tool_calls
from hitl.graph.session import Session, Wiring, Work, attempts_before, opened_at
from hitl.graph.takeover import Whole
from hitl.graph.view import view_of
from hitl.models import (
    Decision,
    Denial,
    JsonObject,
    Place,
    ProposalKey,
    Review,
    StepName,
    StoredProposal,
)
from hitl.models.reviews import FAN_OUT
from hitl.policy import Checkpoint, Remedy, plain, resolve
from hitl.reliability import Standing, Write
from hitl.remedy import Used, deadline

OF_TASK = "call"
"""In a write to the private channel: which call of a `@task` it is of."""


@dataclass(frozen=True, slots=True)
class GateSpec:
    """What is known about a gate when the graph is wrapped."""

    wiring: Wiring
    path: str
    """Step path: `"mid/sub/step"`."""
    name: str
    body: Runnable[Any, Any]
    is_graph: bool
    """Whether the body is a child graph with gates of its own."""
    resumes: bool
    """Whether a try after an error goes on in that graph where it failed, because a gate in it may
    have asked: what a person said yes to must not be lost. LangGraph would start the graph anew."""
    fields: tuple[str, ...]
    """The state's fields, in the graph's order; empty when the state is one value."""
    reads_all: bool
    """Whether the step is given its graph's whole state: only then can a yes cover the prefix."""
    hands_all: bool
    """Whether the body is a child graph that takes all of its parent's state."""
    form: AnswerForm
    appending: frozenset[str]
    after: tuple[Checkpoint, ...]
    """What is declared after the step; a plain checkpoint when nothing is declared at all."""
    before: tuple[Checkpoint, ...]
    whole: Whole
    onward: tuple[str, ...] = ()
    """Steps that may follow it in the run, as far as the graph says; left out where the policy lets
    nobody take over."""
    calls: "Callable[[Attempt], Inside] | None" = None
    """What stands between a body and the `@task`s it calls, each of which is gated; None for bodies
    whose tasks are not."""

    @property
    def holds_gates(self) -> bool:
        """Whether the body may have gates in it: those of a child graph, or of tasks it calls."""
        return self.is_graph or self.calls is not None

    @property
    def places(self) -> tuple[Place, ...]:
        """Where the gates of this step stand."""
        return (Place.BEFORE,) * bool(self.before) + (Place.AFTER,) * bool(self.after)


class Inside(Protocol):
    """The `@task`s that one execution of a body calls."""

    def entered(self, config: RunnableConfig) -> RunnableConfig:
        """Return the config under which the body calls its tasks through their gates."""

    def standing(self) -> Standing | None:
        """Return what the tasks came to; None when there were none."""

    def wait(self) -> None:
        """Return when every task that was called is over."""

    async def await_all(self) -> None:
        """See `wait`."""

    def end(self, raised: Exception | None = None) -> None:
        """Raise what a gate in a task raised: a body that catches everything must not swallow a no.

        Args:
            raised: What the body ended with, if not with a value.
        """


Level = tuple[str, int, str]
"""A graph of a run that is under way: its path (empty for the root), its shard, its snapshot."""


@dataclass(frozen=True, slots=True)
class RunBody:
    """A request of the gate to its shell: run the step's body."""

    state: Any
    config: RunnableConfig
    current: Current
    inside: Inside | None = None
    """The tasks it calls; None where they are not gated."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What the body did."""

    value: Any
    """What it returned, or the Command it handed to the parent graph."""
    handed_off: bool = False
    child: Standing | None = None
    """The standing of the child graph, or of the tasks it called; None for other bodies."""
    seconds: float | None = None
    work: tuple[Work, ...] = ()
    """What the child's task that handed off would have committed: it has no commit of its own."""


class GatedTask:
    """One task of a gated node: its identity, its standing, its history of noes."""

    def __init__(self, spec: GateSpec, config: RunnableConfig, state: Any) -> None:
        self.spec = spec
        self.config = config
        self.state = state
        self.session = _session(spec, config)
        self.facts: TaskFacts = task_facts(config)
        self.commits_as = self.facts.task_id
        """Under which id LangGraph stores its writes."""
        self.began: datetime = self.session.wiring.clock()

    @cached_property
    def standing(self) -> Standing:
        """How sure the run is before this superstep, the parent's prefix included."""
        own = turn_standing(read_channel(self.config), self.session.run.turn)
        base = self.config["configurable"].get(BASE_KEY)
        return own.under(Standing.load(base)) if base else own

    @cached_property
    def shown(self) -> tuple[JsonObject, int]:
        """The input as a reviewer sees it, and how many parts are left out.

        Taken once: a body that changes its input in place must not change its effect's key.
        """
        return shown_input(self.spec, self.state)

    def name(self, place: Place) -> StepName:
        """Return the step's name in this visit."""
        here = self.facts.checkpoint_id
        visit = self.session.visit(self.spec.path, place, here, outer=self.outer)
        return StepName(step=self.spec.path, place=place, visit=visit, shard=self.shard)

    @property
    def shard(self) -> int:
        """Which task of a fan-out it is, the outer fan-outs' numbers included."""
        own = 0 if self.facts.shard is None else self.facts.shard + 1
        return self.outer * FAN_OUT + own

    @property
    def outer(self) -> int:
        """Which task of a fan-out the graph around it is; 0 for none."""
        return int(self.config["configurable"].get(SHARD_KEY, 0))

    @property
    def asked_with(self) -> str:
        """What its proposal is bound to besides the task: the arguments of a `@task`; "" for none."""
        return ""

    def written(self, total: Write) -> dict[str, Any]:
        """Return what goes into the private channel when the task commits."""
        return {"turn": self.session.run.turn, "write": total.dump()}

    @property
    def level(self) -> Level:
        """The graph this task is in, as it stands."""
        graph = self.spec.path.removesuffix(self.spec.name).rstrip("/")
        return graph, self.outer, self.facts.checkpoint_id

    @property
    def above(self) -> tuple[Level, ...]:
        """The graphs around its own whose state it was given, the nearest first."""
        found: tuple[Level, ...] = self.config["configurable"].get(ABOVE_KEY, ())
        return found

    @property
    def through(self) -> bool:
        """Whether its graph was given all that its parent graph knew."""
        return bool(self.above)

    def inside(self) -> dict[str, Any]:
        """Return what its child graph's tasks must know of it."""
        whole = self.spec.hands_all and self.sees_prefix()
        return {
            BASE_KEY: self.standing.dump(),
            SHARD_KEY: self.shard,
            ABOVE_KEY: (self.level, *self.above) if whole else (),
        }

    def with_handoff(self, ran: Ran) -> Ran:
        """Return what the body did, a child graph's handing-off task counted in."""
        if not ran.handed_off:
            return ran
        work, writes = self.session.adopt(self.commits_as, self.facts.checkpoint_ns)
        child = ran.child
        for write in writes:
            child = (child or Standing()).then(write)
        return replace(ran, child=child, work=work)

    def sees_prefix(self) -> bool:
        """Return whether this task was given everything its graph knew."""
        return self.spec.reads_all and self.facts.shard is None


@dataclass(frozen=True)
class Attempt:
    """One attempt of a gated task at one place."""

    task: GatedTask
    place: Place
    name: StepName
    denied: Sequence[tuple[Review, Decision]]
    number: int
    checkpoints: tuple[Checkpoint, ...]
    """Those that count for what is proposed here, the one that leads first; at least one."""
    denials: tuple[Denial, ...] = field(default=())

    @classmethod
    def of(cls, task: GatedTask, place: Place) -> "Attempt":
        """Return the attempt that is due."""
        name = task.name(place)
        denied = task.session.denied(name)
        return cls(
            task=task,
            place=place,
            name=name,
            denied=denied,
            number=1 + attempts_before(denied, task.facts.task_id),
            checkpoints=_applying(task.spec, place, task.state) or (plain(name.step, place),),
            denials=task.session.denials(name),
        )

    @property
    def key(self) -> ProposalKey:
        """Where the attempt's proposal is kept when it is withheld."""
        return ProposalKey(
            run_id=self.task.session.run.id,
            task_id=self.task.facts.task_id,
            place=self.place,
            attempt=self.number,
        )

    @property
    def withheld(self) -> StoredProposal | None:
        """The attempt's proposal, when it was withheld before."""
        session = self.task.session
        return session.proposal(self.key) if session.withholds else None

    @property
    def ladder(self) -> tuple[Remedy, ...]:
        """The remedies a no may lead to, in order."""
        return self.checkpoints[0].on_deny

    @property
    def used(self) -> tuple[Used, ...]:
        """The remedies this visit has used."""
        return tuple(
            Used(kind=decision.remedy, at=decision.decided_at)
            for _, decision in self.denied
            if decision.remedy is not None
        )

    def current(self, rollout: int = 0) -> Current:
        """Return what `hitl.current()` says while this attempt's body runs, for the nth time."""
        return Current(
            run_id=self.task.session.run.id,
            step=self.name.step,
            visit=self.name.visit,
            attempt=self.number,
            keyed=self._effect_key,
            ends=self._deadline,
            released_by=self._review_before,
            rollout=rollout,
            denials=self._heard(),
            name=self.name,
        )

    def _review_before(self) -> str | None:
        stored = Attempt.of(self.task, Place.BEFORE).withheld
        return None if stored is None else stored.review_id

    def _heard(self) -> tuple[Denial, ...]:
        """Return the noes that reach the body: a no to a child graph is heard by its steps."""
        outer = enclosing(self.task.session.run.id)
        if outer is None or not outer.denials:
            return self.denials
        return tuple(sorted({*outer.denials, *self.denials}, key=lambda d: d.at))

    def _deadline(self) -> datetime | None:
        wiring = self.task.session.wiring
        opened = opened_at(list(self.denied), wiring.clock())
        return deadline(self.ladder, opened_at=opened, timezone=wiring.policy.timezone)

    def _effect_key(self) -> str:
        return effect_key(self.task.session.run.id, self.name, self.task.shown[0])


def shown_input(spec: GateSpec, state: Any) -> tuple[JsonObject, int]:
    """Return what is put before the reviewer of a step that has not run."""
    here = _applying(spec, Place.BEFORE, state)
    shows = next((c.shows for c in here if c.shows is not None), None)
    if shows is None:
        return input_view(state)
    shown, elided = view_of(resolve(shows)(state))
    return shown if isinstance(shown, dict) else {"input": shown}, elided


def called(state: Any) -> tuple[str, ...]:
    """Return the names of the tools that a tool node would call on `state`."""
    return tuple(str(call["name"]) for call in tool_calls(state))


def _applying(spec: GateSpec, place: Place, state: Any) -> tuple[Checkpoint, ...]:
    return spec.wiring.policy.applying(spec.path, place, calls=called(state))


def effect_key(run_id: str, name: StepName, action: JsonObject) -> str:
    """Return the idempotency key of an effect: SHA-256 of run, step, visit and canonical action."""
    return content_hash(
        {
            "run": run_id,
            "step": name.step,
            "visit": name.visit,
            "shard": name.shard,
            "action": action,
        }
    )


def turn_standing(value: dict[str, Any], turn: int) -> Standing:
    """Return the standing kept in the channel; a new input opens a turn at 1."""
    if value.get("turn") != turn:
        return Standing()
    return Standing.load({k: v for k, v in value.items() if k != "turn"})


def add_to_channel(value: dict[str, Any], write: dict[str, Any]) -> dict[str, Any]:
    """Reduce one task's write into the private channel: LangGraph's reducer signature."""
    if not write or OF_TASK in write:
        return value  # a `@task`'s: the body that called it writes what all of them came to
    turn = write["turn"]
    own = turn_standing(value, turn)
    return {"turn": turn, **own.then(Write.load(write["write"])).dump()}


def _session(spec: GateSpec, config: RunnableConfig) -> Session:
    session = config.get("configurable", {}).get(SESSION_KEY)
    if not isinstance(session, Session):
        raise ConfigurationError(
            f"Step {spec.path!r} is gated, but this graph was not started through hitl; nothing was"
            " run. Use `app.start`, `app.invoke` or `app.run`."
        )
    return session
