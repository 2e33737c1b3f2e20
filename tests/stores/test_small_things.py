from operator import methodcaller

import pytest

from hitl.errors import StoreError
from hitl.models import JsonObject, Outcome
from hitl.ports import Store
from tests.stores.records import NOON


def test_a_policy_is_kept_by_its_hash(store: Store) -> None:
    body: JsonObject = {
        "name": "payments",
        "reliability_below": 0.7,
        "checkpoints": [{"step": "pay"}],
    }
    assert store.read(lambda r: r.policy("hash")) is None

    store.write(lambda t: t.save_policy("hash", body))
    store.write(lambda t: t.save_policy("hash", {"name": "other"}))

    assert store.read(lambda r: r.policy("hash")) == body


def test_outcomes_come_oldest_first(store: Store) -> None:
    outcomes = [
        Outcome(id="b", run_id="run_1", good=False, note="bounced", known_at=NOON),
        Outcome(id="a", run_id="run_1", step="pay", good=True, known_at=NOON),
        Outcome(id="c", run_id="run_2", good=True, known_at=NOON),
    ]
    for outcome in outcomes:
        store.write(methodcaller("add_outcome", outcome))

    assert store.read(lambda r: r.outcomes("run_1")) == outcomes[:2]
    with pytest.raises(StoreError, match="The outcome 'a' is there already"):
        store.write(lambda t: t.add_outcome(outcomes[1]))


def test_the_first_value_of_a_setting_stays(store: Store) -> None:
    assert store.read(lambda r: r.setting("coin secret")) is None

    assert store.write(lambda t: t.set_setting("coin secret", "one")) == "one"
    assert store.write(lambda t: t.set_setting("coin secret", "two")) == "one"

    assert store.read(lambda r: r.setting("coin secret")) == "one"
