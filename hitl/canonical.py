"""Canonical bytes and hashes: one value, one byte string, everywhere.

Canonical JSON is RFC 8785 (JSON Canonicalization Scheme), by the `rfc8785` library. Hashes are
SHA-256 in lower-case hex. Integers beyond 2**53 and numbers that are not finite have no canonical
form and are refused.
"""

import hashlib
from collections.abc import Mapping

import rfc8785
from pydantic import JsonValue


def canonical_json(value: JsonValue | Mapping[str, JsonValue]) -> bytes:
    """Return the RFC 8785 bytes of `value`.

    Raises:
        ValueError: `value` holds NaN, infinity, an integer beyond 2**53, or a lone surrogate.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as problem:
        raise ValueError(str(problem)) from problem


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def content_hash(value: JsonValue | Mapping[str, JsonValue]) -> str:
    """Return the SHA-256 of the canonical JSON of `value`."""
    return sha256_hex(canonical_json(value))
