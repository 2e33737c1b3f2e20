"""Triggers that count since the last reset, through real runs: steps, cost, wall time, side effects."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ormsgpack
import pytest

import hitl
from hitl import Checkpoint
from hitl.graph.lg import CHANNEL
from hitl.models import RunStatus
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    always,
    approve,
    go_on,
    line,
    only,
    opened,
    policy,
    settle,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def costs(amount: float) -> Body:
    def body(state: Cheque) -> Any:
        hitl.report(confidence=0.99, cost=amount)
        return {"log": [f"{amount}"]}

    return body


def asked_at(app: hitl.Workflow, run: hitl.Run) -> list[tuple[str, str]]:
    """Approve everything; return where the run asked, and why."""
    found = []
    while run.status is RunStatus.WAITING:
        review = only(run)
        found.append((review.name.step, review.presentation.why[0]))
        approve(app, review)
        go_on(run)
    return found


def test_every_n_steps_a_person_looks_and_the_count_begins_anew(tmp_path: Path) -> None:
    steps = {name: costs(1) for name in "abcdefg"}
    with opened(tmp_path, line(**steps), policy(Checkpoint("*", every=3))) as app:
        run = app.start({})
        assert [v.step for v in only(run).presentation.vouched] == ["a", "b"]
        assert [step for step, _ in asked_at(app, run)] == ["c", "f"]
        assert run.status is RunStatus.DONE


def test_cost_is_what_steps_report_or_declare(tmp_path: Path) -> None:
    rules = policy(Checkpoint("[ac]", cost_above=5), Checkpoint("b", step_cost=4))
    steps: dict[str, Body] = {"a": costs(1), "b": lambda _: {}, "c": costs(0.5)}
    with opened(tmp_path, line(**steps), rules) as app:
        run = app.start({})
        assert asked_at(app, run) == [("c", "Cost 5.5 since the last reset is above 5.")]


def test_wall_time_counts_from_the_first_step_and_waiting_counts(tmp_path: Path) -> None:
    clock = HandClock(NOON)
    rules = policy(always("b"), Checkpoint("[cd]", time_above="2h"))
    steps = {name: costs(0) for name in "abcd"}
    with opened(tmp_path, line(**steps), rules, clock=clock) as app:
        run = app.start({})
        clock.move(timedelta(hours=3))
        assert asked_at(app, run) == [
            ("b", "This checkpoint always asks."),
            ("c", "3h since the last reset is above 2h."),
        ]


@pytest.mark.parametrize("most", [1, 2])
def test_side_effects_count_where_a_step_is_marked_or_gated_before(
    tmp_path: Path, most: int
) -> None:
    graph = line(plan=costs(0), wire=costs(0), check=costs(0))
    graph.add_node("mail", costs(0), metadata={"effect": True})
    graph.add_edge("plan", "mail")
    graph.add_edge("mail", "check")
    rules = policy(Checkpoint("wire", place="before"), Checkpoint("check", effects_above=most))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({})
        why = "2 side effects since the last reset; this checkpoint asks above 1."
        assert [said for _, said in asked_at(app, run)][:1] == ([why] if most == 1 else [])


def test_a_step_with_gates_on_both_sides_is_counted_once(tmp_path: Path) -> None:
    rules = policy(
        always("pay", place="before", covers="step"),
        Checkpoint("pay", step_cost=1),
        Checkpoint("end", cost_above=2, effects_above=1),
    )
    with opened(tmp_path, line(pay=costs(2), end=costs(0)), rules) as app:
        run = settle(app, app.start({}))
        assert run.status is RunStatus.DONE
        assert len(run.reviews(pending=False)) == 1


def test_the_channel_stays_under_200_bytes(tmp_path: Path) -> None:
    with opened(tmp_path, line(a=costs(123456.789), b=costs(0.1)), policy()) as app:
        run = app.start({})
        kept = app.graph.checkpointer.get_tuple(run.config).checkpoint["channel_values"][CHANNEL]
        assert kept["spent"][0] == pytest.approx(123456.789)
        for key in ("step", "base_unverified", "acc_unverified", "base_unknown", "acc_unknown"):
            kept[key] = 10_000
        kept["spent"] = [*kept["spent"][:1], 10_000, *kept["spent"][2:4], 10_000, kept["spent"][5]]
        assert len(ormsgpack.packb(kept)) <= 200
