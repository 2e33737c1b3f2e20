"""The trail: events chained per run, heads over all of them, and who signed those."""

from hitl.audit.chain import (
    GENESIS,
    Finding,
    Linked,
    TrailLine,
    canonical_event,
    entry,
    fits,
    link,
    verify,
)
from hitl.audit.heads import NO_EVENTS, Head, Heads, SealedHead, signed_bytes
from hitl.audit.signing import Signer, Verifier, new_key

__all__ = [
    "GENESIS",
    "NO_EVENTS",
    "Finding",
    "Head",
    "Heads",
    "Linked",
    "SealedHead",
    "Signer",
    "TrailLine",
    "Verifier",
    "canonical_event",
    "entry",
    "fits",
    "link",
    "new_key",
    "signed_bytes",
    "verify",
]
