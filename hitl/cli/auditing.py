"""The options of `hitl audit`; what it does is in `hitl.cli.trail`."""

from pathlib import Path
from typing import Annotated

import typer

from hitl.cli.options import DEFAULT_STORE, Json, StoreUrl


def register(audit: typer.Typer) -> None:
    """Add the commands to the group."""
    audit.command("verify")(audit_verify)
    audit.command("export")(audit_export)
    audit.command("head")(audit_head)
    audit.command("keygen")(audit_keygen)
    audit.command("erase")(audit_erase)


def audit_verify(
    *,
    store: StoreUrl = DEFAULT_STORE,
    file: Annotated[
        Path | None, typer.Option("--file", help="An exported trail, instead of a store.")
    ] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only this run's chain.")
    ] = None,
    head: Annotated[
        Path | None, typer.Option("--head", help="Heads kept elsewhere; see `hitl audit head`.")
    ] = None,
    key: Annotated[
        list[Path] | None,
        typer.Option("--key", metavar="PUB", help="A public key heads are signed by; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Recompute the trail's hashes; exit code 1 at the first event that does not fit."""
    from hitl.cli import trail

    trail.verify(store, file=file, run_id=run_id, kept=head, keys=key or (), as_json=json)


def audit_export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the JSON lines go; written anew.")
    ],
    *,
    store: StoreUrl = DEFAULT_STORE,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only this run's chain.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the trail to a file that is verified without the database."""
    from hitl.cli import trail

    trail.export(store, file=file, run_id=run_id, as_json=json)


def audit_head(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Where to write it.")] = None,
    *,
    key: Annotated[
        Path | None,
        typer.Option(
            "--signing-key", envvar="HITL_SIGNING_KEY", help="The private key to sign it with."
        ),
    ] = None,
    sealed: Annotated[
        bool, typer.Option("--sealed", help="The last head that the serving process sealed.")
    ] = False,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Verify the trail and give its head, one hash over every event: keep it elsewhere."""
    from hitl.cli import trail

    trail.head(store, file=file, key=key, sealed=sealed, as_json=json)


def audit_keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where the private key goes; must not exist.")
    ],
    *,
    public: Annotated[
        bool, typer.Option("--public", help="Print the public key of the key in FILE.")
    ] = False,
) -> None:
    """Make a key that heads are signed with, and print its public key."""
    from hitl.cli import keys

    keys.generate(file, public=public)


def audit_erase(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="A run that has ended.")],
    *,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who has it erased.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Erase what a run was given, proposed and was told; the trail stays, and still verifies."""
    from hitl.cli import upkeep

    upkeep.erase(store, run_id, by=by, dry_run=dry_run, as_json=json)
