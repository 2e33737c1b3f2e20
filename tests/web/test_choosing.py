"""A review of several attempts: on the page, and over HTTP."""

from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from hitl.models import JsonObject, Review
from review_ui.api import create_api
from tests.web.acting import forms_of, send
from tests.web.records import Desk, make_presentation, make_review

TOKEN = "a-token-of-some-length"
THREE: JsonObject = {
    "update": {"amount": 1207.4},
    "alternatives": [
        {"number": 2, "p": 0.6, "update": {"amount": 1201.4}},
        {"number": 3, "p": 0.5, "update": {"amount": 7207.4}},
    ],
}


def several(**changes: Any) -> Review:
    return make_review(arguments=THREE, presentation=make_presentation(choices=3), **changes)


def test_the_attempts_stand_side_by_side_and_the_best_is_chosen(
    client: TestClient, desk: Desk
) -> None:
    desk.open(several())

    page = client.get("/reviews/rev_1").text

    assert ("answer.choice", "1") in forms_of(page)["approve"].fields
    assert page.count('class="choice"') == 3
    shown = page.partition('class="choices"')[2].partition("<p class")[0]
    assert [amount in shown for amount in ("1207.4", "1201.4", "7207.4")] == [True] * 3


def test_another_is_chosen_and_the_others_are_labelled(client: TestClient, desk: Desk) -> None:
    desk.open(several())
    page = client.get("/reviews/rev_1").text

    said: dict[str, Any] = {
        "answer.choice": "2",
        "answer.label.1": "wrong",
        "answer.label.3": "right",
    }
    after = send(client, page, "approve", **said)

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer == {"choice": 2, "wrong": [1], "right": [3]}
    back = send(client, after.text, "undo-strip").text
    assert ("answer.choice", "2") in forms_of(back)["approve"].fields
    assert '<option value="wrong" selected>' in back


def test_a_plain_yes_is_to_the_best(client: TestClient, desk: Desk) -> None:
    desk.open(several())

    send(client, client.get("/reviews/rev_1").text, "approve", answer__label__1="wrong")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert not intent.decision.has_answer


def test_a_choice_over_http(desk: Desk) -> None:
    review = several()
    desk.open(review)
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    http = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    body = {"verdict": "approve", "proposal_hash": review.proposal_hash, "by": "ana"}

    def decide(answer: JsonObject) -> Any:
        return http.post("/v1/reviews/rev_1/decision", json=body | {"answer": answer})

    assert decide({"choice": 4}).status_code == 422
    assert decide({"choice": 3, "wrong": [1]}).json()["answer"] == {"choice": 3, "wrong": [1]}


def test_a_takeover_over_http(desk: Desk) -> None:
    review = make_review()
    desk.open(review)
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    http = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})

    taken = http.post("/v1/reviews/rev_1/takeover", json={"by": "ana"})
    assert (taken.status_code, taken.json()["holder"]) == (200, "ana")
    assert http.post("/v1/reviews/rev_1/handback", json={"by": "bo"}).status_code == 409
    back = http.post("/v1/reviews/rev_1/handback", json={"by": "ana"})
    assert (back.status_code, back.json()["taken_over_at"]) == (200, None)
    said = {"verdict": "deny", "remedy": "takeover", "proposal_hash": review.proposal_hash}
    refused = http.post("/v1/reviews/rev_1/decision", json=said | {"by": "ana"})
    assert "needs the work itself" in refused.json()["detail"]
    done = http.post("/v1/reviews/rev_1/decision", json=said | {"by": "ana", "answer": {}})
    assert done.json()["remedy"] == "takeover"
