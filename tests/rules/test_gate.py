"""When a gate asks: each trigger, all of them together, and what is written down about it."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.models import ConfidenceKind, Covers, JsonObject, Place, StepName
from hitl.policy import Checkpoint, Escalate, EscalationPolicy, GateFacts, Pass, Stop, gate
from hitl.reliability import Standing, Write, log_probability
from tests.rules import quick

Facts = Callable[..., GateFacts]


def standing(*known: float, unknown: int = 0) -> Standing:
    result = Standing()
    for step, p in enumerate(known):
        result = result.then(Write(step=step, log_p=log_probability(p)))
    return result.then(Write(step=99, unverified=unknown, unknown=unknown)) if unknown else result


def policy(*checkpoints: Checkpoint, **changes: Any) -> EscalationPolicy:
    return EscalationPolicy("payments", checkpoints=checkpoints, **changes)


def sentences(verdict: Pass | Escalate) -> list[str]:
    return [trigger.sentence for trigger in verdict.triggers]


def kinds(verdict: Pass | Escalate) -> list[str]:
    return [trigger.kind for trigger in verdict.triggers]


def large(arguments: JsonObject) -> bool:
    return float(str(arguments["amount"])) > 1000


def new_payee(arguments: JsonObject) -> str | None:
    return None if arguments.get("payee") == "known" else "This payee was never paid before."


def spoils(arguments: JsonObject) -> None:
    arguments.clear()


@pytest.mark.parametrize(
    ("checkpoint", "changes", "sentence"),
    [
        (Checkpoint("read", always=True), {}, "This checkpoint always asks."),
        (Checkpoint("read", confidence_below=0.9), {"p": 0.71}, "Confidence 0.71 is below 0.90."),
        (
            Checkpoint("read", confidence_below=0.9),
            {"p": None, "confidence": None, "p_kind": ConfidenceKind.UNKNOWN},
            "No confidence was reported; this checkpoint asks below 0.90.",
        ),
        (
            Checkpoint("read", reliability_below=0.7),
            {"before": standing(0.75), "p": 0.75},
            "Reliability 0.56 is below 0.70.",
        ),
        (
            Checkpoint("read", reliability_below=0.7),
            {"p": None},
            "1 step has no known accuracy; this checkpoint asks below 0.70.",
        ),
        (
            Checkpoint("read", reliability_below=0.7),
            {"before": standing(0.9, unknown=2)},
            "2 steps have no known accuracy; this checkpoint asks below 0.70.",
        ),
        (Checkpoint("read", rule=large), {"arguments": {"amount": 5000}}, "Rule 'large' asks."),
        (Checkpoint("read", rule=new_payee), {}, "This payee was never paid before."),
        (Checkpoint("read"), {"attempt": 2}, "Attempt 2, after a no."),
    ],
)
def test_each_trigger_asks_with_a_sentence(
    checkpoint: Checkpoint, changes: dict[str, Any], sentence: str, facts: Facts
) -> None:
    verdict = gate(policy(checkpoint), facts(**changes))

    assert isinstance(verdict, Escalate)
    assert sentences(verdict) == [sentence]


def test_all_triggers_that_fire_are_recorded(facts: Facts) -> None:
    checkpoint = Checkpoint(
        "read", always=True, confidence_below=0.9, reliability_below=0.8, rule=new_payee
    )

    verdict = gate(
        policy(checkpoint, reliability_below=0.7),
        facts(p=0.75, before=standing(0.75), attempt=3),
    )

    assert sentences(verdict) == [
        "This checkpoint always asks.",
        "Confidence 0.75 is below 0.90.",
        "Reliability 0.56 is below 0.80.",
        "This payee was never paid before.",
        "Reliability 0.56 is below 0.70.",
        "Attempt 3, after a no.",
    ]
    assert [(t.value, t.threshold) for t in verdict.triggers][1:3] == [
        (0.75, 0.9),
        (pytest.approx(0.5625), 0.8),
    ]


def test_the_same_reason_is_said_once(facts: Facts) -> None:
    both = policy(Checkpoint("read", reliability_below=0.7), reliability_below=0.7)

    assert kinds(gate(both, facts(p=0.5))) == ["reliability"]


def test_a_sure_step_of_a_sure_run_passes(facts: Facts) -> None:
    checkpoint = Checkpoint("read", confidence_below=0.9, reliability_below=0.7, rule=large)

    verdict = gate(policy(checkpoint, reliability_below=0.7), facts(arguments={"amount": 1}))

    assert verdict == Pass(
        triggers=(),
        spot_check=False,
        coin_rate=0.0,
        propensity_label=0.0,
        threshold=0.9,
        checkpoint=checkpoint,
    )


@pytest.mark.parametrize(
    ("p", "before", "asks"),
    [
        (0.9, (), False),  # exactly on both thresholds
        (0.9, (0.9, 1.0), False),  # .9 * .9 is .81, whatever the last bit of a float says
        (0.8999, (), True),
        (0.9, (0.899,), True),
    ],
)
def test_on_the_threshold_is_not_below_it(
    p: float, before: tuple[float, ...], asks: bool, facts: Facts
) -> None:
    checkpoint = Checkpoint("read", confidence_below=0.9, reliability_below=0.81)

    verdict = gate(policy(checkpoint), facts(p=p, before=standing(*before)))

    assert isinstance(verdict, Escalate) is asks


@pytest.mark.parametrize(
    ("p", "threshold", "sentence"),
    [
        (0.7, 0.9, "Confidence 0.70 is below 0.90."),
        (0.8999, 0.9, "Confidence 0.8999 is below 0.90."),  # never "0.90 is below 0.90"
        (0.9047, 0.905, "Confidence 0.90 is below 0.905."),  # the threshold as it was written
        (0.0, 1.0, "Confidence 0.00 is below 1.00."),
        (0.999999, 1.0, "Confidence 0.999999 is below 1.00."),
    ],
)
def test_a_sentence_shows_as_many_digits_as_make_it_true(
    p: float, threshold: float, sentence: str, facts: Facts
) -> None:
    checkpoint = Checkpoint("read", confidence_below=threshold)

    assert sentences(gate(policy(checkpoint), facts(p=p))) == [sentence]


@quick
@given(st.floats(0, 1), st.floats(0, 1))
def test_what_a_sentence_says_about_two_numbers_is_true(p: float, threshold: float) -> None:
    name = StepName(step="read", place=Place.AFTER, visit=1)
    seen = GateFacts(name, 1, p, ConfidenceKind.REPORTED, p, Standing(), {}, 0.5, False)

    verdict = gate(policy(Checkpoint("read", confidence_below=threshold)), seen)

    assert isinstance(verdict, Escalate) is (p < threshold - 1e-12)
    for trigger in verdict.triggers:
        words = trigger.sentence.rstrip(".").split()
        assert float(words[1]) < float(words[-1]) == threshold


def test_the_whole_policys_threshold_counts_unknown_steps_as_right(facts: Facts) -> None:
    unsure = {"p": None, "before": standing(0.9, unknown=5)}

    assert isinstance(gate(policy(reliability_below=0.7), facts(**unsure)), Pass)
    assert kinds(gate(policy(reliability_below=0.95), facts(**unsure))) == ["reliability"]


def test_what_is_known_to_be_too_low_is_not_called_unknown(facts: Facts) -> None:
    checkpoint = Checkpoint("read", reliability_below=0.95)

    assert kinds(gate(policy(checkpoint), facts(before=standing(0.9, unknown=1)))) == [
        "reliability"
    ]


# -- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (large, "Rule 'large' failed (KeyError: 'amount'), so a person is asked."),
        ("no.such.module:rule", "Rule 'rule' failed (ConfigurationError: 'no.such.module:rule'"),
        ("json:no_such_function", "Rule 'no_such_function' failed (ConfigurationError: "),
    ],
)
def test_a_rule_that_fails_asks(rule: Any, sentence: str, facts: Facts) -> None:
    verdict = gate(policy(Checkpoint("read", rule=rule)), facts())

    assert isinstance(verdict, Escalate)
    assert sentences(verdict)[0].startswith(sentence)


def test_a_rule_named_in_a_file_is_the_function_itself(facts: Facts) -> None:
    named = Checkpoint("read", rule=f"{__name__}:new_payee")

    assert sentences(gate(policy(named), facts())) == ["This payee was never paid before."]
    assert isinstance(gate(policy(named), facts(arguments={"payee": "known"})), Pass)


def test_a_rule_cannot_change_what_it_looks_at(facts: Facts) -> None:
    seen = facts(arguments={"amount": 1})

    gate(policy(Checkpoint("read", rule=spoils)), seen)

    assert seen.arguments == {"amount": 1}


def test_a_rules_endless_sentence_is_cut(facts: Facts) -> None:
    verdict = gate(policy(Checkpoint("read", rule=lambda _: "no " * 1000)), facts())

    assert len(sentences(verdict)[0]) == 400


# -- what a yes covers, what is presented --------------------------------------------------------


@pytest.mark.parametrize(
    ("checkpoint", "changes", "covers"),
    [
        (Checkpoint("read", always=True), {}, Covers.STEP),
        (Checkpoint("read", confidence_below=1.0), {"p": None}, Covers.STEP),
        (Checkpoint("read", always=True), {"p": 0.1}, Covers.SINCE_RESET),  # the policy's .5 fires
        (Checkpoint("read", reliability_below=1.0), {"p": 0.9}, Covers.SINCE_RESET),
        (Checkpoint("read", reliability_below=0.9), {"p": None}, Covers.SINCE_RESET),
        (Checkpoint("read", always=True, covers="since_reset"), {}, Covers.SINCE_RESET),
        (Checkpoint("read", covers="step"), {"p": 0.1}, Covers.STEP),  # said so: it wins
        (Checkpoint("other"), {"p": 0.1}, Covers.SINCE_RESET),  # no checkpoint there
    ],
)
def test_a_yes_covers_the_run_when_the_run_was_the_reason(
    checkpoint: Checkpoint, changes: dict[str, Any], covers: Covers, facts: Facts
) -> None:
    verdict = gate(policy(checkpoint, reliability_below=0.5), facts(**changes))

    assert isinstance(verdict, Escalate)
    assert verdict.covers is covers


def test_the_declared_checkpoint_presents_the_review(facts: Facts) -> None:
    declared = Checkpoint("read", title="Read {amount}", on_deny=[Stop()])

    verdict = gate(policy(declared, reliability_below=0.9), facts(p=0.5))

    assert verdict.checkpoint == declared


def test_a_step_without_a_checkpoint_gets_the_usual_remedies(facts: Facts) -> None:
    anywhere = policy(reliability_below=0.9)

    after = gate(anywhere, facts(p=0.5))
    before = gate(anywhere, facts(p=0.5, place=Place.BEFORE))
    asked = gate(anywhere, facts(p=0.5, place=Place.QUESTION))

    assert after.checkpoint == asked.checkpoint == Checkpoint("read")
    assert before.checkpoint == Checkpoint("read", place="before")


def test_a_checkpoint_before_its_step_says_nothing_after_it(facts: Facts) -> None:
    pay = policy(Checkpoint("read", place="before", always=True))

    assert isinstance(gate(pay, facts(place=Place.BEFORE)), Escalate)
    assert isinstance(gate(pay, facts(place=Place.AFTER)), Pass)
    assert isinstance(gate(pay, facts(step="reader", place=Place.BEFORE)), Pass)


# -- spot checks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_policy", "of_checkpoint", "rate"),
    [(0.02, None, 0.02), (0.02, 0.5, 0.5), (0.5, 0.02, 0.5), (0.0, 0.0, 0.0), (0.0, 1.0, 1.0)],
)
def test_the_largest_spot_check_rate_counts(
    of_policy: float, of_checkpoint: float | None, rate: float, facts: Facts
) -> None:
    here = policy(Checkpoint("read", spot_check=of_checkpoint), spot_check=of_policy)

    verdict = gate(here, facts())

    assert (verdict.coin_rate, verdict.propensity_label) == (rate, rate)


@pytest.mark.parametrize(("u", "drawn"), [(0.0, True), (0.0199, True), (0.02, False), (0.9, False)])
def test_a_coin_below_the_rate_is_a_spot_check(u: float, drawn: bool, facts: Facts) -> None:
    verdict = gate(policy(spot_check=0.02), facts(coin_u=u))

    assert isinstance(verdict, Pass)
    assert verdict.spot_check is drawn
    assert kinds(verdict) == ["spot_check"] * drawn


def test_a_spot_check_says_so(facts: Facts) -> None:
    drawn = gate(policy(spot_check=0.02), facts(coin_u=0.01))
    whole_run = gate(policy(), facts(run_spot_check=True))

    assert sentences(drawn) == ["Spot check: 0.02 of the steps nobody asks about are looked at."]
    assert sentences(whole_run) == ["Spot check: every step of this run is looked at."]
    assert (whole_run.coin_rate, whole_run.propensity_label) == (1.0, 1.0)
    assert isinstance(whole_run, Pass)
    assert whole_run.spot_check


def test_an_asked_step_has_a_draw_too_but_is_labelled_whatever_it_is(facts: Facts) -> None:
    here = policy(Checkpoint("read", always=True), spot_check=0.02)

    low, high = (gate(here, facts(coin_u=u)) for u in (0.0, 0.9))

    assert low == high
    assert (low.coin_rate, low.propensity_label) == (0.02, 1.0)
    assert kinds(low) == ["always"]


@quick
@given(
    p=st.none() | st.floats(0, 1),
    before=st.lists(st.floats(0.5, 1), max_size=3),
    attempt=st.integers(1, 3),
    u=st.floats(0, 1, exclude_max=True),
    whole_run=st.booleans(),
)
def test_a_gate_passes_if_and_only_if_nothing_fired(
    p: float | None, before: list[float], attempt: int, u: float, whole_run: bool
) -> None:
    here = policy(Checkpoint("read", confidence_below=0.8, reliability_below=0.6), spot_check=0.1)
    name = StepName(step="read", place=Place.AFTER, visit=1)
    seen = GateFacts(
        name, attempt, p, ConfidenceKind.REPORTED, p, standing(*before), {}, u, whole_run
    )

    verdict = gate(here, seen)

    assert gate(here, seen) == verdict
    assert verdict.coin_rate == (1.0 if whole_run else 0.1)
    if isinstance(verdict, Escalate):
        assert verdict.triggers
        assert "spot_check" not in kinds(verdict)
    else:
        assert attempt == 1
        assert p is not None
        assert p >= 0.8 - 1e-9
        assert verdict.spot_check is (u < verdict.propensity_label)
