"""The composition root of the pages: the one place that wires them together."""

import logging
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import get_args

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hitl.errors import NotFound, ReviewRefusal, StoreError
from hitl.ports import Clock
from hitl.reviews import ReviewQueue, utcnow
from review_ui import assets, deciding, doorway, pages, passing_on, taking_over, together
from review_ui.door import Door
from review_ui.doorway import SignInNeeded, sign_in
from review_ui.guard import LOCAL_HOSTS, Guard
from review_ui.sentences import problem
from review_ui.site import UNDO_WINDOWS, Risk, Site
from review_ui.templating import is_partial, render

_log = logging.getLogger(__name__)

router = APIRouter()
"""Every page, for an app that sets `app.state.hitl_site` and stands behind its own `Guard`."""
for _part in (assets, doorway, pages, together, deciding, passing_on, taking_over):
    router.include_router(_part.router)


def create_app(
    queue: ReviewQueue,
    *,
    title: str = "hitl",
    token: str | None = None,
    reviewer: str = "you",
    undo_window: timedelta | Mapping[Risk, timedelta] | None = None,
    extra_routers: Sequence[APIRouter] = (),
    allowed_hosts: Sequence[str] | None = LOCAL_HOSTS,
    clock: Clock = utcnow,
) -> FastAPI:
    """Return the reviewer's pages over `queue`, to be served alone or mounted below a path.

    Args:
        queue: The queue that answers.
        title: The name in the corner and in the tab.
        token: The one-time token that `/?token=...` takes, once, for a session. None asks nobody to
            sign in: only for an app that guards the pages itself.
        reviewer: The name decisions are recorded under.
        undo_window: How long an answer can be taken back; one for all risks, or by risk. None is 8 s
            for low, 10 s for medium, 15 s for high risk. Zero sends at once.
        extra_routers: More to serve under the same guard, e.g. `review_ui.api.create_api`.
        allowed_hosts: Names in the Host header this app answers to; None for any.
        clock: What time it is.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.hitl_site = Site(
        queue=queue,
        clock=clock,
        title=title,
        reviewer=reviewer,
        undo_windows=_undo_windows(undo_window),
        door=None if token is None else Door(token),
    )
    app.add_middleware(Guard, hosts=allowed_hosts)
    for part in (router, *extra_routers):
        app.include_router(part)
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(ReviewRefusal, _refused)
    app.add_exception_handler(StoreError, _store_failed)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(404, _no_page)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(Exception, _failed)
    return app


def _undo_windows(given: timedelta | Mapping[Risk, timedelta] | None) -> Mapping[Risk, timedelta]:
    if given is None:
        return UNDO_WINDOWS
    if isinstance(given, timedelta):
        return dict.fromkeys(get_args(Risk), given)
    return {**UNDO_WINDOWS, **given}


def _sign_in_needed(request: Request, _: Exception) -> Response:
    return sign_in(request)


def _not_found(request: Request, error: Exception) -> Response:
    return _message(request, str(error), 404)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ReviewRefusal)  # noqa: S101 - what this handler is registered for
    return _message(request, str(error), error.status_code)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what this handler is registered for
    if _is_api(request):
        return problem(error.status_code, "HttpError", f"{error.detail}.", headers=error.headers)
    return _message(request, str(error.detail), error.status_code)


def _no_page(request: Request, _: Exception) -> Response:
    if _is_api(request):
        return problem(404, "NotFound", "There is no such address in this API.")
    return _message(request, "There is no page at this address.", 404)


def _is_api(request: Request) -> bool:
    below = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return below.startswith("/v1/") or below in ("/healthz", "/readyz")


def _not_understood(request: Request, _: Exception) -> Response:
    return _message(request, "A part of this address is not understood.", 422)


def _store_failed(request: Request, error: Exception) -> Response:
    return _incident(request, "The store does not answer. Nothing was saved.", error, 503)


def _failed(request: Request, error: Exception) -> Response:
    return _incident(request, "Something went wrong here. Nothing was decided.", error, 500)


def _incident(request: Request, sentence: str, error: Exception, status: int) -> Response:
    """Say that it failed, and log why: an error's own words may name files and tables."""
    incident = secrets.token_hex(4)
    _log.error("a page failed", extra={"incident": incident}, exc_info=error)
    return _message(request, f"{sentence} The log has it as {incident}.", status)


def _message(request: Request, sentence: str, status: int) -> Response:
    name = "_message.html" if is_partial(request) else "message.html"
    return render(request, name, {"sentence": sentence}, status=status)
