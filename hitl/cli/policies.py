"""`hitl policy`: check, show and draft escalation policies."""

from collections.abc import Iterator, Sequence
from typing import Any

import typer

from hitl.cli.loading import load
from hitl.cli.terminal import console, print_json, say, table, visible
from hitl.errors import ConfigurationError, HitlError
from hitl.graph.seam import compiled
from hitl.graph.shapes import shapes
from hitl.models import JsonObject
from hitl.policy import Checkpoint, EscalationPolicy, Match, Step
from hitl.runtime import Workflow
from hitl.runtime.defaults import default_policy, marked_steps, marked_tools


def check(file: str, *, target: str | None, as_json: bool, matches: bool = False) -> None:
    """Tell whether the policy in `file` can be used, for the graph `target` if one is named.

    Args:
        file: The policy.
        target: `module:graph`; None for no graph.
        as_json: Whether to print JSON.
        matches: Whether to tell what each checkpoint stands at; needs a graph.

    Raises:
        typer.Exit: It cannot; the sentence was printed.
    """
    try:
        if matches and target is None:
            raise ConfigurationError("--matches needs a graph; name it with --app MODULE:NAME.")
        policy = EscalationPolicy.load(file)
        steps: tuple[str | Step, ...] = _named(policy) if target is None else shapes(_graph(target))
        policy.check(steps)
    except HitlError as refusal:
        if as_json:
            print_json({"ok": False, "error": type(refusal).__name__, "problem": str(refusal)})
        else:
            say(str(refusal), err=True)
        raise typer.Exit(1) from refusal
    found = policy.matches(steps) if matches else ()
    if as_json:
        said: JsonObject = {"ok": True, "policy": policy.body(), "hash": policy.content_hash}
        print_json({**said, "matches": [_told(m) for m in found]} if matches else said)
        return
    _print(policy)
    if matches:
        console().print(table(("checkpoint", "place", "stands at"), map(_match_row, found)))
    against = "" if target is None else f" Its steps are steps of {target}."
    idle = () if target is None else policy.on(steps).unmet()
    for checkpoint in idle:
        against += (
            f" Except {checkpoint.step!r}, which is none: it counts only if an entrypoint calls a task"
            " that it matches."
        )
    say(f"This policy can be used.{against}")


def show(file: str, *, as_json: bool) -> None:
    """Print the policy in `file` with its defaults, and its hash."""
    policy = EscalationPolicy.load(file)
    if as_json:
        print_json({"policy": policy.body(), "hash": policy.content_hash})
    else:
        typer.echo(visible(policy.to_yaml(), keep="\n"), nl=False)
        say(f"# hash {policy.content_hash}")


def draft(target: str) -> None:
    """Print a first policy for a graph: ask before its effects, spot-check the rest."""
    steps = shapes(_graph(target))
    first = default_policy(steps)
    policy = EscalationPolicy(
        "draft",
        reliability_below=0.70,
        spot_check=first.spot_check,
        checkpoints=[c.model_copy(update={"risk": "high"}) for c in first.checkpoints],
    )
    typer.echo(visible(policy.to_yaml(), keep="\n"), nl=False)
    for line in _left_out(steps):
        say(f"# {line}")


def _left_out(steps: Sequence[Step]) -> Iterator[str]:
    """Yield what a first policy asks nobody about, for its reader to look through."""
    acting, asked = set(marked_steps(steps)), set(marked_tools(steps))
    if not acting and not asked:
        yield 'No step or tool has metadata={"effect": True}; add a checkpoint for each that acts:'
        yield "  - {step: NAME, place: before, always: true, risk: high}"
        yield '  - {step: "tool:NAME", always: true, risk: high}'
    if others := [step.path for step in steps if step.path not in acting]:
        yield f"Steps without a checkpoint: {', '.join(others)}"
    for step in steps:
        if unasked := [tool.name for tool in step.tools if tool.name not in asked]:
            yield f"Tools of {step.path!r} that nobody is asked about: {', '.join(unasked)}"


def _print(policy: EscalationPolicy) -> None:
    say(f"Policy {policy.name}, version {policy.version}, hash {policy.content_hash[:12]}…")
    floor = policy.reliability_below
    say(f"Ask when reliability is below {floor:.2f}." if floor else "No floor for reliability.")
    say(f"Spot checks: {policy.spot_check:.1%} of steps, {policy.spot_check_runs:.1%} of runs.")
    if policy.checkpoints:
        columns = ("checkpoint", "place", "asks", "on doubt", "on a no", "due in", "risk")
        console().print(table(columns, (_row(each) for each in policy.checkpoints)))


def _row(checkpoint: Checkpoint) -> tuple[object, ...]:
    return (
        checkpoint.step,
        checkpoint.place.value,
        ", ".join(_triggers(checkpoint)) or "when the policy does",
        ", ".join(_first(checkpoint)),
        ", ".join(rung.kind.value for rung in checkpoint.on_deny),
        checkpoint.due_in,
        checkpoint.risk,
    )


def _first(checkpoint: Checkpoint) -> Iterator[str]:
    """Yield what the step does by itself before a person is asked."""
    if checkpoint.rollouts > 1:
        yield f"{checkpoint.rollouts} rollouts"
    yield from (rung.kind for rung in checkpoint.on_doubt)


def _triggers(checkpoint: Checkpoint) -> Iterator[str]:
    if checkpoint.always:
        yield "always"
    if checkpoint.confidence_below is not None:
        yield f"confidence below {checkpoint.confidence_below:.2f}"
    if checkpoint.reliability_below is not None:
        yield f"reliability below {checkpoint.reliability_below:.2f}"
    if checkpoint.rule is not None:
        yield f"rule {checkpoint.body()['rule']}"
    if checkpoint.every is not None:
        yield f"every {checkpoint.every} steps"
    if checkpoint.cost_above is not None:
        yield f"cost above {checkpoint.cost_above:g}"
    if checkpoint.time_above is not None:
        yield f"time above {checkpoint.body()['time_above']}"
    if checkpoint.effects_above is not None:
        yield f"side effects above {checkpoint.effects_above}"
    if checkpoint.spot_check is not None:
        yield f"spot check {checkpoint.spot_check:.1%}"


def _told(match: Match) -> JsonObject:
    return {
        "checkpoint": match.checkpoint.step,
        "place": match.checkpoint.place.value,
        "steps": list(match.steps),
        "tools": list(match.tools),
        "overruled": list(match.overruled),
    }


def _match_row(match: Match) -> tuple[object, ...]:
    where = ", ".join(match.steps) or "no step"
    calls = f", calls of {', '.join(match.tools)}" if match.tools else ""
    left = f" (an exact path wins at {', '.join(match.overruled)})" if match.overruled else ""
    return match.checkpoint.step, match.checkpoint.place.value, f"{where}{calls}{left}"


def _named(policy: EscalationPolicy) -> tuple[str, ...]:
    """Return what the policy names: with no graph at hand, any step may exist."""
    return tuple(sorted({*(c.step for c in policy.checkpoints), *policy.accuracy}))


def _graph(target: str) -> Any:
    found = load(target)
    return found.graph if isinstance(found, Workflow) else compiled(found)
