"""When a run stops to ask: every trigger through a real graph, and the row each gate leaves."""

from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Checkpoint, EscalationPolicy
from hitl.errors import NotBuilt, PolicyFileError, UnknownStep
from hitl.models import ConfidenceKind, JsonObject, Place, RunStatus
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    rows,
    settle,
)


def sure(confidence: float | None = None, **update: Any) -> Body:
    def body(state: Cheque) -> Any:
        hitl.report(confidence=confidence)
        return update

    return body


def why(run: hitl.Run) -> tuple[str, ...]:
    return only(run).presentation.why


def over_limit(arguments: JsonObject) -> str | None:
    """Ask above 100."""
    update = arguments["update"]
    assert isinstance(update, dict)
    return "The amount is over 100." if int(str(update["amount"])) > 100 else None


def test_always_asks(tmp_path: Path) -> None:
    with opened(tmp_path, line(read=sure(0.99)), policy(always("read"))) as app:
        assert why(app.start({"amount": 1})) == ("This checkpoint always asks.",)


@pytest.mark.parametrize(
    ("confidence", "asks"), [(0.8999, True), (0.9, False), (0.95, False), (None, True)]
)
def test_confidence_below_compares_the_steps_p(
    tmp_path: Path, confidence: float | None, *, asks: bool
) -> None:
    rules = policy(Checkpoint("read", confidence_below=0.9))
    with opened(tmp_path, line(read=sure(confidence, payee="x")), rules) as app:
        run = app.start({"amount": 1})
        assert (run.status is RunStatus.WAITING) is asks
        found = row(app, run, "read")
        assert (found.action, found.threshold) == ("ask" if asks else "act", 0.9)


def test_reliability_below_compares_the_run_with_this_step(tmp_path: Path) -> None:
    rules = policy(Checkpoint("pay", reliability_below=0.7))
    with opened(tmp_path, line(plan=sure(0.9), read=sure(0.8), pay=sure(0.97)), rules) as app:
        run = app.start({"amount": 1})
        assert why(run) == ("Reliability 0.698 is below 0.70.",)
        assert only(run).presentation.covers == "since_reset"


def test_the_policys_floor_asks_at_any_step_even_one_without_a_checkpoint(tmp_path: Path) -> None:
    rules = policy(reliability_below=0.7)
    with opened(tmp_path, line(plan=sure(0.9), read=sure(0.7), pay=sure(0.99)), rules) as app:
        run = app.start({"amount": 1})
        assert only(run).name.step == "read"
        approve(app, only(run))
        go_on(run)
        assert run.status is RunStatus.DONE
        assert run.reliability == pytest.approx(0.99)


@pytest.mark.parametrize(("amount", "asks"), [(101, True), (100, False)])
def test_a_rule_looks_at_the_proposal(tmp_path: Path, amount: int, *, asks: bool) -> None:
    rules = policy(Checkpoint("read", rule=over_limit))
    with opened(tmp_path, line(read=sure(amount=amount)), rules) as app:
        run = app.start({"amount": 0})
        assert [r.presentation.why for r in run.reviews()] == [("The amount is over 100.",)] * asks


def test_a_rule_that_fails_asks(tmp_path: Path) -> None:
    rules = policy(Checkpoint("read", rule=over_limit))
    with opened(tmp_path, line(read=sure(payee="no amount")), rules) as app:
        run = app.start({"amount": 0})
        assert why(run) == ("Rule 'over_limit' failed (KeyError: 'amount'), so a person is asked.",)


def test_all_that_fired_is_recorded_each_as_a_sentence(tmp_path: Path) -> None:
    here = Checkpoint(
        "read", always=True, confidence_below=0.9, reliability_below=0.8, rule=over_limit
    )
    with opened(tmp_path, line(read=sure(0.5, amount=500)), policy(here)) as app:
        run = app.start({"amount": 0})
        assert why(run) == (
            "This checkpoint always asks.",
            "Confidence 0.50 is below 0.90.",
            "Reliability 0.50 is below 0.80.",
            "The amount is over 100.",
        )
        fired = row(app, run, "read").triggers
        assert [t.kind for t in fired] == ["always", "confidence", "reliability", "rule"]
        assert [(t.value, t.threshold) for t in fired[1:3]] == [(0.5, 0.9), (0.5, 0.8)]


def test_a_gate_before_asks_by_its_input_and_one_after_by_its_result(tmp_path: Path) -> None:
    done: list[str] = []

    def pay(state: Cheque) -> Cheque:
        done.append("paid")
        return {"paid": "receipt 7"}

    rules = policy(
        always("pay", place="before", title="Pay {amount} to {payee}"),
        always("pay", title="The bank said {paid}"),
    )
    with opened(tmp_path, line(pay=pay), rules) as app:
        run = app.start({"amount": 5, "payee": "ACME"})
        assert (only(run).presentation.title, done) == ("Pay 5 to ACME", [])
        approve(app, only(run))
        go_on(run)
        assert (only(run).presentation.title, done) == ("The bank said receipt 7", ["paid"])
        approve(app, only(run))
        go_on(run)
        assert run.value["paid"] == "receipt 7"
        places = [(r.name.place, r.committed_at is not None) for r in rows(app, run)]
        assert places == [(Place.BEFORE, True), (Place.AFTER, True)]
        assert done == ["paid"]


def test_shows_says_what_determines_an_effect(tmp_path: Path) -> None:
    def pays(state: Cheque) -> dict[str, Any]:
        return {"amount": state["amount"], "to": state["payee"]}

    rules = policy(always("pay", place="before", shows=pays, title="Pay {amount} to {to}"))
    with opened(tmp_path, line(pay=sure(paid="yes")), rules) as app:
        run = app.start({"amount": 5, "payee": "ACME"})
        assert only(run).proposal.arguments == {"amount": 5, "to": "ACME"}
        assert only(run).presentation.title == "Pay 5 to ACME"


def test_a_checkpoint_deep_in_subgraphs_is_named_by_its_path(tmp_path: Path) -> None:
    graph = line(mid=line(sub=line(leaf=sure(payee="deep")).compile()).compile())
    with opened(tmp_path, graph, policy(always("mid/sub/leaf"))) as app:
        run = app.start({"amount": 1})
        assert only(run).name.step == "mid/sub/leaf"
        settle(app, run)
        assert run.value["payee"] == "deep"


def test_a_policy_in_yaml_asks_the_same(tmp_path: Path) -> None:
    written = "name: p\ncheckpoints:\n- step: read\n  confidence_below: 0.9\n"
    same = policy(Checkpoint("read", confidence_below=0.9))
    loaded = EscalationPolicy.from_yaml(written)
    assert loaded.content_hash == same.content_hash
    with opened(tmp_path, line(read=sure(0.5)), loaded) as app:
        run = app.start({"amount": 1})
        assert only(run).proposal.policy_hash == same.content_hash
        assert app.store.read(lambda r: r.policy(same.content_hash)) == same.body()


def test_a_misspelt_step_is_refused_at_wrap(tmp_path: Path) -> None:
    with (
        pytest.raises(UnknownStep, match=r"Checkpoint 'raed' .* it has 'pay', 'read'\. .* 'read'"),
        opened(tmp_path, line(read=sure(), pay=sure()), policy(always("raed"))),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_is_not_built_is_refused_and_an_unknown_one_too(tmp_path: Path) -> None:
    with pytest.raises(NotBuilt, match="'autonomy'"):
        EscalationPolicy.from_yaml("name: p\nautonomy: earned")
    with pytest.raises(PolicyFileError, match="reliabilty_below"):
        EscalationPolicy.from_yaml("name: p\nreliabilty_below: 0.5")


def test_every_gate_leaves_one_row_asked_or_not(tmp_path: Path) -> None:
    clock = HandClock()
    here = always(
        "read",
        silent_error_cost=100.0,
        rework_cost=3.0,
        step_cost=0.5,
        reversible=False,
        risk="high",
    )
    graph = line(plan=sure(0.9), read=sure(0.8, payee="x"), pay=sure())
    with opened(tmp_path, graph, policy(here), clock=clock) as app:
        run = app.start({"amount": 1})
        deny(app, only(run), "retry")
        go_on(run)
        settle(app, run)

        found = rows(app, run)
        assert [(r.name.step, r.attempt, r.action) for r in found if r.committed_at] == [
            ("plan", 1, "act"),
            ("read", 2, "ask"),
            ("pay", 1, "act"),
        ]
        (denied,) = [r for r in found if r.committed_at is None]
        assert (denied.name.step, denied.attempt, denied.verified) == ("read", 1, False)

        read = row_of(found, "read", 2)
        assert (read.confidence, read.p, read.confidence_kind) == (
            0.8,
            0.8,
            ConfidenceKind.REPORTED,
        )
        assert (read.reliability_before, read.verified) == (pytest.approx(0.9), True)
        assert (read.silent_error_cost, read.rework_cost, read.step_cost) == (100.0, 3.0, 0.5)
        assert (read.reversible, read.propensity_ask, read.propensity_label) == (False, 1.0, 1.0)
        assert [t.kind for t in read.triggers] == ["always", "retry"]
        assert read.review_id in {r.id for r in run.reviews(pending=False) if r.attempt == 2}
        pay = row_of(found, "pay", 1)
        assert (pay.p, pay.confidence_kind, pay.unknown_steps) == (None, ConfidenceKind.UNKNOWN, 1)
        assert (pay.propensity_ask, pay.propensity_label, pay.coin_rate) == (0.0, 0.0, 0.0)
        assert all(0.0 <= (r.coin_u if r.coin_u is not None else -1) < 1.0 for r in found)
        assert {(r.run_id, r.policy_hash, r.turn, r.branch) for r in found} == {
            (run.id, app.policy.content_hash, 1, 0)
        }
        assert [r.step_index for r in found if r.committed_at] == [1, 2, 3]
        assert all(r.root_checkpoint_id == r.checkpoint_id for r in found)


def row_of(found: list[Any], step: str, attempt: int) -> Any:
    (match,) = [r for r in found if (r.name.step, r.attempt) == (step, attempt)]
    return match


def test_the_timeline_tells_reliability_after_each_step(tmp_path: Path) -> None:
    graph = line(plan=sure(0.9), read=sure(0.8), pay=sure(0.7))
    with opened(tmp_path, graph, policy(always("read", covers="since_reset"))) as app:
        run = settle(app, app.start({"amount": 1}))
        story = run.timeline()
        assert [step.gate.name.step for step in story.steps] == ["plan", "read", "pay"]
        assert [step.reliability for step in story.steps] == pytest.approx([0.9, 1.0, 0.7])
