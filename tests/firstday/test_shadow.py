"""Shadow mode: the graph does what it does without hitl, and the log says who would have been asked."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

import hitl
from hitl import Checkpoint, Critic, EscalationPolicy, Retry, Rollouts, Workflow
from hitl.errors import ConfigurationError, NotFound
from hitl.ids import new_id
from hitl.models import GateRow, Place, Review, RunStatus
from hitl.ports import Store
from hitl.reviews import utcnow
from hitl.reviews.shadow import summed_up
from hitl.stores import open_store
from review_ui.api import create_api
from tests.cli.conftest import Command
from tests.cli.conftest import hitl as hitl_command  # noqa: F401 - a fixture
from tests.firstday.test_patterns_in_graphs import SENT, desk
from tests.runtime.graphs import CASES
from tests.runtime.graphs.case import Case
from tests.runtime.graphs.running import Plain, Wrapped
from tests.runtime.graphs.streams import BOUNDARY, MODES, by_superstep, in_order, plain
from tests.runtime.stage import Cheque, always, approve, line, only, opened, policy, rows


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = open_store("sqlite://")
    yield made
    made.close()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_where_every_gate_would_ask_the_streams_are_the_plain_graphs(
    case: Case, store: Store
) -> None:
    thread = new_id("run", utcnow())
    colour = case.colours[0]
    modes = [*MODES, BOUNDARY] if case.parallel else [*MODES]

    expected = Plain(case).streamed(colour, modes, thread=thread, subgraphs=True)
    shadow = Wrapped(case, store, "shadow")
    seen = shadow.streamed(colour, modes, thread=thread, subgraphs=True)

    compared = by_superstep if case.parallel else in_order
    assert compared(seen.events) == compared(expected.events)
    assert plain(seen.state.values) == plain(expected.state.values)
    assert seen.began == expected.began
    gates = store.read(lambda r: r.gates(thread))
    assert {row.action for row in gates if row.name.place is not Place.QUESTION} == {"ask"}
    assert all(row.shadow for row in gates if row.name.place is not Place.QUESTION)


def read(state: Cheque) -> Cheque:
    hitl.report(confidence=0.62 if state["amount"] > 10 else 0.99)
    return {"payee": f"payee of {state['amount']}"}


def pay(state: Cheque) -> Cheque:
    return {"paid": state["payee"]}


RULES = policy(
    Checkpoint("read", confidence_below=0.9),
    Checkpoint("pay", place="before", always=True),
    reliability_below=0.7,
)


def test_an_effect_runs_and_nobody_is_asked(tmp_path: Path) -> None:
    SENT.clear()
    with opened(tmp_path, desk("send_mail"), None, mode="shadow") as app:
        run = app.start({"messages": []})

        assert (run.status, SENT) == (RunStatus.DONE, ["bo"])
        assert app.queue.pending() == []


def test_the_report_says_by_checkpoint_what_and_why(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read, pay=pay), RULES, mode="shadow") as app:
        for amount in (1, 2, 43):
            app.start({"amount": amount})
        told = app.shadow_report()

        assert (told.runs, told.runs_asked, told.gates, told.would_ask) == (3, 3, 6, 4)
        assert (told.reviewer_minutes, told.minutes_basis) == (4.0, "assumed")
        by_name = {part.checkpoint: part for part in told.checkpoints}
        pays, reads = by_name["pay"], by_name["read"]
        assert (pays.place, pays.would_ask, pays.share) == (Place.BEFORE, 3, 1.0)
        assert (reads.gates, reads.would_ask) == (3, 1)
        assert {r.reason: r.gates for r in reads.reasons} == {
            "Confidence is below 0.9.": 1,
            "Reliability is below 0.7.": 1,
        }
        assert reads.examples[0].summary == "payee: payee of 43"
        assert "read (after): 1 of 3 would ask (33%), about 1 min" in str(told)


def test_a_spot_check_is_drawn_where_it_would_ask_too(tmp_path: Path) -> None:
    rules = policy(always("pay"), spot_check=1.0)
    with opened(tmp_path, line(read=read, pay=pay), rules, mode="shadow") as app:
        run = app.start({"amount": 1})

        assert run.status is RunStatus.DONE
        assert {r.name.step: r.blocking for r in run.reviews()} == {"read": False, "pay": False}
        assert {r.name.step: r.propensity_label for r in rows(app, run)} == {
            "read": 1.0,
            "pay": 1.0,
        }


def test_without_spot_checks_a_gate_of_shadow_mode_never_has_a_label(tmp_path: Path) -> None:
    with opened(tmp_path, line(pay=pay), policy(always("pay")), mode="shadow") as app:
        (row,) = rows(app, app.start({"payee": "a"}))

        assert (row.action, row.propensity_ask, row.propensity_label) == ("ask", 1.0, 0.0)
        assert (row.spot_check, row.review_id, row.verified) == (False, None, False)
        assert row.committed_at is not None


def test_a_review_from_before_still_waits(tmp_path: Path) -> None:
    graph = line(read=read, pay=pay)
    with opened(tmp_path, graph, policy(always("read"))) as app:
        run_id = app.start({"amount": 1}).id
    with opened(tmp_path, graph, policy(always("read")), mode="shadow") as app:
        run = app.run(run_id)
        run.wait(0.0)
        assert run.status is RunStatus.WAITING

        approve(app, only(run))
        run.wait(0.0)
        assert app.run(run_id).status is RunStatus.DONE


def test_gates_of_other_policies_are_left_out(tmp_path: Path) -> None:
    graph = line(read=read, pay=pay)
    with opened(tmp_path, graph, policy(always("read")), mode="shadow") as app:
        app.start({"amount": 1})
    with opened(tmp_path, graph, RULES, mode="shadow") as app:
        app.start({"amount": 1})
        told = app.shadow_report()

        assert (told.gates, told.gates_of_older_policies) == (2, 2)
        assert told.policy_hash == RULES.content_hash


def test_the_time_of_a_review_is_taken_as_measured(tmp_path: Path) -> None:
    rules = policy(always("read"))
    with opened(tmp_path, line(read=read), rules) as app:
        for seconds in range(1, 12):
            review = only(app.start({"amount": 1}))
            approve(app, review, shown_ms=seconds * 10_000, surface="page")
    with opened(tmp_path, line(read=read), rules, mode="shadow") as app:
        app.start({"amount": 1})
        told = app.shadow_report()

        assert (told.minutes_per_review, told.minutes_basis) == (1.0, "measured")


def test_the_newest_examples_are_shown() -> None:
    with opened_in_memory() as app:
        for amount in (50, 51, 52, 53):
            app.start({"amount": amount})
        found: list[GateRow] = [row for run in app.runs() for row in rows(app, run)]

    (part,) = summed_up(found, 0.5, "assumed").checkpoints
    assert [e.summary for e in part.examples] == [
        "payee: payee of 53",
        "payee: payee of 52",
        "payee: payee of 51",
    ]
    assert part.reviewer_minutes == 2.0


def opened_in_memory() -> Any:
    rules = policy(Checkpoint("read", confidence_below=0.9))
    return opened(Path(), line(read=read), rules, mode="shadow", store="sqlite://")


def test_the_command_prints_the_report(tmp_path: Path, hitl_command: Command) -> None:  # noqa: F811
    url = f"sqlite:///{tmp_path / 'hitl.db'}"
    with opened(tmp_path, line(read=read, pay=pay), RULES, mode="shadow", name="payments") as app:
        app.start({"amount": 43})
        told = app.shadow_report()
    with opened(tmp_path, line(read=read), policy()) as app:
        app.start({"amount": 1})

    shown = hitl_command("shadow", "--store", url)
    as_json = hitl_command("shadow", "--store", url, "--json")
    other = hitl_command("shadow", "--store", url, "--workflow", "workflow")

    assert "2 of 2 gates would have asked (100%), in 1 of 1 runs" in shown.out
    assert "1 × Confidence is below 0.9." in shown.out
    assert json.loads(as_json.out) == {"reports": [json.loads(told.model_dump_json())]}
    assert "No gate was passed in shadow mode here" in other.out


def test_a_workflow_with_no_such_gate_says_so(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=read)) as app, pytest.raises(NotFound, match="shadow mode"):
        app.shadow_report()


def test_another_mode_is_refused() -> None:
    mode: Any = "shade"
    with pytest.raises(ConfigurationError, match="no mode 'shade'"):
        hitl.wrap(line(read=read), mode=mode, store="sqlite://")


TOKEN = "sixteen letters and more"
LOOKED: list[str] = []
"""What critics and steps in doubt did, in order."""


def sceptic(view: dict[str, Any]) -> float:
    LOOKED.append("critic")
    return 0.1


def guess(state: Cheque) -> Cheque:
    LOOKED.append("guess")
    hitl.report(confidence=0.3)
    return {"paid": state["payee"]}


@pytest.mark.parametrize("door", ["v1", "cli"])
def test_a_shadow_run_tries_nothing_on_doubt_whoever_lets_it_go_on(
    tmp_path: Path,
    hitl_command: Command,  # noqa: F811
    door: str,
) -> None:
    LOOKED.clear()
    doubt: Any = [Retry(3), Critic(sceptic), Rollouts(2)]
    again = Checkpoint("guess", confidence_below=0.9, on_doubt=doubt, rollouts=3)
    rules = policy(always("read"), again)
    graph = line(read=read, guess=guess)
    with opened(tmp_path, graph, rules) as app:
        run_id = app.start({"amount": 43}).id
        review = only(app.run(run_id))
    if door == "cli":
        url = f"sqlite:///{tmp_path / 'hitl.db'}"
        told = hitl_command("decide", review.id, "approve", "--by", "ana", "--store", url, "--yes")
        assert told.code == 0, told.err
    with opened(tmp_path, graph, rules, mode="shadow") as app:
        if door == "v1":
            decide_over_http(app, review)
        run = app.run(run_id)
        run.wait(10.0)
        (row,) = rows(app, run, "guess")
        assert (run.status, LOOKED) == (RunStatus.DONE, ["guess"])
        assert (row.action, row.shadow, row.tried, row.settled_by) == ("ask", True, (), "")


def decide_over_http(app: Workflow, review: Review) -> None:
    api = FastAPI()
    api.include_router(create_api(app.queue, token=TOKEN))
    body = {"verdict": "approve", "by": "ana", "proposal_hash": review.proposal_hash}
    head = {"Authorization": f"Bearer {TOKEN}"}
    said = TestClient(api).post(f"/v1/reviews/{review.id}/decision", json=body, headers=head)
    assert said.status_code == 200, said.text


# -- the default policy ---------------------------------------------------------------------------


def test_the_default_policy_asks_before_marked_steps_and_tools(tmp_path: Path) -> None:
    SENT.clear()
    graph = desk("search", "send_mail")
    app = hitl.wrap(graph, store=f"sqlite:///{tmp_path / 'hitl.db'}")
    try:
        run = app.start({"messages": []})
        assert [(c.step, c.place) for c in app.policy.checkpoints] == [
            ("tool:tag:effect", "before")
        ]
        assert app.policy.spot_check == 0.02
        assert "before tool 'send_mail' is called" in app.notes[0]
        (review,) = [r for r in run.reviews() if r.blocking]
        assert (review.name.step, SENT) == ("tools", [])
    finally:
        app.close()


def test_a_marked_step_is_asked_about_before_it_runs(tmp_path: Path) -> None:
    graph = line(read=read)
    graph.add_node("pay", pay, metadata={"effect": True})
    graph.add_edge("read", "pay")
    app = hitl.wrap(graph, store=f"sqlite:///{tmp_path / 'hitl.db'}")
    try:
        run = app.start({"amount": 1})
        (review,) = [r for r in run.reviews() if r.blocking]
        assert (review.name.step, review.name.place) == ("pay", "before")
        assert app.notes == ("No policy was given: a person is asked before step 'pay' runs.",)
    finally:
        app.close()


def test_where_nothing_is_marked_the_workflow_says_so() -> None:
    app = hitl.wrap(line(read=read, pay=pay), store="sqlite://")
    try:
        assert app.policy == EscalationPolicy("default", spot_check=0.02)
        assert "nothing is marked as an effect" in app.notes[0]
    finally:
        app.close()
