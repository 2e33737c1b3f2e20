"""How many retries are worth it, and what to do with the time that is left.

Attempts of one task share its difficulty: P(right) ~ Beta(a, b) over tasks (`RetryMixture`). The
outcome of R retries under a fallible reviewer is a polynomial in P(right), so Gauss-Jacobi nodes
(Golub & Welsch 1969) integrate it exactly. Time: dynamic programming over whole ticks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh_tridiagonal

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Floats, amount, fractions, probability
from hitl.lab.estimators.retries import RetryMixture
from hitl.reliability import Retried, with_retries

Action = Literal["retry", "takeover", "stop"]


def mixed_retries(
    tasks: RetryMixture,
    attempts: int,
    *,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    takeover: float | None = None,
) -> Retried:
    """Return where a gated step ends, averaged over tasks of different difficulty; exact.

    Args:
        tasks: Success rates over tasks.
        attempts: Attempts allowed, >= 1; a no leads to the next.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
        takeover: P(a person who takes over is right); None: the run stops instead.
    """
    if attempts < 1:
        raise EvidenceRefusal(f"'attempts' must be at least 1; it is {attempts}.")
    rates, share = _nodes(tasks, attempts // 2 + 2)
    s, t = probability(sensitivity, "sensitivity"), probability(specificity, "specificity")
    each = [
        with_retries([float(p)] * attempts, sensitivity=s, specificity=t, takeover=takeover)
        for p in rates
    ]
    table = np.array([(one.right, one.silent, one.stopped, one.attempts) for one in each])
    right, silent, stopped, mean_attempts = (share @ table).tolist()
    return Retried(right=right, silent=silent, stopped=stopped, attempts=mean_attempts)


def _nodes(tasks: RetryMixture, count: int) -> tuple[Floats, Floats]:
    """Return success rates and their weights that integrate polynomials of degree 2 count - 1.

    The eigenvalues of the Jacobi matrix of Beta(a, b); unlike ready-made roots it stays finite when
    a + b is large, and when it is exactly 1.
    """
    a, b = tasks.a, tasks.b
    k = np.arange(count, dtype=np.float64)
    size = 2.0 * k + a + b
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = (a - b) * (a + b - 2.0) / ((size - 2.0) * size)
    centre[0] = (a - b) / (a + b)
    k, size = k[1:], size[1:]
    square = 4.0 * k * (k + b - 1.0) * (k + a - 1.0) / ((size - 2.0) ** 2 * (size - 1.0))
    square[1:] *= (k[1:] + a + b - 2.0) / (size[1:] - 3.0)
    x, vectors = eigh_tridiagonal(centre, np.sqrt(square))
    return (x + 1.0) / 2.0, vectors[0] ** 2


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """How many attempts to allow."""

    attempts: int
    """1 means: no retry."""
    cost: float
    """Expected cost at that number."""
    outcome: Retried
    costs: tuple[float, ...]
    """Expected cost of allowing 1, 2, ... attempts."""


def retries_worth(
    tasks: RetryMixture,
    *,
    attempt_cost: float,
    review_cost: float,
    silent_cost: float,
    giving_up_cost: float,
    takeover: float | None = None,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    most: int = 20,
) -> RetryPlan:
    """Return how many attempts cost least: work + reviews + silent errors + giving up.

    Args:
        tasks: Success rates over tasks.
        attempt_cost: Of one attempt.
        review_cost: Of one review.
        silent_cost: Of a wrong result that was approved, or left by a takeover.
        giving_up_cost: When every attempt was denied: of stopping, or of a person's takeover.
        takeover: P(the person is right); None when the run stops.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
        most: Attempts to consider, >= 1.
    """
    attempt = amount(attempt_cost, "attempt_cost") + amount(review_cost, "review_cost")
    loss = amount(silent_cost, "silent_cost")
    resigned = amount(giving_up_cost, "giving_up_cost")
    if most < 1:
        raise EvidenceRefusal(f"'most' must be at least 1; it is {most}.")
    costs = []
    for attempts in range(1, most + 1):
        ends = mixed_retries(tasks, attempts, sensitivity=sensitivity, specificity=specificity)
        left = ends.stopped * (resigned + (0.0 if takeover is None else (1.0 - takeover) * loss))
        costs.append(ends.attempts * attempt + ends.silent * loss + left)
    best = int(np.argmin(costs)) + 1
    outcome = mixed_retries(
        tasks, best, sensitivity=sensitivity, specificity=specificity, takeover=takeover
    )
    return RetryPlan(best, costs[best - 1], outcome, tuple(costs))


def law_of_time(once: ArrayLike, approves: float) -> Floats:
    """Return P(a yes comes after exactly t ticks), t = 0 .. len(once) - 1.

    Attempts are repeated until a yes: f(t) = a g(t) + (1 - a) sum_u g(u) f(t - u).

    Args:
        once: g, shape (ticks,): P(one attempt with its review takes exactly t ticks); g(0) = 0; may
            sum to less than 1, the rest takes longer.
        approves: a = P(yes) per attempt.
    """
    g, a = fractions(once, "once"), probability(approves, "approves")
    if g[0] > 0.0 or g.sum() > 1.0 + 1e-9:
        raise EvidenceRefusal("An attempt takes at least one tick, and its chances sum to 1.")
    law = np.zeros_like(g)
    for t in range(1, g.size):
        law[t] = a * g[t] + (1.0 - a) * float(g[1 : t + 1] @ law[t - 1 :: -1])
    return law


def done_by(segments: Sequence[tuple[ArrayLike, float]], deadline: int) -> float:
    """Return P(all segments have their yes within `deadline` ticks), one after the other.

    Args:
        segments: Per segment (once, approves) as in `law_of_time`.
        deadline: Ticks, >= 0.
    """
    total = np.zeros(deadline + 1)
    total[0] = 1.0
    for once, approves in segments:
        g = np.zeros(deadline + 1)
        given = fractions(once, "once")[: deadline + 1]
        g[: given.size] = given
        total = np.convolve(total, law_of_time(g, approves))[: deadline + 1]
    return float(total.sum())


@dataclass(frozen=True, slots=True)
class DeadlinePolicy:
    """What to do after a no, by the ticks that are left."""

    action: tuple[Action, ...]
    """Index: ticks left."""
    value: tuple[float, ...]
    """Expected value when acting so; stopping is worth 0."""


def deadline_policy(
    once: ArrayLike,
    *,
    p_right: float,
    value_right: float,
    silent_cost: float,
    takeover_ticks: int,
    takeover_right: float,
    takeover_cost: float,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> DeadlinePolicy:
    """Return the best remedy after a no for every remaining time: "ten tries, but by tomorrow".

    V(d) = max(0, takeover if d allows it, sum_u g(u) [p t value - (1 - p)(1 - s) L + P(no) V(d -
    u)]). A result that comes too late is worth nothing. Assumes attempts with the same P(right);
    cost of an attempt can be taken off `value_right`.

    Args:
        once: As in `law_of_time`; its length less one is the longest time considered.
        p_right: P(right) of an attempt.
        value_right: Of a right result in time.
        silent_cost: L, of a wrong one.
        takeover_ticks: What a person needs to do it, >= 1.
        takeover_right: P(that person is right).
        takeover_cost: Of that person's work.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
    """
    g, p = fractions(once, "once"), probability(p_right, "p_right")
    s, t = probability(sensitivity, "sensitivity"), probability(specificity, "specificity")
    gain = p * t * value_right - (1.0 - p) * (1.0 - s) * silent_cost
    denied = 1.0 - p * t - (1.0 - p) * (1.0 - s)
    human = takeover_right * value_right - (1.0 - takeover_right) * silent_cost - takeover_cost
    values, actions = np.zeros(g.size), ["stop"] * g.size
    for left in range(1, g.size):
        again = float(g[1 : left + 1] @ (gain + denied * values[left - 1 :: -1][:left]))
        options = {
            "stop": 0.0,
            "takeover": human if left >= takeover_ticks else 0.0,
            "retry": again,
        }
        actions[left] = max(options, key=lambda name: options[name])
        values[left] = options[actions[left]]
    return DeadlinePolicy(tuple(actions), tuple(values.tolist()))  # type: ignore[arg-type] # keys above
