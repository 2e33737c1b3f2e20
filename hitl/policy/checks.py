"""What a workflow with given steps refuses in a checkpoint, and which of the steps it stands at."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from hitl.errors import ConfigurationError
from hitl.models import Covers
from hitl.policy.checkpoint import Checkpoint
from hitl.policy.functions import resolve
from hitl.policy.patterns import EFFECT, Step, matches_step
from hitl.policy.remedies import Takeover

if TYPE_CHECKING:
    from hitl.policy.escalation import EscalationPolicy


def stands(checkpoint: Checkpoint, step: Step) -> bool:
    """Return whether a checkpoint names or matches a step, overruled or not."""
    return checkpoint.step in step.names or (
        checkpoint.is_pattern and matches_step(checkpoint.step, step)
    )


def nothing_stood(policy: "EscalationPolicy") -> str:
    """Return which checkpoints stood at nothing, of a workflow whose tasks became known; "" for none.

    One of the mark for effects is no mistake where nothing has one.
    """
    idle = [c.step for c in policy.unmet() if c.step != f"tag:{EFFECT}"]
    if not idle:
        return ""
    names = ", ".join(map(repr, idle))
    return (
        f"Checkpoint {names} stood at nothing: no task that was called is named so. Correct the policy"
        " if that is a mistake."
    )


def check_functions(checkpoint: Checkpoint) -> None:
    """Return if every function a checkpoint names can be found.

    Raises:
        ConfigurationError: One cannot.
    """
    for key, function in checkpoint.functions():
        try:
            resolve(function)
        except ConfigurationError as problem:
            raise ConfigurationError(
                f"The {key} of checkpoint {checkpoint.step!r} cannot be used: {problem}"
            ) from problem


def check_rollouts(
    policy: "EscalationPolicy", checkpoint: Checkpoint, known: Collection[Step]
) -> None:
    """Return if no step that may run only once at a time has rollouts.

    Raises:
        ConfigurationError: One has.
    """
    paths = [step.path for step in known]
    for step in known if checkpoint.rollouts > 1 else ():
        if checkpoint not in policy.at(step.path, checkpoint.place):
            continue
        acts = policy.effects_of(step.path, calls=[tool.name for tool in step.tools])
        holds = step.calls_tasks or any(path.startswith(f"{step.path}/") for path in paths)
        if acts or holds:
            inside = "calls tasks" if step.calls_tasks else "is a graph with gates of its own"
            why = "has side effects" if acts else inside
            raise ConfigurationError(
                f"Checkpoint {checkpoint.step!r} wants {checkpoint.rollouts} rollouts of step"
                f" {step.path!r}, which {why}; take rollouts off, or name other steps."
            )


def check_closing(
    policy: "EscalationPolicy", checkpoint: Checkpoint, known: Collection[Step]
) -> None:
    """Return if no run is closed after a step of a child graph: its parent would lose the work.

    Raises:
        ConfigurationError: One would be.
    """
    for step in known if _closes(checkpoint) else ():
        if "/" in step.path and checkpoint in policy.at(step.path, checkpoint.place):
            raise ConfigurationError(
                f"Checkpoint {checkpoint.step!r} would close the run after step {step.path!r}, which"
                " is inside a child graph: what is handed in would not reach the run. Use"
                " Takeover(scope='run'), or let the run go on."
            )


def _closes(checkpoint: Checkpoint) -> bool:
    rungs = [r for r in checkpoint.on_deny if isinstance(r, Takeover)]
    return any(r.scope == "step" and r.then == "close" for r in rungs)


def check_of_task(checkpoint: Checkpoint) -> None:
    """Return if a checkpoint that names no step may stand at a task of an `@entrypoint`.

    Raises:
        ConfigurationError: It asks for what no task has.
    """
    if checkpoint.covers is Covers.SINCE_RESET:
        raise ConfigurationError(
            f"Checkpoint {checkpoint.step!r} can only be of a task, and its `covers` is"
            " 'since_reset': a task is given its arguments alone, so a yes covers that task alone."
            " Take `covers` off, or ask at the entrypoint's own result."
        )
    if _closes(checkpoint):
        raise ConfigurationError(
            f"Checkpoint {checkpoint.step!r} names no step, so it can only be a task, and would close"
            " the run after it: what a task returns is not the run's result. Use"
            " Takeover(scope='run'), or let the run go on."
        )
