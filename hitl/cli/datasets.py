"""The options of `hitl feedback`; what it does is in `hitl.cli.feedback`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from hitl.cli.options import DEFAULT_STORE, Json, StoreUrl

Workflow = Annotated[str | None, typer.Option(help="Only this workflow.")]
Step = Annotated[list[str] | None, typer.Option(help="Only this step; repeatable.")]
Labels = Annotated[
    Literal["human", "outcome", "all"], typer.Option(help="Whose labels: people's, late outcomes'.")
]
NotWrong = Annotated[
    list[str] | None,
    typer.Option("--not-wrong", metavar="REASON", help="A reason that does not mean wrong."),
]
Since = Annotated[datetime | None, typer.Option(help="Labelled at or after this (UTC).")]
Until = Annotated[datetime | None, typer.Option(help="Labelled before this (UTC).")]
Redact = Annotated[
    list[str] | None, typer.Option("--redact", metavar="FIELD", help="Black this out; repeatable.")
]

SNAPSHOT = """Take a dataset: an immutable version with a manifest, split by groups; or check one.

Examples:

  hitl feedback snapshot datasets --name payments --split train=0.8 --split test=0.2

  hitl feedback snapshot datasets --name payments --by customer --redact iban --redact payee

  hitl feedback snapshot datasets/payments/v1 --check --store sqlite:///hitl.db
"""
EXPORT = """Write labelled examples to a file that a trainer or an evaluation loads as it is.

Examples:

  hitl feedback export kto.jsonl --format unpaired

  hitl feedback export pairs.jsonl --format preference --workflow payments --redact iban

  hitl feedback export test.jsonl --format inspect --snapshot datasets/payments/v1 --split test
"""


def register(feedback: typer.Typer) -> None:
    """Add the commands to the group."""
    feedback.command("snapshot", help=SNAPSHOT)(snapshot)
    feedback.command("export", help=EXPORT)(export)


def snapshot(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where datasets are; with --check one of them.")
    ],
    *,
    name: Annotated[str, typer.Option(help="What the dataset is called.")] = "feedback",
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="NAME=SHARE", help="A part; repeatable, together 1."),
    ] = None,
    by: Annotated[
        Literal["run", "task", "customer"], typer.Option(help="What a split never divides.")
    ] = "run",
    seed: Annotated[str, typer.Option(help="Another seed divides otherwise.")] = "",
    check: Annotated[bool, typer.Option("--check", help="Check a snapshot; exit code 1.")] = False,
    store: StoreUrl = DEFAULT_STORE,
    workflow: Workflow = None,
    step: Step = None,
    labels: Labels = "human",
    not_wrong: NotWrong = None,
    since: Since = None,
    until: Until = None,
    redact: Redact = None,
    json: Json = False,
) -> None:
    """See `SNAPSHOT`."""
    from hitl.cli import feedback as command

    if check:
        command.check(folder, store, as_json=json)
        return
    command.snapshot(
        folder,
        store,
        name=name,
        selection=command.selection(workflow, step, labels, not_wrong, since, until),
        splits=command.splits(split, by, seed),
        redact=redact or [],
        as_json=json,
    )


def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to; replaced when it is there.")
    ],
    *,
    format: Annotated[
        Literal[
            "unpaired",
            "preference",
            "stepwise",
            "chat",
            "inspect",
            "openai-evals",
            "jsonl",
            "csv",
        ],
        typer.Option(help="What will read it."),
    ],
    snapshot: Annotated[
        Path | None,
        typer.Option("--snapshot", metavar="DIR", help="From this, not from the store."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Only this split of the snapshot.")] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Repeat rows by weight, for who knows no weights.")
    ] = False,
    seed: Annotated[str, typer.Option(help="Decides what --resample draws.")] = "",
    store: StoreUrl = DEFAULT_STORE,
    workflow: Workflow = None,
    step: Step = None,
    labels: Labels = "human",
    not_wrong: NotWrong = None,
    since: Since = None,
    until: Until = None,
    redact: Redact = None,
    json: Json = False,
) -> None:
    """See `EXPORT`."""
    from hitl.cli import feedback as command

    if snapshot is None and split is not None:
        raise typer.BadParameter("--split is a part of a snapshot; give it with --snapshot.")
    if snapshot is not None and not_wrong:
        raise typer.BadParameter("--not-wrong was settled when the snapshot was taken.")
    command.export(
        file,
        store,
        format=format,
        snapshot=snapshot,
        split=split,
        selection=command.selection(workflow, step, labels, not_wrong, since, until),
        redact=redact or [],
        resample=resample,
        seed=seed,
        as_json=json,
    )
