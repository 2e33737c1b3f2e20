"""Idempotency keys: the same key with the same body names the same thing for ever."""

import hashlib
from collections.abc import Mapping

from pydantic import JsonValue

from hitl.canonical import content_hash
from hitl.errors import RequestRefused
from hitl.ports import Transaction

LONGEST_KEY = 200
"""Characters of an idempotency key."""


def check_key(key: str | None) -> None:
    """Refuse a key that cannot be used.

    Raises:
        RequestRefused: It is empty or too long.
    """
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise RequestRefused(
            f"An idempotency key has 1 to {LONGEST_KEY} characters. Nothing was saved."
        )


def first_under(
    t: Transaction, kind: str, key: str | None, body: Mapping[str, JsonValue], id: str
) -> str:
    """Return the id first given under a key, which is `id` when the key is new or there is none.

    Args:
        t: The caller's transaction.
        kind: What is made, e.g. `"request"`; keys of two kinds are apart.
        key: The key.
        body: What was sent with it.
        id: What the new thing will be called.

    Raises:
        RequestRefused: 409, the key came with another body before.
    """
    if key is None:
        return id
    sent = content_hash(dict(body))
    name = f"{kind}:{hashlib.sha256(key.encode()).hexdigest()}"
    known, _, first = t.set_setting(name, f"{sent} {id}").partition(" ")
    if first != id and known != sent:
        raise RequestRefused(
            f"This idempotency key stands for {first!r}, made from another body. Nothing was saved;"
            " send another request under another key.",
            status_code=409,
        )
    return first
