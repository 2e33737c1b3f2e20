"""Starting a run without advancing it: the order is written, and whoever serves carries it out."""

from pydantic import JsonValue

from hitl.errors import RequestRefused
from hitl.graph.driver import Driver
from hitl.graph.entry import frozen_call, started
from hitl.ids import new_id
from hitl.models import MailKind, RunRecord
from hitl.ports import Transaction
from hitl.reviews import check_key, first_under


def order(
    driver: Driver, inputs: JsonValue, *, key: str | None, initiator: str | None
) -> tuple[RunRecord, bool]:
    """Write a run with its input, its first event and its order, at once; return it, and if it is new.

    Args:
        driver: The workflow's driver.
        inputs: The graph's input, as JSON.
        key: The same key with the same inputs returns the run it started, as it stands now.
        initiator: Who starts it; may not decide its reviews.

    Raises:
        RequestRefused: The key cannot be used, or came with other inputs.
    """
    check_key(key)
    run = driver.new_run(new_id("run", driver.wiring.clock()), initiator)
    call = frozen_call(driver, inputs, {}, in_loop=False)
    body: dict[str, JsonValue] = {"workflow": run.workflow, "inputs": inputs}

    def work(t: Transaction) -> tuple[RunRecord, bool]:
        first = _first(t, key, body, run.id)
        if first != run.id:
            return t.run(first), False
        now = run.created_at
        t.add_run(run, call)
        t.append_audit(run.id, started(run, now))
        t.put_mail(run.id, MailKind.START, key=f"start:{run.id}", due_at=now)
        return run, True

    return driver.store.write(work)


def _first(t: Transaction, key: str | None, body: dict[str, JsonValue], id: str) -> str:
    try:
        return first_under(t, "run", key, body, id)
    except ValueError as problem:
        raise RequestRefused(f"The inputs are not JSON: {problem}. Nothing was saved.") from problem
