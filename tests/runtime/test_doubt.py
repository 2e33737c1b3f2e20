"""What happens on doubt, before a person is asked: a test for each row of the table in the docs."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.func import task
from langgraph.graph import END, START, StateGraph
from langgraph.types import interrupt

import hitl
from hitl import Checkpoint, Critic, Judge, Retry, Rollouts
from hitl.models import ConfidenceKind, JsonObject, RunStatus
from hitl.policy.doubt import Doubt
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
)


class Trying:
    """A step that is as sure as it is told, try by try; it changes its input as it likes."""

    def __init__(self, *sure: float | None, cost: float | None = None) -> None:
        self._sure = list(sure)
        self._cost = cost
        self._lock = threading.Lock()
        self.saw: list[list[str]] = []

    def __call__(self, state: Cheque) -> Any:
        with self._lock:
            number = len(self.saw)
            self.saw.append(list(state.get("log", [])))
        state.setdefault("log", []).append("spoilt")
        hitl.report(confidence=self._sure[number], cost=self._cost)
        return {"amount": number, "payee": f"rollout {hitl.current().rollout}"}


def doubting(*rungs: Doubt, below: float = 0.9, **options: Any) -> hitl.EscalationPolicy:
    return policy(Checkpoint("read", confidence_below=below, on_doubt=rungs, **options))


def amount_of(arguments: JsonObject) -> int:
    update = arguments["update"]
    assert isinstance(update, dict)
    return int(str(update["amount"]))


def scores(*by_amount: float) -> Callable[[JsonObject], float]:
    def look(arguments: JsonObject) -> float:
        hitl.report(cost=0.25)
        return by_amount[amount_of(arguments)]

    return look


def value(run: hitl.Run) -> Any:
    assert run.status is RunStatus.DONE
    return run.value


def test_the_first_try_that_is_sure_is_committed_and_nobody_is_asked(tmp_path: Path) -> None:
    read = Trying(0.5, 0.6, 0.95, 0.99, cost=2)
    with opened(tmp_path, line(read=read), doubting(Retry(3))) as app:
        run = app.start({"log": ["a"]})
        assert value(run)["amount"] == 2
        assert read.saw == [["a"]] * 3  # each on a copy of its own
        found = row(app, run, "read")
        assert (found.action, found.p, found.chosen, found.step_cost) == ("act", 0.95, 2, 6)
        assert [(t.rung, t.p, t.cost, t.passes) for t in found.tried] == [
            ("first", 0.5, 2, False),
            ("retry", 0.6, 2, False),
            ("retry", 0.95, 2, True),
        ]
        assert all(t.seconds is not None for t in found.tried)
        assert found.settled_by == (
            "Tried 2 more times; try 3 of 3 is the most likely right."
            " Settled without a person at 0.95 (reported)."
        )


def test_when_none_is_sure_the_most_confident_is_shown_and_committed(tmp_path: Path) -> None:
    read = Trying(0.5, 0.8, 0.6)
    with opened(tmp_path, line(read=read), doubting(Retry(2))) as app:
        run = app.start({})
        review = only(run)
        assert amount_of(review.proposal.arguments) == 1
        assert review.presentation.why == (
            "Confidence 0.80 is below 0.90.",
            "Tried 2 more times; try 2 of 3 is the most likely right.",
        )
        approve(app, review)
        assert value(go_on(run))["amount"] == 1
        assert len(read.saw) == 3


def test_rollouts_run_at_once_and_the_best_of_all_goes_on(tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=10)
    first = Trying(0.5)

    def read(state: Cheque) -> Any:
        rollout = hitl.current().rollout
        if rollout == 0:
            return first(state)
        together.wait()
        hitl.report(confidence=0.9 + rollout / 100)
        return {"amount": rollout}

    with opened(tmp_path, line(read=read), doubting(Rollouts(3))) as app:
        run = app.start({})
        assert value(run)["amount"] == 3
        assert [t.p for t in row(app, run, "read").tried] == [0.5, 0.91, 0.92, 0.93]


async def test_rollouts_run_at_once_in_an_event_loop_too(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=Trying(0.5, 0.6, 0.95)), doubting(Rollouts(2))) as app:
        run = await app.astart({})
        assert run.status is RunStatus.DONE
        assert row(app, run, "read").p == 0.95


def test_a_critic_counts_in_the_place_of_what_a_step_says_itself(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=Trying(0.5)), doubting(Critic(scores(0.97)))) as app:
        run = app.start({})
        assert value(run)["amount"] == 0
        found = row(app, run, "read")
        assert (found.p, found.confidence_kind) == (0.97, ConfidenceKind.CRITIC)
        (signal,) = found.signals
        assert (signal.kind, signal.score) == ("noisy", 0.97)
        assert (found.tried[0].opinions[0].cost, found.step_cost) == (0.25, 0.25)
        assert run.reliability == pytest.approx(0.97)


def test_of_several_opinions_the_lowest_counts(tmp_path: Path) -> None:
    rules = doubting(Critic(scores(0.8)), Judge(scores(0.99)))
    with opened(tmp_path, line(read=Trying(0.5)), rules) as app:
        review = only(app.start({}))
        assert review.presentation.confidence == 0.8
        assert [s.score for s in review.presentation.signals] == [0.8, 0.99]


def test_later_tries_are_looked_at_by_the_critics_before_them(tmp_path: Path) -> None:
    rules = doubting(Critic(scores(0.2, 0.3, 0.96)), Retry(3))
    with opened(tmp_path, line(read=Trying(0.5, 0.99, 0.6)), rules) as app:
        assert value(app.start({}))["amount"] == 2  # its own 0.99 did not help the second


def test_a_critic_never_overrules_what_rests_on_labels(tmp_path: Path) -> None:
    options: Any = {"calibrators": {"read": lambda c: c / 2}}
    rules = doubting(Judge(scores(0.99)))
    with opened(tmp_path, line(read=Trying(0.8)), rules, **options) as app:
        review = only(app.start({}))
        assert review.presentation.confidence == 0.4
        assert review.presentation.why[1] == "The judge 'look' says 0.99."


@pytest.mark.parametrize("says", [1.5, "sure", True, None])
def test_a_critic_that_fails_settles_nothing_even_for_later_tries(
    tmp_path: Path, says: Any
) -> None:
    rules = doubting(Critic(lambda _: says), Retry(1))
    with opened(tmp_path, line(read=Trying(0.5, 0.99)), rules) as app:
        review = only(app.start({}))
        assert review.presentation.confidence == 0.99
        assert "gave no answer" in review.presentation.why[-1]
        assert "Settled" not in review.presentation.why[-1]


def test_a_try_that_fails_does_not_fail_the_step(tmp_path: Path) -> None:
    read = Trying(0.5)  # the second try has nothing to say
    with opened(tmp_path, line(read=read), doubting(Retry(2))) as app:
        review = only(app.start({}))
        assert amount_of(review.proposal.arguments) == 0
        assert "Tried 2 more times (2 failed)" in review.presentation.why[-1]


def large(arguments: JsonObject) -> bool:
    return amount_of(arguments) >= 0


@pytest.mark.parametrize("trigger", [{"always": True}, {"rule": large}, {"every": 1}])
def test_what_is_for_a_person_is_not_tried_again(tmp_path: Path, trigger: dict[str, Any]) -> None:
    read = Trying(0.5, 0.99)
    with opened(tmp_path, line(read=read), doubting(Retry(1), **trigger)) as app:
        assert only(app.start({})).attempt == 1
        assert len(read.saw) == 1


def test_after_a_no_a_person_sees_the_next_try(tmp_path: Path) -> None:
    read = Trying(0.5, 0.6, 0.99, 0.99)
    with opened(tmp_path, line(read=read), doubting(Retry(1), on_deny=[Retry(1)])) as app:
        run = app.start({})
        deny(app, only(run), "retry")
        review = only(go_on(run))
        assert (review.attempt, amount_of(review.proposal.arguments)) == (2, 2)


def test_reliability_is_looked_at_again_with_the_better_try(tmp_path: Path) -> None:
    rules = policy(Checkpoint("read", reliability_below=0.8, on_doubt=[Retry(1)]))
    with opened(tmp_path, line(plan=Trying(0.9), read=Trying(0.5, 0.95)), rules) as app:
        assert app.start({}).reliability == pytest.approx(0.9 * 0.95)


def test_the_time_for_doubt_is_kept(tmp_path: Path) -> None:
    clock = HandClock()
    sure = Trying(0.5, 0.6, 0.99)

    def read(state: Cheque) -> Any:
        clock.move(timedelta(minutes=3))
        return sure(state)

    rules = doubting(Retry(5), doubt_within="2m")
    with opened(tmp_path, line(read=read), rules, clock=clock) as app:
        review = only(app.start({}))
        assert len(sure.saw) == 2
        assert review.presentation.why[-1].endswith("The time for doubt (2m) was over.")


@pytest.mark.parametrize("rung", [Retry(5), Rollouts(5)])
def test_the_money_for_doubt_is_kept(tmp_path: Path, rung: Doubt) -> None:
    read = Trying(0.5, 0.6, 0.7, 0.99, cost=2)
    with opened(tmp_path, line(read=read), doubting(rung, doubt_cost=5)) as app:
        review = only(app.start({}))
        assert len(read.saw) == 3
        assert "The money for doubt (5) did not reach further." in review.presentation.why[-1]
        assert row(app, app.run(review.run_id), "read").step_cost == 6


@task
def costly() -> int:
    return 1


def with_task(state: Cheque) -> Any:
    hitl.report(confidence=0.5)
    return {"amount": costly().result()}


def with_question(state: Cheque) -> Any:
    hitl.report(confidence=0.5)
    return {"payee": interrupt("who?")}


def inner() -> Any:
    return line(deep=Trying(0.5)).compile()


@pytest.mark.parametrize(
    ("make", "options", "reason"),
    [
        (lambda: Trying(0.5), {"metadata": {"effect": True}}, "it has side effects"),
        (lambda: with_task, {}, "it uses @task"),
        (lambda: with_question, {}, "it asks questions"),
        (inner, {}, "it is a graph with gates of its own"),
    ],
)
def test_what_must_not_be_repeated_is_not_tried_again_and_says_so(
    tmp_path: Path, make: Callable[[], Body], options: dict[str, Any], reason: str
) -> None:
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("read", make(), **options)
    graph.add_edge(START, "read")
    graph.add_edge("read", END)
    with opened(tmp_path, graph, doubting(Retry(2), Rollouts(2))) as app:
        run = app.start({})
        if only(run).name.place == "question":
            review = only(run)
            app.queue.decide(
                review.id, "approve", by="ana", proposal_hash=review.proposal_hash, answer="Alba"
            )
            go_on(run)
        assert only(run).presentation.why[-1] == f"Not tried again: {reason}."


def test_before_a_step_only_critics_and_judges_look(tmp_path: Path) -> None:
    here = Checkpoint(
        "pay", place="before", confidence_below=0.9, on_doubt=[Critic(lambda _: 0.95)]
    )
    with opened(tmp_path, line(pay=Trying(0.5)), policy(here)) as app:
        assert value(app.start({}))["amount"] == 0
    with pytest.raises(hitl.errors.ConfigurationError, match="cannot try it on doubt"):
        always("pay", place="before", on_doubt=[Retry(1)])


def test_graphs_called_inside_a_step_run_anew_in_each_try(tmp_path: Path) -> None:
    deep = Trying(0.5, 0.6, 0.95)
    child = line(deep=deep).compile()

    def read(state: Cheque) -> Any:
        found = child.invoke({})
        hitl.report(confidence=[0.5, 0.6, 0.95][found["amount"]])
        return {"amount": found["amount"]}

    with opened(tmp_path, line(read=read), doubting(Retry(2))) as app:
        assert value(app.start({}))["amount"] == 2


def test_a_process_that_dies_on_the_way_tries_anew_and_commits_what_was_shown(
    tmp_path: Path,
) -> None:
    sure = Trying(0.5, 0.8, 0.6, 0.7, 0.5)

    def read(state: Cheque) -> Any:
        if len(sure.saw) == 2:
            sure.saw.append([])
            raise KeyboardInterrupt
        return sure(state)

    with opened(tmp_path, line(read=read), doubting(Retry(2))) as app:
        with pytest.raises(KeyboardInterrupt):
            app.start({}, run_id="r")
        assert app.run("r").reviews() == []
    with opened(tmp_path, line(read=sure), doubting(Retry(1))) as app:
        run = app.run("r")
        run.retry()
        shown = amount_of(only(run).proposal.arguments)
    with opened(tmp_path, line(read=sure), doubting(Retry(1))) as app:
        run = app.run("r")
        approve(app, only(run))
        assert value(go_on(run))["amount"] == shown == 3
        assert len(sure.saw) == 5


def test_it_reads_and_hashes_as_data() -> None:
    text = (
        "name: p\ncheckpoints:\n- step: read\n  confidence_below: 0.9\n  doubt_within: 5m\n"
        "  on_doubt: [{retry: 2}, {critic: 'math:floor'}, {judge: 'math:floor'}, {rollouts: 3}]\n"
    )
    read = hitl.EscalationPolicy.from_yaml(text)

    assert hitl.EscalationPolicy.from_yaml(read.to_yaml()) == read
    rungs: list[Doubt] = [Retry(2), Critic("math:floor"), Judge("math:floor"), Rollouts(3)]
    assert read == doubting(*rungs, doubt_within="5m")
    assert read != doubting(*rungs)
    assert "on_doubt" not in Checkpoint("read").body()
