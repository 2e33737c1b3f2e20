"""`hitl.report`, `hitl.current` and `run.outcome`: what a step says, hears, and led to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import START, StateGraph

import hitl
from hitl.errors import InvalidReport, NotFound
from hitl.models import RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    deny,
    fan,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    trail,
)


def test_what_a_step_reports_is_on_its_review(tmp_path: Path) -> None:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=0.4, evidence=["the ink is smudged"], cost=0.02)
        hitl.report(
            confidence=0.8,
            evidence=[hitl.Evidence(claim="it says ACME", quote="ACME Ltd", source="line 3")],
            signals=[hitl.Signal(name="checksum", kind="trusted", passed=True)],
        )
        return {"payee": "ACME"}

    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        shown = only(run).presentation
        assert shown.confidence == 0.8
        assert [e.claim for e in shown.evidence] == ["the ink is smudged", "it says ACME"]
        assert [(s.name, s.passed) for s in shown.signals] == [("checksum", True)]
        found = row(app, run, "read")
        assert (found.confidence, found.step_cost) == (0.8, 0.02)
        assert found.signals == shown.signals


def test_each_try_reports_anew(tmp_path: Path) -> None:
    def read(state: Cheque) -> Cheque:
        attempt = hitl.current().attempt
        if attempt == 1:
            hitl.report(confidence=0.4, evidence=["first"])
        return {"payee": f"try {attempt}"}

    with opened(tmp_path, line(read=read), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        go_on(run)
        shown = only(run).presentation
        assert (shown.confidence, shown.evidence) == (None, ())


def test_steps_side_by_side_report_for_themselves(tmp_path: Path) -> None:
    def step(confidence: float) -> Any:
        async def body(state: Cheque) -> Cheque:
            await asyncio.sleep(0.01)
            hitl.report(confidence=confidence)
            return {"log": [hitl.current().step]}

        return body

    graph = fan(**{f"n{i}": step(i / 10) for i in range(1, 9)})
    with opened(tmp_path, graph) as app:
        run = asyncio.run(app.astart({"amount": 1}))
        found = {name: row(app, run, name).confidence for name in run.value["log"]}
        assert found == {f"n{i}": i / 10 for i in range(1, 9)}


def test_a_step_knows_where_it_is(tmp_path: Path) -> None:
    seen: list[tuple[str, str, int, int]] = []

    def leaf(state: Cheque) -> Cheque:
        here = hitl.current()
        seen.append((here.run_id, here.step, here.visit, here.attempt))
        return {"log": ["x"]}

    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("mid", line(leaf=leaf).compile())
    graph.add_edge(START, "mid")
    graph.add_conditional_edges("mid", lambda s: "mid" if len(s["log"]) < 3 else "__end__")
    with opened(tmp_path, graph) as app:
        run = app.start({"amount": 1})
        assert [each[0] for each in seen] == [run.id] * len(seen)
        assert [each[1:] for each in seen] == [
            ("mid/leaf", visit, 1) for visit in range(1, len(seen) + 1)
        ]


def test_an_unwrapped_graph_may_report_and_may_not_ask_where_it_is() -> None:
    def read(state: Cheque) -> Cheque:
        hitl.report(confidence=0.5)
        return {"payee": "x"}

    assert line(read=read).compile().invoke({"amount": 1})["payee"] == "x"
    with pytest.raises(InvalidReport, match="outside a step"):
        hitl.current()


def test_an_outcome_is_kept_and_audited(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=lambda _: {"payee": "x"}), policy(always("read"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run))
        go_on(run)
        run.outcome(good=False, note="bounced")
        run.outcome(good=True, step="read")
        found = app.store.read(lambda r: r.outcomes(run.id))
        assert [(o.good, o.step, o.note) for o in found] == [
            (False, None, "bounced"),
            (True, "read", ""),
        ]
        assert trail(app, run)[-2:] == ["run.outcome", "run.outcome"]
        assert run.status is RunStatus.DONE
        with pytest.raises(NotFound, match="run_9"):
            app.queue.outcome("run_9", good=True)
