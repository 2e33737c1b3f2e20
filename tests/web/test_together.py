"""Several reviews decided together: only of one shape, each looked at, each decided by itself."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from hitl.models import Covers, Review, ReviewStatus
from tests.web.acting import send
from tests.web.records import Desk, make_presentation, make_question, make_review

ALIKE = make_presentation(covers=Covers.STEP, vouched=())
IDS = ["rev_1", "rev_2", "rev_3"]


@pytest.fixture
def three(desk: Desk) -> None:
    desk.open(*(alike(n) for n in (1, 2, 3)))


def alike(n: int, **changes: Any) -> Review:
    return make_review(f"rev_{n}", visit=n, **({"presentation": ALIKE} | changes))


def sheet(client: TestClient, ids: list[str] = IDS) -> str:
    return client.get("/queue/together", params={"review": ids}).text


def answer(client: TestClient, verdict: str, **changes: Any) -> str:
    return send(
        client, sheet(client), "together", verdict=verdict, **({"looked": IDS} | changes)
    ).text


@pytest.mark.usefixtures("three")
def test_each_is_listed_with_its_hash_and_decided_by_itself(client: TestClient, desk: Desk) -> None:
    page = sheet(client)
    hashes = [desk.queue.get(each).proposal_hash for each in IDS]
    assert all(each in page for each in hashes)
    assert desk.queue.get("rev_1").holder is None

    told = answer(client, "approve")

    assert "3 of 3 approved" in told
    intents = [desk.queue.intent(each) for each in IDS]
    assert [i.decision.proposal_hash for i in intents if i] == hashes
    assert {i.decision.surface for i in intents if i} == {"bulk"}
    assert len({i.decision.decision_id for i in intents if i}) == 3
    assert "3 of 3 taken back" in send(client, told, "undo-strip").text
    assert [desk.queue.intent(each) for each in IDS] == [None] * 3
    assert [desk.queue.get(each).holder for each in IDS] == [None] * 3


@pytest.mark.usefixtures("three")
def test_what_changed_what_is_held_and_what_was_not_looked_at_is_left_alone(
    client: TestClient, desk: Desk
) -> None:
    page = sheet(client)
    changed = desk.queue.get("rev_1").model_copy(update={"proposal_hash": "f" * 64})
    desk.store.write(lambda t: t.set_review(changed))
    desk.queue.claim("rev_2", by="ana", fence="hers")

    told = send(client, page, "together", verdict="approve", looked=["rev_1", "rev_2"]).text

    assert "0 of 3 approved" in told
    assert "changed" in told
    assert "held by ana" in told
    assert "nobody ticked that it was looked at" in told
    assert [desk.queue.intent(each) for each in IDS] == [None] * 3
    assert desk.queue.get("rev_1").holder is None


@pytest.mark.usefixtures("three")
def test_a_no_takes_the_first_rung_that_needs_no_answer_with_its_reasons(
    client: TestClient, desk: Desk
) -> None:
    answer(client, "deny", reasons=["Wrong payee"])

    intent = desk.queue.intent("rev_2")
    assert intent is not None
    assert (intent.decision.remedy, intent.decision.reasons) == ("retry", ("Wrong payee",))
    assert 'value="answer"' not in sheet(client)


def test_high_risk_other_shapes_and_questions_never_go_together(
    client: TestClient, desk: Desk
) -> None:
    other = {"update": {"amount": "a text", "payee": "Alba"}}
    desk.open(
        alike(1),
        alike(2, risk="high"),
        alike(3, arguments=other),
        make_question("rev_4", visit=9),
        make_review("rev_5", visit=10),
    )
    ids = ["rev_1", "rev_2", "rev_3", "rev_4", "rev_5"]

    page = sheet(client, ids)
    assert "1 review of one shape" in page
    for why in ("its risk is high", "of another shape", "is a question", "cover earlier steps"):
        assert why in page
    hashes = {f"hash.{each}": desk.queue.get(each).proposal_hash for each in ids}
    data = {"verdict": "approve", "review": ids, "looked": ids} | hashes
    client.post("/queue/together", data=data)

    assert [bool(desk.queue.intent(each)) for each in ids] == [True, False, False, False, False]
    assert client.get("/queue").text.count("data-shape") == 2
    assert desk.queue.counts() == {ReviewStatus.PENDING: 5}


def test_no_more_than_25_and_no_verdict_by_accident(client: TestClient, desk: Desk) -> None:
    desk.open(alike(1))

    many = client.post(
        "/queue/together", data={"verdict": "deny", "review": [str(n) for n in range(26)]}
    )
    none = client.post("/queue/together", data={"review": ["rev_1"], "looked": ["rev_1"]})

    assert (many.status_code, none.status_code) == (422, 422)
    assert "between 1 and 25" in many.text
    assert desk.queue.intent("rev_1") is None
