"""A second store passes these tests unchanged: add how it is opened to `_OPENERS`, nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hitl.ports import Store
from hitl.stores import open_store
from tests.stores.records import make_run, noon

_OPENERS: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "postgres": lambda request: str(request.getfixturevalue("postgres_url")),
    "sqlite": lambda request: f"sqlite:///{request.getfixturevalue('tmp_path') / 'hitl.db'}",
    "sqlite in memory": lambda _: "sqlite://",
}


@pytest.fixture(params=sorted(_OPENERS))
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    opened = open_store(_OPENERS[request.param](request), clock=noon)
    yield opened
    opened.close()


@pytest.fixture
def with_run(store: Store) -> Store:
    """A store that holds `run_1`."""
    store.write(lambda t: t.add_run(make_run(), ("msgpack", b"the cheque")))
    return store


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where a SQLite file may be made."""
    return f"sqlite:///{tmp_path / 'hitl.db'}"
