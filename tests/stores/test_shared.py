"""One process may wrap on the same file twice; the file is let go with the last one."""

from pathlib import Path

from hitl.reviews import utcnow
from hitl.stores import borrow, give_back, holder


def test_two_borrowers_share_one_writer_and_the_last_one_closes_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    first, second = borrow(url, clock=utcnow), borrow(url, clock=utcnow)
    assert first is second
    give_back(first)
    assert second.write(lambda t: t.set_setting("k", "v")) == "v"
    assert holder(url) is not None
    give_back(second)
    assert holder(url) is None


def test_memory_is_never_shared() -> None:
    first, second = borrow("sqlite://", clock=utcnow), borrow("sqlite://", clock=utcnow)
    assert first is not second
    give_back(first)
    give_back(second)
