"""Users over HTTP: list their keys, make one, revoke them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from hitl.client import NewKey, UserBody, UserDetail, UserPage
from hitl.reviews import ReviewQueue
from review_ui.acting import actor
from review_ui.sentences import answer, body_of
from review_ui.strict import parse, read_body

Body = Annotated[bytes, Depends(read_body)]


def add_users(v1: APIRouter, queue: ReviewQueue, owner: str) -> None:
    """Add the routes of users' keys; `v1` lets in who may administer them."""

    @v1.get("/users", response_model=UserPage)
    def list_users() -> Response:
        """Return every key there ever was, oldest first; the keys themselves are kept nowhere."""
        return answer(UserPage(users=tuple(map(UserDetail.of, queue.users.all()))))

    @v1.post("/users", response_model=NewKey, status_code=201, openapi_extra=body_of(UserBody))
    def add_user(request: Request, body: Body) -> Response:
        """Make a key: 201, told this once; 422 when the name cannot be used."""
        said = parse(UserBody, body)
        by = actor(request, None, owner)
        user, key = queue.users.add(said.name, said.role, by=by, owner=said.owner)
        return answer(NewKey(user=UserDetail.of(user), key=key), status=201)

    @v1.post("/users/{name}/revoke", response_model=UserPage)
    def revoke_user(request: Request, name: str) -> Response:
        """End a user's keys at once, or one key by its id; 404 when none is live."""
        ended = queue.users.revoke(name, by=actor(request, None, owner))
        return answer(UserPage(users=tuple(map(UserDetail.of, ended))))
