"""Examples as a file of one format, written as they come."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from pydantic import Field

from hitl.errors import ConfigurationError
from hitl.feedback.examples import LabelledExample
from hitl.feedback.exports import pairs, rows
from hitl.feedback.exports.texts import completion_of, prompt_of
from hitl.feedback.selection import uniform
from hitl.models import Record

Make = Callable[[Iterable[LabelledExample], Counter[str]], Iterator[dict[str, Any]]]

FORMATS: Mapping[str, Make] = {
    "unpaired": rows.unpaired,
    "preference": pairs.preference,
    "stepwise": pairs.stepwise,
    "chat": rows.chat,
    "inspect": rows.inspect,
    "openai-evals": rows.openai_evals,
    "jsonl": rows.plain,
    "csv": rows.plain,
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With what a cell begins that a spreadsheet would compute."""


class Exported(Record):
    """What an export wrote."""

    file: str
    format: str
    rows: int
    right: int = 0
    wrong: int = 0
    """Of formats with a label."""
    reason_seen: int = 0
    """Of preference pairs: those whose chosen attempt knew why the other was denied."""
    left_out: dict[str, int] = Field(default_factory=dict)


def export(
    examples: Iterable[LabelledExample],
    file: Path,
    *,
    format: str,
    resample: bool = False,
    seed: str = "",
    left_out: Counter[str] | None = None,
) -> Exported:
    """Write examples to a file; it appears, or is replaced, when all of it is written.

    Args:
        examples: Each run's together, as stores and snapshots give them.
        file: Where to.
        format: One of `FORMATS`.
        resample: Write each row as often as its weight says, and with weight 1, for trainers that
            know no weights: the whole part, and one more with the probability of the rest.
        seed: Decides that; the same seed and rows give the same file.
        left_out: Counts, by reason, what is not in the file.

    Raises:
        ConfigurationError: There is no such format.
    """
    if format not in FORMATS:
        raise ConfigurationError(
            f"{format!r} is no format of an export; there are {', '.join(FORMATS)}."
        )
    missing = left_out if left_out is not None else Counter()
    # An item that measures a reviewer would teach an agent, or test it, with what was planted.
    safe = _without_known_answers(examples, missing)
    made = FORMATS[format](safe, missing)
    counts: Counter[str] = Counter()
    counted = _counted(_resampled(made, seed) if resample else made, counts)
    partial = file.with_name(f".{file.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="") as out:
            (_write_csv if format == "csv" else _write_lines)(counted, out)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
    return Exported(file=str(file), format=format, left_out=dict(sorted(missing.items())), **counts)


def _without_known_answers(
    examples: Iterable[LabelledExample], left_out: Counter[str]
) -> Iterator[LabelledExample]:
    for example in examples:
        if example.kind == "known_answer":
            left_out["known answer"] += 1
        else:
            yield example


def _counted(rows: Iterable[dict[str, Any]], counts: Counter[str]) -> Iterator[dict[str, Any]]:
    counts["rows"] = 0
    for row in rows:
        counts["rows"] += 1
        if "label" in row:
            counts["right" if row["label"] else "wrong"] += 1
        counts["reason_seen"] += bool(row.get("reason_seen"))
        yield row


def _resampled(rows: Iterable[dict[str, Any]], seed: str) -> Iterator[dict[str, Any]]:
    for row in rows:
        inner = row if "weight" in row else row["metadata"]
        often, rest = divmod(inner["weight"], 1.0)
        id = row["id"] if "id" in row else inner["id"]
        inner["weight"] = 1.0
        for _ in range(int(often) + (uniform(f"{seed}|{id}") < rest)):
            yield row


def _write_lines(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    for row in rows:
        out.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")


def _write_csv(rows: Iterable[dict[str, Any]], out: TextIO) -> None:
    names = [*LabelledExample.model_fields, "weight", "prompt", "completion"]
    writer = csv.DictWriter(out, names)
    writer.writeheader()
    for row in rows:
        example = LabelledExample.model_validate({k: v for k, v in row.items() if k != "weight"})
        told = {**row, "prompt": prompt_of(example), "completion": completion_of(example)}
        writer.writerow({name: _cell(told[name]) for name in names})


def _cell(value: Any) -> Any:
    """Return a cell: numbers as they are, lists and objects as JSON, texts inert in a spreadsheet."""
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
