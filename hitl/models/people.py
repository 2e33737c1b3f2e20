"""Who may come in: keys, whose they are, and the role each carries."""

from enum import StrEnum

from pydantic import AwareDatetime

from hitl.models.words import Record


class Role(StrEnum):
    """What a key is for. `hitl.authority` says what each may do."""

    AGENT = "agent"
    """A program: it asks, starts runs and reads its own; it never decides."""
    VIEWER = "viewer"
    """Reads everything and changes nothing."""
    REVIEWER = "reviewer"
    """Decides, asks, starts runs and stops them."""
    LEAD = "lead"
    """Also withdraws other people's reviews and lets stopped runs go on."""
    ADMIN = "admin"
    """Also adds and revokes keys. Bound by the same rules when deciding."""


class UserKey(Record):
    """One key of one user. The key itself is shown once, when it is made, and kept nowhere."""

    id: str
    """Stands in the key itself, so that it is found without comparing with every other."""
    name: str
    """Whose it is: decisions carry this name. An agent's starts with `agent:`."""
    role: Role
    owner: str | None = None
    """The person an agent works for, who may not decide what it asks for; None for a person's key."""
    digest: str
    """SHA-256 over the key, in hex. The key has 256 random bits, so nothing slower is needed."""
    created_at: AwareDatetime
    created_by: str
    revoked_at: AwareDatetime | None = None
    revoked_by: str | None = None

    @property
    def is_live(self) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None
