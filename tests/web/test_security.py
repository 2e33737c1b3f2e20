from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from starlette.types import Message

from review_ui import assets, create_app, deciding, doorway, pages
from review_ui.door import MOST_SESSIONS, Door
from tests.web.acting import PARTIAL, send
from tests.web.conftest import HOME
from tests.web.records import NOON, Desk, HandClock, make_review

TOKEN = "a-token-that-was-printed-once"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " font-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none';"
    " base-uri 'none'"
)


@pytest.fixture
def guarded(desk: Desk) -> Iterator[TestClient]:
    """The pages behind their one-time link."""
    app = create_app(desk.queue, clock=desk.clock, token=TOKEN)
    with TestClient(app, base_url=HOME) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/queue", "/reviews/rev_1", "/runs/run_1", "/sign-in", "/no/such/page", "/queue/rows"]
)
def test_every_answer_carries_the_headers(client: TestClient, desk: Desk, path: str) -> None:
    desk.open(make_review())

    headers = client.get(path).headers

    assert headers["content-security-policy"] == CSP
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_an_answer_that_failed_carries_the_headers_and_no_trace(desk: Desk) -> None:
    app = create_app(desk.queue, clock=desk.clock)
    desk.store.close()

    with TestClient(app, base_url=HOME, raise_server_exceptions=False) as client:
        answer = client.get("/queue")

    assert answer.status_code == 503
    assert answer.headers["content-security-policy"] == CSP
    assert "Traceback" not in answer.text
    assert "sqlite" not in answer.text.lower()


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_a_foreign_host_header_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/queue", headers={"Host": host})

    assert answer.status_code == 400
    assert "allowed_hosts" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost", "LOCALHOST:1", "[::1]:8700"])
def test_our_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/queue", headers={"Host": host}).status_code == 200


def test_other_names_are_answered_where_they_are_allowed(desk: Desk) -> None:
    app = create_app(desk.queue, clock=desk.clock, allowed_hosts=["hitl.acme.example"])

    with TestClient(app, base_url="http://hitl.acme.example") as client:
        assert client.get("/queue").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another port of the same machine
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site", "Origin": HOME},  # what the browser says counts
    ],
)
def test_a_cross_site_post_does_nothing(
    client: TestClient, desk: Desk, headers: dict[str, str]
) -> None:
    review = make_review()
    desk.open(review)
    data = {"verdict": "approve", "proposal_hash": review.proposal_hash}

    answer = client.post("/reviews/rev_1/decision", data=data, headers=headers)

    assert answer.status_code == 403
    assert desk.queue.intent("rev_1") is None


def test_every_route_that_writes_refuses_another_site(desk: Desk) -> None:
    app = create_app(desk.queue, clock=desk.clock)
    writes = [
        route.path.replace("{review_id}", "rev_1")
        for route in _routes()
        if (route.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
    ]

    with TestClient(app, base_url=HOME) as client:
        for path in writes:
            assert client.post(path, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403

    assert len(writes) >= 7


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": HOME}])
def test_a_post_of_our_own_pages_is_taken(
    client: TestClient, desk: Desk, headers: dict[str, str]
) -> None:
    desk.open(make_review())

    answer = client.post("/reviews/rev_1/claim", data={"fence": "mine"}, headers=headers | PARTIAL)

    assert answer.status_code == 200


def test_without_a_session_every_page_is_the_sign_in_page(guarded: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    open_to_all = {"/", "/sign-in", "/sign-out", "/preferences", "/_s/{digest}/{name:path}"}
    closed = [r for r in _routes() if r.path not in open_to_all]

    for route in closed:
        path = route.path.replace("{review_id}", "rev_1").replace("{run_id:path}", "run_1")
        path = path.replace("{number}", "0")
        method = next(iter(route.methods or {"GET"}))
        answer = guarded.request(method, path)
        assert (path, answer.status_code) == (path, 401)
        assert "Alba" not in answer.text

    assert len(closed) >= 10
    assert desk.queue.get("rev_1").holder is None


def test_the_sign_in_page_says_how_to_come_in(guarded: TestClient) -> None:
    page = guarded.get("/queue").text

    assert "one-time link that was printed in the terminal" in page


def test_the_link_opens_once_and_leaves_the_address_bar(guarded: TestClient, desk: Desk) -> None:
    first = guarded.get(f"/?token={TOKEN}", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/queue")
    assert guarded.get("/queue").status_code == 200

    with TestClient(guarded.app, base_url=HOME) as somebody_else:
        second = somebody_else.get(f"/?token={TOKEN}", follow_redirects=False)

    assert second.status_code == 401
    assert "This link was used before" in second.text


def test_the_link_clicked_again_by_who_is_signed_in_goes_to_the_queue(
    guarded: TestClient,
) -> None:
    guarded.get(f"/?token={TOKEN}")

    assert guarded.get(f"/?token={TOKEN}").url.path == "/queue"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(guarded: TestClient) -> None:
    cookie = guarded.get(f"/?token={TOKEN}", follow_redirects=False).headers["set-cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert TOKEN not in cookie
    assert cookie.startswith("hitl_80=")  # cookies of 127.0.0.1 are shared by all its ports


def test_over_https_the_cookie_is_secure_and_tied_to_its_host(desk: Desk) -> None:
    app = create_app(desk.queue, clock=desk.clock, token=TOKEN)

    with TestClient(app, base_url="https://localhost") as client:
        cookie = client.get(f"/?token={TOKEN}", follow_redirects=False).headers["set-cookie"]

    assert cookie.startswith("__Host-hitl_443=")
    assert "Secure" in cookie


@pytest.mark.parametrize("token", ["", "x", TOKEN + "x", TOKEN[:-1], "ä" * 40])
def test_a_wrong_token_opens_nothing(guarded: TestClient, token: str) -> None:
    assert guarded.get("/", params={"token": token}).status_code == 401
    assert guarded.get("/queue").status_code == 401


def test_a_browser_that_looks_ahead_does_not_use_the_link_up(guarded: TestClient) -> None:
    guarded.get(f"/?token={TOKEN}", headers={"Sec-Purpose": "prefetch;prerender"})

    assert guarded.get(f"/?token={TOKEN}").status_code == 200


def test_the_token_can_be_pasted(guarded: TestClient) -> None:
    page = guarded.get("/sign-in").text

    answer = send(guarded, page, "/sign-in", token=f" {TOKEN}\n")

    assert answer.url.path == "/queue"


def test_signing_out_ends_the_session_on_the_server(guarded: TestClient) -> None:
    guarded.get(f"/?token={TOKEN}")
    session = guarded.cookies["hitl_80"]
    guarded.post("/sign-out")

    guarded.cookies.set("hitl_80", session)

    assert guarded.get("/queue").status_code == 401


def test_a_session_unused_for_half_a_day_is_over(guarded: TestClient, clock: HandClock) -> None:
    guarded.get(f"/?token={TOKEN}")
    clock.move(timedelta(hours=11))
    assert guarded.get("/queue").status_code == 200
    clock.move(timedelta(hours=12, seconds=1))

    assert guarded.get("/queue").status_code == 401


def test_a_signed_out_poll_says_so_in_place(guarded: TestClient) -> None:
    answer = guarded.get("/queue/rows", headers=PARTIAL)

    assert answer.status_code == 401
    assert "<html" not in answer.text
    assert "You are signed out." in answer.text


def test_sessions_are_few() -> None:
    doors = [Door(f"token {i}") for i in range(3)]
    opened = [door.open(f"token {i}", now=NOON) for i, door in enumerate(doors)]

    assert len(set(opened)) == 3
    assert all(door.is_used for door in doors)
    assert MOST_SESSIONS == 100


def test_a_form_over_half_a_mebibyte_is_refused(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    answer = client.post("/reviews/rev_1/decision", data={"note": "x" * 600_000})

    assert answer.status_code == 413
    assert "Nothing was saved." in answer.text


def test_a_form_of_thousands_of_fields_is_refused(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    answer = client.post("/reviews/rev_1/decision", data={f"answer.{i}": "x" for i in range(5_000)})

    assert answer.status_code == 400
    assert desk.queue.intent("rev_1") is None


def test_a_form_without_a_length_is_refused(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    answer = client.post(
        "/reviews/rev_1/decision",
        content=iter([b"verdict=approve"]),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 411


async def test_a_form_that_breaks_off_saves_nothing_and_is_no_incident(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.open(make_review())
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/reviews/rev_1/claim",
        "query_string": b"",
        "headers": [
            (b"host", b"127.0.0.1"),
            (b"content-length", b"100"),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send_back(message: Message) -> None:
        sent.append(message)

    await create_app(desk.queue, clock=desk.clock)(scope, receive, send_back)

    assert sent[0]["status"] == 400
    assert desk.queue.get("rev_1").holder is None
    assert caplog.records == []


def test_the_posted_fields_name_nobody_and_set_nothing_else(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())
    page = client.get("/reviews/rev_1").text

    send(
        client,
        page,
        "approve",
        by="ceo",
        reviewer="ceo",
        status="executed",
        surface="api",
        decided_at="2020-01-01T00:00:00Z",
        undo_window="0",
    )

    intent = desk.queue.intent("rev_1")
    assert intent is not None
    assert (intent.decision.by, intent.decision.surface) == ("you", "page")
    assert intent.decision.decided_at == NOON


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_no_page_describes_the_app_to_strangers(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/_s/{d}/../app.py", "/_s/{d}/%2e%2e/app.py", "/_s/{d}/VENDOR.toml", "/_s/old/hitl.css"],
)
def test_only_static_files_of_this_version_are_served(client: TestClient, path: str) -> None:
    digest = client.get("/queue").text.split("/_s/")[1].split("/")[0]

    assert client.get(path.replace("{d}", digest)).status_code == 404


def test_static_files_are_kept_for_a_year(client: TestClient) -> None:
    address = client.get("/queue").text.split('rel="stylesheet" href="')[1].split('"')[0]

    answer = client.get(address)

    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")


def _routes() -> list[APIRoute]:
    parts = (assets, doorway, pages, deciding)
    return [r for part in parts for r in part.router.routes if isinstance(r, APIRoute)]
