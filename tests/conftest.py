"""The Postgres of a test run: one server, started when a test first asks for it."""

import os
import secrets
from collections.abc import Iterator

import pytest

from tests import postgres


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgres.begin_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgres.end_run()


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the server, with `{}` where a database's name goes."""
    return postgres.server()


@pytest.fixture(scope="session")
def _postgres_database(postgres_server: str) -> Iterator[str]:
    name = f"hitl_{os.getpid()}_{secrets.token_hex(4)}"
    with postgres.database(postgres_server, name) as url:
        yield url


@pytest.fixture
def postgres_url(_postgres_database: str) -> str:
    """An empty database with hitl's tables: this worker's own, emptied for each test."""
    postgres.empty(_postgres_database)
    return _postgres_database
