"""V8: the database of every release opens, upgrades, goes on and verifies, for ever."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from hitl import Workflow
from hitl.models import REQUESTS, ReviewStatus, RunStatus
from hitl.stores import open_reader, open_store
from hitl.testing import FakeClock
from tests.corpus.make import HERE, NOON, expire_one, fill, main, wrapped
from tests.runtime.stage import go_on, settle

RELEASES = sorted(HERE.glob("*.db.gz"))
ENDED_OR_WAITING = set(RunStatus) - {RunStatus.RUNNING}
"""A run is only running while a process works on it."""
PARKED = ("run_read", "run_ask", "run_pay", "run_retried", "run_decided", "run_intent")


@contextmanager
def unpacked(release: Path, folder: Path, clock: FakeClock) -> Iterator[Workflow]:
    """Open a release's database as it was left, at the time it was left."""
    file = folder / "hitl.db"
    file.write_bytes(gzip.decompress(release.read_bytes()))
    app = wrapped(f"sqlite:///{file}", clock)
    try:
        yield app
    finally:
        app.close()


@pytest.fixture
def clock() -> FakeClock:
    """The time at which the databases were left."""
    clock = FakeClock(NOON)
    clock.advance(timedelta(days=2, minutes=5))
    return clock


def test_there_is_a_database_of_a_release() -> None:
    assert RELEASES


@pytest.mark.parametrize("release", RELEASES, ids=lambda p: p.name.removesuffix(".db.gz"))
def test_what_a_release_left_behind_goes_on(
    release: Path, tmp_path: Path, clock: FakeClock
) -> None:
    with unpacked(release, tmp_path, clock) as app:
        assert app.queue.verify() is None
        runs = {run.id: run for run in app.queue.runs(limit=100)}
        reviews = app.queue.reviews(limit=200)
        # an intent, a decision not carried out and a wake-up are pending things too
        assert {run.status for run in runs.values()} == ENDED_OR_WAITING
        assert {review.status for review in reviews} == set(ReviewStatus)
        assert {run.status for run in map(app.run, PARKED)} == {RunStatus.WAITING}

        clock.advance(timedelta(days=1))
        app.queue.sweep()
        assert app.queue.get(app.run("run_intent").reviews(pending=False)[0].id).decision
        for name in PARKED:
            run = settle(app, go_on(app.run(name)))
            assert run.status is RunStatus.DONE, (name, run.reason)
            assert run.value["paid"] == "5 to ACME"
        assert app.run("run_failed").retry() is RunStatus.FAILED
        assert app.run("run_done").value["paid"] == "5 to ACME"
        assert app.run("run_cancelled").restart(by="ana").done
        assert settle(app, go_on(app.run("run_cancelled"))).status is RunStatus.DONE
        app.resume("run_stopped", by="ana")
        assert settle(app, app.run("run_stopped")).status is RunStatus.DONE
        for run_id in runs:
            app.queue.timeline(run_id)
        asked = [r for r in app.queue.reviews(limit=200) if r.workflow == REQUESTS]
        assert len(asked) == 2
        assert app.queue.verify() is None


@pytest.mark.parametrize("release", RELEASES, ids=lambda p: p.name.removesuffix(".db.gz"))
def test_it_is_read_beside_a_writer_once_it_is_upgraded(release: Path, tmp_path: Path) -> None:
    file = tmp_path / "hitl.db"
    file.write_bytes(gzip.decompress(release.read_bytes()))
    url = f"sqlite:///{file}"
    open_store(url).close()

    reader = open_reader(url)
    assert reader.read(lambda r: r.count_runs())[RunStatus.DONE] >= 1
    reader.close()


def test_the_next_ones_database_is_made_the_same_way(tmp_path: Path) -> None:
    made = tmp_path / "next.db.gz"

    main(made)

    assert made.stat().st_size < 100_000
    clock = FakeClock(NOON)
    app = wrapped("sqlite://", clock)
    expire_one(app, clock)
    fill(app)
    assert {run.status for run in app.queue.runs(limit=100)} == ENDED_OR_WAITING
    assert {review.status for review in app.queue.reviews(limit=200)} == set(ReviewStatus)
    app.close()
