"""A gate log as a file: JSON lines with what Python has, Parquet with the `lab` extra's engine."""

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ConfigurationError, MissingExtra, UnusableColumn
from hitl.lab.log.columns import FLAGS, NEEDED, NUMBERS, TEXTS, GateLog, missing


def read_file(path: str | Path) -> GateLog:
    """Return the log in a `.jsonl` or `.parquet` file, or in all such files of a folder.

    Raises:
        ConfigurationError: There is no such file, it has another ending, or is not what that says.
        UnusableColumn: A needed column is missing, or a value is of another type.
        MissingExtra: Parquet needs DuckDB (`pip install 'hitl-framework[lab]'`).
    """
    where = Path(path)
    if where.is_dir():
        parts = sorted(p for p in where.iterdir() if p.suffix in (".jsonl", ".parquet"))
        return GateLog.joined([read_file(part) for part in parts])
    if not where.is_file():
        raise ConfigurationError(f"There is no gate log at {str(path)!r}.")
    if where.suffix == ".jsonl":
        return GateLog.of(_lines(where))
    if where.suffix == ".parquet":
        return _read_parquet(where)
    raise _ending(where)


def write_file(log: GateLog, path: str | Path) -> None:
    """Write a log as `.jsonl` or `.parquet`; `read_file` reads the same log back.

    Raises:
        ConfigurationError: The name has another ending.
        MissingExtra: As in `read_file`.
    """
    where = Path(path)
    if where.suffix not in (".jsonl", ".parquet"):
        raise _ending(where)
    if where.suffix == ".parquet":
        _write_parquet(log, where)
        return
    with where.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, separators=(",", ":")) + "\n" for row in log.records())


def engine() -> Any:
    """Return DuckDB, the optional engine.

    Raises:
        MissingExtra: It is not installed.
    """
    try:
        return import_module("duckdb")
    except ImportError as absent:
        raise MissingExtra("a gate log in Parquet", "lab", "duckdb") from absent


def _ending(where: Path) -> ConfigurationError:
    return ConfigurationError(
        f"A gate log is a .jsonl or .parquet file; {where.name!r} is neither. Give it such an ending."
    )


def _lines(where: Path) -> Iterator[dict[str, Any]]:
    with where.open(encoding="utf-8") as file:
        for n, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as problem:
                raise ConfigurationError(
                    f"Line {n} of {where.name!r} is no JSON: {problem}."
                ) from problem
            if not isinstance(row, dict):
                raise ConfigurationError(f"Line {n} of {where.name!r} is no JSON object.")
            yield row


def _read_parquet(where: Path) -> GateLog:
    duckdb = engine()
    with duckdb.connect() as connection:
        relation = connection.read_parquet(str(where))
        there = set(relation.columns)
        for name in NEEDED:
            if name not in there:
                raise missing(name)
        parts = [_cast(name, name in there) for name in (*TEXTS, *NUMBERS, *FLAGS)]
        try:
            found = relation.select(*map(duckdb.SQLExpression, parts)).fetchnumpy()
        except duckdb.ConversionException as problem:
            raise UnusableColumn("(some)", f"of {where.name!r}: {problem}") from problem
    return GateLog.complete(dict(_arrays(found)))


def _cast(name: str, there: bool) -> str:  # noqa: FBT001 - private, one caller
    empty, kind = ("''", "VARCHAR") if name in TEXTS else ("NULL", "DOUBLE")
    if name in FLAGS:
        empty, kind = "FALSE", "BOOLEAN"
    value = f'coalesce(CAST("{name}" AS {kind}), {empty})' if there else f"CAST({empty} AS {kind})"
    return f'{value} AS "{name}"'


def _arrays(found: dict[str, Any]) -> Iterator[tuple[str, NDArray[Any]]]:
    for name, values in found.items():
        if name in TEXTS:
            yield name, np.asarray(values, dtype=str)
        elif name in NUMBERS:
            yield name, np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
        else:
            yield name, np.asarray(values, dtype=bool)


def _write_parquet(log: GateLog, where: Path) -> None:
    kinds = {**dict.fromkeys(TEXTS, "VARCHAR"), **dict.fromkeys(NUMBERS, "DOUBLE")}
    kinds |= dict.fromkeys(FLAGS, "BOOLEAN")
    shape = ", ".join(f"{name}: '{kind}'" for name, kind in kinds.items())
    lines = where.with_name(f".{where.name}.jsonl")
    write_file(log, lines)
    try:
        with engine().connect() as connection:
            query = f"SELECT * FROM read_json(?, format='newline_delimited', columns={{{shape}}})"  # noqa: S608 - our own names
            connection.sql(query, params=[str(lines)]).write_parquet(str(where), compression="zstd")
    finally:
        lines.unlink()
