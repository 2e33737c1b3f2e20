"""The columns of a gate log: one row per gate evaluation, asked or not."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.columns import Bools, Floats

Texts = NDArray[np.str_]

TEXTS = (
    "id",
    "parents",
    "run_id",
    "run_key",
    "workflow",
    "workflow_version",
    "step",
    "place",
    "policy_hash",
    "policy_name",
    "policy_version",
    "kind",
    "calibrator",
    "triggers",
    "verdict",
    "reviewer",
    "reasons",
    "run_status",
)
"""Text columns; "" for nothing. `parents` are the ids of the rows it rests on, joined by "|"; `kind` is what p rests on (`ConfidenceKind`); `triggers` are the kinds
that fired, joined by "|"; `verdict` is approve, deny, expired, cancelled, pending, or "" where no
review was opened."""
NUMBERS = (
    "ts",
    "turn",
    "visit",
    "attempt",
    "step_index",
    "p",
    "threshold",
    "propensity_label",
    "coin_u",
    "coin_rate",
    "reliability_before",
    "reliability_after",
    "unknown_steps",
    "reset_to",
    "wrong",
    "seed_truth",
    "review_seconds",
    "wait_seconds",
    "step_seconds",
    "step_cost",
    "rework_cost",
    "silent_error_cost",
)
"""Number columns; NaN for nothing. `ts` in seconds since 1970, UTC; `p` is what the policy compared;
`wrong` 0/1; `seed_truth` 1 when a known-answer item was right, 0 when it was wrong."""
FLAGS = ("asked", "spot_check", "committed", "undone", "is_seed")
"""Flag columns."""
NEEDED = ("id", "run_id", "step", "p", "asked", "propensity_label", "wrong")
"""Columns without which nothing can be estimated; a file must have them."""

Value = str | float | bool | None


@dataclass(frozen=True, slots=True, eq=False)
class GateLog:
    """Gate evaluations as columns of one length."""

    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return int(self.columns["id"].size)

    def text(self, name: str) -> Texts:
        """Return a text column."""
        return self.columns[name]

    def number(self, name: str) -> Floats:
        """Return a number column; NaN where there is nothing."""
        return self.columns[name]

    def flag(self, name: str) -> Bools:
        """Return a flag column."""
        return self.columns[name]

    def where(self, rows: Bools) -> "GateLog":
        """Return the rows at which `rows` is true."""
        return GateLog({name: column[rows] for name, column in self.columns.items()})

    def values(self, name: str) -> list[str]:
        """Return the distinct values of a text column, sorted."""
        return [str(value) for value in np.unique(self.text(name))]

    def only(self, name: str, value: str) -> "GateLog":
        """Return the rows with this value.

        Raises:
            EvidenceRefusal: No row has it; the sentence says which values there are.
        """
        rows = self.text(name) == value
        if not rows.any():
            there = ", ".join(repr(v) for v in self.values(name)) or "none"
            raise EvidenceRefusal(
                f"No row of this log has {name} {value!r}: the slice is empty. There is {there}."
            )
        return self.where(rows)

    def records(self) -> list[dict[str, Value]]:
        """Return the rows as plain data, None for nothing."""
        plain = {name: column.tolist() for name, column in self.columns.items()}
        for name in NUMBERS:
            plain[name] = [None if np.isnan(v) else v for v in plain[name]]
        return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> "GateLog":
        """Return the log of these rows; a key that is missing everywhere is nothing everywhere.

        Raises:
            UnusableColumn: A needed column is missing, or a value is of another type.
        """
        rows = list(records)
        for name in NEEDED:
            if rows and not any(name in row for row in rows):
                raise missing(name)
        columns: dict[str, NDArray[Any]] = {}
        for name in TEXTS:
            columns[name] = np.array([_text(name, n, row) for n, row in enumerate(rows)], dtype=str)
        for name in NUMBERS:
            found = [_number(name, n, row) for n, row in enumerate(rows)]
            columns[name] = np.array(found, dtype=np.float64)
        for name in FLAGS:
            columns[name] = np.array(
                [_flag(name, n, row) for n, row in enumerate(rows)], dtype=bool
            )
        return cls.complete(columns)

    @classmethod
    def complete(cls, columns: Mapping[str, NDArray[Any]]) -> "GateLog":
        """Return the log of these columns, `run_key` taken from the run where it is not given."""
        keys = columns["run_key"]
        filled = np.where(keys == "", columns["run_id"], keys) if keys.size else keys
        return cls({**columns, "run_key": filled})

    @classmethod
    def joined(cls, logs: Sequence["GateLog"]) -> "GateLog":
        """Return the rows of several logs, in their order: shards, days."""
        if not logs:
            return cls.of([])
        return cls({n: np.concatenate([each.columns[n] for each in logs]) for n in logs[0].columns})


def missing(name: str) -> UnusableColumn:
    """Return the refusal of a log without a column it cannot do without."""
    why = {
        "propensity_label": "without it no error rate can be told from this log",
        "p": "give it as null where a step has none",
        "wrong": "give it as null where nobody looked",
    }
    return UnusableColumn(name, f"is missing; {why.get(name, 'log it for every gate evaluation')}.")


def _text(name: str, n: int, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise UnusableColumn(name, f"row {n}: {value!r} is no text.")
    return value


def _number(name: str, n: int, row: Mapping[str, Any]) -> float:
    value = row.get(name)
    if value is None:
        return float("nan")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnusableColumn(name, f"row {n}: {value!r} is no number.")
    return float(value)


def _flag(name: str, n: int, row: Mapping[str, Any]) -> bool:
    value = row.get(name)
    if value is None and name not in NEEDED:
        return False
    if value not in (0, 1):
        raise UnusableColumn(name, f"row {n}: {value!r} is neither true nor false.")
    return bool(value)
