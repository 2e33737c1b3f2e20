"""Where to put checkpoints on a chain of steps: exact dynamic programmes.

Cheapest: f(j) = min_i f(i) + C(i, j) / a(i, j), with a gate at the end (Toueg & Babaoglu 1984,
with fallible reviewers). On a budget: F(b, j) = max_i F(b - w_j, i) + log(1 - e(i, j)), the steps
after the last gate adding log P. With a price on silent errors: all pairs (cost, log P(right)) that
no other pair beats, per position. `hitl.lab.planner.plans` has the model and its assumptions.
"""

from collections.abc import Sequence

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Floats, Ints, amount
from hitl.lab.planner.plans import Chain, Plan, Reviewer, chain, score

_SAME = 1e-12
"""Two log-reliabilities this close count as equal; the cheaper plan is taken."""


def plan_chain(
    accuracy: Sequence[float],
    cost: Sequence[float],
    review_cost: float | Sequence[float],
    *,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    max_gates: int | None = None,
) -> Plan:
    """Return the best places to ask on a chain of steps; exact.

    Args:
        accuracy: Per step, P(right | inputs right), in (0, 1].
        cost: Per step, of one execution.
        review_cost: Of one review with its waiting, for all steps or per step, in the same unit.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right), > 0.
        max_gates: None: the cheapest plan that has the end reviewed. A number: the plan with at most
            so many gates whose result is most likely right; of several, the cheapest.

    Returns:
        Gates as step positions from 1.

    Raises:
        EvidenceRefusal: A number is out of range; with what it must be.
    """
    segments = chain(accuracy, cost, review_cost, Reviewer(sensitivity, specificity))
    if max_gates is None:
        return score(segments, _cheapest(segments))
    if max_gates < 0:
        raise EvidenceRefusal(f"'max_gates' must be >= 0; it is {max_gates}.")
    ones = np.ones(segments.steps, dtype=np.int64)
    return score(segments, _likeliest(segments, ones, min(max_gates, segments.steps)))


def plan_chain_minutes(
    accuracy: Sequence[float],
    cost: Sequence[float],
    minutes: Sequence[int],
    *,
    budget: int,
    review_cost: float | Sequence[float] = 0.0,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> Plan:
    """Return the places to ask whose result is most likely right within a budget of minutes; exact.

    Args:
        accuracy: Per step, P(right | inputs right).
        cost: Per step, of one execution.
        minutes: Per step, whole minutes one review of it takes, >= 1.
        budget: Minutes of review per run; a review repeated after a no is not counted twice.
        review_cost: As in `plan_chain`; decides only between equally reliable plans.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
    """
    segments = chain(accuracy, cost, review_cost, Reviewer(sensitivity, specificity))
    weights = np.asarray(minutes, dtype=np.int64)
    if weights.shape != (segments.steps,) or bool(np.any(weights < 1)) or budget < 0:
        raise EvidenceRefusal("It takes whole minutes >= 1 for each step, and a budget >= 0.")
    return score(segments, _likeliest(segments, weights, min(budget, int(weights.sum()))))


def plan_chain_loss(
    accuracy: Sequence[float],
    cost: Sequence[float],
    review_cost: float | Sequence[float],
    *,
    silent_cost: float,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
) -> Plan:
    """Return the places to ask with the least expected cost + silent_cost P(final wrong); exact.

    Args:
        accuracy: Per step, P(right | inputs right).
        cost: Per step, of one execution.
        review_cost: Of one review, for all steps or per step.
        silent_cost: L, of a wrong final result nobody noticed, in the same unit.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
    """
    segments = chain(accuracy, cost, review_cost, Reviewer(sensitivity, specificity))
    loss = amount(silent_cost, "silent_cost")
    plans = [score(segments, gates) for gates in _undominated(segments)]
    return min(plans, key=lambda plan: plan.expected_cost + loss * (1.0 - plan.p_right))


def _cheapest(segments: Chain) -> tuple[int, ...]:
    n = segments.steps
    least, back = np.zeros(n + 1), np.zeros(n + 1, dtype=np.int64)
    for j in range(1, n + 1):
        options = least[:j] + segments.cost[:j, j]
        back[j] = int(np.argmin(options))
        least[j] = options[back[j]]
    gates, at = [], n
    while at > 0:
        gates.append(at)
        at = int(back[at])
    return tuple(reversed(gates))


def _likeliest(segments: Chain, weights: Ints, budget: int) -> tuple[int, ...]:
    """Return the gates of the most reliable plan with total weight <= budget."""
    n = segments.steps
    right = np.full((budget + 1, n + 1), -np.inf)
    spent = np.full((budget + 1, n + 1), np.inf)
    back = np.zeros((budget + 1, n + 1), dtype=np.int64)
    right[:, 0], spent[:, 0] = 0.0, 0.0
    for j in range(1, n + 1):
        w = int(weights[j - 1])
        if w > budget:
            continue
        left = budget + 1 - w
        log_right = right[:left, :j] + segments.log_right[:j, j]
        cost = spent[:left, :j] + segments.cost[:j, j]
        choice = _pick(log_right, cost)
        rows = np.arange(left)
        right[w:, j], spent[w:, j] = log_right[rows, choice], cost[rows, choice]
        back[w:, j] = choice
    tail_right = segments.log_accuracy[-1] - segments.log_accuracy
    tail_cost = segments.work[-1] - segments.work
    last = int(_pick(right[-1:] + tail_right, spent[-1:] + tail_cost)[0])
    return _traced(back, weights, budget=budget, last=last)


def _pick(log_right: Floats, cost: Floats) -> Ints:
    """Return, per row, the column with the largest log_right; among equal ones the cheapest."""
    best = log_right.max(axis=1, keepdims=True)
    picked: Ints = np.argmin(np.where(log_right >= best - _SAME, cost, np.inf), axis=1)
    return picked


def _traced(back: Ints, weights: Ints, *, budget: int, last: int) -> tuple[int, ...]:
    gates, at, left = [], last, budget
    while at > 0:
        gates.append(at)
        at, left = int(back[left, at]), left - int(weights[at - 1])
    return tuple(reversed(gates))


def _undominated(segments: Chain) -> list[tuple[int, ...]]:
    """Return the plans no other plan beats in both cost and reliability, ends open or gated."""
    n = segments.steps
    labels: list[list[tuple[float, float, tuple[int, ...]]]] = [[(0.0, 0.0, ())]]
    for j in range(1, n + 1):
        grown = [
            (
                cost + float(segments.cost[i, j]),
                right + float(segments.log_right[i, j]),
                (*gates, j),
            )
            for i in range(j)
            for cost, right, gates in labels[i]
        ]
        labels.append(_pruned(grown))
    return [gates for reached in labels for _, _, gates in reached]


def _pruned(
    labels: list[tuple[float, float, tuple[int, ...]]],
) -> list[tuple[float, float, tuple[int, ...]]]:
    kept: list[tuple[float, float, tuple[int, ...]]] = []
    for label in sorted(labels, key=lambda one: (one[0], -one[1])):
        if not kept or label[1] > kept[-1][1]:
            kept.append(label)
    return kept
