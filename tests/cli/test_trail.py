"""The trail away from its database: exported, kept, tampered with, and checked by a stranger's script."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docs.verify_trail import canonical
from hitl.audit import GENESIS, canonical_event, link
from tests.cli.conftest import Command, Shop

SCRIPT = Path(__file__).parents[2] / "docs" / "verify_trail.py"
Events = list[dict[str, Any]]


@pytest.fixture
def exported(hitl: Command, shop: Shop, tmp_path: Path) -> Path:
    file = tmp_path / "trail.jsonl"
    assert hitl("audit", "export", str(file), "--store", shop.url).code == 0
    return file


@pytest.fixture
def kept(hitl: Command, shop: Shop, tmp_path: Path) -> Path:
    file = tmp_path / "head.json"
    assert hitl("audit", "head", str(file), "--store", shop.url).code == 0
    return file


def by_stranger(*files: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", SCRIPT, *files], capture_output=True, text=True, check=False
    )


def test_what_is_exported_is_whole_by_both_checkers(
    hitl: Command, shop: Shop, exported: Path, kept: Path
) -> None:
    ours = hitl("audit", "verify", "--file", str(exported), "--head", str(kept), "--json")
    theirs = by_stranger(exported, kept)

    told = json.loads(ours.out)
    assert (ours.code, theirs.returncode) == (0, 0), theirs.stderr
    assert told["whole"] is True
    assert told["head"] in theirs.stdout
    assert hitl("audit", "verify", "--store", shop.url, "--head", str(kept)).code == 0


def relinked(events: Events) -> Events:
    """Return events with fresh, matching hashes: what a forger of the whole log would write."""
    ends: dict[str, tuple[int, str]] = {}
    for event in events:
        number, prev = ends.get(event["run_id"], (0, GENESIS))
        event["chain_seq"], event["prev"] = number + 1, prev
        event["hash"] = link(prev, number + 1, event["body"])
        ends[event["run_id"]] = (number + 1, event["hash"])
    return events


def edit(events: Events) -> Events:
    events[1]["body"]["actor"] = "eve"
    return events


def swap(events: Events) -> Events:
    events[0]["body"], events[1]["body"] = events[1]["body"], events[0]["body"]
    return events


def renumber(events: Events) -> Events:
    events[0]["seq"], events[1]["seq"] = events[1]["seq"], events[0]["seq"]
    return events


def move(events: Events) -> Events:
    events[0]["run_id"] = "run_other"
    return events


TAMPERED: list[tuple[str, Callable[[Events], Events], bool]] = [
    ("an edit", edit, False),
    ("a removal in the middle", lambda e: e[:1] + e[2:], False),
    ("contents exchanged", swap, False),
    ("events exchanged", renumber, False),
    ("an event moved to another run", move, False),
    ("the end cut off", lambda e: e[:-1], True),
    ("an edit with fresh hashes", lambda e: relinked(edit(e)), True),
    ("a removal with fresh hashes", lambda e: relinked(e[1:]), True),
]
"""What was done, how, and whether only a head kept elsewhere finds it."""


@pytest.mark.parametrize(("what", "tamper", "needs_head"), TAMPERED)
def test_tampering_is_found_by_both_checkers(
    hitl: Command,
    exported: Path,
    kept: Path,
    what: str,
    tamper: Callable[[Events], Events],
    needs_head: bool,
) -> None:
    events = [json.loads(line) for line in exported.read_text().splitlines()]
    exported.write_bytes(b"".join(canonical_event(e) + b"\n" for e in tamper(events)))

    with_head = hitl("audit", "verify", "--file", str(exported), "--head", str(kept))
    without = hitl("audit", "verify", "--file", str(exported))

    assert with_head.code == 1, what
    assert with_head.err.strip().endswith(".")
    assert without.code == (0 if needs_head else 1), what
    assert by_stranger(exported, kept).returncode == 1
    assert by_stranger(exported).returncode == without.code


def test_a_head_of_before_fits_a_trail_that_grew(
    hitl: Command, shop: Shop, exported: Path, tmp_path: Path
) -> None:
    lines = exported.read_text().splitlines(keepends=True)
    early = tmp_path / "early.jsonl"
    early.write_text("".join(lines[:-1]))
    then = json.loads(hitl("audit", "verify", "--file", str(early), "--json").out)
    head = tmp_path / "early.json"
    head.write_text(json.dumps({key: then[key] for key in ("seq", "events", "head")}))

    assert hitl("audit", "verify", "--store", shop.url, "--head", str(head)).code == 0
    assert by_stranger(exported, head).returncode == 0


@pytest.mark.parametrize("text", ["", "{}", '{"seq": 1}', "not json"])
def test_a_file_that_is_no_trail_is_told(
    hitl: Command, exported: Path, tmp_path: Path, text: str
) -> None:
    bad = tmp_path / "bad"
    bad.write_text(text + "\n")

    said = hitl("audit", "verify", "--file", str(bad))
    as_head = hitl("audit", "verify", "--file", str(exported), "--head", str(bad))

    assert (said.code, "Line 1 of" in said.err) == (2, True)
    assert (as_head.code, "is not a head" in as_head.err) == (2, True)


NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(st.dictionaries(st.text(), NUMBERS | st.text() | st.lists(NUMBERS)))
def test_the_script_writes_the_canonical_form(value: dict[str, Any]) -> None:
    assert canonical({"v": value}).encode() == canonical_event({"v": value})
