"""The simulated reviewer: its error rates, and that they are what the policy says of it."""

import numpy as np
import pytest

from hitl.demo.reviewer import SimulatedReviewer
from hitl.demo.rules import desk_policy
from hitl.errors import ConfigurationError
from hitl.reliability import reset_value, yes_probability

N = 4000


def readings(accuracy: float, truth: int) -> np.ndarray:
    reviewer = SimulatedReviewer(accuracy, seed=5)
    return np.array([reviewer.reads(truth, cheque=n, position=1) for n in range(1, N + 1)])


def test_a_perfect_reviewer_reads_what_was_meant() -> None:
    assert (readings(1.0, 7) == 7).all()


def test_a_reviewer_who_is_always_wrong_never_reads_what_was_meant() -> None:
    assert set(readings(0.0, 7)) == set(range(10)) - {7}


def test_it_is_right_with_its_accuracy_and_wrong_evenly() -> None:
    seen = readings(0.8, 4)

    assert (seen == 4).mean() == pytest.approx(0.8, abs=0.02)
    wrong = np.bincount(seen[seen != 4], minlength=10) / N
    assert wrong[4] == 0
    assert wrong[wrong > 0] == pytest.approx([0.2 / 9] * 9, abs=0.01)


def test_it_reads_a_box_the_same_way_whenever_it_is_asked() -> None:
    first, second = SimulatedReviewer(0.5, seed=2), SimulatedReviewer(0.5, seed=2)
    other = SimulatedReviewer(0.5, seed=3)
    boxes = [(cheque, position) for cheque in range(1, 40) for position in range(1, 7)]

    again = [second.reads(3, cheque=c, position=p) for c, p in reversed(boxes)][::-1]

    assert [first.reads(3, cheque=c, position=p) for c, p in boxes] == again
    assert [other.reads(3, cheque=c, position=p) for c, p in boxes] != again


def test_its_error_rates_are_those_the_policy_declares() -> None:
    declared = desk_policy(0.8, reviewer_accuracy=0.7).reviewer
    assert declared is not None
    truth, proposed_wrong = 2, 9

    seen = readings(0.7, truth)

    assert (seen == truth).mean() == pytest.approx(declared.specificity, abs=0.02)
    assert (seen != proposed_wrong).mean() == pytest.approx(declared.sensitivity, abs=0.01)
    assert desk_policy(0.8).reviewer is None


@pytest.mark.parametrize("p", [0.3, 0.75, 0.99])
@pytest.mark.parametrize("accuracy", [0.6, 0.95, 1.0])
def test_a_reviewed_digit_ends_right_with_the_reviewers_accuracy(p: float, accuracy: float) -> None:
    s, t = 1 - (1 - accuracy) / 9, accuracy

    by_yes = yes_probability(p, s, t) * reset_value(p, s, t)
    by_answer = (1 - p) * accuracy  # a wrong reading is replaced by what the reviewer reads

    assert by_yes + by_answer == pytest.approx(accuracy)


@pytest.mark.parametrize("accuracy", [-0.1, 1.1, float("nan")])
def test_an_impossible_accuracy_is_refused(accuracy: float) -> None:
    with pytest.raises(ConfigurationError, match="not a probability"):
        SimulatedReviewer(accuracy, seed=0)
