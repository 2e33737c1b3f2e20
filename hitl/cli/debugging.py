"""`hitl debug`: what only tests of an installation need."""

from typing import TYPE_CHECKING

import typer

from hitl.cli.options import Json
from hitl.failpoints import POINTS, VARIABLE

if TYPE_CHECKING:
    from pydantic import JsonValue


def register(debug: typer.Typer) -> None:
    """Add the commands to the group."""
    debug.callback()(_group)
    debug.command("failpoints")(failpoints)


def _group() -> None:
    """What only tests of an installation need."""


def failpoints(*, json: Json = False) -> None:
    """List the places at which HITL_FAILPOINT=NAME[:N][:kill|error|hang:MS|execute_and_error] acts."""
    from hitl.cli.terminal import console, print_json, say, table

    if json:
        told: list[JsonValue] = [
            {"name": p.name, "where": p.where, "meaning": p.meaning} for p in POINTS
        ]
        print_json({"variable": VARIABLE, "failpoints": told})
        return
    rows = [(point.name, point.where, point.meaning) for point in POINTS]
    console().print(table(("failpoint", "where", "meaning"), rows, wraps=("where", "meaning")))
    say(f"{VARIABLE}=NAME:2:kill kills this program when it comes there for the second time.")
