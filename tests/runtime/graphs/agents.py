"""Agents of `create_agent` on a chat model that follows a script."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from langchain.agents import AgentState, create_agent
from langchain.agents.middleware import AgentMiddleware, after_model, before_model
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph

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


CASES = (
    Case("talk", talk, asked),
    Case("agent", agent, asked, parallel=True),
    Case("agent_with_middleware", agent_with_middleware, asked, parallel=True),
    Case("agent_inside", agent_inside, asked, parallel=True),
)
