"""What an array must be before a number is drawn from it: one sentence for each thing it is not."""

import operator
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hitl.errors import EvidenceRefusal, NotIdentifiable, UnusableColumn

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def numbers(values: ArrayLike, name: str, *, missing: bool = False) -> Floats:
    """Return `values` as a 1-d float array, shape (n,).

    Args:
        values: One number per row.
        name: The column's name, for the sentence.
        missing: Whether NaN is allowed (a row without a value).

    Raises:
        UnusableColumn: Not 1-d, empty, NaN where none is allowed, or infinite.
    """
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise UnusableColumn(name, f"must be 1-d; it has {column.ndim} dimensions.")
    if column.size == 0:
        raise UnusableColumn(name, "is empty: the slice holds no row. Widen the slice.")
    bad = np.isinf(column) if missing else ~np.isfinite(column)
    _refuse(column, bad, name, "is not a finite number; drop the row or log the value")
    return column


def fractions(values: ArrayLike, name: str, *, missing: bool = False) -> Floats:
    """Return `values` as a 1-d array of numbers in [0, 1]; see `numbers`.

    Raises:
        UnusableColumn: As `numbers`, or a value outside [0, 1].
    """
    column = numbers(values, name, missing=missing)
    _refuse(column, (column < 0) | (column > 1), name, "lies outside [0, 1]")
    return column


def outcomes(values: ArrayLike, name: str) -> Floats:
    """Return `values` as a 1-d array of 0.0 and 1.0; see `numbers`.

    Raises:
        UnusableColumn: As `numbers`, or a value that is neither 0 nor 1.
    """
    column = numbers(values, name)
    _refuse(column, (column != 0) & (column != 1), name, "is neither 0 nor 1")
    return column


def flags(values: ArrayLike, name: str) -> Bools:
    """Return `values` as a 1-d boolean array; 0, 1, False and True are flags.

    Raises:
        UnusableColumn: As `outcomes`.
    """
    found: Bools = outcomes(values, name) == 1.0
    return found


def propensities(values: ArrayLike, observed: Bools, *, estimate: str) -> Floats:
    """Return the logged P(label), in (0, 1].

    Raises:
        UnusableColumn: A propensity is missing or outside [0, 1], a row with propensity 0 has a
            label, or one with propensity 1 has none (an expired review is a missing label, not a
            right one).
        NotIdentifiable: Some rows could never have got a label.
    """
    column = fractions(values, "propensity")
    aligned(propensity=column, observed=observed)
    never = column == 0.0
    if bool(np.any(never & observed)):
        raise UnusableColumn("propensity", "is 0 on a row that has a label; log the real one.")
    unanswered = int(np.sum((column == 1.0) & ~observed))
    if unanswered:
        raise UnusableColumn(
            "propensity",
            f"is 1 on {unanswered} rows without a label; offer them again, or log P(answered).",
        )
    if bool(np.any(never)):
        raise no_spot_checks(estimate, int(np.sum(never)), column.size)
    return column


def no_spot_checks(estimate: str, rows: int, total: int) -> NotIdentifiable:
    """Return the refusal for rows that nobody ever spot-checks."""
    return NotIdentifiable(
        estimate,
        f"no spot checks on {rows} of {total} rows",
        "59 random spot checks without an error would show, 95 % sure, that at most 5 % are wrong.",
    )


def aligned(**columns: NDArray[np.generic]) -> int:
    """Return the common length of `columns`.

    Raises:
        UnusableColumn: Two columns differ in length.
    """
    sizes = [(name, len(column)) for name, column in columns.items()]
    (first, n), *others = sizes
    for name, size in others:
        if size != n:
            raise UnusableColumn(name, f"has {size} rows, but {first!r} has {n}.")
    return n


def counts(k: int, n: int) -> tuple[int, int]:
    """Return (k, n) as integers with 0 <= k <= n and n >= 1.

    A float k is refused: `rate * n` falls below its integer by rounding, and the binomial tail
    floors it, which certifies too much.

    Raises:
        UnusableColumn: k or n is no integer, n < 1, k < 0 or k > n.
    """
    try:
        errors, rows = operator.index(k), operator.index(n)
    except TypeError:
        raise UnusableColumn("k", f"and n must be integers; they are {k!r} and {n!r}.") from None
    if rows < 1:
        raise UnusableColumn("n", f"must be at least 1; it is {rows}.")
    if not 0 <= errors <= rows:
        raise UnusableColumn("k", f"must lie in [0, {rows}]; it is {errors}.")
    return errors, rows


def level(value: float, name: str) -> float:
    """Return `value` if it lies strictly between 0 and 1.

    Raises:
        EvidenceRefusal: It does not, or it is NaN.
    """
    if not 0.0 < value < 1.0:
        raise EvidenceRefusal(f"{name!r} must lie between 0 and 1, both excluded; it is {value}.")
    return float(value)


def probability(value: float, name: str) -> float:
    """Return `value` if it lies in [0, 1].

    Raises:
        EvidenceRefusal: It does not, or it is NaN.
    """
    if not 0.0 <= value <= 1.0:
        raise EvidenceRefusal(f"{name!r} must lie in [0, 1]; it is {value}.")
    return float(value)


def amount(value: float, name: str) -> float:
    """Return `value` if it is a finite number >= 0: a cost, a time.

    Raises:
        EvidenceRefusal: It is not.
    """
    if not 0.0 <= value < float("inf"):
        raise EvidenceRefusal(f"{name!r} must be a finite number >= 0; it is {value}.")
    return float(value)


def ranking_warnings(confidence: ArrayLike, correct: ArrayLike) -> tuple[str, ...]:
    """Return what is doubtful about using this confidence as a ranking; empty when nothing is.

    All-equal confidences rank nothing, and inverted ones rank backwards: numbers drawn from them
    are true, but seldom what was wanted.

    Args:
        confidence: Shape (n,), in [0, 1].
        correct: Shape (n,), 0/1.
    """
    score, right = fractions(confidence, "confidence"), outcomes(correct, "correct")
    aligned(confidence=score, correct=right)
    if bool(np.all(score == score[0])):
        return (f"All confidences are {score[0]:g}: they rank nothing.",)
    if right.min() == right.max():
        return ()
    sure_right, sure_wrong = score[right == 1].mean(), score[right == 0].mean()
    if sure_right < sure_wrong:
        return (
            f"Confidence is inverted: {sure_wrong:.3f} on average when wrong,"
            f" {sure_right:.3f} when right.",
        )
    return ()


def _refuse(column: Floats, bad: Bools, name: str, problem: str) -> None:
    rows: Sequence[int] = np.flatnonzero(bad).tolist()
    if rows:
        many = f" ({len(rows)} rows in all)" if len(rows) > 1 else ""
        raise UnusableColumn(name, f"row {rows[0]}: {column[rows[0]]!s} {problem}{many}.")
