"""A shop with two parked runs, and the command line as a function."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from examples.first_approval import make_app
from hitl.cli import run
from hitl.models import Review
from hitl.reviews import ReviewQueue
from hitl.stores import open_store

HOSTILE = "\x1b[2J\x9b\u202eSons & Evil\u200b\x07[bold]"
"""Clears a screen, reorders a line, hides a space, rings, and would be markup."""


@dataclass(frozen=True)
class Said:
    """What one command line printed, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def hitl(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return the command line as a function of its words, on a wide terminal."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = run(words)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return call


@dataclass(frozen=True)
class Shop:
    """A store with two runs that wait: one of ina's, and one with a hostile payee."""

    url: str
    plain: Review
    hostile: Review

    def review(self, review_id: str) -> Review:
        """Return a review as it stands now."""
        store = open_store(self.url)
        try:
            return ReviewQueue(store).get(review_id)
        finally:
            store.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Return the URL of a store that does not exist yet."""
    return f"sqlite:///{tmp_path / 'hitl.db'}"


@pytest.fixture
def shop(url: str) -> Shop:
    """Return a store with two parked runs, opened by nobody."""
    app = make_app(url)
    plain = app.start({"text": "Alba & Sons: EUR 43.00"}, by="ina")
    hostile = app.start({"text": f"{HOSTILE}: EUR 93.00"})
    shop = Shop(url, plain.reviews()[0], hostile.reviews()[0])
    app.close()
    return shop
