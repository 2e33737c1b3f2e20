"""The part of a store that keeps users' keys."""

from typing import Protocol

from hitl.models import UserKey


class KeyReader(Protocol):
    """Reads of users' keys."""

    def user_key(self, key_id: str) -> UserKey | None:
        """Return the key with this id, revoked or not, or None."""
        ...

    def user_keys(self, *, name: str | None = None) -> list[UserKey]:
        """Return the keys of one user or of all, oldest first, revoked ones included."""
        ...

    def has_users(self) -> bool:
        """Return whether there ever was a key: from then on nobody comes in without one."""
        ...


class KeyWriter(Protocol):
    """Writes of users' keys. A key is never removed."""

    def add_user_key(self, key: UserKey) -> None:
        """Insert a key."""
        ...

    def set_user_key(self, key: UserKey) -> None:
        """Replace a key's record."""
        ...
