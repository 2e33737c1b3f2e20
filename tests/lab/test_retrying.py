"""How many retries are worth it, and what to do before a deadline."""

from itertools import product

import numpy as np
import pytest

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import RetryMixture
from hitl.lab.planner import (
    RetryPlan,
    deadline_policy,
    done_by,
    law_of_time,
    mixed_retries,
    retries_worth,
)
from hitl.reliability import with_retries


def test_retries_over_tasks_of_one_difficulty_are_the_plain_formula() -> None:
    """The worked table of the design: .9 / .95, two retries at .75."""
    sure = RetryMixture(0.75e7, 0.25e7)
    mixed = mixed_retries(sure, 3, sensitivity=0.9, specificity=0.95)
    plain = with_retries([0.75] * 3, sensitivity=0.9, specificity=0.95)
    assert mixed.right == pytest.approx(plain.right, abs=1e-6)
    assert mixed.silent == pytest.approx(0.033285, abs=2e-6)
    assert mixed.attempts == pytest.approx(1.331406, abs=2e-6)


@pytest.mark.parametrize("attempts", [1, 2, 5, 20])
def test_tasks_that_differ_gain_less_from_retries(attempts: int) -> None:
    tasks = RetryMixture(0.122, 0.645)
    perfect = mixed_retries(tasks, attempts)
    assert perfect.right == pytest.approx(tasks.pass_at(attempts), abs=1e-10)
    assert perfect.right + perfect.silent + perfect.stopped == pytest.approx(1.0, abs=1e-10)


def test_mixed_retries_equal_their_simulation() -> None:
    rng, n = np.random.default_rng(0), 100_000
    p = rng.beta(2, 1, n)
    right = np.zeros(n, bool)
    silent = np.zeros(n, bool)
    alive = np.ones(n, bool)
    for _ in range(3):
        good = rng.random(n) < p
        yes = alive & (rng.random(n) < np.where(good, 0.95, 0.2))
        right |= yes & good
        silent |= yes & ~good
        alive &= ~yes
    exact = mixed_retries(RetryMixture(2, 1), 3, sensitivity=0.8, specificity=0.95)
    assert right.mean() == pytest.approx(exact.right, abs=0.005)
    assert silent.mean() == pytest.approx(exact.silent, abs=0.005)
    assert alive.mean() == pytest.approx(exact.stopped, abs=0.005)


def test_hopeless_tasks_are_given_up_early_and_easy_ones_retried() -> None:

    def worth(tasks: RetryMixture, takeover: float | None = None) -> RetryPlan:
        return retries_worth(
            tasks,
            attempt_cost=1.0,
            review_cost=2.0,
            silent_cost=50.0,
            giving_up_cost=30.0,
            takeover=takeover,
            sensitivity=0.9,
            specificity=0.95,
        )

    hopeless, hopeful = worth(RetryMixture(0.122, 0.645)), worth(RetryMixture(9.0, 3.0))
    assert hopeless.attempts == 1
    assert hopeful.attempts > 2
    for plan in (hopeless, hopeful):
        assert plan.cost == min(plan.costs)
        assert len(plan.costs) == 20
    helped = worth(RetryMixture(9.0, 3.0), takeover=0.98)
    assert helped.outcome.stopped == 0.0


def test_the_law_of_time_sums_over_every_history() -> None:
    once, yes = [0.0, 0.5, 0.3, 0.2], 0.6
    horizon = 7
    by_hand = np.zeros(horizon)
    for attempts in range(1, horizon):
        for ticks in product((1, 2, 3), repeat=attempts):
            if sum(ticks) < horizon:
                chance = float(np.prod([once[t] for t in ticks]))
                by_hand[sum(ticks)] += chance * (1 - yes) ** (attempts - 1) * yes
    padded = once + [0.0] * (horizon - len(once))
    assert law_of_time(padded, yes) == pytest.approx(by_hand, abs=1e-12)


def test_segments_follow_one_another() -> None:
    """Brute force over the ticks of four segments."""
    law = law_of_time([0.0, 0.7, 0.3] + [0.0] * 10, 0.8)
    chance = sum(
        law[a] * law[b] * law[c] * law[d]
        for a, b, c, d in product(range(13), repeat=4)
        if a + b + c + d <= 12
    )
    assert done_by([([0.0, 0.7, 0.3], 0.8)] * 4, 12) == pytest.approx(chance, abs=1e-12)
    assert done_by([], 0) == 1.0


def test_the_last_hours_belong_to_the_person() -> None:
    """Retries while there is time; a takeover when one attempt no longer pays; then stop."""
    policy = deadline_policy(
        [0.0, 0.0, 0.0, 1.0] + [0.0] * 20,
        p_right=0.6,
        value_right=10.0,
        silent_cost=30.0,
        takeover_ticks=2,
        takeover_right=0.98,
        takeover_cost=6.5,
        sensitivity=0.9,
        specificity=0.95,
    )
    assert policy.action[:4] == ("stop", "stop", "takeover", "retry")
    assert policy.action[-1] == "retry"
    assert all(b >= a - 1e-12 for a, b in zip(policy.value, policy.value[1:], strict=False))


def test_a_deadline_policy_equals_its_recursion_by_hand() -> None:
    policy = deadline_policy(
        [0.0, 1.0, 0.0],
        p_right=0.5,
        value_right=1.0,
        silent_cost=1.0,
        takeover_ticks=9,
        takeover_right=1.0,
        takeover_cost=0.0,
    )
    assert policy.value == (0.0, 0.5, 0.75)
    assert policy.action == ("stop", "retry", "retry")


def test_impossible_times_get_a_sentence() -> None:
    with pytest.raises(EvidenceRefusal, match="takes at least one tick"):
        law_of_time([0.5, 0.5], 0.5)
    with pytest.raises(EvidenceRefusal, match="'attempts' must be at least 1"):
        mixed_retries(RetryMixture(1, 1), 0)
