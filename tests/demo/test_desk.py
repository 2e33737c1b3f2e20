"""The cheque desk on the real graph, store and queue."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from hitl.demo.cheques import batch
from hitl.demo.desk import Desk
from hitl.demo.digits import learn
from hitl.demo.figures import figures, predicted
from hitl.demo.headless import REPEATS, Headless, observe, process, run_headless
from hitl.demo.reviewer import SimulatedReviewer, proposed_digit
from hitl.demo.rules import LARGE, READ, findings, why_ask_before_paying
from hitl.demo.simulation import simulate
from hitl.errors import ConfigurationError, InvalidAnswer
from hitl.models import ConfidenceKind, RunStatus

OpenDesk = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[OpenDesk]:
    opened: list[Desk] = []

    def opening(cheques: int = 4, *, budget: float = 0.3, accuracy: float = 1.0) -> Desk:
        lesson = learn(0)
        desk = Desk(
            lesson,
            batch(lesson, cheques),
            budget=budget,
            store=f"sqlite:///{tmp_path}/hitl.db",
            book=tmp_path / "book.db",
            reviewer_accuracy=accuracy,
        )
        opened.append(desk)
        return desk

    yield opening
    for desk in opened:
        desk.app.close()


@pytest.fixture(scope="module")
def headless() -> Headless:
    return run_headless(cheques=10, seed=3, reviewer_accuracy=0.8, budget=0.3)


def test_the_real_desk_and_the_fast_path_give_the_same_figures(headless: Headless) -> None:
    lesson, work, outcome = simulate(3, 10, budget=0.3, accuracy=0.8)

    fast = figures(work, outcome, lesson, accuracy=0.8, seconds=headless.figures.seconds)

    assert headless.figures.reviews > 5
    assert headless.figures.denied > 0
    for key, value in asdict(fast).items():
        assert getattr(headless.figures, key) == pytest.approx(value, abs=1e-9), key
    assert headless.note == ""


def test_every_review_is_decided_once_and_counted_where_it_belongs(headless: Headless) -> None:
    found = headless.figures

    assert found.approved + found.denied == found.reviews == found.resets
    assert found.review_share == found.reviews / 60
    assert headless.reviews_elsewhere >= 0


def test_the_runtimes_reliability_is_the_algebra_of_the_prediction(open_desk: OpenDesk) -> None:
    desk = open_desk(4)

    outcome = process(desk, SimulatedReviewer(1.0, seed=0))

    ended = [desk.app.run(desk.run_id(c.face.number)).reliability for c in desk.batch.cheques]
    assert outcome.reviewed.any()
    assert ended == pytest.approx(predicted(outcome, 1.0), abs=1e-12)
    assert (outcome.final == desk.batch.truth)[outcome.reviewed].all()
    again = observe(desk)
    assert (again.final == outcome.final).all()
    assert again.resets == outcome.resets == outcome.reviewed.sum()


def test_a_doubtful_digit_is_shown_with_its_picture_and_takes_one_digit(
    open_desk: OpenDesk,
) -> None:
    desk = open_desk(1, budget=1.0)
    run = desk.start(desk.batch.cheques[0])

    [review] = run.reviews()
    shown = review.presentation

    assert run.status is RunStatus.WAITING
    assert review.name.step == READ
    assert shown.title == f"The framed digit is a {proposed_digit(review)}"
    assert shown.confidence_kind is ConfidenceKind.CALIBRATED
    assert shown.evidence[0].image_png is not None
    assert shown.answer_schema is not None
    assert shown.answer_schema["properties"] == {
        "digit": {"maximum": 9, "minimum": 0, "title": "Digit", "type": "integer"}
    }
    assert [rung.kind for rung in review.rungs] == ["answer", "retry", "stop"]
    with pytest.raises(InvalidAnswer, match="digit"):
        desk.app.queue.decide(
            review.id,
            "deny",
            by="ana",
            proposal_hash=review.proposal_hash,
            answer={"digit": 10},
        )


def test_asked_to_try_again_the_reader_proposes_another_digit(open_desk: OpenDesk) -> None:
    desk = open_desk(1, budget=1.0)
    run = desk.start(desk.batch.cheques[0])
    [first] = run.reviews()

    desk.app.queue.decide(
        first.id, "deny", by="ana", proposal_hash=first.proposal_hash, remedy="retry"
    )
    run.wait(timeout=0)

    [second] = run.reviews()
    assert second.attempt == 2
    assert proposed_digit(second) != proposed_digit(first)
    assert [rung.kind for rung in second.rungs] == ["answer", "stop"]


def test_a_payment_somebody_must_see_waits_and_a_no_pays_nothing(open_desk: OpenDesk) -> None:
    desk = open_desk(1, budget=0.0)
    [cheque] = desk.batch.cheques
    run = desk.start(replace(cheque, face=replace(cheque.face, payee="Northwind Freigth")))

    [review] = run.reviews()
    assert review.name.step == "pay"
    assert "not on the list" in review.presentation.why[0]
    assert review.presentation.title.endswith("to Northwind Freigth")
    assert desk.book.payments() == []
    desk.app.queue.decide(review.id, "deny", by="ana", proposal_hash=review.proposal_hash)
    run.wait(timeout=0)

    assert run.status is RunStatus.STOPPED
    assert desk.book.payments() == []


def test_a_run_goes_on_in_another_process_and_pays_once(open_desk: OpenDesk) -> None:
    before = open_desk(2, budget=1.0)
    for cheque in before.batch.cheques:
        before.start(cheque)
    waiting = [review.id for review in before.app.queue.pending()]
    before.app.close()

    after = open_desk(2, budget=1.0)
    assert [review.id for review in after.app.queue.pending()] == waiting
    outcome = process(after, SimulatedReviewer(1.0, seed=0))

    assert (outcome.final == after.batch.truth).all()
    paid = [cheque for cheque, _, _ in after.book.payments()]
    assert len(paid) == len(set(paid))


def test_paying_again_under_the_same_key_pays_nothing_more(open_desk: OpenDesk) -> None:
    book = open_desk(1).book

    for _ in range(3):
        book.pay("key", cheque=1, payee="Dr. E. Ferrari", cents=500)

    assert book.payments() == [(1, "Dr. E. Ferrari", 500)]


def test_the_checker_says_what_it_has_against_a_payment() -> None:
    assert findings("Dr. E. Ferrari", 100, difference=None) == []
    assert findings("Dr. E. Ferrari", 100, difference=0) == []
    assert len(findings("Dr. E. Ferrari", LARGE, difference=-200)) == 2
    assert "EUR 2.00 less" in findings("Dr. E. Ferrari", 100, difference=-200)[0]
    assert why_ask_before_paying({"findings": []}) is None
    assert why_ask_before_paying({"findings": ["A.", "B."]}) == "A. B."
    assert why_ask_before_paying({}) is not None


def test_more_cheques_than_images_are_refused_or_said_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="Ask for at most 150 cheques"):
        run_headless(cheques=151, repeat=False)
    assert "900" in REPEATS


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"cheques": 0}, "0 cheques"),
        ({"seed": -3}, "seed -3"),
        ({"budget": 1.5}, "budget 1.5"),
        ({"reviewer_accuracy": -0.1}, "accuracy -0.1"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        run_headless(**wrong)  # type: ignore[arg-type] # wrong values are the point
