"""Sealed heads as a store keeps them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hitl.audit import SealedHead
from hitl.errors import StoreError
from hitl.stores import open_store


def head(seq: int, *, signature: str = "") -> SealedHead:
    return SealedHead(seq=seq, events=seq, head="a" * 64, sealed_at="t", signature=signature)


def test_heads_are_kept_once_and_read_in_order(url: str) -> None:
    with closing(open_store(url)) as store:
        assert store.read(lambda r: (r.last_head(), r.sealable())) == (None, 0)

        added = [store.write(lambda t, n=n: t.add_head(head(n))) for n in (3, 9, 3)]

        assert added == [True, True, False]
        assert store.read(lambda r: r.heads()) == [head(3), head(9)]
        assert store.read(lambda r: r.heads(after=3)) == [head(9)]
        assert store.read(lambda r: r.last_head()) == head(9)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hitl_head SET record = '{}'",
        "DELETE FROM hitl_head",
        "INSERT OR REPLACE INTO hitl_head VALUES (3, '{}')",
    ],
)
def test_a_head_cannot_be_changed_even_in_sql(url: str, tmp_path: Path, change: str) -> None:
    with closing(open_store(url)) as store:
        store.write(lambda t: t.add_head(head(3)))
        with pytest.raises(StoreError, match="append-only"):
            store.write(lambda t: t.connection.execute(change))
        with (
            closing(sqlite3.connect(tmp_path / "hitl.db")) as other,
            pytest.raises(sqlite3.IntegrityError, match="append-only"),
        ):
            other.execute(change)


def test_a_database_of_the_first_schema_is_upgraded_with_its_trail(
    url: str, tmp_path: Path
) -> None:
    with closing(open_store(url)) as store:
        event = store.write(lambda t: t.append_audit("run_1", {"action": "x"}))
    with closing(sqlite3.connect(tmp_path / "hitl.db")) as raw:
        raw.execute("DROP TABLE hitl_head")
        raw.execute("DROP TABLE hitl_audit_private")
        raw.execute("UPDATE hitl_version SET version_num = '0001'")
        raw.commit()

    with closing(open_store(url)) as store:
        assert store.read(lambda r: (r.audit(), r.heads())) == ([event], [])
