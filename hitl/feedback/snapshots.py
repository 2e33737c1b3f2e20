"""Dataset snapshots: immutable, known by the hash of what is in them, with a manifest."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from hitl.canonical import content_hash
from hitl.errors import ConfigurationError, EvidenceRefusal
from hitl.feedback.examples import LabelledExample
from hitl.feedback.reading import Readable, Tally
from hitl.feedback.selection import Selection, Splits, redacted
from hitl.ids import new_id
from hitl.models import Record
from hitl.ports import ERASED

MANIFEST, EXAMPLES = "manifest.json", "examples.jsonl"
_READ_ONLY = 0o444


class Balance(Record):
    """How many labels say right, and how many say wrong."""

    right: int = 0
    wrong: int = 0


class Manifest(Record):
    """What is in a snapshot, how it was chosen, and where it comes from."""

    format: Literal[1] = 1
    id: str
    """SHA-256 over what was chosen, how it was split and redacted, and the examples' hash."""
    name: str
    version: int = Field(ge=1)
    """Of the snapshots of this name, from 1."""
    parent: str | None = None
    """The id of the version before; None for the first."""
    created_at: AwareDatetime
    examples: int
    bytes: int
    sha256: str
    """Over the bytes of the examples."""
    selection: Selection
    splits: Splits
    redacted: tuple[str, ...] = ()
    balance: dict[str, Balance] = Field(default_factory=dict)
    """Per split."""
    kinds: dict[str, int] = Field(default_factory=dict)
    steps: dict[str, int] = Field(default_factory=dict)
    label_sources: dict[str, int] = Field(default_factory=dict)
    policies: dict[str, int] = Field(default_factory=dict)
    """Examples per content hash of the policy they were made under."""
    workflow_versions: dict[str, int] = Field(default_factory=dict)
    left_out: dict[str, int] = Field(default_factory=dict)
    """Decisions and examples that are not in it, by reason."""
    runs: int = 0
    """Runs that were looked at."""
    erased_runs: int = 0
    """Runs whose content was erased before, which are not in it."""
    unread_inputs: int = 0

    def content_id(self) -> str:
        """Return what `id` must be."""
        told = self.model_dump(
            mode="json", include={"format", "sha256", "selection", "splits", "redacted"}
        )
        return content_hash(told)


def chosen(
    examples: Iterable[LabelledExample], selection: Selection, left_out: Counter[str]
) -> Iterator[LabelledExample]:
    """Yield the examples that are wanted; count the others by reason."""
    for example in examples:
        problem = selection.problem(example)
        if problem is None:
            yield example
        else:
            left_out[problem] += 1


def take_snapshot(
    examples: Iterable[LabelledExample],
    folder: Path,
    *,
    name: str,
    now: datetime,
    selection: Selection | None = None,
    splits: Splits | None = None,
    redact: Iterable[str] = (),
    tally: Tally | None = None,
) -> tuple[Path, Manifest]:
    """Write a snapshot below `folder/name`, and return where it is; the same content is written once.

    Args:
        examples: As a store gives them, each run's together.
        folder: Where snapshots are.
        name: What the dataset is called: letters, digits, `.`, `_` and `-`.
        now: The time now.
        selection: Which are wanted; None for every label of a person.
        splits: Into what it is divided; None for one split, `all`.
        redact: Names of fields to black out; see `redacted`.
        tally: What `examples` meets on the way; it goes into the manifest.

    Raises:
        ConfigurationError: The name is none, or a field cannot be redacted; nothing is left behind.
    """
    if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name) is None:
        raise ConfigurationError(
            f"{name!r} is no name of a dataset; use letters, digits, '.', '_' and '-'."
        )
    home = folder / name
    partial = home / f".partial-{new_id('snap', now)}"
    partial.mkdir(parents=True)
    seen = tally if tally is not None else Tally()
    try:
        counted = _Counted(splits or Splits())
        names = tuple(sorted(set(redact)))
        wanted = chosen(examples, selection or Selection(), seen.left_out)
        counted.write(redacted(wanted, names), partial / EXAMPLES)
        return _settle(home, partial, counted.manifest(name, now, selection, names, seen))
    finally:
        rmtree(partial, ignore_errors=True)


def _settle(home: Path, partial: Path, manifest: Manifest) -> tuple[Path, Manifest]:
    """Give the snapshot its version, the next that is free; or return the one with this content."""
    while True:
        versions = sorted(_versions(home), key=lambda each: each[1].version)
        for path, known in versions:
            if known.id == manifest.id:
                return path, known
        last = versions[-1][1] if versions else None
        numbered = manifest.model_copy(
            update={
                "version": 1 if last is None else last.version + 1,
                "parent": None if last is None else last.id,
            }
        )
        (partial / MANIFEST).write_text(numbered.model_dump_json(indent=2) + "\n", encoding="utf-8")
        target = home / f"v{numbered.version}"
        try:
            partial.rename(target)
        except OSError:
            if not (target / MANIFEST).exists():
                raise
            continue  # somebody else took this version meanwhile
        for file in (EXAMPLES, MANIFEST):
            (target / file).chmod(_READ_ONLY)
        return target, numbered


def _versions(home: Path) -> Iterator[tuple[Path, Manifest]]:
    for path in home.glob("v*/" + MANIFEST):
        yield path.parent, read_manifest(path.parent)


class _Counted:
    """Writes examples, and counts them on the way."""

    def __init__(self, splits: Splits) -> None:
        self._splits = splits
        self._hash = hashlib.sha256()
        self._bytes = self._rows = 0
        self._counts: dict[str, Counter[str]] = {
            "kinds": Counter(),
            "steps": Counter(),
            "label_sources": Counter(),
            "policies": Counter(),
            "workflow_versions": Counter(),
        }
        self._balance: Counter[tuple[str, bool]] = Counter()

    def write(self, examples: Iterable[LabelledExample], file: Path) -> None:
        with file.open("wb") as out:
            for example in examples:
                split = self._splits.of(example)
                line = _line(split, example)
                self._hash.update(line)
                self._bytes += out.write(line)
                self._count(split, example)

    def _count(self, split: str, example: LabelledExample) -> None:
        self._rows += 1
        self._balance[split, example.label] += 1
        for kind, value in {
            "kinds": example.kind,
            "steps": example.step,
            "label_sources": example.label_source,
            "policies": example.policy_hash,
            "workflow_versions": f"{example.workflow} {example.workflow_version}",
        }.items():
            self._counts[kind][value] += 1

    def manifest(
        self,
        name: str,
        now: datetime,
        selection: Selection | None,
        redacted: tuple[str, ...],
        tally: Tally,
    ) -> Manifest:
        balance = {
            split: Balance(right=self._balance[split, True], wrong=self._balance[split, False])
            for split in self._splits.shares
        }
        made = Manifest(
            id="",
            name=name,
            version=1,
            created_at=now,
            examples=self._rows,
            bytes=self._bytes,
            sha256=self._hash.hexdigest(),
            selection=selection or Selection(),
            splits=self._splits,
            redacted=redacted,
            balance=balance,
            **{key: dict(sorted(counts.items())) for key, counts in self._counts.items()},
            left_out=dict(sorted(tally.left_out.items())),
            runs=tally.runs,
            erased_runs=tally.erased_runs,
            unread_inputs=tally.unread_inputs,
        )
        return made.model_copy(update={"id": made.content_id()})


def _line(split: str, example: LabelledExample) -> bytes:
    return f'{{"split":{json.dumps(split)},{example.model_dump_json()[1:]}\n'.encode()


# -- reading one ----------------------------------------------------------------------------------


def read_manifest(path: Path) -> Manifest:
    """Return a snapshot's manifest.

    Raises:
        ConfigurationError: There is no snapshot, or its manifest cannot be read.
    """
    try:
        return Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValidationError) as problem:
        raise ConfigurationError(
            f"There is no snapshot in {str(path)!r}: its {MANIFEST} cannot be read ({problem})."
        ) from problem


def read_snapshot(path: Path, *, split: str | None = None) -> Iterator[LabelledExample]:
    """Yield a snapshot's examples, after its hash was checked.

    Raises:
        ConfigurationError: There is no snapshot, or no such split.
        EvidenceRefusal: It was changed since it was taken.
    """
    manifest = read_manifest(path)
    if split is not None and split not in manifest.splits.shares:
        there = ", ".join(manifest.splits.shares)
        raise ConfigurationError(f"Snapshot {str(path)!r} has no split {split!r}; it has {there}.")
    problem = changed(path)
    if problem is not None:
        raise EvidenceRefusal(problem)
    for own, example in _rows(path):
        if split is None or own == split:
            yield example


def _rows(path: Path) -> Iterator[tuple[str, LabelledExample]]:
    with (path / EXAMPLES).open("rb") as lines:
        for line in lines:
            plain: dict[str, Any] = json.loads(line)
            yield plain.pop("split"), LabelledExample.model_validate(plain)


def changed(path: Path) -> str | None:
    """Return how a snapshot differs from what was taken, in a sentence; None when it is whole."""
    manifest = read_manifest(path)
    try:
        with (path / EXAMPLES).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        return f"The examples of snapshot {str(path)!r} cannot be read: {problem}."
    if found != manifest.sha256 or manifest.id != manifest.content_id():
        return (
            f"Snapshot {str(path)!r} is not what was taken: its examples or its manifest were changed."
            " Nothing was made of it; take a new one from the store."
        )
    return None


def erased_since(
    path: Path, store: Readable, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """Return the runs whose examples are in a snapshot and whose content the store has erased since.

    A snapshot is not changed by an erasure: delete it, and take a new version.
    """
    total = read_manifest(path).examples
    found: list[str] = []
    last = ""
    for n, (_, example) in enumerate(_rows(path), start=1):
        if example.run_id != last:
            last = example.run_id
            if _is_erased(store, last):
                found.append(last)
        if progress is not None:
            progress(n, total)
    return found


def _is_erased(store: Readable, run_id: str) -> bool:
    run = store.read(lambda r: r.find_run(run_id))
    return run is None or run.reason == ERASED
