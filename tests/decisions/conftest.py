from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl.reviews import ReviewQueue
from hitl.stores import open_store
from tests.decisions.desk import Desk, HandClock


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'hitl.db'}"


@pytest.fixture(params=["postgres", "sqlite"])
def each_url(request: pytest.FixtureRequest) -> str:
    """A store of each kind."""
    return str(request.getfixturevalue("postgres_url" if request.param == "postgres" else "url"))


@pytest.fixture
def each_desk(each_url: str, clock: HandClock) -> Iterator[Desk]:
    """An open queue on a fresh database of each kind."""
    store = open_store(each_url, clock=clock)
    yield Desk(store, clock, ReviewQueue(store, clock=clock))
    store.close()


@pytest.fixture
def desk(url: str, clock: HandClock) -> Iterator[Desk]:
    """An open queue on a fresh database."""
    store = open_store(url)
    yield Desk(store, clock, ReviewQueue(store, clock=clock))
    store.close()
