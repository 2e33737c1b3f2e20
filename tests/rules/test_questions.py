"""The ask gate as a rule, and as a part of a policy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import ConfigurationError, PolicyFileError
from hitl.lab.estimators import asking_threshold
from hitl.lab.estimators import value_of_asking as measured_value
from hitl.policy import AskGate, EscalationPolicy, QuestionFacts, Reviewer, worth_asking
from hitl.policy.questions import value_of_asking

A26 = 0.0379008746
"""Acceptance: the P(wrong) from which asking pays at L=100, r=3, W=5, s=.9, t=.95."""
PRICED = AskGate(review_cost=3, silent_error_cost=100, rework_cost=5)
REVIEWER = Reviewer(0.9, 0.95)

chances = st.floats(0, 1)
costs = st.floats(0, 1e6)


def facts(p: float | None = None, asked: int = 0, **costs: float) -> QuestionFacts:
    return QuestionFacts(p=p, asked=asked, **costs)


def test_a_question_is_worth_it_exactly_above_the_accepted_threshold() -> None:
    said = {"silent_cost": 100.0, "review_cost": 3.0, "rework_cost": 5.0}
    how_well = {"sensitivity": 0.9, "specificity": 0.95}
    assert asking_threshold(**said, **how_well) == pytest.approx(A26, abs=1e-9)
    for step, unasked in ((-1e-9, "value"), (1e-9, None)):
        worth = worth_asking(PRICED, facts(1.0 - A26 - step), reviewer=REVIEWER)
        assert worth.unasked == unasked


@given(chances, costs, costs, costs, chances, chances)
def test_the_laboratory_knows_the_same_value(
    p: float, silent: float, review: float, rework: float, s: float, t: float
) -> None:
    said = {"silent_cost": silent, "review_cost": review, "rework_cost": rework}
    how_well = {"sensitivity": s, "specificity": t}
    assert measured_value(p, **said, **how_well) == value_of_asking(p, **said, **how_well)


@pytest.mark.parametrize(
    ("gate", "known", "unasked", "sentence"),
    [
        (None, facts(1.0, asked=99), None, "The step asks a question."),
        (AskGate(budget=2), facts(asked=1), None, "The step asks a question."),
        (
            AskGate(budget=2),
            facts(asked=2),
            "budget",
            "The run's budget of 2 questions is used up.",
        ),
        (AskGate(budget=1), facts(asked=1), "budget", "The run's budget of 1 question is used up."),
        (AskGate(budget=0), facts(), "budget", "The policy puts no questions before people."),
        (PRICED, facts(None), None, "The step asks a question."),
        (PRICED, facts(0.5), None, "The step asks a question."),
        (
            PRICED,
            facts(0.99),
            "value",
            "Asking is not worth a person: at P(right) 0.99 it would save -2.05.",
        ),
        (PRICED, facts(0.99, silent_error_cost=1e4), None, "The step asks a question."),
        (PRICED, facts(0.5, silent_error_cost=0.0), "value", "it would save -5.50."),
        (PRICED, facts(0.5, rework_cost=100.0), "value", "it would save -3.00."),
    ],
)
def test_why_a_person_is_asked_or_not(
    gate: AskGate | None, known: QuestionFacts, unasked: str | None, sentence: str
) -> None:
    worth = worth_asking(gate, known)
    assert worth.unasked == unasked
    assert worth.sentence.endswith(sentence)


def test_a_question_that_is_neither_worth_it_nor_in_budget_is_not_worth_it() -> None:
    gate = AskGate(budget=0, review_cost=3, silent_error_cost=100)
    assert worth_asking(gate, facts(1.0)).unasked == "value"
    assert worth_asking(gate, facts(0.1)).unasked == "budget"


# -- in a policy --------------------------------------------------------------------------------------

WRITTEN = """\
name: p
version: '1'
timezone: UTC
questions:
  budget: 3
  review_cost: 3.0
  silent_error_cost: 100.0
  rework_cost: 5.0
"""


def test_it_is_the_same_in_python_and_in_yaml() -> None:
    gate = AskGate(budget=3, review_cost=3, silent_error_cost=100, rework_cost=5)
    policy = EscalationPolicy("p", questions=gate)
    assert policy.to_yaml() == WRITTEN
    read = EscalationPolicy.from_yaml(WRITTEN)
    assert read == policy
    assert read.questions == gate
    policy.check(["any"])


def test_a_policy_without_one_has_the_hash_it_always_had() -> None:
    old = "fe5f659c1686e4cb3f9dc4d963a7093fdf112dc27d0433f81b44cb6b0ade6b09"
    assert EscalationPolicy("p").content_hash == old
    assert EscalationPolicy("p", questions=AskGate(budget=1)).content_hash != old


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "neither budget nor review_cost"),
        ("{review_cost: 3}", "needs review_cost and silent_error_cost together"),
        ("{silent_error_cost: 3, budget: 1}", "needs review_cost and silent_error_cost together"),
        ("{budget: -1}", "budget is -1; it must be a whole number from 0 to 10000"),
        ("{budget: true}", "budget is True; it must be a whole number"),
        ("{budget: 1.5}", "budget is 1.5; it must be a whole number"),
        ("{review_cost: -1, silent_error_cost: 3}", "it must be a number of at least 0"),
        ("{budgte: 3}", "Did you mean 'budget'?"),
        ("3", "it must be keys with values"),
    ],
)
def test_a_gate_that_makes_no_sense_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(PolicyFileError) as refused:
        EscalationPolicy.from_yaml(f"name: p\nquestions: {text}")
    assert sentence in str(refused.value)


def test_anything_else_than_a_gate_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="questions is 3; it must be an AskGate"):
        EscalationPolicy("p", questions=3)  # type: ignore[arg-type] # what the test is about
