"""`hitl policy check`, `show` and `init`."""

import json
from pathlib import Path

import pytest

from hitl import EscalationPolicy
from tests.cli.conftest import Command

PAYMENTS = "examples/payments.yaml"
APP = "examples.first_approval:make_app"
GRAPHS = """
from typing import TypedDict

from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    x: int


def step(state: State) -> State:
    return {"x": 1}


graph = StateGraph(State)
graph.add_node("read", step)
graph.add_node("pay", step, metadata={"effect": True})
graph.add_edge(START, "read")
graph.add_edge("read", "pay")
graph.add_edge("pay", END)
"""


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a module in the working directory with a graph of two steps."""
    name = f"graphs_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(GRAPHS)
    monkeypatch.chdir(tmp_path)
    return name


def test_a_policy_that_can_be_used_is_summed_up(hitl: Command) -> None:
    said = hitl("policy", "check", PAYMENTS)

    assert said.code == 0
    assert "confidence below 0.90" in said.out
    assert "Ask when reliability is below 0.70." in said.out
    assert "This policy can be used." in said.out


def test_as_json_it_is_the_policys_body_and_hash(hitl: Command) -> None:
    policy = EscalationPolicy.load(PAYMENTS)

    said = hitl("policy", "check", PAYMENTS, "--json")

    assert json.loads(said.out) == {
        "ok": True,
        "policy": policy.body(),
        "hash": policy.content_hash,
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("name: p\nreliabilty_below: 0.7\n", "Did you mean 'reliability_below'?"),
        ("name: p\ncheckpoints: [{step: pay, autonomy: earned}]\n", "is not built"),
        ("name: p\ncheckpoints: [{step: pay, confidence_below: 1.5}]\n", "confidence_below"),
        ("name: p\ncheckpoints: [{step: pay, rule: 'no.such:thing'}]\n", "no.such"),
        ("name: [\n", "line"),
    ],
)
def test_a_policy_that_cannot_be_used_ends_with_one(
    hitl: Command, tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(text)

    said = hitl("policy", "check", str(file))
    as_json = hitl("policy", "check", str(file), "--json")

    assert (said.code, as_json.code) == (1, 1)
    assert problem in said.err
    assert json.loads(as_json.out)["ok"] is False
    assert problem in json.loads(as_json.out)["problem"]


def test_a_missing_file_is_a_sentence(hitl: Command) -> None:
    said = hitl("policy", "check", "no-such.yaml")

    assert said.code == 1
    assert "cannot be read" in said.err


def test_its_steps_are_checked_against_a_graph(hitl: Command, graphs: str, tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("name: p\ncheckpoints: [{step: pya, always: true}]\n")

    alone = hitl("policy", "check", str(file))
    against = hitl("policy", "check", str(file), "--app", f"{graphs}:graph")

    assert alone.code == 0
    assert against.code == 1
    assert "Did you mean 'pay'?" in against.err


def test_show_prints_yaml_that_says_the_same(hitl: Command) -> None:
    said = hitl("policy", "show", PAYMENTS)

    assert EscalationPolicy.from_yaml(said.out) == EscalationPolicy.load(PAYMENTS)
    assert EscalationPolicy.load(PAYMENTS).content_hash in said.out


def test_a_draft_asks_before_effects_and_can_be_used(
    hitl: Command, graphs: str, tmp_path: Path
) -> None:
    said = hitl("policy", "init", f"{graphs}:graph")

    policy = EscalationPolicy.from_yaml(said.out)
    policy.check(["read", "pay"])
    assert [(c.step, c.place, c.always) for c in policy.checkpoints] == [("pay", "before", True)]
    assert "# Steps without a checkpoint: read" in said.out


def test_a_draft_knows_tools_and_says_which_are_left_out(hitl: Command) -> None:
    said = hitl("policy", "init", "tests.firstday.test_patterns_in_graphs:graph")

    policy = EscalationPolicy.from_yaml(said.out)
    assert [(c.step, c.risk) for c in policy.checkpoints] == [("tool:tag:effect", "high")]
    assert "# Tools of 'tools' that nobody is asked about: search" in said.out


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("graph", "write it as 'module:name'"),
        ("no_such_module_here:graph", "There is no module 'no_such_module_here'"),
        ("{graphs}:nothing", "has no 'nothing'"),
        ("{graphs}:State", "hitl wraps LangGraph graphs"),
    ],
)
def test_a_target_that_is_none_is_a_usage_error(
    hitl: Command, graphs: str, target: str, sentence: str
) -> None:
    said = hitl("policy", "init", target.format(graphs=graphs))

    assert said.code == 2
    assert sentence in said.err


def test_a_module_that_raises_says_where(
    hitl: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_app.py").write_text("x = 1\ny = x / 0\n")
    monkeypatch.chdir(tmp_path)

    said = hitl("serve", "--app", "broken_app:app")

    assert said.code == 2
    assert "(broken_app.py, line 2): ZeroDivisionError" in said.err
    assert "Traceback" not in said.err
