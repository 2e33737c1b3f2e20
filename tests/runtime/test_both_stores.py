"""One wrapped graph from its start to its end, on each store: yes, no, rollback, restart, stop."""

import time
from collections.abc import Callable
from functools import partial

from hitl import Answer, Retry, Rollback, Run
from hitl.models import RunStatus
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
    settle,
)

LADDER = [Retry(2), Answer(), Rollback()]


def desk() -> object:
    def read(state: Cheque) -> Cheque:
        return {"amount": state["amount"] + 1, "log": ["read"], "payee": "Zoë \U0001f600"}

    return line(read=read, pay=lambda s: {"paid": f"paid {s['amount']}", "log": ["pay"]})


RULES = policy(always("read", on_deny=LADDER), always("pay", on_deny=LADDER))


def test_yes_no_answer_and_rollback_and_every_word_of_it_kept(home: str) -> None:
    with opened(home, desk(), RULES) as app:
        run = app.start({"amount": 1}, by="ina")
        deny(app, only(run), "retry", reasons=["blurred"])
        go_on(run)
        assert only(run).attempt == 2
        deny(
            app,
            only(run),
            "answer",
            answer={"amount": 43, "log": ["by ana"], "payee": "Zoë \U0001f600"},
        )
        go_on(run)
        deny(app, only(run), "rollback")  # of the payment
        run_id = go_on(run).id

    with opened(home, desk(), RULES) as app:  # as after a restart
        run = app.run(run_id)
        assert settle(app, run).status is RunStatus.DONE
        assert (run.value["paid"], run.value["payee"]) == ("paid 43", "Zoë \U0001f600")
        assert app.queue.verify() is None
        decided = [r.decision.verdict for r in app.queue.reviews(run_id=run_id) if r.decision]
        assert sorted(decided) == ["approve", "deny", "deny", "deny"]


async def test_asynchronous_runs_too(home: str) -> None:
    with opened(home, desk(), RULES) as app:
        run = await app.astart({"amount": 1})
        approve(app, only(run))
        go_on(run)
        approve(app, only(run))
        assert go_on(run).value["paid"] == "paid 2"
        snapshots = [s async for s in app.graph.aget_state_history(run.config)]
        assert snapshots[0].values["paid"] == "paid 2"


def test_the_engine_goes_on_with_what_is_decided_elsewhere(home: str) -> None:
    with opened(home, desk(), RULES) as app:
        app.start_engine()
        runs = [app.start({"amount": n}) for n in range(4)]
        for run in runs * 2:
            until(partial(waits, run))
            approve(app, only(run))
        for run in runs:
            assert run.wait(20.0) is RunStatus.DONE
        assert [run.value["paid"] for run in runs] == [f"paid {n + 1}" for n in range(4)]


def test_a_run_is_stopped_and_goes_on_when_resumed(home: str) -> None:
    with opened(home, desk(), RULES) as app:
        run = app.start({"amount": 1})
        (stopped,) = app.stop(run.id, by="ina", reason="wait")
        assert (stopped.status, stopped.reviews()) == (RunStatus.STOPPED, [])
        again = app.resume(run.id, by="ina")
        assert only(again).status == "pending"


def waits(run: Run) -> bool:
    return bool(run.reviews())


def until(happened: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait until a condition holds."""
    give_up = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up, "it did not happen"
        time.sleep(0.01)
