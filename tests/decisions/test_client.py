"""The client over real HTTP: a server on a free port of this machine."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from hitl.client import QueueClient
from hitl.errors import (
    AlreadyDecided,
    ClaimLost,
    DecisionIdReused,
    HitlError,
    InvalidAnswer,
    NotAllowed,
    NotFound,
    ProposalChanged,
    ReviewClosed,
    ReviewExpired,
    ServerUnreachable,
)
from hitl.models import Evidence, Presentation, ReviewStatus, RunStatus
from review_ui.api import create_api
from tests.decisions.desk import NOON, Desk

TOKEN = "a-token-of-this-server"


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve `app` on a free port; yield its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


@pytest.fixture
def queue(desk: Desk) -> Iterator[QueueClient]:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    with serving(app) as url, QueueClient(url, TOKEN) as client:
        yield client


def test_it_sees_what_the_queue_sees(desk: Desk, queue: QueueClient) -> None:
    picture = Evidence(claim="digit 3", image_png=b"\x89PNG\r\n\xff\xfe\x00")
    review = desk.open(
        presentation=Presentation(title="Betrag 1 200 €", evidence=(picture,)), due_at=NOON
    )
    desk.open("rev_2 ?", blocking=False)

    assert queue.pending() == desk.queue.pending()
    assert queue.pending(blocking=True) == [review]
    assert queue.pending(workflow="refunds") == []
    assert queue.pending(after="rev_1") == queue.pending(blocking=False)
    got = queue.get("rev_1")
    assert got.model_dump(exclude={"decisions"}) == review.model_dump()
    assert got.presentation.evidence[0].image_png == picture.image_png
    assert queue.get("rev_2 ?").id == "rev_2 ?"
    assert queue.runs() == desk.queue.runs()
    assert queue.runs(status=[RunStatus.DONE]) == []
    assert queue.run("run_1") == desk.queue.run("run_1")
    desk.run("tenant 7/threads/42 ?")  # run ids are the user's thread ids
    assert queue.run("tenant 7/threads/42 ?").id == "tenant 7/threads/42 ?"
    assert queue.audit() == desk.queue.audit()


def test_its_decision_is_the_queues(desk: Desk, queue: QueueClient) -> None:
    review = desk.open()

    decision = queue.decide(
        "rev_1",
        "deny",
        by="ana",
        proposal_hash=review.proposal_hash,
        reasons=["wrong amount"],
        note="sieben",
        answer={"amount": 7},
        shown_ms=1200,
    )

    assert desk.queue.get("rev_1").decision == decision
    assert (decision.surface, decision.remedy) == ("cli", "answer")
    assert queue.get("rev_1").status is ReviewStatus.DENIED


def test_refusals_come_back_as_the_queues_own_errors(desk: Desk, queue: QueueClient) -> None:
    first = desk.open("rev_1")
    second = desk.open("rev_2", expires_at=NOON + timedelta(hours=1))
    third = desk.open("rev_3")
    fourth = desk.open("rev_4")
    desk.queue.cancel("rev_3", by="ben", reason="asked twice")
    desk.queue.intend(
        "rev_4",
        "deny",
        by="ben",
        proposal_hash=fourth.proposal_hash,
        undo_window=timedelta(hours=2),
    )
    good: dict[str, Any] = {"by": "ana", "proposal_hash": first.proposal_hash}

    with pytest.raises(ProposalChanged):
        queue.decide("rev_1", "approve", by="ana", proposal_hash="0" * 64)
    with pytest.raises(NotAllowed) as barred:
        queue.decide("rev_1", "approve", **good | {"by": "ina"})
    assert barred.value.actor == "ina"
    with pytest.raises(InvalidAnswer, match="'takeover' is not offered"):
        queue.decide("rev_1", "deny", **good, remedy="takeover")
    with pytest.raises(InvalidAnswer, match="'verdict'"):
        queue.decide("rev_1", "maybe", **good)
    with pytest.raises(InvalidAnswer, match="Nothing was sent"):
        queue.decide("rev_1", "deny", **good, answer=float("nan"))
    queue.decide("rev_1", "approve", **good, decision_id="click-1")
    with pytest.raises(AlreadyDecided) as lost:
        queue.decide("rev_1", "deny", **good | {"by": "ben"})
    assert (lost.value.review_id, lost.value.by, lost.value.verdict) == ("rev_1", "ana", "approve")
    assert "already decided by ana (approve)" in str(lost.value)
    with pytest.raises(DecisionIdReused):
        queue.decide(
            "rev_2",
            "approve",
            by="ana",
            proposal_hash=second.proposal_hash,
            decision_id="click-1",
        )
    desk.clock.move(timedelta(hours=1))
    with pytest.raises(ReviewExpired):
        queue.decide("rev_2", "approve", by="ana", proposal_hash=second.proposal_hash)
    with pytest.raises(ReviewClosed):
        queue.decide("rev_3", "approve", by="ana", proposal_hash=third.proposal_hash)
    with pytest.raises(ClaimLost, match="held by ben"):
        queue.decide("rev_4", "approve", by="ana", proposal_hash=fourth.proposal_hash)
    with pytest.raises(NotFound) as missing:
        queue.get("rev_9")
    assert (missing.value.kind, missing.value.id) == ("review", "rev_9")


def test_it_cancels(desk: Desk, queue: QueueClient) -> None:
    desk.open()

    closed = queue.cancel("rev_1", by="ana", reason="asked twice")

    assert closed.status is ReviewStatus.CANCELLED
    assert desk.queue.get("rev_1").closed_reason == "asked twice"


def test_a_wrong_token_is_told(desk: Desk, queue: QueueClient) -> None:
    with (
        QueueClient(queue.url, "another-token-altogether") as stranger,
        pytest.raises(HitlError, match="token"),
    ):
        stranger.pending()


def test_a_silent_server_leaves_the_outcome_unknown() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()

    with QueueClient(url, TOKEN) as queue, pytest.raises(ServerUnreachable, match="no answer"):
        queue.pending()


def test_an_answer_lost_on_the_way_is_asked_for_again_and_decides_once(desk: Desk) -> None:
    review = desk.open()
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))

    class LosesFirstAnswer(httpx.HTTPTransport):
        """The request arrives; its first answer does not."""

        lost = 0

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if self.lost == 0:
                self.lost += 1
                response.close()
                raise httpx.ReadError("the line was cut", request=request)
            return response

    transport = LosesFirstAnswer()
    with serving(app) as url, QueueClient(url, TOKEN, transport=transport) as queue:
        decision = queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    assert transport.lost == 1
    assert desk.queue.get("rev_1").decision == decision
    assert desk.actions() == ["review.opened", "review.decided"]


def test_a_page_that_is_not_the_api_is_not_taken_for_an_answer() -> None:
    def page(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="<html>sign in</html>")

    with (
        QueueClient("http://127.0.0.1", TOKEN, transport=httpx.MockTransport(page)) as queue,
        pytest.raises(ServerUnreachable, match="not the API's"),
    ):
        queue.pending()
