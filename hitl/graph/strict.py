"""Reading stored bytes strictly: a type that is not allowed is refused, never built and never guessed.

LangGraph's serialiser imports and calls what a row names, unless it is given a list; with a list, it
hands on the arguments of what is not on it as if they were the value. Here such a row is refused: the
run is parked with a sentence, and whoever put it there gets nothing executed.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from langgraph.checkpoint.serde.event_hooks import SerdeEvent, register_serde_event_listener
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from hitl.errors import SnapshotRefused

_BLOCKED = ("msgpack_blocked", "msgpack_method_blocked")
_here = threading.local()


class StrictSerializer(JsonPlusSerializer):
    """LangGraph's serialiser with an explicit list of types, for snapshots, proposals and inputs.

    Args:
        allowed: (module, name) of each type that may be built besides LangGraph's own safe ones.
    """

    def __init__(self, allowed: set[tuple[str, ...]]) -> None:
        super().__init__(pickle_fallback=False, allowed_msgpack_modules=allowed)

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Return the value that was stored.

        Raises:
            SnapshotRefused: It names a type that is not allowed, or cannot be read.
        """
        kind, blob = data
        with _blocked() as names:
            try:
                if kind == "json":
                    json.loads(blob, object_hook=_refuse_constructors)
                value = super().loads_typed(data)
            except SnapshotRefused:
                raise
            except Exception as problem:
                raise SnapshotRefused.unreadable(kind, problem) from problem
        if names:
            raise SnapshotRefused.of_type(names[0])
        return value


@contextmanager
def _blocked() -> Iterator[list[str]]:
    """Collect the names of what is not built in this thread meanwhile."""
    outer = getattr(_here, "names", None)
    names: list[str] = []
    _here.names = names
    try:
        yield names
    finally:
        _here.names = outer


def _heard(event: SerdeEvent) -> None:
    names: list[str] | None = getattr(_here, "names", None)
    if names is not None and event["kind"] in _BLOCKED:
        method = event.get("method")
        name = f"{event['module']}.{event['name']}"
        names.append(f"{name}.{method}" if method else name)


def _refuse_constructors(value: dict[str, Any]) -> dict[str, Any]:
    """Raise at an object that asks to be built: rows in JSON are older than any of ours."""
    if "lc" in value and value.get("type") in ("constructor", "secret", "not_implemented"):
        raise SnapshotRefused.of_type(".".join(map(str, value.get("id") or ["an object"])))
    return value


register_serde_event_listener(_heard)
