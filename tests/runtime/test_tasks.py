"""Gated `@task`s: each call an `@entrypoint` makes is a step, withheld until its gate lets it through."""

import asyncio
import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.types import Command, RetryPolicy, interrupt

import hitl
from hitl import Answer, Checkpoint, EscalationPolicy, Retry, Rollback, Run, Stop, Workflow
from hitl.errors import ConfigurationError
from hitl.graph.shapes import shapes
from hitl.models import Place, RunStatus
from tests.runtime.stage import (
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    rows,
    settle,
)

RAN: list[Any] = []
"""What the bodies of tasks did, in order."""


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@task
def read(page: int) -> str:
    RAN.append(page)
    heard = [d.reasons[0] for d in hitl.current().denials]
    return f"page {page}" + "".join(f", not {h}" for h in heard)


@task
@hitl.tagged("effect")
def pay(amount: int, *, to: str = "ACME") -> dict[str, Any]:
    RAN.append(f"paid {amount}")
    return {"paid": amount, "to": to}


@task
def quiet(n: int) -> int:
    get_stream_writer()(n)
    return n


@entrypoint()
def pages(n: int) -> list[str]:
    return [f.result() for f in [read(i) for i in range(n)]]


@entrypoint()
def cheque(amount: int) -> str:
    text = read(amount).result()
    return f"{text}: {pay(amount, to='Alba').result()['to']}"


def shown(run: Run) -> list[tuple[str, int, Any]]:
    return sorted((r.name.step, r.name.shard, r.proposal.arguments) for r in run.reviews())


def test_each_parallel_call_is_withheld_and_decided_by_itself(tmp_path: Path) -> None:
    with opened(tmp_path, pages, policy(always("read", on_deny=[Retry(2)]))) as app:
        run = app.start(2)
        assert shown(run) == [
            ("pages/read", 1, {"update": "page 0"}),
            ("pages/read", 2, {"update": "page 1"}),
        ]
        assert len(app.graph.get_state(run.config).interrupts) == 2
        first, second = sorted(run.reviews(), key=lambda r: r.name.shard)
        deny(app, first, "retry", reasons=["that one"])
        approve(app, second)
        go_on(run)
        assert (only(run).attempt, only(run).name.shard) == (2, 1)
        settle(app, run)
        assert run.value == ["page 0, not that one", "page 1"]
        assert sorted(RAN) == [0, 0, 1]


def test_after_a_restart_the_ledger_answers_and_no_body_runs_again(tmp_path: Path) -> None:
    rules = policy(always("cheque/*"), always("cheque/pay", place="before"))
    with opened(tmp_path, cheque, rules) as app:
        run_id = app.start(7).id
    ended = []
    for _ in range(3):
        with opened(tmp_path, cheque, rules) as app:
            run = app.run(run_id)
            approve(app, only(run))
            go_on(run)
            ended.append((run.status, run.record.reason))
    assert RAN == [7, "paid 7"]
    assert ended[-1] == (RunStatus.DONE, "")


def test_a_task_that_acts_is_asked_about_before_and_gets_the_arguments_shown(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, cheque, policy(always("tag:effect", place="before"))) as app:
        run = app.start(7)
        assert shown(run) == [("cheque/pay", 1, {"input": {"amount": 7, "to": "Alba"}})]
        assert RAN == [7]
        settle(app, run)
        assert (run.value, RAN[1:]) == ("page 7: Alba", ["paid 7"])


def test_an_answer_stands_in_for_the_call_and_fits_its_type(tmp_path: Path) -> None:
    with opened(tmp_path, cheque, policy(always("re*", on_deny=[Answer()]))) as app:
        run = app.start(7)
        review = only(run)
        assert review.presentation.answer_schema == {"type": "string", "title": "Answer"}
        deny(app, review, "answer", answer="page seven")
        go_on(run)
        assert run.value == "page seven: Alba"


def test_reliability_counts_every_call(tmp_path: Path) -> None:
    rules = policy(always("pay"), accuracy={"*/read": 0.9, "*/pay": 0.5})
    with opened(tmp_path, cheque, rules) as app:
        run = app.start(7)
        assert only(run).presentation.reliability_before == pytest.approx(0.9)
        assert only(run).presentation.reliability_now == pytest.approx(0.45)
    with opened(tmp_path, cheque, rules) as app:
        run = app.run(run.id)
        settle(app, run)
        assert run.reliability == pytest.approx(0.9), "the yes covers the call alone"
        (whole,) = rows(app, run, "cheque")
        assert whole.p == pytest.approx(0.9)


def swallowing(body: Any) -> Any:
    """Return an entrypoint that takes any error of `body` for a result."""

    @entrypoint()
    def flow(amount: int) -> str:
        try:
            return str(body(amount).result())
        except Exception as problem:
            RAN.append("fallback")
            return f"fallback after {type(problem).__name__}"

    return flow


def test_a_body_that_catches_everything_swallows_no_no(tmp_path: Path) -> None:
    with opened(tmp_path, swallowing(read), policy(always("read", on_deny=[Stop()]))) as app:
        run = app.start(7)
        deny(app, only(run), "stop", reasons=["wrong"])
        go_on(run)
        assert run.status is RunStatus.STOPPED
        assert "ana denied step 'flow/read' (wrong)" in run.record.reason


def test_a_call_nobody_waits_for_holds_the_run_too(tmp_path: Path) -> None:
    @entrypoint()
    def flow(amount: int) -> str:
        read(amount)
        return "over"

    with opened(tmp_path, flow, policy(always("read"))) as app:
        run = app.start(7)
        assert run.status is RunStatus.WAITING
        settle(app, run)
        assert run.value == "over"


def test_a_rollback_begins_the_flow_anew_with_the_reason(tmp_path: Path) -> None:
    @entrypoint()
    def flow(amount: int) -> str:
        return str(read(amount).result()) + "|" + str(read(amount + 1).result())

    def second(app: Workflow, run: Run) -> Any:
        approve(app, only(run))
        go_on(run)
        return only(run)

    with opened(tmp_path, flow, policy(always("read", on_deny=[Rollback(), Stop()]))) as app:
        run = app.start(7)
        deny(app, second(app, run), "rollback", reasons=["eight"])
        go_on(run)
        assert only(run).proposal.arguments == {"update": "page 7, not eight"}
        assert RAN == [7, 8, 7]


def test_a_rollback_never_crosses_a_call_that_acted(tmp_path: Path) -> None:
    @entrypoint()
    def flow(amount: int) -> str:
        pay(amount).result()
        return str(read(amount).result())

    rules = policy(Checkpoint("pay", place="before"), always("read", on_deny=[Rollback()]))
    with opened(tmp_path, flow, rules) as app:
        run = app.start(7)
        deny(app, only(run), "rollback")
        go_on(run)
        assert run.status is RunStatus.NEEDS_ATTENTION
        assert "would pass step 'flow/pay'" in run.record.reason


def test_a_denied_flow_calls_its_tasks_anew_and_they_hear_why(tmp_path: Path) -> None:
    with opened(tmp_path, pages, policy(always("pages", on_deny=[Retry(2)]))) as app:
        run = app.start(1)
        deny(app, only(run), "retry", reasons=["that"])
        go_on(run)
        assert only(run).proposal.arguments == {"update": ["page 0, not that"]}
        settle(app, run)
        left = [(r.name.step, r.attempt) for r in rows(app, run, live=True) if r.committed_at]
        assert left == [("pages/read", 1), ("pages", 2)]


def test_a_denied_flow_is_not_run_again_when_a_call_acted(tmp_path: Path) -> None:
    rules = policy(Checkpoint("pay", place="before"), always("cheque", on_deny=[Retry(2), Stop()]))
    with opened(tmp_path, cheque, rules) as app:
        run = app.start(7)
        assert [rung.kind.value for rung in only(run).rungs] == ["stop"]


def test_a_flow_that_fails_and_is_retried_repeats_no_call_that_was_over(tmp_path: Path) -> None:
    fails = [True]

    @entrypoint(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False))
    def flow(amount: int) -> list[str]:
        pay(amount).result()
        if fails:
            raise ConnectionError(fails.pop())
        return [read(n).result() for n in range(2)]

    rules = policy(always("pay", place="before"), always("read"))
    with opened(tmp_path, flow, rules) as app:
        run = app.start(7)
        approve(app, only(run))
        go_on(run)
        assert RAN == ["paid 7", 0]
    with opened(tmp_path, flow, rules) as app:
        run = app.run(run.id)
        settle(app, run)
        assert run.value == ["page 0", "page 1"]
        assert RAN == ["paid 7", 0, 1]


def test_calls_of_one_task_in_a_retried_loop_keep_their_own_results(tmp_path: Path) -> None:
    fails = [True]

    @task
    def step(n: int) -> str:
        RAN.append(n)
        if n == 1 and fails:
            raise ConnectionError(fails.pop())
        return f"step {n}"

    @entrypoint(retry_policy=RetryPolicy(initial_interval=0.01, jitter=False))
    def flow(most: int) -> list[str]:
        return [step(n).result() for n in range(most)]

    with opened(tmp_path, flow, policy(always("flow"))) as app:
        run = app.start(3)
        assert RAN == [0, 1, 1, 2]
    with opened(tmp_path, flow, policy(always("flow"))) as app:
        run = app.run(run.id)
        settle(app, run)
        assert run.value == ["step 0", "step 1", "step 2"]


@pytest.mark.parametrize("how", ["approve", "other"])
def test_a_call_with_other_arguments_gets_nobody_elses_yes(tmp_path: Path, how: str) -> None:
    amounts = [7, 7] if how == "approve" else [7, 8]

    @entrypoint()
    def flow(_: int) -> str:
        return str(pay(amounts.pop(0)).result())

    with opened(tmp_path, flow, policy(always("pay", place="before"))) as app:
        run = app.start(0)
        approve(app, only(run))
        go_on(run)
        if how == "approve":
            assert (run.status, RAN) == (RunStatus.DONE, ["paid 7"])
        else:
            assert (run.status, RAN) == (RunStatus.NEEDS_ATTENTION, [])
            assert "was called with other arguments" in run.record.reason


def test_an_async_flow_gates_its_calls(tmp_path: Path) -> None:
    @task
    async def look(n: int) -> str:
        RAN.append(n)
        return f"saw {n}"

    @entrypoint()
    async def flow(n: int) -> list[str]:
        return [*await asyncio.gather(*(look(i) for i in range(n))), await read(n)]

    with opened(tmp_path, flow, policy(always("look"), always("read"))) as app:
        run = asyncio.run(app.astart(2))
        assert [s[0] for s in shown(run)] == ["flow/look", "flow/look"]
        settle(app, run)
        assert run.value == ["saw 0", "saw 1", "page 2"]
        assert sorted(RAN) == [0, 1, 2]


def test_a_task_may_call_tasks_and_be_a_part_of_a_graph(tmp_path: Path) -> None:
    @task
    def outer(n: int) -> str:
        return f"outer of {read(n).result()}"

    @entrypoint()
    def flow(state: dict[str, Any]) -> dict[str, Any]:
        return {"payee": outer(state["amount"]).result()}

    graph = line(sub=flow, pay=lambda s: {"paid": s["payee"]})
    with opened(tmp_path, graph, policy(always("read"), always("sub/flow/outer"))) as app:
        run = app.start({"amount": 3})
        assert only(run).name.step == "sub/flow/outer/read"
        settle(app, run)
        assert run.value["paid"] == "outer of page 3"
        assert RAN == [3]


def test_a_task_with_a_question_of_its_own_is_answered_and_then_gated(tmp_path: Path) -> None:
    @task
    def ask(n: int) -> str:
        RAN.append(n)
        return f"{interrupt('which?')} of {n}"

    @entrypoint()
    def flow(n: int) -> str:
        return str(ask(n).result())

    with opened(tmp_path, flow, policy(always("ask"))) as app:
        run = app.start(3)
        app.invoke(Command(resume="this"), run.config)
        assert only(run).proposal.arguments == {"update": "this of 3"}
        settle(app, run)
        assert run.value == "this of 3"


def test_a_task_in_doubt_tries_again_and_rollouts_are_chosen_from(tmp_path: Path) -> None:
    @task
    def guess(n: int) -> str:
        RAN.append(n)
        hitl.report(confidence=min(0.9, 0.2 + 0.3 * len(RAN)))
        return f"guess {len(RAN)}"

    @entrypoint()
    def flow(n: int) -> str:
        return str(guess(n).result())

    again = Checkpoint("guess", confidence_below=0.7, on_doubt=[Retry(3)])
    with opened(tmp_path, flow, policy(again)) as app:
        assert app.start(3).value == "guess 2"
    with opened(tmp_path, flow, policy(always("guess", rollouts=3))) as app:
        review = only(app.start(3))
        assert len(review.proposal.arguments["alternatives"]) == 2  # type: ignore[arg-type]


def test_streams_and_results_are_those_of_the_plain_flow(tmp_path: Path) -> None:
    modes: Any = ["updates", "values", "custom"]

    @entrypoint()
    def flow(n: int) -> list[Any]:
        get_stream_writer()("looking")
        return [quiet(n).result(), quiet(n + 1).result()]

    plain = list(flow.stream(7, {"configurable": {"thread_id": "t"}}, stream_mode=modes))
    with opened(tmp_path, flow) as app:
        gated = list(app.stream(7, {"configurable": {"thread_id": "t"}}, stream_mode=modes))
    assert gated == plain


@dataclasses.dataclass
class Amount:
    """A type that only the tasks' annotations name."""

    cents: int


@task
def measure(cents: int) -> list[Amount]:
    RAN.append(cents)
    return [Amount(cents)]


@task
def bill(amounts: list[Amount]) -> str:
    return f"{sum(a.cents for a in amounts)} cents"


@entrypoint()
def billing(most: int) -> list[str]:
    measured = [measure(cents).result() for cents in range(most)]
    return [bill(amounts).result() for amounts in measured]


def test_what_tasks_deal_in_is_read_back_as_it_was(tmp_path: Path) -> None:
    rules = policy(always("bill", place="before"), always("measure"))
    with opened(tmp_path, billing, rules) as app:
        run_id = settle(app, app.start(1), most=1).id
    with opened(tmp_path, billing, rules) as app:
        run = settle(app, app.run(run_id))
        assert (run.value, RAN) == (["0 cents"], [0])


# -- which tasks a policy means ---------------------------------------------------------------------


def test_tasks_that_the_code_names_are_known_before_they_are_called() -> None:
    @task
    def outer(n: int) -> str:
        return str(read(n).result())

    @entrypoint()
    def flow(most: int) -> list[str]:
        return [outer(n).result() for n in range(most)] + [pay(1).result()["to"]]

    seen = {step.path: step.tags for step in shapes(flow)}
    assert seen == {
        "flow": frozenset(),
        "flow/outer": frozenset(),
        "flow/outer/read": frozenset(),
        "flow/pay": {"effect"},
    }
    (match,) = policy(always("read")).matches(shapes(flow))
    assert match.steps == ("flow/outer/read",)


def test_a_name_that_is_no_step_is_noted_and_missed_at_the_end(tmp_path: Path) -> None:
    with opened(tmp_path, pages, policy(always("raed"), always("tag:effect"))) as app:
        assert any("'raed' names no step; it will stand at tasks of" in n for n in app.notes)
        run = app.start(1)
        assert run.status is RunStatus.DONE
        assert run.record.reason.startswith("Checkpoint 'raed' stood at nothing")


def test_a_task_checkpoint_that_covers_the_prefix_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="covers that task alone"),
        opened(tmp_path, pages, policy(always("read", covers="since_reset"))),
    ):
        pass


def test_rollouts_of_what_calls_tasks_are_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="which calls tasks; take rollouts off"),
        opened(tmp_path, pages, policy(always("pages", rollouts=2))),
    ):
        pass


def test_without_a_policy_tasks_marked_as_effects_are_asked_about(tmp_path: Path) -> None:
    with closing(hitl.wrap(cheque, store=f"sqlite:///{tmp_path / 'hitl.db'}")) as app:
        run = app.start(7)
        assert (only(run).name.step, only(run).name.place) == ("cheque/pay", Place.BEFORE)
        assert "step 'cheque/pay' runs, any other task of 'cheque' tagged 'effect'" in app.notes[0]


def test_the_exact_path_wins_over_the_name_and_the_name_over_a_glob() -> None:
    rules = EscalationPolicy(
        "p", checkpoints=[Checkpoint(s, title=s) for s in ("*ead", "read", "flow/read")]
    ).on([hitl.policy.Step("flow", calls_tasks=True)])
    for path, found in (("flow/read", "flow/read"), ("g/read", "read"), ("g/lead", "*ead")):
        rules.meet(hitl.policy.Step(path, is_task=True))
        assert [c.title for c in rules.at(path, Place.AFTER)] == [found]
