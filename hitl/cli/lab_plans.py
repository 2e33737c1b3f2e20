"""`hitl policy compare` and `plan`: what another policy would do, printed."""

from pathlib import Path

import numpy as np
import typer

from hitl.cli.lab import Source, allowed, progress
from hitl.cli.terminal import console, print_json, say, table, visible
from hitl.errors import EvidenceRefusal
from hitl.lab.planner import GraphPlan, Plan
from hitl.lab.reports import Aim, Change, Comparison, Planned, compare, plain, plan_log, workload
from hitl.policy import EscalationPolicy

Amounts = dict[str, float]


def compare_log(
    source: Source,
    candidate: str,
    *,
    silent_cost: float,
    alpha: float,
    sure: float,
    limit: int,
    as_json: bool,
) -> None:
    """Print what the policy in the file `candidate` would have done on a log."""
    policy = EscalationPolicy.load(candidate)
    log = source.read()
    with progress("replaying") as tell:
        found = compare(
            log, policy, silent_cost=silent_cost, alpha=alpha, delta=allowed(sure), progress=tell
        )
    if as_json:
        print_json({"comparison": plain(found), "sentences": list(sentences(found))})
        return
    columns = ("", "asked", "of steps", "silent errors", "interval", "at most")
    console().print(table(columns, (_live_row(found), _candidate_row(found))))
    for each in sentences(found):
        say(each)
    if found.changes:
        heads = ("run", "step", "change", "p", "was", "costs", "why")
        rows = map(_change_row, found.changes[:limit])
        console().print(table(heads, rows, wraps=("why",)))
        if len(found.changes) > limit:
            say(f"{len(found.changes) - limit:,} more changes; --limit shows more, --json all.")


def sentences(found: Comparison) -> tuple[str, ...]:
    """Return what a comparison means, and what it can't tell."""
    said = [
        f"{found.newly_asked} steps would be asked about that nobody was asked about, and"
        f" {found.no_longer_asked} would pass that were asked about.",
        f"Of the labelled ones it catches {found.caught_more} wrong steps more, and lets"
        f" {found.let_pass} wrong ones pass.",
        f"Costs are in reviews: a silent error costs {found.silent_cost:g} unless its row says"
        " otherwise (--silent-cost).",
        f"Per 100 runs it costs {found.difference.value:+.1f} reviews ({found.difference.low:+.1f} to"
        f" {found.difference.high:+.1f}), silent errors included.",
        "Row by row it assumes that the policy doesn't change later inputs.",
    ]
    if found.beyond:
        said.append(
            f"{found.beyond} rows come after a denied step that it would pass: what would have"
            " happened there this log can't tell."
        )
    if found.refusal:
        said.append(f"Candidate: {found.refusal}")
    if found.live.refusal:
        said.append(f"Live: {found.live.refusal}")
    return (*said, *found.warnings)


def _live_row(found: Comparison) -> tuple[object, ...]:
    estimate = found.live.estimate
    return (
        "live",
        f"{found.asked_live:,}",
        f"{found.asked_live / found.rows:.1%}",
        None if estimate is None else f"{estimate.value:.2%}",
        None if estimate is None else f"{estimate.low:.2%} to {estimate.high:.2%}",
        None if found.live.bound is None else f"{found.live.bound:.2%}",
    )


def _candidate_row(found: Comparison) -> tuple[object, ...]:
    estimate = found.estimate
    return (
        f"candidate {found.candidate}",
        f"{found.asked_candidate:,}",
        f"{found.asked_candidate / found.rows:.1%}",
        None if estimate is None else f"{estimate.value:.2%}",
        None if estimate is None else f"{estimate.low:.2%} to {estimate.high:.2%}",
        None if found.bound is None else f"{found.bound:.2%}",
    )


def _change_row(change: Change) -> tuple[object, ...]:
    label = {None: "not looked at", True: "wrong", False: "right"}[change.wrong]
    step = change.step if change.visit == 1 else f"{change.step} ({change.visit})"
    p = None if change.p is None else f"{change.p:.3f}"
    did = "asks" if change.asks else "lets pass"
    return change.run_id, step, did, p, label, f"{change.cost:+.2f}", change.why


def plan(
    source: Source,
    *,
    review_minutes: float | None,
    silent_cost: float | None,
    budget: float | None,
    rates: tuple[float, float],
    accuracy: list[str],
    minutes: list[str],
    out: str | None,
    as_json: bool,
) -> None:
    """Print where checkpoints pay, and write the policy that says so if a file is named."""
    log = source.read()
    each = review_minutes
    if each is None:
        work = workload(log) if len(log) else None
        timed = None if work is None else work.minutes_per_100_runs
        if work is None or timed is None or not work.reviews_per_100_runs:
            raise EvidenceRefusal("No review of this log was timed; give --review-minutes.")
        each = timed / work.reviews_per_100_runs
    most = None if budget is None else int(budget / each + 1e-9) if each else None
    aim = Aim(each, silent_cost, most, *rates)
    found = plan_log(
        log,
        aim,
        rng=np.random.default_rng(0),
        accuracy=amounts(accuracy, "--accuracy"),
        minutes=amounts(minutes, "--minutes"),
    )
    text = found.policy.to_yaml()
    if out is not None:
        Path(out).write_text(text, encoding="utf-8")
    if as_json:
        print_json({"plan": plain(found), "policy": found.policy.body(), "yaml": text})
        return
    _print(found, text)
    if out is not None:
        say(f"The policy is in {out}.")


def amounts(given: list[str], option: str) -> Amounts:
    """Return `STEP=NUMBER` words as a mapping.

    Raises:
        typer.BadParameter: A word is not of that form.
    """
    found: Amounts = {}
    for word in given:
        step, _, number = word.rpartition("=")
        try:
            found[step] = float(number)
        except ValueError:
            step = ""
        if not step:
            raise typer.BadParameter(f"{option} takes STEP=NUMBER; it is {word!r}.")
    return found


def _print(found: Planned, text: str) -> None:
    rows = [
        (
            step.step,
            f"{step.accuracy.mean:.4f}",
            f"{step.accuracy.low:.3f} to {step.accuracy.high:.3f}",
            step.basis,
            step.labels,
            f"{step.minutes:.3g}",
        )
        for step in found.steps
    ]
    columns = ("step", "right", "90 % band", "from", "labels", "minutes")
    console().print(table(columns, rows))
    say(picture(found))
    best = found.plan.plan
    lines: list[tuple[object, ...]] = [_plan_row("best", best.gates, best)]
    if found.said is not None:
        asked = found.said_steps or ("nowhere",)
        lines.append(_plan_row("best a policy can say", asked, found.said))
    lines += [_plan_row(name, other.gates, other) for name, other in found.alternatives.items()]
    console().print(table(("plan", "asks after", "reviews", "minutes per run", "right"), lines))
    say(f"Exactly this best plan was chosen in {found.plan.same} of {found.plan.draws} draws.")
    for gate, times in found.plan.chosen.items():
        say(f"  after {gate}: in {times} of {found.plan.draws}")
    for sentence in found.warnings:
        say(sentence)
    typer.echo(visible(text, keep="\n"), nl=False)


def _plan_row(name: str, asked: tuple[object, ...], plan: Plan | GraphPlan) -> tuple[object, ...]:
    where = ", ".join(map(str, asked)) or "nowhere"
    return name, where, len(plan.gates), f"{plan.expected_cost:.2f}", f"{plan.p_right:.2%}"


def picture(found: Planned) -> str:
    """Return the way of the runs in one line, a diamond after each step that is asked about."""
    gates = found.plan.plan.gates
    parts = []
    for n, position in enumerate(found.way.positions, start=1):
        asked = n in gates or position.name in gates
        inputs = ""
        if not found.way.is_chain and position.rests_on:
            sources = ", ".join(found.way.positions[i].name for i in position.rests_on)
            inputs = f" (rests on {sources})"
        parts.append(f"{position.name}{inputs}{' ◆' if asked else ''}")
    return " → ".join(parts) + "   (◆ a person is asked)"
