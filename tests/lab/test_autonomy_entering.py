"""Which rows enter, in which order, and what waits: section 5 of the algorithm, and EA4, EA5."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.errors import EvidenceRefusal
from hitl.lab.autonomy import Looks, begin, design_effect, entering, grid
from hitl.models import GateRow, Place, StepName, TriggerFired
from tests.lab.agents import TRUSTED
from tests.lab.populations import allowed

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def row(number: int, **changes: Any) -> GateRow:
    """Return a gate row of run 0 at minute `number`, asked and on the coin, unless said."""
    given: dict[str, Any] = {
        "id": f"g{number}",
        "run_id": f"r{number}",
        "run_key": f"r{number}",
        "workflow": "desk",
        "workflow_version": "1",
        "name": StepName(step="read", place=Place.AFTER, visit=1),
        "step_index": 1,
        "checkpoint_id": "c",
        "task_id": "t",
        "ts": NOON + timedelta(minutes=number),
        "confidence": 0.9,
        "policy_hash": "h",
        "policy_name": "p",
        "policy_version": "1",
        "action": "ask",
        "propensity_ask": 1.0,
        "propensity_label": 1.0,
        "coin_u": 0.01,
        "coin_rate": 1.0,
    }
    return GateRow(**given | changes)


def read(rows: list[GateRow], wrong: dict[str, bool], **changes: Any) -> Any:
    given: dict[str, Any] = {
        "now": NOON + timedelta(minutes=100),
        "answer_within": DAY,
        "ended": {one.run_key for one in rows},
    }
    return entering(rows, wrong, **given | changes)


def test_answered_rows_enter_in_the_order_of_their_gates() -> None:
    rows = [row(i, confidence=i / 10) for i in range(5)]
    found = read(rows, {"g3": True, "g0": False, "g1": True, "g2": False, "g4": False})
    assert found.looks.confidence.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert found.looks.wrong.tolist() == [0, 1, 0, 1, 0]
    assert found.waiting is None
    assert found.late == ()


def test_the_process_stops_at_the_first_row_without_an_answer() -> None:
    rows = [row(i) for i in range(4)]
    found = read(rows, {"g0": False, "g2": False, "g3": False})
    assert found.looks.size == 1
    assert found.waiting == "r1"


def test_a_row_nobody_answered_in_time_is_wrong_until_it_is_answered() -> None:
    rows = [row(0), row(1)]
    later = NOON + 2 * DAY
    late = read(rows, {"g1": False}, now=later)
    assert late.looks.wrong.tolist() == [1, 0]
    assert late.late == ("g0",)
    replaced = read(rows, {"g0": False, "g1": False}, now=later)
    assert replaced.looks.wrong.tolist() == [0, 0]
    assert replaced.late == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"attempt": 2},
        {"winner": False, "rollout": 1, "n_rollouts": 2},
        {"is_seed": True, "seed_truth": 1},
        {"triggers": (TriggerFired(kind="rule", sentence="Over 10,000."),)},
        {"triggers": (TriggerFired(kind="always", sentence="Always."),)},
        {"confidence": None},
    ],
)
def test_some_rows_never_enter(changes: dict[str, Any]) -> None:
    found = read([row(0, **changes), row(1)], {"g1": False})
    assert found.looks.size == 1
    assert found.waiting is None


def test_rows_rolled_back_later_do_enter() -> None:
    found = read([row(0, undone_at=NOON, superseded_by="d1")], {"g0": True})
    assert found.looks.wrong.tolist() == [1]


def test_rows_off_the_coin_feed_only_the_alarms() -> None:
    rows = [
        row(0, coin_u=0.5, coin_rate=0.05, triggers=(_low(),)),  # asked, not on the coin
        row(1, coin_u=0.5, coin_rate=0.05, action="act"),  # acted, nobody looks
        row(2, coin_u=0.01, coin_rate=0.05, action="act"),  # acted, spot-checked
    ]
    found = read(rows, {"g0": True, "g2": False})
    assert found.looks.coin.tolist() == [False, True]
    assert found.looks.acted.tolist() == [False, True]
    assert found.looks.wrong.tolist() == [1, 0]
    unanswered = read(rows, {"g2": False})  # an asked row off the coin is not waited for
    assert unanswered.looks.size == 1
    assert unanswered.waiting is None


def _low() -> TriggerFired:
    return TriggerFired(kind="confidence", sentence="Confidence 0.5 is below 0.9.")


def test_a_run_enters_once_when_it_has_ended() -> None:
    rows = [row(0, run_key="a"), row(1, run_key="b"), row(2, run_key="a")]
    wrong = {"g0": True, "g1": False, "g2": False}
    ended = read(rows, wrong)
    assert ended.looks.run.tolist() == [0, 0, 1]
    assert ended.looks.wrong.tolist() == [1, 0, 0]
    going = read(rows, wrong, ended={"b"})
    assert (going.looks.size, going.waiting) == (0, "a")
    overdue = read(rows, wrong, ended={"b"}, now=NOON + 2 * DAY)
    assert overdue.looks.size == 3


def test_steps_of_one_run_that_err_together_are_no_units() -> None:
    runs = np.repeat(np.arange(50), 6)
    together = np.repeat(np.arange(50) % 5 == 0, 6).astype(float)
    assert design_effect(runs, together) == pytest.approx(6.0, abs=1e-9)
    apart = np.random.default_rng(0).random(300) < 0.2
    assert design_effect(runs, apart) < 1.2
    assert design_effect(np.arange(10), np.ones(10)) == 1.0
    assert design_effect([1, 1, 2, 2], [0, 0, 0, 0]) == 1.0
    rows = [row(i, run_key=f"r{i // 6}") for i in range(300)]
    wrong = {f"g{i}": bool(together[i]) for i in range(300)}
    with pytest.raises(EvidenceRefusal, match=r"design effect 6\.00, at most 1\.2"):
        read(rows, wrong, unit="step")
    fine = read(rows, {f"g{i}": bool(apart[i]) for i in range(300)}, unit="step")
    assert fine.looks.size == 300
    assert np.unique(fine.looks.run).size == 300


def ever_acts(looks: Looks) -> bool:
    """Return whether a stream of labels, as entered, ever earns anything."""
    _, moves = begin(TRUSTED, grid(np.linspace(0, 1, 200))).observe(looks)
    return bool(moves)


def as_looks(wrong: NDArray[np.bool_]) -> Looks:
    n = wrong.size
    return Looks(np.full(n, 0.999), wrong.astype(float), np.zeros(n, bool), np.ones(n, bool))


def test_ea4_slow_noes_are_waited_for() -> None:
    """60 agents at the edge, 400 rows, wrong ones answered 20 times as slowly; looked at five times.

    Read through `entering` at each look: allowed .135 at delta = .05. As answers arrive: red.
    """
    rng, agents, n, in_order, on_arrival = np.random.default_rng(4), 60, 400, 0, 0
    rows = [row(i) for i in range(n)]
    for _ in range(agents):
        wrong = rng.random(n) < 0.02
        arrival = np.arange(n) + rng.exponential(np.where(wrong, 1000.0, 50.0))
        acts = arrives = False
        for look in (150, 250, 350, 450, 550):
            known = {f"g{i}": bool(wrong[i]) for i in np.flatnonzero(arrival <= look)}
            acts |= ever_acts(
                read(rows[:look], known, now=rows[0].ts + look * timedelta(minutes=1)).looks
            )
            order = np.argsort(arrival)
            arrives |= ever_acts(as_looks(wrong[order][arrival[order] <= look]))
        in_order, on_arrival = in_order + acts, on_arrival + arrives
    assert in_order / agents <= allowed(0.05, agents)
    assert on_arrival / agents > 0.3


def test_ea5_unanswered_rows_count_as_wrong() -> None:
    """60 agents just above alpha: .05 of right and .4 of wrong rows unanswered. Dropped: red."""
    rng, agents, n, counted, dropped = np.random.default_rng(5), 60, 6000, 0, 0
    for _ in range(agents):
        wrong = rng.random(n) < 0.022
        silent = rng.random(n) < np.where(wrong, 0.4, 0.05)
        counted += ever_acts(as_looks(wrong | silent))
        dropped += ever_acts(as_looks(wrong[~silent]))
    assert counted / agents <= allowed(0.05, agents)
    assert dropped / agents > 0.5
