from collections.abc import Callable
from operator import methodcaller

import pytest

from hitl.errors import StoreError
from hitl.models import FieldChange, JsonObject, MailKind, Presentation, RunStatus, Signal
from hitl.ports import Reader, Store, Transaction
from tests.stores.records import NOON, make_gate, make_review, make_run

SURROGATE = "half a \ud83d smile"
ODD = "NUL \x00, DEL \x7f, tag \U000e0041, bidi \u202e, 😀, \\u0000, \u2028, \ue000, NaN Infinity"

NAMES = ODD.replace("\0", "")


def test_odd_text_comes_back_as_it_was(store: Store) -> None:
    change = FieldChange(field=ODD, before={ODD: [ODD]}, after=[None, True, 10**30, 1e300, -0.0])
    review = make_review(presentation=Presentation(title=ODD, changes=(change,)))
    gate = make_gate(summary=ODD)
    payload: JsonObject = {ODD: ODD}

    def job(t: Transaction) -> None:
        t.add_review(review)
        t.put_gate(gate)
        t.put_mail("run_1", MailKind.WAKE, key="k", due_at=NOON, payload=payload)
        t.save_policy("hash", payload)
        t.set_setting(NAMES, NAMES)

    store.write(job)

    assert store.read(lambda r: r.review("rev_1")) == review
    assert store.read(lambda r: r.gate("gate_1")) == gate
    assert store.read(lambda r: r.mail("run_1", now=NOON))[0].payload == payload
    assert store.read(lambda r: r.policy("hash")) == payload
    assert store.read(lambda r: r.setting(NAMES)) == NAMES


def test_names_and_ids_have_no_nul_and_none_is_found_by_one(store: Store) -> None:
    jobs: list[Callable[[Transaction], object]] = [
        lambda t: t.add_run(make_run(ODD), None),
        lambda t: t.add_review(make_review(ODD)),
        lambda t: t.put_mail("run_1", MailKind.WAKE, key=ODD, due_at=NOON),
        lambda t: t.set_setting("key", ODD),
        lambda t: t.append_audit(ODD, {"action": "x"}),
    ]
    for job in jobs:
        with pytest.raises(StoreError, match="no NUL character"):
            store.write(job)

    def looks(r: Reader) -> list[object]:
        return [r.find_run(ODD), r.epoch(ODD), r.decision(ODD), r.intent(ODD), r.setting(ODD)]

    assert store.read(looks) == [None] * 5
    assert store.write(looks) == [None] * 5


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), [{"x": float("nan")}]]
)
def test_numbers_that_are_not_finite_are_refused_in_records(store: Store, value: object) -> None:
    change = FieldChange(field="amount", after=value)
    review = make_review(presentation=Presentation(title="t", changes=(change,)))

    with pytest.raises(StoreError, match=r"Review cannot be stored: .* is not JSON"):
        store.write(lambda t: t.add_review(review))

    assert store.read(lambda r: r.reviews()) == []


def test_numbers_that_are_not_finite_are_refused_in_gate_rows(store: Store) -> None:
    signal = Signal(name="judge", kind="noisy", score=float("nan"))

    for row in (make_gate(signals=(signal,)), make_gate(step_cost=float("inf"))):
        with pytest.raises(StoreError, match="GateRow cannot be stored"):
            store.write(methodcaller("put_gate", row))

    assert store.read(lambda r: r.gates("run_1")) == []


def test_lone_surrogates_are_refused_everywhere(store: Store) -> None:
    jobs: list[Callable[[Transaction], object]] = [
        lambda t: t.add_run(make_run(reason=SURROGATE), None),
        lambda t: t.add_run(make_run(SURROGATE), None),
        lambda t: t.put_gate(make_gate(summary=SURROGATE)),
        lambda t: t.add_review(make_review(presentation=Presentation(title=SURROGATE))),
        lambda t: t.append_audit("run_1", {"x": SURROGATE}),
        lambda t: t.put_mail(
            "run_1", MailKind.WAKE, key="k", due_at=NOON, payload={"x": SURROGATE}
        ),
        lambda t: t.save_policy("hash", {SURROGATE: 1}),
        lambda t: t.set_setting("key", SURROGATE),
    ]
    for job in jobs:
        with pytest.raises(StoreError, match=r"[Nn]othing was written"):
            store.write(job)

    assert store.read(lambda r: (r.runs(), r.reviews(), r.audit(), r.next_due())) == (
        [],
        [],
        [],
        None,
    )


def test_what_is_not_json_is_refused(store: Store) -> None:
    payload: JsonObject = {"when": NOON}  # type: ignore[dict-item]  # what a caller may pass

    with pytest.raises(StoreError, match="A mail's payload cannot be stored"):
        store.write(
            lambda t: t.put_mail("run_1", MailKind.WAKE, key="k", due_at=NOON, payload=payload)
        )


def test_the_words_nan_and_infinity_are_only_words(store: Store) -> None:
    run = make_run(reason='said "NaN", then Infinity', status=RunStatus.NEEDS_ATTENTION)

    store.write(lambda t: t.add_run(run, None))

    assert store.read(lambda r: r.run("run_1")) == run
