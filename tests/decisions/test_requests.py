"""A program with no graph of ours asks a person, over real HTTP."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hitl.client import AsyncReviewClient, QueueClient, ReviewClient
from hitl.errors import NotAllowed, ProposalChanged, RequestRefused, ReviewRefusal
from hitl.models import Amendment, Evidence, ReviewRequest, ReviewStatus, RunStatus
from review_ui.api import create_api
from tests.decisions.desk import Desk
from tests.decisions.test_client import TOKEN, serving

PAY = ReviewRequest(action="pay", arguments={"eur": 120, "to": "Alba"}, by="agent:buyer")


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    with serving(app) as served:
        yield served


@pytest.fixture
def people(address: str) -> Iterator[ReviewClient]:
    with ReviewClient(address, TOKEN) as client:
        yield client


def say(desk: Desk, review_id: str, verdict: str, **more: Any) -> Any:
    shown = desk.queue.get(review_id)
    return desk.queue.decide(
        review_id, verdict, by="ana", proposal_hash=shown.proposal_hash, **more
    )


def post(address: str, body: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {TOKEN}"} | ({"Idempotency-Key": key} if key else {})
    return httpx.post(f"{address}/v1/reviews", json=body, headers=headers, trust_env=False)


def test_what_is_asked_is_shown_as_it_was_sent(desk: Desk, address: str) -> None:
    body = {
        "action": "pay",
        "arguments": {"eur": 120, "to": "Alba"},
        "title": "Pay Alba",
        "why": "Above 100 EUR.",
        "evidence": ["Invoice 7", {"claim": "Due today", "source": "mail"}],
        "confidence": 0.8,
        "risk": "high",
        "due_in": "4h",
        "expires_in": "3d",
    }

    told = post(address, body)

    assert told.status_code == 201
    review = desk.queue.get(told.json()["id"])
    assert review.proposal.arguments == body["arguments"]
    assert review.proposal_hash == told.json()["proposal_hash"]
    assert (review.presentation.title, review.presentation.why) == ("Pay Alba", ("Above 100 EUR.",))
    assert review.presentation.evidence == (
        Evidence(claim="Invoice 7"),
        Evidence(claim="Due today", source="mail"),
    )
    assert (review.presentation.confidence, review.risk) == (0.8, "high")
    assert review.due_at == review.opened_at + timedelta(hours=4)
    assert review.expires_at == review.opened_at + timedelta(days=3)
    assert desk.queue.run(review.run_id).status is RunStatus.WAITING
    assert desk.queue.verify() is None


def test_the_same_key_never_asks_twice(desk: Desk, address: str) -> None:
    body = {"action": "pay", "arguments": {"eur": 120}}

    first, again = post(address, body, "order-7"), post(address, body, "order-7")
    other = post(address, body | {"arguments": {"eur": 12_000}}, "order-7")

    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 409)
    assert first.json() == again.json()
    assert first.json()["id"] in other.json()["detail"]
    assert len(desk.queue.pending()) == 1


def test_of_many_at_once_under_one_key_one_asks(desk: Desk, address: str) -> None:
    body = {"action": "pay", "arguments": {"eur": 120}}
    told: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: told.append(post(address, body, "one"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(t.status_code for t in told) == [200] * 7 + [201]
    assert len({t.json()["id"] for t in told}) == 1
    assert len(desk.queue.pending()) == 1


@pytest.mark.parametrize(
    ("verdict", "review_status", "run_status"),
    [
        ("approve", ReviewStatus.APPROVED, RunStatus.DONE),
        ("deny", ReviewStatus.DENIED, RunStatus.STOPPED),
    ],
)
def test_the_program_that_waits_is_told(
    desk: Desk,
    people: ReviewClient,
    verdict: str,
    review_status: ReviewStatus,
    run_status: RunStatus,
) -> None:
    review = people.request(PAY)
    answered = threading.Timer(0.3, say, (desk, review.id, verdict), {"reasons": ["so"]})
    answered.start()

    told = people.wait(review.id, timeout=20)

    answered.join()
    assert told.status is review_status
    assert [d.by for d in told.decisions] == ["ana"]
    assert told.decisions[0].reasons == ("so",)
    assert desk.queue.run(review.run_id).status is run_status
    assert desk.queue.verify() is None


def test_a_wait_ends_with_what_is_known(people: ReviewClient) -> None:
    review = people.request(PAY)

    assert people.wait(review.id, timeout=0.2).status is ReviewStatus.PENDING


def test_events_tell_each_change_and_end_with_the_answer(desk: Desk, address: str) -> None:
    with ReviewClient(address, TOKEN) as people:
        review = people.request(PAY)
        changed = threading.Timer(0.5, people.amend, (review.id, {"eur": 90}))
        changed.start()
        answered = threading.Timer(1.2, say, (desk, review.id, "approve"))
        answered.start()
        got = httpx.get(
            f"{address}/v1/reviews/{review.id}/events",
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=20,
            trust_env=False,
        )
        answered.join()

    seen = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: ")]
    assert got.headers["content-type"].startswith("text/event-stream")
    assert [s["status"] for s in seen] == ["pending", "pending", "approved"]
    assert [s["proposal"]["arguments"]["eur"] for s in seen] == [120, 90, 90]


def test_the_async_client_does_the_same(desk: Desk, address: str) -> None:
    async def ask() -> ReviewStatus:
        async with AsyncReviewClient(address, TOKEN) as people:
            review = await people.request(PAY, key="k")
            assert (await people.request(PAY, key="k")).id == review.id
            assert (await people.amend(review.id, {"eur": 1})).proposal.arguments == {"eur": 1}
            assert (await people.get(review.id)).status is ReviewStatus.PENDING
            say(desk, review.id, "approve")
            return (await people.wait(review.id)).status

    assert asyncio.run(ask()) is ReviewStatus.APPROVED


def test_an_amendment_voids_what_was_seen_and_answered(desk: Desk, people: ReviewClient) -> None:
    review = people.request(PAY)
    old = review.proposal_hash
    desk.queue.intend(
        review.id, "approve", by="ana", proposal_hash=old, undo_window=timedelta(minutes=1)
    )

    changed = people.amend(review.id, {"eur": 12_000})

    assert changed.proposal_hash != old
    assert desk.queue.intent(review.id) is None
    with pytest.raises(ProposalChanged):
        desk.queue.decide(review.id, "approve", by="ana", proposal_hash=old)
    say(desk, review.id, "approve")
    with pytest.raises(ReviewRefusal, match="already decided by ana"):
        people.amend(review.id, {"eur": 1})
    trail = [e.body["action"] for e in desk.queue.audit(run_id=review.run_id)]
    assert trail == [
        "review.opened",
        "intent.put",
        "intent.void",
        "review.amended",
        "review.decided",
    ]


def test_only_who_asked_amends_and_nobody_amends_a_steps_proposal(desk: Desk) -> None:
    asked, _ = desk.queue.request(PAY)
    of_a_step = desk.open()

    with pytest.raises(NotAllowed, match="only who asked"):
        desk.queue.amend(asked.id, Amendment(arguments={}, by="agent:other"))
    with pytest.raises(ReviewRefusal, match="only the step changes it"):
        desk.queue.amend(of_a_step.id, Amendment(arguments={}))


def test_who_asks_does_not_decide(desk: Desk) -> None:
    review, _ = desk.queue.request(PAY.model_copy(update={"by": "bob"}))

    with pytest.raises(NotAllowed):
        desk.queue.decide(review.id, "approve", by="bob", proposal_hash=review.proposal_hash)


def test_nobody_answers_in_time(desk: Desk, people: ReviewClient) -> None:
    review = people.request(PAY.model_copy(update={"expires_in": "1h"}))
    desk.clock.move(timedelta(hours=2))
    desk.queue.sweep()

    told = people.get(review.id)

    assert told.status is ReviewStatus.EXPIRED
    assert [d.made_by for d in told.decisions] == ["policy"]
    assert desk.queue.run(review.run_id).status is RunStatus.STOPPED


def test_taking_it_back_ends_it(desk: Desk, people: ReviewClient) -> None:
    review = people.request(PAY)

    assert people.cancel(review.id, by="bob", reason="sold out").status is ReviewStatus.CANCELLED
    run = desk.queue.run(review.run_id)
    assert (run.status, run.reason) == (RunStatus.STOPPED, "bob cancelled the request")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"arguments": {}}, "'action'"),
        ({"action": "", "arguments": {}}, "'action'"),
        ({"action": "pay"}, "'arguments'"),
        ({"action": "pay", "arguments": [1]}, "'arguments'"),
        ({"action": "pay", "arguments": {}, "due_in": "soon"}, "due_in: Duration 'soon'"),
        ({"action": "pay", "arguments": {}, "confidence": 1.5}, "'confidence'"),
        ({"action": "pay", "arguments": {}, "callback_url": "http://x"}, "'callback_url'"),
        ({"action": "pay", "arguments": {"n": 2**60}}, "not JSON"),
        ({"action": "pay", "arguments": json.loads('{"a":' * 40 + "1" + "}" * 40)}, "levels deep"),
        ({"action": "pay", "arguments": {}, "by": "policy"}, "cannot ask"),
    ],
)
def test_what_cannot_be_asked_is_refused_whole(
    desk: Desk, address: str, body: dict[str, Any], says: str
) -> None:
    told = post(address, body, "k")

    assert told.status_code == 422
    assert says in told.json()["detail"]
    assert told.json()["detail"].endswith((".", "link.")), told.json()["detail"]
    assert desk.queue.pending() == []
    assert post(address, {"action": "pay", "arguments": {}}, "k").status_code == 201, (
        "the key is free"
    )


def test_the_clients_raise_the_same_refusals(people: ReviewClient) -> None:
    people.request(PAY, key="k")

    with pytest.raises(RequestRefused, match="another body"):
        people.request(PAY.model_copy(update={"action": "sell"}), key="k")


def test_it_stands_in_the_queue_beside_the_runs(
    desk: Desk, address: str, people: ReviewClient
) -> None:
    review = people.request(PAY)
    with QueueClient(address, TOKEN) as queue:
        assert [r.id for r in queue.pending(workflow="requests")] == [review.id]
        story = desk.queue.timeline(review.run_id)
    assert [s.gate.name.step for s in story.steps] == ["pay"]
