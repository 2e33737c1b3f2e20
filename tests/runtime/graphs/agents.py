"""Agents of `create_agent` on a chat model that follows a script."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    HumanInTheLoopMiddleware,
    after_model,
    before_model,
)
from langchain.tools import ToolRuntime
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from tests.runtime.graphs.case import Builder, Case, Graph, Tally
from tests.runtime.graphs.states import asked, call

Script = Callable[[list[BaseMessage]], AIMessage]


class Scripted(BaseChatModel):
    """A chat model whose answer is a function of the messages; it streams word by word."""

    script: Script
    tally: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self

    def _said(self, messages: list[BaseMessage]) -> AIMessage:
        said = self.script(messages)
        wrong = AIMessage("DENIED words", tool_calls=said.tool_calls)
        return self.tally.end("llm", said, wrong=wrong)  # type: ignore[no-any-return]

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._said(messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        said = self._said(messages)
        for word in re.findall(r"\S+\s*", str(said.content)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        chunks: list[Any] = [
            {"name": c["name"], "args": json.dumps(c["args"]), "id": c["id"], "index": i}
            for i, c in enumerate(said.tool_calls)
        ]
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=chunks))


def talk(tally: Tally) -> Builder:
    """A step that calls a chat model: its tokens are in the messages stream."""
    model = Scripted(script=lambda m: AIMessage(f"that makes {len(m)} messages"), tally=tally)

    def chat(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("chat", chat)
    graph.add_node("again", chat)
    graph.add_edge(START, "chat")
    graph.add_edge("chat", "again")
    return graph


def script(messages: list[BaseMessage]) -> AIMessage:
    """Call two tools at once, then one, then answer."""
    turns = sum(isinstance(m, AIMessage) for m in messages)
    if turns == 0:
        return AIMessage(
            "let me see", tool_calls=[call("add", 1, a=2, b=3), call("look", 2, word="two")]
        )
    if turns == 1:
        return AIMessage("once more", tool_calls=[call("add", 3, a=5, b=5)])
    return AIMessage(f"it is {messages[-1].content}")


def tools(tally: Tally) -> list[Any]:
    @tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        return tally.end("add", str(a + b))  # type: ignore[no-any-return]

    @tool
    def look(word: str) -> str:
        """Look a word up."""
        return tally.end("look", f"{word} is a word")  # type: ignore[no-any-return]

    return [add, look]


def agent(tally: Tally) -> Graph:
    made: Graph = create_agent(Scripted(script=script, tally=tally), tools(tally))
    return made


def agent_with_middleware(tally: Tally) -> Graph:
    @before_model
    def note(state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        return tally.end("note", {"messages": []})  # type: ignore[no-any-return]

    @after_model
    def check(state: AgentState[Any], runtime: Any) -> dict[str, Any] | None:
        return tally.end("check", None)  # type: ignore[no-any-return]

    class Wrapped(AgentMiddleware[Any, Any]):
        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            return handler(request)

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return await handler(request)

    made: Graph = create_agent(
        Scripted(script=script, tally=tally), tools(tally), middleware=[note, check, Wrapped()]
    )
    return made


def agent_inside(tally: Tally) -> Builder:
    """An agent as a step of a larger graph."""

    def last(state: MessagesState) -> dict[str, Any]:
        said = AIMessage(f"so: {state['messages'][-1].content}", id="last")
        return tally.end("last", {"messages": [said]})  # type: ignore[no-any-return]

    graph = StateGraph(MessagesState)
    graph.add_node("agent", agent(tally))
    graph.add_node("last", last)
    graph.add_edge(START, "agent")
    graph.add_edge("agent", "last")
    return graph


def agents_in_turn(tally: Tally) -> Builder:
    """Two agents; a tool of the first hands over to the second through the parent graph."""

    @tool
    def to_bob(runtime: ToolRuntime) -> Command[Any]:
        """Hand over to Bob."""
        said = ToolMessage("handed over", tool_call_id=runtime.tool_call_id or "")
        update = {"messages": [*runtime.state["messages"], said]}
        command: Command[Any] = Command(graph=Command.PARENT, goto="bob", update=update)
        return tally.end("to_bob", command)  # type: ignore[no-any-return]

    def hand_over(messages: list[BaseMessage]) -> AIMessage:
        return AIMessage("this is for Bob", tool_calls=[call("to_bob", 1)])

    def answer(messages: list[BaseMessage]) -> AIMessage:
        return AIMessage(f"Bob read {len(messages)}")

    graph = StateGraph(MessagesState)
    alice = create_agent(Scripted(script=hand_over, tally=tally), [to_bob], name="alice")
    graph.add_node("alice", alice, destinations=("bob",))
    graph.add_node("bob", create_agent(Scripted(script=answer, tally=tally), [], name="bob"))
    graph.add_edge(START, "alice")
    return graph


def agent_that_asks(tally: Tally) -> Graph:
    """LangChain's own middleware that asks before a tool call."""
    made: Graph = create_agent(
        Scripted(script=script, tally=tally),
        tools(tally),
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"look": True})],
    )
    return made


CASES = (
    Case("agents_in_turn", agents_in_turn, asked, parallel=True),
    Case(
        "agent_that_asks",
        agent_that_asks,
        asked,
        parallel=True,
        answers=({"decisions": [{"type": "approve"}]},),
    ),
    Case("talk", talk, asked),
    Case("agent", agent, asked, parallel=True),
    Case("agent_with_middleware", agent_with_middleware, asked, parallel=True),
    Case("agent_inside", agent_inside, asked, parallel=True),
)
