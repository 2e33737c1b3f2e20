from datetime import timedelta
from typing import Any

import pytest

from hitl.errors import (
    AlreadyDecided,
    DecisionIdReused,
    InvalidAnswer,
    NotAllowed,
    NotFound,
    ProposalChanged,
    ReviewClosed,
    ReviewExpired,
)
from hitl.models import (
    DecidedBy,
    Decision,
    MailKind,
    Place,
    RemedyKind,
    ReviewStatus,
    RungOffer,
    Verdict,
)
from hitl.reviews import effect_fingerprint
from hitl.reviews.deciding import decision_digest
from tests.decisions.desk import NOON, Desk


def test_an_approve_is_kept_with_its_event_and_the_order_to_go_on(desk: Desk) -> None:
    review = desk.open()

    decision = desk.queue.decide(
        "rev_1", "approve", by="ana", proposal_hash=review.proposal_hash, shown_ms=4200
    )

    after = desk.queue.get("rev_1")
    assert after.status is ReviewStatus.APPROVED
    assert after.decision == decision
    assert (decision.by, decision.made_by, decision.verdict) == ("ana", "person", "approve")
    assert (decision.decided_at, decision.shown_ms, decision.remedy) == (NOON, 4200, None)
    event = desk.queue.audit(run_id="run_1")[-1]
    assert event.body["action"] == "review.decided"
    assert event.body["actor"] == "ana"
    assert event.body["subject"] == "rev_1"
    assert event.body["decision_id"] == decision.decision_id
    assert event.told["decision_sha256"] == decision_digest(decision)
    mail = desk.store.read(lambda r: r.mail("run_1", now=NOON))
    assert [(m.kind, m.key) for m in mail] == [(MailKind.DECISION, "decision:rev_1")]
    assert desk.queue.counts() == {ReviewStatus.APPROVED: 1}


def test_a_spot_check_wakes_nobody(desk: Desk) -> None:
    review = desk.open(blocking=False, rungs=())

    decision = desk.queue.decide("rev_1", "deny", by="ana", proposal_hash=review.proposal_hash)

    assert decision.remedy is None
    assert desk.mail_keys() == []
    assert desk.queue.get("rev_1").status is ReviewStatus.DENIED


def test_a_deny_takes_the_first_offer_unless_told_otherwise(desk: Desk) -> None:
    first, second = desk.open("rev_1"), desk.open("rev_2")

    default = desk.queue.decide("rev_1", "deny", by="ana", proposal_hash=first.proposal_hash)
    chosen = desk.queue.decide(
        "rev_2", Verdict.DENY, by="ana", proposal_hash=second.proposal_hash, remedy=RemedyKind.STOP
    )

    assert (default.remedy, chosen.remedy) == ("retry", "stop")


def test_a_deny_where_nothing_is_offered_stops(desk: Desk) -> None:
    review = desk.open(rungs=())

    decision = desk.queue.decide("rev_1", "deny", by="ana", proposal_hash=review.proposal_hash)

    assert decision.remedy is RemedyKind.STOP


def test_the_first_decision_stands(desk: Desk) -> None:
    review = desk.open()
    desk.queue.decide("rev_1", "deny", by="ben", proposal_hash=review.proposal_hash)

    with pytest.raises(AlreadyDecided, match=r"already decided by ben \(deny\)"):
        desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    assert desk.queue.get("rev_1").status is ReviewStatus.DENIED
    assert desk.actions() == ["review.opened", "review.decided"]


def test_the_same_decision_sent_again_is_the_same_decision(desk: Desk) -> None:
    review = desk.open()

    def send() -> Decision:
        return desk.queue.decide(
            "rev_1",
            "deny",
            by="ana",
            proposal_hash=review.proposal_hash,
            decision_id="click-1",
            reasons=["wrong payee"],
        )

    first = send()
    desk.clock.move(timedelta(days=1))
    again = send()

    assert again == first
    assert desk.actions() == ["review.opened", "review.decided"]
    assert desk.mail_keys() == ["decision:rev_1"]


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "approve", "reasons": ()},
        {"by": "ben"},
        {"reasons": ("other",)},
        {"note": "other"},
        {"remedy": "stop"},
        {"proposal_hash": "0" * 64},
        {"answer": {"amount": 1}},
    ],
)
def test_a_decision_id_with_other_content_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    review = desk.open()
    said: dict[str, Any] = {
        "verdict": "deny",
        "by": "ana",
        "proposal_hash": review.proposal_hash,
        "reasons": ("wrong payee",),
    }
    desk.queue.decide("rev_1", decision_id="click-1", **said)

    with pytest.raises(AlreadyDecided, match=r"by ana \(deny\)"):
        desk.queue.decide("rev_1", decision_id="click-1", **(said | change))


def test_a_decision_id_of_another_review_is_refused(desk: Desk) -> None:
    first, second = desk.open("rev_1"), desk.open("rev_2")
    desk.queue.decide(
        "rev_1", "approve", by="ana", proposal_hash=first.proposal_hash, decision_id="click-1"
    )

    with pytest.raises(DecisionIdReused, match="click-1"):
        desk.queue.decide(
            "rev_2", "approve", by="ana", proposal_hash=second.proposal_hash, decision_id="click-1"
        )

    assert desk.queue.get("rev_2").status is ReviewStatus.PENDING


def test_a_stale_hash_decides_nothing(desk: Desk) -> None:
    desk.open()

    with pytest.raises(ProposalChanged):
        desk.queue.decide("rev_1", "approve", by="ana", proposal_hash="0" * 64)

    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING
    assert desk.actions() == ["review.opened"]
    assert desk.mail_keys() == []


def test_after_its_time_nobody_decides(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(hours=1))
    desk.clock.move(timedelta(hours=1))

    with pytest.raises(ReviewExpired, match="expired at 2026-11-24T13:00:00"):
        desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)


@pytest.mark.parametrize("by", ["ina", "agent:reader", "policy", "", " "])
@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_the_initiator_agents_and_nobody_may_not_decide(desk: Desk, by: str, verdict: str) -> None:
    review = desk.open()

    with pytest.raises(NotAllowed):
        desk.queue.decide("rev_1", verdict, by=by, proposal_hash=review.proposal_hash)

    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING


def test_a_closed_review_takes_no_decision(desk: Desk) -> None:
    review = desk.open()
    desk.queue.cancel("rev_1", by="ana", reason="asked twice")

    with pytest.raises(ReviewClosed, match="cancelled"):
        desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)


def test_an_unknown_review_is_not_found(desk: Desk) -> None:
    with pytest.raises(NotFound, match="rev_9"):
        desk.queue.decide("rev_9", "approve", by="ana", proposal_hash="0" * 64)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"verdict": "maybe"}, "'maybe' is not a verdict"),
        ({"verdict": "approve", "remedy": "retry"}, "An approve takes no remedy"),
        ({"verdict": "approve", "answer": {"amount": 1}}, "deny to give your own"),
        ({"verdict": "deny", "remedy": "undo"}, "'undo' is not a remedy; there are 'retry'"),
        ({"verdict": "deny", "remedy": "takeover"}, "'takeover' is not offered here"),
        ({"verdict": "deny", "remedy": "answer"}, "needs an answer"),
        ({"verdict": "deny", "remedy": "stop", "answer": {"amount": 1}}, "goes with 'answer'"),
        ({"verdict": "deny", "reasons": ["x"] * 21}, "21 reasons"),
        ({"verdict": "deny", "reasons": ["x" * 201]}, "1 to 200 characters"),
        ({"verdict": "deny", "reasons": [" "]}, "1 to 200 characters"),
        ({"verdict": "deny", "note": "x" * 10_001}, "10001 characters"),
        ({"verdict": "deny", "note": "\ud800"}, "not Unicode"),
        ({"verdict": "deny", "shown_ms": "soon"}, "'shown_ms'"),
        ({"verdict": "deny", "decision_id": "x" * 201}, "decision id"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(
    desk: Desk, said: dict[str, Any], sentence: str
) -> None:
    review = desk.open()

    with pytest.raises(InvalidAnswer) as refused:
        desk.queue.decide("rev_1", by="ana", proposal_hash=review.proposal_hash, **said)

    assert sentence in str(refused.value)
    assert refused.value.status_code == 422
    assert desk.queue.get("rev_1").status is ReviewStatus.PENDING
    assert desk.actions() == ["review.opened"]


def test_a_spot_check_takes_no_remedy(desk: Desk) -> None:
    review = desk.open(blocking=False)

    with pytest.raises(InvalidAnswer, match="A spot check takes no remedy"):
        desk.queue.decide(
            "rev_1", "deny", by="ana", proposal_hash=review.proposal_hash, remedy="stop"
        )


def test_a_single_reason_given_as_text_is_one_reason(desk: Desk) -> None:
    review = desk.open()

    decision = desk.queue.decide(
        "rev_1", "deny", by="ana", proposal_hash=review.proposal_hash, reasons="wrong payee"
    )

    assert decision.reasons == ("wrong payee",)


@pytest.mark.parametrize("place", [Place.BEFORE, Place.AFTER])
def test_a_denied_effect_is_remembered(desk: Desk, place: Place) -> None:
    review = desk.open(
        place=place, step="pay", rungs=(RungOffer(kind=RemedyKind.STOP, label="Stop"),)
    )

    desk.queue.decide("rev_1", "deny", by="ana", proposal_hash=review.proposal_hash)

    denied = desk.store.read(lambda r: r.denied_effects("run_1"))
    expected = {effect_fingerprint(review.proposal)} if place is Place.BEFORE else set()
    assert denied == expected


def test_an_approved_effect_is_not_remembered_as_denied(desk: Desk) -> None:
    review = desk.open(place=Place.BEFORE, step="pay")

    desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)

    assert desk.store.read(lambda r: r.denied_effects("run_1")) == set()


def test_each_decision_has_one_event_and_each_event_one_decision(desk: Desk) -> None:
    reviews = [desk.open(f"rev_{n}", run_id=f"run_{n % 2}") for n in range(6)]
    for n, review in enumerate(reviews):
        verdict = "approve" if n % 2 else "deny"
        desk.queue.decide(review.id, verdict, by="ana", proposal_hash=review.proposal_hash)

    decided = {
        e.body["decision_id"]: e.told
        for e in desk.queue.audit(limit=1000)
        if e.body["action"] == "review.decided"
    }

    decisions = [r.decision for r in desk.queue.reviews() if r.decision is not None]
    assert len(decided) == len(decisions) == 6
    for decision in decisions:
        assert decision.made_by is DecidedBy.PERSON
        assert decided[decision.decision_id]["decision_sha256"] == decision_digest(decision)
