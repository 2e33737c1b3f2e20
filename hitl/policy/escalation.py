"""The escalation policy of a workflow: all its checkpoints, as data, versioned by content."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, model_validator

from hitl.canonical import content_hash
from hitl.errors import ConfigurationError, NotBuilt, PolicyFileError, UnknownStep
from hitl.models import JsonObject, Place, Record
from hitl.policy.checkpoint import DONE, Checkpoint, problems_at_the_end, spoken
from hitl.policy.checks import check_closing, check_functions, check_of_task, check_rollouts, stands
from hitl.policy.fields import Chance, built, fields_among
from hitl.policy.files import policy_arguments, read_yaml, write_yaml
from hitl.policy.functions import is_importable, reference
from hitl.policy.patterns import (
    EFFECT,
    Step,
    as_steps,
    is_of_tools,
    matches_call,
    matches_step,
    matches_tool,
    unmatched,
)
from hitl.policy.questions import AskGate
from hitl.policy.remedies import Takeover
from hitl.policy.reviewer import Reviewer
from hitl.policy.times import zone

_QUIET: JsonObject = {"spot_check": 0.0, "spot_check_runs": 0.0, "checkpoints": [], "accuracy": {}}


@dataclass(frozen=True, slots=True)
class Match:
    """What one checkpoint stands at, in a given workflow."""

    checkpoint: Checkpoint
    steps: tuple[str, ...]
    """Paths of the steps where it counts."""
    tools: tuple[str, ...] = ()
    """For a pattern of tools: names of the tools whose calls it asks about."""
    overruled: tuple[str, ...] = ()
    """Paths it matches where a checkpoint with the exact path counts instead."""


class EscalationPolicy(Record):
    """When to ask a person, anywhere in a workflow, and what follows.

    A policy is data: the same thing in Python and in YAML, equal when it says the same, and known
    by the hash of what it says. Functions are named in it; the hash covers their names.

    Example:
        EscalationPolicy("payments", reliability_below=0.70, checkpoints=[Checkpoint("pay")])
    """

    name: str
    version: str = "1"
    timezone: str = "UTC"
    """IANA name; the wall clock of `until` deadlines."""
    reliability_below: Chance | None = None
    """Ask at any step when the run's reliability, that step included, is below this. Steps with no
    known p count as right here."""
    spot_check: Chance = 0.0
    """Share of unasked steps that are sent to review anyway, without stopping the run."""
    spot_check_runs: Chance = 0.0
    """Share of runs of which every step is spot-checked."""
    checkpoints: tuple[Checkpoint, ...] = ()
    accuracy: dict[str, Chance] = Field(default_factory=dict)
    """Declared P(right) by step path or glob; see `declared_accuracy`."""
    reviewer: Reviewer | None = None
    """What a yes is worth until it is measured; None for a perfect reviewer, labelled assumed."""
    questions: AskGate | None = None
    """Which questions of `hitl.ask` reach a person; None for all."""
    _steps: dict[str, Step] = PrivateAttr(default_factory=dict)
    _found: dict[tuple[str, Place], tuple[Checkpoint, ...]] = PrivateAttr(default_factory=dict)

    def __init__(
        self,
        name: str,
        *,
        version: str = "1",
        timezone: str = "UTC",
        reliability_below: float | None = None,
        spot_check: float = 0.0,
        spot_check_runs: float = 0.0,
        checkpoints: Sequence[Checkpoint] = (),
        accuracy: Mapping[str, float] | None = None,
        reviewer: Reviewer | None = None,
        questions: AskGate | None = None,
    ) -> None:
        values = fields_among(locals(), EscalationPolicy)
        values["accuracy"] = dict(accuracy or {})
        with built(f"Policy {name!r}"):
            BaseModel.__init__(self, **values)

    @model_validator(mode="after")
    def _makes_sense(self) -> "EscalationPolicy":
        for key in ("name", "version"):
            if not getattr(self, key).strip():
                raise ConfigurationError(f"Policy {self.name!r} has an empty {key}; give it one.")
        zone(self.timezone)
        seen: set[tuple[str, Place]] = set()
        for checkpoint in self.checkpoints:
            at = (checkpoint.step, checkpoint.place)
            if at in seen:
                raise ConfigurationError(
                    f"Policy {self.name!r} has two checkpoints {at[1].value} step {at[0]!r};"
                    " make them one: a checkpoint may have several triggers."
                )
            seen.add(at)
        return self

    @classmethod
    def load(cls, path: str | Path) -> "EscalationPolicy":
        """Return the policy in a YAML file.

        Raises:
            PolicyFileError: The file cannot be read, or does not say a policy.
            NotBuilt: It asks for a feature this version does not have.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as problem:
            raise PolicyFileError(str(path), f"it cannot be read: {problem}") from problem
        return cls.from_yaml(text, source=str(path))

    @classmethod
    def from_yaml(cls, text: str, *, source: str = "<text>") -> "EscalationPolicy":
        """Return the policy that YAML text says; `source` is how errors call the text.

        Raises:
            PolicyFileError: The text does not say a policy.
            NotBuilt: It asks for a feature this version does not have.
        """
        try:
            return cls.from_body(read_yaml(text))
        except NotBuilt:
            raise
        except ConfigurationError as problem:
            raise PolicyFileError(source, str(problem)) from problem

    @classmethod
    def from_body(cls, body: object) -> "EscalationPolicy":
        """Return the policy that plain data says: the inverse of `body`.

        Raises:
            ConfigurationError: The data does not say a policy.
            NotBuilt: It asks for a feature this version does not have.
        """
        return cls(**policy_arguments(body))

    def to_yaml(self) -> str:
        """Return the policy as YAML that `from_yaml` reads as an equal policy.

        Raises:
            ConfigurationError: A function in it is local, so that a file cannot name it.
        """
        for checkpoint in self.checkpoints:
            named = (reference(function) for _, function in checkpoint.functions())
            for function in named:
                if not is_importable(function):
                    raise ConfigurationError(
                        f"Checkpoint {checkpoint.step!r} uses the local function {function!r};"
                        " a file can name only functions at the top level of a module."
                    )
        return write_yaml(self.body())

    def body(self) -> JsonObject:
        """Return the policy as plain data, functions by name (see `Checkpoint.body`)."""
        said = spoken(self, quiet=_QUIET)
        if self.checkpoints:
            said["checkpoints"] = [checkpoint.body() for checkpoint in self.checkpoints]
        return said

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the canonical JSON of `body()`, 64 hex digits: the policy's true version."""
        return content_hash(self.body())

    def at(self, step: str, place: Place) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that stand at this step and place, in order of rank.

        Patterns of tools come first: they are about calls, and count only for proposals with such a
        call (see `applying`). Then the checkpoint with exactly this path; where there is one, no
        pattern of steps counts. Else all patterns of steps that match. Within a rank: the policy's
        order. Of several that count every trigger is looked at; the ladder, the deadlines and the
        words are those of the first.
        """
        found = self._found.get((step, place))
        if found is None:
            found = self._found[step, place] = tuple(self._look(step, place))
        return found

    def _look(self, path: str, place: Place) -> Iterator[Checkpoint]:
        step = self._steps.get(path, Step(path))
        here = [c for c in self.checkpoints if c.place is place]
        yield from (c for c in here if is_of_tools(c.step) and matches_step(c.step, step))
        exact = next(filter(None, ([c for c in here if c.step == n] for n in step.names)), [])
        globs = (c for c in here if c.is_pattern and not is_of_tools(c.step))
        yield from exact or (c for c in globs if matches_step(c.step, step))

    def applying(
        self, step: str, place: Place, *, calls: Collection[str]
    ) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that count for one proposal, the first of them in the lead.

        Args:
            step: The step's path.
            place: Where the gate stands.
            calls: Names of the tools the proposal would call.
        """
        declared = self.at(step, place)
        if not any(is_of_tools(c.step) for c in declared):
            return declared
        here = self._steps.get(step, Step(step))
        return tuple(
            c
            for c in declared
            if not is_of_tools(c.step) or any(matches_call(c.step, name, here) for name in calls)
        )

    @property
    def end(self) -> Checkpoint | None:
        """The checkpoint of the run's end: the one called `done`, where no step is called so."""
        named = (c for c in self.checkpoints if c.step == DONE)
        return None if DONE in self._steps else next(named, None)

    @property
    def lets_take_over(self) -> bool:
        """Whether a no may lead to a takeover anywhere."""
        return any(isinstance(r, Takeover) for c in self.checkpoints for r in c.on_deny)

    def effects_of(self, step: str, *, calls: Collection[str] = ()) -> int:
        """Return how many side effects one execution of a step has.

        A step has one when it is tagged `effect`, or has a checkpoint before it. A tool node has one
        for each call of such a tool, or for each call when the node itself is tagged.

        Args:
            step: The step's path.
            calls: Names of the tools it calls.
        """
        here = self._steps.get(step, Step(step))
        if EFFECT in here.tags:
            return max(1, len(calls))
        if not here.tools:
            return int(bool(self.at(step, Place.BEFORE)))
        return sum(
            matches_call(f"tool:tag:{EFFECT}", name, here)
            or bool(self.applying(step, Place.BEFORE, calls=(name,)))
            for name in calls
        )

    def on(self, steps: Iterable[str | Step]) -> "EscalationPolicy":
        """Return the same policy, by the same hash, that knows the tags and tools of these steps.

        Without it, patterns match by path only, and tags and tools nothing.
        """
        known = self.model_copy()
        known._steps = {step.path: step for step in as_steps(steps)}
        return known

    def meet(self, task: Step) -> None:
        """Get to know a task that an `@entrypoint` of the workflow calls."""
        self._steps.setdefault(task.path, task)

    def unmet(self) -> tuple[Checkpoint, ...]:
        """Return the checkpoints that stand at none of the steps and tasks known so far."""
        known = self._steps.values()
        return tuple(
            c for c in self.checkpoints if c != self.end and not any(stands(c, s) for s in known)
        )

    def matches(self, steps: Iterable[str | Step]) -> tuple[Match, ...]:
        """Return what each checkpoint stands at in a workflow with these steps: a dry run.

        Args:
            steps: All steps of the workflow; those given as paths have no tags and no tools.
        """
        known = as_steps(steps)
        policy = self.on(known)
        return tuple(policy._match(c, known) for c in self.checkpoints)

    def _match(self, checkpoint: Checkpoint, steps: Sequence[Step]) -> Match:
        hit = [s for s in steps if stands(checkpoint, s)]
        here = [s for s in hit if checkpoint in self.at(s.path, checkpoint.place)]
        tools = (t for s in here for t in s.tools if is_of_tools(checkpoint.step))
        return Match(
            checkpoint=checkpoint,
            steps=tuple(s.path for s in here),
            tools=tuple(sorted({t.name for t in tools if matches_tool(checkpoint.step, t)})),
            overruled=tuple(s.path for s in hit if s not in here),
        )

    def declared_accuracy(self, step: str) -> float | None:
        """Return the P(right) the policy declares for a step, or None.

        A checkpoint's own `accuracy` wins, then an exact path in `accuracy=`, then that of the first
        pattern of steps that counts there, then the longest glob that matches (of equally long ones
        the first in the alphabet).
        """
        here = (*self.at(step, Place.AFTER), *self.at(step, Place.BEFORE))
        said = [c for c in here if c.accuracy is not None and not is_of_tools(c.step)]
        own = [c.accuracy for c in said if c.step == step]
        if own or step in self.accuracy:
            return own[0] if own else self.accuracy[step]
        if said:
            return said[0].accuracy
        globs = sorted(self.accuracy, key=lambda glob: (-len(glob), glob))
        return next((self.accuracy[glob] for glob in globs if fnmatchcase(step, glob)), None)

    def check(self, steps: Collection[str | Step]) -> None:
        """Return if a workflow with these steps can run under this policy.

        Args:
            steps: All steps of the workflow; those given as paths have no tags and no tools.

        Raises:
            UnknownStep: A checkpoint names a step the workflow does not have, and can be no task.
            ConfigurationError: A pattern or `accuracy` matches nothing and can match no task, or a
                function cannot be found.
        """
        known = as_steps(steps)
        paths = {step.path for step in known}
        calls_tasks = any(step.calls_tasks for step in known)
        for checkpoint in self.checkpoints:
            if checkpoint.step == DONE and DONE not in paths:
                for problem in problems_at_the_end(checkpoint):
                    raise ConfigurationError(f"Checkpoint {DONE!r} {problem}")
            elif calls_tasks and all(s.is_task for s in known if stands(checkpoint, s)):
                check_of_task(checkpoint)
            elif not any(stands(checkpoint, step) for step in known):
                if checkpoint.is_pattern:
                    raise ConfigurationError(unmatched(checkpoint.step, known))
                raise UnknownStep(checkpoint.step, paths)
            check_functions(checkpoint)
            check_rollouts(self, checkpoint, known)
            check_closing(self, checkpoint, known)
        for glob in () if calls_tasks else self.accuracy:
            if glob not in paths and not any(fnmatchcase(path, glob) for path in paths):
                raise ConfigurationError(_unmatched(self.name, glob, paths))

    def model_copy(
        self, *, update: Mapping[str, Any] | None = None, deep: bool = False
    ) -> "EscalationPolicy":
        """Return the policy with some fields changed, checked and hashed anew."""
        values = {key: getattr(self, key) for key in EscalationPolicy.model_fields}
        changed = EscalationPolicy(**{**values, **(update or {})})
        changed._steps = self._steps
        return changed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EscalationPolicy) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return hash(self.content_hash)


def _unmatched(policy: str, glob: str, steps: Collection[str]) -> str:
    names = ", ".join(repr(step) for step in sorted(steps))
    near = get_close_matches(glob, steps, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"accuracy in policy {policy!r} names {glob!r}, which matches no step;"
        f" the graph has {names}.{hint}"
    )
