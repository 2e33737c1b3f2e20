"""The ask gate in a run: worth it or not, within the budget or not, and how the record tells it."""

from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import AskGate, Checkpoint, EscalationPolicy, Reviewer
from hitl.models import DecidedBy, Place, RemedyKind, ReviewStatus, RunStatus
from hitl.reviews import ask_reports
from tests.runtime.stage import (
    Body,
    Cheque,
    approve,
    deny,
    fan,
    go_on,
    line,
    only,
    opened,
    rows,
    trail,
)

DEAR = AskGate(review_cost=3, silent_error_cost=100, rework_cost=5)


def gated(gate: AskGate, *checkpoints: Checkpoint, **options: Any) -> EscalationPolicy:
    return EscalationPolicy("p", questions=gate, checkpoints=checkpoints, **options)


def sure(confidence: float | None, words: str = "who?") -> Body:
    """Return a step that asks, as sure of its own judgement as it says."""

    def body(state: Cheque) -> Cheque:
        return {"payee": hitl.ask(words, confidence=confidence, default="own judgement")}

    return body


@pytest.mark.parametrize(
    ("confidence", "asked"), [(0.9621, False), (0.9620, True), (None, True), (0.0, True)]
)
def test_a_question_reaches_a_person_when_that_is_worth_it_or_unknown(
    tmp_path: Path, *, confidence: float | None, asked: bool
) -> None:
    rules = gated(DEAR, reviewer=Reviewer(0.9, 0.95))  # the threshold of P(wrong) is .0379008746
    with opened(tmp_path, line(ask=sure(confidence)), rules) as app:
        run = app.start({"amount": 1})
        assert (run.status is RunStatus.WAITING) is asked
        if not asked:
            assert run.value["payee"] == "own judgement"


def test_the_policys_answer_is_recorded_as_the_policys(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=sure(0.99)), gated(DEAR)) as app:
        run = app.start({"amount": 1})
        (review,) = run.reviews(pending=False)
        decision, question = review.decision, review.question
        assert decision is not None
        assert question is not None
        assert (decision.by, decision.made_by) == ("policy", DecidedBy.POLICY)
        assert (review.status, decision.remedy) == (ReviewStatus.DENIED, RemedyKind.JUDGEMENT)
        assert decision.reasons == (
            "Asking is not worth a person: at P(right) 0.99 it would save -2.05.",
        )
        assert (question.unasked, question.p) == ("value", 0.99)
        assert question.value == pytest.approx(0.01 * 95 - 3)
        (row,) = [row for row in rows(app, run) if row.name.place is Place.QUESTION]
        assert (row.action, row.settled_by) == ("act", decision.reasons[0])
        assert trail(app, run).count("review.decided") == 1
        assert app.store.read(lambda r: r.label_counts(app.name, "ask")) == (0, 0)
        assert app.store.read(lambda r: r.open_proposals(run.id)) == []
        assert app.queue.verify(run.id) is None


def test_a_checkpoints_own_costs_count_before_the_gates(tmp_path: Path) -> None:
    here = Checkpoint("ask", accuracy=0.99, silent_error_cost=1_000, rework_cost=0)
    with opened(tmp_path, line(ask=sure(None)), gated(DEAR, here)) as app:
        run = app.start({"amount": 1})
        assert only(run).question.value == pytest.approx(0.01 * 1_000 - 3)  # type: ignore[union-attr] # it has one


def test_what_the_step_reported_is_how_sure_it_is(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        hitl.report(confidence=0.999, evidence=["the letterhead says Alba"])
        return {"payee": str(hitl.ask("who?"))}

    with opened(tmp_path, line(ask=body), gated(DEAR)) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.DONE
        (review,) = run.reviews(pending=False)
        assert review.presentation.evidence[0].claim == "the letterhead says Alba"


def test_the_budget_holds_for_the_run_over_steps_restarts_and_attempts(tmp_path: Path) -> None:
    def twice(state: Cheque) -> Cheque:
        return {"paid": f"{hitl.ask('b?', default='-')} {hitl.ask('c?', default='-')}"}

    graph = line(one=sure(None), two=twice)
    with opened(tmp_path, graph, gated(AskGate(budget=2))) as app:
        run = app.start({"amount": 1}, run_id="run_1")
        approve(app, only(run), answer="A")
        go_on(run)
        assert only(run).presentation.title == "b?"
    with opened(tmp_path, graph, gated(AskGate(budget=2))) as app:
        run = app.run("run_1")
        deny(app, only(run))
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("A", "- -")
        (last,) = [r for r in run.reviews(pending=False) if r.presentation.title == "c?"]
        assert last.decision is not None
        assert last.decision.reasons == ("The run's budget of 2 questions is used up.",)


def test_steps_side_by_side_share_the_budget(tmp_path: Path) -> None:
    graph = fan(left=sure(None, "left?"), right=lambda _: {"paid": hitl.ask("right?", default="-")})
    with opened(tmp_path, graph, gated(AskGate(budget=1))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run), answer="said")
        go_on(run)
        assert {run.value["payee"], run.value["paid"]} in ({"said", "-"}, {"said", "own judgement"})


def test_a_new_policy_does_not_take_back_what_the_old_one_answered(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        first = hitl.ask("cheap?", confidence=0.99, default="own")
        return {"payee": f"{first} {hitl.ask('dear?')}"}

    with opened(tmp_path, line(ask=body), gated(DEAR)) as app:
        run = app.start({"amount": 1}, run_id="run_1")
        approve(app, only(run), answer="said")
    with opened(tmp_path, line(ask=body)) as app:
        assert go_on(app.run("run_1")).value["payee"] == "own said"


def test_in_shadow_mode_nobody_is_asked(tmp_path: Path) -> None:
    graph = line(one=sure(None), two=sure(0.99))
    with opened(tmp_path, graph, gated(DEAR), mode="shadow") as app:
        assert app.start({"amount": 1}).value["payee"] == "own judgement"
        (report,) = app.store.read(ask_reports)
        assert (report.asked, report.in_shadow, report.not_worth_asking) == (2, 1, 1)
        assert (report.to_people, report.over_asked) == (0, 1)
        assert app.shadow_report().would_ask == 1


def test_over_asking_counts_what_the_policy_and_people_left_to_the_step(tmp_path: Path) -> None:
    graph = line(one=sure(0.2), two=sure(0.2), three=sure(0.99), four=sure(0.2))
    with opened(
        tmp_path, graph, gated(AskGate(budget=2, **DEAR.model_dump(exclude={"budget"})))
    ) as app:
        run = app.start({"amount": 1})
        approve(app, only(run), answer="said")
        go_on(run)
        (waits,) = app.store.read(ask_reports)
        assert (waits.asked, waits.waiting, waits.over_asked) == (2, 1, 0)
        deny(app, only(run))
        go_on(run)
        (report,) = app.store.read(lambda r: ask_reports(r, workflow=app.name))
        assert report == app.ask_report()
        assert (report.asked, report.to_people, report.answered) == (4, 2, 1)
        assert (report.judgement_by_people, report.judgement_by_policy) == (1, 2)
        assert (report.not_worth_asking, report.over_budget) == (1, 1)
        assert (report.over_asked, report.over_asked_share) == (3, 0.75)
        assert report.people_asked_for_nothing == 0.5
        assert "Over-asked: 3 (75%)" in str(report)
