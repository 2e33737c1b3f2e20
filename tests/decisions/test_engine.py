import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import pytest

from hitl.engines import EmbeddedEngine
from hitl.errors import LeaseLost
from hitl.models import Mail, MailKind, ReviewStatus
from hitl.ports import Engine
from hitl.reviews import ReviewQueue, utcnow
from hitl.stores import open_store
from tests.decisions.desk import Desk, HandClock

SOON = timedelta(milliseconds=300)


class Advances:
    """Stands in for the runtime: carries out a run's orders, and remembers what it did."""

    def __init__(self, desk: Desk, work: Callable[[str], None] = lambda _: None) -> None:
        self._desk = desk
        self._work = work
        self._lock = threading.Lock()
        self.under_way: set[str] = set()
        self.overlaps: list[str] = []
        self.most = 0
        self.done: list[tuple[str, str]] = []
        self.began: dict[str, float] = {}

    def __call__(self, run_id: str) -> None:
        with self._lock:
            self.began[run_id] = time.perf_counter()
            if run_id in self.under_way:
                self.overlaps.append(run_id)
            self.under_way.add(run_id)
            self.most = max(self.most, len(self.under_way))
        try:
            due = self._desk.store.read(lambda r: r.mail(run_id, now=self._desk.clock()))
            # timers are the sweep's, not the run's
            mail = [m for m in due if m.kind not in (MailKind.EXPIRY, MailKind.COMMIT)]
            self._work(run_id)
            self._finish(mail)
        finally:
            with self._lock:
                self.under_way.discard(run_id)

    def has_begun(self, run_id: str) -> bool:
        return run_id in self.began

    def _finish(self, mail: list[Mail]) -> None:
        self._desk.store.write(lambda t: t.finish_mail([m.id for m in mail]))
        with self._lock:
            self.done.extend((m.run_id, m.key) for m in mail)


def until(fact: Callable[[], bool], *, seconds: float = 10.0) -> bool:
    """Wait until `fact` holds; False when it never did."""
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(0.002)
    return True


def order(desk: Desk, run_id: str, key: str, *, after: timedelta = timedelta(0)) -> None:
    due = desk.clock() + after
    desk.store.write(lambda t: t.put_mail(run_id, MailKind.WAKE, key=key, due_at=due))


@pytest.fixture
def live(each_url: str) -> Iterator[Desk]:
    """A desk on the real clock, as an engine needs it."""
    store = open_store(each_url)
    clock = RealClock()
    yield Desk(store, clock, ReviewQueue(store, clock=clock))
    store.close()


class RealClock(HandClock):
    """The real time, plus what it was moved by."""

    def __init__(self) -> None:
        super().__init__()
        self._offset = timedelta(0)

    def __call__(self) -> datetime:
        return utcnow() + self._offset

    def move(self, by: timedelta) -> None:
        self._offset += by


@pytest.fixture
def engine(live: Desk) -> Iterator[EmbeddedEngine]:
    engine = EmbeddedEngine(live.store, clock=live.clock, retry_after=timedelta(milliseconds=50))
    yield engine
    engine.stop()


def test_it_is_an_engine(engine: EmbeddedEngine) -> None:
    port: Engine = engine

    port.stop(timeout=0)


def test_a_decision_resumes_its_run_at_once(live: Desk, engine: EmbeddedEngine) -> None:
    reviews = [live.open(f"rev_{n}", run_id=f"run_{n}") for n in range(20)]
    advances = Advances(live)
    engine.serve(advances)
    assert until(lambda: live.store.read(lambda r: r.due_runs(now=live.clock())) == [])

    waits = []
    for review in reviews:
        live.queue.decide(review.id, "approve", by="ana", proposal_hash=review.proposal_hash)
        committed = time.perf_counter()
        assert until(partial(advances.has_begun, review.run_id))
        waits.append(advances.began[review.run_id] - committed)

    # 5 ms is promised; the bound leaves room for a busy machine, and is far below the 1 s tick
    assert sorted(waits)[len(waits) // 2] < 0.05
    assert until(lambda: len(advances.done) == 20)
    assert {key for _, key in advances.done} == {f"decision:rev_{n}" for n in range(20)}


def test_orders_given_before_it_started_are_carried_out(live: Desk, engine: EmbeddedEngine) -> None:
    live.run("run_1")
    order(live, "run_1", "wake:1")
    advances = Advances(live)

    engine.serve(advances)

    assert until(lambda: advances.done == [("run_1", "wake:1")])


def test_an_order_due_later_is_carried_out_then(live: Desk, engine: EmbeddedEngine) -> None:
    live.run("run_1")
    advances = Advances(live)
    engine.serve(advances)

    given = time.perf_counter()  # before the order, whose commit takes its time
    order(live, "run_1", "wake:1", after=SOON)

    assert until(lambda: bool(advances.done))
    assert SOON.total_seconds() * 0.9 <= advances.began["run_1"] - given < 0.9


def test_a_run_is_never_advanced_twice_at_once(live: Desk, engine: EmbeddedEngine) -> None:
    for run_id in ("run_1", "run_2"):
        live.run(run_id)
    advances = Advances(live, lambda _: time.sleep(0.02))
    engine.serve(advances)

    for n in range(40):
        order(live, f"run_{n % 2 + 1}", f"wake:{n}")
        time.sleep(0.002)

    assert until(lambda: len(advances.done) == 40)
    assert advances.overlaps == []


def test_no_more_runs_than_allowed_advance_at_once(live: Desk, engine: EmbeddedEngine) -> None:
    for n in range(12):
        live.run(f"run_{n}")
        order(live, f"run_{n}", f"wake:{n}")
    advances = Advances(live, lambda _: time.sleep(0.03))

    engine.serve(advances, concurrency=3)

    assert until(lambda: len(advances.done) == 12)
    assert advances.most == 3


def test_an_order_that_comes_while_the_run_advances_is_not_lost(
    live: Desk, engine: EmbeddedEngine
) -> None:
    live.run("run_1")
    once = threading.Event()

    def work(run_id: str) -> None:
        if not once.is_set():
            once.set()
            order(live, run_id, "wake:late")

    advances = Advances(live, work)
    engine.serve(advances)
    order(live, "run_1", "wake:1")

    assert until(lambda: [key for _, key in advances.done] == ["wake:1", "wake:late"], seconds=0.9)


def test_a_failing_run_is_logged_and_tried_again_and_stops_nobody(
    live: Desk, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    live.run("run_bad")
    live.run("run_good")
    tries: list[float] = []

    def work(run_id: str) -> None:
        if run_id == "run_bad":
            tries.append(time.monotonic())
            if len(tries) < 4:
                raise RuntimeError("a broken step")

    advances = Advances(live, work)
    engine.serve(advances)
    order(live, "run_bad", "wake:bad")
    order(live, "run_good", "wake:good")

    assert until(lambda: len(advances.done) == 2)
    assert advances.done[0] == ("run_good", "wake:good")
    waits = [b - a for a, b in pairwise(tries)]
    assert all(wait >= 0.05 * 2**n * 0.9 for n, wait in enumerate(waits))  # it doubles
    failures = [r for r in caplog.records if r.message == "advancing the run failed"]
    assert {r.run_id for r in failures} == {"run_bad"}  # type: ignore[attr-defined]  # extra=
    assert len(failures) == 3


def test_a_run_taken_over_elsewhere_is_no_failure_of_this_engine(
    live: Desk, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    live.run("run_1")
    tries = []

    def work(run_id: str) -> None:
        tries.append(run_id)
        if len(tries) == 1:
            raise LeaseLost(run_id, 1)

    advances = Advances(live, work)
    engine.serve(advances)
    order(live, "run_1", "wake:1")

    assert until(lambda: len(advances.done) == 1)
    assert [r for r in caplog.records if r.levelname == "ERROR"] == []


def test_a_run_left_due_is_not_advanced_in_a_loop(live: Desk, engine: EmbeddedEngine) -> None:
    live.run("run_1")
    order(live, "run_1", "wake:1")
    calls: list[str] = []

    engine.serve(calls.append)
    time.sleep(0.5)

    assert calls == ["run_1"]


def test_timers_are_swept_when_they_are_due(live: Desk, engine: EmbeddedEngine) -> None:
    live.open(expires_at=live.clock() + SOON)
    advances = Advances(live)

    engine.serve(advances, sweep=live.queue.sweep)

    assert until(lambda: live.queue.get("rev_1").status is ReviewStatus.EXPIRED)
    assert until(lambda: ("run_1", "decision:rev_1") in advances.done)


def test_a_sweep_that_fails_is_tried_again(
    live: Desk, engine: EmbeddedEngine, caplog: pytest.LogCaptureFixture
) -> None:
    swept = []

    def sweep() -> None:
        swept.append(1)
        if len(swept) == 1:
            raise RuntimeError("the disk is full")

    engine.serve(Advances(live), sweep=sweep)

    assert until(lambda: len(swept) >= 2)
    assert "the due timers could not be fired" in caplog.text


def test_a_lost_wake_up_is_healed_by_the_tick(live: Desk, engine: EmbeddedEngine) -> None:
    live.run("run_1")
    advances = Advances(live)
    engine.serve(advances)
    order(live, "run_1", "wake:1", after=timedelta(hours=1))
    time.sleep(0.05)

    live.clock.move(timedelta(hours=2))  # nobody tells the engine

    assert until(lambda: advances.done == [("run_1", "wake:1")], seconds=3)


def test_stop_waits_for_what_is_under_way_and_takes_nothing_more(
    live: Desk, engine: EmbeddedEngine
) -> None:
    live.run("run_1")
    live.run("run_2")
    begun = threading.Event()

    def work(_: str) -> None:
        begun.set()
        time.sleep(0.2)

    advances = Advances(live, work)
    engine.serve(advances)
    order(live, "run_1", "wake:1")
    assert begun.wait(5)

    engine.stop()
    assert advances.done == [("run_1", "wake:1")]
    order(live, "run_2", "wake:2")
    engine.stop()
    time.sleep(0.05)
    assert advances.done == [("run_1", "wake:1")]


def test_stop_does_not_wait_for_ever(live: Desk, engine: EmbeddedEngine) -> None:
    live.run("run_1")
    begun, go = threading.Event(), threading.Event()

    def work(_: str) -> None:
        begun.set()
        go.wait(10)

    engine.serve(Advances(live, work))
    order(live, "run_1", "wake:1")
    assert begun.wait(5)

    started = time.monotonic()
    engine.stop(timeout=0.1)
    took = time.monotonic() - started
    go.set()

    assert took < 2


def test_an_engine_starts_once(live: Desk, engine: EmbeddedEngine) -> None:
    engine.serve(Advances(live))

    with pytest.raises(RuntimeError, match="started before"):
        engine.serve(Advances(live))


def test_every_one_of_many_decisions_is_carried_out(live: Desk, engine: EmbeddedEngine) -> None:
    reviews = [live.open(f"rev_{n}", run_id=f"run_{n % 25}") for n in range(100)]
    advances = Advances(live)
    engine.serve(advances, sweep=live.queue.sweep)

    deciders = [
        threading.Thread(
            target=partial(
                live.queue.decide, r.id, "approve", by="ana", proposal_hash=r.proposal_hash
            )
        )
        for r in reviews
    ]
    for thread in deciders:
        thread.start()
    for thread in deciders:
        thread.join()

    assert until(lambda: len(advances.done) == 100)
    assert sorted(key for _, key in advances.done) == sorted(f"decision:{r.id}" for r in reviews)
    assert advances.overlaps == []
