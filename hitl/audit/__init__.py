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
from hitl.audit.personal import DIGEST, PERSONAL, SALT, belongs, parted
from hitl.audit.signing import Signer, Verifier, new_key

__all__ = [
    "DIGEST",
    "GENESIS",
    "NO_EVENTS",
    "PERSONAL",
    "SALT",
    "Finding",
    "Head",
    "Heads",
    "Linked",
    "SealedHead",
    "Signer",
    "TrailLine",
    "Verifier",
    "belongs",
    "canonical_event",
    "entry",
    "fits",
    "link",
    "new_key",
    "parted",
    "signed_bytes",
    "verify",
]
