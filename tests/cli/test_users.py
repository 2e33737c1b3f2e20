"""`hitl user`: the first key, deciding with it, and ending it, with and without a serving process."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Shop
from tests.cli.serving import serving


def test_a_store_with_users_is_decided_with_ones_own_key(
    hitl: Command, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = ("--store", shop.url)
    key = hitl("user", "add", "ana", "--role", "reviewer", "--print-key", *at).out.strip()
    say_yes = ("decide", shop.plain.id, "approve", "--by", "ana", "--yes", *at)

    without = hitl(*say_yes)
    monkeypatch.setenv("HITL_KEY", key)
    in_anothers_name = hitl("decide", shop.plain.id, "approve", "--by", "ben", "--yes", *at)
    done = hitl(*say_yes)

    assert (without.code, in_anothers_name.code, done.code) == (1, 1, 0)
    assert "set HITL_KEY to a key of 'ana'" in without.err
    decision = shop.review(shop.plain.id).decision
    assert decision is not None
    assert decision.by == "ana"


def test_keys_are_made_listed_and_ended_through_the_process_that_serves(
    hitl: Command, tmp_path: Path
) -> None:
    at = ("--store", f"sqlite:///{tmp_path / 'hitl.db'}")

    with serving(*at, cwd=tmp_path):
        made = json.loads(hitl("user", "add", "buyer", "--role", "agent", "--json", *at).out)
        refused = hitl("user", "add", "Buyer", "--role", "agent", *at)
        ended = hitl("user", "revoke", "agent:buyer", *at)
    listed = json.loads(hitl("user", "list", "--json", *at).out)["users"]

    assert made["key"].startswith(f"hitl_{made['user']['id']}_")
    assert (refused.code, ended.code) == (1, 0)
    assert "reads the same" in refused.err
    assert [(u["name"], u["role"], u["revoked_by"]) for u in listed] == [
        ("agent:buyer", "agent", "operator")
    ]
