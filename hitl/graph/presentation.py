"""What the reviewer reads of a proposal. A graph without a single hitl call still reads well."""

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

from langchain_core.messages import AIMessage
from pydantic import JsonValue

from hitl.graph.view import one_line, view_of
from hitl.models import FieldChange, JsonObject, Place, RemedyKind, RungOffer

_TOOL_CALL = "tool_call_with_context"

_AFTER_A_NO = {
    RemedyKind.RETRY: "The step tries again with your reason.",
    RemedyKind.ANSWER: "Your own answer is committed instead.",
    RemedyKind.TAKEOVER: "You do the step by hand; what you hand in is committed instead.",
    RemedyKind.ROLLBACK: "The run goes back to the last verified point.",
    RemedyKind.STOP: "The run stops.",
}


class _Lenient(Formatter):
    """Fills `{field}` from the proposal; a field it does not have stays as written."""

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        return kwargs.get(str(key), "{" + str(key) + "}")

    def get_field(
        self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[Any, str]:
        # No attribute or index access: the template is the embedder's, the values are the agent's.
        return self.get_value(field_name, args, kwargs), field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        try:
            return str(super().format_field(value, format_spec))
        except (TypeError, ValueError):
            return str(value)


def fill(template: str, fields: Mapping[str, JsonValue]) -> str:
    """Return `template` with `{field}` replaced by the proposal's field."""
    shown = {
        k: v if isinstance(v, (int, float, str)) else one_line(v, 80) for k, v in fields.items()
    }
    filled: str = _Lenient().vformat(template, (), shown)
    return filled


def default_title(step: str, place: Place, arguments: JsonObject) -> str:
    """Return a sentence that says what a yes would do."""
    calls = arguments.get("calls")
    if isinstance(calls, list) and calls:
        return "Call " + "; ".join(_call_line(c) for c in calls)
    if place is Place.BEFORE:
        return f"Run step {step!r}"
    update = arguments.get("update")
    if isinstance(update, dict) and update:
        return f"Let {step!r} set {_listed(sorted(update))}"
    return f"Commit the result of {step!r}"


def _call_line(call: JsonValue) -> str:
    if not isinstance(call, dict):
        return str(call)
    return f"{call.get('name')}({one_line(call.get('args'), 100)})"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def title_fields(arguments: JsonObject) -> JsonObject:
    """Return the fields a title may name: an update's, a call's arguments, or the input's."""
    fields: JsonObject = {k: v for k, v in arguments.items() if not isinstance(v, (dict, list))}
    for key in ("input", "update"):
        inner = arguments.get(key)
        if isinstance(inner, dict):
            fields.update(inner)
    calls = arguments.get("calls")
    if isinstance(calls, list) and calls and isinstance(calls[0], dict):
        args = calls[0].get("args")
        fields.update(args if isinstance(args, dict) else {})
    return fields


def consequence(rung: RungOffer) -> str:
    """Return what a no with this rung does, in a sentence."""
    if rung.kind is RemedyKind.TAKEOVER and rung.scope == "run":
        return "You complete the run by hand; none of its steps runs any more."
    if rung.kind is RemedyKind.TAKEOVER and rung.then == "close":
        return "You do the step by hand, and the run is done with it."
    return _AFTER_A_NO[rung.kind]


def if_denied(rungs: Sequence[RungOffer]) -> str:
    """Return what a no with the first rung does."""
    return consequence(rungs[0]) if rungs else "Your answer is recorded as a label."


def input_view(state: Any) -> tuple[JsonObject, int]:
    """Return the view of a step's input: tool calls where there are some, else the input."""
    calls = tool_calls(state)
    if calls:
        shown, elided = view_of([{"name": c["name"], "args": c["args"]} for c in calls])
        return {"calls": shown}, elided
    shown, elided = view_of(state)
    return {"input": shown}, elided


def tool_calls(state: Any) -> list[Mapping[str, Any]]:
    """Return the tool calls a ToolNode would run on `state`; none for other inputs."""
    if isinstance(state, Mapping) and state.get("__type") == _TOOL_CALL:
        return [state["tool_call"]]
    if isinstance(state, list) and state and all(_is_call(item) for item in state):
        return state
    messages = _field(state, "messages")
    last = messages[-1] if isinstance(messages, list) and messages else state
    return list(last.tool_calls) if isinstance(last, AIMessage) else []


def _is_call(item: Any) -> bool:
    return isinstance(item, Mapping) and item.get("type") == "tool_call" and "name" in item


def _field(state: Any, name: str) -> Any:
    if isinstance(state, Mapping):
        return state.get(name)
    return getattr(state, name, None)


def state_changes(
    state: Mapping[str, Any], update: JsonObject, appending: frozenset[str]
) -> tuple[FieldChange, ...]:
    """Return the state diff of an update, field by field.

    Args:
        state: The graph's state, by field.
        update: The view of the step's update.
        appending: Fields with a reducer, to which an update is added.
    """
    return tuple(
        FieldChange(
            field=key,
            before=None if key in appending else view_of(state.get(key))[0],
            after=value,
            appends=key in appending,
        )
        for key, value in update.items()
    )
