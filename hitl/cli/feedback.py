"""`hitl feedback`: what people decided, as datasets and as files for trainers and evaluations."""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import typer
from pydantic import JsonValue, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hitl.cli.opened import looking
from hitl.cli.terminal import console, print_json, say
from hitl.feedback import (
    LabelledExample,
    Selection,
    Splits,
    Tally,
    changed,
    chosen,
    erased_since,
    read_examples,
    read_manifest,
    read_snapshot,
    redacted,
    take_snapshot,
)
from hitl.feedback import export as written
from hitl.feedback.reading import Readable
from hitl.feedback.selection import GroupBy
from hitl.graph.strict import StrictSerializer
from hitl.graph.view import view_of
from hitl.reviews import utcnow

Labels = Literal["human", "outcome", "all"]


def selection(
    workflow: str | None,
    step: Sequence[str] | None,
    labels: Labels,
    not_wrong: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> Selection:
    """Return what the options select; times without a zone are UTC."""
    return Selection(
        workflow=workflow,
        steps=tuple(step or ()),
        label_sources=("human", "outcome") if labels == "all" else (labels,),
        not_wrong=tuple(not_wrong or ()),
        since=since and since.replace(tzinfo=since.tzinfo or UTC),
        until=until and until.replace(tzinfo=until.tzinfo or UTC),
    )


def splits(parts: Sequence[str] | None, by: GroupBy, seed: str) -> Splits:
    """Return the splits that `NAME=SHARE` options name.

    Raises:
        typer.BadParameter: One cannot be read, or together they are not 1.
    """
    try:
        shares = {name: float(share) for name, _, share in (p.partition("=") for p in parts or ())}
        return Splits(shares=shares or {"all": 1.0}, by=by, seed=seed)
    except (ValueError, ValidationError) as problem:
        raise typer.BadParameter(
            f"--split takes NAME=SHARE, shares together 1, as in train=0.8; {parts} is not that."
        ) from problem


def snapshot(
    folder: Path,
    url: str,
    *,
    name: str,
    selection: Selection,
    splits: Splits,
    redact: Sequence[str],
    as_json: bool,
) -> None:
    """Take a snapshot of a store, and tell what is in it."""
    tally = Tally()
    with looking(url) as store, _progress("reading runs") as tell:
        path, manifest = take_snapshot(
            _of_store(store, selection, tally, tell),
            folder,
            name=name,
            now=utcnow(),
            selection=selection,
            splits=splits,
            redact=redact,
            tally=tally,
        )
    if as_json:
        print_json({"path": str(path), **manifest.model_dump(mode="json")})
        return
    say(f"{manifest.name} version {manifest.version} is in {path}: {manifest.examples:,} examples.")
    for part, balance in manifest.balance.items():
        say(f"  {part}: {balance.right:,} right, {balance.wrong:,} wrong")
    _say_left_out(manifest.left_out)
    if manifest.erased_runs:
        say(f"{manifest.erased_runs:,} runs were erased before; none of their examples is in it.")
    say(f"Content {manifest.id}")


def check(path: Path, url: str, *, as_json: bool) -> None:
    """Tell whether a snapshot is as it was taken, and whether it holds what was erased since.

    Raises:
        typer.Exit: It is not, or it does; the sentence was printed.
    """
    manifest, problem, erased = read_manifest(path), changed(path), []
    if problem is None:
        with looking(url) as store, _progress("checking examples") as tell:
            erased = erased_since(path, store, tell)
    if as_json:
        print_json({"path": str(path), "id": manifest.id, "problem": problem, "erased": [*erased]})
    elif problem is not None:
        say(problem, err=True)
    elif erased:
        say(
            f"It holds examples of {len(erased)} runs that {url!r} has erased, or does not know:"
            f" {', '.join(erased[:5])}{'…' if len(erased) > 5 else ''}. Delete it and what was made of"
            " it, and take a new version.",
            err=True,
        )
    else:
        say(f"{manifest.examples:,} examples, as they were taken; none of them was erased since.")
    if problem is not None or erased:
        raise typer.Exit(1)


def export(
    file: Path,
    url: str,
    *,
    format: str,
    snapshot: Path | None,
    split: str | None,
    selection: Selection,
    redact: Sequence[str],
    resample: bool,
    seed: str,
    as_json: bool,
) -> None:
    """Write examples of a store, or of a snapshot, to a file."""
    tally = Tally()
    with contextlib.ExitStack() as opened:
        tell = opened.enter_context(_progress("reading"))
        if snapshot is None:
            store = opened.enter_context(looking(url))
            found = _of_store(store, selection, tally, tell)
        else:
            total = read_manifest(snapshot).examples
            found = _told(read_snapshot(snapshot, split=split), total, tell)
        wanted = redacted(chosen(_within(found, selection), selection, tally.left_out), redact)
        done = written(
            wanted,
            file,
            format=format,
            resample=resample,
            seed=seed,
            left_out=tally.left_out,
        )
    if as_json:
        print_json({**done.model_dump(mode="json"), "unread_inputs": tally.unread_inputs})
        return
    say(f"{done.rows:,} rows of {done.format} are in {done.file}.")
    _say_left_out(done.left_out)
    if tally.unread_inputs:
        say(
            f"The inputs of {tally.unread_inputs:,} runs could not be read; their prompts lack them."
        )


def _of_store(
    store: Readable, selection: Selection, tally: Tally, tell: Callable[[int, int], None]
) -> Iterator[LabelledExample]:
    return read_examples(
        store,
        workflow=selection.workflow,
        not_wrong=selection.not_wrong,
        decode=_decoder(),
        tally=tally,
        progress=tell,
    )


def _decoder() -> Callable[[str, bytes], JsonValue]:
    serde = StrictSerializer(set())

    def decode(kind: str, blob: bytes) -> JsonValue:
        kept = serde.loads_typed((kind, blob))
        given = (
            kept["input"] if isinstance(kept, dict) and {"input", "config"} <= kept.keys() else kept
        )
        return view_of(given)[0]

    return decode


def _within(examples: Iterator[LabelledExample], selection: Selection) -> Iterator[LabelledExample]:
    workflow = selection.workflow
    return (e for e in examples if workflow is None or e.workflow == workflow)


def _told(
    examples: Iterator[LabelledExample], total: int, tell: Callable[[int, int], None]
) -> Iterator[LabelledExample]:
    for n, example in enumerate(examples, start=1):
        yield example
        if n % 100 == 0 or n == total:
            tell(n, total)


def _say_left_out(left_out: dict[str, int]) -> None:
    if left_out:
        told = Counter(left_out).most_common()
        say("Left out: " + ", ".join(f"{n:,} {why}" for why, n in told) + ".")


@contextlib.contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal's error stream."""
    on = console(err=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=on, transient=True, disable=not on.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
