"""Shots on goal: attempts at once, ranked, decided together in one review, each labelled."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from langgraph.func import task
from langgraph.types import interrupt

import hitl
from hitl import Answer, Checkpoint, Critic, Retry, Stop
from hitl.errors import ConfigurationError, InvalidAnswer
from hitl.models import JsonObject, RunStatus
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
    proposal,
    row,
    rows,
)

SURE = (0.5, 0.8, 0.7, 0.6, 0.4)
SEVEN = datetime(2026, 11, 24, 7, tzinfo=UTC)


def shot(*, sure: tuple[float, ...] = SURE, saw: list[Any] | None = None) -> Body:
    """Return a step whose nth rollout says `amount` n; all of them run at the same time."""
    together = threading.Barrier(len(sure), timeout=10)

    def body(state: Cheque) -> Any:
        here = hitl.current()
        together.wait()
        if saw is not None:
            saw.append((here.attempt, here.rollout, [d.reasons for d in here.denials]))
        state.setdefault("log", []).append("spoilt")
        assert state["log"] == ["spoilt"]
        hitl.report(confidence=sure[here.rollout], cost=1)
        return {"amount": here.rollout, "payee": f"p{here.attempt}"}

    return body


def shots(n: int = 5, **options: Any) -> hitl.EscalationPolicy:
    return policy(Checkpoint("draft", rollouts=n, **options))


def amount_of(arguments: JsonObject) -> float:
    update = arguments["update"]
    assert isinstance(update, dict)
    return float(str(update["amount"]))


def test_all_are_shown_in_one_review_the_most_confident_first(tmp_path: Path) -> None:
    with opened(tmp_path, line(draft=shot()), shots(always=True)) as app:
        run = app.start({})
        review = only(run)
        shown = review.proposal.arguments
        assert amount_of(shown) == 1
        others: Any = shown["alternatives"]
        assert [(o["number"], o["p"], o["update"]["amount"]) for o in others] == [
            (2, 0.7, 2),
            (3, 0.6, 3),
            (4, 0.5, 0),
            (5, 0.4, 4),
        ]
        assert review.presentation.choices == 5
        assert review.presentation.evidence[0].claim == "Alternative 2, confidence 0.70"
        assert review.presentation.why[1] == "5 rollouts; number 2 is ranked first."
        approve(app, review)
        assert go_on(run).value["amount"] == 1
        found = row(app, run, "draft")
        assert (found.rollout, found.n_rollouts, found.winner, found.step_cost) == (1, 5, True, 5)
        assert app.store.read(lambda r: r.label_counts(found.workflow, "draft")) == (1, 1)
        assert [t.right for t in found.tried] == [None, True, None, None, None]
        assert len(rows(app, run, "draft")) == 1


def test_a_yes_may_be_to_another_and_label_the_rest(tmp_path: Path) -> None:
    with opened(tmp_path, line(draft=shot(), end=lambda _: {}), shots(always=True)) as app:
        run = app.start({})
        with pytest.raises(InvalidAnswer, match="'choice' does not fit"):
            approve(app, only(run), answer={"choice": 6})
        approve(app, only(run), answer={"choice": 3, "right": [2], "wrong": [1, 5]})
        assert go_on(run).value["amount"] == 3
        found = row(app, run, "draft")
        assert (found.rollout, found.p, found.winner) == (3, 0.6, False)
        counts = app.store.read(lambda r: r.label_counts(found.workflow, "draft"))
        assert counts == (0, 0)  # no label of how often the best is right
        assert [t.right for t in found.tried] == [None, False, True, True, False]


def test_all_are_stored_before_the_park_and_survive_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path, line(draft=shot()), shots(always=True)) as app:
        run_id = app.start({}).id
    with opened(tmp_path, line(draft=lambda _: 1 / 0), shots(always=True)) as app:
        run = app.run(run_id)
        assert proposal(app, only(run)).meta["choices"]
        approve(app, only(run), answer={"choice": 2})
        assert go_on(run).value["amount"] == 2


def test_the_best_that_passes_is_committed_unasked(tmp_path: Path) -> None:
    with opened(tmp_path, line(draft=shot()), shots(confidence_below=0.75)) as app:
        run = app.start({})
        assert run.value["amount"] == 1
        assert [t.passes for t in row(app, run, "draft").tried] == [False, True, *[False] * 3]


async def test_in_an_event_loop_they_run_at_once_too(tmp_path: Path) -> None:
    with opened(tmp_path, line(draft=shot()), shots(confidence_below=0.75)) as app:
        run = await app.astart({})
        assert run.value["amount"] == 1


def test_a_function_or_a_critic_may_rank_them(tmp_path: Path) -> None:
    ranked = shots(always=True, rank=amount_of)
    with opened(tmp_path, line(draft=shot()), ranked) as app:
        assert amount_of(only(app.start({})).proposal.arguments) == 4
    critic = Critic(lambda view: 0.95 if amount_of(view) == 0 else 0.1)
    with opened(
        tmp_path, line(draft=shot()), shots(confidence_below=0.9, on_doubt=[critic])
    ) as app:
        assert app.start({}).value["amount"] == 0


def test_rollouts_in_doubt_go_on_up_the_ladder(tmp_path: Path) -> None:
    def draft(state: Cheque) -> Any:
        number = hitl.current().rollout
        hitl.report(confidence=0.5 + number / 10)
        return {"amount": number}

    rules = shots(2, confidence_below=0.95, on_doubt=[Critic(lambda _: 0.6), Retry(2)])
    with opened(tmp_path, line(draft=draft), rules) as app:
        run = app.start({})
        assert [t.rung for t in row(app, run, "draft").tried] == ["rollout"] * 2 + ["retry"] * 2
        assert amount_of(only(run).proposal.arguments) == 3  # as likely by the critic, surer itself
        assert only(run).presentation.choices == 4


def test_ten_tries_by_tomorrow_each_of_five_rollouts(tmp_path: Path) -> None:
    clock = HandClock(SEVEN)
    saw: list[Any] = []
    rules = shots(2, always=True, on_deny=[Retry(10, until="tomorrow 09:00"), Answer(), Stop()])
    with opened(tmp_path, line(draft=shot(sure=SURE[:2], saw=saw)), rules, clock=clock) as app:
        run = app.start({})
        assert only(run).rungs[0].label == "Retry, 10 left, until 09:00 on 25 Nov"
        deny(app, only(run), "retry", reasons=["too dear"])
        review = only(go_on(run))
        assert (review.attempt, review.proposal.arguments["update"]) == (
            2,
            {"amount": 1, "payee": "p2"},
        )
        assert sorted(saw)[2:] == [(2, 0, [("too dear",)]), (2, 1, [("too dear",)])]
        clock.move(timedelta(hours=26, minutes=1))
        late = app.queue.get(review.id)
        with pytest.raises(InvalidAnswer, match="'retry' is over since"):
            deny(app, late, "retry")
        deny(app, late, "answer", answer={"amount": 9, "payee": "me"})
        assert go_on(run).value["amount"] == 9


def test_ten_tries_by_tomorrow_without_rollouts(tmp_path: Path) -> None:
    rules = policy(always("draft", on_deny=[Retry(10, until="tomorrow 09:00"), Stop()]))
    with opened(tmp_path, line(draft=lambda _: {}), rules, clock=HandClock(SEVEN)) as app:
        run = app.start({})
        for attempt in range(1, 11):
            assert only(run).attempt == attempt
            deny(app, only(run), "retry")
            go_on(run)
        assert [r.kind for r in only(run).rungs] == ["stop"]


def test_some_may_fail_but_not_all(tmp_path: Path) -> None:
    def some(state: Cheque) -> Any:
        if hitl.current().rollout != 1:
            raise ValueError("no luck")
        return {"amount": 1}

    with opened(tmp_path, line(draft=some), shots(3, always=True)) as app:
        run = app.start({})
        assert only(run).presentation.choices == 0
        assert [bool(t.problem) for t in row(app, run, "draft").tried] == [True, False, True]
    with opened(tmp_path, line(draft=lambda _: 1 / 0), shots(3)) as app:
        assert app.start({}).reason == "ZeroDivisionError: division by zero"


@task
def costly() -> int:
    return 1


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (lambda _: {"amount": costly().result()}, "uses @task"),
        (lambda _: {"payee": interrupt("who?")}, "asks questions"),
    ],
)
def test_t23_bodies_whose_answers_would_cross_are_refused_at_the_gate(
    tmp_path: Path, body: Body, why: str
) -> None:
    with opened(tmp_path, line(draft=body), shots(2)) as app:
        with pytest.raises(ConfigurationError, match=f"2 rollouts, but {why}"):
            app.start({}, run_id="r")
        assert app.run("r").status is RunStatus.FAILED


def test_t23_what_may_run_only_once_is_refused_at_wrap(tmp_path: Path) -> None:
    graph = line(draft=lambda _: {})
    graph.add_node("mail", lambda _: {}, metadata={"effect": True})
    nested = line(draft=line(deep=lambda _: {}).compile())
    for at, refused, why in ((graph, "mail", "side effects"), (nested, "draft", "is a graph")):
        rules = policy(Checkpoint(refused, rollouts=2))
        with pytest.raises(ConfigurationError, match=why), opened(tmp_path, at, rules):
            pass
    with pytest.raises(ConfigurationError, match="stands before its step"):
        Checkpoint("draft", place="before", rollouts=2)
