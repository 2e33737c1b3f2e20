"""The figures a Prometheus server reads, and the alarm on approved work that is not done."""

import re
from datetime import timedelta

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hitl.errors import AlreadyDecided, ProposalChanged
from hitl.models import ReviewStatus
from hitl.reviews import MEASURES, Sealer, figures, raise_unexecuted
from hitl.reviews.answers import Said
from hitl.reviews.measures import Measures
from review_ui.scraping import metrics
from tests.decisions.desk import Desk

LINE = re.compile(r'^[a-z_]+(\{[a-z]+="[^"\\]*"\})? -?[0-9.]+(e[+-]?[0-9]+)?$')


def read(desk: Desk, measures: Measures | None = None) -> dict[str, float]:
    """Return the figures by name and label, each line checked."""
    page = desk.store.read(lambda r: figures(r, measures or Measures(), now=desk.clock()))
    lines = [line for line in page.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.match(line)] == []
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_pending_reviews_are_counted_by_age(desk: Desk) -> None:
    desk.open("rev_1")
    desk.clock.move(timedelta(hours=2))
    desk.open("rev_2", run_id="run_2", opened_at=desk.clock())
    desk.clock.move(timedelta(minutes=10))

    told = read(desk)

    assert told['hitl_reviews{status="pending"}'] == 2
    assert told['hitl_pending_reviews_older{seconds="300"}'] == 2
    assert told['hitl_pending_reviews_older{seconds="3600"}'] == 1
    assert told['hitl_pending_reviews_older{seconds="86400"}'] == 0
    assert told["hitl_pending_oldest_seconds"] == 7800
    assert told['hitl_runs{status="running"}'] == 2


def test_answers_and_their_refusals_are_counted_by_status() -> None:
    measures = Measures()
    said = Said(verdict="approve", by="ana", proposal_hash="h", shown_ms=4000)

    with measures.answering(said):
        pass
    for error in (AlreadyDecided("rev_1", "bob", "approve"), ProposalChanged("rev_1")):
        with pytest.raises(type(error)), measures.answering(said):
            raise error

    lines = list(measures.lines())
    assert 'hitl_answers_total{verdict="approve"} 1' in lines
    assert 'hitl_answer_refusals_total{status="409"} 1' in lines
    assert 'hitl_answer_refusals_total{status="412"} 1' in lines
    assert 'hitl_shown_seconds_bucket{le="2"} 0' in lines
    assert 'hitl_shown_seconds_bucket{le="5"} 1' in lines
    assert 'hitl_shown_seconds_bucket{le="+Inf"} 1' in lines
    assert "hitl_answer_seconds_count 1" in lines


def test_the_queue_counts_what_it_is_asked(desk: Desk) -> None:
    def counted() -> int:
        found = [x for x in MEASURES.lines() if x.startswith('hitl_answers_total{verdict="deny"}')]
        return int(found[0].split()[-1]) if found else 0

    before, review = counted(), desk.open()
    desk.queue.decide(review.id, "deny", by="ana", proposal_hash=review.proposal_hash)

    assert counted() == before + 1


def test_approved_work_that_is_not_done_is_raised_once(desk: Desk) -> None:
    review = desk.open()
    desk.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
    assert raise_unexecuted(desk.store, now=desk.clock()) == []
    desk.clock.move(timedelta(minutes=6))

    told = read(desk)
    raised = raise_unexecuted(desk.store, now=desk.clock())
    again = raise_unexecuted(desk.store, now=desk.clock())

    assert told["hitl_approved_not_executed"] == 1
    assert told["hitl_approved_not_executed_oldest_seconds"] == 360
    assert told["hitl_engine_due_runs"] == 1
    assert [each.review_id for each in raised] == [review.id]
    assert again == []
    assert desk.actions()[-1] == "review.not_executed"
    assert f"unexecuted:{review.id}" in desk.mail_keys()

    decided = desk.queue.get(review.id)
    done = decided.model_copy(update={"status": ReviewStatus.EXECUTED})
    desk.store.write(lambda t: t.set_review(done))
    assert read(desk)["hitl_approved_not_executed"] == 0


def test_the_lag_of_the_audit_is_told(desk: Desk) -> None:
    desk.open()
    desk.clock.move(timedelta(seconds=90))
    behind = read(desk)
    Sealer(desk.store, clock=desk.clock).seal()
    sealed = read(desk)

    assert behind["hitl_audit_unsealed_events"] == len(desk.actions())
    assert behind["hitl_audit_unsealed_seconds"] == 90
    assert sealed["hitl_audit_unsealed_events"] == sealed["hitl_audit_unsealed_seconds"] == 0


def test_the_page_is_plain_text_without_ids(desk: Desk) -> None:
    review = desk.open()
    app = FastAPI()
    app.include_router(
        metrics(lambda: desk.store.read(lambda r: figures(r, Measures(), now=desk.clock())))
    )

    answer = TestClient(app).get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'hitl_reviews{status="pending"} 1' in answer.text
    assert review.id not in answer.text
    assert review.run_id not in answer.text
