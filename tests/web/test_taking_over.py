"""The workspace of a takeover as a form: taken, filled in, refused, handed in, handed back."""

from fastapi.testclient import TestClient

from tests.web.acting import forms_of, send
from tests.web.records import Desk, make_review

TAKEN = "/reviews/rev_1/takeover"


def taken(client: TestClient, desk: Desk) -> str:
    """Take the one review over, and return the workspace."""
    desk.open(make_review())
    return send(client, client.get(TAKEN).text, TAKEN).text


def test_looking_takes_nothing_over(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    page = client.get(TAKEN).text

    assert "Take it over" in page
    assert "work" not in forms_of(page)
    assert desk.queue.get("rev_1").holder is None


def test_the_form_starts_as_the_state_stands_and_says_what_is_missing(
    client: TestClient, desk: Desk
) -> None:
    page = taken(client, desk)

    fields = dict(forms_of(page)["work"].fields)
    assert (fields["work.payee"], fields["work.amount"]) == ("Alba Components", "")
    assert fields["work.log"].strip() == ""
    assert page.partition('id="missing"')[2].index("amount") < 60
    assert "In your hands since" in page


def test_only_what_was_changed_is_handed_in(client: TestClient, desk: Desk) -> None:
    page = taken(client, desk)

    send(client, page, "work", work__amount="12.5", work__log="by hand")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer == {"amount": 12.5, "log": ["by hand"]}
    assert (intent.decision.remedy, intent.decision.reasons) == ("takeover", ())


def test_what_cannot_be_read_comes_back_as_it_was_typed(client: TestClient, desk: Desk) -> None:
    page = taken(client, desk)

    answer = send(client, page, "work", work__amount="much", note="Hard to read.")

    assert answer.status_code == 422
    assert "is not a number" in answer.text
    fields = dict(forms_of(answer.text)["work"].fields)
    assert (fields["work.amount"], fields["note"]) == ("much", "Hard to read.")
    assert desk.queue.intent("rev_1") is None


def test_a_no_with_takeover_takes_over_and_keeps_what_was_ticked(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())

    answer = send(
        client,
        client.get("/reviews/rev_1").text,
        "deny",
        remedy="takeover",
        reasons=["Wrong digit"],
        note="Mine.",
    )

    fields = forms_of(answer.text)["work"].fields
    assert ("reasons", "Wrong digit") in fields
    assert ("note", "Mine.") in fields
    assert desk.queue.intent("rev_1") is None
    assert desk.queue.get("rev_1").holder == "you"


def test_others_see_in_whose_hands_it_is_and_cannot_decide(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    desk.queue.take_over("rev_1", by="ana")

    page = client.get("/reviews/rev_1").text
    refused = send(client, page, "approve")

    assert "Taken over by ana since" in page
    assert refused.status_code == 409
    assert "ana" in refused.text
    assert send(client, client.get(TAKEN).text, TAKEN).status_code == 409


def test_it_is_no_next_review_and_is_handed_back(client: TestClient, desk: Desk) -> None:
    page = taken(client, desk)
    assert desk.queue.claim_next(by="you", fence="tab") is None

    answer = send(client, page, "/reviews/rev_1/handback")

    assert answer.url.path == "/reviews/rev_1"
    assert desk.queue.get("rev_1").taken_over_at is None
    assert desk.queue.claim_next(by="you", fence="tab") is not None


def test_a_workspace_that_is_over_leads_to_the_review(client: TestClient, desk: Desk) -> None:
    page = taken(client, desk)
    send(client, page, "work", work__amount="1")

    assert client.get(TAKEN).url.path == "/reviews/rev_1"
    assert send(client, page, "work", work__amount="2", decision_id="dec_2").status_code == 200
