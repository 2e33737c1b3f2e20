"""Who may do what: the acts there are, the roles that may do them, and who may never decide.

Pure. What is granted to nobody is refused.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType

from hitl.models import Role, UserKey


class May(StrEnum):
    """What somebody may be let do."""

    LOOK_OWN = "look at what they asked for or started"
    LOOK = "look at everything"
    ASK = "put an action before a person, change it, or take it back"
    START = "start a run"
    DECIDE = "decide a review"
    STOP = "stop a run"
    WITHDRAW = "withdraw what others asked, or let a stopped run go on"
    ADMINISTER = "add and revoke users' keys"


_AGENT = frozenset({May.LOOK_OWN, May.ASK, May.START})
_VIEWER = frozenset({May.LOOK_OWN, May.LOOK})
_REVIEWER = _AGENT | _VIEWER | {May.DECIDE, May.STOP}
_LEAD = _REVIEWER | {May.WITHDRAW}

GRANTS: Mapping[Role, frozenset[May]] = MappingProxyType(
    {
        Role.AGENT: _AGENT,
        Role.VIEWER: _VIEWER,
        Role.REVIEWER: _REVIEWER,
        Role.LEAD: _LEAD,
        Role.ADMIN: _LEAD | {May.ADMINISTER},
    }
)
"""What each role may do."""

OPERATOR = frozenset({May.LOOK_OWN, May.LOOK, May.STOP, May.ADMINISTER})
"""What the serving machine's own token may do once there are users: no deciding in others' names."""

KEY_PREFIX = "hitl_"
KEY_PATTERN = re.compile(r"hitl_([a-z0-9]{10})_[A-Za-z0-9_-]{43}")
"""A key: the prefix, its id, and 256 random bits."""

LONGEST_NAME = 100


def key_id(key: str) -> str | None:
    """Return the id that stands in a key; None when it is no key."""
    match = KEY_PATTERN.fullmatch(key)
    return None if match is None else match[1]


def digest(key: str) -> str:
    """Return what is kept of a key: SHA-256, in hex."""
    return hashlib.sha256(f"hitl key\0{key}".encode()).hexdigest()


def opens(kept: UserKey | None, key: str) -> bool:
    """Return whether `key` is the live key that was kept; as slow for an unknown id as for a known."""
    is_same = hmac.compare_digest(digest(key), "" if kept is None else kept.digest)
    return is_same and kept is not None and kept.is_live


def works_for(keys: Sequence[UserKey], agent: str | None) -> frozenset[str]:
    """Return the people an agent works for, by its keys of all times: they made what it asks for."""
    return frozenset(k.owner for k in keys if k.name == agent and k.owner is not None)


def why_not(keys: Sequence[UserKey], name: str, act: May) -> str | None:
    """Return why a user may not do something, or None; a name without a key is not judged here.

    Args:
        keys: The keys of this name, revoked ones included.
        name: Whose they are.
        act: What they want to do.
    """
    if not keys or any(k.is_live and act in GRANTS[k.role] for k in keys):
        return None
    live = sorted({k.role.value for k in keys if k.is_live})
    if not live:
        return "this user's keys are revoked."
    return f"the role {' and '.join(live)} may not {act.value}."


def name_problem(name: str) -> str | None:
    """Return why a name cannot be a user's, or None."""
    if not name.strip() or name != name.strip():
        return "a name has no spaces around it and is not empty"
    if len(name) > LONGEST_NAME:
        return f"a name has at most {LONGEST_NAME} characters"
    if any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in name):
        return "a name has no control or invisible characters"
    if name in ("policy", "engine", "operator"):
        return "this name is kept for what no person does"
    return None


def same_name(one: str, other: str) -> bool:
    """Return whether two names would be read as the same."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
