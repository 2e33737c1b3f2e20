"""A question of `hitl.ask` on its page and in `/v1`: buttons, a form, or "use your judgement"."""

from fastapi import FastAPI
from fastapi.testclient import TestClient

from hitl.models import JsonObject, RemedyKind, Verdict
from review_ui.api import create_api
from tests.web.acting import send
from tests.web.records import Desk, make_question

TOKEN = "a-token-of-this-server"
CHOICE: JsonObject = {
    "title": "Answer",
    "type": "object",
    "properties": {"payee": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["payee"],
}


def test_options_are_buttons_and_a_press_answers(client: TestClient, desk: Desk) -> None:
    desk.open(make_question())
    page = client.get("/reviews/rev_1").text

    assert 'form="approve" name="answer" value="1"' in page
    assert "Use your judgement" in page
    assert "What is wrong?" not in page
    send(client, page, "approve", answer="1")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert (intent.decision.verdict, intent.decision.answer) == (Verdict.APPROVE, "Alba GmbH")


def test_a_question_longer_than_its_title_is_shown_whole(client: TestClient, desk: Desk) -> None:
    desk.open(make_question(title="Which Alba…"))

    assert "Which Alba is meant?" in client.get("/reviews/rev_1").text


def test_what_the_agent_writes_stays_text(client: TestClient, desk: Desk) -> None:
    markup = '"><img src=x onerror=alert(1)>'
    options: JsonObject = {"title": "Answer", "enum": [markup, "b"]}
    desk.open(make_question(answer_schema=options, title=markup))

    page = client.get("/reviews/rev_1").text

    assert markup not in page
    assert "&lt;img src=x" in page


def test_yes_and_no_are_buttons(client: TestClient, desk: Desk) -> None:
    desk.open(make_question(answer_schema={"title": "Answer", "type": "boolean"}))
    page = client.get("/reviews/rev_1").text

    send(client, page, "approve", answer="false")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer is False


def test_a_schema_is_a_form_and_a_refused_one_keeps_what_was_typed(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_question(answer_schema=CHOICE))
    page = client.get("/reviews/rev_1").text

    assert 'name="answer.payee"' in page
    assert "Send the answer" in page
    nothing = send(client, page, "approve")
    assert "no answer was given" in nothing.text
    assert desk.queue.intent("rev_1") is None
    send(client, page, "approve", answer__payee="Alba", answer__sure="true")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer == {"payee": "Alba", "sure": True}


def test_one_press_leaves_it_to_the_step(client: TestClient, desk: Desk) -> None:
    desk.open(make_question())

    after = send(client, client.get("/reviews/rev_1").text, "judge")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.remedy is RemedyKind.JUDGEMENT
    assert "Use your judgement." in after.text
    desk.queue.decide(
        "rev_1",
        "deny",
        by="you",
        proposal_hash=intent.decision.proposal_hash,
        decision_id=intent.decision.decision_id,
        remedy="judgement",
    )
    assert "Use your judgement" in client.get("/runs/run_1").text


def test_v1_has_the_same_answers(desk: Desk) -> None:
    desk.open(make_question(), make_question("rev_2", visit=5))
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    http = TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"})
    found = {r["id"]: r for r in http.get("/v1/reviews").json()["reviews"]}
    assert found["rev_1"]["question"]["text"] == "Which Alba is meant?"

    def said(review_id: str, **body: object) -> tuple[int, JsonObject]:
        hashed = {"by": "ana", "proposal_hash": found[review_id]["proposal_hash"]}
        reply = http.post(f"/v1/reviews/{review_id}/decision", json=hashed | body)
        return reply.status_code, reply.json()

    assert said("rev_1", verdict="approve", answer="Bolt")[0] == 422
    assert said("rev_1", verdict="approve")[0] == 422
    assert said("rev_1", verdict="approve", answer="Alba GmbH")[1]["answer"] == "Alba GmbH"
    assert said("rev_2", verdict="deny", remedy="judgement")[1]["remedy"] == "judgement"
