"""`hitl user` and its options; what the commands do is in `hitl.cli.users`."""

from typing import Annotated

import typer

from hitl.cli.options import DEFAULT_STORE, Json, StoreUrl

commands = typer.Typer(help="Users and their keys: who may do what.", no_args_is_help=True)


@commands.command("add")
def add(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose key it is.")],
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="agent, viewer, reviewer, lead or admin.")
    ],
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="The person an agent works for.")
    ] = None,
    print_key: Annotated[
        bool, typer.Option("--print-key", help="Print the key alone, for a script.")
    ] = False,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Make a key, shown this once; from the first one on, nobody comes in without."""
    from hitl.cli import users

    users.add(store, name, role, owner=owner, alone=print_key, as_json=json)


@commands.command("list")
def list_all(*, store: StoreUrl = DEFAULT_STORE, json: Json = False) -> None:
    """List every key there ever was, oldest first."""
    from hitl.cli import users

    users.list_all(store, as_json=json)


@commands.command("revoke")
def revoke(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME|ID", help="A user, or one key's id.")],
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """End a user's keys, or one of them, at once."""
    from hitl.cli import users

    users.revoke(store, name, as_json=json)
