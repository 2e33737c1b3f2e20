"""What a state may be: pydantic, dataclass, root, schemas, messages, private and special channels."""

import typing
from dataclasses import dataclass, field
from typing import Annotated, Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.channels.delta import DeltaChannel
from langgraph.channels.ephemeral_value import EphemeralValue
from langgraph.channels.topic import Topic
from langgraph.channels.untracked_value import UntrackedValue
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.managed import IsLastStep, RemainingSteps
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Overwrite, Send
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from tests.runtime.graphs.case import Builder, Case, Tally, added
from tests.runtime.graphs.shapes import Log, noting, start


class Line(BaseModel):
    """A model inside the state."""

    item: str
    cents: int = 0


class Order(BaseModel):
    lines: Annotated[list[Line], added] = Field(default_factory=list)
    total: int = 0
    best: Line | None = None


def pydantic_state(tally: Tally) -> Builder:
    def add(state: Order) -> dict[str, Any]:
        assert isinstance(state, Order)
        return tally.end("add", {"lines": [Line(item="pen", cents=120)]})  # type: ignore[no-any-return]

    def total(state: Order) -> dict[str, Any]:
        assert all(isinstance(line, Line) for line in state.lines)
        best = max(state.lines, key=lambda line: line.cents)
        cents = sum(line.cents for line in state.lines)
        return tally.end("total", {"total": cents, "best": best})  # type: ignore[no-any-return]

    def whole(state: Order) -> Order:
        return tally.end("whole", Order(total=state.total + 1))  # type: ignore[no-any-return]

    graph = StateGraph(Order)
    graph.add_sequence([add, total, whole])
    graph.add_edge(START, "add")
    return graph


@dataclass
class Item:
    name: str
    price: float = 0.0


@dataclass
class Basket:
    items: Annotated[list[Item], added] = field(default_factory=list)
    note: str = ""
    best: Item | None = None


def dataclass_state(tally: Tally) -> Builder:
    def add(state: Basket) -> dict[str, Any]:
        assert isinstance(state, Basket)
        return tally.end("add", {"items": [Item("pen", 1.2)]})  # type: ignore[no-any-return]

    def pick(state: Basket) -> dict[str, Any]:
        assert all(isinstance(item, Item) for item in state.items)
        return tally.end("pick", {"best": state.items[0], "note": f"{len(state.items)}"})  # type: ignore[no-any-return]

    graph = StateGraph(Basket)
    graph.add_sequence([add, pick])
    graph.add_edge(START, "add")
    return graph


class Row(typing.TypedDict):
    """A standard library's TypedDict, which pydantic cannot describe before Python 3.12."""

    item: str
    cents: int


class Table(typing.TypedDict, total=False):
    rows: Annotated[list[Row], added]
    last: Row


def nested_dicts(tally: Tally) -> Builder:
    def add(state: Table) -> Table:
        return tally.end("add", {"rows": [{"item": "pen", "cents": 120}]})  # type: ignore[no-any-return]

    def pick(state: Table) -> Table:
        return tally.end("pick", {"last": state["rows"][-1]})  # type: ignore[no-any-return]

    graph = StateGraph(Table)
    graph.add_sequence([add, pick])
    graph.add_edge(START, "add")
    return graph


def root_state(tally: Tally) -> Builder:
    """A state that is one list, not fields."""

    def note(name: str) -> Any:
        return lambda state: tally.end(name, [f"{name} after {len(state)}"])

    root: Any = Annotated[list[str], added]
    graph: Builder = StateGraph(root)
    graph.add_node("one", note("one"))
    graph.add_node("two", note("two"))
    graph.add_edge(START, "one")
    graph.add_edge("one", "two")
    return graph


class Question(TypedDict):
    question: str


class Reply(TypedDict):
    reply: str


class Whole(Question, Reply):
    notes: Annotated[list[str], added]
    hidden: str


class OnlyNotes(TypedDict):
    notes: list[str]


def schemas(tally: Tally) -> Builder:
    """An input and an output schema, and a step that is given a part of the state."""

    def think(state: Question) -> dict[str, Any]:
        assert set(state) == {"question"}
        return tally.end("think", {"notes": ["thought"], "hidden": "h"})  # type: ignore[no-any-return]

    def narrow(state: OnlyNotes) -> dict[str, Any]:
        assert set(state) == {"notes"}
        return tally.end("narrow", {"notes": [f"saw {len(state['notes'])}"]})  # type: ignore[no-any-return]

    def say(state: Whole) -> Reply:
        reply = f"{state['question']} {state['notes']} {state['hidden']}"
        return tally.end("say", {"reply": reply})  # type: ignore[no-any-return]

    graph = StateGraph(Whole, input_schema=Question, output_schema=Reply)
    graph.add_sequence([think, narrow, say])
    graph.add_edge(START, "think")
    return graph


class Private(TypedDict):
    secret: str


class Open(TypedDict, total=False):
    said: Annotated[list[str], added]


def private(tally: Tally) -> Builder:
    """Two steps share a channel that is not in the graph's state."""

    def write(state: Open) -> Private:
        return tally.end("write", {"secret": "psst"})  # type: ignore[no-any-return]

    def read(state: Private) -> Open:
        return tally.end("read", {"said": [f"heard {state['secret']}"]})  # type: ignore[no-any-return]

    def last(state: Open) -> Open:
        assert "secret" not in state
        return tally.end("last", {"said": ["last"]})  # type: ignore[no-any-return]

    graph = StateGraph(Open)
    graph.add_sequence([write, read, last])
    graph.add_edge(START, "write")
    return graph


class Special(TypedDict, total=False):
    once: Annotated[str, EphemeralValue(str)]
    topic: Annotated[list[str], Topic(str, accumulate=True)]
    handle: Annotated[str, UntrackedValue(str)]
    left: RemainingSteps
    is_last: IsLastStep
    log: Annotated[list[str], added]


def special_channels(tally: Tally) -> Builder:
    """Channels that forget, gather or are never saved, and values LangGraph manages."""

    def one(state: Special) -> Special:
        assert state["left"] > 2
        return tally.end("one", {"once": "now", "topic": ["t1"], "log": ["one"]})  # type: ignore[no-any-return]

    def two(state: Special) -> Special:
        seen = f"{state['once']} {state['topic']} {state['is_last']}"
        return tally.end("two", {"topic": ["t2"], "log": [seen]})  # type: ignore[no-any-return]

    def three(state: Special) -> Special:
        assert "once" not in state
        return tally.end("three", {"log": [str(state["topic"])]})  # type: ignore[no-any-return]

    graph = StateGraph(Special)
    graph.add_sequence([one, two, three])
    graph.add_edge(START, "one")
    return graph


def joined(kept: list[str], writes: list[list[str]]) -> list[str]:
    return [*kept, *(word for write in writes for word in write)]


class Delta(TypedDict, total=False):
    words: Annotated[list[str], DeltaChannel(joined, snapshot_frequency=3)]


def delta_channel(tally: Tally) -> Builder:
    """A channel of which snapshots keep the changes only."""

    def more(state: Delta) -> Delta:
        return tally.end("more", {"words": [f"word {len(state.get('words', []))}"]})  # type: ignore[no-any-return]

    graph = StateGraph(Delta)
    graph.add_node("more", more)
    graph.add_edge(START, "more")
    graph.add_conditional_edges("more", lambda s: "more" if len(s["words"]) < 8 else END)
    return graph


def overwrite(tally: Tally) -> Builder:
    def clear(state: Log) -> dict[str, Any]:
        wrong = {"log": ["DENIED"]}
        return tally.end("clear", {"log": Overwrite(["cleared"])}, wrong=wrong)  # type: ignore[no-any-return]

    graph = StateGraph(Log)
    graph.add_node("one", noting(tally, "one"))
    graph.add_node("clear", clear)
    graph.add_node("two", noting(tally, "two"))
    graph.add_edge(START, "one")
    graph.add_edge("one", "clear")
    graph.add_edge("clear", "two")
    return graph


def call(name: str, number: int, **args: Any) -> dict[str, Any]:
    return {"name": name, "args": args, "id": f"call{number}", "type": "tool_call"}


def messages(tally: Tally) -> Builder:
    """A chat with tools: `MessagesState`, `ToolNode`, `tools_condition`."""

    @tool
    def add(a: int, b: int) -> str:
        """Add."""
        return tally.end("add", str(a + b))  # type: ignore[no-any-return]

    @tool
    def shout(text: str) -> str:
        """Shout."""
        return tally.end("shout", text.upper())  # type: ignore[no-any-return]

    def chat(state: MessagesState) -> dict[str, Any]:
        seen = len(state["messages"])
        if seen == 1:
            calls = [call("add", 1, a=2, b=3), call("shout", 2, text="hey")]
            said = AIMessage("", tool_calls=calls, id="ai1")
        else:
            said = AIMessage(f"{state['messages'][-1].content} of {seen}", id=f"ai{seen}")
        return tally.end("chat", {"messages": [said]})  # type: ignore[no-any-return]

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([add, shout]))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", tools_condition)
    graph.add_edge("tools", "chat")
    return graph


def tool_command(tally: Tally) -> Builder:
    """A tool that updates the state and says where to go."""

    @tool
    def note(text: str, tool_call_id: Annotated[str, InjectedToolCallId]) -> Command[Any]:
        """Note."""
        said = ToolMessage(text, tool_call_id=tool_call_id)
        return tally.end("note", Command(update={"messages": [said]}, goto="last"))  # type: ignore[no-any-return]

    def chat(state: MessagesState) -> dict[str, Any]:
        said = AIMessage("", tool_calls=[call("note", 1, text="kept")], id="ai1")
        return tally.end("chat", {"messages": [said]})  # type: ignore[no-any-return]

    def last(state: MessagesState) -> dict[str, Any]:
        said = AIMessage(f"last of {len(state['messages'])}", id="ai2")
        return tally.end("last", {"messages": [said]})  # type: ignore[no-any-return]

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([note]), destinations=("last",))
    graph.add_node("last", last)
    graph.add_edge(START, "chat")
    graph.add_edge("chat", "tools")
    return graph


def tool_sends(tally: Tally) -> Builder:
    """Each tool call is sent to the tools step by itself."""

    @tool
    def double(n: int) -> str:
        """Double."""
        return tally.end("double", str(2 * n))  # type: ignore[no-any-return]

    def chat(state: MessagesState) -> dict[str, Any]:
        if len(state["messages"]) == 1:
            said = AIMessage("", tool_calls=[call("double", n, n=n) for n in (1, 2, 3)], id="ai1")
        else:
            said = AIMessage(" ".join(str(m.content) for m in state["messages"][2:]), id="ai2")
        return tally.end("chat", {"messages": [said]})  # type: ignore[no-any-return]

    def each(state: MessagesState) -> Any:
        last = state["messages"][-1]
        assert isinstance(last, AIMessage)
        return [Send("tools", [c]) for c in last.tool_calls] or END

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("tools", ToolNode([double]))
    graph.add_edge(START, "chat")
    graph.add_conditional_edges("chat", each, ["tools", END])
    graph.add_edge("tools", "chat")
    return graph


def forgetting(tally: Tally) -> Builder:
    """A step that removes all messages, then says one."""

    def forget(state: MessagesState) -> dict[str, Any]:
        gone = [RemoveMessage(REMOVE_ALL_MESSAGES), HumanMessage("anew", id="h9")]
        wrong = {"messages": [HumanMessage("DENIED", id="h8")]}
        return tally.end("forget", {"messages": gone}, wrong=wrong)  # type: ignore[no-any-return]

    def reply(state: MessagesState) -> dict[str, Any]:
        said = AIMessage(f"{len(state['messages'])}", id="ai1")
        return tally.end("reply", {"messages": [said]})  # type: ignore[no-any-return]

    graph = StateGraph(MessagesState)
    graph.add_sequence([forget, reply])
    graph.add_edge(START, "forget")
    return graph


def asked() -> dict[str, Any]:
    return {"messages": [HumanMessage("What is two and three?", id="h1")]}


CASES = (
    Case("pydantic_state", pydantic_state, lambda: {"lines": [Line(item="ink", cents=300)]}),
    Case("dataclass_state", dataclass_state, lambda: Basket(items=[Item("ink", 3.0)])),
    Case("nested_dicts", nested_dicts, lambda: {"rows": [{"item": "ink", "cents": 300}]}),
    Case("root_state", root_state, lambda: ["given"]),
    Case("schemas", schemas, lambda: {"question": "why?"}),
    Case("private", private, lambda: {"said": ["given"]}),
    Case(
        "special_channels",
        special_channels,
        lambda: {"log": [], "handle": "open"},
        unsaved=("handle",),
    ),
    Case("delta_channel", delta_channel, lambda: {"words": ["given"]}),
    Case("overwrite", overwrite, start),
    Case("messages", messages, asked),
    Case("tool_command", tool_command, asked),
    Case("tool_sends", tool_sends, asked, parallel=True),
    Case("forgetting", forgetting, asked),
)
