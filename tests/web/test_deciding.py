"""Fragments: what htmx sends and gets."""

from datetime import timedelta

from fastapi.testclient import TestClient

from hitl.models import JsonObject, Place, RemedyKind, RungOffer, Verdict
from hitl.reviews import open_review
from review_ui import create_app
from tests.web.acting import PARTIAL, forms_of, send
from tests.web.records import (
    AMOUNT,
    Desk,
    HandClock,
    gate_of,
    ledger_entry,
    make_presentation,
    make_review,
)

REVIEW = "/reviews/rev_1"


def test_approving_answers_with_the_next_review_already_held(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))
    page = client.get(REVIEW).text

    answer = send(client, page, "approve", partial=True, shown_ms="2300")

    assert answer.status_code == 200
    assert answer.headers["HX-Push-Url"] == "/reviews/rev_2"
    assert answer.text.lstrip().startswith('<div id="page"')
    held = dict(forms_of(answer.text)["approve"].fields)
    assert held["held"] == "1"
    assert desk.queue.get("rev_2").claim_fence == held["fence"]
    assert "Sent in" in answer.text


def test_what_was_answered_is_recorded_as_it_was_shown(client: TestClient, desk: Desk) -> None:
    review = make_review()
    desk.open(review)
    page = client.get(REVIEW).text

    send(
        client,
        page,
        "deny",
        partial=True,
        reasons=["Wrong digit"],
        note="  It is a 1.\r\nSee the stroke. ",
        remedy="stop",
        shown_ms="2300",
    )

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    said = intent.decision
    assert said.verdict is Verdict.DENY
    assert (said.reasons, said.note) == (("Wrong digit",), "It is a 1.\nSee the stroke.")
    assert (said.remedy, said.surface, said.shown_ms) == (RemedyKind.STOP, "page", 2300)
    assert said.proposal_hash == review.proposal_hash
    assert said.by == "you"


def test_denying_untouched_takes_the_first_rung(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    page = client.get(REVIEW).text

    send(client, page, "deny", partial=True)

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.remedy is RemedyKind.RETRY


def test_an_answer_waits_for_its_risks_undo_window(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review(risk="high"))
    send(client, client.get(REVIEW).text, "approve", partial=True)

    clock.move(timedelta(seconds=14))
    early = desk.queue.sweep()
    clock.move(timedelta(seconds=1))
    late = desk.queue.sweep()

    assert (early, late) == (0, 1)
    assert desk.queue.get("rev_1").status == "approved"


def test_a_window_of_zero_sends_at_once(desk: Desk) -> None:
    desk.open(make_review())
    app = create_app(desk.queue, clock=desk.clock, undo_window=timedelta(0))

    with TestClient(app, base_url="http://127.0.0.1") as client:
        send(client, client.get(REVIEW).text, "approve", partial=True)

    assert desk.queue.get("rev_1").status == "approved"


def test_undo_brings_the_review_back_held_and_filled_in(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))
    page = client.get(REVIEW).text
    after = send(client, page, "deny", partial=True, reasons=["Wrong payee"], note="See list.")

    back = send(client, after.text, "undo-strip", partial=True)

    assert back.headers["HX-Push-Url"] == REVIEW
    assert "Taken back. Nothing was sent." in back.text
    fields = forms_of(back.text)["deny"].fields
    assert ("reasons", "Wrong payee") in fields
    assert ("note", "See list.") in fields
    assert ("held", "1") in fields
    assert desk.queue.intent("rev_1") is None


def test_after_an_undo_the_same_tab_still_gets_what_it_held(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))
    after = send(client, client.get(REVIEW).text, "approve", partial=True)
    back = send(client, after.text, "undo-strip", partial=True)

    again = send(client, back.text, "approve", partial=True)

    assert again.headers["HX-Push-Url"] == "/reviews/rev_2"


def test_undo_after_the_window_says_that_it_was_sent(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review())
    after = send(client, client.get(REVIEW).text, "approve", partial=True)
    clock.move(timedelta(seconds=9))
    desk.queue.sweep()

    late = send(client, after.text, "undo-strip", partial=True)

    assert late.status_code == 409
    assert "was already sent; it stands." in late.text


def test_when_nothing_else_waits_the_page_says_so(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    answer = send(client, client.get(REVIEW).text, "approve", partial=True)

    assert answer.headers["HX-Push-Url"] == "/queue"
    assert "Nothing else waits for you." in answer.text
    assert "undo-strip" in answer.text


def test_somebody_elses_decision_is_told_in_place_and_keeps_what_was_typed(
    client: TestClient, desk: Desk
) -> None:
    review = make_review()
    desk.open(review)
    page = client.get(REVIEW).text
    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    answer = send(client, page, "deny", partial=True, note="It is a 1.")

    assert answer.status_code == 409
    assert "was already decided by ana (approve). The first decision stands." in answer.text
    assert 'id="page"' in answer.text


def test_a_stolen_hold_is_told_in_place_and_keeps_what_was_typed(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review())
    claimed = client.post(f"{REVIEW}/claim", data={"fence": "mine"}, headers=PARTIAL)
    assert "Held for you" in claimed.text
    page = client.get(REVIEW).text
    clock.move(timedelta(minutes=6))
    desk.queue.claim("rev_1", by="jonas", fence="his")

    answer = send(client, page, "deny", partial=True, fence="mine", held="1", note="It is a 1.")

    assert answer.status_code == 409
    assert "is held by jonas. Nothing was saved." in answer.text
    assert ("note", "It is a 1.") in forms_of(answer.text)["deny"].fields
    assert desk.queue.intent("rev_1") is None


def test_another_tab_of_mine_takes_the_hold_over(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    page = client.get(REVIEW).text
    for tab in ("first", "second"):
        client.post(f"{REVIEW}/claim", data={"fence": tab}, headers=PARTIAL)

    answer = send(client, page, "approve", partial=True, fence="first", held="1")

    assert answer.status_code == 409
    assert "Nothing was saved." in answer.text


def test_a_changed_proposal_is_refused_with_412_and_shown_again(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())
    page = client.get(REVIEW).text

    answer = send(client, page, "approve", partial=True, proposal_hash="0" * 64)

    assert answer.status_code == 412
    assert "changed since it was shown" in answer.text
    shown = dict(forms_of(answer.text)["approve"].fields)["proposal_hash"]
    assert shown == desk.queue.get("rev_1").proposal_hash


def test_an_expired_review_is_refused_with_410(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review(expires_at=clock() + timedelta(minutes=1)))
    page = client.get(REVIEW).text
    clock.move(timedelta(minutes=2))

    answer = send(client, page, "approve", partial=True)

    assert answer.status_code == 410
    assert "expired at" in answer.text


def test_who_started_the_run_is_refused_with_403(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(initiator="you"))

    answer = send(client, client.get(REVIEW).text, "approve", partial=True)

    assert answer.status_code == 403
    assert "who started a run may not decide its reviews" in answer.text


def test_an_answer_becomes_json_of_the_schemas_types(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    page = client.get(REVIEW).text

    send(client, page, "deny", partial=True, remedy="answer", answer__amount="1201")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer == {"amount": 1201}


def test_an_answer_that_cannot_be_read_stays_typed_beside_its_sentence(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())
    page = client.get(REVIEW).text

    answer = send(
        client, page, "deny", partial=True, remedy="answer", answer__amount="twelve", note="Look."
    )

    assert answer.status_code == 422
    assert "&#39;twelve&#39; is not a whole number." in answer.text
    fields = forms_of(answer.text)["deny"].fields
    assert ("answer.amount", "twelve") in fields
    assert ("remedy", "answer") in fields
    assert ("note", "Look.") in fields
    assert '<details class="deny" id="denybox" open>' in answer.text


def test_an_answer_the_schema_refuses_is_told_in_place(client: TestClient, desk: Desk) -> None:
    strict: JsonObject = {
        **AMOUNT,
        "properties": {"amount": {"type": "integer", "maximum": 10}},
    }
    desk.open(make_review(presentation=make_presentation(answer_schema=strict)))
    page = client.get(REVIEW).text

    answer = send(client, page, "deny", partial=True, remedy="answer", answer__amount="11")

    assert answer.status_code == 422
    assert "11 is greater than the maximum of 10" in answer.text
    assert ("answer.amount", "11") in forms_of(answer.text)["deny"].fields


def test_a_remedy_the_review_does_not_offer_is_refused(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(rungs=(RungOffer(kind=RemedyKind.STOP, label="Stop the run"),)))

    answer = send(client, client.get(REVIEW).text, "deny", partial=True, remedy="retry")

    assert answer.status_code == 422
    assert "is not offered here" in answer.text


def test_the_same_form_sent_twice_decides_once(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))
    page = client.get(REVIEW).text
    first = send(client, page, "approve", partial=True)

    second = send(client, page, "approve", partial=True)

    assert (first.status_code, second.status_code) == (200, 200)
    events = [e.body["action"] for e in desk.queue.audit(run_id="run_1")]
    assert events.count("intent.put") == 1


def test_a_question_takes_an_answer_in_plain_words(client: TestClient, desk: Desk) -> None:
    asked = make_presentation(
        title="Which Alba is meant?", answer_schema={"title": "Answer"}, changes=()
    )
    desk.open(
        make_review(
            place=Place.QUESTION,
            arguments={"question": "Which Alba is meant?"},
            presentation=asked,
        )
    )
    page = client.get(REVIEW).text

    send(client, page, "approve", partial=True, answer="The one in Turin")

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert intent.decision.answer == "The one in Turin"


def test_a_question_approved_without_an_answer_is_a_plain_yes(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review(place=Place.QUESTION))

    send(client, client.get(REVIEW).text, "approve", partial=True)

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert not intent.decision.has_answer


def test_the_poll_of_the_list_never_touches_an_open_review(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    page = client.get(REVIEW).text

    assert "every 5s" not in page


def test_letting_go_frees_the_review_for_others(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    client.post(f"{REVIEW}/claim", data={"fence": "mine"}, headers=PARTIAL)

    client.post(f"{REVIEW}/release", data={"fence": "mine"})

    assert desk.queue.claim("rev_1", by="jonas", fence="his").holder == "jonas"


def test_a_hold_by_somebody_else_is_told_and_not_taken(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    desk.queue.claim("rev_1", by="jonas", fence="his")

    answer = client.post(f"{REVIEW}/claim", data={"fence": "mine"}, headers=PARTIAL)

    assert answer.status_code == 409
    assert "is held by jonas" in answer.text
    assert desk.queue.get("rev_1").holder == "jonas"


def test_looking_changes_nothing(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    before = desk.queue.get("rev_1"), desk.queue.audit()

    for path in (REVIEW, "/queue", "/queue/rows", "/runs", "/runs/run_1"):
        for agent in ("Mozilla/5.0", "BarracudaCentral"):
            client.get(path, headers={"User-Agent": agent})

    assert (desk.queue.get("rev_1"), desk.queue.audit()) == before


def test_a_retried_step_shows_what_was_denied_before(client: TestClient, desk: Desk) -> None:
    first = make_review()
    desk.open(first)
    decision = desk.queue.decide(
        "rev_1", "deny", by="ana", proposal_hash=first.proposal_hash, note="It is a 1."
    )
    second = make_review("rev_2", attempt=2)
    denial = {
        "step": "read_digit",
        "attempt": 1,
        "note": decision.note,
        "by": "ana",
        "at": decision.decided_at,
    }
    shown = make_presentation(denials=(denial,))
    second = second.model_copy(update={"presentation": shown})
    desk.store.write(
        lambda t: open_review(t, second, ledger_entry(second), gate_of(second), now=desk.clock())
    )

    page = client.get("/reviews/rev_2").text

    assert "Denied before" in page
    assert "attempt 2" in page
    assert "It is a 1." in page
