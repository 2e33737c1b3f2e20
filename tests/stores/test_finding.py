"""Reviews are found by what is said about them, page by page, in each order."""

import pytest

from hitl.errors import NotFound
from hitl.models import Presentation, ReviewSearch
from hitl.ports import Store
from tests.stores.acts import add_reviews
from tests.stores.records import MINUTE, NOON, make_review


@pytest.fixture
def filled(with_run: Store) -> Store:
    """Three reviews: one held by Ana, one of high risk and low reliability, one handed to Bo."""
    shown = Presentation(title="Pay 100% to Ümit", reliability_now=0.3)
    add_reviews(
        with_run,
        make_review(holder="ana", claimed_until=NOON + MINUTE, due_at=NOON + MINUTE),
        make_review("rev_2", risk="high", presentation=shown, due_at=NOON + 2 * MINUTE),
        make_review("rev_3", handed_to="bo", holder="ana", claimed_until=NOON - MINUTE),
    )
    return with_run


def found(store: Store, after: str | None = None, **wanted: object) -> list[str]:
    search = ReviewSearch.model_validate(wanted)
    return [r.id for r in store.read(lambda r: r.find_reviews(search, now=NOON, after=after))]


def test_reviews_are_found_by_words_risk_due_time_and_hands(filled: Store) -> None:
    assert found(filled, words="100% PAY") == ["rev_2"]
    assert found(filled, words="100_") == []
    assert found(filled, risk="high") == ["rev_2"]
    assert found(filled, due_before=NOON + MINUTE) == ["rev_1"]
    assert found(filled, held_by="ana") == ["rev_1"]
    assert found(filled, held_by="bo") == ["rev_3"]
    assert found(filled, unclaimed=True) == ["rev_2"]
    assert found(filled, status=["approved"]) == []


def test_each_order_goes_on_after_the_last_one_seen(filled: Store) -> None:
    assert found(filled) == ["rev_1", "rev_2", "rev_3"]
    assert found(filled, after="rev_2") == ["rev_3"]
    assert found(filled, order="newest") == ["rev_3", "rev_2", "rev_1"]
    assert found(filled, order="newest", after="rev_2") == ["rev_1"]
    assert found(filled, order="reliability") == ["rev_2", "rev_1", "rev_3"]
    assert found(filled, order="reliability", after="rev_2") == ["rev_1", "rev_3"]
    with pytest.raises(NotFound):
        found(filled, after="rev_9")
