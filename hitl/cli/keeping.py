"""The options of `hitl db`; what it does is in `hitl.cli.upkeep` and `hitl.cli.backups`."""

from pathlib import Path
from typing import Annotated

import typer

from hitl.cli.options import DEFAULT_STORE, Json, StoreUrl


def register(db: typer.Typer) -> None:
    """Add the commands to the group."""
    db.command("upgrade")(db_upgrade)
    db.command("backup")(db_backup)
    db.command("restore")(db_restore)
    db.command("prune")(db_prune)


def db_upgrade(*, store: StoreUrl = DEFAULT_STORE, json: Json = False) -> None:
    """Create the tables of a store, or bring them to this version."""
    from hitl.cli import upkeep

    upkeep.upgrade(store, as_json=json)


def db_backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Must not exist.")],
    *,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Copy the database, also while it is in use, to a file only you can read."""
    from hitl.cli import backups

    backups.make(store, file, as_json=json)


def db_restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `hitl db backup` wrote.")],
    *,
    head: Annotated[
        Path | None, typer.Option("--head", help="The newest heads kept elsewhere.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="A public key they are signed by; repeatable."),
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Restore although later decisions are lost.")
    ] = False,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who restores.")] = None,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Put a copy back; refused when a head shows that decisions were made after it."""
    from hitl.cli import backups

    backups.restore(
        store, file, head=head, keys=key or (), accept_loss=accept_loss, by=by, as_json=json
    )


def db_prune(
    *,
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="E.g. 90d: since when it is over.")
    ],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who has it pruned.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell which runs.")] = False,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Erase the content of runs that are over; the trail and the figures stay."""
    from hitl.cli import upkeep

    upkeep.prune(store, older_than, by=by, dry_run=dry_run, as_json=json)
