"""JSON as a labelled tree, and two states as a list of changes: never raw JSON first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pydantic import JsonValue

from hitl.models import FieldChange, JsonObject
from review_ui.phrases import counted, words

MOST_ITEMS = 40
"""Children of one node that are shown; the rest is counted."""
MOST_DEPTH = 8
"""Levels that are shown; deeper ones are counted."""
_LONG = 120


@dataclass(frozen=True, slots=True)
class Node:
    """One value with its label. `text` is untrusted; templates pass it through a text filter."""

    label: str
    text: str = ""
    kind: str = "text"
    """`text`, `long`, `number`, `flag`, `none`, `empty`, `group`, `list`."""
    note: str = ""
    """Our own words about it, e.g. `"3 items"`."""
    children: tuple["Node", ...] = ()
    name: str = ""
    """The field as it is spelt in the data, when the label differs from it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of "what will change"."""

    label: str
    before: Node
    after: Node
    appends: bool = False


def tree(value: JsonValue, label: str = "", *, depth: int = 0, name: str = "") -> Node:
    """Return `value` as a node under `label`."""
    if isinstance(value, dict):
        return _group(value, label, depth, name)
    if isinstance(value, list):
        return _list(value, label, depth, name)
    return _leaf(value, label, name)


def arguments_tree(arguments: dict[str, JsonValue]) -> tuple[Node, ...]:
    """Return the parts of a proposal's view: each call by its name, empty parts left out."""
    shown: JsonObject = {k: v for k, v in arguments.items() if v not in (None, [], {})}
    only = next(iter(shown.values())) if len(shown) == 1 else None
    if isinstance(only, dict) and set(shown) <= {"update", "input"}:
        shown = dict(only)
    calls = shown.pop("calls", None) if isinstance(shown.get("calls"), list) else None
    nodes = tuple(_child(key, value, 0) for key, value in shown.items())
    return tuple(_call(c) for c in calls) + nodes if isinstance(calls, list) else nodes


def changes_of(changes: Sequence[FieldChange]) -> tuple[Change, ...]:
    """Return the state diff, nested objects taken apart into the fields that differ."""
    return tuple(line for change in changes for line in _lines(change))


def _call(call: JsonValue) -> Node:
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return tree(call, "call")
    node = tree(call.get("args", {}), f"call {call['name']}")
    return node if node.children else replace(node, note="without arguments", kind="none")


def _lines(change: FieldChange) -> Iterator[Change]:
    before, after = change.before, change.after
    if change.appends or not isinstance(after, dict) or not isinstance(before, dict | None):
        yield _change([change.field], before, after, appends=change.appends)
        return
    was = before or {}
    keys = [k for k in {**was, **after} if was.get(k) != after.get(k) or (k in was) != (k in after)]
    if not keys or len(keys) > MOST_ITEMS:
        yield _change([change.field], before, after)
        return
    for key in keys:
        yield _change([change.field, key], was.get(key), after.get(key))


def _change(
    path: Sequence[str], before: JsonValue, after: JsonValue, *, appends: bool = False
) -> Change:
    label = " › ".join(words(part) for part in path)
    return Change(label=label, before=tree(before), after=tree(after), appends=appends)


def _child(key: str, value: JsonValue, depth: int) -> Node:
    label = words(key)
    return tree(value, label, depth=depth + 1, name=key if key != label else "")


def _group(value: dict[str, JsonValue], label: str, depth: int, name: str) -> Node:
    if not value:
        return Node(label, kind="empty", note="empty", name=name)
    if depth >= MOST_DEPTH:
        return Node(
            label, kind="empty", note=f"{counted(len(value), 'field')}, in the raw call", name=name
        )
    shown = list(value.items())[:MOST_ITEMS]
    children = tuple(_child(key, child, depth) for key, child in shown)
    return Node(label, kind="group", note=_rest(len(value), "field"), children=children, name=name)


def _list(value: list[JsonValue], label: str, depth: int, name: str) -> Node:
    if not value:
        return Node(label, kind="empty", note="empty list", name=name)
    if depth >= MOST_DEPTH:
        return Node(
            label, kind="empty", note=f"{counted(len(value), 'item')}, in the raw call", name=name
        )
    children = tuple(
        tree(child, str(i), depth=depth + 1) for i, child in enumerate(value[:MOST_ITEMS], 1)
    )
    return Node(label, kind="list", note=_rest(len(value), "item"), children=children, name=name)


def _rest(n: int, noun: str) -> str:
    return f"{counted(n, noun)}; {n - MOST_ITEMS:,} more in the raw call" if n > MOST_ITEMS else ""


def _leaf(value: JsonValue, label: str, name: str) -> Node:
    match value:
        case None:
            return Node(label, kind="none", note="nothing", name=name)
        case bool():
            return Node(label, text="yes" if value else "no", kind="flag", name=name)
        case int() | float():
            return Node(label, text=_number(value), kind="number", name=name)
        case str() if not value:
            return Node(label, kind="none", note="empty text", name=name)
        case _:
            kind = "long" if len(str(value)) > _LONG or "\n" in str(value) else "text"
            return Node(label, text=str(value), kind=kind, name=name)


def _number(value: int | float) -> str:
    if isinstance(value, float) and not value.is_integer():
        return repr(value)
    return f"{int(value)}" if abs(value) < 1e15 else repr(value)
