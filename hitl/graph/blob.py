"""A proposal's bytes: written once, hashed, stored, and what is committed is read back from them."""

from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.func import entrypoint

from hitl.canonical import sha256_hex
from hitl.errors import ProposalRefused

_FINAL = "__hitl_final__"

MAX_BLOB = 16 * 1024 * 1024
"""Largest proposal a person can be asked about, in bytes."""


def freeze(serde: SerializerProtocol, step: str, value: Any) -> tuple[str, bytes]:
    """Return (serialiser type, bytes) of `value`, proven to read back as the same value.

    Raises:
        ProposalRefused: `value` cannot be serialised, does not survive it, or is over 16 MiB.
    """
    value = _nameable(value)
    try:
        kind, blob = serde.dumps_typed(value)
    except Exception as problem:
        raise ProposalRefused(step, f"it cannot be serialised ({problem}).") from problem
    if len(blob) > MAX_BLOB:
        raise ProposalRefused(step, f"it has {len(blob)} bytes; the limit is {MAX_BLOB}.")
    try:
        back = serde.loads_typed((kind, blob))
        same = serde.dumps_typed(back) == (kind, blob) or bool(back == value)
    except Exception as problem:
        raise ProposalRefused(step, f"it cannot be read back ({problem}).") from problem
    if not same:
        raise ProposalRefused(
            step,
            "it reads back as something else: a type in it is not known to the workflow. Name the"
            " type in the graph's state, pass it in `wrap(allow_types=[...])`, or return plain data.",
        )
    return kind, blob


def thaw(serde: SerializerProtocol, kind: str, blob: bytes) -> Any:
    """Return the value that `freeze` stored."""
    value = serde.loads_typed((kind, blob))
    if isinstance(value, dict) and set(value) == {_FINAL}:
        return entrypoint.final(**value[_FINAL])
    return value


def _nameable(value: Any) -> Any:
    """Return `value` without LangGraph's `entrypoint.final`: a nested class is not found again."""
    if isinstance(value, entrypoint.final):
        return {_FINAL: {"value": value.value, "save": value.save}}
    return value


def digest(blob: bytes) -> str:
    """Return the SHA-256 of a proposal's bytes, in hex."""
    return sha256_hex(blob)
