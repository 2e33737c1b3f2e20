"""In whose name the API acts: who the app around this one let in, or who holds the token."""

from fastapi import Request

from review_ui.sentences import Unauthorized
from review_ui.site import reviewer_of
from review_ui.strict import BadBody


def let_in(request: Request) -> str:
    """Return who is there, as the app around this one said.

    Raises:
        Unauthorized: It said nobody.
    """
    name = reviewer_of(request)
    if name is None:
        raise Unauthorized(401, "Nobody is signed in.")
    return name


def actor(request: Request, said: str | None, owner: str) -> str:
    """Return in whose name something is done.

    Args:
        request: The request.
        said: Whom its body names.
        owner: Who holds the token, where a token lets in.

    Raises:
        BadBody: 403, it names somebody else than who is signed in.
    """
    signed_in = reviewer_of(request)
    if signed_in is None:
        return owner if said is None else said
    if said not in (None, signed_in):
        raise BadBody(
            403,
            f"You are signed in as {signed_in!r} and cannot act as {said!r}. Nothing was saved.",
        )
    return signed_in
