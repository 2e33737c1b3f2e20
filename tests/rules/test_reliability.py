"""How error compounds: the worked examples of the design, and the algebra of a running graph."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.reliability import (
    Standing,
    Write,
    alike_attempts,
    alike_chain,
    closure,
    compound,
    given_yes,
    log_probability,
    reset_value,
    survival,
    vote,
    with_recovery,
    with_retries,
    yes_probability,
)
from tests.rules import quick

DIAMOND = {"B": ["A"], "C": ["A"], "D": ["B", "C"]}
NINES = dict.fromkeys("ABCD", 0.9)

chances = st.floats(0.01, 1.0)


def chain(*probabilities: float) -> Standing:
    """Return the standing of a run after these steps, one superstep each."""
    standing = Standing()
    for step, p in enumerate(probabilities):
        standing = standing.then(Write(step=step, log_p=log_probability(p)))
    return standing


# -- the worked examples, in their order ---------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "expected"),
    [(2, 0.5625), (3, 0.421875), (4, 0.316406), (8, 0.100113)],
)
def test_1_a_chain_is_the_product_of_its_steps(steps: int, expected: float) -> None:
    assert compound([0.75] * steps) == pytest.approx(expected, abs=5e-7)
    standing = chain(*[0.75] * steps)
    assert standing.reliability == pytest.approx(expected, abs=5e-7)


def test_1_two_steps_of_three_quarters_are_right_little_more_than_half_the_time() -> None:
    assert chain(0.75, 0.75).reliability == pytest.approx(0.75 * 0.75)


def test_2_a_shared_ancestor_is_counted_once() -> None:
    of_b, of_c, of_d = (given_yes(NINES, DIAMOND, approved={}, target=n).right for n in "BCD")

    assert closure(DIAMOND, "D") == frozenset("ABCD")
    assert of_d == pytest.approx(0.6561, abs=1e-12)
    assert of_b * of_c * 0.9 == pytest.approx(0.59049, abs=1e-12)  # the parents' marginals: wrong


def test_2_the_running_diamond_counts_its_shared_ancestor_once() -> None:
    run = Standing()
    for superstep in (1, 2, 2, 3):
        run = run.then(Write(step=superstep, log_p=log_probability(0.9)))

    assert run.reliability == pytest.approx(0.6561, abs=1e-12)


def test_3_a_join_of_everything_is_the_product_over_the_union_of_closures() -> None:
    inputs = {"left": ["root"], "right": ["root"], "join": ["left", "right"]}
    accuracy = {"root": 0.8, "left": 0.9, "right": 0.7, "join": 1.0}

    joined = given_yes(accuracy, inputs, approved={}, target="join")

    assert joined.right == pytest.approx(0.8 * 0.9 * 0.7)


@pytest.mark.parametrize(("voters", "expected"), [(1, 0.75), (3, 0.84375), (5, 0.896484)])
def test_3_a_vote_is_a_binomial_tail(voters: int, expected: float) -> None:
    assert vote(0.75, voters) == pytest.approx(expected, abs=5e-7)


def test_3_a_vote_that_needs_everybody_is_a_chain() -> None:
    assert vote(0.75, 4, needed=4) == pytest.approx(0.75**4)
    assert vote(0.75, 4, needed=0) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("steps", "expected", "independent"), [(2, 0.6, 0.5625), (4, 0.42857, 0.31641)]
)
def test_4_independence_understates_a_chain_of_alike_steps(
    steps: int, expected: float, independent: float
) -> None:
    assert alike_chain(3, 1, steps) == pytest.approx(expected, abs=5e-6)
    assert 0.75**steps == pytest.approx(independent, abs=5e-6)


@pytest.mark.parametrize(
    ("tries", "expected", "independent"), [(2, 0.9, 0.9375), (10, 0.9965, 0.999999)]
)
def test_4_independence_overstates_alike_attempts(
    tries: int, expected: float, independent: float
) -> None:
    assert alike_attempts(3, 1, tries) == pytest.approx(expected, abs=5e-5)
    assert 1 - 0.25**tries == pytest.approx(independent, abs=5e-7)


@quick
@given(st.floats(0.1, 50), st.floats(0.1, 50), st.integers(1, 12))
def test_4_the_direction_of_both_errors_holds_for_every_spread(a: float, b: float, k: int) -> None:
    mean = a / (a + b)

    assert alike_chain(a, b, k) >= mean**k - 1e-12
    assert alike_attempts(a, b, k) <= 1 - (1 - mean) ** k + 1e-12


def test_5_recovery_gives_a_chain_a_floor() -> None:
    assert with_recovery(0.95, 0.1, 10) == pytest.approx(0.732291, abs=5e-7)
    assert with_recovery(0.95, 0.0, 10) == pytest.approx(0.598737, abs=5e-7)
    assert with_recovery(0.95, 0.1, 10_000) == pytest.approx(0.6667, abs=5e-5)
    assert with_recovery(1.0, 0.0, 10) == 1.0


@quick
@given(chances, st.floats(0, 1), st.integers(0, 30))
def test_5_recovery_is_the_two_state_chain_walked_step_by_step(p: float, q: float, k: int) -> None:
    right = 1.0
    for _ in range(k):
        right = right * p + (1 - right) * q

    assert with_recovery(p, q, k) == pytest.approx(right, abs=1e-9)


@pytest.mark.parametrize(
    ("sensitivity", "expected"), [(1.0, 1.000), (0.9, 0.966), (0.6, 0.877), (0.2, 0.781)]
)
def test_6_a_yes_is_worth_what_the_reviewer_catches(sensitivity: float, expected: float) -> None:
    assert reset_value(0.75, sensitivity, 0.95) == pytest.approx(expected, abs=5e-4)


def test_6_gated_steps_multiply_their_posteriors() -> None:
    gated = reset_value(0.75, 0.9, 0.95)

    assert gated == pytest.approx(0.966102, abs=5e-7)
    assert compound([gated] * 2) == pytest.approx(0.933352, abs=5e-7)
    assert compound([gated] * 8) == pytest.approx(0.7589, abs=5e-5)
    assert compound([0.75] * 8) == pytest.approx(0.1001, abs=5e-5)


def test_6_unlimited_retries_reach_the_posterior_and_no_more() -> None:
    many = with_retries([0.75] * 200, sensitivity=0.9, specificity=0.95)

    assert many.right == pytest.approx(reset_value(0.75, 0.9, 0.95))


@quick
@given(chances, st.floats(0, 1), st.floats(0.01, 1))
def test_6_the_posterior_times_the_yes_is_bayes(p: float, s: float, t: float) -> None:
    assert reset_value(p, s, t) * yes_probability(p, s, t) == pytest.approx(p * t, abs=1e-12)


def test_6_a_yes_that_cannot_happen_says_nothing() -> None:
    assert reset_value(0.0, 1.0, 0.95) == 0.0


@pytest.mark.parametrize(
    ("accuracies", "s", "t", "takeover", "expected"),
    [
        ([0.75], 1, 1, None, (0.75, 0, 0.25, 1)),  # one try
        ([0.75] * 3, 1, 1, None, (0.984375, 0, 0.015625, 1.3125)),  # two retries
        ([0.75] * 3, 0.9, 0.95, None, (0.948627, 0.033285, 0.018088, 1.331406)),  # real reviewers
        ([0.75, 0.9, 0.9], 0.9, 0.95, None, (0.967237, 0.027979, 0.004784, 1.297938)),  # feedback
        ([0.75] * 3, 0.9, 0.95, 0.98, (0.966353, 0.033647, 0, 1.331406)),  # takeover at the end
    ],
)
def test_7_retries_with_a_fallback(
    accuracies: list[float],
    s: float,
    t: float,
    takeover: float | None,
    expected: tuple[float, float, float, float],
) -> None:
    end = with_retries(accuracies, sensitivity=s, specificity=t, takeover=takeover)

    assert (end.right, end.silent, end.stopped, end.attempts) == pytest.approx(expected, abs=5e-7)


@quick
@given(st.lists(chances, min_size=1, max_size=6), st.floats(0, 1), st.floats(0, 1))
def test_7_a_gated_step_ends_somewhere(accuracies: list[float], s: float, t: float) -> None:
    end = with_retries(accuracies, sensitivity=s, specificity=t)

    assert end.right + end.silent + end.stopped == pytest.approx(1.0)


def test_8_a_yes_says_something_about_ancestors_and_cousins() -> None:
    at_b = {"B": (0.9, 0.95)}

    ancestor = given_yes(NINES, DIAMOND, approved=at_b, target="A")
    descendant = given_yes(NINES, DIAMOND, approved=at_b, target="D")
    itself = given_yes(NINES, DIAMOND, approved={"D": (0.9, 0.95)}, target="D")

    assert ancestor.right == pytest.approx(0.987318, abs=5e-7)
    assert ancestor.yes == pytest.approx(0.7885, abs=5e-7)
    assert descendant.right == pytest.approx(0.790482, abs=5e-7)
    assert itself.right == pytest.approx(0.947711, abs=5e-7)


@quick
@given(chances, st.floats(0, 1), st.floats(0.01, 1))
def test_8_for_one_step_the_enumeration_is_the_reset_value(p: float, s: float, t: float) -> None:
    alone = given_yes({"A": p}, {}, approved={"A": (s, t)}, target="A")

    assert alone.right == pytest.approx(reset_value(p, s, t))
    assert alone.yes == pytest.approx(yes_probability(p, s, t))


def test_8_a_yes_that_cannot_happen_leaves_nothing() -> None:
    assert given_yes({"A": 0.0}, {}, approved={"A": (1.0, 1.0)}, target="A").right == 0.0


def test_8_more_nodes_than_can_be_enumerated_are_refused() -> None:
    names = [f"n{i}" for i in range(21)]
    chain = {name: [before] for before, name in pairwise(names)}

    with pytest.raises(ValueError, match="21 nodes are too many to enumerate; 20 is the most"):
        given_yes(dict.fromkeys(names, 0.9), chain, approved={}, target="n20")


def test_9_a_verifiers_precision_not_the_number_of_tries_is_the_limit() -> None:
    best_of_five = with_retries([0.3] * 5, sensitivity=0.9, specificity=0.9)

    assert best_of_five.right == pytest.approx(0.694668, abs=5e-7)
    assert best_of_five.silent == pytest.approx(0.180099, abs=5e-7)
    assert best_of_five.stopped == pytest.approx(0.125233, abs=5e-7)
    assert reset_value(0.3, 0.9, 0.9) == pytest.approx(0.794118, abs=5e-7)


def test_10_measured_accuracies_multiply_with_their_uncertainty() -> None:
    measured = [(95, 100), (48, 50), (190, 200)]
    posteriors = [(right + 0.5, judged - right + 0.5) for right, judged in measured]
    rng = random.Random(7)
    draws = sorted(compound(rng.betavariate(a, b) for a, b in posteriors) for _ in range(20_000))

    assert compound(right / judged for right, judged in measured) == pytest.approx(0.8664, abs=5e-5)
    assert draws[1_000] == pytest.approx(0.7872, abs=0.003)
    assert sum(draws) / len(draws) == pytest.approx(
        compound(a / (a + b) for a, b in posteriors), abs=1e-3
    )
    second = compound(a * (a + 1) / ((a + b) * (a + b + 1)) for a, b in posteriors)
    variance = second - compound(a / (a + b) for a, b in posteriors) ** 2
    assert sum(d * d for d in draws) / len(draws) - (sum(draws) / len(draws)) ** 2 == pytest.approx(
        variance, rel=0.05
    )


def test_11_a_yes_starts_the_clock_again() -> None:
    assert survival(60, 60) == pytest.approx(0.5)
    assert survival(60 * math.log(1 / 0.8) / math.log(2), 60) == pytest.approx(0.8)  # T80/T50=.3219
    assert math.log(1 / 0.8) / math.log(2) == pytest.approx(0.3219, abs=5e-5)
    assert survival(10, 60) == pytest.approx(0.891, abs=5e-4)
    gated = survival(30, 60, start=reset_value(survival(30, 60), 0.9, 0.95))
    assert gated > survival(60, 60)
