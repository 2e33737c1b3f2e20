"""Every form is a form: post, redirect, get."""

from datetime import timedelta

from fastapi.testclient import TestClient

from hitl.models import Verdict
from tests.web.acting import send
from tests.web.records import Desk, HandClock, make_review


def test_start_reviewing_holds_the_most_pressing_review_and_goes_to_it(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review("rev_2", visit=5, due_at=None), make_review())
    page = client.get("/queue").text

    answer = send(client, page, "/queue/next", follow=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews/rev_1")
    assert desk.queue.get("rev_1").holder == "you"


def test_start_reviewing_with_nothing_to_review_stays_in_the_queue(client: TestClient) -> None:
    answer = client.post("/queue/next", data={"fence": ""}, follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")


def test_approve_goes_to_the_next_review_with_a_strip_to_undo(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))
    page = client.get("/reviews/rev_1").text

    answer = send(client, page, "approve")

    assert answer.history[0].status_code == 303
    assert answer.url.path == "/reviews/rev_2"
    assert "<html" in answer.text
    assert "Can be taken back until" in answer.text


def test_the_last_one_leads_back_to_the_queue_with_a_strip_to_undo(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())

    answer = send(client, client.get("/reviews/rev_1").text, "approve")

    assert answer.url.path == "/queue"
    assert "Can be taken back until" in answer.text


def test_undo_shows_the_review_with_what_was_entered(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    after = send(client, client.get("/reviews/rev_1").text, "deny", note="It is a 1.")

    back = send(client, after.text, "undo-strip")

    assert "<html" in back.text
    assert "It is a 1." in back.text
    assert desk.queue.intent("rev_1") is None


def test_deny_with_a_reason_and_a_rung(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    send(
        client,
        client.get("/reviews/rev_1").text,
        "deny",
        reasons=["Wrong digit", "Unreadable"],
        remedy="rollback",
    )

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.verdict is Verdict.DENY
    assert intent.decision.reasons == ("Wrong digit", "Unreadable")
    assert intent.decision.remedy == "rollback"


def test_a_refusal_is_a_whole_page_with_its_status_and_what_was_typed(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())
    page = client.get("/reviews/rev_1").text

    answer = send(client, page, "deny", remedy="answer", answer__amount="x", note="Look.")

    assert answer.status_code == 422
    assert "<html" in answer.text
    assert 'value="Look."' in answer.text


def test_taking_the_hold_is_a_button(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    page = client.get("/reviews/rev_1").text

    answer = send(client, page, "hold")

    assert answer.history[0].status_code == 303
    assert desk.queue.get("rev_1").holder == "you"


def test_the_strip_is_gone_when_the_window_is_over(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review())
    send(client, client.get("/reviews/rev_1").text, "approve")
    clock.move(timedelta(seconds=8))

    page = client.get("/queue?undo=rev_1").text

    assert "undo-strip" not in page


def test_nobody_elses_answer_is_offered_to_undo(client: TestClient, desk: Desk) -> None:
    review = make_review()
    desk.open(review)
    desk.queue.intend(
        "rev_1",
        "approve",
        by="ana",
        proposal_hash=review.proposal_hash,
        undo_window=timedelta(seconds=8),
    )

    page = client.get("/queue?undo=rev_1").text

    assert "undo-strip" not in page


def test_theme_and_keys_are_kept_and_lead_back_to_where_one_was(client: TestClient) -> None:
    for name, value in (("theme", "dark"), ("keys", "off")):
        answer = client.post(
            "/preferences", data={name: value, "back": "/runs"}, follow_redirects=False
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/runs")

    page = client.get("/queue").text

    assert 'data-theme="dark"' in page
    assert 'data-keys="off"' in page


def test_preferences_never_lead_to_another_site(client: TestClient) -> None:
    for back in ("https://evil.example/", "//evil.example", "/\\evil.example", ""):
        answer = client.post(
            "/preferences", data={"theme": "dark", "back": back}, follow_redirects=False
        )
        assert answer.headers["location"] == "/queue"
