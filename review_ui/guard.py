"""What stands before every response: host, origin, and the headers that keep the pages inert.

A pure ASGI middleware, so that it holds for pages, fragments, static files, errors and mounted
routers alike. It never looks at `request.url` to decide who may do what.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_READS = {"GET", "HEAD", "OPTIONS"}


class Guard:
    """Refuses foreign hosts and cross-site writes; adds the security headers to every response."""

    def __init__(self, app: ASGIApp, *, hosts: Sequence[str] | None = LOCAL_HOSTS) -> None:
        self._app = app
        self._hosts = None if hosts is None else {h.lower() for h in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        target = refusal if refusal is not None else self._app
        await target(scope, receive, _with_headers(send))

    def _refusal(self, method: str, headers: Headers) -> ASGIApp | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return PlainTextResponse(
                "This Host header is not one of the names this queue answers to."
                " Open it by 127.0.0.1 or localhost, or name the host in `allowed_hosts`.",
                status_code=400,
            )
        if method not in _READS and is_cross_site(headers):
            return PlainTextResponse(
                "This request came from another site, so nothing was done."
                " Open the queue itself and try again.",
                status_code=403,
            )
        return None

    def _is_ours(self, host: str) -> bool:
        return self._hosts is None or _without_port(host).lower() in self._hosts


def is_cross_site(headers: Headers) -> bool:
    """Return whether a browser says that another site made this request.

    `Sec-Fetch-Site` decides where it is sent; else `Origin` must equal the host. Neither is sent by
    clients that are not browsers; those carry no cookie of ours either.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _with_headers(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_guarded
