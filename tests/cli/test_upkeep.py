"""`hitl doctor`, `db upgrade` and `audit verify`."""

import json
import os
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from hitl.cli.doctor import look
from hitl.reviews import ReviewQueue, utcnow
from hitl.stores import open_reader, open_store
from tests.cli.conftest import Command, Shop


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def forge(url: str) -> None:
    """Change who decided, past the triggers that keep the trail append-only."""
    raw = sqlite3.connect(file_of(url))
    names = raw.execute(
        "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='hitl_audit'"
    ).fetchall()
    for (name,) in names:
        raw.execute(f"DROP TRIGGER {name}")
    changed = raw.execute(
        "UPDATE hitl_audit SET body = replace(body, 'ina', 'eve') WHERE body LIKE '%ina%'"
    )
    assert changed.rowcount > 0
    raw.commit()
    raw.close()


def test_upgrade_makes_the_tables_and_may_be_repeated(hitl: Command, url: str) -> None:
    first = hitl("db", "upgrade", "--store", url)
    second = hitl("db", "upgrade", "--store", url, "--json")

    assert (first.code, second.code) == (0, 0)
    assert json.loads(second.out) == {"store": url, "current": True}
    open_reader(url).close()


def test_upgrade_refuses_a_newer_database(hitl: Command, url: str) -> None:
    hitl("db", "upgrade", "--store", url)
    raw = sqlite3.connect(file_of(url))
    raw.execute("UPDATE hitl_version SET version_num = '9999'")
    raw.commit()
    raw.close()

    said = hitl("db", "upgrade", "--store", url)

    assert said.code == 1
    assert "'9999', which this version of hitl does not know" in said.err


def test_a_whole_trail_is_counted(hitl: Command, shop: Shop) -> None:
    said = hitl("audit", "verify", "--store", shop.url, "--json")

    told = json.loads(said.out)
    assert said.code == 0
    assert told["whole"] is True
    assert told["events"] >= 2
    assert len(told["head"]) == 64


def test_one_runs_chain_can_be_verified_alone(hitl: Command, shop: Shop) -> None:
    whole = json.loads(hitl("audit", "verify", "--store", shop.url, "--json").out)

    said = hitl("audit", "verify", "--store", shop.url, "--run", shop.plain.run_id, "--json")

    assert json.loads(said.out)["whole"] is True
    assert json.loads(said.out)["events"] < whole["events"]
    assert hitl("audit", "verify", "--store", shop.url, "--run", "run_nope").code == 1


def test_a_forged_event_is_found(hitl: Command, shop: Shop) -> None:
    forge(shop.url)

    said = hitl("audit", "verify", "--store", shop.url)
    as_json = hitl("audit", "verify", "--store", shop.url, "--json")

    assert (said.code, as_json.code) == (1, 1)
    assert "breaks the trail: its content is not what was written" in said.err
    assert json.loads(as_json.out)["finding"]["run_id"] == shop.plain.run_id


def test_the_doctor_looks_at_everything(hitl: Command, shop: Shop) -> None:
    said = hitl("doctor", "--store", shop.url, "--json")

    told = json.loads(said.out)
    verdicts = {line["check"]: line["verdict"] for line in told["checks"]}
    assert said.code == 0
    assert told["ok"] is True
    assert [verdicts[check] for check in ("store", "writer", "runs", "states", "trail")] == [
        "ok"
    ] * 5
    assert {"SQLite", "msgpack", "extra demo", "extra lab"} <= set(verdicts)


def test_the_doctor_watches_what_is_approved_sealed_and_readable(hitl: Command, shop: Shop) -> None:
    file = file_of(shop.url)
    assert file.stat().st_mode & 0o777 == 0o600
    long_ago = utcnow() - timedelta(hours=1)
    with closing(open_store(shop.url, clock=lambda: long_ago)) as store:
        queue = ReviewQueue(store, clock=lambda: long_ago)
        queue.decide(shop.plain.id, "approve", by="ana", proposal_hash=shop.plain.proposal_hash)
        store.write(
            lambda t: t.claim_run(
                shop.plain.run_id, "dead", now=long_ago, lease=timedelta(seconds=30)
            )
        )
        with Path(f"{file}-wal").open("rb") as log:
            assert os.fstat(log.fileno()).st_mode & 0o077 == 0
    file.chmod(0o644)

    told = {line.check: line for line in look(shop.url)}

    assert f"e.g. {shop.plain.id}" in told["executed"].found
    assert "1 runs were being advanced" in told["leases"].found
    assert "mode 644" in told["permissions"].found
    assert {told[c].verdict for c in ("executed", "leases", "permissions")} == {"warn"}
    assert told["heads"].verdict == "ok"
    assert told["disk"].found.endswith(("database.", "make room."))


def test_the_doctor_prints_one_line_for_each(hitl: Command, shop: Shop) -> None:
    said = hitl("doctor", "--store", shop.url)

    assert said.code == 0
    words = [line.split()[0] for line in said.out.splitlines()]
    assert len(words) == len(list(look(shop.url)))
    assert set(words) <= {"ok", "warn"}


def test_the_doctor_fails_on_a_broken_trail(hitl: Command, shop: Shop) -> None:
    forge(shop.url)

    said = hitl("doctor", "--store", shop.url)

    assert said.code == 1
    assert "fail trail" in said.out


def test_the_doctor_fails_on_what_is_no_database(hitl: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be read as one")

    said = hitl("doctor", "--store", f"sqlite:///{tmp_path / 'notes.txt'}")

    assert said.code == 1
    assert "fail store" in said.out


def test_the_doctor_makes_no_database(hitl: Command, url: str) -> None:
    said = hitl("doctor", "--store", url)

    assert said.code == 0
    assert "does not exist yet" in said.out
    assert not file_of(url).exists()


def test_the_doctor_tells_who_writes(hitl: Command, shop: Shop) -> None:
    store = open_store(shop.url)
    try:
        silent = hitl("doctor", "--store", shop.url)
        store.announce("http://127.0.0.1:1", "t" * 32)
        serving = hitl("doctor", "--store", shop.url)
    finally:
        store.close()

    assert "serves no queue" in silent.out
    assert "serves its queue at http://127.0.0.1:1" in serving.out
    assert "t" * 32 not in serving.out


@pytest.mark.parametrize(("value", "verdict"), [("true", "ok"), ("", "warn")])
def test_the_doctor_knows_whether_msgpack_is_strict(
    url: str, monkeypatch: pytest.MonkeyPatch, value: str, verdict: str
) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", value)

    assert {line.check: line.verdict for line in look(url)}["msgpack"] == verdict
