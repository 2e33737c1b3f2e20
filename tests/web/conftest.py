from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from review_ui import create_app
from tests.web.records import Desk, HandClock

HOME = "http://127.0.0.1"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def desk(tmp_path: Path, clock: HandClock) -> Iterator[Desk]:
    """An open queue on a fresh database."""
    store = open_store(f"sqlite:///{tmp_path / 'hitl.db'}", clock=clock)
    yield Desk(store, clock, ReviewQueue(store, clock=clock))
    store.close()


@pytest.fixture
def client(desk: Desk) -> Iterator[TestClient]:
    """The pages over the desk, guarded by somebody else."""
    with TestClient(create_app(desk.queue, clock=desk.clock), base_url=HOME) as client:
        yield client
