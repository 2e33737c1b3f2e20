"""What is Postgres's own: several processes at once, the server's clock, and what it refuses."""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import pairwise

import psycopg
import pytest

from hitl.errors import NewerDatabase, StoreError, StoreUnavailable
from hitl.models import AuditEvent, MailKind
from hitl.ports import Reader, Store, Transaction
from hitl.stores import migrate, open_reader, open_store, upgrade
from hitl.stores.postgres import PostgresStore
from hitl.stores.postgres_open import Postgres
from tests import postgres
from tests.stores.acts import add_runs, claim
from tests.stores.records import NOON, make_review, make_run, noon

LEASE = timedelta(seconds=30)


@pytest.fixture
def store(postgres_url: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def other(postgres_url: str) -> Iterator[PostgresStore]:
    """A second store on the same database, as another process opens it."""
    opened = PostgresStore(postgres_url)
    yield opened
    opened.close()


@pytest.fixture
def bare(postgres_server: str) -> Iterator[str]:
    """A database without tables."""
    name = f"bare_{os.getpid()}_{secrets.token_hex(4)}"
    with postgres.database(postgres_server, name, template="template0") as url:
        yield url


def test_a_database_without_tables_is_refused_and_the_sentence_names_the_command(bare: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"no tables of hitl yet; .* `hitl db upgrade"):
        open_store(bare)
    with pytest.raises(StoreUnavailable, match="hitl db upgrade"):
        open_reader(bare)

    threads = [threading.Thread(target=upgrade, args=(bare,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    open_store(bare).close()
    line = Postgres(bare).line(records=False)
    migrate.drift(line.sql)
    line.close()


def test_older_and_newer_tables_are_refused(bare: str) -> None:
    upgrade(bare)
    with psycopg.connect(bare, autocommit=True) as connection:
        connection.execute("UPDATE hitl_version SET version_num = '0001'")
        with pytest.raises(StoreUnavailable, match=r"its tables are at 0001; .*hitl db upgrade"):
            open_store(bare)
        connection.execute("UPDATE hitl_version SET version_num = '9999'")
        with pytest.raises(NewerDatabase):
            open_store(bare)
        with pytest.raises(NewerDatabase):
            upgrade(bare)


def test_a_server_that_may_lose_what_it_acknowledged_is_refused(postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="synchronous_commit is off"):
        open_store(f"{postgres_url}&options=-csynchronous_commit%3Doff")


def test_passwords_are_in_no_sentence() -> None:
    with pytest.raises(StoreUnavailable, match=r"postgresql://ana:\*\*\*@127.0.0.1:1/hitl") as told:
        open_store("postgres://ana:secret@127.0.0.1:1/hitl")
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("table", ["hitl_audit", "hitl_head"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET seq = 9", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_the_trail_is_append_only_in_sql_too(store: Store, table: str, change: str) -> None:
    store.write(lambda t: t.append_audit("run_1", {"action": "x"}))

    with pytest.raises(StoreError, match="append-only"):
        store.write(lambda t: t.connection.execute(change.format(table)))


def test_two_stores_keep_one_chain_for_each_run(store: PostgresStore, other: PostgresStore) -> None:
    add_runs(store, make_run("a"), make_run("b"))

    def append(into: Store, run_id: str) -> None:
        for _ in range(25):
            into.write(lambda t: t.append_audit(run_id, {"action": "x"}))

    work = [(into, run_id) for into in (store, other) for run_id in ("a", "b")]
    threads = [threading.Thread(target=append, args=pair) for pair in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for run_id in ("a", "b"):
        events = other.read(partial(_events, run_id=run_id))
        assert [event.chain_seq for event in events] == list(range(1, 51))
        assert all(one.hash == two.prev for one, two in pairwise(events))


def test_what_one_job_reads_of_a_run_does_not_change_under_it(
    store: PostgresStore, other: PostgresStore
) -> None:
    add_runs(store, make_run())
    store.write(lambda t: t.add_review(make_review()))

    def rename(t: Transaction) -> None:
        review = t.review("rev_1")
        time.sleep(0.001)
        t.set_review(review.model_copy(update={"attempt": review.attempt + 1}))

    def many(into: Store) -> None:
        for _ in range(20):
            into.write(rename)

    threads = [threading.Thread(target=many, args=(s,)) for s in (store, store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.read(lambda r: r.review("rev_1")).attempt == 61


def test_leases_are_judged_by_the_servers_clock(postgres_url: str, store: PostgresStore) -> None:
    add_runs(store, make_run())

    fast = lambda t: t.claim_run("run_1", "fast", now=NOON + 9999 * LEASE, lease=LEASE)  # noqa: E731
    slow = lambda t: t.claim_run("run_1", "slow", now=NOON - 9999 * LEASE, lease=LEASE)  # noqa: E731
    assert store.write(slow) == 1
    assert store.write(fast) is None, "a clock that is fast takes nothing from others"
    assert store.write(lambda t: t.renew_lease("run_1", 1, now=NOON, lease=-LEASE))
    assert store.write(slow) == 2, "a clock that is slow waits for nobody"

    by_hand = PostgresStore(postgres_url, clock=noon)
    add_runs(by_hand, make_run("run_2"))
    assert claim(by_hand, "run_2", "a") == 1
    assert claim(by_hand, "run_2", "b") is None
    by_hand.close()


def test_other_processes_hear_of_an_order(store: PostgresStore, other: PostgresStore) -> None:
    heard = threading.Event()
    other.on_mail(heard.set)
    deadline = time.monotonic() + 10
    number = 0
    while not heard.wait(0.05) and time.monotonic() < deadline:  # it may not listen yet
        number += 1
        key = f"k{number}"
        store.write(lambda t, key=key: t.put_mail("run_1", MailKind.WAKE, key=key, due_at=NOON))  # type: ignore[misc] # a default
    assert heard.is_set()


def test_what_can_be_sealed_stays_below_what_is_under_way(
    store: PostgresStore, other: PostgresStore
) -> None:
    store.write(lambda t: t.append_audit("a", {"action": "x"}))
    assert store.read(lambda r: r.sealable()) == 1
    appended, door = threading.Event(), threading.Event()

    def slow(t: Transaction) -> None:
        t.append_audit("b", {"action": "slow"})
        appended.set()
        door.wait(4)

    future = other.submit(slow)
    assert appended.wait(10)
    last = store.write(lambda t: t.append_audit("c", {"action": "fast"})).seq
    assert last == 3
    assert store.read(lambda r: r.sealable()) == 1, "number 2 may still appear"
    door.set()
    future.result(timeout=10)
    assert store.read(lambda r: r.sealable()) == 3


def test_a_store_outlives_its_connections(store: PostgresStore, postgres_url: str) -> None:
    add_runs(store, make_run())
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    add_runs(store, make_run("run_2"))
    assert len(store.read(lambda r: r.runs())) == 2


def test_counts_add_up_over_connections(store: PostgresStore, other: PostgresStore) -> None:
    for n, into in enumerate((store, other, store, other)):
        into.write(partial(_add_review, review_id=f"rev_{n}"))
    other.write(lambda t: t.connection.execute("DELETE FROM hitl_review WHERE id = 'rev_0'"))

    assert store.read(lambda r: dict(r.count_reviews())) == {"pending": 3}


def _add_review(t: Transaction, review_id: str) -> None:
    t.add_review(make_review(review_id))


def _events(r: Reader, run_id: str) -> list[AuditEvent]:
    return r.audit(run_id=run_id, limit=1000)
