"""What each rung of doubt comes to: it settles, it does not, its budget is over, its process is killed."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Checkpoint, Critic, EscalationPolicy, Judge, Retry, Rollouts
from hitl.models import JsonObject, RunStatus
from hitl.policy.doubt import Doubt
from tests.runtime.processes import die, killed
from tests.runtime.stage import (
    Body,
    Cheque,
    HandClock,
    approve,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
    rows,
)


def reading(path: Path, *sure: float, dies_at: int = 0) -> Body:
    """Return a step that is as sure as it is told, call by call; calls are counted in a file."""
    calls = path / "calls"

    def read(state: Cheque) -> Any:
        with calls.open("a") as file:
            file.write("x")
        number = calls.stat().st_size
        if number == dies_at:
            die()
        hitl.report(confidence=sure[number - 1], cost=1.0)
        return {"amount": number}

    return read


def count(path: Path) -> int:
    return (path / "calls").stat().st_size


def saying(p: float, *, clock: HandClock | None = None) -> Callable[[JsonObject], float]:
    def look(arguments: JsonObject) -> float:
        if clock is not None:
            clock.move(timedelta(minutes=2))
        return p

    return look


def doubting(*rungs: Doubt, **options: Any) -> EscalationPolicy:
    return policy(Checkpoint("read", confidence_below=0.9, on_doubt=rungs, **options))


Case = tuple[Doubt, tuple[float, ...], int]
"""The rung, how sure the step is call by call, and how often it is called."""

SETTLES: dict[str, Case] = {
    "retry": (Retry(2), (0.5, 0.95), 2),
    "rollouts": (Rollouts(2), (0.5, 0.6, 0.95), 3),
    "critic": (Critic(saying(0.95)), (0.5,), 1),
    "judge": (Judge(saying(0.95)), (0.5,), 1),
}
FAILS: dict[str, Case] = {
    "retry": (Retry(1), (0.5, 0.6), 2),
    "rollouts": (Rollouts(2), (0.5, 0.6, 0.7), 3),
    "critic": (Critic(saying(0.6)), (0.5,), 1),
    "judge": (Judge(saying(0.6)), (0.5,), 1),
}


@pytest.mark.parametrize("kind", SETTLES)
def test_a_rung_that_settles_the_doubt_asks_nobody(tmp_path: Path, kind: str) -> None:
    rung, sure, calls = SETTLES[kind]
    with opened(tmp_path, line(read=reading(tmp_path, *sure)), doubting(rung)) as app:
        run = app.start({})

        assert run.status is RunStatus.DONE
        found = row(app, run, "read")
        assert (found.action, found.p, found.step_cost) == ("act", 0.95, float(calls))
        assert (len(found.tried), count(tmp_path)) == (calls, calls)
        assert found.tried[found.chosen].passes
        assert found.settled_by


@pytest.mark.parametrize("kind", FAILS)
def test_a_rung_that_does_not_settle_it_is_told_to_a_person(tmp_path: Path, kind: str) -> None:
    rung, sure, calls = FAILS[kind]
    with opened(tmp_path, line(read=reading(tmp_path, *sure)), doubting(rung)) as app:
        run = app.start({})

        found = row(app, run, "read")
        assert (found.action, len(found.tried)) == ("ask", calls)
        assert only(run).presentation.why[-1] == found.settled_by
        approve(app, only(run))
        assert go_on(run).status is RunStatus.DONE
        assert count(tmp_path) == calls


@pytest.mark.parametrize("kind", SETTLES)
def test_a_rung_that_comes_after_the_budget_does_nothing(tmp_path: Path, kind: str) -> None:
    clock = HandClock()
    slow = Critic(saying(0.6, clock=clock))
    rules = doubting(slow, SETTLES[kind][0], doubt_within="1m")
    with opened(tmp_path, line(read=reading(tmp_path, 0.5)), rules, clock=clock) as app:
        run = app.start({})

        (tried,) = row(app, run, "read").tried
        assert [said.p for said in tried.opinions] == [0.6]
        assert only(run).presentation.why[-1].endswith("The time for doubt (1m) was over.")
        assert count(tmp_path) == 1


SURE = (0.5, 0.6, 0.5, 0.7, 0.6)


def killed_at_the_second_try(path: Path) -> None:
    with opened(path, line(read=reading(path, *SURE, dies_at=2)), doubting(Retry(2))) as app:
        app.start({}, run_id="r")


def test_a_kill_between_two_tries_counts_each_try_and_its_cost_once(tmp_path: Path) -> None:
    assert killed(killed_at_the_second_try, tmp_path)
    with opened(tmp_path, line(read=reading(tmp_path, *SURE)), doubting(Retry(2))) as app:
        run = app.run("r")
        assert (run.reviews(), rows(app, run)) == ([], [])
        run.wait(0.0)

        (logged,) = rows(app, run)
        assert [each.confidence for each in logged.tried] == [0.5, 0.7, 0.6]
        assert (logged.step_cost, count(tmp_path)) == (3.0, 5)
    with opened(tmp_path, line(read=reading(tmp_path, *SURE)), doubting(Retry(2))) as app:
        run = app.run("r")
        approve(app, only(run))
        assert go_on(run).value["amount"] == 4
        (committed,) = rows(app, run)
        assert (committed.verified, committed.step_cost, count(tmp_path)) == (True, 3.0, 5)
