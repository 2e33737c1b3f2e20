"""What `hitl user` does: keys are made, listed and revoked, here or in the process that serves."""

import sys

from hitl.cli.opened import deciding, reading
from hitl.cli.terminal import console, print_json, say, table, when
from hitl.client import NewKey, QueueClient, UserDetail, UserPage
from hitl.reviews import ReviewQueue

OPERATOR = "operator"
"""Who acts on a store of one's own machine without a key."""


def add(url: str, name: str, role: str, *, owner: str | None, alone: bool, as_json: bool) -> None:
    """Make a key and show it, once."""
    with deciding(url) as queue:
        user, key = _add(queue, name, role, owner)
    if as_json:
        print_json(NewKey(user=user, key=key))
    elif alone:
        sys.stdout.write(f"{key}\n")
    else:
        say(f"{user.name} is {user.role.value}. The key, which is shown this once:")
        say(key)
        say("Send it as `Authorization: Bearer KEY`, or set HITL_KEY.", err=True)


def list_all(url: str, *, as_json: bool) -> None:
    """List every key there ever was."""
    with reading(url) as queue:
        users = [UserDetail.of(key) for key in queue.users.all()]
    if as_json:
        print_json(UserPage(users=tuple(users)))
    elif users:
        console().print(table(_COLUMNS, map(_row, users)))
    else:
        say("There are no users: whoever reaches this machine's queue may do everything.")


def revoke(url: str, name: str, *, as_json: bool) -> None:
    """End keys at once."""
    with reading(url):
        pass  # opening it to write would make one that is not there
    with deciding(url) as queue:
        ended = _revoke(queue, name)
    if as_json:
        print_json(UserPage(users=tuple(ended)))
    for user in () if as_json else ended:
        say(f"Key {user.id} of {user.name} is revoked.")


_COLUMNS = ("id", "user", "role", "works for", "made", "by", "revoked")


def _row(user: UserDetail) -> tuple[object, ...]:
    made, ended = when(user.created_at), when(user.revoked_at)
    return (user.id, user.name, user.role.value, user.owner, made, user.created_by, ended)


def _add(
    queue: ReviewQueue | QueueClient, name: str, role: str, owner: str | None
) -> tuple[UserDetail, str]:
    if isinstance(queue, QueueClient):
        return queue.add_user(name, role, owner=owner)
    key, made = queue.users.add(name, role, by=OPERATOR, owner=owner)
    return UserDetail.of(key), made


def _revoke(queue: ReviewQueue | QueueClient, name: str) -> list[UserDetail]:
    if isinstance(queue, QueueClient):
        return queue.revoke_user(name)
    return [UserDetail.of(key) for key in queue.users.revoke(name, by=OPERATOR)]
