"""A policy is data: the same in Python and in YAML, known by its hash, refused with sentences."""

import functools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.canonical import canonical_json, sha256_hex
from hitl.errors import ConfigurationError
from hitl.models import JsonObject, Place, RemedyKind
from hitl.policy import (
    Answer,
    Checkpoint,
    EscalationPolicy,
    Remedy,
    Retry,
    Reviewer,
    Rollback,
    Stop,
    Takeover,
)
from tests.rules import quick


def large(arguments: JsonObject) -> bool:
    return float(str(arguments["amount"])) > 1000


def calls(step_input: Any) -> Any:
    return step_input["calls"]


async def slow(arguments: JsonObject) -> bool:
    return bool(arguments)


PAYMENTS = EscalationPolicy(
    "payments",
    version="7",
    timezone="Europe/Berlin",
    reliability_below=0.70,
    spot_check=0.02,
    spot_check_runs=0.005,
    accuracy={"mid/*": 0.9, "read": 0.95},
    reviewer=Reviewer(0.9, 0.95),
    checkpoints=[
        Checkpoint(
            "read",
            confidence_below=0.90,
            reliability_below=0.8,
            spot_check=0.1,
            on_deny=[Retry(3, within="2h"), Answer(), Rollback()],
            due_in="4h",
            expires_in=timedelta(days=1),
            on_expiry=Rollback(),
            covers="since_reset",
            accuracy=0.97,
        ),
        Checkpoint(
            "pay",
            place="before",
            always=True,
            rule=large,
            shows=calls,
            risk="high",
            title="Pay {amount} to {payee}",
            if_approved="The bank sends it today.",
            if_denied="Nothing is paid.",
            reasons=["wrong payee", "wrong amount"],
            on_repeat="ask",
            reversible=False,
            silent_error_cost=100,
            rework_cost=5,
            step_cost=0.25,
        ),
        Checkpoint("draft", on_deny=[Retry(10, until="Tomorrow 09:00")]),
    ],
)

WRITTEN = f"""
# The same, by hand.
reliability_below: .7
spot_check: 0.02
spot_check_runs: 0.005
timezone: Europe/Berlin
version: 7
name: payments
reviewer: {{specificity: 0.95, sensitivity: 0.9}}
accuracy:
  read: 0.95
  mid/*: 0.9
checkpoints:
  - step: read
    confidence_below: 0.9
    reliability_below: 0.80
    spot_check: 0.1
    on_deny:
      - retry: {{attempts: 3, within: 120m}}
      - answer
      - rollback
    due_in: 4h
    expires_in: 24h
    on_expiry: rollback
    covers: since_reset
    accuracy: 0.97
  - step: pay
    place: before
    always: yes
    rule: {__name__}:large
    shows: {__name__}:calls
    risk: high
    title: Pay {{amount}} to {{payee}}
    if_approved: The bank sends it today.
    if_denied: Nothing is paid.
    reasons: [wrong payee, wrong amount]
    on_deny: [stop]
    on_repeat: ask
    reversible: no
    silent_error_cost: 100
    rework_cost: 5.0
    step_cost: 0.25
  - step: draft
    on_deny:
      - kind: retry
        attempts: 10
        until: tomorrow 09:00
"""


# -- Python and YAML are the same thing ----------------------------------------------------------


def test_the_same_policy_in_python_and_in_yaml_is_equal() -> None:
    written = EscalationPolicy.from_yaml(WRITTEN)

    assert written == PAYMENTS
    assert written.content_hash == PAYMENTS.content_hash
    assert hash(written) == hash(PAYMENTS)
    assert written.checkpoints == PAYMENTS.checkpoints


def test_a_written_policy_reads_as_itself() -> None:
    assert EscalationPolicy.from_yaml(PAYMENTS.to_yaml()) == PAYMENTS
    assert EscalationPolicy.from_body(PAYMENTS.body()) == PAYMENTS
    assert EscalationPolicy.from_yaml(PAYMENTS.to_yaml()).to_yaml() == PAYMENTS.to_yaml()


def test_a_policy_is_loaded_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(WRITTEN, encoding="utf-8")

    assert EscalationPolicy.load(file) == EscalationPolicy.load(str(file)) == PAYMENTS


remedies: st.SearchStrategy[Remedy] = st.sampled_from([Answer(), Rollback(), Stop()])
retries = st.builds(
    Retry,
    st.integers(1, 99),
    within=st.none() | st.timedeltas(timedelta(microseconds=1), timedelta(days=9)),
    until=st.none()
    | st.sampled_from(["18:00", "today 18:00", "Tomorrow  9:00", "2027-01-02 03:04"]),
)
words = st.text(st.characters(codec="utf-8", exclude_characters="{}"), max_size=8)
chances = st.none() | st.floats(0, 1)
checkpoints = st.builds(
    Checkpoint,
    st.sampled_from(["a", "b/c", "d e"]),
    place=st.just(Place.AFTER),
    always=st.booleans(),
    confidence_below=chances,
    reliability_below=chances,
    spot_check=chances,
    rule=st.none() | st.just(large),
    on_deny=st.none() | st.lists(remedies | retries, max_size=4, unique_by=lambda r: r.kind),
    due_in=st.none() | st.sampled_from(["1h", "90m", timedelta(seconds=1.5)]),
    covers=st.sampled_from([None, "step", "since_reset"]),
    title=words,
    reasons=st.lists(words, max_size=2),
    reversible=st.none() | st.booleans(),
    step_cost=st.none() | st.floats(0, 1e9),
)
policies = st.builds(
    EscalationPolicy,
    words.filter(str.strip),
    version=words.filter(str.strip),
    reliability_below=chances,
    spot_check=st.floats(0, 1),
    accuracy=st.dictionaries(words, st.floats(0, 1), max_size=2),
    reviewer=st.none() | st.builds(Reviewer, st.floats(0, 1), st.floats(0, 1)),
    checkpoints=st.lists(checkpoints, max_size=3, unique_by=lambda c: c.step),
)


@quick
@given(policies)
def test_any_written_policy_reads_as_itself(policy: EscalationPolicy) -> None:
    read = EscalationPolicy.from_yaml(policy.to_yaml())

    assert read == policy
    assert read.content_hash == policy.content_hash == sha256_hex(canonical_json(policy.body()))


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("stop", Stop()),
        ("{stop: }", Stop()),
        ("{kind: rollback}", Rollback()),
        ("retry", Retry()),
        ("{retry: 3}", Retry(3)),
        ("{retry: {until: 18:00}}", Retry(until="18:00")),  # no base-60 numbers here
        ("{retry: {attempts: 2, within: 90s}}", Retry(2, within=timedelta(seconds=90))),
        ("{kind: retry, attempts: 2, until: 2026-11-25 09:00}", Retry(2, until="2026-11-25 09:00")),
    ],
)
def test_a_remedy_is_written_in_a_word_or_in_keys(written: str, remedy: Remedy) -> None:
    text = f"name: p\ncheckpoints: [{{step: a, on_deny: [{written}]}}]"

    assert EscalationPolicy.from_yaml(text).checkpoints[0].on_deny == (remedy,)


# -- versioned by content ------------------------------------------------------------------------


def test_the_hash_of_a_policy_does_not_change_between_versions() -> None:
    plain = EscalationPolicy(
        "golden", reliability_below=0.7, checkpoints=[Checkpoint("read", confidence_below=0.9)]
    )

    assert canonical_json(plain.body()) == (
        b'{"checkpoints":[{"confidence_below":0.9,"on_deny":[{"attempts":3,"kind":"retry"},'
        b'{"kind":"answer"},{"kind":"stop"}],"on_expiry":{"kind":"stop"},"on_repeat":"refuse",'
        b'"place":"after","risk":"low","step":"read"}],"name":"golden","reliability_below":0.7,'
        b'"timezone":"UTC","version":"1"}'
    )
    assert plain.content_hash == "b1f81ab9f2d9c5436be4bfda56493cc70fef079e08ba75e3e90e0415fe52d767"
    assert (
        PAYMENTS.content_hash == "63e61da3e193d5c0a19bda7320702b147c4f60aebfd7ad985e636fb3b0618d9c"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "8"},
        {"timezone": "UTC"},
        {"reliability_below": None},
        {"spot_check": 0.03},
        {"spot_check_runs": 0.0},
        {"accuracy": {}},
        {"reviewer": None},
        {"checkpoints": PAYMENTS.checkpoints[:2]},
        {"checkpoints": PAYMENTS.checkpoints[::-1]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_a_policy_says_changes_its_hash(change: dict[str, Any]) -> None:
    changed = PAYMENTS.model_copy(update=change)

    assert changed.content_hash != PAYMENTS.content_hash
    assert changed != PAYMENTS
    assert PAYMENTS.model_copy(update={}) == PAYMENTS


def test_a_lowered_threshold_is_another_policy() -> None:
    strict, lax = (
        EscalationPolicy("p", checkpoints=[Checkpoint("a", confidence_below=threshold)])
        for threshold in (0.9, 0.8)
    )

    assert strict.content_hash != lax.content_hash
    assert strict.checkpoints[0] != lax.checkpoints[0]
    assert len({*strict.checkpoints, *lax.checkpoints, Checkpoint("a", confidence_below=0.9)}) == 2


def test_what_says_nothing_is_left_out_and_what_says_something_is_not() -> None:
    assert Checkpoint("a", place="before").body() == {
        "step": "a",
        "place": "before",
        "on_deny": [{"kind": "stop"}],
        "on_expiry": {"kind": "stop"},
        "risk": "low",
        "on_repeat": "refuse",
    }
    said = Checkpoint("a", confidence_below=0, reversible=False, accuracy=0, on_deny=[]).body()
    assert (said["confidence_below"], said["reversible"], said["on_deny"]) == (0, False, [])


def test_a_policy_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        PAYMENTS.name = "other"  # type: ignore[misc] # the very thing that must fail


def test_a_local_function_has_a_hash_but_no_file() -> None:
    first, second = (Checkpoint("a", rule=rule) for rule in (lambda _: True, lambda _: False))
    third = Checkpoint("a", rule=lambda _: True)

    assert first != third
    assert first == second  # the same line: a name, not a body
    with pytest.raises(ConfigurationError, match="Checkpoint 'a' uses the local function"):
        EscalationPolicy("p", checkpoints=[first]).to_yaml()
    EscalationPolicy("p", checkpoints=[first]).check(["a"])


def test_a_partial_has_no_name_either() -> None:
    with pytest.raises(ConfigurationError, match="a file can name only functions at the top"):
        EscalationPolicy(
            "p", checkpoints=[Checkpoint("a", rule=functools.partial(large))]
        ).to_yaml()


# -- what is looked up in it ---------------------------------------------------------------------


def test_checkpoints_are_found_by_step_and_place() -> None:
    assert PAYMENTS.at("pay", Place.BEFORE) == (PAYMENTS.checkpoints[1],)
    assert PAYMENTS.at("pay", Place.AFTER) == ()
    assert PAYMENTS.at("payer", Place.BEFORE) == ()


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("read", 0.97),  # the checkpoint's own
        ("check", 0.95),  # an exact path
        ("mid/x", 0.9),  # a glob
        ("mid/sub/x", 0.8),  # the longer glob
        ("other", None),
    ],
)
def test_the_nearest_declared_accuracy_counts(step: str, expected: float | None) -> None:
    policy = PAYMENTS.model_copy(
        update={"accuracy": {"mid/*": 0.9, "mid/sub/*": 0.8, "check": 0.95, "read": 0.5, "c*": 0.1}}
    )

    assert policy.declared_accuracy(step) == expected


def test_the_usual_remedies_depend_on_the_place() -> None:
    assert Checkpoint("a").on_deny == (Retry(3), Answer(), Stop())
    assert Checkpoint("a", place="before").on_deny == (Stop(),)
    assert Checkpoint("a", on_deny=[]).on_deny == ()
    kinds = [each().kind for each in (Retry, Answer, Takeover, Rollback, Stop)]
    assert [*kinds, RemedyKind.JUDGEMENT] == list(RemedyKind), "the last is of questions only"


def test_a_policy_that_fits_is_taken() -> None:
    PAYMENTS.check(["read", "pay", "draft", "mid/x"])
    EscalationPolicy("empty").check([])
