import os
import random
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import closing
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest

from hitl.audit import verify
from hitl.errors import StoreError
from hitl.ports import Transaction
from hitl.stores import open_store
from tests.stores.acts import add_runs
from tests.stores.processes import kill, next_line, start, told, write_and_acknowledge
from tests.stores.records import make_proposal, make_run

KILLS = 20


def test_what_was_acknowledged_survives_twenty_kills(url: str) -> None:
    chance = random.Random(20261124)
    acknowledged: set[str] = set()
    for life in range(KILLS):
        process, pipe = start(write_and_acknowledge, url, life * 10_000)
        acknowledged |= {next_line(pipe) for _ in range(chance.randint(1, 60))}
        kill(process)
        acknowledged |= set(told(process, pipe))

        with closing(open_store(url)) as store:
            runs = {run.id for run in store.read(lambda r: r.runs(limit=1_000_000))}
            events = store.read(lambda r: r.audit(limit=1_000_000))
            proposals = {
                run_id
                for run_id in runs
                if store.read(methodcaller("proposal_of", f"review of {run_id}"))
            }

        assert acknowledged <= runs, f"life {life}: an acknowledged run is gone"
        assert runs == {event.run_id for event in events} == proposals, f"life {life}: half a job"
        assert verify(events) is None
    assert len(acknowledged) > KILLS


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 2 MiB; where none can be mounted, a folder like any other."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield folder
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_kept(small_disk: Path) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 600_000)
    with closing(open_store(f"sqlite:///{small_disk / 'hitl.db'}")) as store:
        store.write(_limit_pages(400))
        kept: list[str] = []
        refused: list[StoreError] = []
        for first in range(0, 1000, 20):
            kept_now, refused_now = _write_together(store.submit, first)
            kept += kept_now
            refused += refused_now
            if refused:
                break

        assert refused
        assert all("disk is full" in str(problem) for problem in refused)
        assert kept
        assert _run_ids(store) == sorted(kept)

        filler.unlink()
        store.write(_limit_pages(10_000))
        add_runs(store, make_run("after"))
        assert _run_ids(store) == sorted([*kept, "after"])


def _write_together(submit: Any, first: int) -> tuple[list[str], list[StoreError]]:
    """Write twenty runs of 10 kB in one commit; return the acknowledged ones and the refusals."""
    door = threading.Event()
    held = submit(lambda _t: door.wait(10))
    futures: dict[str, Future[None]] = {}
    for number in range(first, first + 20):
        run_id = f"run_{number:04}"
        futures[run_id] = submit(
            methodcaller("add_run", make_run(run_id), ("raw", os.urandom(10_000)))
        )
    door.set()
    wait([held, *futures.values()], timeout=60)
    problems = [f.exception() for f in futures.values()]
    refused = [problem for problem in problems if isinstance(problem, StoreError)]
    return [run_id for run_id, future in futures.items() if future.exception() is None], refused


def _limit_pages(most: int) -> Any:
    def job(t: Transaction) -> None:
        t.connection.execute(f"PRAGMA max_page_count={most}").fetchall()

    return job


def _run_ids(store: Any) -> list[str]:
    return sorted(run.id for run in store.read(lambda r: r.runs(limit=10_000)))


def test_a_database_another_program_locks_is_said_so_and_read_on(url: str, tmp_path: Path) -> None:
    with closing(open_store(url)) as store, closing(sqlite3.connect(tmp_path / "hitl.db")) as other:
        add_runs(store, make_run())
        store.write(lambda t: t.connection.execute("PRAGMA busy_timeout=50").fetchall())
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(StoreError, match="another program has locked it"):
            add_runs(store, make_run("run_2"))
        assert len(store.read(lambda r: r.runs())) == 1

        other.rollback()
        add_runs(store, make_run("run_2"))
        assert len(store.read(lambda r: r.runs())) == 2


def test_a_job_after_which_the_database_gave_up_takes_its_group_with_it_and_says_so(
    url: str,
) -> None:
    def gives_up(t: Transaction) -> None:
        t.add_run(make_run("lost"), None)
        t.connection.execute("INSERT OR ROLLBACK INTO hitl_run SELECT * FROM hitl_run")

    with closing(open_store(url)) as store:
        door = threading.Event()
        futures: list[Future[Any]] = [store.submit(lambda _t: door.wait(10))]
        futures.append(store.submit(methodcaller("add_run", make_run("neighbour"), None)))
        futures.append(store.submit(gives_up))
        door.set()
        wait(futures, timeout=30)

        kept = [future.exception() is None for future in futures[1:]]
        assert kept == [False, False]
        assert _run_ids(store) == []
        add_runs(store, make_run("after"))
        assert _run_ids(store) == ["after"]


def test_a_proposal_of_sixteen_mebibytes_is_kept(url: str) -> None:
    proposal = make_proposal(blob=os.urandom(16 * 1024 * 1024))

    with closing(open_store(url)) as store:
        store.write(lambda t: t.add_proposal(proposal))
        assert store.read(lambda r: r.proposal(proposal.key)) == proposal
