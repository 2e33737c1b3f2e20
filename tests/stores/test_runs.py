from datetime import datetime, timedelta, timezone
from operator import methodcaller

import pytest

from hitl.errors import LeaseLost, NotFound, StoreError
from hitl.models import MailKind, RunStatus
from hitl.ports import Store
from hitl.stores import SqliteStore
from tests.stores.acts import add_runs, claim, put_mail
from tests.stores.records import MINUTE, NOON, make_run


def test_what_was_added_is_read(with_run: Store) -> None:
    assert with_run.read(lambda r: r.run("run_1")) == make_run()
    assert with_run.read(lambda r: r.run_input("run_1")) == ("msgpack", b"the cheque")


def test_an_unknown_run_is_said_so(store: Store) -> None:
    with pytest.raises(NotFound, match="No run with id 'run_9'"):
        store.read(lambda r: r.run("run_9"))
    assert store.read(lambda r: r.find_run("run_9")) is None
    assert store.read(lambda r: r.run_input("run_9")) is None
    assert store.read(lambda r: r.epoch("run_9")) is None


def test_an_id_is_used_once(with_run: Store) -> None:
    with pytest.raises(StoreError, match="The run 'run_1' is there already"):
        with_run.write(lambda t: t.add_run(make_run(workflow="other"), None))

    assert with_run.read(lambda r: r.run("run_1")).workflow == "payments"


def test_a_record_is_replaced_but_not_its_lease(with_run: Store) -> None:
    claim(with_run, "run_1", "a")

    done = make_run(status=RunStatus.DONE, reliability=0.81)
    with_run.write(lambda t: t.set_run(done))

    assert with_run.read(lambda r: r.run("run_1")) == done
    assert with_run.read(lambda r: r.epoch("run_1")) == 1
    assert claim(with_run, "run_1", "b") is None


def test_changing_an_unknown_run_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        store.write(lambda t: t.set_run(make_run("run_9")))
    with pytest.raises(NotFound):
        store.write(lambda t: t.set_run_input("run_9", ("msgpack", b"")))
    with pytest.raises(NotFound):
        store.write(lambda t: t.claim_run("run_9", "a", now=NOON, lease=MINUTE))


def test_a_new_turn_replaces_the_input(with_run: Store) -> None:
    with_run.write(lambda t: t.set_run_input("run_1", ("json", b"\x00\xff")))

    assert with_run.read(lambda r: r.run_input("run_1")) == ("json", b"\x00\xff")


def test_a_run_without_input(store: Store) -> None:
    store.write(lambda t: t.add_run(make_run(), None))

    assert store.read(lambda r: r.run_input("run_1")) is None


def test_runs_come_newest_first_and_in_pages(store: Store) -> None:
    at = [NOON, NOON + MINUTE, NOON + MINUTE, NOON + 2 * MINUTE]
    add_runs(store, *(make_run(f"run_{n}", created_at=created) for n, created in enumerate(at)))

    first = store.read(lambda r: r.runs(limit=2))
    rest = store.read(lambda r: r.runs(limit=9, before=first[-1].id))

    assert [run.id for run in first + rest] == ["run_3", "run_2", "run_1", "run_0"]
    assert store.read(lambda r: r.runs(before="run_0")) == []
    with pytest.raises(NotFound):
        store.read(lambda r: r.runs(before="run_9"))


def test_runs_by_workflow_and_status(store: Store) -> None:
    runs = [
        make_run("a", status=RunStatus.DONE),
        make_run("b", status=RunStatus.WAITING),
        make_run("c", status=RunStatus.WAITING, workflow="letters"),
        make_run("d", status=RunStatus.FAILED),
    ]
    add_runs(store, *runs)

    waiting = store.read(lambda r: r.runs(status=[RunStatus.WAITING]))
    several = store.read(lambda r: r.runs(status=[RunStatus.WAITING, RunStatus.FAILED]))
    letters = store.read(lambda r: r.runs(workflow="letters", status=[RunStatus.WAITING]))

    assert [run.id for run in waiting] == ["c", "b"]
    assert [run.id for run in several] == ["d", "c", "b"]
    assert [run.id for run in letters] == ["c"]
    counts = {RunStatus.DONE: 1, RunStatus.WAITING: 2, RunStatus.FAILED: 1}
    assert store.read(lambda r: r.count_runs()) == counts


def test_a_live_lease_keeps_others_out_and_the_epoch_grows(with_run: Store) -> None:
    lease = timedelta(seconds=30)
    claims = [
        claim(with_run, "run_1", "a", lease=lease),
        claim(with_run, "run_1", "b", now=NOON + lease / 2, lease=lease),
        # A lease ends at the instant it was given until.
        claim(with_run, "run_1", "b", now=NOON + lease, lease=lease),
    ]

    assert claims == [1, None, 2]
    assert with_run.read(lambda r: r.epoch("run_1")) == 2


def test_a_stale_owner_is_fenced(with_run: Store) -> None:
    claim(with_run, "run_1", "a")
    claim(with_run, "run_1", "b", now=NOON + MINUTE)

    stale: list[int | None] = [1, 3, None]
    for epoch in stale:
        with pytest.raises(LeaseLost):
            with_run.write(methodcaller("check_epoch", "run_1", epoch))
    with pytest.raises(LeaseLost):
        with_run.write(lambda t: t.check_epoch("run_9", 1))
    with_run.write(lambda t: t.check_epoch("run_1", 2))


def test_a_lease_is_renewed_by_its_owner_only(with_run: Store) -> None:
    claim(with_run, "run_1", "a")

    later = NOON + MINUTE / 2
    assert with_run.write(lambda t: t.renew_lease("run_1", 1, now=later, lease=MINUTE))
    assert not with_run.write(lambda t: t.renew_lease("run_1", 0, now=later, lease=9 * MINUTE))

    until = later + MINUTE
    just_before = until - timedelta(microseconds=1)
    assert claim(with_run, "run_1", "b", now=just_before) is None
    assert claim(with_run, "run_1", "b", now=until) == 2


def test_a_released_run_is_free_at_once(with_run: Store) -> None:
    claim(with_run, "run_1", "a")

    with_run.write(lambda t: t.release_run("run_1", 0))
    assert claim(with_run, "run_1", "b") is None
    with_run.write(lambda t: t.release_run("run_1", 1))
    assert claim(with_run, "run_1", "b") == 2


def test_leases_of_a_dead_process_are_broken_where_only_one_writes(store: Store) -> None:
    add_runs(store, make_run("mine"), make_run("theirs"), make_run("free"))
    claim(store, "mine", "me")
    claim(store, "theirs", "dead")

    store.write(lambda t: t.break_leases(keep_owner="me"))

    assert claim(store, "mine", "b") is None
    assert claim(store, "theirs", "b") == (2 if isinstance(store, SqliteStore) else None)
    assert claim(store, "free", "b") == 1


def test_due_runs_are_those_with_mail_and_no_lease_longest_waiting_first(store: Store) -> None:
    for run_id, after in {"a": 1, "b": 0, "held": 0, "later": 9}.items():
        add_runs(store, make_run(run_id))
        put_mail(store, f"wake:{run_id}", run_id=run_id, after=after)
    put_mail(store, "input:b", MailKind.INPUT, run_id="b", after=1)
    claim(store, "held", "a", lease=9 * MINUTE)

    now = NOON + 2 * MINUTE
    assert store.read(lambda r: r.due_runs(now=now)) == ["b", "a"]
    assert store.read(lambda r: r.due_runs(now=now, limit=1)) == ["b"]
    assert store.read(lambda r: r.due_runs(now=NOON - MINUTE)) == []
    assert store.read(lambda r: r.due_runs(now=NOON + 9 * MINUTE)) == ["b", "held", "a", "later"]


def test_times_come_back_to_the_microsecond_whatever_zone_they_were_given_in(store: Store) -> None:
    zone = timezone(timedelta(hours=5, minutes=45))
    there = datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=zone)
    store.write(lambda t: t.add_run(make_run(created_at=there), None))
    store.write(lambda t: t.put_mail("run_1", MailKind.WAKE, key="wake", due_at=there))

    run, due = store.read(lambda r: (r.run("run_1"), r.next_due()))

    assert run.created_at == there
    assert due == there
    assert due is not None
    assert due.utcoffset() == timedelta(0)
