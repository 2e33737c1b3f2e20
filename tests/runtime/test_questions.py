"""LangGraph's own `interrupt()` as a review: its answer reaches the right place, and once."""

from pathlib import Path
from typing import Any

import pytest
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from hitl.errors import AlreadyDecided, InvalidAnswer
from hitl.models import Place, Review, ReviewStatus, RunStatus
from tests.runtime.processes import Moment, each_commit, killed, mortal
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
    settle,
    trail,
)


def asking(field: str, *questions: Any) -> Body:
    """Return a body that asks and joins the answers."""

    def body(state: Cheque) -> Any:
        return {field: " ".join(str(interrupt(question)) for question in questions)}

    return body


def titles(reviews: list[Review]) -> set[str]:
    return {review.presentation.title for review in reviews}


def test_a_question_is_a_review_with_its_words(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "Which Alba?"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        assert review.name.place is Place.QUESTION
        assert review.presentation.title == "Which Alba?"
        assert review.presentation.why == ("Step 'ask' asks a question.",)
        assert review.proposal.arguments == {"question": "Which Alba?"}
        approve(app, review, answer="Alba GmbH")
        go_on(run)
        assert run.value["payee"] == "Alba GmbH"
        assert app.queue.get(review.id).status is ReviewStatus.EXECUTED


@pytest.mark.parametrize(
    ("said", "given"),
    [
        (("approve", {}), "True"),
        (("deny", {}), "False"),
        (("approve", {"answer": {"a": 1}}), "{'a': 1}"),
        (("deny", {"answer": "no, Bolt"}), "no, Bolt"),
    ],
    ids=["yes", "no", "yes with words", "no with words"],
)
def test_a_plain_yes_is_true_a_plain_no_false_and_words_are_words(
    tmp_path: Path, said: tuple[str, dict[str, Any]], given: str
) -> None:
    verdict, answer = said
    with opened(tmp_path, line(ask=asking("payee", "Alba?"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        app.queue.decide(review.id, verdict, by="ana", proposal_hash=review.proposal_hash, **answer)
        assert go_on(run).value["payee"] == given


def test_an_answer_of_stop_ends_the_run(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "Alba?"))) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "stop", reasons=["nonsense"])
        go_on(run)
        assert run.status is RunStatus.STOPPED
        assert run.reason == "ana denied step 'ask' (nonsense)."


def test_several_questions_of_one_step_come_one_after_the_other(tmp_path: Path) -> None:
    calls: list[int] = []

    def ask(state: Cheque) -> Cheque:
        calls.append(1)
        return {"payee": f"{interrupt('one?')} {interrupt('two?')} {interrupt('three?')}"}

    with opened(tmp_path, line(ask=ask)) as app:
        run = app.start({"amount": 1})
        for word in ("one", "two", "three"):
            assert only(run).presentation.title == f"{word}?"
            approve(app, only(run), answer=word.upper())
            go_on(run)
        assert run.value["payee"] == "ONE TWO THREE"
        assert len(calls) == 4
        assert len(run.reviews(pending=False)) == 3
        assert len(rows(app, run)) == 4, "a row for each question, and one for the step"


@pytest.mark.parametrize("first", ["left?", "right?"])
def test_questions_side_by_side_are_answered_in_any_order(tmp_path: Path, first: str) -> None:
    graph = fan(left=asking("payee", "left?"), right=asking("paid", "right?"))
    with opened(tmp_path, graph) as app:
        run = app.start({"amount": 1})
        reviews = {review.presentation.title: review for review in run.reviews()}
        assert set(reviews) == {"left?", "right?"}
        approve(app, reviews.pop(first), answer=first.upper())
        go_on(run)
        assert titles(run.reviews()) == set(reviews)
        (rest,) = reviews
        approve(app, reviews[rest], answer=rest.upper())
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("LEFT?", "RIGHT?")


def test_questions_answered_together_each_reach_their_own_step(tmp_path: Path) -> None:
    graph = fan(left=asking("payee", "left?", "more left?"), right=asking("paid", "right?"))
    with opened(tmp_path, graph) as app:
        run = app.start({"amount": 1})
        for review in run.reviews():
            approve(app, review, answer=review.presentation.title.upper())
        go_on(run)
        approve(app, only(run), answer="MORE")
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("LEFT? MORE", "RIGHT?")


def nested() -> "StateGraph[Any, Any, Any, Any]":
    leaf = line(leaf=asking("payee", "deep?"))
    graph: StateGraph[Any, Any, Any, Any] = StateGraph(Cheque)
    graph.add_node("mid", line(sub=leaf.compile()).compile())
    graph.add_node("top", asking("paid", "top?"))
    graph.add_edge(START, "mid")
    graph.add_edge("mid", "top")
    graph.add_edge("top", END)
    return graph


def test_a_question_three_graphs_deep_is_named_by_its_path(tmp_path: Path) -> None:
    with opened(tmp_path, nested()) as app:
        run = app.start({"amount": 1})
        assert only(run).name.step == "mid/sub/leaf"
        approve(app, only(run), answer="DEEP")
        go_on(run)
        assert only(run).name.step == "top"
        approve(app, only(run), answer="TOP")
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("DEEP", "TOP")


def test_a_question_beside_a_gate_and_a_gate_around_a_question(tmp_path: Path) -> None:
    graph = fan(ask=asking("payee", "who?"), read=lambda _: {"paid": "x"})
    with opened(tmp_path, graph, policy(always("ask"), always("read"))) as app:
        run = app.start({"amount": 1})
        by_place = {review.name.place: review for review in run.reviews()}
        approve(app, by_place[Place.QUESTION], answer="me")
        go_on(run)
        assert {(r.name.step, r.name.place) for r in run.reviews()} == {
            ("ask", Place.AFTER),
            ("read", Place.AFTER),
        }
        settle(app, run)
        assert (run.value["payee"], run.value["paid"]) == ("me", "x")


class Choice(BaseModel):
    """What may be answered."""

    payee: str
    sure: bool = False


def test_an_answer_is_checked_against_the_questions_schema(tmp_path: Path) -> None:
    def ask(state: Cheque) -> Cheque:
        choice = interrupt("who?", response_schema=Choice)
        return {"payee": choice.payee}

    with opened(tmp_path, line(ask=ask)) as app:
        run = app.start({"amount": 1})
        with pytest.raises(InvalidAnswer, match="'payee' is a required property"):
            approve(app, only(run), answer={"sure": True})
        approve(app, only(run), answer={"payee": "Bolt"})
        go_on(run)
        assert run.value["payee"] == "Bolt"


def test_a_caller_may_answer_in_langgraphs_words_and_the_review_closes(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "who?"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        app.invoke(Command(resume="ACME"), run.config)
        assert run.value["payee"] == "ACME"
        closed = app.queue.get(review.id)
        assert closed.status is ReviewStatus.SUPERSEDED
        assert "Command(resume=...)" in closed.closed_reason
        assert "review.superseded" in trail(app, run)


def test_a_caller_who_answers_one_of_two_leaves_the_other_open(tmp_path: Path) -> None:
    graph = fan(left=asking("payee", "left?"), right=asking("paid", "right?"))
    with opened(tmp_path, graph) as app:
        run = app.start({"amount": 1})
        left = next(r for r in run.reviews() if r.presentation.title == "left?")
        app.invoke(Command(resume={left.interrupt_id: "LEFT"}), run.config)
        assert titles(run.reviews()) == {"right?"}
        approve(app, only(run), answer="RIGHT")
        go_on(run)
        assert (run.value["payee"], run.value["paid"]) == ("LEFT", "RIGHT")


def test_a_second_answer_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path, line(ask=asking("payee", "who?"))) as app:
        run = app.start({"amount": 1})
        review = only(run)
        approve(app, review, answer="ACME")
        with pytest.raises(AlreadyDecided):
            approve(app, review, by="bob", answer="Bolt")
        assert go_on(run).value["payee"] == "ACME"


def test_a_step_that_fails_after_the_answer_is_given_it_again(tmp_path: Path) -> None:
    fails = [True]

    def ask(state: Cheque) -> Cheque:
        first = interrupt("one?")
        if fails[0]:
            raise ConnectionError("no network")
        return {"payee": f"{first} {interrupt('two?')}"}

    with opened(tmp_path, line(ask=ask)) as app:
        run = app.start({"amount": 1})
        approve(app, only(run), answer="ONE")
        go_on(run)
        assert run.status is RunStatus.FAILED
        fails[0] = False
        assert run.retry() is RunStatus.WAITING
        assert only(run).presentation.title == "two?"
        approve(app, only(run), answer="TWO")
        go_on(run)
        assert run.value["payee"] == "ONE TWO"


# -- an answer is handed over once, whenever the process is killed ------------------------------------


def two_questions() -> "StateGraph[Any, Any, Any, Any]":
    return line(ask=asking("payee", "one?", "two?"))


def answer_all(app: Any, run: Any) -> None:
    while run.reviews():
        review = only(run)
        approve(app, review, answer=review.presentation.title.upper())
        go_on(run)


def answer_until_killed(path: Path, at: int, moment: Moment) -> None:
    store = mortal(path)
    with opened(path, two_questions(), store=store) as app:
        run = app.start({"amount": 1}, run_id="run_1")
        store.doom(at=at, moment=moment)
        answer_all(app, run)


@pytest.mark.parametrize("moment", ["inside", "after"])
def test_an_answer_is_never_given_to_the_next_question(tmp_path: Path, moment: Moment) -> None:
    for at in each_commit():
        path = tmp_path / str(at)
        path.mkdir()
        if not killed(answer_until_killed, path, at, moment):
            break
        with opened(path, two_questions()) as app:
            run = app.run("run_1")
            app.advance(run.id)
            answer_all(app, run)
            assert run.wait(5.0) is RunStatus.DONE, run.reason
            assert run.value["payee"] == "ONE? TWO?"
            asked = [r.presentation.title for r in run.reviews(pending=False)]
            assert sorted(asked) == ["one?", "two?"]
    assert at > 5
