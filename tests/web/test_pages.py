from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hitl.models import FieldChange, JsonObject, Place, RunStatus, Signal
from review_ui import create_app
from tests.web.records import (
    NOON,
    Desk,
    history,
    make_gate,
    make_presentation,
    make_review,
    make_run,
)


def test_an_empty_queue_says_so_and_predicts_nothing(client: TestClient) -> None:
    page = client.get("/queue").text

    assert "You’re all caught up" in page
    assert "No run is under way." in page


def test_a_row_is_a_link_with_a_sentence_a_reason_and_what_it_rests_on(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review(risk="high"))

    page = client.get("/queue").text

    assert 'href="/reviews/rev_1"' in page
    assert "Read the amount as 1,207.40" in page
    assert "Confidence 0.71 is below 0.90." in page
    assert "and 1 more reason" in page
    assert 'aria-label="Reliability 0.56"' in page
    assert "High" in page
    assert "24 min" in page


def test_rows_are_grouped_by_when_they_are_due(client: TestClient, desk: Desk) -> None:
    desk.open(
        make_review("rev_late", due_at=NOON - timedelta(minutes=3)),
        make_review("rev_soon", due_at=NOON + timedelta(minutes=5), visit=5),
        make_review("rev_never", due_at=None, visit=6),
    )

    page = client.get("/queue").text

    order = [page.index(t) for t in ("Overdue", "Due within 30 minutes", "No due time")]
    assert order == sorted(order)
    assert "overdue by 3 min" in page


def test_a_page_holds_fifty_rows_and_the_next_one_starts_after_them(
    client: TestClient, desk: Desk
) -> None:
    desk.open(*(make_review(f"rev_{i:03}", visit=i + 1) for i in range(53)))

    first = client.get("/queue").text
    second = client.get("/queue?status=pending&after=rev_049").text

    assert first.count('class="row') == 50
    assert "after=rev_049" in first
    assert second.count('class="row') == 3
    assert "Next 50" not in second


def test_counts_by_status_link_to_what_is_over(client: TestClient, desk: Desk) -> None:
    review = make_review()
    desk.open(review, make_review("rev_2", visit=5))
    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    approved = client.get("/queue?status=approved").text

    assert 'id="row-rev_1"' in approved
    assert 'id="row-rev_2"' not in approved


def test_who_holds_a_review_is_told_in_its_row(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    desk.queue.claim("rev_1", by="jonas", fence="tab")

    page = client.get("/queue").text

    assert "Held by <bdi>jonas</bdi>" in page


def test_the_poll_answers_rows_and_counts_alone(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    fragment = client.get("/queue/rows", headers={"HX-Request-Type": "partial"}).text

    assert "<html" not in fragment
    assert 'id="row-rev_1"' in fragment
    assert 'hx-partial hx-target="#count"' in fragment


def test_a_review_says_why_what_it_covers_what_changes_and_what_backs_it(
    client: TestClient, desk: Desk
) -> None:
    desk.add_gates(*history())
    desk.open(make_review())

    page = client.get("/reviews/rev_1").text

    sections = (
        "Read the amount as 1,207.40</bdi></h1>",
        "Why it needs you",
        "Reliability 0.56 is below 0.70.",
        "you vouch for these",
        "digit 3 is 0",
        "What will change",
        "1207.4",
        "All arguments",
        "Evidence",
        "The run so far",
        "Your decision",
    )
    order = [page.index(words) for words in sections]
    assert order == sorted(order)
    assert "You also vouch for 2 earlier steps." in page
    assert "p is 0.71, calibrated" in page


def test_signals_carry_their_kind_in_a_word(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    page = client.get("/reviews/rev_1").text

    assert 'class="sig pass"' in page
    assert 'class="sig fail"' in page
    assert "<b>Test or person</b> <bdi>Control total</bdi>: passed" in page
    assert "<b>Model</b> <bdi>Judge</bdi>: 0.83" in page


def test_a_model_that_is_sure_is_not_green(client: TestClient, desk: Desk) -> None:
    sure = make_presentation(signals=(Signal(name="Judge", kind="noisy", passed=True),))
    desk.open(make_review(presentation=sure))

    page = client.get("/reviews/rev_1").text

    assert 'class="sig noisy"' in page
    assert 'class="sig pass"' not in page


def test_the_picture_has_its_own_address(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    picture = client.get("/reviews/rev_1/evidence/0.png")

    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert client.get("/reviews/rev_1/evidence/1.png").status_code == 404


def test_what_is_not_a_png_is_never_served_as_one(client: TestClient, desk: Desk) -> None:
    shown = make_presentation()
    forged = shown.evidence[0].model_copy(update={"image_png": b"<svg onload=alert(1)>"})
    desk.open(make_review(presentation=shown.model_copy(update={"evidence": (forged,)})))

    assert client.get("/reviews/rev_1/evidence/0.png").status_code == 404


def test_tool_calls_are_shown_as_labelled_arguments(client: TestClient, desk: Desk) -> None:
    call: JsonObject = {
        "name": "pay",
        "args": {"payee_iban": "DE12", "amount": 48200, "memo": None},
    }
    desk.open(
        make_review(
            place=Place.BEFORE,
            arguments={"calls": [call]},
            presentation=make_presentation(changes=(), covers="step", vouched=()),
        )
    )

    page = client.get("/reviews/rev_1").text

    assert "<bdi>call pay</bdi>" in page
    assert "<bdi>payee iban</bdi>" in page
    assert "it has not run yet" in page
    assert page.index("payee iban") < page.index("Raw call")


def test_a_nested_change_is_taken_apart_into_the_fields_that_differ(
    client: TestClient, desk: Desk
) -> None:
    before: JsonObject = {"qty": 40, "sku": "P-1", "a.b": 1}
    change = FieldChange(field="order", before=before, after={**before, "qty": 41, "a.b": 2})
    desk.open(make_review(presentation=make_presentation(changes=(change,))))

    page = client.get("/reviews/rev_1").text

    assert "order › qty" in page
    assert "order › sku" not in page
    assert "order › a.b" in page  # a dot in a name is no step down


def test_a_spot_check_says_that_its_answer_is_only_a_label(client: TestClient, desk: Desk) -> None:
    desk.open(make_review(blocking=False, rungs=()))

    page = client.get("/reviews/rev_1").text

    assert "Already committed; your answer is only a label." in page
    assert "you say the step was wrong" in page
    assert 'name="remedy"' not in page


def test_a_decided_review_offers_no_verdict(client: TestClient, desk: Desk) -> None:
    review = make_review()
    desk.open(review)
    desk.queue.decide(
        "rev_1",
        "deny",
        by="ana",
        proposal_hash=review.proposal_hash,
        reasons=["Wrong digit"],
        note="It is a 1.",
    )

    page = client.get("/reviews/rev_1").text

    assert "Denied, then retry." in page
    assert "It is a 1." in page
    assert "data-verdict" not in page


def test_every_rung_has_a_key(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    page = client.get("/reviews/rev_1").text

    rungs = [("retry", "r"), ("answer", "g"), ("rollback", "b"), ("takeover", "t"), ("stop", "x")]
    for kind, key in rungs:
        assert f'name="remedy" value="{kind}" data-key="{key}"' in page


def test_no_letter_has_two_meanings_on_the_review_page(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    page = client.get("/reviews/rev_1").text

    keys = [part.split('"')[0] for part in page.split('data-key="')[1:]]
    assert sorted(keys) == sorted(set(keys))
    assert {"a", "d", "1", "2", "3"} <= set(keys)


def test_a_run_shows_its_steps_newest_first_with_what_p_rests_on(
    client: TestClient, desk: Desk
) -> None:
    desk.add_gates(*history())
    desk.open(make_review())

    page = client.get("/runs/run_1").text

    assert page.index("digit 3 is 3") < page.index("digit 2 is 2") < page.index("digit 1 is 1")
    assert "p 0.83 <small>calibrated</small>" in page
    assert "A person said yes" in page
    assert "Waits for a person" in page
    assert "review.opened" in page
    assert 'href="/reviews/rev_1"' in page


def test_a_denied_attempt_stays_visible_in_the_run(client: TestClient, desk: Desk) -> None:
    review = make_review()
    desk.open(review)
    desk.queue.decide(
        "rev_1", "deny", by="ana", proposal_hash=review.proposal_hash, reasons=["Wrong digit"]
    )

    page = client.get("/runs/run_1").text

    assert 'class="st denied"' in page
    assert "Denied, then retry" in page
    assert "Wrong digit" in page


def test_a_step_undone_by_a_rollback_is_marked(client: TestClient, desk: Desk) -> None:
    desk.add_gates(make_gate("gate_a", p=0.9, undone_at=NOON))

    page = client.get("/runs/run_1").text

    assert "Undone by a rollback" in page


def test_runs_are_listed_and_filtered(client: TestClient, desk: Desk) -> None:
    desk.add_run(make_run("run_1"))
    desk.add_run(make_run("run_2", status=RunStatus.FAILED, reason="Step 'pay' raised KeyError."))

    everything, failed = client.get("/runs").text, client.get("/runs?status=failed").text

    assert "run_1" in everything
    assert "run_1" not in failed
    assert "Step &#39;pay&#39; raised KeyError." in failed


@pytest.mark.parametrize("run_id", ["a/b", "50% off?", "x#y", "grüße", 'q"uote'])
def test_a_run_id_of_the_users_own_making_has_a_working_link(
    client: TestClient, desk: Desk, run_id: str
) -> None:
    desk.add_run(make_run(run_id))
    page = client.get("/runs").text
    link = page.split('<th scope="row"><a class="link" href="')[1].split('"')[0]

    assert client.get(link).status_code == 200


@pytest.mark.parametrize("path", ["/reviews/rev_none", "/runs/run_none", "/no/such/page"])
def test_what_is_not_there_is_a_page_with_a_sentence(client: TestClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404
    assert "That did not work" in answer.text


def test_an_unknown_status_is_a_sentence(client: TestClient) -> None:
    answer = client.get("/queue?status=nonsense")

    assert answer.status_code == 422
    assert "A part of this address is not understood." in answer.text


def test_mounted_below_a_path_every_link_stays_below_it(desk: Desk) -> None:
    desk.open(make_review())
    outer = FastAPI()
    outer.mount("/reviews-of/acme", create_app(desk.queue, clock=desk.clock))

    with TestClient(outer, base_url="http://127.0.0.1") as client:
        page = client.get("/reviews-of/acme/reviews/rev_1")

    addresses = [p.split('"')[0] for p in page.text.split('="/')[1:]]
    assert page.status_code == 200
    assert addresses
    assert all(a.startswith("reviews-of/acme/") for a in addresses)
