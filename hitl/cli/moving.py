"""`hitl migrate` and `hitl restart`: a run that a deploy left behind goes on."""

from typing import TYPE_CHECKING, Annotated

import typer

from hitl.cli.options import Json

if TYPE_CHECKING:
    from hitl.graph.moving import VersionChange

RunId = Annotated[str, typer.Argument(metavar="RUN")]
Target = Annotated[
    str, typer.Option("--app", metavar="MODULE:NAME", help="The wrapped workflow of this version.")
]
By = Annotated[str, typer.Option(metavar="NAME", help="Who does it; kept on the trail.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would happen.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("migrate")(migrate)
    app.command("restart")(restart)


def migrate(
    *, run_id: RunId, target: Target, by: By, dry_run: DryRun = False, json: Json = False
) -> None:
    """Have a run go on where it is with this version of its workflow and policy."""
    _move("migrate", run_id, target, by=by, dry_run=dry_run, as_json=json)


def restart(
    *, run_id: RunId, target: Target, by: By, dry_run: DryRun = False, json: Json = False
) -> None:
    """Have a run go back to what a person verified last, or to its input, with this version."""
    _move("restart", run_id, target, by=by, dry_run=dry_run, as_json=json)


def _move(how: str, run_id: str, target: str, *, by: str, dry_run: bool, as_json: bool) -> None:
    from hitl.cli.loading import load_workflow
    from hitl.cli.terminal import print_json, say

    workflow = load_workflow(target)
    try:
        run = workflow.run(run_id)
        change: VersionChange = getattr(run, how)(by=by, dry_run=dry_run)
    finally:
        workflow.close()
    if as_json:
        print_json(change)
        return
    for sentence in _told(change):
        say(sentence)


def _told(change: "VersionChange") -> list[str]:
    would = "goes on" if change.done else "would go on"
    told = [
        f"Run {change.run_id} {would} with version {change.to_version}; it began with"
        f" {change.from_version}."
    ]
    if change.problem:
        told.append(f"By itself it does not: {change.problem}.")
    if change.back_to:
        told.append(f"It goes back to snapshot {change.back_to}.")
    for word, steps in (
        ("Runs again", change.runs_again),
        ("Asked anew", change.asks_again),
        ("Carried out as it stands", change.carried_out),
    ):
        if steps:
            told.append(f"{word}: {', '.join(steps)}.")
    if not change.done:
        told.append("Nothing was changed: leave out --dry-run to do it.")
    return told
