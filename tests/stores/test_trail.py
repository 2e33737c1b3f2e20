from operator import methodcaller

import pytest

from hitl.audit import GENESIS, link, verify
from hitl.errors import StoreError
from hitl.models import AuditEvent, JsonObject
from hitl.ports import Store, Transaction


def _body(number: int) -> JsonObject:
    return {"at": "2026-11-24T12:00:00+00:00", "actor": "ana", "action": "x", "number": number}


def test_each_run_has_its_own_chain(store: Store) -> None:
    runs = ["run_1", "run_2", "run_1", "run_1", "run_2"]
    events: list[AuditEvent] = [
        store.write(methodcaller("append_audit", run, _body(number)))
        for number, run in enumerate(runs)
    ]

    assert [event.chain_seq for event in events] == [1, 1, 2, 3, 2]
    assert [event.prev for event in events] == [
        GENESIS,
        GENESIS,
        events[0].hash,
        events[2].hash,
        events[1].hash,
    ]
    assert all(e.hash == link(e.prev, e.chain_seq, e.body) for e in events)
    assert store.read(lambda r: r.audit()) == events
    assert verify(store.read(lambda r: r.audit())) is None


def test_the_trail_is_read_in_pages_of_one_run_or_all(store: Store) -> None:
    store.write(
        lambda t: [t.append_audit(f"run_{number % 2}", _body(number)) for number in range(7)]
    )

    seen: list[int] = []
    after = 0
    while page := store.read(methodcaller("audit", after=after, limit=3)):
        seen += [event.body["number"] for event in page]
        after = page[-1].seq

    assert seen == list(range(7))
    odd = store.read(lambda r: r.audit(run_id="run_1"))
    assert [event.body["number"] for event in odd] == [1, 3, 5]
    assert store.read(lambda r: r.audit(run_id="run_1", after=odd[1].seq)) == odd[2:]


def test_a_chain_goes_on_in_the_transaction_that_began_it(store: Store) -> None:
    first, second = store.write(
        lambda t: (t.append_audit("run_1", _body(1)), t.append_audit("run_1", _body(2)))
    )

    assert second.prev == first.hash


def test_an_event_rolled_back_leaves_no_gap(store: Store) -> None:
    def fails(t: Transaction) -> None:
        t.append_audit("run_1", _body(1))
        raise RuntimeError

    store.write(lambda t: t.append_audit("run_1", _body(0)))
    with pytest.raises(RuntimeError):
        store.write(fails)
    store.write(lambda t: t.append_audit("run_1", _body(2)))

    events = store.read(lambda r: r.audit(run_id="run_1"))
    assert [event.chain_seq for event in events] == [1, 2]
    assert verify(events) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, "\ud800", {1: "x"}.keys()])
def test_what_has_no_canonical_form_is_refused(store: Store, value: object) -> None:
    body: JsonObject = {"action": "x", "value": value}  # type: ignore[dict-item]  # what a caller may pass

    with pytest.raises(StoreError, match="An audit event cannot be stored"):
        store.write(lambda t: t.append_audit("run_1", body))

    assert store.read(lambda r: r.audit()) == []
