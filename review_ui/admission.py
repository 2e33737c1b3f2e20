"""Who comes in through `/v1`, and what each route needs: the matrix of routes and roles.

A route that is not in the table is refused to everybody. What a role may do is in `hitl.authority`.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import unquote

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from hitl.authority import GRANTS, KEY_PATTERN, OPERATOR, May
from hitl.errors import NotFound
from hitl.reviews import ReviewQueue
from review_ui.acting import let_in
from review_ui.sentences import Forbidden, Unauthorized
from review_ui.site import REVIEWER_KEY
from review_ui.strict import BadBody

NEEDS: Mapping[str, May] = MappingProxyType(
    {
        "GET /v1/reviews": May.LOOK,
        "POST /v1/reviews": May.ASK,
        "GET /v1/reviews/{review_id}": May.LOOK_OWN,
        "PATCH /v1/reviews/{review_id}": May.ASK,
        "GET /v1/reviews/{review_id}/events": May.LOOK_OWN,
        "POST /v1/reviews/{review_id}/decision": May.DECIDE,
        "POST /v1/reviews/{review_id}/cancel": May.ASK,
        "POST /v1/reviews/{review_id}/takeover": May.DECIDE,
        "POST /v1/reviews/{review_id}/handback": May.DECIDE,
        "GET /v1/runs": May.LOOK,
        "POST /v1/runs": May.START,
        "GET /v1/runs/{run_id:path}": May.LOOK_OWN,
        "POST /v1/runs/{run_id:path}/stop": May.STOP,
        "POST /v1/runs/{run_id:path}/resume": May.WITHDRAW,
        "GET /v1/audit": May.LOOK,
        "GET /v1/openapi.json": May.LOOK_OWN,
        "GET /v1/users": May.ADMINISTER,
        "POST /v1/users": May.ADMINISTER,
        "POST /v1/users/{name}/revoke": May.ADMINISTER,
    }
)
"""What each route needs. `LOOK_OWN` and `ASK` without `LOOK` or `WITHDRAW` reach one's own only."""

_EVERYTHING = frozenset(May)
_LET_IN = _EVERYTHING - {May.ADMINISTER}
"""What those may do whom the app around this one let in, when they are no users here."""
_GUEST = "hitl_guest"
_IN_ADDRESS = re.compile(
    r"(?:^|&)(?:api_?key|key|token|access_token|authorization)=", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Guest:
    """Who was let in."""

    may: frozenset[May]
    name: str | None = None
    """Whose key it is; None for the serving machine's own token."""
    key_id: str | None = None


def guest_of(request: Request) -> Guest:
    """Return who was let in."""
    guest: Guest = request.scope[_GUEST]
    return guest


def admission(queue: ReviewQueue, token: str | None) -> Callable[[Request], None]:
    """Return the dependency that stands before every route of `/v1`.

    Args:
        queue: Knows the users.
        token: The serving machine's own; None where the app around this one says who is there.
    """

    def admit(request: Request) -> None:
        _refuse_key_in_address(request)
        if token is None:
            guest = _let_in(queue, let_in(request))
        else:
            guest = _recognised(queue, token, _bearer(request))
        needed = NEEDS.get(f"{request.method} {request.scope['route'].path}")
        if needed is None or needed not in guest.may:
            raise Forbidden(403, _not_yours(guest, needed))
        request.scope[_GUEST] = guest
        if guest.name is not None:
            request.scope[REVIEWER_KEY] = guest.name

    return admit


def only_own(request: Request, kind: str, id: str, initiator: str | None) -> None:
    """Let whoever may not look at everything see what is theirs, and not even that the rest exists.

    Raises:
        NotFound: It is somebody else's.
    """
    guest = guest_of(request)
    if May.LOOK not in guest.may and guest.name != initiator:
        raise NotFound(kind, id)


def only_own_or(request: Request, act: May, initiator: str | None) -> None:
    """Let those act who may do so with everybody's, or whose it is.

    Raises:
        Forbidden: 403.
    """
    guest = guest_of(request)
    if act not in guest.may and guest.name != initiator:
        raise Forbidden(403, _not_yours(guest, act))


async def is_revoked(request: Request, queue: ReviewQueue) -> bool:
    """Return whether the key that opened this request was revoked since."""
    key_id = guest_of(request).key_id
    if key_id is None:
        return False
    live: Callable[[str], object] = queue.users.live
    return await run_in_threadpool(live, key_id) is None


def _let_in(queue: ReviewQueue, name: str) -> Guest:
    granted = queue.users.granted(name)
    return Guest(_LET_IN if granted is None else granted, name=name)


def _recognised(queue: ReviewQueue, token: str, given: str) -> Guest:
    key = queue.users.who(given)
    if key is not None:
        return Guest(GRANTS[key.role], name=key.name, key_id=key.id)
    if not hmac.compare_digest(given.encode(), token.encode()):
        raise Unauthorized(
            401,
            "Send the server's token, or a key that is not revoked, as `Authorization: Bearer ...`.",
        )
    return Guest(OPERATOR if queue.users.exist() else _EVERYTHING)


def _bearer(request: Request) -> str:
    given = request.headers.getlist("authorization")
    if len(given) != 1 or not given[0].startswith("Bearer "):
        raise Unauthorized(401, "Send the server's token or a key as `Authorization: Bearer ...`.")
    return given[0].removeprefix("Bearer ")


def _refuse_key_in_address(request: Request) -> None:
    """Refuse a key in the address: addresses are kept in logs and histories.

    Raises:
        BadBody: 400; 404 for a name that no database keeps.
    """
    query = request.scope["query_string"].decode("latin-1")
    if "\0" in unquote(f"{request.scope['path']}?{query}"):
        raise BadBody(404, "Nothing is called by a name with a NUL character in it.")
    if _IN_ADDRESS.search(query) or KEY_PATTERN.search(unquote(f"{request.scope['path']}?{query}")):
        raise BadBody(
            400,
            "A key does not belong into an address, where logs keep it; send it as"
            " `Authorization: Bearer ...`. If it was a real one, revoke it.",
        )


def _not_yours(guest: Guest, needed: May | None) -> str:
    if guest.name is None:
        return (
            "This store has users, so the machine's own token only looks, stops runs and keeps users;"
            " act with a key of your own. Nothing was saved."
        )
    act = "come here" if needed is None else needed.value
    return f"{guest.name!r} has a key that may not {act}. Nothing was saved."
