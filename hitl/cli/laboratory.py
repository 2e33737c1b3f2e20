"""The laboratory's commands with their options; what they do is in `hitl.cli.lab`."""

from typing import Annotated, Literal

import typer

DEFAULT_STORE = "sqlite:///hitl.db"

Store = Annotated[
    str, typer.Option("--store", envvar="HITL_STORE", metavar="URL", help="Read this store's log.")
]
Log = Annotated[
    str | None,
    typer.Option(
        "--log", metavar="FILE", help="Read a .jsonl or .parquet log (or a folder of them)."
    ),
]
Workflow = Annotated[str | None, typer.Option(help="Only this workflow.")]
Version = Annotated[
    str | None,
    typer.Option(
        "--policy-hash", metavar="HASH", help="Only this policy; the hash's start will do."
    ),
]
NotWrong = Annotated[
    list[str] | None,
    typer.Option(
        "--not-wrong", metavar="REASON", help="A reason that does not mean wrong; repeatable."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Alpha = Annotated[
    float,
    typer.Option("--error-at-most", metavar="SHARE", help="Tolerated share of silent errors."),
]
Sure = Annotated[float, typer.Option("--sure", metavar="SHARE", help="How sure to be of it.")]
ReviewMinutes = Annotated[
    float | None,
    typer.Option("--review-minutes", metavar="M", help="Minutes per review, where none was timed."),
]

EVALUATE = """Tell how often silent errors pass, and whether the right things are asked.

Examples:

  hitl policy evaluate --store sqlite:///payments.db

  hitl policy evaluate --log june.parquet --by day --json

  hitl policy evaluate --html report.html --review-minutes 1.5
"""
CERTIFY = """Find the laxest threshold that is proven to keep errors low, or say that none is.

Examples:

  hitl policy certify --error-at-most 0.02 --sure 0.95

  hitl policy certify --step read_amount --caught 24 --shown 30
"""
EXPORT = """Write the gate log to a file: .jsonl, or .parquet with the lab extra.

Example:

  hitl policy export june.parquet --store sqlite:///payments.db
"""


def register(policy: typer.Typer) -> None:
    """Add the laboratory's commands to `hitl policy`."""
    policy.command("evaluate", help=EVALUATE)(evaluate)
    policy.command("certify", help=CERTIFY)(certify)
    policy.command("export", help=EXPORT)(export)


def evaluate(
    *,
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    by: Annotated[
        Literal["step", "policy", "workflow", "day"], typer.Option(help="What the slices are.")
    ] = "step",
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    review_minutes: ReviewMinutes = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write a page with charts, too.")
    ] = None,
    json: Json = False,
) -> None:
    """See `EVALUATE`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.evaluate(
        source,
        by=by,
        alpha=error_at_most,
        sure=sure,
        review_minutes=review_minutes,
        html=html,
        as_json=json,
    )


def certify(
    *,
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    step: Annotated[str | None, typer.Option(help="Only this step.")] = None,
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    sensitivity: Annotated[
        float | None,
        typer.Option(help="Least share of wrong steps reviewers catch, known beforehand."),
    ] = None,
    caught: Annotated[int, typer.Option(min=0, help="Known-wrong items reviewers denied.")] = 0,
    shown: Annotated[int, typer.Option(min=0, help="Known-wrong items they were shown.")] = 0,
    json: Json = False,
) -> None:
    """See `CERTIFY`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.certify(
        source,
        step=step,
        alpha=error_at_most,
        sure=sure,
        sensitivity=sensitivity,
        caught=caught,
        shown=shown,
        as_json=json,
    )


def export(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; .jsonl or .parquet.")],
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
) -> None:
    """See `EXPORT`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.export(source, file)
