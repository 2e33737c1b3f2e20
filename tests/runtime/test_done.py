"""The end of a run as a checkpoint: what was left out, seen before the run counts as done."""

from pathlib import Path
from typing import Any

import pytest

import hitl
from hitl import Answer, Checkpoint, Retry, Rollback, Stop
from hitl.errors import ConfigurationError, RunNotFinished
from hitl.models import JsonObject, RunStatus
from tests.runtime.stage import (
    Cheque,
    always,
    approve,
    deny,
    go_on,
    line,
    only,
    opened,
    policy,
    row,
)


def unpaid(output: JsonObject) -> str | None:
    return None if output.get("paid") else "Nobody was paid."


def writes(**update: Any) -> Any:
    def body(state: Cheque) -> Any:
        hitl.report(confidence=0.9)
        return update

    return body


def noting(ran: list[str], name: str) -> Any:
    def body(state: Cheque) -> Any:
        ran.append(name)
        return {}

    return body


def test_a_yes_ends_the_run_and_until_then_it_is_not_done(tmp_path: Path) -> None:
    with opened(tmp_path, line(a=writes(amount=1)), policy(always("done"))) as app:
        run = app.start({})
        review = only(run)
        assert (review.name.step, review.proposal.arguments) == (
            "done",
            {"output": {"amount": 1, "log": []}},
        )
        with pytest.raises(RunNotFinished):
            _ = run.value
        approve(app, review)
        assert go_on(run).value == {"amount": 1, "log": []}
        assert row(app, run, "done").verified
        assert [step.gate.name.step for step in run.timeline().steps] == ["a", "done"]


def test_a_rule_on_the_output_catches_what_was_left_out(tmp_path: Path) -> None:
    rules = policy(Checkpoint("done", rule=unpaid))
    with opened(tmp_path, line(a=writes(amount=1)), rules) as app:
        assert only(app.start({})).presentation.why == ("Nobody was paid.",)
    with opened(tmp_path, line(a=writes(paid="x")), rules) as app:
        run = app.start({})
        assert run.status is RunStatus.DONE
        assert row(app, run, "done").action == "act"


def test_after_a_no_the_last_step_runs_again_with_the_reason(tmp_path: Path) -> None:
    heard: list[Any] = []

    def last(state: Cheque) -> Any:
        heard.append([d.reasons for d in hitl.current().denials])
        return {"paid": f"try {len(heard)}"}

    ran: list[str] = []
    graph = line(first=noting(ran, "first"), last=last)
    rules = policy(always("done", on_deny=[Retry(1), Stop()]))
    with opened(tmp_path, graph, rules) as app:
        run = app.start({})
        deny(app, only(run), "retry", reasons=["the fee is missing"])
        review = only(go_on(run))
        assert heard == [[], [("the fee is missing",)]]
        assert (review.attempt, ran) == (2, ["first"])
        assert [r.kind for r in review.rungs] == ["stop"]
        deny(app, review)
        assert go_on(run).status is RunStatus.STOPPED


async def test_rollback_goes_to_the_last_verified_point(tmp_path: Path) -> None:
    ran: list[str] = []
    graph = line(**{name: noting(ran, name) for name in "abc"})
    rules = policy(always("a"), always("done", on_deny=[Rollback()]))
    with opened(tmp_path, graph, rules) as app:
        run = await app.astart({})
        approve(app, only(run))
        deny(app, only(go_on(run)), "rollback")
        assert only(go_on(run)).name.step == "done"
        assert "".join(ran) == "abcbc"


def test_a_retry_never_repeats_an_effect(tmp_path: Path) -> None:
    rules = policy(Checkpoint("pay", place="before"), always("done", on_deny=[Retry(1)]))
    with opened(tmp_path, line(pay=writes(paid="x")), rules) as app:
        run = app.start({})
        deny(app, only(run), "retry")
        assert go_on(run).status is RunStatus.NEEDS_ATTENTION
        assert "'pay', whose effect already happened" in run.reason


def test_each_turn_has_an_end_and_it_survives_a_restart(tmp_path: Path) -> None:
    rules = policy(always("done"))
    with opened(tmp_path, line(a=writes(amount=1)), rules) as app:
        run_id = app.start({}).id
    with opened(tmp_path, line(a=writes(amount=1)), rules) as app:
        run = app.run(run_id)
        approve(app, only(run))
        assert go_on(run).status is RunStatus.DONE
        app.invoke({"payee": "x"}, run.config)
        assert only(run).attempt == 1
        app.invoke({"payee": "y"}, run.config)  # new input: what waited is superseded
        approve(app, only(run))
        assert go_on(run).value == {"amount": 1, "payee": "y", "log": []}


def test_a_step_called_done_is_just_a_step(tmp_path: Path) -> None:
    with opened(tmp_path, line(done=writes(amount=1)), policy(always("done"))) as app:
        run = app.start({})
        approve(app, only(run))
        assert go_on(run).status is RunStatus.DONE
        assert len(run.reviews(pending=False)) == 1


def test_in_shadow_mode_the_end_is_logged_and_nobody_is_asked(tmp_path: Path) -> None:
    graph = line(a=writes(amount=1))
    with opened(tmp_path, graph, policy(always("done")), mode="shadow") as app:
        run = app.start({})
        told = row(app, run, "done")
        assert run.status is RunStatus.DONE
        assert (told.action, told.shadow, told.propensity_label) == ("ask", True, 0.0)
        (asked,) = [c for c in app.shadow_report().checkpoints if c.would_ask]
        assert (asked.checkpoint, asked.gates) == ("done", 1)


@pytest.mark.parametrize(
    "options",
    [
        {"place": "before"},
        {"confidence_below": 0.5},
        {"rollouts": 2},
        {"on_doubt": [Retry(1)]},
        {"on_deny": [Answer()]},
    ],
)
def test_what_only_a_step_has_is_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    rules = policy(Checkpoint("done", **options))
    with (
        pytest.raises(ConfigurationError, match="is the end of the run"),
        opened(tmp_path, line(a=writes()), rules),
    ):
        pass
