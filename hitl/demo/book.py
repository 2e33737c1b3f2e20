"""The desk's book: what was checked and what was paid. The effects of the demo, in a file of their own.

Both steps that write here may run again after a crash; writing the same line twice changes nothing.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS checked (cheque INTEGER PRIMARY KEY, bundle INTEGER, cents INTEGER);
CREATE TABLE IF NOT EXISTS paid (
    key TEXT PRIMARY KEY, cheque INTEGER, payee TEXT, cents INTEGER, times INTEGER DEFAULT 1
);
"""


class Book:
    """A SQLite file with two lists. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as line:
            line.executescript(_TABLES)

    def check(self, cheque: int, *, bundle: int, cents: int) -> tuple[int, int]:
        """Write down what a cheque was read as; return (cheques, cents) of its bundle so far."""
        with self._open() as line:
            line.execute("INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", (cheque, bundle, cents))
            counted = line.execute(
                "SELECT count(*), sum(cents) FROM checked WHERE bundle = ?", (bundle,)
            )
            number, total = counted.fetchone()
            return int(number), int(total)

    def pay(self, key: str, *, cheque: int, payee: str, cents: int) -> None:
        """Pay a cheque, once per key: a bank with idempotency keys."""
        with self._open() as line:
            line.execute(
                "INSERT INTO paid (key, cheque, payee, cents) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (key) DO UPDATE SET times = times + 1",
                (key, cheque, payee, cents),
            )

    def payments(self) -> list[tuple[int, str, int]]:
        """Return (cheque, payee, cents) of every payment, in order of cheque."""
        with self._open() as line:
            rows = line.execute("SELECT cheque, payee, cents FROM paid ORDER BY cheque")
            return [(int(cheque), str(payee), int(cents)) for cheque, payee, cents in rows]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        line = sqlite3.connect(self.path, timeout=10.0, isolation_level="IMMEDIATE")
        try:
            with line:
                yield line
        finally:
            line.close()
