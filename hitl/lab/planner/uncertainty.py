"""How far a plan depends on accuracies that are only estimated: plan again over posterior draws."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators.accuracy import NodeAccuracy
from hitl.lab.planner.plans import GraphPlan, Plan

PlanT = TypeVar("PlanT", Plan, GraphPlan)


@dataclass(frozen=True, slots=True)
class PlanSensitivity(Generic[PlanT]):
    """A plan, and how it fares when the accuracies are drawn from what is known of them."""

    plan: PlanT
    """At the posterior means."""
    draws: int
    same: int
    """In how many draws exactly this plan was chosen: "chosen in 183 of 200 draws"."""
    chosen: Mapping[int | str, int]
    """In how many draws each gate was chosen, of all that ever were."""
    cost: tuple[float, float]
    """5 % and 95 % quantile of the expected cost over the draws, each with its own best plan."""
    p_right: tuple[float, float]
    """The same of P(right)."""


def plan_sensitivity(
    nodes: Sequence[NodeAccuracy],
    plan: Callable[[list[float]], PlanT],
    *,
    rng: np.random.Generator,
    draws: int = 200,
) -> PlanSensitivity[PlanT]:
    """Return a plan at the posterior means and how often draws of the accuracies lead to it.

    Args:
        nodes: Per step, its measured accuracy (`node_accuracy`).
        plan: Makes a plan from accuracies, e.g. a `plan_chain` with costs filled in.
        rng: Source of the draws.
        draws: How many, >= 1.
    """
    if not nodes or draws < 1:
        raise EvidenceRefusal("It takes at least one measured step and one draw.")
    drawn = np.stack([node.draw(rng, draws) for node in nodes], axis=1)
    here = plan([node.mean for node in nodes])
    plans = [plan(row) for row in np.maximum(drawn, 1e-9).tolist()]
    chosen: Counter[int | str] = Counter(gate for one in plans for gate in one.gates)
    return PlanSensitivity(
        plan=here,
        draws=draws,
        same=sum(one.gates == here.gates for one in plans),
        chosen=dict(sorted(chosen.items(), key=lambda item: str(item[0]))),
        cost=_band([one.expected_cost for one in plans]),
        p_right=_band([one.p_right for one in plans]),
    )


def _band(values: list[float]) -> tuple[float, float]:
    low, high = np.quantile(values, (0.05, 0.95))
    return float(low), float(high)
