"""A candidate policy on another's log, and plans from measured accuracies."""

from itertools import chain as joined
from itertools import combinations

import numpy as np
import pytest

from hitl import Checkpoint, EscalationPolicy
from hitl.demo.rules import READ, desk_policy
from hitl.errors import EvidenceRefusal
from hitl.lab.log import GateLog
from hitl.lab.planner.plans import Reviewer, chain, score
from hitl.lab.reports import Aim, best_plan, compare, measured, plan_log, said_plan, way_of
from tests.lab.desk import DeskLog
from tests.lab.logs import record, synthetic

FLAT = {"reliability_before": 1.0, "unknown_steps": 0, "turn": 1}


def policy(**triggers: float) -> EscalationPolicy:
    return EscalationPolicy("new", checkpoints=[Checkpoint("read", **triggers)])  # type: ignore[arg-type] # floats only


def test_a_stricter_candidate_has_fewer_silent_errors_and_the_rate_is_true() -> None:
    rng = np.random.default_rng(4)
    missed = 0
    for _ in range(15):
        log, wrong = synthetic(rng, 800, threshold=0.6, rate=0.2)
        found = compare(log, policy(confidence_below=0.8), silent_cost=10.0)
        acts = log.number("p") >= 0.8
        assert found.asked_candidate == int((~acts).sum())
        assert found.no_longer_asked == 0
        assert found.newly_asked == int((~acts).sum()) - found.asked_live
        assert found.estimate is not None
        assert found.live.estimate is not None
        missed += not found.estimate.low <= wrong[acts].mean() <= found.estimate.high

    assert missed <= 3


def test_a_laxer_candidate_uses_the_answers_of_what_was_asked_and_the_costly_come_first() -> None:
    ask = {"asked": True, "propensity_label": 1.0, **FLAT}
    drawn = {"propensity_label": 36 / 86, "p": 1.0}
    rows = [
        record(0, p=0.5, wrong=1.0, **ask),
        record(1, p=0.55, wrong=0.0, **ask),
        record(2, p=0.58, wrong=1.0, silent_error_cost=500.0, **ask),
        record(3, run_id="run-0", **drawn, **FLAT),
        *(
            record(n, spot_check=n < 40, wrong=0.0 if n < 40 else None, **drawn, **FLAT)
            for n in range(4, 90)
        ),
    ]

    found = compare(GateLog.of(rows), policy(confidence_below=0.4), silent_cost=10.0)

    assert (found.newly_asked, found.no_longer_asked) == (0, 3)
    assert (found.let_pass, found.caught_more, found.beyond) == (2, 0, 1)
    assert [c.id for c in found.changes] == ["gate-2", "gate-0", "gate-1"]
    assert [c.cost for c in found.changes] == [499.0, 9.0, -1.0]
    assert found.estimate is not None
    assert found.estimate.value == pytest.approx(2 / 90)


def test_reliability_is_reckoned_along_the_run_once_the_policies_part() -> None:
    steps = [
        record(n, run_id="r", p=0.8, reliability_before=0.8**n, turn=1, unknown_steps=0)
        for n in range(6)
    ]
    floor = EscalationPolicy("floor", reliability_below=0.6)

    found = compare(GateLog.of(steps), floor, silent_cost=10.0)

    assert [c.id for c in sorted(found.changes, key=lambda c: c.id)] == ["gate-2", "gate-5"]
    assert "Reliability 0.51 is below 0.60" in found.changes[0].why
    assert "every" not in " ".join(found.warnings)


def test_what_cannot_be_replayed_is_taken_as_logged_or_refused() -> None:
    rows = [record(0, triggers="rule", asked=True, propensity_label=1.0, **FLAT), record(1, **FLAT)]
    ruled = EscalationPolicy("r", checkpoints=[Checkpoint("read", rule=str)])
    doubting = EscalationPolicy("d", checkpoints=[Checkpoint("read", rollouts=2)])
    tagged = EscalationPolicy("t", checkpoints=[Checkpoint("tag:effect", always=True)])

    found = compare(GateLog.of(rows), ruled, silent_cost=1.0)

    assert found.asked_candidate == 1
    assert any("rule can't be replayed" in each for each in found.warnings)
    told = compare(GateLog.of(rows), doubting, silent_cost=1.0).warnings
    assert any("on_doubt and rollouts can't be replayed" in each for each in told)
    with pytest.raises(EvidenceRefusal, match="'tag:effect' can't be replayed"):
        compare(GateLog.of(rows), tagged, silent_cost=1.0)


def test_the_desks_own_policy_replayed_changes_nothing(desk: DeskLog) -> None:
    live = desk.log.number("threshold")[desk.log.text("step") == READ][0]

    found = compare(desk.log, desk_policy(float(live)), silent_cost=10.0)

    assert found.asked_live > 5
    assert found.asked_candidate == found.asked_live
    assert found.changes == ()


def test_the_desks_way_is_a_chain_of_eight_with_measured_accuracies(desk: DeskLog) -> None:
    way = way_of(desk.log)
    reading = measured(desk.log, READ)

    right = 1.0 - np.mean(list(desk.truth.values()))
    assert [p.step for p in way.positions] == [READ] * 6 + ["check", "pay"]
    assert way.is_chain
    assert reading.basis == "labels"
    assert reading.accuracy.low <= right <= reading.accuracy.high
    assert reading.minutes > 0.0


@pytest.mark.parametrize(
    "aim",
    [
        Aim(0.5, silent_cost=20.0, sensitivity=0.9, specificity=0.95),
        Aim(2.0, sensitivity=0.9, specificity=0.95),
        Aim(0.5, max_gates=2, sensitivity=0.9),
    ],
)
def test_the_desks_plan_is_the_brute_force_best(desk: DeskLog, aim: Aim) -> None:
    steps = dict.fromkeys([READ, "check", "pay"], 1.5)

    found = plan_log(desk.log, aim, rng=np.random.default_rng(0), minutes=steps, draws=20)

    order = [p.step for p in found.way.positions]
    right = {s.step: s.accuracy.mean for s in found.steps}
    accuracy, cost = [right[s] for s in order], [1.5] * 8
    segments = chain(accuracy, cost, aim.review_minutes, Reviewer(aim.sensitivity, aim.specificity))
    sets = joined.from_iterable(combinations(range(1, 9), k) for k in range(9))
    allowed = [
        g
        for g in sets
        if (aim.max_gates is None or len(g) <= aim.max_gates)
        and (aim.max_gates is not None or aim.silent_cost is not None or 8 in g)
    ]
    brute = min((score(segments, g) for g in allowed), key=aim.worth)
    plan = best_plan(accuracy, cost, aim)
    assert aim.worth(plan)[0] == pytest.approx(aim.worth(brute)[0], abs=1e-12)
    assert found.plan.plan.gates == plan.gates
    assert found.said is None or aim.worth(found.said) >= aim.worth(plan)
    assert {c.step for c in found.policy.checkpoints} == set(found.said_steps)
    assert EscalationPolicy.from_yaml(found.policy.to_yaml()) == found.policy


def test_a_policy_can_only_say_every_visit_of_a_step() -> None:
    segments = chain([0.8, 0.8, 0.99], [1.0, 1.0, 1.0], 0.1, Reviewer())

    plan, steps = said_plan(["a", "a", "b"], lambda g: score(segments, g), Aim(0.1))

    assert plan is not None
    assert steps == ("a", "b")
    assert plan.gates == (1, 2, 3)


def test_without_labels_a_plan_says_what_it_rests_on_or_refuses() -> None:
    blind = {"propensity_label": 0.0, "coin_rate": 0.0}
    rows = [record(n, p=0.8, **blind) for n in range(4)]
    aim, rng = Aim(1.0, silent_cost=50.0), np.random.default_rng(0)

    found = plan_log(GateLog.of(rows), aim, rng=rng, draws=5)
    given = plan_log(GateLog.of(rows), aim, rng=rng, draws=5, accuracy={"read": 0.5})

    assert "no spot checks, so its accuracy is its mean confidence (0.800)" in found.warnings[0]
    assert (found.plan.same, found.plan.draws) == (5, 5)
    assert given.steps[0].basis == "given"
    unknown = GateLog.of(record(n, p=None, **blind) for n in range(3))
    with pytest.raises(EvidenceRefusal, match="--accuracy read=0"):
        plan_log(unknown, aim, rng=rng)
    with pytest.raises(EvidenceRefusal, match="No step of the usual way is 'pay'"):
        plan_log(GateLog.of(rows), aim, rng=rng, accuracy={"pay": 0.5})
    with pytest.raises(EvidenceRefusal, match="two aims"):
        Aim(1.0, silent_cost=1.0, max_gates=1)


def test_parallel_steps_are_planned_as_a_graph() -> None:
    spot = {"spot_check": True, "propensity_label": 1.0, "wrong": 0.0}
    rows = []
    for run in range(20):
        ids = [f"{run}-{s}" for s in "abcd"]
        parents = ["", ids[0], ids[0], f"{ids[1]}|{ids[2]}"]
        rows += [
            record(0, id=i, parents=p, run_id=str(run), step=s, **{**spot, "wrong": float(run < 3)})
            for i, p, s in zip(ids, parents, "abcd", strict=True)
        ]
    log = GateLog.of(rows)

    found = plan_log(
        log, Aim(0.1), rng=np.random.default_rng(0), minutes=dict.fromkeys("abcd", 1.0), draws=5
    )

    assert not found.way.is_chain
    assert found.way.positions[3].rests_on == (1, 2)
    assert "d" in found.plan.plan.gates
    assert {c.step for c in found.policy.checkpoints} == set(found.plan.plan.gates)
    with pytest.raises(EvidenceRefusal, match="form no chain"):
        plan_log(log, Aim(0.1, silent_cost=5.0), rng=np.random.default_rng(0))
