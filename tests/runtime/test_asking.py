"""`hitl.ask`: a step asks, its run waits, and the answer reaches exactly that question."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel, field_validator

import hitl
from hitl import Checkpoint, Retry, Rollouts, Run, Workflow
from hitl.errors import ConfigurationError, InvalidAnswer, InvalidQuestion, ResumeRefused
from hitl.models import DecidedBy, Place, RemedyKind, ReviewStatus, RunStatus
from tests.runtime.processes import Moment, killed, mortal
from tests.runtime.stage import (
    Body,
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
    rows,
    trail,
)


def asking(field: str, *questions: str, **how: Any) -> Body:
    """Return a body that asks and joins the answers."""

    def body(state: Cheque) -> Any:
        return {field: " ".join(str(hitl.ask(question, **how)) for question in questions)}

    return body


class Choice(BaseModel):
    """What may be answered."""

    payee: str
    sure: bool = False

    @field_validator("payee")
    @classmethod
    def _known(cls, payee: str) -> str:
        if payee == "nobody":
            raise ValueError("there is no such payee")
        return payee


class Alba(StrEnum):
    """Two payees."""

    SONS = "Alba & Sons"
    GMBH = "Alba GmbH"


# -- the answer ---------------------------------------------------------------------------------------


def test_a_question_waits_as_a_review_and_its_answer_is_returned(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "Which Alba?", options=["A", "B"]))) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.WAITING
        review = only(run)
        assert review.name.place is Place.QUESTION
        assert review.presentation.title == "Which Alba?"
        assert review.presentation.answer_schema == {"title": "Answer", "enum": ["A", "B"]}
        assert [rung.kind for rung in review.rungs] == [RemedyKind.JUDGEMENT, RemedyKind.STOP]
        approve(app, review, answer="B")
        assert go_on(run).value["payee"] == "B"
        assert app.queue.get(review.id).status is ReviewStatus.EXECUTED


@pytest.mark.parametrize(
    ("how", "wrong", "said", "given"),
    [
        ({}, 3, "Alba", "'Alba'"),
        ({"options": [1, 2, True]}, 3, True, "True"),
        ({"schema": bool}, "yes", False, "False"),
        ({"schema": Alba}, "Alba", "Alba GmbH", "<Alba.GMBH: 'Alba GmbH'>"),
        ({"schema": Choice}, {"sure": 1}, {"payee": "A"}, "Choice(payee='A', sure=False)"),
        ({"schema": {"type": "integer", "minimum": 1}}, 0, 7, "7"),
    ],
    ids=["text", "options", "bool", "enum", "model", "JSON Schema"],
)
def test_a_wrong_answer_is_refused_and_a_right_one_has_its_type(
    tmp_path: Path, how: dict[str, Any], wrong: Any, said: Any, given: str
) -> None:
    def body(state: Cheque) -> Cheque:
        return {"payee": repr(hitl.ask("which?", **how))}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        review = only(run)
        with pytest.raises(InvalidAnswer, match=r"does not fit.*Nothing was saved"):
            approve(app, review, answer=wrong)
        with pytest.raises(InvalidAnswer, match="no answer was given"):
            approve(app, review)
        assert only(run) == review
        approve(app, review, answer=said)
        assert go_on(run).value["payee"] == given


def test_an_answer_the_type_refuses_is_asked_for_again_with_the_reason(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        choice = hitl.ask("who?", schema=Choice)
        return {"payee": choice.payee if choice else "-"}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        first = only(run)
        approve(app, first, answer={"payee": "nobody"})
        go_on(run)
        again = only(run)
        assert again.id != first.id
        assert "ana gave does not fit" in again.presentation.why[1]
        assert "there is no such payee" in again.presentation.why[1]
        approve(app, again, answer={"payee": "Bolt"})
        assert go_on(run).value["payee"] == "Bolt"
        assert "there is no such payee" in app.queue.get(first.id).closed_reason
        assert "answer.unused" in trail(app, run)


def test_use_your_judgement_returns_the_default(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        return {"payee": f"{hitl.ask('one?')} {hitl.ask('two?', default='guess')}"}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        assert deny(app, only(run)).remedy is RemedyKind.JUDGEMENT
        go_on(run)
        deny(app, only(run), "judgement")
        assert go_on(run).value["payee"] == "None guess"
        with pytest.raises(InvalidAnswer, match="'answer' is not offered"):
            deny(app, app.start({"amount": 1}).reviews()[0], answer="no")


def test_a_person_may_stop_the_run_at_a_question(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        try:
            hitl.ask("go?")
        except Exception:  # as careless code does
            return {"payee": "went anyway"}
        return {}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        assert run.status is RunStatus.WAITING, "the swallowed question still parks the run"
        deny(app, only(run), "stop", reasons=["nonsense"])
        go_on(run)
        assert (run.status, run.reason) == (
            RunStatus.STOPPED,
            "ana denied step 'ask' (nonsense).",
        )


# -- replay -------------------------------------------------------------------------------------------


def test_two_questions_come_in_order_and_their_step_begins_anew(tmp_path: Path) -> None:
    calls: list[int] = []

    def body(state: Cheque) -> Cheque:
        calls.append(1)
        return {"payee": f"{hitl.ask('one?')} {hitl.ask('one?')}"}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        for word in ("first", "second"):
            approve(app, only(run), answer=word)
            go_on(run)
        assert run.value["payee"] == "first second", "the same words twice are two questions"
        assert len(calls) == 3
        indexes = [r.question.index for r in run.reviews(pending=False) if r.question]
        assert sorted(indexes) == [0, 1]
        assert sorted(row.action for row in rows(app, run)) == ["act", "ask", "ask"]
        assert app.store.read(lambda r: r.label_counts(app.name, "ask")) == (0, 0)


@pytest.mark.parametrize("answered", [False, True])
def test_another_question_after_a_restart_is_asked_anew(tmp_path: Path, *, answered: bool) -> None:
    with opened(tmp_path, line(ask=asking("payee", "Which Alba?"))) as app:
        run = app.start({"amount": 1}, run_id="run_1")
        before = only(run)
        if answered:
            approve(app, before, answer="the old one")
    with opened(tmp_path, line(ask=asking("payee", "Which Bolt?"))) as app:
        run = app.run("run_1")
        run.retry()
        assert only(run).presentation.title == "Which Bolt?"
        withdrawn = app.queue.get(before.id)
        assert "asked something else" in withdrawn.closed_reason
        kept = ReviewStatus.APPROVED if answered else ReviewStatus.SUPERSEDED
        assert withdrawn.status is kept
        approve(app, only(run), answer="the new one")
        assert go_on(run).value["payee"] == "the new one"


def test_a_question_the_new_code_does_not_ask_is_withdrawn(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "Which Alba?"))) as app:
        before = only(app.start({"amount": 1}, run_id="run_1"))
    with opened(tmp_path, line(ask=lambda _: {"payee": "known"})) as app:
        run = app.run("run_1")
        assert run.retry() is RunStatus.DONE
        assert app.queue.get(before.id).closed_reason == "The step went on without it."


def test_a_step_that_fails_after_the_answer_is_given_it_again(tmp_path: Path) -> None:
    fails = [True]

    def body(state: Cheque) -> Cheque:
        answer = hitl.ask("one?")
        if fails[0]:
            raise ConnectionError("no network")
        return {"payee": str(answer)}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        approve(app, only(run), answer="ONE")
        assert go_on(run).status is RunStatus.FAILED
        fails[0] = False
        assert run.retry() is RunStatus.DONE
        assert run.value["payee"] == "ONE"


def test_a_step_tried_again_after_a_no_asks_again(tmp_path: Path) -> None:
    rules = policy(always("ask", on_deny=[Retry(2)]))
    with opened(tmp_path, line(ask=asking("payee", "who?")), rules) as app:
        run = app.start({"amount": 1})
        for name in ("ACME", "Bolt"):
            approve(app, only(run), answer=name)
            go_on(run)
            assert only(run).proposal.arguments == {"update": {"payee": name}}
            (deny if name == "ACME" else approve)(app, only(run))
            go_on(run)
        assert run.value["payee"] == "Bolt"


def test_a_question_mixes_with_langgraphs_own(tmp_path: Path) -> None:
    def body(state: Cheque) -> Cheque:
        return {"payee": f"{hitl.ask('a?')} {interrupt('b?')} {hitl.ask('c?')}"}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        for letter in "ABC":
            approve(app, only(run), answer=letter)
            go_on(run)
        assert run.value["payee"] == "A B C"


def test_a_stopped_run_asks_again_after_resume(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "one?", "two?"))) as app:
        run = app.start({"amount": 1})
        approve(app, only(run), answer="ONE")
        go_on(run)
        app.stop(run.id, by="ana")
        app.resume(run.id, by="ana")
        assert only(run).presentation.title == "two?"
        approve(app, only(run), answer="TWO")
        assert go_on(run).value["payee"] == "ONE TWO"


# -- where it is asked --------------------------------------------------------------------------------


def nested() -> "StateGraph[Any, Any, Any, Any]":
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("mid", line(sub=line(leaf=asking("payee", "deep?")).compile()).compile())
    graph.add_edge(START, "mid")
    graph.add_edge("mid", END)
    return graph


def inner_graph() -> "StateGraph[Any, Any, Any, Any]":
    inner = line(one=asking("payee", "one?"), two=asking("paid", "two?")).compile()

    def outer(state: Cheque) -> Cheque:
        found = inner.invoke(state)
        return {"payee": f"{found['payee']} {found['paid']}"}

    return line(outer=outer)


def test_a_question_in_a_subgraph_is_named_by_its_path(tmp_path: Path) -> None:
    with opened(tmp_path, nested()) as app:
        run = app.start({"amount": 1})
        assert only(run).name.step == "mid/sub/leaf"
        approve(app, only(run), answer="DEEP")
        assert go_on(run).value["payee"] == "DEEP"


def test_a_graph_called_inside_a_step_may_ask(tmp_path: Path) -> None:
    with opened(tmp_path, inner_graph()) as app:
        run = app.start({"amount": 1})
        for word in ("one?", "two?"):
            assert (only(run).presentation.title, only(run).name.step) == (word, "outer")
            approve(app, only(run), answer=word.upper())
            go_on(run)
        assert run.value["payee"] == "ONE? TWO?"
        assert len(run.reviews(pending=False)) == 2


def test_questions_side_by_side_are_answered_in_any_order(tmp_path: Path) -> None:
    graph = fan(left=asking("payee", "left?"), right=asking("paid", "right?"))
    with opened(tmp_path, graph) as app:
        run = app.start({"amount": 1})
        for review in reversed(run.reviews()):
            approve(app, review, answer=review.presentation.title.upper())
            go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("LEFT?", "RIGHT?")


def test_an_async_step_asks(tmp_path: Path) -> None:
    async def body(state: Cheque) -> Cheque:
        await asyncio.sleep(0)
        return {"payee": str(hitl.ask("who?"))}

    with opened(tmp_path, line(ask=body)) as app:
        run = asyncio.run(app.astart({"amount": 1}))
        approve(app, only(run), answer="ACME")
        assert go_on(run).value["payee"] == "ACME"


def test_no_resume_value_answers_it(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "who?"))) as app:
        run = app.start({"amount": 1})
        (parked,) = app.graph.get_state(run.config).interrupts
        assert parked.value["question"] == "who?"
        with pytest.raises(ResumeRefused):
            app.invoke(Command(resume="ACME"), run.config)
        assert only(run).decision is None


def test_a_cancelled_question_needs_attention(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "who?"))) as app:
        run = app.start({"amount": 1})
        app.queue.cancel(only(run).id, by="ana", reason="obsolete")
        assert go_on(run).status is RunStatus.NEEDS_ATTENTION
        assert "was cancelled (obsolete)" in run.reason


# -- refusals -----------------------------------------------------------------------------------------


def test_outside_a_step_it_is_refused_with_a_sentence() -> None:
    with pytest.raises(InvalidQuestion, match="outside a step of a wrapped graph"):
        hitl.ask("who?")


@pytest.mark.parametrize(
    "swallowed", [False, True], ids=["the pause ends the step", "the step swallows it"]
)
def test_under_rollouts_it_is_refused(tmp_path: Path, *, swallowed: bool) -> None:
    def body(state: Cheque) -> Cheque:
        try:
            hitl.ask("who?")
        except Exception:
            if not swallowed:
                raise
        return {"payee": "x"}

    with opened(tmp_path, line(ask=body), policy(Checkpoint("ask", rollouts=2))) as app:
        with pytest.raises(ConfigurationError, match="has 2 rollouts, but asks questions"):
            app.start({"amount": 1})
        assert app.queue.pending() == []


def test_a_try_in_doubt_does_not_ask(tmp_path: Path) -> None:
    tries: list[int] = []

    def body(state: Cheque) -> Cheque:
        tries.append(1)
        hitl.report(confidence=0.5)
        if len(tries) > 1:
            hitl.ask("who?")
        return {"payee": "x"}

    rules = policy(Checkpoint("ask", confidence_below=0.9, on_doubt=[Rollouts(2)]))
    with opened(tmp_path, line(ask=body), rules) as app:
        run = app.start({"amount": 1})
        assert only(run).name.place is Place.AFTER
        (row,) = rows(app, run)
        assert [each.problem for each in row.tried[1:]] == [
            "AskedAmongTries: it asks a question, and what one try is told would reach another"
        ] * 2


BAD_QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({"question": "  "}, "is a text of 1 to 4000"),
    ({"question": "q", "options": ["one"]}, "needs 2 to 50 options"),
    ({"question": "q", "options": "ab"}, "needs 2 to 50 options"),
    ({"question": "q", "options": ["a", "a"]}, "an option twice"),
    ({"question": "q", "options": ["a", None]}, "no text, number, true or false"),
    ({"question": "q", "options": ["a", float("nan")]}, "JSON cannot carry"),
    ({"question": "q", "options": ["a", "b"], "schema": int}, "options and a schema"),
    ({"question": "q", "schema": 3}, "which is no type"),
    ({"question": "q", "schema": Callable[[], int]}, "no form can be made of"),
    ({"question": "q", "schema": {"default": {1, 2}}}, "is not JSON"),
    ({"question": "q", "confidence": 1.5}, r"a number in \[0, 1\]"),
]


@pytest.mark.parametrize(("how", "sentence"), BAD_QUESTIONS)
def test_what_nobody_could_answer_is_refused(
    tmp_path: Path, how: dict[str, Any], sentence: str
) -> None:
    def body(state: Cheque) -> Cheque:
        with pytest.raises(InvalidQuestion, match=sentence):
            hitl.ask(**how)
        return {"payee": "x"}

    with opened(tmp_path, line(ask=body)) as app:
        run = app.start({"amount": 1})
        assert (run.status, run.reason) == (RunStatus.DONE, "")


# -- an answer is given once, whenever the process is killed ------------------------------------------


def one_gate() -> Any:
    return policy(questions=hitl.AskGate(budget=1))


def two_questions() -> "StateGraph[Any, Any, Any, Any]":
    return line(ask=asking("payee", "one?", "two?", default="own"))


def answer_all(app: Workflow, run: Run) -> None:
    while run.reviews():
        review = only(run)
        approve(app, review, answer=review.presentation.title.upper())
        go_on(run)


def answer_until_killed(path: Path, at: int, moment: Moment) -> None:
    store = mortal(path)
    with opened(path, two_questions(), one_gate(), store=store) as app:
        store.doom(at=at, moment=moment)
        answer_all(app, app.start({"amount": 1}, run_id="run_1"))


def test_whenever_it_is_killed_each_question_is_asked_and_answered_once(tmp_path: Path) -> None:
    for at in (3, 4):
        path = tmp_path / str(at)
        path.mkdir()
        assert killed(answer_until_killed, path, at, "inside" if at % 2 else "after")
        with opened(path, two_questions(), one_gate()) as app:
            run = app.run("run_1")
            app.advance(run.id)
            answer_all(app, run)
            assert run.wait(5.0) is RunStatus.DONE, run.reason
            assert run.value["payee"] == "ONE? own"
            asked = run.reviews(pending=False)
            assert sorted(r.presentation.title for r in asked) == ["one?", "two?"]
            by = {r.presentation.title: r.decision.made_by for r in asked if r.decision}
            assert by == {"one?": DecidedBy.PERSON, "two?": DecidedBy.POLICY}
