"""Options that many commands have, written once."""

from typing import Annotated

import typer

DEFAULT_STORE = "sqlite:///hitl.db"

StoreUrl = Annotated[
    str,
    typer.Option(
        "--store", envvar=["HITL_STORE", "HITL_DATABASE_URL"], metavar="URL", help="The store."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many at most.")]
