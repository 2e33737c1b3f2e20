"""Patterns against real graphs: tags of nodes, tools of tool nodes, and the dry run of the CLI."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import BaseTool, tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from typer.testing import CliRunner

import hitl
from hitl import Checkpoint, EscalationPolicy, Workflow
from hitl.cli.app import app as cli
from hitl.errors import ConfigurationError
from hitl.graph.seam import compiled
from hitl.graph.shapes import shapes

SENT: list[str] = []


@tool
def search(text: str) -> str:
    """Search."""
    return f"found {text}"


@tool
def send_mail(to: str) -> str:
    """Send."""
    SENT.append(to)
    return f"sent to {to}"


send_mail.metadata = {"effect": True, "tags": ["outside"]}
send_mail.tags = ["mail"]


def desk(*names: str, tools: tuple[BaseTool, ...] = (search, send_mail)) -> Any:
    """Return a graph that calls the tools named, once, together."""
    arguments = {"search": {"text": "x"}, "send_mail": {"to": "bo"}}
    calls = [{"name": n, "args": arguments[n], "id": n, "type": "tool_call"} for n in names]

    def plan(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage("", tool_calls=calls)]}

    def note(state: MessagesState) -> dict[str, Any]:
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("plan", plan, metadata={"tags": ["thinks"]})
    graph.add_node("tools", ToolNode(tools))
    graph.add_node("send_note", RunnableLambda(note).with_config(tags=["outside"]))
    for start, end in [(START, "plan"), ("plan", "tools"), ("tools", "send_note")]:
        graph.add_edge(start, end)
    graph.add_edge("send_note", END)
    return graph


graph = desk("search")
"""What the CLI is pointed at."""


def wrapped(path: Path, built: Any, *checkpoints: Checkpoint) -> "closing[Workflow]":
    rules = EscalationPolicy("p", checkpoints=checkpoints)
    return closing(hitl.wrap(built, rules, store=f"sqlite:///{path / 'hitl.db'}"))


def test_tags_are_read_from_metadata_and_from_langchain() -> None:
    seen = {step.path: step for step in shapes(compiled(desk()))}

    assert seen["plan"].tags == {"thinks"}
    assert "outside" in seen["send_note"].tags
    assert {t.name: t.tags for t in seen["tools"].tools} == {
        "search": frozenset(),
        "send_mail": {"effect", "outside", "mail"},
    }


@pytest.mark.parametrize("pattern", ["tool:send_*", "tool:tag:effect"])
def test_a_proposed_call_of_such_a_tool_waits_for_a_person_before_it_runs(
    tmp_path: Path, pattern: str
) -> None:
    SENT.clear()
    with wrapped(tmp_path, desk("search", "send_mail"), Checkpoint(pattern, always=True)) as app:
        run = app.start({"messages": []})
        (review,) = run.reviews()

        assert (review.name.step, review.name.place.value, SENT) == ("tools", "before", [])
        app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        run.wait(timeout=30)

        assert (run.status, SENT) == ("done", ["bo"])


def test_calls_of_other_tools_go_on(tmp_path: Path) -> None:
    checkpoint = Checkpoint("tool:send_*", always=True, title="Send to {to}")
    with wrapped(tmp_path, desk("search"), checkpoint) as app:
        run = app.start({"messages": []})

        assert (run.status, run.reviews()) == ("done", [])
        assert [m.content for m in run.value["messages"] if isinstance(m, ToolMessage)] == [
            "found x"
        ]


def test_a_no_to_a_tool_call_follows_the_ladder_of_its_pattern(tmp_path: Path) -> None:
    SENT.clear()
    with wrapped(tmp_path, desk("send_mail"), Checkpoint("tool:send_*", always=True)) as app:
        run = app.start({"messages": []})
        (review,) = run.reviews()
        app.queue.decide(review.id, "deny", by="ana", proposal_hash=review.proposal_hash)
        run.wait(timeout=30)

        assert (run.status, SENT) == ("stopped", [])


def test_a_tag_and_a_glob_stand_at_steps_inside_subgraphs(tmp_path: Path) -> None:
    outer = StateGraph(MessagesState)
    outer.add_node("mid", desk("search").compile())
    outer.add_edge(START, "mid")
    outer.add_edge("mid", END)
    both = (Checkpoint("*/send_*", always=True), Checkpoint("tag:thinks", always=True))
    asked = []

    with wrapped(tmp_path, outer, *both) as app:
        run = app.start({"messages": []})
        while waiting := run.reviews():
            asked += [r.name.step for r in waiting]
            for review in waiting:
                app.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
            run.wait(timeout=0)

        assert (run.status, asked) == ("done", ["mid/plan", "mid/send_note"])


def test_a_pattern_that_matches_nothing_is_refused_at_wrap(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"matches no tool; .*Nearest: 'send_mail'"):
        wrapped(tmp_path, desk(), Checkpoint("tool:sned_mail"))

    assert not (tmp_path / "hitl.db").exists()


def test_the_command_lists_what_each_checkpoint_stands_at(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    checkpoints = [Checkpoint("tag:outside"), Checkpoint("tool:tag:outside")]
    file.write_text(EscalationPolicy("p", checkpoints=checkpoints).to_yaml())
    command = ["policy", "check", str(file), "--matches"]

    told = CliRunner().invoke(cli, [*command, "--app", f"{__name__}:graph", "--json"])
    shown = CliRunner().invoke(cli, [*command, "--app", f"{__name__}:graph"])
    refused = CliRunner().invoke(cli, command)

    assert [
        (m["checkpoint"], m["steps"], m["tools"]) for m in json.loads(told.stdout)["matches"]
    ] == [
        ("tag:outside", ["send_note"], []),
        ("tool:tag:outside", ["tools"], ["send_mail"]),
    ]
    assert "calls of send_mail" in shown.stdout
    assert refused.exit_code == 1
    assert "--matches needs a graph" in refused.output
