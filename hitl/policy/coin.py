"""The coin of spot checks: reproducible, checkable afterwards, not predictable by the agent.

A keyed hash (BLAKE2b) of what is being gated, never of a task id: a crash does not redraw it, and
whoever holds the secret can check every draw later.
"""

import hashlib
import json
from functools import lru_cache

from hitl.models import StepName

_GATE = b"hitl.coin.gate"
_RUN = b"hitl.coin.run"


_written = json.JSONEncoder(separators=(",", ":")).encode


def coin(
    secret: bytes, *, run_id: str, branch: int, name: StepName, attempt: int, rollout: int = 0
) -> float:
    """Return this gate evaluation's draw: uniform in [0, 1), the same each time it is asked for.

    Args:
        secret: The store's secret; not empty.
        run_id: The run.
        branch: How many rollbacks the run has had: a fork draws anew.
        name: Which visit of which step, and on which side of it.
        attempt: nth try within the visit, from 1.
        rollout: Which of the parallel attempts, from 0.
    """
    visit = (name.step, name.place.value, name.visit, name.shard)
    return _uniform(secret, run_id, branch, *visit, attempt, rollout, purpose=_GATE)


def run_coin(secret: bytes, run_id: str) -> float:
    """Return the draw, uniform in [0, 1), that decides whether the whole run is spot-checked."""
    return _uniform(secret, run_id, purpose=_RUN)


def _uniform(secret: bytes, *drawn_for: str | int, purpose: bytes) -> float:
    """Return the first 53 bits of the hash, as many as a float in [0, 1) holds exactly.

    Texts and integers only, written as a JSON list in ASCII: one way to write them, so one hash.
    """
    hasher = _keyed(secret, purpose).copy()
    hasher.update(_written(drawn_for).encode("ascii"))
    return (int.from_bytes(hasher.digest(), "big") >> 11) / float(1 << 53)


@lru_cache(maxsize=16)
def _keyed(secret: bytes, purpose: bytes) -> "hashlib.blake2b":
    """Return a hash that has taken in the key: it is copied for each draw, never updated."""
    if not secret:
        raise ValueError("The coin needs a secret; an empty one makes every draw predictable.")
    key = hashlib.sha256(secret).digest()
    return hashlib.blake2b(key=key, person=purpose, digest_size=8)
