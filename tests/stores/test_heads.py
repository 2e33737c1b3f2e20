"""Sealed heads as a store keeps them."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from hitl.audit import GENESIS, SealedHead, TrailLine, fits, link, verify
from hitl.canonical import sha256_hex
from hitl.errors import StoreError
from hitl.models import JsonObject
from hitl.stores import migrate, open_store


def head(seq: int, *, signature: str = "") -> SealedHead:
    return SealedHead(seq=seq, events=seq, head="a" * 64, sealed_at="t", signature=signature)


def test_heads_are_kept_once_and_read_in_order(url: str) -> None:
    with closing(open_store(url)) as store:
        assert store.read(lambda r: (r.last_head(), r.sealable())) == (None, 0)

        added = store.write(lambda t: [t.add_head(head(n)) for n in (3, 9, 3)])

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
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    engine = create_engine(url)
    body = '{"action": "x"}'
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(
            text("INSERT INTO hitl_audit VALUES (1, 'run_1', 1, :prev, :hash, :body)"),
            {"prev": GENESIS, "hash": link(GENESIS, 1, {"action": "x"}), "body": body},
        )
    engine.dispose()

    with closing(open_store(url)) as store:
        (event,) = store.read(lambda r: r.trail())
        assert (event.text, verify([event])) == (body, None)
        assert store.read(lambda r: r.heads()) == []


def test_a_forged_line_that_is_no_object_is_a_finding(url: str) -> None:
    framed = f'{{"body":[],"chain_seq":1,"prev":"{GENESIS}"}}'
    line = TrailLine(1, "run_1", 1, GENESIS, sha256_hex(framed.encode()), "[]")

    finding = verify([line])

    assert finding is not None
    assert "belongs to run None" in finding.sentence
    assert verify([line._replace(text='{"a": ')]) is not None


def test_a_body_that_was_stored_in_another_order_still_fits(url: str) -> None:
    body: JsonObject = {"b": 1.0, "action": "x", "run_id": "run_1"}
    with closing(open_store(url)) as store:
        store.write(lambda t: t.append_audit("run_1", body))
        (line,) = store.read(lambda r: r.trail())

    assert line.text == '{"action":"x","b":1,"run_id":"run_1"}'
    assert fits(line)
    assert fits(line._replace(text='{"run_id": "run_1", "action": "x", "b": 1.0}'))
    assert not fits(line._replace(text='{"run_id": "run_1", "action": "x", "b": 1.5}'))
