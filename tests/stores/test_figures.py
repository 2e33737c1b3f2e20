"""Figures, heads and erasure, on every store."""

from datetime import timedelta

from hitl.audit import SealedHead, fits, verify
from hitl.models import JsonObject, RunStatus
from hitl.ports import ERASED, Store
from tests.stores.acts import add_proposals, add_reviews, claim, decide, put_gates
from tests.stores.records import (
    MINUTE,
    NOON,
    make_decision,
    make_gate,
    make_proposal,
    make_review,
    make_run,
)


def test_pending_reviews_by_age(with_run: Store) -> None:
    assert with_run.read(lambda r: (r.oldest_pending(), r.pending_ages([NOON]))) == (None, [0])
    late = {"opened_at": NOON + 5 * MINUTE}
    add_reviews(with_run, make_review("rev_1"), make_review("rev_2", **late))

    ages = [NOON - MINUTE, NOON, NOON + 4 * MINUTE, NOON + 5 * MINUTE]
    assert with_run.read(lambda r: r.pending_ages(ages)) == [0, 1, 1, 2]
    assert with_run.read(lambda r: r.oldest_pending()) == NOON


def test_approvals_that_are_not_carried_out(with_run: Store) -> None:
    review, decision = make_review(), make_decision(decided_at=NOON)
    add_reviews(with_run, review)
    assert decide(with_run, review, decision)

    (late,) = with_run.read(lambda r: r.unexecuted(decided_before=NOON))
    assert (late.review_id, late.run_id, late.decided_at) == ("rev_1", "run_1", NOON)
    assert with_run.read(lambda r: r.unexecuted(decided_before=NOON - MINUTE)) == []
    with_run.write(lambda t: t.set_run(make_run(status=RunStatus.DONE)))
    assert with_run.read(lambda r: r.unexecuted(decided_before=NOON)) == []


def test_leases_that_ran_out(with_run: Store) -> None:
    claim(with_run, "run_1", "somebody")

    far = NOON + timedelta(days=3650)
    assert with_run.read(lambda r: r.expired_leases(now=NOON - MINUTE)) == 0
    assert with_run.read(lambda r: r.expired_leases(now=far)) == 1


def test_heads_are_kept_once(store: Store) -> None:
    heads = [SealedHead(seq=n, events=n, head="a" * 64, sealed_at="t") for n in (3, 9)]

    assert store.write(lambda t: [t.add_head(h) for h in (*heads, heads[0])]) == [True, True, False]
    assert store.read(lambda r: (r.heads(), r.last_head())) == (heads, heads[1])
    event = store.write(lambda t: t.append_audit("run_1", {"action": "x", "run_id": "run_1"}))
    assert store.read(lambda r: r.sealable()) == event.seq


def test_an_erased_run_keeps_its_trail_and_its_figures(with_run: Store) -> None:
    review = make_review()
    add_reviews(with_run, review)
    decide(with_run, review, make_decision(note="about somebody", reasons=("private",)))
    add_proposals(with_run, make_proposal())
    put_gates(with_run, make_gate(summary="1200 to Alba"))
    body: JsonObject = {"action": "review.decided", "run_id": "run_1", "reasons": ["private"]}
    with_run.write(lambda t: t.append_audit("run_1", body))
    (told,) = with_run.read(lambda r: r.audit())
    assert told.told["reasons"] == ["private"]
    assert "private" not in str(told.body)

    counts = with_run.write(lambda t: t.erase_run("run_1"))

    assert (counts["proposals"], counts["events"], counts["decisions"]) == (1, 1, 1)
    (line,) = with_run.read(lambda r: r.trail())
    assert (line.personal, fits(line), verify([line])) == (None, True, None)
    left = with_run.read(lambda r: r.review("rev_1"))
    assert left.decision is not None
    assert (left.decision.note, left.decision.reasons, left.proposal.arguments) == ("", (), {})
    assert left.presentation.title == with_run.read(lambda r: r.run("run_1")).reason == ERASED
    assert with_run.read(lambda r: (r.run_input("run_1"), r.proposal_of("rev_1"))) == (None, None)
    gate = with_run.read(lambda r: r.gate("gate_1"))
    assert gate.model_copy(update={"summary": ""}) == gate
