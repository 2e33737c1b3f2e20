"""A real run with a retry, an edit, a spot check and outcomes, as examples, dataset and exports."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Answer, Checkpoint, Retry
from hitl.cli import run as command
from hitl.feedback import FORMATS, read_examples, read_manifest, read_snapshot
from tests.runtime.stage import (
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
)


def read(state: Cheque) -> Cheque:
    return {"amount": 100 * hitl.current().attempt}


def name(state: Cheque) -> Cheque:
    return {"payee": "Alba"}


def pay(state: Cheque) -> Cheque:
    return {"paid": "yes"}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store: two runs; denied and retried, edited, passed unseen, looked at; one "not now"."""
    home = tmp_path_factory.mktemp("feedback")
    rules = policy(
        always("read", on_deny=[Retry(3)]),
        always("name", on_deny=[Answer()]),
        Checkpoint("pay"),
    )
    with opened(home, line(read=read, name=name, pay=pay), rules) as app:
        run = app.start({"log": ["a cheque"]})
        deny(app, only(run), "retry", reasons=["wrong amount"], shown_ms=1500)
        go_on(run)
        approve(app, only(run), by="bo")
        go_on(run)
        deny(app, only(run), "answer", answer={"payee": "Bruno"}, reasons=["wrong payee"])
        go_on(run)
        run.outcome(good=False, note="bounced")
        run.outcome(good=True, step="read")
        other = app.start({"log": ["another"]})
        deny(app, only(other), "retry", reasons=["Not now"])
    return f"sqlite:///{home / 'hitl.db'}"


def exported(url: str, file: Path, format: str, *more: str) -> list[dict[str, Any]]:
    assert (
        command(["feedback", "export", str(file), "--format", format, "--store", url, *more]) == 0
    )
    return [json.loads(row) for row in file.read_text().splitlines()]


def test_every_label_is_one_example_and_not_now_is_none(url: str, tmp_path: Path) -> None:
    rows = exported(url, tmp_path / "all.jsonl", "jsonl", "--labels", "all")

    assert [(r["kind"], r["step"], r["label"]) for r in rows] == [
        ("decision", "read", False),
        ("decision", "read", True),
        ("decision", "name", False),
        ("edit", "name", True),
        ("outcome", "", False),
        ("outcome", "read", True),
    ]
    assert rows[0]["reasons"] == ["wrong amount"]
    assert (rows[0]["reviewer"], rows[0]["seconds"]) == ("ana", 1.5)
    assert rows[2]["correction"] == {"payee": "Bruno"}
    assert rows[3]["proposal"] == {"update": {"payee": "Bruno"}}
    assert rows[1]["input"]["run"] == {"log": ["a cheque"]}
    assert len(rows[4]["led_here"]) == 3
    assert len(rows[5]["led_here"]) == 1
    assert {o["good"] for o in rows[1]["outcomes"]} == {False, True}
    assert {r["weight"] for r in rows} == {1.0}


def test_formats_have_what_their_readers_want(url: str, tmp_path: Path) -> None:
    made = {f: exported(url, tmp_path / f, f) for f in FORMATS if f != "csv"}

    assert [r["label"] for r in made["unpaired"]] == [False, True, False, True]
    assert "Denied before:\n- wrong amount" in made["unpaired"][1]["prompt"]
    pairs = {r["pair"]: r for r in made["preference"]}
    assert pairs["retry"]["reason_seen"]
    assert "Denied before" not in pairs["retry"]["prompt"]
    assert json.loads(pairs["retry"]["chosen"]) == {"amount": 200}
    assert json.loads(pairs["retry"]["rejected"]) == {"amount": 100}
    assert json.loads(pairs["edit"]["chosen"]) == {"payee": "Bruno"}
    assert [r["labels"] for r in made["stepwise"]] == [[False], [True, False], [True, True]]
    assert [m["role"] for m in made["chat"][0]["messages"]] == ["user", "assistant"]
    assert made["inspect"][0].keys() == {"input", "target", "id", "metadata"}
    assert json.loads(made["openai-evals"][1]["ideal"]) == {"payee": "Bruno"}
    assert all({"weight", "label_source"} <= r.keys() for r in made["unpaired"])


def test_a_snapshot_is_one_version_per_content_and_tells_when_it_was_changed(
    url: str, tmp_path: Path
) -> None:
    take = ["feedback", "snapshot", str(tmp_path), "--store", url]
    take += ["--split", "train=0.5", "--split", "test=0.5"]
    assert command(take) == command(take) == 0
    assert command([*take, "--redact", "payee"]) == 0
    first, second = tmp_path / "feedback" / "v1", tmp_path / "feedback" / "v2"

    manifest = read_manifest(first)
    assert read_manifest(second).parent == manifest.id
    assert not (tmp_path / "feedback" / "v3").exists()
    assert manifest.left_out["not wrong"] == 1
    assert sum(b.right + b.wrong for b in manifest.balance.values()) == manifest.examples == 4
    assert sorted(e.label for e in read_snapshot(first)) == [False, False, True, True]
    assert b"Bruno" in (first / "examples.jsonl").read_bytes()
    assert b"Bruno" not in (second / "examples.jsonl").read_bytes()
    assert command(["feedback", "snapshot", str(first), "--check", "--store", url]) == 0
    (first / "examples.jsonl").chmod(0o644)
    (first / "examples.jsonl").write_bytes(b"")
    assert command(["feedback", "snapshot", str(first), "--check", "--store", url]) == 1


def test_what_policies_decide_is_no_label(tmp_path: Path) -> None:
    clock = HandClock()
    rules = policy(always("pay", expires_in="1h", on_expiry=Retry(2)))
    with opened(tmp_path, line(pay=pay), rules, clock=clock) as app:
        run = app.start({"log": []})
        clock.move(timedelta(hours=1))
        approve(app, only(go_on(run)), by="ana")
        go_on(run)
        (example,) = read_examples(app.store)
    assert example.reviewer == "ana"
    assert (example.label, example.attempt, example.verdict) == (True, 2, "approve")
