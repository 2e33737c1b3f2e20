"""The queue: views, filter, search, order, and a look that holds nothing."""

import re
from datetime import timedelta

from fastapi.testclient import TestClient

from tests.web.acting import PARTIAL
from tests.web.records import NOON, Desk, make_presentation, make_review


def rows(client: TestClient, query: str) -> list[str]:
    return re.findall(r'id="row-(\w+)"', client.get(f"/queue?{query}").text)


def full(desk: Desk) -> None:
    third = make_presentation(title="Pay Alba", reliability_now=0.2)
    desk.open(
        make_review(),
        make_review("rev_2", visit=5, risk="high", due_at=NOON + timedelta(hours=3)),
        make_review("rev_3", visit=6, due_at=NOON + timedelta(days=2), presentation=third),
    )


def test_views_say_whose_and_when(client: TestClient, desk: Desk) -> None:
    full(desk)
    desk.queue.claim("rev_1", by="you", fence="tab")
    desk.queue.claim("rev_2", by="ana", fence="hers")
    desk.queue.hand_over("rev_2", by="ana", to="you")
    third = desk.queue.get("rev_3")

    assert rows(client, "view=mine") == ["rev_1", "rev_2"]
    assert rows(client, "view=unclaimed") == ["rev_3"]
    assert rows(client, "view=due") == ["rev_1"]
    desk.queue.decide("rev_3", "deny", by="ana", proposal_hash=third.proposal_hash)
    assert rows(client, "view=decided") == rows(client, "status=denied") == ["rev_3"]
    assert rows(client, "view=all") == ["rev_1", "rev_2"]


def test_the_list_is_filtered_searched_and_sorted_by_its_address(
    client: TestClient, desk: Desk
) -> None:
    full(desk)

    assert rows(client, "risk=high") == ["rev_2"]
    assert rows(client, "q=pay+alba&order=newest") == ["rev_3"]
    assert rows(client, "order=reliability") == ["rev_3", "rev_1", "rev_2"]
    assert rows(client, "q=nobody") == []
    assert "Nothing matches" in client.get("/queue?q=nobody").text
    page = client.get("/queue?q=%22%3E%3Cscript%3E&risk=low").text
    assert "<script>" not in page
    assert client.get("/queue?order=cheapest").status_code == 422


def test_a_look_shows_what_it_is_about_and_holds_nothing(client: TestClient, desk: Desk) -> None:
    full(desk)

    part = client.get("/reviews/rev_1/peek", headers=PARTIAL).text
    whole = client.get("/reviews/rev_1/peek").text

    assert desk.queue.get("rev_1").holder is None
    for page in (part, whole):
        assert "Alba Components SRL" in page
        assert 'href="/reviews/rev_1"' in page
        assert "data-verdict" not in page
    assert "<html" in whole
    assert "<html" not in part
