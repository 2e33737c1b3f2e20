"""A checkpoint: a declared place to ask, when, and what follows."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, field_serializer, model_validator

from hitl.errors import ConfigurationError
from hitl.models import Covers, Duration, JsonObject, Place, Record, RemedyKind
from hitl.policy.doubt import MOST_TRIES, Critic, Doubt, Judge, Rollouts
from hitl.policy.fields import Chance, Cost, Count, Span, built, fields_among
from hitl.policy.functions import Function, reference
from hitl.policy.patterns import is_of_tools, is_pattern, is_unfinished
from hitl.policy.remedies import Answer, Remedy, Retry, Stop, Takeover
from hitl.policy.times import format_duration

DONE = "done"
"""What the checkpoint of a run's end is called."""

Rule = Callable[[JsonObject], str | bool | None]
"""Given the proposal's arguments: True or a sentence to ask, anything false to stay silent."""


class Checkpoint(Record):
    """A declared place in a workflow: when to ask a person, what follows a no, by when.

    Every trigger that is set is looked at, and each that fires is recorded. A checkpoint without a
    trigger says what happens when a trigger of the whole policy fires there.

    Example:
        Checkpoint("read_amount", confidence_below=0.90, on_deny=[Retry(3, within="2h"), Stop()])
    """

    step: str
    """Path of the step: `"pay"`, or `"mid/sub/pay"` inside subgraphs. Or a pattern, which stands
    for all steps it matches: `"*/send_*"`, `"tag:effect"`; or for tool calls: `"tool:send_*"`,
    `"tool:tag:effect"`. An exact path wins over patterns of steps."""
    place: Place = Place.AFTER
    """`after`: the step's writes are withheld. `before`: it has not run; for effects. Tool calls
    are always asked about before they run."""
    always: bool = False
    confidence_below: Chance | None = None
    """Ask when the step's p is below this, or when no p is known; None for no such trigger."""
    reliability_below: Chance | None = None
    """Ask when the run's reliability, this step included, is below this, or is not fully known."""
    rule: Function | None = None
    """A `Rule`, or its name `"module:function"`."""
    every: Annotated[Count, Field(ge=1)] | None = None
    """Ask when this many steps, this one included, went unverified since the last reset."""
    cost_above: Cost | None = None
    """Ask when the steps since the last reset, this one included, cost more than this. A step costs
    what it reports, else its `step_cost`, else nothing."""
    time_above: Span | None = None
    """Ask when more wall time than this has gone by since the first step after the last reset
    began; waiting for people counts."""
    effects_above: Annotated[Count, Field(ge=0)] | None = None
    """Ask when the run has had more side effects than this since the last reset, this step's
    included; see `EscalationPolicy.effects_of`."""
    spot_check: Chance | None = None
    """Share of unasked steps sent to review anyway; the largest of this and the policy's counts."""
    on_deny: tuple[Remedy, ...] = ()
    """What a no may lead to; the first with budget left is the default. Stop is always allowed."""
    due_in: Span | None = None
    """When a waiting review is late; None for never."""
    expires_in: Span | None = None
    """When a waiting review ends without a person; None for never."""
    on_expiry: Remedy = Stop()
    """What follows when it does: `Stop()`, `Rollback()` or `Retry()`."""
    covers: Covers | None = None
    """What a yes vouches for; None: everything since the last reset if that was the reason to ask,
    else the step."""
    risk: Literal["low", "medium", "high"] = "low"
    title: str = ""
    """The review's headline; `{name}` is filled from the proposal's arguments."""
    if_approved: str = ""
    if_denied: str = ""
    reasons: tuple[str, ...] = ()
    """What a reviewer may tick for a no."""
    shows: Function | None = None
    """For `before`: a function of the step's input that returns what is put before the reviewer; it
    must determine the effect."""
    on_repeat: Literal["refuse", "ask"] = "refuse"
    """What happens when the same effect is proposed again after a no."""
    accuracy: Chance | None = None
    """Declared P(right) of the step; used when nothing better is known."""
    reversible: bool | None = None
    silent_error_cost: Cost | None = None
    """What a wrong result costs that nobody noticed; logged for later evaluation."""
    rework_cost: Cost | None = None
    step_cost: Cost | None = None
    on_doubt: tuple[Doubt, ...] = ()
    """What the step does by itself before a person is asked, in this order, until the gate would
    let a try pass; see `hitl.policy.doubt`."""
    doubt_within: Span | None = None
    """Nothing of `on_doubt` begins later than this after the first try; None for no limit."""
    doubt_cost: Cost | None = None
    """Nothing of `on_doubt` begins that would not fit into this any more, by what such a try cost
    so far; None for no limit."""
    rollouts: Annotated[Count, Field(ge=1, le=MOST_TRIES)] = 1
    """How many attempts of the step run at once, decided together in one review."""
    rank: Function | None = None
    """Given a try's arguments: a number, the larger the better; orders `rollouts` and what
    `on_doubt` tries. None: by the p they count with."""

    def __init__(
        self,
        step: str,
        *,
        place: Place | Literal["after", "before"] | None = None,
        always: bool = False,
        confidence_below: float | None = None,
        reliability_below: float | None = None,
        rule: Rule | str | None = None,
        every: int | None = None,
        cost_above: float | None = None,
        time_above: Duration | None = None,
        effects_above: int | None = None,
        spot_check: float | None = None,
        on_deny: Sequence[Remedy] | None = None,
        due_in: Duration | None = None,
        expires_in: Duration | None = None,
        on_expiry: Remedy = Stop(),  # noqa: B008 - a frozen value
        covers: Covers | Literal["step", "since_reset"] | None = None,
        risk: Literal["low", "medium", "high"] = "low",
        title: str = "",
        if_approved: str = "",
        if_denied: str = "",
        reasons: Sequence[str] = (),
        shows: Callable[[Any], Any] | str | None = None,
        on_repeat: Literal["refuse", "ask"] = "refuse",
        accuracy: float | None = None,
        reversible: bool | None = None,
        silent_error_cost: float | None = None,
        rework_cost: float | None = None,
        step_cost: float | None = None,
        on_doubt: Sequence[Doubt] = (),
        doubt_within: Duration | None = None,
        doubt_cost: float | None = None,
        rollouts: int = 1,
        rank: Callable[[JsonObject], float] | str | None = None,
    ) -> None:
        values = fields_among(locals(), Checkpoint)
        if place is None:
            place = Place.BEFORE if is_of_tools(str(step)) else Place.AFTER
            values["place"] = place
        if on_deny is None:
            values["on_deny"] = default_ladder(place)
        with built(f"Checkpoint {step!r}"):
            BaseModel.__init__(self, **values)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Checkpoint":
        for problem in _problems(self):
            raise ConfigurationError(f"Checkpoint {self.step!r} {problem}")
        return self

    @field_serializer(
        "due_in", "expires_in", "time_above", "doubt_within", when_used="json-unless-none"
    )
    def _written(self, span: timedelta) -> str:
        return format_duration(span)

    @field_serializer("rule", "shows", "rank", when_used="json-unless-none")
    def _named(self, function: Function) -> str:
        return reference(function)

    def body(self) -> JsonObject:
        """Return the checkpoint as plain data: what it says, functions by name.

        Keys that say nothing are left out, so that a later version's new key does not change the
        hash of a policy that does not use it. Defaults that say something are written.
        """
        return spoken(self, quiet=_QUIET)

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Yield the functions it names, each with the key it stands under."""
        named = (("rule", self.rule), ("shows", self.shows), ("rank", self.rank))
        yield from ((key, function) for key, function in named if function is not None)
        for rung in self.on_doubt:
            if isinstance(rung, Critic | Judge):
                yield rung.kind, rung.function

    @property
    def is_pattern(self) -> bool:
        """Whether `step` is a glob, a tag or a tool, not the path of one step."""
        return is_pattern(self.step)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Checkpoint) and self.body() == other.body()

    def __hash__(self) -> int:
        return hash((self.step, self.place))


def default_ladder(place: str) -> tuple[Remedy, ...]:
    """Return what a no may lead to when the checkpoint does not say."""
    return (Stop(),) if place == Place.BEFORE else (Retry(3), Answer(), Stop())


_QUIET: JsonObject = {
    "always": False,
    "title": "",
    "if_approved": "",
    "if_denied": "",
    "reasons": [],
    "on_doubt": [],
    "rollouts": 1,
}


def spoken(record: Record, *, quiet: JsonObject) -> JsonObject:
    """Return `record` as JSON without None, and without the keys that have their `quiet` value."""
    dumped: JsonObject = record.model_dump(mode="json", exclude_none=True)
    return {key: value for key, value in dumped.items() if (key, value) not in quiet.items()}


def _problems(checkpoint: Checkpoint) -> Iterator[str]:
    if not checkpoint.step.strip():
        yield "names no step; give the step's path."
    if is_unfinished(checkpoint.step):
        yield "does not say which; write it like 'tag:effect' or 'tool:send_*'."
    if is_of_tools(checkpoint.step) and checkpoint.place is Place.AFTER:
        yield (
            "stands for tool calls, which are asked about before they run;"
            " leave `place` out, or name the tool node to look at its results."
        )
    if checkpoint.place not in (Place.AFTER, Place.BEFORE):
        yield f"has place {checkpoint.place.value!r}; it is 'after' or 'before'."
    yield from _problems_of_the_ladder(checkpoint)
    yield from _problems_of_doubt(checkpoint)
    yield from _problems_of_time(checkpoint)
    yield from _problems_of_words(checkpoint)
    for key, function in checkpoint.functions():
        if inspect.iscoroutinefunction(function):
            yield f"has an async function as {key}; a policy takes no time: give a plain function."


def _problems_of_the_ladder(checkpoint: Checkpoint) -> Iterator[str]:
    kinds = [rung.kind for rung in checkpoint.on_deny]
    for kind in kinds:
        if kinds.count(kind) > 1:
            yield f"names {kind.value} twice in on_deny; a remedy stands there once."
    if checkpoint.on_expiry.kind is RemedyKind.ANSWER:
        yield "cannot have Answer as on_expiry: nobody answered. Use Stop or Rollback."
    if checkpoint.on_expiry.kind is RemedyKind.TAKEOVER:
        yield "cannot have Takeover as on_expiry: nobody is there to take over. Use Stop or Rollback."
    retries = RemedyKind.RETRY in (*kinds, checkpoint.on_expiry.kind)
    if checkpoint.place is Place.BEFORE and retries:
        yield (
            "stands before its step and cannot retry: nothing has run yet."
            " Use Answer, Rollback or Stop."
        )


def _problems_of_doubt(checkpoint: Checkpoint) -> Iterator[str]:
    tries = [rung for rung in checkpoint.on_doubt if isinstance(rung, Retry | Rollouts)]
    if tries and checkpoint.place is Place.BEFORE:
        yield (
            "stands before its step and cannot try it on doubt: nothing has run yet."
            " Use Critic or Judge."
        )
    if any(isinstance(rung, Retry) and (rung.within or rung.until) for rung in tries):
        yield "limits a Retry of on_doubt in time; use doubt_within, which holds for all of it."
    if sum(rung.attempts for rung in tries) > MOST_TRIES:
        yield f"may try more than {MOST_TRIES} times on doubt; give fewer."
    if checkpoint.rollouts > 1 and checkpoint.place is Place.BEFORE:
        yield "stands before its step, of which there is one input; take rollouts off."
    if checkpoint.rank is not None and checkpoint.rollouts == 1 and not tries:
        yield "has a rank, but nothing to order; add rollouts or leave it out."
    if not checkpoint.on_doubt and (checkpoint.doubt_within or checkpoint.doubt_cost is not None):
        yield "limits on_doubt, but has none; add on_doubt or leave the limit out."


def problems_at_the_end(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield what makes no sense where a checkpoint stands at the end of a run, not at a step."""
    if checkpoint.place is not Place.AFTER:
        yield "is the end of the run: nothing comes after it; leave `place` out."
    for key in ("confidence_below", "on_doubt", "rank", "covers", "spot_check"):
        if getattr(checkpoint, key):
            yield f"is the end of the run, which is no step; take {key} off."
    if checkpoint.rollouts > 1:
        yield "is the end of the run, which is no step; take rollouts off."
    declared = checkpoint.on_deny != default_ladder(checkpoint.place)
    if declared and any(isinstance(rung, Answer) for rung in checkpoint.on_deny):
        yield "is the end of the run, which has no answer of its own; use Retry, Rollback or Stop."
    if any(isinstance(r, Takeover) and r.scope == "step" for r in checkpoint.on_deny):
        yield "is the end of the run, where no step is left to take over; use Takeover(scope='run')."


def _problems_of_time(checkpoint: Checkpoint) -> Iterator[str]:
    expires = checkpoint.expires_in
    if expires is None:
        return
    if checkpoint.due_in is not None and checkpoint.due_in > expires:
        yield (
            f"is due in {format_duration(checkpoint.due_in)}, after its reviews expire"
            f" ({format_duration(expires)}); make due_in shorter."
        )
    for rung in checkpoint.on_deny:
        if isinstance(rung, Retry) and rung.within is not None and rung.within > expires:
            yield (
                f"may retry within {format_duration(rung.within)}, but its reviews expire after"
                f" {format_duration(expires)}; make `within` shorter or expires_in longer."
            )


def _problems_of_words(checkpoint: Checkpoint) -> Iterator[str]:
    for key in ("title", "if_approved", "if_denied"):
        text = getattr(checkpoint, key)
        try:
            list(Formatter().parse(text))
        except ValueError as problem:
            yield f"has {key} {text!r}, which cannot be filled in: {problem}."
