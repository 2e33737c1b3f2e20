"""`hitl questions`: what agents asked, who answered, and how much of it was over-asking."""

from pydantic import JsonValue

from hitl.cli.opened import ReadOnlyStore
from hitl.cli.terminal import print_json, say
from hitl.reviews import ask_reports
from hitl.stores import open_reader


def report(url: str, *, workflow: str | None, as_json: bool) -> None:
    """Print a report for each workflow whose steps asked something."""
    store = ReadOnlyStore(open_reader(url))
    try:
        found = store.read(lambda r: ask_reports(r, workflow=workflow))
    finally:
        store.close()
    if as_json:
        reports: list[JsonValue] = [each.model_dump(mode="json") for each in found]
        print_json({"reports": reports})
    elif not found:
        say("No step has asked a question here; `hitl.ask` asks one.")
    for each in () if as_json else found:
        say(str(each))
