"""The queue inside somebody else's FastAPI app, below a path and behind their own sign-in."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Cookie, Depends, FastAPI, HTTPException
from playwright.sync_api import Browser, expect

import hitl
from hitl import Workflow
from hitl.errors import ConfigurationError
from hitl.models import RunStatus
from tests.runtime.stage import Cheque, always, line, policy
from tests.web.served import serving
from tests.web.test_browser import ARMED, browser  # noqa: F401 - a fixture

ANA = {"who": "ana"}


def current_user(who: Annotated[str, Cookie()] = "") -> str:
    """The sign-in of the app around the queue: a cookie."""
    if who not in ("ana", "bo"):
        raise HTTPException(401, "Sign in to the shop first.")
    return who


def pay(state: Cheque) -> Cheque:
    return {"paid": f"EUR {state['amount']}"}


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Workflow]:
    rules = policy(always("pay", place="before", title="Pay {amount}"))
    app = hitl.wrap(line(pay=pay), rules, store=f"sqlite:///{tmp_path / 'hitl.db'}", name="shop")
    yield app
    app.close()


def shop(app: Workflow) -> FastAPI:
    """Return an app with a page of its own and the queue below a path."""
    web = FastAPI()

    @web.get("/")
    def home(user: Annotated[str, Depends(current_user)]) -> dict[str, str]:
        return {"hello": user}

    web.include_router(app.router(auth=current_user), prefix="/approvals")
    return web


@pytest.fixture
def base(app: Workflow) -> Iterator[str]:
    with serving(shop(app), lifespan="on") as base:
        yield base


def test_without_a_dependency_it_is_refused(app: Workflow) -> None:
    with pytest.raises(ConfigurationError, match=r"needs `auth=`.*none was given.*`app.serve\(\)`"):
        app.router()
    given: Any = "ana"
    with pytest.raises(ConfigurationError, match="a str was given"):
        app.router(auth=given)


@pytest.mark.parametrize("path", ["/", "/queue", "/runs", "/v1/reviews", "/healthz", "/nowhere"])
def test_who_is_not_signed_in_sees_what_the_shop_tells_them(base: str, path: str) -> None:
    told = httpx.get(f"{base}/approvals{path}")

    assert (told.status_code, told.json()) == (401, {"detail": "Sign in to the shop first."})


def test_links_files_and_headers_are_right_below_the_path(app: Workflow, base: str) -> None:
    run = app.start({"amount": 43})
    with httpx.Client(base_url=base, cookies=ANA) as web:
        page = web.get("/approvals/", follow_redirects=True)
        assert page.url.path == "/approvals/queue"
        named = re.findall(r'(?:href|src|action|hx-get|hx-post)="(/[^"]*)"', page.text)
        assert len(named) > 8
        assert [path for path in named if not path.startswith("/approvals/")] == []
        looked = [path for path in named if "/_s/" in path or path.endswith(("/queue", "/runs"))]
        assert {web.get(path).status_code for path in looked} == {200}
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert web.get(f"/approvals/runs/{run.id}").status_code == 200
        assert web.get("/approvals/reviews/rev_none").status_code == 404
        assert "no page at this address" in web.get("/approvals/nowhere").text
        assert web.get("/").json() == {"hello": "ana"}
        assert "content-security-policy" not in web.get("/").headers


def test_a_cookie_of_ours_stays_below_the_path(base: str) -> None:
    with httpx.Client(base_url=base, cookies=ANA) as web:
        said = web.post("/approvals/preferences", data={"theme": "dark", "back": "/approvals/runs"})

    assert said.headers["location"] == "/approvals/runs"
    assert "Path=/approvals;" in said.headers["set-cookie"] + ";"


def test_the_api_acts_in_the_name_of_who_is_signed_in_and_in_no_other(
    app: Workflow, base: str
) -> None:
    run = app.start({"amount": 43}, by="bo")
    (review,) = run.reviews()
    said = {"verdict": "approve", "proposal_hash": review.proposal_hash, "decision_id": "dec_1"}
    path = f"/approvals/v1/reviews/{review.id}/decision"

    with httpx.Client(base_url=base, cookies={"who": "bo"}) as web:
        assert web.post(path, json={**said, "by": "ana"}).status_code == 403
        assert web.post(path, json=said).json()["error"] == "NotAllowed"
    with httpx.Client(base_url=base, cookies=ANA) as web:
        other = web.post(path, json=said, headers={"Sec-Fetch-Site": "cross-site"})
        assert other.status_code == 403
        assert web.post(path, json=said).json()["by"] == "ana"

    assert run.wait(timeout=10) is RunStatus.DONE  # the shop's app advances it
    assert app.is_serving
    assert run.value["paid"] == "EUR 43"


def test_a_program_asks_in_the_name_of_who_is_signed_in(base: str) -> None:
    asked: dict[str, Any] = {"action": "pay", "arguments": {"eur": 1}}
    with httpx.Client(base_url=f"{base}/approvals/v1", cookies=ANA) as web:
        assert web.post("/reviews", json={**asked, "by": "bo"}).status_code == 403
        review = web.post("/reviews", json=asked).json()
        changed = {"arguments": {"eur": 2}}
        assert review["initiator"] == "ana"
        assert web.patch(f"/reviews/{review['id']}", json=changed).status_code == 200
        web.cookies.set("who", "bo")
        other = web.patch(f"/reviews/{review['id']}", json=changed)
        assert (other.status_code, other.json()["error"]) == (403, "NotAllowed")


def test_it_stops_advancing_when_the_shops_app_ends(app: Workflow) -> None:
    with serving(shop(app), lifespan="on") as base:
        assert httpx.get(f"{base}/approvals/queue", cookies=ANA).status_code == 200
        assert app.is_serving
    assert not app.is_serving


def nobody() -> None:
    """Lets everybody in and names nobody."""


@pytest.mark.parametrize("auth", [nobody, lambda: "", lambda: 7], ids=["none", "empty", "number"])
def test_who_has_no_name_is_not_let_in(app: Workflow, auth: Callable[[], Any]) -> None:
    web = FastAPI()
    web.include_router(app.router(auth=auth), prefix="/approvals")
    with serving(web) as base:
        assert httpx.get(f"{base}/approvals/queue").status_code == 500


def test_two_workflows_and_a_proxys_path_do_not_mix(tmp_path: Path, app: Workflow) -> None:
    other = hitl.wrap(line(pay=pay), store="sqlite://", name="other")
    web = shop(app)
    web.include_router(other.router(auth=lambda: "ana"), prefix="/others")
    try:
        with (
            serving(web, root_path="/shop") as base,
            httpx.Client(base_url=base, cookies=ANA) as browse,
        ):
            for prefix, title in (("/approvals", "shop"), ("/others", "other")):
                page = browse.get(f"{prefix}/queue")
                assert f"{title}</title>" in page.text
                assert f'href="/shop{prefix}/runs"' in page.text
    finally:
        other.close()


@pytest.mark.browser
def test_a_click_below_the_path_decides_in_the_reviewers_name(
    app: Workflow,
    base: str,
    browser: Browser,  # noqa: F811
) -> None:
    run = app.start({"amount": 43})
    (review,) = run.reviews()
    strange: list[str] = []
    context = browser.new_context()
    context.add_cookies([{"name": "who", "value": "ana", "url": base}])
    page = context.new_page()
    page.on("console", lambda said: strange.append(said.text))
    page.on("response", lambda r: strange.append(r.url) if r.status >= 400 else None)

    page.goto(f"{base}/approvals")
    page.get_by_role("link", name="Pay 43", exact=True).click()
    page.wait_for_timeout(ARMED)
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("all caught up")).to_be_visible()

    assert page.url == f"{base}/approvals/queue"
    intent = app.queue.intent(review.id)
    assert intent is not None
    assert (intent.decision.by, intent.decision.verdict) == ("ana", "approve")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Taken back. Nothing was sent.")).to_be_visible()
    assert strange == []
    context.close()
