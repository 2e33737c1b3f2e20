import threading
from collections.abc import Callable
from operator import methodcaller

import pytest

from hitl.models import JsonObject, Mail, MailKind
from hitl.ports import Store, Transaction
from tests.stores.acts import add_runs, put_mail
from tests.stores.records import MINUTE, NOON, make_run


def test_an_order_is_given_once(store: Store) -> None:
    assert put_mail(store, "decision:rev_1")
    assert not put_mail(store, "decision:rev_1", after=5, run_id="run_2")

    assert len(store.read(lambda r: r.mail("run_1", now=NOON))) == 1
    assert store.read(lambda r: r.mail("run_2", now=NOON + 9 * MINUTE)) == []


def test_mail_comes_back_whole(store: Store) -> None:
    payload: JsonObject = {"review_id": "rev_1", "tries": [1, 2.5, None, True], "who": "Zoë ☂"}
    store.write(
        lambda t: t.put_mail("run_1", MailKind.DECISION, key="k", due_at=NOON, payload=payload)
    )

    (mail,) = store.read(lambda r: r.mail("run_1", now=NOON))

    assert mail == Mail(
        id=mail.id, run_id="run_1", kind=MailKind.DECISION, key="k", payload=payload, due_at=NOON
    )


def test_a_runs_mail_is_what_is_due_and_not_done_in_order_of_id(store: Store) -> None:
    for key, after in (("a", 2), ("b", 0), ("c", 9), ("d", 1)):
        put_mail(store, key, after=after)
    put_mail(store, "elsewhere", run_id="run_2")

    now = NOON + 2 * MINUTE
    mail = store.read(lambda r: r.mail("run_1", now=now))
    assert [letter.key for letter in mail] == ["a", "b", "d"]

    store.write(lambda t: t.finish_mail([mail[0].id, mail[2].id]))
    assert [letter.key for letter in store.read(lambda r: r.mail("run_1", now=now))] == ["b"]
    assert not put_mail(store, "a"), "a done order is not given again"


def test_finishing_twice_or_nothing_is_fine(store: Store) -> None:
    put_mail(store, "a")
    (mail,) = store.read(lambda r: r.mail("run_1", now=NOON))

    for ids in ([], [mail.id], [mail.id]):
        store.write(methodcaller("finish_mail", ids))

    assert store.read(lambda r: r.next_due()) is None


def test_the_next_due_time_may_be_past_or_future(store: Store) -> None:
    assert store.read(lambda r: r.next_due()) is None

    put_mail(store, "later", after=5)
    assert store.read(lambda r: r.next_due()) == NOON + 5 * MINUTE

    put_mail(store, "sooner", after=-5)
    assert store.read(lambda r: r.next_due()) == NOON - 5 * MINUTE


def test_timers_are_due_expiries_and_commits_earliest_first(store: Store) -> None:
    put_mail(store, "expiry:b", MailKind.EXPIRY, after=1)
    put_mail(store, "commit:a", MailKind.COMMIT, after=0)
    put_mail(store, "expiry:c", MailKind.EXPIRY, after=9, run_id="no such run")
    put_mail(store, "decision:d", MailKind.DECISION)

    due = store.read(lambda r: r.due_timers(now=NOON + MINUTE))
    assert [timer.key for timer in due] == ["commit:a", "expiry:b"]
    assert [t.key for t in store.read(lambda r: r.due_timers(now=NOON + MINUTE, limit=1))] == [
        "commit:a"
    ]
    store.write(lambda t: t.finish_mail([due[0].id]))
    due = store.read(lambda r: r.due_timers(now=NOON + 9 * MINUTE))
    assert [timer.key for timer in due] == ["expiry:b", "expiry:c"]


def test_timers_order_nothing_of_a_run(store: Store) -> None:
    add_runs(store, make_run())
    put_mail(store, "expiry:a", MailKind.EXPIRY)
    put_mail(store, "commit:b", MailKind.COMMIT)

    assert store.read(lambda r: (r.mail("run_1", now=NOON), r.due_runs(now=NOON))) == ([], [])
    assert store.read(lambda r: r.next_due()) == NOON


def _counting(store: Store) -> tuple[threading.Semaphore, Callable[[], None]]:
    calls = threading.Semaphore(0)
    return calls, store.on_mail(calls.release)


def test_listeners_hear_of_a_new_order_after_its_commit(store: Store) -> None:
    seen: list[int] = []
    heard = threading.Event()

    def look() -> None:
        seen.append(len(store.read(lambda r: r.mail("run_1", now=NOON))))
        heard.set()

    store.on_mail(look)
    put_mail(store, "a")

    assert heard.wait(10)
    assert seen == [1]


def test_listeners_do_not_hear_of_what_gave_no_order(store: Store) -> None:
    calls, _ = _counting(store)

    def fails(t: Transaction) -> None:
        t.put_mail("run_1", MailKind.WAKE, key="lost", due_at=NOON)
        raise RuntimeError

    add_runs(store, make_run())
    with pytest.raises(RuntimeError):
        store.write(fails)
    put_mail(store, "a")
    assert calls.acquire(timeout=10)
    put_mail(store, "a")

    store.close()
    assert not calls.acquire(blocking=False)


def test_a_listener_that_ended_or_raises_does_not_disturb_the_others(store: Store) -> None:
    ended, end = _counting(store)

    def raises() -> None:
        raise RuntimeError

    store.on_mail(raises)
    calls, _ = _counting(store)
    end()
    end()
    put_mail(store, "a")

    assert calls.acquire(timeout=10)
    assert not ended.acquire(blocking=False)


def test_a_slow_listener_does_not_hold_up_writes(store: Store) -> None:
    called, let_go = threading.Event(), threading.Event()

    def slow() -> None:
        called.set()
        let_go.wait(10)

    store.on_mail(slow)
    put_mail(store, "a")
    assert called.wait(10)

    assert put_mail(store, "b")
    let_go.set()
