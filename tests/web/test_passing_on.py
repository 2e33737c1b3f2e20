"""Not me, or not now; and one letter, one meaning on every page."""

import re
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient

import review_ui
from review_ui.keys import KEYS
from tests.web.records import Desk, HandClock, make_question, make_review

LETTERS = {key.letter for key in KEYS.values()}


def test_what_is_put_off_is_nobody_elses_loss_and_comes_back(
    client: TestClient, desk: Desk, clock: HandClock
) -> None:
    desk.open(make_review(), make_review("rev_2", visit=5))

    went = client.post("/reviews/rev_1/putoff", data={"hours": "1"}, follow_redirects=False)

    assert went.headers["location"] == "/reviews/rev_2"
    assert "Put off until 24 Nov 2026, 13:00:00 UTC" in client.get("/queue").text
    other = desk.queue.claim_next(by="ana", fence="hers")
    assert other is not None
    assert other.id == "rev_1"
    desk.queue.release("rev_1", by="ana", fence="hers")
    clock.move(timedelta(hours=1))
    back = desk.queue.claim_next(by="you", fence="tab")
    assert back is not None
    assert back.id == "rev_1"
    assert client.post("/reviews/rev_2/putoff", data={"hours": "9"}).status_code == 422


def test_what_is_handed_over_is_offered_to_that_colleague_alone(
    client: TestClient, desk: Desk
) -> None:
    desk.open(make_review())

    went = client.post("/reviews/rev_1/handover", data={"to": " mira "}, follow_redirects=False)

    assert went.headers["location"] == "/queue"
    assert desk.queue.get("rev_1").handed_to == "mira"
    assert desk.queue.claim_next(by="you", fence="tab") is None
    taken = desk.queue.claim_next(by="mira", fence="hers")
    assert taken is not None
    assert desk.queue.audit(limit=50)[-1].body["action"] == "review.handed_over"


def test_it_is_not_handed_to_who_may_not_decide_it(client: TestClient, desk: Desk) -> None:
    desk.open(make_review())

    for name, status in (("ina", 403), ("agent:payer", 403), ("", 422), ("you", 422)):
        assert client.post("/reviews/rev_1/handover", data={"to": name}).status_code == status
    assert desk.queue.get("rev_1").handed_to is None


def test_no_letter_has_two_meanings_and_every_bound_key_is_listed(
    client: TestClient, desk: Desk
) -> None:
    assert len(LETTERS) == len(KEYS)
    desk.open(make_review(), make_question("rev_2", visit=5))
    desk.queue.take_over("rev_1", by="you")
    pages = ("/queue", "/reviews/rev_1", "/reviews/rev_2", "/reviews/rev_1/takeover")
    bound = {
        key
        for path in pages
        for key in re.findall(r'data-(?:row-)?key="([^"]+)"', client.get(path).text)
    }
    folder = Path(review_ui.__file__).parent
    heard = set(re.findall(r'key === "(.)"', (folder / "static/hitl.js").read_text()))
    written = [
        template.name
        for template in (folder / "templates").glob("*.html")
        if re.search(r'data-(row-)?key="[a-z]"', template.read_text())
    ]

    assert {"a", "d", "h", "r", "s", "t", "u", "w"} <= bound
    assert {key for key in bound | heard if not key.isdigit()} <= LETTERS
    assert written == [], "A template names a key by its meaning, with key(...)."
