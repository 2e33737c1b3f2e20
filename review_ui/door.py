"""Who may come in: a one-time link at start, then a session kept on the server.

The link's token is dead after its first use. Sessions are random ids; the server keeps their hashes
only, so a dump of its memory opens nothing.
"""

import hashlib
import hmac
import secrets
import threading
from datetime import datetime, timedelta

from fastapi import Request

SESSION_IDLE = timedelta(hours=12)
"""A session unused for this long is over."""
MOST_SESSIONS = 100


class Door:
    """The start token and the sessions it opened. Safe to use from several threads."""

    def __init__(self, token: str) -> None:
        self._token: bytes | None = _digest(token)
        self._seen: dict[bytes, datetime] = {}
        self._lock = threading.Lock()

    def open(self, token: str, *, now: datetime) -> str | None:
        """Return a new session id for the start token; None for any other, or when it was used."""
        with self._lock:
            if self._token is None or not hmac.compare_digest(self._token, _digest(token)):
                return None
            self._token = None
            session = secrets.token_urlsafe(32)
            self._forget_old(now)
            self._seen[_digest(session)] = now
            return session

    def knows(self, session: str | None, *, now: datetime) -> bool:
        """Return whether the session is alive, and keep it alive."""
        if not session:
            return False
        key = _digest(session)
        with self._lock:
            seen = self._seen.get(key)
            if seen is None or now - seen > SESSION_IDLE:
                self._seen.pop(key, None)
                return False
            self._seen[key] = now
            return True

    def close(self, session: str | None) -> None:
        """End a session; nothing happens when it is not known."""
        with self._lock:
            self._seen.pop(_digest(session or ""), None)

    @property
    def is_used(self) -> bool:
        """Whether the start token was used."""
        return self._token is None

    def _forget_old(self, now: datetime) -> None:
        alive = sorted((t, k) for k, t in self._seen.items() if now - t <= SESSION_IDLE)
        self._seen = {k: t for t, k in alive[-(MOST_SESSIONS - 1) :]}


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
