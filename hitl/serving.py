"""Serving the queue from this process: pages, API and the engine that advances parked runs."""

import logging
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from hitl.engines import EmbeddedEngine
from hitl.errors import ConfigurationError
from hitl.ports import Clock, Store
from hitl.reviews import (
    MEASURES,
    ReviewQueue,
    figures,
    raise_unexecuted,
    sealer_of,
    utcnow,
)

if TYPE_CHECKING:
    from fastapi import APIRouter

_log = logging.getLogger(__name__)

_WATCH_SECONDS = 30.0
LOOPBACK = "127.0.0.1"
SHORTEST_TOKEN = 16


@runtime_checkable
class Announcing(Protocol):
    """A store that can tell other processes where its queue is served."""

    def announce(self, url: str, token: str) -> None:
        """Write the address and the API token where only this user can read them."""
        ...


@dataclass(frozen=True)
class Server:
    """What is served: an app on a bound socket. `run` blocks until it is stopped."""

    app: Any
    listener: socket.socket
    url: str
    """Where the pages are; carries the one-time token."""

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM."""
        import uvicorn  # noqa: PLC0415 - only the serving process needs it

        config = uvicorn.Config(self.app, log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        # Whoever waits for an answer is sent away then; the server would wait for them for ever.
        self.app.state.is_ending = lambda: server.should_exit
        server.run(sockets=[self.listener])


def prepare(
    queue: ReviewQueue,
    store: Store,
    *,
    title: str,
    port: int,
    reviewer: str,
    extra_routers: Sequence[Any] = (),
    workflows: Sequence[Any] = (),
) -> Server:
    """Bind the port on 127.0.0.1 and build the pages and the API over `queue`.

    Args:
        queue: The review service.
        store: Its store; told the address, so that `hitl decide` in a second process comes here.
        title: Shown at the top of the pages.
        port: 0 takes a free one.
        reviewer: The name decisions on the pages carry.
        extra_routers: FastAPI routers mounted beside the pages.
        workflows: What can be started over HTTP; see `review_ui.running.Startable`.

    Raises:
        ConfigurationError: The port is taken.
    """
    from review_ui import create_app  # noqa: PLC0415 - `import hitl` must not load the web pages
    from review_ui.api import create_api  # noqa: PLC0415
    from review_ui.scraping import metrics  # noqa: PLC0415

    api_token = _api_token()
    listener = _bind(port)
    address = f"http://{LOOPBACK}:{listener.getsockname()[1]}"
    page_token = secrets.token_urlsafe(24)
    page = metrics(lambda: figures_of(store))
    routers = [
        create_api(queue, token=api_token, workflows=workflows),
        page,
        *extra_routers,
    ]
    app = create_app(queue, title=title, token=page_token, reviewer=reviewer, extra_routers=routers)
    if isinstance(store, Announcing):
        store.announce(address, api_token)
    return Server(app, listener, f"{address}/?token={page_token}")


def mounted(
    queue: ReviewQueue,
    *,
    title: str,
    auth: Callable[..., Any],
    serving: Callable[[], AbstractContextManager[None]],
    workflows: Sequence[Any] = (),
) -> "APIRouter":
    """Return pages and API as a router for an app that says who is there.

    Args:
        queue: The review service.
        title: Shown at the top of the pages.
        auth: A FastAPI dependency that returns the reviewer's name, or raises.
        workflows: What can be started over HTTP.
        serving: What is entered when that app starts, and left when it ends.
    """
    from review_ui import create_app  # noqa: PLC0415 - `import hitl` must not load the web pages
    from review_ui.api import create_api  # noqa: PLC0415
    from review_ui.mounting import mounted as below  # noqa: PLC0415

    pages = create_app(
        queue,
        title=title,
        reviewer="",
        extra_routers=[create_api(queue, workflows=workflows)],
        allowed_hosts=None,
    )

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        with serving():
            yield

    return below(pages, auth=auth, lifespan=lifespan)


def engine_for(
    store: Store, clock: Clock, advance: Callable[[str], None], queue: ReviewQueue
) -> EmbeddedEngine:
    """Return a started engine that advances due runs, fires timers and seals the trail.

    Raises:
        ConfigurationError: The key that heads are to be signed with cannot be used.
    """
    sealer = sealer_of(store, clock=clock)
    engine = EmbeddedEngine(store, clock=clock)
    watch = _now_and_then(lambda: raise_unexecuted(store, now=clock()))
    engine.serve(advance, sweep=lambda: _each(queue.sweep, sealer.tick, watch))
    return engine


def figures_of(store: Store) -> str:
    """Return the figures of a store and of this process, as a Prometheus server reads them."""
    now = utcnow()
    return store.read(lambda r: figures(r, MEASURES, now=now))


def _now_and_then(work: Callable[[], object]) -> Callable[[], None]:
    """Return what does `work` when it was not done for half a minute."""
    last = float("-inf")

    def tick() -> None:
        nonlocal last
        if time.monotonic() - last >= _WATCH_SECONDS:
            last = time.monotonic()
            work()

    return tick


def _each(*works: Callable[[], object]) -> None:
    """Do all of it; one that fails does not keep the others from being done."""
    for work in works:
        try:
            work()
        except Exception:
            _log.exception("a part of the sweep failed")


def _api_token() -> str:
    given = os.environ.get("HITL_API_TOKEN") or secrets.token_urlsafe(32)
    if len(given) < SHORTEST_TOKEN:
        raise ConfigurationError(
            f"HITL_API_TOKEN has {len(given)} characters; give it at least {SHORTEST_TOKEN}, such as"
            " `openssl rand -hex 32` prints."
        )
    return given


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen()  # who is told the address may come at once, and waits for the app
    except OSError as problem:
        listener.close()
        raise ConfigurationError(
            f"Port {port} on {LOOPBACK} cannot be used ({problem.strerror}); choose another with"
            " `port=` or `--port`."
        ) from problem
    return listener
