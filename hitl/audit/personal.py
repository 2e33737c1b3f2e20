"""What an event says about people, apart from it, so that it can be erased and the chain still holds.

The event keeps the digest of those fields and of a random salt beside them. Once salt and fields are
erased nobody can find out by trying whether a guess is what stood there.
"""

from hitl.canonical import content_hash
from hitl.models import JsonObject

PERSONAL = ("blob_sha256", "decision_sha256", "reason", "reasons")
"""Free text, and hashes over what may be personal and short enough to be guessed."""
DIGEST = "personal_sha256"
"""Where the event keeps the SHA-256 over the canonical JSON of salt and fields."""
SALT = "salt"


def parted(body: JsonObject, *, salt: str) -> tuple[JsonObject, JsonObject | None]:
    """Return what is chained, and what is kept apart; None when nothing in `body` is personal.

    Args:
        body: What happened.
        salt: Random, at least 128 bits, new for each event.
    """
    personal: JsonObject = {name: body[name] for name in PERSONAL if body.get(name)}
    if not personal:
        return body, None
    personal[SALT] = salt
    chained = {name: value for name, value in body.items() if name not in personal}
    return {**chained, DIGEST: content_hash(personal)}, personal


def belongs(personal: JsonObject, body: JsonObject) -> bool:
    """Return whether `personal` is what the event with `body` was written with."""
    return bool(body.get(DIGEST) == content_hash(personal))
