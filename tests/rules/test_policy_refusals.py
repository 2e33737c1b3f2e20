"""What a policy cannot say, refused in Python with a sentence: where it is said, or at wrap."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from hitl.errors import ConfigurationError, UnknownStep
from hitl.models import JsonObject, Place
from hitl.policy import (
    Answer,
    Checkpoint,
    EscalationPolicy,
    Retry,
    Reviewer,
    Stop,
    Takeover,
)


def large(arguments: JsonObject) -> bool:
    return float(str(arguments["amount"])) > 1000


def calls(step_input: Any) -> Any:
    return step_input["calls"]


async def slow(arguments: JsonObject) -> bool:
    return bool(arguments)


# -- refused with sentences ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Retry(0), "Retry: attempts is 0; it must be a whole number from 1 to 10000."),
        (lambda: Retry(True), "Retry: attempts is True; it must be a whole number"),
        (lambda: Retry(within="2 hours"), "Retry: within is '2 hours'; write it like '90s'"),
        (lambda: Retry(within="0s"), "Retry: within is '0s'; it must be longer than zero"),
        (lambda: Retry(within="40000d"), "it must be longer than zero and at most 36500d."),
        (lambda: Retry(until="soon"), "Retry: until is 'soon'; write it like 'tomorrow 09:00'"),
        (lambda: Reviewer(1.2, 1), "Reviewer: sensitivity is 1.2; it must be a probability in [0"),
        (
            lambda: Checkpoint("a", confidence_below=1.2),
            "Checkpoint 'a': confidence_below is 1.2; ",
        ),
        (lambda: Checkpoint("a", confidence_below=math.nan), "is nan; it must be a probability in"),
        (lambda: Checkpoint("a", reliability_below=-0.1), "reliability_below is -0.1; it must be"),
        (lambda: Checkpoint("a", spot_check=True), "spot_check is True; it must be a probability"),
        (
            lambda: Checkpoint("a", rework_cost=-1),
            "rework_cost is -1; it must be a number of at le",
        ),
        (lambda: Checkpoint("a", due_in="x"), "Checkpoint 'a': due_in is 'x'; write it like"),
        (lambda: Checkpoint(" "), "Checkpoint ' ' names no step; give the step's path."),
        (lambda: Checkpoint("a", place="question"), "has place 'question'; it is 'after' or"),  # type: ignore[arg-type]
        (lambda: Checkpoint("a", place="above"), "place is 'above'; it is 'after' or 'before'."),  # type: ignore[arg-type]
        (lambda: Checkpoint("a", covers="all"), "covers is 'all'; it should be 'step' or"),  # type: ignore[arg-type]
        (lambda: Checkpoint("a", reasons="no"), "reasons is 'no'; it should be a valid tuple."),
        (lambda: Checkpoint("a", on_deny=["stop"]), "on_deny[0] is 'stop'; it must be a remedy"),  # type: ignore[list-item]
        (lambda: Checkpoint("a", title="Pay {x"), "has title 'Pay {x', which cannot be filled in"),
        (lambda: Checkpoint("a", rule=slow), "has an async function as rule; a policy takes no"),  # type: ignore[arg-type]
        (
            lambda: Checkpoint("pay", place="before", on_deny=[Retry(2), Stop()]),
            "Checkpoint 'pay' stands before its step and cannot retry: nothing has run yet.",
        ),
        (lambda: Checkpoint("a", place="before", on_expiry=Retry()), "and cannot retry"),
        (lambda: Checkpoint("a", on_expiry=Answer()), "cannot have Answer as on_expiry: nobody"),
        (lambda: Checkpoint("a", on_deny=[Retry(1), Retry(2)]), "names retry twice in on_deny"),
        (
            lambda: Checkpoint("a", on_deny=[Retry(3, within="3d")], expires_in="2d"),
            "Checkpoint 'a' may retry within 3d, but its reviews expire after 2d; make `within`",
        ),
        (
            lambda: Checkpoint("a", due_in="2h", expires_in="1h"),
            "Checkpoint 'a' is due in 2h, after its reviews expire (1h); make due_in shorter.",
        ),
        (lambda: EscalationPolicy(""), "Policy '' has an empty name; give it one."),
        (
            lambda: EscalationPolicy("p", version=" "),
            "Policy 'p' has an empty version; give it one",
        ),
        (
            lambda: EscalationPolicy("p", timezone="Berlin"),
            "Timezone 'Berlin' is not known; did you",
        ),
        (lambda: EscalationPolicy("p", spot_check=2), "Policy 'p': spot_check is 2; it must be a"),
        (
            lambda: EscalationPolicy("p", accuracy={"a": 7}),
            "Policy 'p': accuracy['a'] is 7; it must",
        ),
        (
            lambda: EscalationPolicy(
                "p", checkpoints=[Checkpoint("a"), Checkpoint("a", always=True)]
            ),
            "Policy 'p' has two checkpoints after step 'a'; make them one",
        ),
    ],
)
def test_what_cannot_be_right_is_refused_where_it_is_said(
    make: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        make()

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_one_step_may_have_a_checkpoint_on_each_side() -> None:
    both = EscalationPolicy("p", checkpoints=[Checkpoint("a"), Checkpoint("a", place="before")])

    both.check(["a"])
    assert len(both.at("a", Place.BEFORE)) == len(both.at("a", Place.AFTER)) == 1


@pytest.mark.parametrize("expires", ["2h", "3h"])
def test_budgets_that_just_fit_are_possible(expires: str) -> None:
    assert Checkpoint("a", on_deny=[Retry(3, within="2h")], due_in="2h", expires_in=expires).due_in


# -- refused when it meets a workflow ------------------------------------------------------------


def test_a_checkpoint_at_a_step_the_graph_does_not_have_is_refused() -> None:
    policy = EscalationPolicy("p", checkpoints=[Checkpoint("refnd")])

    with pytest.raises(UnknownStep) as refused:
        policy.check(["refund", "plan"])

    assert str(refused.value) == (
        "Checkpoint 'refnd' names a step the graph does not have; it has 'plan', 'refund'."
        " Did you mean 'refund'?"
    )


def test_an_unlike_name_is_refused_without_a_guess() -> None:
    with pytest.raises(UnknownStep, match=r"it has 'plan', 'refund'\.$"):
        EscalationPolicy("p", checkpoints=[Checkpoint("xyz")]).check(["refund", "plan"])


@pytest.mark.parametrize(
    ("accuracy", "sentence"),
    [
        ("refnd", "names 'refnd', which matches no step; the graph has 'plan', 'refund'. Did you"),
        ("mid/*", "names 'mid/*', which matches no step; the graph has 'plan', 'refund'."),
    ],
)
def test_an_accuracy_of_no_step_is_refused(accuracy: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        EscalationPolicy("p", accuracy={accuracy: 0.9}).check(["plan", "refund"])

    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("nowhere.at.all:rule", "cannot be imported: ModuleNotFoundError: No module named"),
        ("json:rule", "'json' has no function 'rule'"),
        ("json:decoder", "'json' has something that is not a function under 'decoder'"),
        (f"{__name__}:slow", "has only the coroutine function 'slow'"),
        ("large", "'large' does not name a function; write 'module:function'."),
    ],
)
@pytest.mark.parametrize("key", ["rule", "shows"])
def test_a_function_that_cannot_be_found_is_refused(named: str, sentence: str, key: str) -> None:
    checkpoint = Checkpoint("a", place="before", **{key: named})  # type: ignore[arg-type] # by key

    with pytest.raises(ConfigurationError) as refused:
        EscalationPolicy("p", checkpoints=[checkpoint]).check(["a"])

    assert f"The {key} of checkpoint 'a' cannot be used: " in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("rung", "place", "sentence"),
    [
        ({"scope": "run", "then": "go_on"}, "on_deny", "nothing of it can go on"),
        ({"scope": "all"}, "on_deny", "scope is 'all'; it is 'step' or 'run'"),
        ({"then": "stop"}, "on_deny", "then is 'stop'; it is 'go_on' or 'close'"),
        ({}, "on_expiry", "nobody is there to take over"),
    ],
)
def test_a_takeover_that_makes_no_sense_is_refused(
    rung: dict[str, str], place: str, sentence: str
) -> None:
    written = {"takeover": rung}
    body = {"step": "a", place: [written] if place == "on_deny" else written}

    with pytest.raises(ConfigurationError, match=sentence):
        EscalationPolicy.from_body({"name": "p", "checkpoints": [body]})


def test_a_run_is_not_closed_after_a_step_of_a_child_graph() -> None:
    policy = EscalationPolicy("p", checkpoints=[Checkpoint("*", on_deny=[Takeover(then="close")])])

    policy.check(["a", "b"])
    with pytest.raises(ConfigurationError, match="step 'mid/a', which is inside a child graph"):
        policy.check(["mid", "mid/a"])
