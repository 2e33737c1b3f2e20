from datetime import timedelta
from typing import Any

import pytest

from hitl.errors import NotFound
from hitl.models import Covers, Presentation, StepName, Vouched
from hitl.reviews.timeline import RunTimeline
from tests.decisions.desk import NOON, Desk, make_gate, make_review


def passed(desk: Desk, gate_id: str, *parents: str, minute: int, **changes: Any) -> None:
    """Write a committed gate row."""
    step = gate_id.removeprefix("gate_")
    row = make_gate(make_review(blocking=False), id=gate_id, parents=parents).model_copy(
        update={
            "name": StepName(step=step, place="after", visit=1),
            "committed_at": NOON + timedelta(minutes=minute),
            **changes,
        }
    )
    desk.store.write(lambda t: t.put_gate(row))


def resting(timeline: RunTimeline, gate_id: str) -> list[str]:
    return [row.id.removeprefix("gate_") for row in timeline.rests_on(gate_id)]


def test_a_timeline_tells_the_run_its_steps_reviews_and_events(desk: Desk) -> None:
    review = desk.open(expires_at=NOON + timedelta(hours=1))
    decision = desk.queue.decide("rev_1", "approve", by="ana", proposal_hash=review.proposal_hash)
    passed(desk, "gate_a", minute=1, reliability_after=0.8)

    timeline = desk.queue.timeline("run_1")

    assert timeline.run.id == "run_1"
    assert [s.gate.id for s in timeline.steps] == ["gate_a", "gate_rev_1"]
    assert timeline.steps[0].review is None
    assert timeline.steps[0].reliability == 0.8
    assert timeline.steps[1].review is not None
    assert timeline.steps[1].review.decision == decision
    assert [s.is_live for s in timeline.steps] == [True, False]  # not committed yet
    assert [r.id for r in timeline.reviews] == ["rev_1"]
    assert [e.body["action"] for e in timeline.events] == ["review.opened", "review.decided"]


def test_an_unknown_run_has_no_timeline(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.queue.timeline("run_9")


def test_a_step_rests_on_its_unverified_ancestors_once(desk: Desk) -> None:
    desk.run()
    passed(desk, "gate_a", minute=1)
    passed(desk, "gate_b", "gate_a", minute=2)
    passed(desk, "gate_c", "gate_a", minute=2)
    passed(desk, "gate_d", "gate_b", "gate_c", minute=3)
    passed(desk, "gate_apart", minute=4)

    timeline = desk.queue.timeline("run_1")

    assert resting(timeline, "gate_d") == ["a", "b", "c", "d"]
    assert resting(timeline, "gate_b") == ["a", "b"]
    assert resting(timeline, "gate_apart") == ["apart"]
    with pytest.raises(KeyError):
        timeline.rests_on("gate_9")


@pytest.mark.parametrize(
    ("covers", "after", "later"),
    [
        (Covers.STEP, ["a"], ["a", "c"]),  # a yes to the step alone leaves what it rests on
        (Covers.SINCE_RESET, [], ["c"]),
    ],
)
def test_a_yes_takes_away_what_its_page_vouched_for(
    desk: Desk, covers: Covers, after: list[str], later: list[str]
) -> None:
    vouched = (Vouched(gate_id="gate_a", step="a", p=0.8, summary="1200"),)
    desk.open(presentation=Presentation(title="Amount", covers=covers, vouched=vouched))
    passed(desk, "gate_a", minute=1)
    passed(desk, "gate_b", "gate_a", minute=2, review_id="rev_1", verified=True, covers=covers)
    passed(desk, "gate_c", "gate_b", minute=3)

    timeline = desk.queue.timeline("run_1")

    assert resting(timeline, "gate_a") == ["a"]  # before the yes it rested on itself
    assert resting(timeline, "gate_b") == after
    assert resting(timeline, "gate_c") == later


def test_runs_are_listed_newest_first(desk: Desk) -> None:
    for n in range(3):
        desk.run(f"run_{n}", created_at=NOON + timedelta(minutes=n))

    assert [r.id for r in desk.queue.runs()] == ["run_2", "run_1", "run_0"]
    assert [r.id for r in desk.queue.runs(before="run_2", limit=1)] == ["run_1"]
    assert desk.queue.run("run_1").id == "run_1"
