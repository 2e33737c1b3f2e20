from operator import methodcaller
from typing import Any

import pytest

from hitl.errors import NotFound
from hitl.models import DecidedBy, Place, Signal, StepName, TriggerFired, Verdict
from hitl.ports import Store
from tests.stores.acts import add_reviews, decide, put_gates, undo
from tests.stores.records import MINUTE, NOON, PAY, make_decision, make_gate, make_review


def _visit(number: int, **changes: Any) -> StepName:
    return StepName(**({"step": "pay", "place": Place.BEFORE, "visit": number} | changes))


def test_a_gate_row_comes_back_whole(store: Store) -> None:
    row = make_gate(
        confidence=0.83,
        p=0.8,
        triggers=(TriggerFired(kind="confidence", sentence="0.80 is below 0.90.", value=0.8),),
        signals=(Signal(name="judge", kind="noisy", score=0.4),),
        parents=("a", "b"),
        deadline=NOON + MINUTE,
        coin_u=0.1 + 0.2,
        side_effect_at=NOON,
        seed_truth=1,
    )

    put_gates(store, row)

    assert store.read(lambda r: r.gate(row.id)) == row
    with pytest.raises(NotFound, match="No gate row with id 'gate_9'"):
        store.read(lambda r: r.gate("gate_9"))


def test_putting_again_replaces_by_id(store: Store) -> None:
    put_gates(store, make_gate(committed_at=None))

    committed = make_gate(committed_at=NOON + MINUTE, verified=True)
    put_gates(store, committed)

    assert store.read(lambda r: r.gates("run_1")) == [committed]


def test_gates_come_in_order_of_commit(store: Store) -> None:
    put_gates(
        store,
        make_gate("withheld", committed_at=None),
        make_gate("second", committed_at=NOON + MINUTE),
        make_gate("first", committed_at=NOON),
        make_gate("also second", committed_at=NOON + MINUTE),
        make_gate("elsewhere", run_id="run_2"),
    )

    rows = store.read(lambda r: r.gates("run_1"))
    assert [row.id for row in rows] == ["first", "second", "also second", "withheld"]
    assert [row.id for row in store.read(lambda r: r.gates("run_1", limit=2))] == [
        "first",
        "second",
    ]


def test_looking_back_yields_every_row_of_the_run_the_newest_first(store: Store) -> None:
    put_gates(store, *(make_gate(f"gate_{n}") for n in range(70)), make_gate("b", run_id="run_2"))
    put_gates(store, make_gate("gate_3", committed_at=NOON + MINUTE))  # keeps its place
    undo(store, "gate_68")

    rows = store.read(lambda r: [*r.newest_gates("run_1")])

    assert [row.id for row in rows] == [f"gate_{n}" for n in range(69, -1, -1)]
    assert rows[1].undone_at is not None


def test_undone_rows_say_by_what_and_are_left_out_of_the_live_ones(store: Store) -> None:
    put_gates(store, *(make_gate(f"gate_{n}", committed_at=NOON + n * MINUTE) for n in range(4)))
    put_gates(store, make_gate("elsewhere", run_id="run_2"))

    at = NOON + 9 * MINUTE
    undone = ["gate_1", "gate_3", "elsewhere"]
    undo(store, *undone, at=at)

    live = store.read(lambda r: r.gates("run_1", live_only=True))
    assert [row.id for row in live] == ["gate_0", "gate_2"]
    row = store.read(lambda r: r.gate("gate_3"))
    assert row == make_gate(
        "gate_3", committed_at=NOON + 3 * MINUTE, undone_at=at, superseded_by="dec_1"
    )
    assert store.read(lambda r: r.gate("elsewhere")).undone_at is None


def test_the_last_visit_is_the_latest_that_was_not_undone(store: Store) -> None:
    def last(shards: range = range(100)) -> tuple[int, str] | None:
        return store.read(lambda r: r.last_visit("run_1", "pay", "before", shards=shards))

    assert last() is None
    put_gates(
        store,
        make_gate("one", name=_visit(1), checkpoint_id="cp 1"),
        make_gate("two", name=_visit(2), checkpoint_id="cp 2"),
        make_gate("withheld", name=_visit(3), checkpoint_id="cp 3", committed_at=None),
        make_gate("other shard", name=_visit(4, shard=100), checkpoint_id="cp 4"),
        make_gate("other place", name=_visit(5, place=Place.AFTER)),
        make_gate("other step", name=_visit(6, step="draft")),
        make_gate("other run", name=_visit(7), run_id="run_2"),
    )

    assert last() == (3, "cp 3")
    assert last(range(100, 200)) == (4, "cp 4")

    undo(store, "withheld")
    assert last() == (2, "cp 2")

    put_gates(store, make_gate("three again", name=_visit(3), checkpoint_id="cp 3b"))
    assert last() == (3, "cp 3b")


def test_labels_are_what_people_said_of_the_step_and_nothing_else(store: Store) -> None:
    def judged(id: str, verdict: Verdict, *, by: DecidedBy = DecidedBy.PERSON, **row: Any) -> None:
        decision = make_decision(id, verdict=verdict, made_by=by)
        gate = make_gate(f"gate of {id}", **({"review_id": id} | row))
        add_reviews(store, make_review(id))
        put_gates(store, gate)
        decide(store, make_review(id), decision)

    judged("right 1", Verdict.APPROVE)
    judged("right 2", Verdict.APPROVE, spot_check=True)
    judged("wrong", Verdict.DENY)
    # None of these is a person's word on what the step does.
    judged("expired", Verdict.DENY, by=DecidedBy.POLICY)
    judged("known answer", Verdict.DENY, is_seed=True)
    judged("lost rollout", Verdict.DENY, winner=False)
    judged("other step", Verdict.DENY, name=_visit(1, step="draft"))
    judged("other workflow", Verdict.DENY, workflow="letters")
    put_gates(store, make_gate("never asked"), make_gate("still open", review_id="rev_9"))

    assert store.read(lambda r: r.label_counts("payments", "pay")) == (2, 3)
    assert store.read(lambda r: r.label_counts("payments", "none")) == (0, 0)


def test_a_rerun_step_learns_why_it_was_undone(store: Store) -> None:
    check = StepName(step="check", place=Place.AFTER, visit=1)
    for number, note in ((1, "first no"), (2, "second no")):
        review = make_review(f"rev_{number}", name=check, attempt=number)
        denial = make_decision(
            review.id, verdict=Verdict.DENY, reasons=("wrong",), note=note, by="bob"
        )
        add_reviews(store, review)
        decide(store, review, denial)
    put_gates(store, make_gate("a"), make_gate("b"), make_gate("c", name=_visit(2)))

    undo(store, "b", by="dec of rev_2")
    undo(store, "a", by="dec of rev_1")

    told = store.read(lambda r: r.denials_that_undid("run_1", PAY))
    assert [(d.step, d.attempt, d.note, d.by, d.at) for d in told] == [
        ("check", 1, "first no", "bob", NOON),
        ("check", 2, "second no", "bob", NOON),
    ]
    assert store.read(lambda r: r.denials_that_undid("run_1", _visit(2))) == []


def test_denied_effects_belong_to_a_run(store: Store) -> None:
    for fingerprint in ("f1", "f2", "f1"):
        store.write(methodcaller("deny_effect", "run_1", fingerprint))
    store.write(lambda t: t.deny_effect("run_2", "f3"))

    assert store.read(lambda r: r.denied_effects("run_1")) == {"f1", "f2"}
    assert store.read(lambda r: r.denied_effects("run_9")) == set()
