"""Options that name statuses."""

from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

import typer

E = TypeVar("E", bound=StrEnum)


def statuses(kind: type[E], given: Sequence[str]) -> list[E]:
    """Return the statuses that were named.

    Raises:
        typer.BadParameter: One is not known.
    """
    known = ", ".join(repr(each.value) for each in kind)
    for name in given:
        if name not in list(kind):
            raise typer.BadParameter(f"--status {name!r} is not known; there are {known}.")
    return [kind(name) for name in given]
