"""`hitl runs`: the list, and the story of one run."""

from collections.abc import Iterator, Sequence

from hitl.authority import May
from hitl.cli.opened import check_name, deciding, reading
from hitl.cli.terminal import console, print_json, say, share, table, when
from hitl.cli.words import statuses
from hitl.client import RunPage
from hitl.models import RunRecord, RunStatus
from hitl.reviews import RunTimeline, TimelineStep, stop_all


def list_all(
    url: str, *, workflow: str | None, status: Sequence[str], limit: int, as_json: bool
) -> None:
    """Print runs, newest first."""
    wanted = statuses(RunStatus, status)
    with reading(url) as queue:
        found = queue.runs(workflow=workflow, status=wanted, limit=limit)
    if as_json:
        following = found[-1].id if len(found) == limit else None
        print_json(RunPage(runs=tuple(found), next=following))
    elif not found:
        say("No such runs." if workflow or wanted else "No runs yet.")
    else:
        columns = ("run", "workflow", "status", "reliability", "updated", "reason")
        console().print(table(columns, map(_row, found), wraps=("workflow", "updated", "reason")))
        _tell_of_more(len(found), limit)


def show(url: str, run_id: str, *, as_json: bool) -> None:
    """Print what happened in one run."""
    with reading(url) as queue:
        story = queue.timeline(run_id)
    if as_json:
        print_json(story)
        return
    run = story.run
    say(f"Run {run.id} of {run.workflow} is {run.status.value}. {run.reason}".strip())
    for note in run.notes:
        say(note)
    say(f"Reliability {share(run.reliability)}{_unknown(run)}; turn {run.turn}.")
    if not story.steps:
        say("No step has come to a gate yet.")
        return
    columns = ("step", "visit", "attempt", "p", "reliability", "asked", "answer")
    console().print(table(columns, _steps(story), wraps=("step", "p", "asked", "answer")))


def stop(url: str, run_id: str, *, by: str, reason: str, as_json: bool) -> None:
    """Stop a run, through the process that serves it if one does."""
    _is_there(url, run_id)
    with deciding(url) as queue:
        check_name(queue, by, May.STOP)
        run = queue.stop(run_id, by=by, reason=reason)
    _tell_of(run, as_json=as_json)


def stop_many(url: str, *, workflow: str | None, by: str, reason: str, as_json: bool) -> None:
    """Stop every run that is running or waiting, of one workflow or of all."""
    _is_there(url)
    with deciding(url) as queue:
        check_name(queue, by, May.STOP)
        stopped = stop_all(queue, workflow=workflow, by=by, reason=reason)
    if as_json:
        print_json({"runs": [run.model_dump(mode="json") for run in stopped]})
        return
    for run in stopped:
        _tell_of(run, as_json=False)
    say(f"{len(stopped)} runs were stopped, or stop at their next step.")


def resume(url: str, run_id: str, *, by: str, as_json: bool) -> None:
    """Let a run go on that was stopped."""
    _is_there(url, run_id)
    with deciding(url) as queue:
        check_name(queue, by, May.WITHDRAW)
        run = queue.resume(run_id, by=by)
    _tell_of(run, as_json=as_json)


def _is_there(url: str, run_id: str | None = None) -> None:
    """Refuse a store, or a run in it, that does not exist: opening it to write would make one."""
    with reading(url) as looked:
        if run_id is not None:
            looked.run(run_id)


def _tell_of(run: RunRecord, *, as_json: bool) -> None:
    if as_json:
        print_json(run)
    else:
        say(f"Run {run.id} is {run.status.value}. {run.reason}".strip())


def _row(run: RunRecord) -> tuple[object, ...]:
    updated = when(run.updated_at)
    return (run.id, run.workflow, run.status.value, share(run.reliability), updated, run.reason)


def _unknown(run: RunRecord) -> str:
    if not run.unknown_steps:
        return ""
    steps = "step has" if run.unknown_steps == 1 else "steps have"
    return f", {run.unknown_steps} unverified {steps} no known p and are left out"


def _steps(story: RunTimeline) -> Iterator[tuple[object, ...]]:
    for step in story.steps:
        gate = step.gate
        undone = "" if gate.undone_at is None else " (undone)"
        yield (
            f"{gate.name.step}{undone}",
            gate.name.visit,
            gate.attempt,
            None if gate.p is None else f"{share(gate.p)} {gate.confidence_kind.value}",
            share(gate.reliability_after),
            " ".join(trigger.sentence for trigger in gate.triggers) or None,
            _answer(step),
        )


def _answer(step: TimelineStep) -> str | None:
    review = step.review
    if review is None:
        return None
    if review.decision is None:
        return f"{review.status.value}: {review.id}"
    decision = review.decision
    remedy = "" if decision.remedy is None else f", {decision.remedy.value}"
    reasons = f" ({', '.join(decision.reasons)})" if decision.reasons else ""
    return f"{decision.verdict.value} by {decision.by}{remedy}{reasons}"


def _tell_of_more(shown: int, limit: int) -> None:
    if shown == limit:
        say(f"The newest {limit} are shown; --limit shows more.")
