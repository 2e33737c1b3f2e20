"""`hitl shadow`: what would have been asked while nothing was withheld."""

from pydantic import JsonValue

from hitl.cli.opened import ReadOnlyStore
from hitl.cli.terminal import console, print_json, say, table
from hitl.reviews import ShadowCheckpoint, ShadowReport, shadow_reports
from hitl.stores import open_reader


def report(url: str, *, workflow: str | None, as_json: bool) -> None:
    """Print a report for each workflow that ran in shadow mode."""
    store = ReadOnlyStore(open_reader(url))
    try:
        found = store.read(lambda r: shadow_reports(r, workflow=workflow))
    finally:
        store.close()
    if as_json:
        reports: list[JsonValue] = [each.model_dump(mode="json") for each in found]
        print_json({"reports": reports})
    elif not found:
        say('No gate was passed in shadow mode here; wrap with mode="shadow" and run.')
    for each in () if as_json else found:
        show(each)


def show(told: ShadowReport) -> None:
    """Print one report: what it rests on, a table of checkpoints, reasons and examples."""
    for line in told.heading():
        say(line)
    columns = ("checkpoint", "place", "gates", "would ask", "share", "minutes", "why")
    console().print(table(columns, map(_row, told.checkpoints), wraps=("why",)))
    for part in told.checkpoints:
        for example in part.examples:
            say(f"e.g. {example.step} in {example.run_id}: {example.summary}")


def _row(part: ShadowCheckpoint) -> tuple[object, ...]:
    why = " ".join(f"{reason.gates} × {reason.reason}" for reason in part.reasons)
    return (
        part.checkpoint,
        part.place.value,
        part.gates,
        part.would_ask,
        f"{part.share:.0%}",
        f"{part.reviewer_minutes:.0f}",
        why or None,
    )
