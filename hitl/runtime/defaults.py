"""The policy of a workflow that was given none, and what to know about it."""

from collections.abc import Sequence

from hitl.policy import Checkpoint, EscalationPolicy, Step
from hitl.policy.patterns import EFFECT

SPOT_CHECKS = 0.02


def default_policy(steps: Sequence[Step]) -> EscalationPolicy:
    """Return the policy that asks before marked steps and tools, and spot-checks 2 % of the rest.

    Args:
        steps: All steps of the workflow, with their tags and tools.
    """
    checkpoints = [Checkpoint(p, place="before", always=True) for p in marked_steps(steps)]
    if marked_tools(steps):
        checkpoints.insert(0, Checkpoint(f"tool:tag:{EFFECT}", always=True))
    if _entrypoints(steps):
        checkpoints.append(Checkpoint(f"tag:{EFFECT}", place="before", always=True))
    return EscalationPolicy("default", spot_check=SPOT_CHECKS, checkpoints=checkpoints)


def marked_steps(steps: Sequence[Step]) -> list[str]:
    """Return the paths of the steps marked as effects."""
    return [step.path for step in steps if EFFECT in step.tags]


def marked_tools(steps: Sequence[Step]) -> list[str]:
    """Return the names of the tools marked as effects, sorted."""
    return sorted({tool.name for step in steps for tool in step.tools if EFFECT in tool.tags})


def _entrypoints(steps: Sequence[Step]) -> list[str]:
    """Return the paths of the steps whose tasks are known only when they are called."""
    return [step.path for step in steps if step.calls_tasks]


def default_note(steps: Sequence[Step]) -> str:
    """Return what the default policy does in a workflow with these steps, in a sentence."""
    asked = [
        *(f"step {path!r} runs" for path in marked_steps(steps)),
        *(f"tool {name!r} is called" for name in marked_tools(steps)),
        *(f"any other task of {p!r} tagged {EFFECT!r} is called" for p in _entrypoints(steps)),
    ]
    if asked:
        return f"No policy was given: a person is asked before {', '.join(asked)}."
    return (
        "No policy was given and nothing is marked as an effect, so no run ever waits for a person;"
        f" {SPOT_CHECKS:.0%} of the steps are spot-checked. Mark what acts on the world with"
        ' metadata={"effect": True}, on the step or on the tool, or draft a policy with'
        " `hitl policy init`."
    )
