"""The desk in the browser: the feed, the score, the page."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hitl.demo.board import Board
from hitl.demo.desk import Desk
from hitl.demo.headless import process
from hitl.demo.live import ENOUGH, Feed, open_desk, serve_desk
from hitl.demo.reviewer import SimulatedReviewer
from hitl.demo.simulation import simulate
from hitl.models import RunStatus

CHEQUES = 14


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    opened = open_desk(cheques=CHEQUES, seed=0, budget=0.1, folder=tmp_path / "new")
    yield opened
    opened.app.close()


@pytest.fixture
def browser(desk: Desk) -> Iterator[TestClient]:
    server = serve_desk(desk, port=0, reviewer="ana")
    token = server.url.partition("?token=")[2]
    with TestClient(server.app, base_url="http://127.0.0.1") as client:
        landed = client.get("/", params={"token": token})
        assert landed.url.path == "/demo"
        yield client
    server.listener.close()


def wait_until(happened: object, *, within: float = 20.0) -> None:
    assert callable(happened)
    give_up = time.monotonic() + within
    while not happened():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_the_first_minute_has_its_story() -> None:
    # 2.2 s per cheque: the first doubtful digit after 10 s, right; the first wrong one at 25 s.
    _, _, outcome = simulate(0, 24, budget=0.1, accuracy=1.0)

    asked, denied = outcome.reviewed.any(axis=1), outcome.denied.any(axis=1)

    assert (int(asked.argmax()) + 1, int(denied.argmax()) + 1) == (5, 12)
    assert outcome.denied[:12].sum() == 1
    assert 5 <= outcome.reviewed.sum() <= 12


def test_the_score_counts_cheques_that_are_over_and_agrees_with_the_fast_path(desk: Desk) -> None:
    board = Board(desk)
    assert board.score().over == 0
    assert board.score().current is None

    process(desk, SimulatedReviewer(1.0, seed=0))
    score = board.score()

    _, work, outcome = simulate(0, CHEQUES, budget=0.1, accuracy=1.0)
    alone = (outcome.read == work.truth).all(axis=1)
    with_you = (outcome.final == work.truth).all(axis=1)
    assert (score.over, score.total) == (CHEQUES, CHEQUES)
    assert (score.alone_right, score.with_you_right) == (alone.sum(), with_you.sum())
    assert score.saved == (with_you & ~alone).sum() >= 1
    assert score.spoiled == 0
    assert score.labels == outcome.reviewed.sum()
    assert score.clicks >= score.labels
    assert score.questions == (int(outcome.reviewed[:10].sum()),)
    assert score.wrong_alone[-1] == CHEQUES - score.alone_right
    assert score.waiting == ()
    assert [line.number for line in score.lines] == list(range(14, 6, -1))


def test_an_answer_that_can_still_be_taken_back_does_not_wait_for_you(browser: TestClient) -> None:
    board: Board = browser.app.state.hitl_demo  # type: ignore[attr-defined] # our FastAPI app
    desk = board.desk
    for cheque in desk.batch.cheques[:5]:
        desk.start(cheque)
    [review] = board.score().waiting

    page = browser.get("/demo").text
    assert f'href="/reviews/{review.id}"' in page
    browser.post(
        f"/reviews/{review.id}/decision",
        data={"verdict": "approve", "proposal_hash": review.proposal_hash, "shown_ms": "2000"},
    )

    assert desk.app.queue.intent(review.id) is not None
    assert board.score().waiting == ()


def test_the_feed_begins_the_cheques_in_order_and_stops_when_enough_wait(tmp_path: Path) -> None:
    desk = open_desk(cheques=CHEQUES, seed=0, budget=1.0, folder=tmp_path)
    feed = Feed(desk, pace=0.0)

    feed.start()
    wait_until(lambda: len(desk.app.queue.pending()) == ENOUGH)
    feed.stop()

    begun = [c.face.number for c in desk.batch.cheques if desk.begun(c.face.number)]
    assert begun == list(range(1, ENOUGH + 1))
    desk.app.close()


def test_stopped_and_started_again_the_desk_goes_on_where_it_was(tmp_path: Path) -> None:
    first = open_desk(cheques=6, seed=0, budget=0.3, folder=tmp_path)
    first.start(first.batch.cheques[0])
    before = Board(first).score()
    first.app.close()

    second = open_desk(cheques=6, seed=0, budget=0.3, folder=tmp_path)
    assert Board(second).score() == before
    second.app.start_engine()
    feed = Feed(second, pace=0.0)
    feed.start()
    reviewer, board = SimulatedReviewer(1.0, seed=0), Board(second)

    def all_over() -> bool:
        for review in second.app.queue.pending():
            number = int(review.run_id.rpartition("-")[2])
            reviewer.decide(second.app.queue, review, second.batch, cheque=number)
        return board.score().over == 6

    wait_until(all_over)
    feed.stop()
    over = [second.begun(n) for n in range(1, 7)]
    assert all(
        run is not None and run.status in (RunStatus.DONE, RunStatus.STOPPED) for run in over
    )
    second.app.close()


def test_the_page_shows_both_counters_and_keeps_the_policy_of_the_pages(
    browser: TestClient,
) -> None:
    page = browser.get("/demo")

    assert page.status_code == 200
    assert "<h2>Alone</h2>" in page.text
    assert "<h2>With you</h2>" in page.text
    assert "0 clicks, 0 cheques saved, 0 labels written." in page.text
    assert 'hx-get="/demo/board"' in page.text
    assert 'aria-current="page">Desk</a>' in page.text
    assert "style-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page.text)
    assert browser.get("/demo/style.css").headers["content-type"].startswith("text/css")


def test_the_board_is_a_fragment_with_the_count_of_what_waits(browser: TestClient) -> None:
    board = browser.get("/demo/board", headers={"HX-Request-Type": "partial"}).text

    assert "<html" not in board
    assert '<hx-partial hx-target="#count"' in board


def test_nobody_sees_the_desk_without_the_link(desk: Desk) -> None:
    server = serve_desk(desk, port=0, reviewer="ana")
    with TestClient(server.app, base_url="http://127.0.0.1") as stranger:
        for path in ("/demo", "/demo/board", "/demo/style.css"):
            assert stranger.get(path).status_code == 401
    server.listener.close()
