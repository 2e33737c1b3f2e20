"""Users and their keys: added, revoked, recognised; every change on the trail.

Until the first key is made, nothing here is asked: one person on one machine needs none. From then
on nobody comes in without a key, and revoking all of them does not open the door again.
"""

import secrets
from datetime import datetime

from hitl import authority
from hitl.audit import entry
from hitl.authority import KEY_PREFIX, May
from hitl.errors import NotAllowed, NotFound, UserRefused
from hitl.lifecycle import AGENT_PREFIX
from hitl.models import JsonObject, Review, Role, UserKey
from hitl.ports import Clock, Reader, Store, Transaction

CHAIN = "hitl:users"
"""The trail's chain of changes to users."""
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"


class Users:
    """The users of a store. `ReviewQueue.users`."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(
        self, name: str, role: Role | str, *, by: str, owner: str | None = None
    ) -> tuple[UserKey, str]:
        """Make a key, and the user with it; return its record and the key, which is kept nowhere.

        A second key of the same name is the same person's.

        Args:
            name: Whose it is; an agent's is recorded as `agent:NAME`.
            role: What it is for.
            by: Who makes it.
            owner: The person an agent works for: what it asks for, they may not decide.

        Raises:
            UserRefused: The name or the role cannot be used; nothing was saved.
        """
        kind = _role(role)
        whose = f"{AGENT_PREFIX}{name.removeprefix(AGENT_PREFIX)}" if kind is Role.AGENT else name
        made = f"{KEY_PREFIX}{_random_id()}_{secrets.token_urlsafe(32)}"
        key = UserKey(
            id=authority.key_id(made) or "",
            name=whose,
            role=kind,
            owner=owner,
            digest=authority.digest(made),
            created_at=self._clock(),
            created_by=by,
        )
        self._store.write(lambda t: _add(t, key))
        return key, made

    def all(self) -> list[UserKey]:
        """Return every key there ever was, oldest first."""
        return self._store.read(lambda r: r.user_keys())

    def revoke(self, name_or_id: str, *, by: str) -> list[UserKey]:
        """End every key of a user, or one key by its id, at once; return what was ended.

        Raises:
            NotFound: No live key has this name or id.
        """
        now = self._clock()
        return self._store.write(lambda t: _revoke(t, name_or_id, by=by, now=now))

    def who(self, key: str) -> UserKey | None:
        """Return whose live key this is, or None."""
        known = authority.key_id(key)
        kept = None if known is None else self._store.read(lambda r: r.user_key(known))
        return kept if authority.opens(kept, key) else None

    def granted(self, name: str) -> frozenset[May] | None:
        """Return what a user's live keys grant together; None when nobody of this name is a user."""
        keys = self._store.read(lambda r: r.user_keys(name=name))
        if not keys:
            return None
        return frozenset().union(*(authority.GRANTS[k.role] for k in keys if k.is_live))

    def live(self, key_id: str) -> UserKey | None:
        """Return the key with this id while it opens anything, or None."""
        kept = self._store.read(lambda r: r.user_key(key_id))
        return kept if kept is not None and kept.is_live else None

    def exist(self) -> bool:
        """Return whether there are users, so that everybody needs a key."""
        return self._store.read(lambda r: r.has_users())


def barred(r: Reader, review: Review, actor: str) -> NotAllowed | None:
    """Return why this actor may not decide this review, by what is known of users; or None."""
    if actor in authority.works_for(_keys_of(r, review.initiator), review.initiator):
        why = f"{review.initiator} works for {actor}, who may not decide what it asks for."
        return NotAllowed(review.id, actor, why)
    problem = authority.why_not(r.user_keys(name=actor), actor, May.DECIDE)
    return None if problem is None else NotAllowed(review.id, actor, problem)


def _keys_of(r: Reader, name: str | None) -> list[UserKey]:
    return [] if name is None or not name.startswith(AGENT_PREFIX) else r.user_keys(name=name)


def _add(t: Transaction, key: UserKey) -> None:
    problem = authority.name_problem(key.name.removeprefix(AGENT_PREFIX)) or _owner_problem(t, key)
    if problem is None and key.role is not Role.AGENT and key.name.startswith(AGENT_PREFIX):
        problem = f"names that start with {AGENT_PREFIX!r} are kept for agents"
    for other in {k.name for k in t.user_keys()} - {key.name}:
        if authority.same_name(other, key.name):
            problem = f"{other!r} is there already and reads the same"
    if problem is not None:
        raise UserRefused(f"{key.name!r} cannot be added: {problem}. Nothing was saved.")
    t.add_user_key(key)
    t.append_audit(CHAIN, _entry("user.key_added", key, by=key.created_by, at=key.created_at))


def _owner_problem(t: Transaction, key: UserKey) -> str | None:
    if key.owner is None:
        return None
    if key.role is not Role.AGENT:
        return "only an agent works for somebody; leave the owner out"
    if not any(k.is_live for k in t.user_keys(name=key.owner)):
        return f"its owner {key.owner!r} is no user; add that person first"
    return None


def _revoke(t: Transaction, name_or_id: str, *, by: str, now: datetime) -> list[UserKey]:
    one = t.user_key(name_or_id)
    found = [one] if one is not None else t.user_keys(name=name_or_id)
    ended = [
        key.model_copy(update={"revoked_at": now, "revoked_by": by}) for key in found if key.is_live
    ]
    if not ended:
        raise NotFound("live key of user", name_or_id)
    for key in ended:
        t.set_user_key(key)
        t.append_audit(CHAIN, _entry("user.key_revoked", key, by=by, at=now))
    return ended


def _entry(action: str, key: UserKey, *, by: str, at: datetime) -> JsonObject:
    facts: JsonObject = {"name": key.name, "role": key.role.value, "owner": key.owner}
    return entry(action, at=at, actor=by, run_id=CHAIN, subject=key.id, **facts)


def _role(role: Role | str) -> Role:
    try:
        return Role(role)
    except ValueError:
        known = ", ".join(repr(r.value) for r in Role)
        raise UserRefused(f"There is no role {role!r}; choose one of {known}.") from None


def _random_id() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(10))
