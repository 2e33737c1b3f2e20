"""Coming in and going out: the one-time link, the sign-in page, what a person prefers."""

from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from hitl.authority import GRANTS, May
from review_ui.door import SESSION_IDLE, Door, cookie_name, session_of
from review_ui.posted import Posted
from review_ui.site import REVIEWER_KEY, Site, site_of
from review_ui.templating import is_partial, path_for, render

router = APIRouter(include_in_schema=False)

_YEAR = timedelta(days=365)
_CHOICES = {"theme": ("auto", "light", "dark"), "keys": ("on", "off")}


class SignInNeeded(Exception):
    """The request carries no live session."""


def signed_in(request: Request) -> None:
    """Let a request through only with a live session.

    Where there are users, it is in the name of the one whose key opened the session.

    Raises:
        SignInNeeded: It has none. Not raised where somebody else guards the pages.
        HTTPException: 403, this user only looks.
    """
    site = site_of(request)
    if site.door is None:
        return
    if not site.door.knows(session_of(request), now=site.clock()):
        raise SignInNeeded
    if site.queue.users.exist():
        _in_the_name_of(request, site, site.door.key_of(session_of(request)))


def _in_the_name_of(request: Request, site: Site, key_id: str | None) -> None:
    key = None if key_id is None else site.queue.users.live(key_id)
    if key is None:
        raise SignInNeeded
    if request.method not in ("GET", "HEAD") and May.DECIDE not in GRANTS[key.role]:
        raise HTTPException(403, f"{key.name} has a key that only looks. Nothing was saved.")
    request.scope[REVIEWER_KEY] = key.name


@router.get("/", name="hitl:home")
def home(request: Request, token: str | None = None) -> Response:
    """Take the one-time link, or go to the first page."""
    site = site_of(request)
    if token is not None and site.door is not None and not _is_prefetch(request):
        if site.queue.users.exist():
            return sign_in(request)  # a link carries nobody's name, and a key stands in no address
        return _enter(request, site.door, token)
    return _to_first_page(request)


@router.get("/sign-in", name="hitl:sign_in")
def sign_in_page(request: Request) -> Response:
    """Say how to come in."""
    return sign_in(request)


@router.post("/sign-in", name="hitl:sign_in_post")
def sign_in_with_token(request: Request, posted: Posted) -> Response:
    """Take the token typed in."""
    site = site_of(request)
    if site.door is None:
        return _to_first_page(request)
    return _enter(request, site.door, posted.one("token").strip())


@router.post("/sign-out", name="hitl:sign_out")
def sign_out(request: Request) -> Response:
    """End the session on the server."""
    door = site_of(request).door
    if door is not None:
        door.close(session_of(request))
    answer = RedirectResponse(path_for(request, "sign_in"), status_code=303)
    answer.delete_cookie(cookie_name(request), path="/")
    return answer


@router.post("/preferences", name="hitl:preferences")
def prefer(request: Request, posted: Posted) -> Response:
    """Keep a person's theme and whether single keys act."""
    back = posted.one("back")
    answer: Response = Response(status_code=204)
    if not is_partial(request):
        is_path = back.startswith("/") and not back.startswith(("//", "/\\"))
        answer = RedirectResponse(back if is_path else path_for(request, "queue"), status_code=303)
    for name, allowed in _CHOICES.items():
        if posted.one(name) in allowed:
            answer.set_cookie(
                f"hitl_{name}",
                posted.one(name),
                max_age=int(_YEAR.total_seconds()),
                httponly=True,
                samesite="lax",
                path=request.scope.get("root_path") or "/",
            )
    return answer


def sign_in(request: Request, *, status: int = 401, refused: bool = False) -> Response:
    """Return the sign-in page, or its sentence as a fragment."""
    door = site_of(request).door
    name = "_signed_out.html" if is_partial(request) else "sign_in.html"
    context = {
        "used": door is not None and door.is_used,
        "refused": refused,
        "by_key": site_of(request).queue.users.exist(),
    }
    return render(request, name, context, status=status)


def _enter(request: Request, door: Door, token: str) -> Response:
    site = site_of(request)
    now, users = site.clock(), site.queue.users
    if not users.exist():
        if door.knows(session_of(request), now=now):
            return _to_first_page(request)
        session = door.open(token, now=now)
    else:
        key = users.who(token)
        may_look = key is not None and May.LOOK in GRANTS[key.role]
        session = door.open_for(key.id, now=now) if key is not None and may_look else None
    if session is None:
        return sign_in(request, refused=True)
    answer = _to_first_page(request)
    answer.set_cookie(
        cookie_name(request),
        session,
        max_age=int(SESSION_IDLE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


def _is_prefetch(request: Request) -> bool:
    """A browser that looks ahead must not use the link up."""
    purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
    return "prefetch" in purpose


def _to_first_page(request: Request) -> RedirectResponse:
    front = site_of(request).front
    return RedirectResponse(path_for(request, front.route if front else "queue"), status_code=303)
