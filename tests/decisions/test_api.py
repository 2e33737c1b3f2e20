import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from hitl.models import Evidence, Presentation, Review
from review_ui.api import create_api
from tests.decisions.desk import NOON, Desk

TOKEN = "a-token-of-this-server"


@pytest.fixture
def http(desk: Desk) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as client:
        yield client


def decide(http: TestClient, review: Review, **changes: Any) -> Any:
    body = {"verdict": "approve", "proposal_hash": review.proposal_hash, "by": "ana"} | changes
    kept = {key: value for key, value in body.items() if value is not ...}
    return http.post(f"/v1/reviews/{review.id}/decision", json=kept)


def test_it_says_that_it_is_alive_to_anybody(desk: Desk) -> None:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))

    answer = TestClient(app).get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"bearer {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN} "[:-2]},
        {"Authorization": "Bearer \xff"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/reviews"),
        ("POST", "/v1/reviews"),
        ("GET", "/v1/reviews/rev_1"),
        ("PATCH", "/v1/reviews/rev_1"),
        ("GET", "/v1/reviews/rev_1/events"),
        ("POST", "/v1/reviews/rev_1/decision"),
        ("POST", "/v1/reviews/rev_1/cancel"),
        ("GET", "/v1/runs"),
        ("GET", "/v1/runs/run_1"),
        ("GET", "/v1/audit"),
    ],
)
def test_nobody_comes_in_without_the_token(
    desk: Desk, method: str, path: str, header: dict[str, str]
) -> None:
    desk.open()
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    encoded = {name.encode(): value.encode("latin-1") for name, value in header.items()}

    answer = TestClient(app).request(method, path, headers=encoded)

    assert answer.status_code == 401
    assert answer.json()["error"] == "Unauthorized"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert desk.actions() == ["review.opened"]


def test_every_route_of_v1_is_behind_the_token(desk: Desk) -> None:
    desk.open()
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    client = TestClient(app)

    paths = app.openapi()["paths"]

    assert len(paths) == 16
    for path, methods in paths.items():
        for method in methods:
            answer = client.request(
                method, path.format(review_id="rev_1", run_id="run_1", name="ana")
            )
            assert answer.status_code == (200 if path in ("/healthz", "/readyz") else 401)


def test_a_short_token_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="fewer than 16"):
        create_api(desk.queue, token="secret")


def test_a_review_is_told_with_its_proposal_hash_and_decisions(
    desk: Desk, http: TestClient
) -> None:
    picture = Evidence(claim="digit 3", image_png=b"\x89PNG\xff\xfe")
    review = desk.open(presentation=Presentation(title="Amount", evidence=(picture,)))

    told = http.get("/v1/reviews/rev_1")

    assert told.status_code == 200
    assert told.headers["Cache-Control"] == "no-store"
    body = told.json()
    assert body["proposal"]["arguments"] == {"update": {"amount": 1200}}
    assert body["proposal_hash"] == review.proposal_hash
    assert (body["status"], body["decisions"]) == ("pending", [])
    decide(http, review)
    after = http.get("/v1/reviews/rev_1").json()
    assert [d["by"] for d in after["decisions"]] == ["ana"]


def test_a_decision_is_saved_and_told(desk: Desk, http: TestClient) -> None:
    review = desk.open()

    answer = decide(
        http, review, verdict="deny", reasons=["wrong"], answer={"amount": 7}, shown_ms=10
    )

    assert answer.status_code == 200
    decision = desk.queue.get("rev_1").decision
    assert decision is not None
    assert answer.json() == json.loads(decision.model_dump_json())
    assert (decision.remedy, decision.answer, decision.surface) == ("answer", {"amount": 7}, "api")


def test_who_names_nobody_decides_as_the_tokens_owner(desk: Desk, http: TestClient) -> None:
    answer = decide(http, desk.open(), by=...)

    assert answer.json()["by"] == "operator"


def test_null_is_an_answer_and_none_is_not(desk: Desk, http: TestClient) -> None:
    first = desk.open("rev_1", answer_schema={})
    second = desk.open("rev_2", answer_schema={})

    null = decide(http, first, verdict="deny", answer=None)
    none = decide(http, second, verdict="deny")

    assert (null.json()["has_answer"], null.json()["remedy"]) == (True, "answer")
    assert (none.json()["has_answer"], none.json()["remedy"]) == (False, "retry")


def test_the_same_decision_id_is_safe_to_send_again(desk: Desk, http: TestClient) -> None:
    review = desk.open()

    first = decide(http, review, decision_id="click-1")
    again = decide(http, review, decision_id="click-1")
    other = decide(http, review, decision_id="click-1", verdict="deny")

    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 409)
    assert first.json() == again.json()


def test_the_loser_is_told_the_winner(desk: Desk, http: TestClient) -> None:
    review = desk.open()
    decide(http, review, by="ben", verdict="deny")

    lost = decide(http, review, by="ana")

    assert lost.status_code == 409
    told = lost.json()
    assert told["error"] == "AlreadyDecided"
    assert (told["facts"]["by"], told["facts"]["verdict"]) == ("ben", "deny")
    assert "already decided by ben (deny)" in told["detail"]


def test_every_refusal_has_its_status(desk: Desk, http: TestClient) -> None:
    open_, expiring = desk.open("rev_1"), desk.open("rev_2", expires_at=NOON + timedelta(hours=1))
    cancelled = desk.open("rev_3")
    held = desk.open("rev_4")
    window = timedelta(hours=9)
    desk.queue.cancel("rev_3", by="ben", reason="asked twice")
    desk.queue.intend(
        "rev_4", "deny", by="ben", proposal_hash=held.proposal_hash, undo_window=window
    )
    desk.clock.move(timedelta(hours=1))

    told = {
        "NotAllowed": decide(http, open_, by="agent:reader"),
        "ReviewExpired": decide(http, expiring),
        "ProposalChanged": decide(http, open_, proposal_hash="0" * 64),
        "ReviewClosed": decide(http, cancelled),
        "ClaimLost": decide(http, held),
        "InvalidAnswer": decide(http, open_, verdict="deny", remedy="takeover"),
        "NotFound": decide(http, open_.model_copy(update={"id": "rev_9"})),
    }

    statuses = {name: answer.status_code for name, answer in told.items()}
    assert statuses == {
        "NotAllowed": 403,
        "ReviewExpired": 410,
        "ProposalChanged": 412,
        "ReviewClosed": 409,
        "ClaimLost": 409,
        "InvalidAnswer": 422,
        "NotFound": 404,
    }
    assert all(answer.json()["error"] == name for name, answer in told.items())
    assert desk.queue.get("rev_1").status == "pending"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "The body"),
        (b'{"verdict": "approve"}', "'proposal_hash'"),
        (b'{"verdict": "maybe", "proposal_hash": "x"}', "'verdict'"),
        (b'{"verdict": "approve", "proposal_hash": "x", "status": "approved"}', "'status'"),
        (b'{"verdict": "approve", "proposal_hash": "x", "decided_by": "ana"}', "'decided_by'"),
        (b'{"verdict": "deny", "verdict": "approve", "proposal_hash": "x"}', "stands twice"),
        (b'{"verdict": "deny", "proposal_hash": "x", "answer": NaN}', "NaN"),
        (b'{"verdict": "deny", "proposal_hash": "x", "shown_ms": "5"}', "'shown_ms'"),
        (b'{"verdict": "deny", "proposal_hash": "x", "surface": "policy"}', "'surface'"),
        (b'{"verdict": "deny", "proposal_hash": "x", "answer": ' + b"9" * 5000 + b"}", "digits"),
        (b'{"verdict": "deny", "proposal_hash": "\xff"}', "not JSON"),
        (b'{"verdict": "deny", "proposal_hash": "x", "answer": ' + b"[" * 100_000, "not JSON"),
    ],
)
def test_a_body_is_read_strictly(desk: Desk, http: TestClient, body: bytes, sentence: str) -> None:
    desk.open()

    answer = http.post("/v1/reviews/rev_1/decision", content=body)

    assert answer.status_code == 422
    assert sentence in answer.json()["detail"]
    assert desk.queue.get("rev_1").status == "pending"


def test_an_answer_beyond_json_is_refused(desk: Desk, http: TestClient) -> None:
    review = desk.open(answer_schema={})
    hash = review.proposal_hash

    for answer in ("1e999", str(2**53 + 1), '"\\ud800"'):
        body = f'{{"verdict": "deny", "by": "ana", "proposal_hash": "{hash}", "answer": {answer}}}'
        told = http.post("/v1/reviews/rev_1/decision", content=body.encode())
        assert told.status_code == 422

    assert desk.queue.get("rev_1").status == "pending"


@pytest.mark.parametrize("path", ["decision", "cancel"])
@pytest.mark.parametrize("streamed", [True, False])
def test_a_large_body_is_refused_before_it_is_read(
    desk: Desk, http: TestClient, path: str, streamed: bool
) -> None:
    desk.open()
    exact = b" " * (256 * 1024)
    over = iter([exact, b" "]) if streamed else exact + b" "

    assert http.post(f"/v1/reviews/rev_1/{path}", content=over).status_code == 413
    assert http.post(f"/v1/reviews/rev_1/{path}", content=exact).status_code == 422


def test_a_get_never_decides(desk: Desk, http: TestClient) -> None:
    review = desk.open()

    for method in ("GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"):
        for path in ("decision", "cancel"):
            answer = http.request(
                method,
                f"/v1/reviews/rev_1/{path}",
                params={"verdict": "approve", "proposal_hash": review.proposal_hash},
            )
            assert answer.status_code == 405

    assert desk.actions() == ["review.opened"]


def test_a_cancelled_review_is_told_closed(desk: Desk, http: TestClient) -> None:
    desk.open()

    answer = http.post("/v1/reviews/rev_1/cancel", json={"reason": "asked twice", "by": "ana"})
    again = http.post("/v1/reviews/rev_1/cancel", json={"reason": "asked twice", "by": "ana"})
    extra = http.post("/v1/reviews/rev_1/cancel", json={"reason": "x", "status": "approved"})

    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert answer.json()["closed_reason"] == "asked twice"
    assert (again.status_code, extra.status_code) == (409, 422)


def test_lists_page_on(desk: Desk, http: TestClient) -> None:
    for n in range(5):
        desk.open(f"rev_{n}", run_id=f"run_{n}", blocking=n != 4)

    seen: list[str] = []
    after: dict[str, str] = {}
    while page := http.get("/v1/reviews", params={"limit": 2, **after}).json():
        seen += [r["id"] for r in page["reviews"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}

    assert seen == [f"rev_{n}" for n in range(5)]

    def by(**query: Any) -> list[str]:
        return [r["id"] for r in http.get("/v1/reviews", params=query).json()["reviews"]]

    assert by(blocking="false") == ["rev_4"]
    assert by(run_id="run_2") == ["rev_2"]
    assert by(workflow="refunds") == []
    assert by(status="approved") == []
    assert len(by(status=["approved", "pending"])) == 5


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "status=maybe", "blocking=perhaps", "limit=x"]
)
def test_a_query_that_is_not_understood_is_refused(http: TestClient, query: str) -> None:
    answer = http.get(f"/v1/reviews?{query}")

    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["detail"]


def test_runs_and_the_trail_are_told(desk: Desk, http: TestClient) -> None:
    desk.open("rev_1", run_id="run_1")
    desk.open("rev_2", run_id="run_2")

    assert {r["id"] for r in http.get("/v1/runs").json()["runs"]} == {"run_1", "run_2"}
    assert http.get("/v1/runs/run_1").json()["workflow"] == "payments"
    missing = http.get("/v1/runs/run_9")
    assert (missing.status_code, missing.json()["error"]) == (404, "NotFound")
    first = http.get("/v1/audit", params={"limit": 1}).json()
    second = http.get("/v1/audit", params={"after": first["next"]}).json()
    actions = [e["body"]["action"] for e in first["events"] + second["events"]]
    assert actions == ["review.opened", "review.opened"]
    assert second["next"] is None
    assert {e["hash"] for e in second["events"]} == {desk.queue.audit()[1].hash}
