"""Signed heads: what a forger of the whole trail cannot make, however he gets at the database."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from docs.verify_trail import canonical, check, check_signature
from hitl.audit import (
    NO_EVENTS,
    Heads,
    SealedHead,
    Signer,
    Verifier,
    canonical_event,
    link,
    signed_bytes,
)
from hitl.errors import ConfigurationError, TrailBroken
from hitl.models import AuditEvent
from hitl.reviews import Sealer, utcnow
from hitl.reviews.sealing import read_signer
from hitl.stores import open_store
from tests.cli.conftest import Command, Shop
from tests.cli.test_trail import Events, by_stranger, edit, relinked
from tests.cli.test_upkeep import forge

VECTORS = json.loads((Path(__file__).parents[2] / "docs" / "trail_vectors.json").read_text())


# -- golden vectors -------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [canonical_event, lambda value: canonical(value).encode()])
def test_both_implementations_write_the_golden_canonical_form(form: Callable[[Any], bytes]) -> None:
    for vector in VECTORS["canonical"]:
        assert form(vector["value"]) == vector["canonical"].encode()


def test_the_golden_events_head_and_signature_fit() -> None:
    events = [AuditEvent(**event) for event in VECTORS["events"]]
    public = VECTORS["public_key"].encode()

    for event in events:
        assert link(event.prev, event.chain_seq, event.body) == event.hash
    rolled = Heads().over(events)
    head = {name: VECTORS["head"][name] for name in ("seq", "events", "head")}
    assert rolled.model_dump() == head
    sealed = _sealed(VECTORS["head"])
    assert signed_bytes(sealed) == VECTORS["signed_bytes"].encode()
    assert Verifier(public).problem(sealed) is None
    check_signature(VECTORS["head"], public)
    with pytest.raises(ConfigurationError, match="not an Ed25519 private key"):
        Signer(public)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seq", 3), ("events", 1), ("head", "f" * 64), ("sealed_at", ""), ("signature", "00" * 64)],
)
def test_a_signature_covers_every_field(field: str, value: Any) -> None:
    changed = VECTORS["head"] | {field: value}

    problem = Verifier(VECTORS["public_key"].encode()).problem(_sealed(changed))

    assert problem is not None
    assert "is not signed by key" in problem


def _sealed(head: dict[str, Any]) -> SealedHead:
    return SealedHead(**head)


# -- keys, and heads signed by hand ---------------------------------------------------------------


@pytest.fixture
def key(hitl: Command, tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a private and of its public key."""
    private, public = tmp_path / "heads.key", tmp_path / "heads.pub"
    said = hitl("audit", "keygen", str(private))
    assert said.code == 0
    public.write_text(said.out)
    return private, public


def test_a_key_is_for_its_owner_and_never_overwritten(
    hitl: Command, key: tuple[Path, Path]
) -> None:
    private, public = key

    again = hitl("audit", "keygen", str(private))
    shown = hitl("audit", "keygen", str(private), "--public")

    assert private.stat().st_mode & 0o777 == 0o600
    assert (again.code, "is there already" in again.err) == (2, True)
    assert shown.out == public.read_text()
    assert "PRIVATE" not in shown.out
    private.chmod(0o640)
    with pytest.raises(ConfigurationError, match=r"read by others \(mode 640\)"):
        read_signer(private)


def test_a_rewritten_suffix_is_found_by_the_signature_alone(
    hitl: Command, shop: Shop, key: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = key
    trail, head = tmp_path / "trail.jsonl", tmp_path / "head.json"
    hitl("audit", "export", str(trail), "--store", shop.url)
    hitl("audit", "head", str(head), "--signing-key", str(private), "--store", shop.url)
    ours = ("audit", "verify", "--file", str(trail), "--head", str(head), "--key", str(public))
    assert hitl(*ours).code == 0
    assert by_stranger(trail, head, public).returncode == 0

    events: Events = [json.loads(line) for line in trail.read_text().splitlines()]
    forged = relinked(edit(events))
    trail.write_bytes(b"".join(canonical_event(e) + b"\n" for e in forged))
    made_up = json.loads(head.read_text())
    made_up |= Heads().over(AuditEvent(**e) for e in forged).model_dump()
    head.write_text(json.dumps(made_up))

    # without the public key, chain and head fit: the forger recomputed both
    assert hitl(*ours[:-2]).code == 0
    said, theirs = hitl(*ours), by_stranger(trail, head, public)
    assert (said.code, theirs.returncode) == (1, 1)
    assert "is not signed by key" in said.err
    assert "is not signed by this key" in theirs.stderr


def test_the_script_says_when_it_cannot_check_signatures(tmp_path: Path) -> None:
    trail, head = tmp_path / "trail.jsonl", tmp_path / "head.json"
    trail.write_text("")
    head.write_text(json.dumps(VECTORS["head"]))
    script = Path(__file__).parents[2] / "docs" / "verify_trail.py"
    hide = f"import sys, runpy; sys.modules['cryptography'] = None; sys.argv[0] = {str(script)!r}"
    run = f"{hide}; runpy.run_path(sys.argv[0], run_name='__main__')"

    ended = subprocess.run(
        [sys.executable, "-c", run, trail, head, head], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert "by the package cryptography, which is not installed" in ended.stderr
    assert check(str(trail)) is None


# -- the sealer -----------------------------------------------------------------------------------


def test_the_sealer_seals_what_is_new_and_publishes_it(
    hitl: Command, shop: Shop, key: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = key
    file = tmp_path / "elsewhere.jsonl"
    store = open_store(shop.url)
    sealer = Sealer(store, clock=utcnow, signer=read_signer(private), publish=file)
    try:
        first = sealer.tick()
        assert (sealer.tick(), sealer.seal()) == (None, None)
        store.write(lambda t: t.append_audit("run_x", {"action": "x", "run_id": "run_x"}))
        second = sealer.seal()
    finally:
        store.close()

    assert first is not None
    assert second is not None
    assert (second.seq, second.events) == (first.seq + 1, first.events + 1)
    assert first != NO_EVENTS
    assert len(file.read_text().splitlines()) == 2
    said = hitl(
        "audit", "verify", "--store", shop.url, "--head", str(file), "--key", str(public), "--json"
    )
    told = json.loads(said.out)
    assert (said.code, told["head"], told["signed_to"]) == (0, second.head, second.seq)
    last = hitl("audit", "head", "--sealed", "--store", shop.url, "--json")
    assert json.loads(last.out) == second.model_dump()


def test_what_is_forged_in_the_database_is_found_by_the_heads_in_it(
    hitl: Command, shop: Shop, key: tuple[Path, Path]
) -> None:
    private, public = key
    store = open_store(shop.url)
    Sealer(store, clock=utcnow, signer=read_signer(private)).seal()
    store.close()
    ours = ("audit", "verify", "--store", shop.url, "--key", str(public))
    assert hitl(*ours).code == 0

    raw = sqlite3.connect(shop.url.removeprefix("sqlite:///"))
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type='trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    columns = ("seq", "run_id", "chain_seq", "prev", "hash", "body")
    rows = raw.execute(f"SELECT {', '.join(columns)} FROM hitl_audit ORDER BY seq").fetchall()
    events = [dict(zip(columns, row, strict=True)) for row in rows]
    for event in events:
        event["body"] = json.loads(event["body"])
    for event in relinked(edit(events)):
        raw.execute(
            "UPDATE hitl_audit SET prev = ?, hash = ?, body = ? WHERE seq = ?",
            (event["prev"], event["hash"], json.dumps(event["body"]), event["seq"]),
        )
    raw.commit()
    assert "does not have the kept head" in hitl(*ours).err

    rolled = Heads().over(AuditEvent(**event) for event in events)
    old = json.loads(raw.execute("SELECT record FROM hitl_head").fetchone()[0])
    raw.execute("UPDATE hitl_head SET record = ?", (json.dumps(old | rolled.model_dump()),))
    raw.commit()
    raw.close()
    assert hitl(*ours[:-2]).code == 0  # everything fits again, but for the signature
    said = hitl(*ours)
    assert (said.code, "No head here is signed" in said.err) == (1, True)


def test_the_sealer_signs_nothing_that_was_changed_before_it(hitl: Command, shop: Shop) -> None:
    forge(shop.url)
    store = open_store(shop.url)
    try:
        with pytest.raises(TrailBroken, match="nothing after the last head"):
            Sealer(store, clock=utcnow).seal()
        assert store.read(lambda r: r.heads()) == []
    finally:
        store.close()
    none = hitl("audit", "head", "--sealed", "--store", shop.url)
    assert (none.code, "was sealed yet" in none.err) == (2, True)
