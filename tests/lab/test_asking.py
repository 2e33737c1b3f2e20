"""Was asking worth it, were the right things asked: A22, A26 and E15 to E16."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.estimators import (
    ask_scores,
    asking_rates,
    asking_threshold,
    detection_lag,
    gain_per_question,
    skill,
    value_of_asking,
)
from tests.lab import quick

chances = st.floats(0.0, 1.0)
costs = st.floats(0.0, 100.0)


def test_the_threshold_of_the_design() -> None:  # A26
    threshold = asking_threshold(
        silent_cost=100, review_cost=3, rework_cost=5, sensitivity=0.9, specificity=0.95
    )
    assert threshold == pytest.approx(0.0379008746, abs=1e-9)
    naive = asking_threshold(silent_cost=100, review_cost=3, sensitivity=0.9)
    assert naive == pytest.approx(3 / 90, abs=1e-12)


@quick
@given(p=chances, silent=costs, review=costs, rework=costs, s=chances, t=chances)
def test_asking_is_worth_what_not_asking_costs_more(
    p: float, silent: float, review: float, rework: float, s: float, t: float
) -> None:
    acting = p * silent
    asking = review + p * (s * rework + (1 - s) * silent) + (1 - p) * (1 - t) * rework
    value = value_of_asking(
        p,
        silent_cost=silent,
        review_cost=review,
        rework_cost=rework,
        sensitivity=s,
        specificity=t,
    )
    assert value == pytest.approx(acting - asking, abs=1e-9)


def test_a_review_dearer_than_the_error_is_never_worth_it() -> None:
    assert asking_threshold(silent_cost=1, review_cost=2) is None


def test_skill_of_the_oracle_and_of_the_better_extreme() -> None:
    assert skill(10, always=50, never=30, oracle=10) == 1.0
    assert skill(30, always=50, never=30, oracle=10) == 0.0
    assert skill(50, always=50, never=30, oracle=10) == -1.0
    assert skill(5, always=5, never=5, oracle=5) is None


def test_ask_scores_as_the_bench_counts_them() -> None:  # A22
    scores = ask_scores((4, 0, 10), (4, 3, 4), (3, 0, 4))
    assert scores.precision == pytest.approx(0.5, abs=1e-12)
    assert scores.recall == pytest.approx(7 / 11, abs=1e-12)
    assert scores.f1 == pytest.approx(0.56, abs=1e-12)
    assert (scores.questions, scores.blockers, scores.found) == (14, 11, 7)


def test_ask_scores_without_questions_say_none() -> None:
    scores = ask_scores([0], [2], [0])
    assert (scores.precision, scores.recall, scores.f1) == (None, 0.0, 0.0)
    assert ask_scores([0], [0], [0]).f1 is None
    with pytest.raises(UnusableColumn, match="exceeds the questions or the blockers"):
        ask_scores([1], [2], [2])


def test_over_and_under_asking_weigh_spot_checks() -> None:
    asked = [1, 1, 0, 0, 0]
    wrong = [1.0, 0.0, 1.0, 0.0, np.nan]
    rates = asking_rates(asked, wrong, [1, 1, 1, 1, 0], [1.0, 1.0, 0.5, 0.5, 0.5])
    assert rates.over == pytest.approx(1 / 3)  # one right row asked about, one at weight 2 not
    assert rates.under == pytest.approx(2 / 3)
    assert asking_rates([1], [0.0], [1], [1.0]).under is None


def test_gain_per_question() -> None:
    assert gain_per_question(0.8, 0.5, 2.0) == pytest.approx(0.15)
    with pytest.raises(EvidenceRefusal, match="No question was asked"):
        gain_per_question(0.8, 0.5, 0.0)


@pytest.mark.parametrize(
    ("wrong", "gated", "lag"),
    [
        ([0, 1, 0, 0], [0, 1, 0, 0], 0),  # the wrong step itself was looked at
        ([0, 1, 0, 1], [1, 0, 0, 1], 2),  # two steps later
        ([0, 1, 0], [1, 0, 0], None),  # never
        ([0, 0], [1, 1], None),  # nothing was wrong
    ],
)
def test_the_lag_until_a_gate_looks(wrong: list[int], gated: list[int], lag: int | None) -> None:
    assert detection_lag(wrong, gated) == lag


def test_costs_and_chances_out_of_range_get_a_sentence() -> None:
    with pytest.raises(EvidenceRefusal, match=r"'p_wrong' must lie in \[0, 1\]; it is 1.2\."):
        value_of_asking(1.2, silent_cost=1, review_cost=1)
    with pytest.raises(EvidenceRefusal, match=r"'review_cost' must be a finite number >= 0"):
        value_of_asking(0.2, silent_cost=1, review_cost=float("nan"))
