"""The pages and the API inside another FastAPI app, below its path and behind its own sign-in.

The other app's dependency says who is there; what it lets through is handed to an app of ours, with
its own errors, headers and content policy. Nothing of ours is seen by the rest of the other app.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hitl.errors import ConfigurationError
from review_ui.site import REVIEWER_KEY

Auth = Callable[..., Any]
"""A FastAPI dependency: returns the reviewer's name, or raises."""
Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]

_METHODS = ["GET", "HEAD", "POST", "PATCH"]
_OF_THE_OUTER_APP = {"app", "router", "route", "endpoint", "path_params", "app_root_path"}
"""What our own app finds anew: its links lead below the path it stands at."""


def mounted(app: FastAPI, *, auth: Auth, lifespan: Lifespan | None = None) -> APIRouter:
    """Return a router that answers every path below it with `app`.

    Args:
        app: Pages and API without a door of their own.
        auth: Says who is there. Called for every request, static files too.
        lifespan: What lives as long as the app the router is included in.
    """
    router = APIRouter(lifespan=lifespan)

    async def answer(
        request: Request, below: str, reviewer: Annotated[Any, Depends(auth)]
    ) -> Response:
        return _Handed(app, below, _named(reviewer))

    router.add_api_route(
        "/{below:path}", answer, methods=_METHODS, include_in_schema=False, response_model=None
    )
    return router


def _named(reviewer: object) -> str:
    """Return the reviewer's name.

    Raises:
        ConfigurationError: The dependency gave none, so that nobody may be let in.
    """
    if isinstance(reviewer, str) and reviewer.strip():
        return reviewer
    raise ConfigurationError(
        f"The dependency given as `auth=` returned a {type(reviewer).__name__}, not a reviewer's"
        " name. Nobody was let in; return a text that is not empty, or raise an HTTPException."
    )


class _Handed(Response):
    """A response that another app gives."""

    def __init__(self, app: ASGIApp, below: str, reviewer: str) -> None:
        super().__init__()
        self._app, self._below, self._reviewer = app, below, reviewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        root, path = scope.get("root_path", ""), scope["path"]
        whole = path if path.startswith(root) else root + path  # a proxy may have cut it off
        here = whole.removesuffix(self._below).removesuffix("/")
        kept = {k: v for k, v in scope.items() if k not in _OF_THE_OUTER_APP}
        own = {"path": whole, "root_path": here, REVIEWER_KEY: self._reviewer}
        await self._app({**kept, **own}, receive, send)
