"""Who may come in: a one-time link at start, or a user's key; then a session kept on the server.

The link's token is dead after its first use, and opens nothing where there are users. Sessions are random ids; the server keeps their hashes
only, so a dump of its memory opens nothing.
"""

import hashlib
import hmac
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from fastapi import Request

SESSION_IDLE = timedelta(hours=12)
"""A session unused for this long is over."""
MOST_SESSIONS = 100


@dataclass(frozen=True, slots=True)
class _Session:
    seen: datetime
    key_id: str | None
    """The key it was opened with; None for the one-time link."""


class Door:
    """The start token and the sessions it opened. Safe to use from several threads."""

    def __init__(self, token: str) -> None:
        self._token: bytes | None = _digest(token)
        self._seen: dict[bytes, _Session] = {}
        self._lock = threading.Lock()

    def open(self, token: str, *, now: datetime) -> str | None:
        """Return a new session id for the start token; None for any other, or when it was used."""
        with self._lock:
            if self._token is None or not hmac.compare_digest(self._token, _digest(token)):
                return None
            self._token = None
            return self._new(None, now)

    def open_for(self, key_id: str, *, now: datetime) -> str:
        """Return a new session id for the holder of a key; the session is worth what the key is."""
        with self._lock:
            return self._new(key_id, now)

    def key_of(self, session: str | None) -> str | None:
        """Return the id of the key that opened a session; None for the link's."""
        with self._lock:
            found = self._seen.get(_digest(session or ""))
            return None if found is None else found.key_id

    def knows(self, session: str | None, *, now: datetime) -> bool:
        """Return whether the session is alive, and keep it alive."""
        if not session:
            return False
        key = _digest(session)
        with self._lock:
            found = self._seen.get(key)
            if found is None or now - found.seen > SESSION_IDLE:
                self._seen.pop(key, None)
                return False
            self._seen[key] = replace(found, seen=now)
            return True

    def close(self, session: str | None) -> None:
        """End a session; nothing happens when it is not known."""
        with self._lock:
            self._seen.pop(_digest(session or ""), None)

    @property
    def is_used(self) -> bool:
        """Whether the start token was used."""
        return self._token is None

    def _new(self, key_id: str | None, now: datetime) -> str:
        session = secrets.token_urlsafe(32)
        self._forget_old(now)
        self._seen[_digest(session)] = _Session(now, key_id)
        return session

    def _forget_old(self, now: datetime) -> None:
        alive = sorted((s.seen, k) for k, s in self._seen.items() if now - s.seen <= SESSION_IDLE)
        self._seen = {k: self._seen[k] for _, k in alive[-(MOST_SESSIONS - 1) :]}


def cookie_name(request: Request) -> str:
    """Return the session cookie's name.

    Cookies of 127.0.0.1 are shared by all its ports, so the port is part of the name; over HTTPS the
    `__Host-` prefix ties the cookie to this host.
    """
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    prefix = "__Host-" if request.url.scheme == "https" else ""
    return f"{prefix}hitl_{port}"


def session_of(request: Request) -> str | None:
    """Return the session id a request carries, or None."""
    return request.cookies.get(cookie_name(request))


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
