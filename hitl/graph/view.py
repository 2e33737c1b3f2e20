"""What a reviewer is shown of a value: JSON within limits, never the value itself.

The limits bind the view, not the value: 256 KiB of JSON, depth 32, 200 items of a list, 64 KiB of a
string. What is left out is marked where it stood and counted.
"""

import dataclasses
import hashlib
import re
from collections.abc import Mapping, Sequence, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from langchain_core.messages import BaseMessage
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, JsonValue

from hitl.models import JsonObject

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_ITEMS = 200
MAX_TEXT = 64 * 1024
_SAFE_INTEGER = 2**53
_SMALL = 8
"""What a number, an empty value or a container counts for in bytes."""


class Viewer:
    """Turns one value into JSON, counting what it leaves out."""

    def __init__(self) -> None:
        self.elided = 0
        self._left = MAX_BYTES

    def view(self, value: Any, depth: int = 0) -> JsonValue:
        """Return `value` as JSON within what is left of the limits."""
        if depth > MAX_DEPTH:
            return self._elide("deeper than 32 levels")
        if self._left <= 0:
            return self._elide("past 256 KiB")
        scalar = self._scalar(value)
        if not isinstance(scalar, str):
            self._left -= _SMALL
        if scalar is not None or value is None:
            return scalar
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, Set):
            return self._items(sorted(value, key=repr), depth)  # a set has no order of its own
        if isinstance(value, Sequence):
            return self._items(list(value), depth)
        return self._object(value, depth)

    def _elide(self, why: str) -> str:
        self.elided += 1
        return f"[not shown: {why}]"

    def _scalar(self, value: Any) -> JsonValue:
        if isinstance(value, Enum):
            value = value.value
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return int(value) if abs(value) < _SAFE_INTEGER else str(value)
        if isinstance(value, float):
            return float(value) if value - value == 0.0 else str(value)
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            data = bytes(value)
            return f"[{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}]"
        if isinstance(value, (datetime, date, time)):
            return value.isoformat()
        if isinstance(value, (Decimal, UUID, timedelta)):
            return str(value)
        return None

    def _text(self, text: str) -> str:
        clean = text.encode("utf-8", "replace").decode("utf-8")
        limit = max(0, min(MAX_TEXT, self._left))
        self._left -= min(len(clean), limit) + 2
        if len(clean) <= limit:
            return clean
        self.elided += 1
        return f"{clean[:limit]}[not shown: {len(clean) - limit} more characters]"

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> JsonObject:
        shown: JsonObject = {}
        for index, (key, item) in enumerate(value.items()):
            if index >= MAX_ITEMS or self._left <= 0:
                shown["[not shown]"] = self._elide(f"{len(value) - index} more fields")
                break
            shown[self._text(str(key))] = self.view(item, depth + 1)
        return shown

    def _items(self, value: list[Any], depth: int) -> JsonValue:
        shown = [self.view(item, depth + 1) for item in value[:MAX_ITEMS]]
        if len(value) > MAX_ITEMS:
            shown.append(self._elide(f"{len(value) - MAX_ITEMS} more items"))
        return shown

    def _object(self, value: Any, depth: int) -> JsonValue:
        if isinstance(value, BaseMessage):
            return self._mapping(message_fields(value), depth)
        if isinstance(value, Overwrite):
            return self._mapping({"overwrite": value.value}, depth)
        if isinstance(value, BaseModel):
            return self._mapping(dict(value), depth)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return self._mapping(fields, depth)
        # An address would make the same effect another one after a restart.
        said = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
        return self._text(f"[{type(value).__name__}] {said}")


def message_fields(message: BaseMessage) -> dict[str, Any]:
    """Return a chat message's role, text, tool calls and names: what a person reads of it."""
    shown: dict[str, Any] = {"role": message.type, "content": message.content}
    calls = getattr(message, "tool_calls", None)
    if calls:
        shown["tool_calls"] = [{"name": c["name"], "args": c["args"]} for c in calls]
    for name in ("name", "tool_call_id"):
        if value := getattr(message, name, None):
            shown[name] = value
    return shown


def view_of(value: Any) -> tuple[JsonValue, int]:
    """Return (JSON within the limits, how many parts are not shown)."""
    viewer = Viewer()
    return viewer.view(value), viewer.elided


def view_of_writes(value: Any) -> tuple[JsonObject, int]:
    """Return the view of what a step returned: `update`, `goto`, `send`, and the graph it goes to."""
    viewer = Viewer()
    shown: JsonObject = {}
    parts = isinstance(value, (list, tuple)) and any(isinstance(p, Command) for p in value)
    for part in value if parts else [value]:
        for key, item in _write_parts(part).items():
            rendered = viewer.view(item, 1)
            _merge(shown, key, rendered)
    return shown, viewer.elided


def _write_parts(part: Any) -> dict[str, Any]:
    if not isinstance(part, Command):
        return {"update": part}
    parts: dict[str, Any] = {}
    if part.update is not None:
        parts["update"] = part.update
    targets = part.goto if isinstance(part.goto, (list, tuple)) else [part.goto]
    names = [t for t in targets if t and not isinstance(t, Send)]
    sends = [{"to": t.node, "input": t.arg} for t in targets if isinstance(t, Send)]
    if names:
        parts["goto"] = names
    if sends:
        parts["send"] = sends
    if part.graph is not None:
        # Below the top a graph is named with the ids of its tasks, which no reviewer can read.
        parts["graph"] = "/".join(str(s).partition(":")[0] for s in str(part.graph).split("|"))
    return parts


def _merge(shown: JsonObject, key: str, value: JsonValue) -> None:
    earlier = shown.get(key)
    if isinstance(earlier, dict) and isinstance(value, dict):
        earlier.update(value)
    elif isinstance(earlier, list) and isinstance(value, list):
        earlier.extend(value)
    elif earlier is None:
        shown[key] = value
    else:
        shown[key] = [earlier, value]


def one_line(value: JsonValue, limit: int = 160) -> str:
    """Return `value` in one readable line of at most `limit` characters."""
    text = _flat(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _flat(value: JsonValue) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_flat(v)}" for k, v in value.items())
    if isinstance(value, list):
        return "; ".join(_flat(v) for v in value[:5]) + ("; …" if len(value) > 5 else "")
    return "nothing" if value is None else " ".join(str(value).split())
