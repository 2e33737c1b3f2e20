import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from operator import methodcaller
from typing import Any

import pytest

from hitl.errors import NotFound, StoreError
from hitl.models import MailKind
from hitl.ports import Reader, Store, Transaction
from tests.stores.records import NOON, make_decision, make_gate, make_review, make_run


class Trouble(Exception):
    """What a job raises in these tests."""


def _everything_then(problem: Exception) -> Callable[[Transaction], None]:
    def job(t: Transaction) -> None:
        t.add_run(make_run("lost"), None)
        t.add_review(make_review("lost"))
        t.decide_review(make_review("lost"), make_decision("lost"), judged_at=NOON)
        t.append_audit("lost", {"action": "x"})
        t.put_gate(make_gate("lost", run_id="lost"))
        t.put_mail("lost", MailKind.WAKE, key="lost", due_at=NOON)
        raise problem

    return job


def _is_empty(store: Store) -> bool:
    return store.read(
        lambda r: (
            r.find_run("lost") is None
            and r.reviews() == []
            and r.decision("lost") is None
            and r.audit() == []
            and r.gates("lost") == []
            and r.next_due() is None
        )
    )


def test_a_job_that_raises_midway_leaves_nothing(store: Store) -> None:
    with pytest.raises(Trouble):
        store.write(_everything_then(Trouble()))

    assert _is_empty(store)


def test_a_neighbour_that_raises_takes_nobody_with_it(store: Store) -> None:
    door = threading.Event()
    # While the first job holds the writer, the others queue up and share one commit.
    futures: list[Future[Any]] = [store.submit(lambda _t: door.wait(10))]
    for number in range(30):
        if number % 3 == 1:
            futures.append(store.submit(_everything_then(Trouble(str(number)))))
        else:
            add = make_run(f"run_{number}")
            futures.append(store.submit(methodcaller("add_run", add, None)))
    door.set()
    wait(futures, timeout=30)

    failed = [str(f.exception()) for f in futures if f.exception() is not None]
    assert failed == [str(number) for number in range(30) if number % 3 == 1]
    assert len(store.read(lambda r: r.runs(limit=99))) == 20
    assert _is_empty(store)


def test_what_a_job_catches_inside_does_not_undo_the_rest(store: Store) -> None:
    def job(t: Transaction) -> None:
        t.add_run(make_run(), None)
        with pytest.raises(StoreError):
            t.add_run(make_run(), None)
        t.add_run(make_run("run_2"), None)

    store.write(job)

    assert len(store.read(lambda r: r.runs())) == 2


def test_later_reads_in_a_job_see_what_it_wrote(store: Store) -> None:
    def job(t: Transaction) -> tuple[str, bool]:
        t.add_run(make_run(workflow="seen"), None)
        nested = store.read(lambda r: r.find_run("run_1") is not None)
        return t.run("run_1").workflow, nested

    assert store.write(job) == ("seen", True)


def test_a_write_inside_a_job_is_refused_instead_of_waiting_for_itself(store: Store) -> None:
    with pytest.raises(StoreError, match="use the job's transaction"):
        store.write(lambda _t: store.write(lambda t: t.add_run(make_run(), None)))

    assert store.read(lambda r: r.find_run("run_1")) is None


def _add_and_say_done(t: Transaction) -> str:
    t.add_run(make_run(), None)
    return "done"


def test_the_future_resolves_after_the_commit(store: Store) -> None:
    future = store.submit(_add_and_say_done)

    assert future.result(timeout=10) == "done"
    assert store.read(lambda r: r.run("run_1")) == make_run()


def test_jobs_of_one_run_are_done_in_the_order_they_were_submitted(store: Store) -> None:
    done: list[tuple[str, int]] = []

    def job(run_id: str, number: int) -> Callable[[Transaction], None]:
        def work(t: Transaction) -> None:
            time.sleep(0.003 if number % 3 == 0 else 0)
            t.set_setting(f"{run_id} {number}", "done")
            done.append((run_id, number))

        return work

    futures = [
        store.submit(job(run_id, number), run_id=run_id)
        for number in range(20)
        for run_id in ("a", "b", "c")
    ]
    wait(futures, timeout=30)

    for run_id in ("a", "b", "c"):
        assert [number for of, number in done if of == run_id] == list(range(20))


def test_a_cancelled_job_does_not_run(store: Store) -> None:
    started, door = threading.Event(), threading.Event()

    def hold(_t: Transaction) -> None:
        started.set()
        door.wait(10)

    store.submit(hold, run_id="run_1")
    assert started.wait(10)
    future = store.submit(lambda t: t.add_run(make_run(), None), run_id="run_1")

    assert future.cancel()
    door.set()
    store.write(lambda _t: None)

    assert store.read(lambda r: r.find_run("run_1")) is None


def test_a_read_sees_one_moment(store: Store) -> None:
    def twice(r: Reader) -> tuple[int, int]:
        before = len(r.runs())
        future = store.submit(lambda t: t.add_run(make_run(), None), run_id="run_1")
        wait([future], timeout=0.5)  # a store may let it wait until this read is done
        return before, len(r.runs())

    assert store.read(twice) == (0, 0)
    assert len(store.read(lambda r: r.runs())) == 1


def test_a_reader_cannot_write(store: Store) -> None:
    assert not store.read(lambda r: hasattr(r, "add_run"))


def test_an_error_of_a_read_reaches_its_caller(store: Store) -> None:
    with pytest.raises(NotFound):
        store.read(lambda r: r.run("run_9"))
    assert store.read(lambda r: r.count_runs()) == {}


def test_closing_finishes_what_was_submitted_and_refuses_more(store: Store) -> None:
    futures = [
        store.submit(methodcaller("add_run", make_run(f"run_{number}"), None))
        for number in range(100)
    ]

    store.close()
    store.close()

    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(StoreError, match="is closed"):
        store.write(lambda t: t.add_run(make_run(), None))
    with pytest.raises(StoreError, match="is closed"):
        store.read(lambda r: r.runs())


def test_closing_inside_a_job_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="inside a job"):
        store.write(lambda _t: store.close())


def test_a_job_cannot_end_its_neighbours_transaction(store: Store) -> None:
    def commits(t: Transaction) -> None:
        t.add_run(make_run("lost"), None)
        t.connection.commit()

    with pytest.raises(StoreError, match="must not begin, commit or roll back"):
        store.write(commits)

    assert store.read(lambda r: r.find_run("lost")) is None


def test_the_savers_connection_is_in_the_transaction(store: Store) -> None:
    def job(t: Transaction) -> object:
        t.add_run(make_run(), None)
        return t.connection.execute("SELECT count(*) FROM hitl_run").fetchone()[0]

    assert store.write(job) == 1
    assert store.read(
        lambda r: r.connection.execute("SELECT count(*) FROM hitl_run").fetchone()
    ) == (1,)
