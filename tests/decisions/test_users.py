"""Users' keys over HTTP: the matrix of routes and roles, and who may never decide."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from hitl.client import ReviewClient
from hitl.errors import HitlError, NotAllowed, UserRefused
from hitl.models import ReviewRequest, ReviewStatus
from hitl.stores import open_store
from review_ui import admission, create_app
from review_ui.api import create_api
from review_ui.sentences import Sentences
from tests.decisions.desk import Desk
from tests.decisions.test_client import TOKEN, serving

ROLES = ("agent", "viewer", "reviewer", "lead", "admin")
EVERYBODY = {*ROLES, "operator"}
READERS = EVERYBODY - {"agent"}
MATRIX = {
    "GET /healthz": EVERYBODY | {"nobody", "unknown", "revoked"},
    "GET /readyz": EVERYBODY | {"nobody", "unknown", "revoked"},
    "GET /v1/reviews": READERS,
    "POST /v1/reviews": {"agent", "reviewer", "lead", "admin"},
    "GET /v1/reviews/{review_id}": EVERYBODY,
    "PATCH /v1/reviews/{review_id}": {"agent", "reviewer", "lead", "admin"},
    "GET /v1/reviews/{review_id}/events": EVERYBODY,
    "POST /v1/reviews/{review_id}/decision": {"reviewer", "lead", "admin"},
    "POST /v1/reviews/{review_id}/cancel": {"agent", "reviewer", "lead", "admin"},
    "POST /v1/reviews/{review_id}/takeover": {"reviewer", "lead", "admin"},
    "POST /v1/reviews/{review_id}/handback": {"reviewer", "lead", "admin"},
    "GET /v1/runs": READERS,
    "POST /v1/runs": {"agent", "reviewer", "lead", "admin"},
    "GET /v1/runs/{run_id}": EVERYBODY,
    "POST /v1/runs/{run_id}/stop": {"reviewer", "lead", "admin", "operator"},
    "POST /v1/runs/{run_id}/resume": {"lead", "admin"},
    "GET /v1/audit": READERS,
    "GET /v1/users": {"admin", "operator"},
    "POST /v1/users": {"admin", "operator"},
    "POST /v1/users/{name}/revoke": {"admin", "operator"},
}
"""Who passes the door of each route; everybody else is refused there."""

Key = Callable[..., str]


@pytest.fixture
def key(desk: Desk) -> Key:
    """Return a function that makes a user and returns their key."""

    def make(name: str, role: str, **more: Any) -> str:
        return desk.queue.users.add(name, role, by="operator", **more)[1]

    return make


@pytest.fixture
def http(desk: Desk) -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    with TestClient(app) as client:
        yield client


def as_user(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def ask(http: TestClient, secret: str, **more: Any) -> Any:
    body = {"action": "pay", "arguments": {"eur": 120}} | more
    return http.post("/v1/reviews", json=body, headers=as_user(secret))


def decide(http: TestClient, secret: str, review: Any, **more: Any) -> Any:
    body = {"verdict": "approve", "proposal_hash": review["proposal_hash"]} | more
    return http.post(f"/v1/reviews/{review['id']}/decision", json=body, headers=as_user(secret))


# -- the matrix ---------------------------------------------------------------------------------


def test_each_route_lets_in_the_roles_it_is_for_and_nobody_else(
    desk: Desk, http: TestClient, key: Key
) -> None:
    secrets = {role: key(f"{role} one", role) for role in ROLES}
    secrets |= {"operator": TOKEN, "unknown": "hitl_0123456789_" + "a" * 43}
    secrets["revoked"] = key("gone", "admin")
    desk.queue.users.revoke("gone", by="operator")
    routes = routes_of(http)

    passed = {
        route: {who for who in (*secrets, "nobody") if passes(http, route, secrets.get(who))}
        for route in routes
    }

    assert passed == MATRIX
    assert len(routes) * (len(secrets) + 1) == 180


def routes_of(http: TestClient) -> list[str]:
    app = http.app
    assert isinstance(app, FastAPI)
    paths = app.openapi()["paths"]
    return [f"{method.upper()} {path}" for path, of in paths.items() for method in of]


def passes(http: TestClient, route: str, secret: str | None) -> bool:
    method, path = route.split(" ")
    headers = {} if secret is None else as_user(secret)
    at = path.format(review_id="rev_none", run_id="run_none", name="none")
    answer = http.request(method, at, headers=headers, content=b"{}")
    assert answer.status_code in (200, 401, 403, 404, 422), answer.text
    if answer.status_code == 401:
        assert secret is None or "hitl_" in secret
    return answer.status_code not in (401, 403)


def test_the_table_names_every_route(http: TestClient) -> None:
    routes = {route.replace("run_id", "run_id:path") for route in routes_of(http)}

    assert set(admission.NEEDS) == routes - {"GET /healthz", "GET /readyz"} | {
        "GET /v1/openapi.json"
    }


def test_a_route_that_is_not_in_the_table_is_refused_to_everybody(desk: Desk, key: Key) -> None:
    router = APIRouter(
        route_class=Sentences, dependencies=[Depends(admission.admission(desk.queue, TOKEN))]
    )
    router.add_api_route("/v1/forgotten", lambda: "secret")
    app = FastAPI()
    app.include_router(router)
    http = TestClient(app)

    answers = [
        http.get("/v1/forgotten", headers=as_user(secret)).status_code
        for secret in (TOKEN, key("ada", "admin"))
    ]

    assert answers == [403, 403]


def test_what_is_somebody_elses_is_not_even_there_for_an_agent(http: TestClient, key: Key) -> None:
    buyer, seller = key("buyer", "agent"), key("seller", "agent")
    mine = ask(http, buyer).json()
    at = f"/v1/reviews/{mine['id']}"

    calls = [
        ("GET", at),
        ("GET", f"{at}/events"),
        ("PATCH", at),
        ("GET", f"/v1/runs/{mine['run_id']}"),
    ]
    body = {"arguments": {"eur": 1}}
    theirs = [http.request(m, p, json=body, headers=as_user(seller)).status_code for m, p in calls]
    own = http.patch(at, json=body, headers=as_user(buyer))

    assert theirs == [404] * 4
    assert (own.status_code, own.json()["initiator"]) == (200, "agent:buyer")
    assert (
        http.post(f"{at}/cancel", json={"reason": "no"}, headers=as_user(seller)).status_code == 403
    )


def test_idempotency_keys_of_two_users_are_apart(http: TestClient, key: Key) -> None:
    one, other = (
        http.post(
            "/v1/reviews",
            json={"action": "pay", "arguments": {}},
            headers=as_user(secret) | {"Idempotency-Key": "1"},
        )
        for secret in (key("buyer", "agent"), key("seller", "agent"))
    )

    assert (one.status_code, other.status_code) == (201, 201)
    assert one.json()["id"] != other.json()["id"]


# -- who may never decide -----------------------------------------------------------------------


def test_an_agents_key_never_decides(desk: Desk, http: TestClient, key: Key) -> None:
    buyer, seller = key("buyer", "agent"), key("seller", "agent")
    review = ask(http, buyer).json()

    refused = [decide(http, secret, review) for secret in (buyer, seller)]

    assert [(r.status_code, r.json()["error"]) for r in refused] == [(403, "Forbidden")] * 2
    with pytest.raises(NotAllowed, match="only people decide"):
        desk.queue.decide(
            review["id"], "approve", by="agent:seller", proposal_hash=review["proposal_hash"]
        )


@pytest.mark.parametrize("role", ["reviewer", "lead", "admin"])
def test_whoever_asked_cannot_say_yes_with_any_of_their_keys(
    http: TestClient, key: Key, role: str
) -> None:
    first, second, other = key("ana", role), key("ana", "admin"), key("ben", "reviewer")
    review = ask(http, first).json()

    own = [decide(http, secret, review).status_code for secret in (first, second)]
    in_anothers_name = decide(http, first, review, by="ben")
    by_ben = decide(http, other, review)

    assert (review["initiator"], own) == ("ana", [403, 403])
    assert in_anothers_name.status_code == 403
    assert (by_ben.status_code, by_ben.json()["by"]) == (200, "ben")


def test_the_person_an_agent_works_for_cannot_decide_what_it_asks(
    desk: Desk, http: TestClient, key: Key
) -> None:
    ana, ben = key("ana", "admin"), key("ben", "reviewer")
    review = ask(http, key("buyer", "agent", owner="ana")).json()
    desk.queue.users.revoke("agent:buyer", by="ben")  # too late to get rid of the rule

    refused = decide(http, ana, review)

    assert refused.status_code == 403
    assert "works for ana" in refused.json()["detail"]
    assert desk.queue.claim_next(by="ana", fence="tab") is None
    with pytest.raises(NotAllowed):
        desk.queue.claim(review["id"], by="ana", fence="tab")
    assert decide(http, ben, review).status_code == 200


def test_a_viewer_decides_nowhere(desk: Desk, http: TestClient, key: Key) -> None:
    vera = key("vera", "viewer")
    review = desk.open()

    over_http = decide(http, vera, {"id": review.id, "proposal_hash": review.proposal_hash})

    assert over_http.status_code == 403
    with pytest.raises(NotAllowed, match="viewer may not decide"):
        desk.queue.decide(review.id, "approve", by="vera", proposal_hash=review.proposal_hash)


@pytest.mark.parametrize("field", ["status", "decided_by", "expires_at", "proposal_hash", "tenant"])
def test_what_the_server_decides_cannot_be_sent(http: TestClient, key: Key, field: str) -> None:
    refused = ask(http, key("buyer", "agent"), **{field: "approved"})

    assert refused.status_code == 422
    assert ask(http, key("eve", "agent"), by="ana").status_code == 403


# -- the machine's own token, before and after --------------------------------------------------


def test_the_first_key_ends_the_time_when_the_token_could_do_everything(
    desk: Desk, http: TestClient, key: Key
) -> None:
    before = ask(http, TOKEN, by="ina")
    made = http.post(
        "/v1/users", json={"name": "ana", "role": "reviewer"}, headers=as_user(TOKEN)
    ).json()
    review = before.json()

    after = decide(http, TOKEN, review, by="ana")
    desk.queue.users.revoke("ana", by="operator")
    no_way_back = decide(http, TOKEN, review, by="ana")

    assert before.status_code == 201
    assert (after.status_code, no_way_back.status_code) == (403, 403)
    assert "digest" not in made["user"]
    assert desk.actions("hitl:users") == ["user.key_added", "user.key_revoked"]
    assert desk.queue.verify() is None


# -- keys ---------------------------------------------------------------------------------------


def test_of_a_key_only_its_hash_is_kept(desk: Desk, key: Key, url: str) -> None:
    secret = key("ana", "admin")
    desk.store.close()

    kept = b"".join(
        file.read_bytes() for file in sorted(path_of(url).parent.iterdir()) if file.is_file()
    )

    assert secret.encode() not in kept
    assert secret.rpartition("_")[2].encode() not in kept
    assert secret.split("_")[1].encode() in kept
    again = open_store(url)
    assert again.read(lambda r: [k.name for k in r.user_keys()]) == ["ana"]
    again.close()


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@pytest.mark.parametrize(
    "address",
    ["/v1/reviews?api_key={}", "/v1/reviews?x={}", "/v1/reviews/{}", "/v1/reviews?token=short"],
)
def test_a_key_in_an_address_is_refused(http: TestClient, key: Key, address: str) -> None:
    secret = key("ana", "admin")

    refused = http.get(address.format(secret), headers=as_user(secret))

    assert refused.status_code == 400
    assert secret not in refused.text


@pytest.mark.parametrize(
    ("name", "role", "owner"),
    [
        ("", "viewer", None),
        (" ana", "viewer", None),
        ("Ana", "viewer", None),
        ("ａna", "viewer", None),
        ("an\u200ba", "viewer", None),
        ("policy", "admin", None),
        ("agent:x", "reviewer", None),
        ("x" * 101, "viewer", None),
        ("ben", "king", None),
        ("ben", "viewer", "ana"),
        ("bot", "agent", "nobody"),
    ],
)
def test_a_user_who_could_be_taken_for_another_is_refused(
    desk: Desk, key: Key, name: str, role: str, owner: str | None
) -> None:
    key("ana", "viewer")

    with pytest.raises(UserRefused, match=r"Nothing was saved|choose one of"):
        key(name, role, owner=owner)

    assert [k.name for k in desk.queue.users.all()] == ["ana"]


def test_a_revoked_key_ends_at_once_also_for_those_who_wait(desk: Desk, key: Key) -> None:
    app = FastAPI()
    app.include_router(create_api(desk.queue, token=TOKEN))
    secret = key("buyer", "agent")
    ended: dict[str, Any] = {}

    with serving(app) as address, ReviewClient(address, api_key=secret) as people:
        review = people.request(ReviewRequest(action="pay", arguments={"eur": 120}))
        follower = threading.Thread(
            target=lambda: ended.update(stream=followed(address, secret, review.id))
        )
        waiter = threading.Thread(target=lambda: ended.update(wait=refused(people, review.id)))
        follower.start()
        waiter.start()
        time.sleep(0.5)
        desk.queue.users.revoke("agent:buyer", by="ana")
        started = time.monotonic()
        follower.join(10)
        waiter.join(10)
        took = time.monotonic() - started
        with pytest.raises(HitlError, match="not revoked"):
            people.get(review.id)

    assert took < 3.0
    assert ended["stream"].count("event: review") == 1
    assert "revoked" in ended["wait"]
    assert desk.queue.get(review.id).status is ReviewStatus.PENDING


def followed(address: str, secret: str, review_id: str) -> str:
    at = f"{address}/v1/reviews/{review_id}/events"
    return httpx.get(at, headers=as_user(secret), timeout=20, trust_env=False).text


def refused(people: ReviewClient, review_id: str) -> str:
    with pytest.raises(HitlError) as told:
        people.wait(review_id, timeout=15)
    return str(told.value)


# -- the pages ----------------------------------------------------------------------------------


@pytest.fixture
def pages(desk: Desk) -> Iterator[TestClient]:
    app = create_app(desk.queue, clock=desk.clock, token="printed-once-in-a-terminal")
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        yield client


def sign_in(pages: TestClient, secret: str) -> int:
    return pages.post("/sign-in", data={"token": secret}).status_code


def test_the_pages_open_with_a_key_and_carry_its_name(
    desk: Desk, pages: TestClient, key: Key
) -> None:
    review = desk.open()
    assert pages.get("/?token=printed-once-in-a-terminal").status_code == 303
    assert pages.get("/queue").status_code == 200
    ana = key("ana", "reviewer")

    without = pages.get("/queue").status_code
    by_link = pages.get(f"/?token={ana}").status_code
    by_key = sign_in(pages, ana)
    held = pages.post(f"/reviews/{review.id}/claim", data={"fence": "tab"})

    assert (without, by_link, by_key, held.status_code) == (401, 401, 303, 303)
    assert desk.queue.get(review.id).holder == "ana"
    desk.queue.users.revoke("ana", by="operator")
    assert pages.get("/queue").status_code == 401


def test_on_the_pages_a_viewer_looks_and_an_agent_stays_outside(
    desk: Desk, pages: TestClient, key: Key
) -> None:
    review = desk.open()

    agent = sign_in(pages, key("buyer", "agent"))
    viewer = sign_in(pages, key("vera", "viewer"))
    looked = pages.get(f"/reviews/{review.id}").status_code
    held = pages.post(f"/reviews/{review.id}/claim", data={"fence": "tab"}).status_code

    assert (agent, viewer, looked, held) == (401, 303, 200, 403)
    assert desk.queue.get(review.id).holder is None
