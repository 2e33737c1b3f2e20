"""Where checkpoints pay, planned from a gate log, with how sure that is and the policy that says it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.log import GateLog, checked
from hitl.lab.planner import (
    GraphPlan,
    Plan,
    PlanSensitivity,
    plan_chain,
    plan_chain_loss,
    plan_graph,
    plan_sensitivity,
)
from hitl.lab.planner.plans import Reviewer, chain, score
from hitl.lab.reports.measuring import Measured, Way, measured, way_of
from hitl.policy import Checkpoint, EscalationPolicy

EVERY_SUBSET_UP_TO = 12
"""Distinct steps up to which every set of checkpoints a policy can say is looked at."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a plan is for; all costs in minutes."""

    review_minutes: float
    silent_cost: float | None = None
    """Minutes that a wrong final result costs; None to have the end reviewed instead."""
    max_gates: int | None = None
    """With a number: the plan with at most so many reviews per run that is most likely right."""
    sensitivity: float = 1.0
    specificity: float = 1.0

    def __post_init__(self) -> None:
        """Refuse two aims at once."""
        if self.silent_cost is not None and self.max_gates is not None:
            raise EvidenceRefusal("A price of silent errors and a budget are two aims; give one.")

    def worth(self, plan: Plan | GraphPlan) -> tuple[float, float]:
        """Return what is to be small, the second to decide between equals."""
        if self.silent_cost is not None:
            return plan.expected_cost + self.silent_cost * (1.0 - plan.p_right), 0.0
        if self.max_gates is not None:
            return -plan.p_right, plan.expected_cost
        return plan.expected_cost, 0.0


@dataclass(frozen=True, slots=True)
class Planned:
    """Where to put checkpoints."""

    way: Way
    steps: tuple[Measured, ...]
    plan: PlanSensitivity[Plan] | PlanSensitivity[GraphPlan]
    """The best plan, at any visit; gates are positions from 1 on a chain, names in a graph."""
    said: Plan | None
    """The best plan a policy can say, which asks at every visit of a step; None in a graph."""
    said_steps: tuple[str, ...]
    alternatives: Mapping[str, Plan]
    """Asking nowhere, only at the end, everywhere; empty in a graph."""
    policy: EscalationPolicy
    aim: Aim
    warnings: tuple[str, ...]


def plan_log(
    log: GateLog,
    aim: Aim,
    *,
    rng: np.random.Generator,
    accuracy: Mapping[str, float] | None = None,
    minutes: Mapping[str, float] | None = None,
    draws: int = 200,
) -> Planned:
    """Return where checkpoints pay on the usual way of a log's runs.

    Args:
        log: As read; it is checked here.
        aim: What the plan is for.
        rng: Source of the draws of accuracies.
        accuracy: P(right) by step, instead of what the log says.
        minutes: Of one execution by step, instead of what the log says.
        draws: How often to plan again, with accuracies drawn from what is known of them.

    Raises:
        EvidenceRefusal: The log can't be used, or doesn't say how right a step is.
    """
    warnings = list(checked(log))
    way = way_of(log.where(~log.flag("is_seed")))
    names = tuple(dict.fromkeys(position.step for position in way.positions))
    given, spent = accuracy or {}, minutes or {}
    for name in (*given, *spent):
        if name not in names:
            raise EvidenceRefusal(
                f"No step of the usual way is {name!r}; there is {', '.join(names)}."
            )
    steps = tuple(
        measured(log, name, given=given.get(name), minutes=spent.get(name)) for name in names
    )
    warnings += _doubts(way, steps)
    if way.is_chain:
        return _chain_plan(log, way, steps, aim, rng, draws, warnings)
    return _graph_plan(log, way, steps, aim, rng, draws, warnings)


def _doubts(way: Way, steps: Sequence[Measured]) -> list[str]:
    said = []
    if way.same < way.runs:
        said.append(f"{way.same} of {way.runs} runs went this way; the others are left out.")
    for step in steps:
        if step.basis == "confidence":
            said.append(
                f"{step.step}: no spot checks, so its accuracy is its mean confidence"
                f" ({step.accuracy.mean:.3f}), not measured."
            )
    return said


def _chain_plan(
    log: GateLog,
    way: Way,
    steps: tuple[Measured, ...],
    aim: Aim,
    rng: np.random.Generator,
    draws: int,
    warnings: list[str],
) -> Planned:
    at = {step.step: n for n, step in enumerate(steps)}
    order = [at[position.step] for position in way.positions]
    cost = [steps[n].minutes for n in order]

    def planned(accuracy: list[float]) -> Plan:
        return best_plan([accuracy[n] for n in order], cost, aim)

    found = plan_sensitivity([s.accuracy for s in steps], planned, rng=rng, draws=draws)
    right = [steps[n].accuracy.mean for n in order]
    segments = chain(right, cost, aim.review_minutes, Reviewer(aim.sensitivity, aim.specificity))
    said, said_steps = said_plan(
        [p.step for p in way.positions], lambda gates: score(segments, gates), aim
    )
    n = len(order)
    return Planned(
        way=way,
        steps=steps,
        plan=found,
        said=said,
        said_steps=said_steps,
        alternatives={
            "nowhere": score(segments, ()),
            "only at the end": score(segments, (n,)),
            "everywhere": score(segments, tuple(range(1, n + 1))),
        },
        policy=_policy(log, said_steps),
        aim=aim,
        warnings=tuple(warnings),
    )


def best_plan(accuracy: Sequence[float], cost: Sequence[float], aim: Aim) -> Plan:
    """Return the best plan on a chain for an aim; exact."""
    s, t, review = aim.sensitivity, aim.specificity, aim.review_minutes
    if aim.silent_cost is not None:
        return plan_chain_loss(
            accuracy, cost, review, silent_cost=aim.silent_cost, sensitivity=s, specificity=t
        )
    return plan_chain(accuracy, cost, review, sensitivity=s, specificity=t, max_gates=aim.max_gates)


def said_plan(
    steps: Sequence[str], scored: Callable[[tuple[int, ...]], Plan], aim: Aim
) -> tuple[Plan | None, tuple[str, ...]]:
    """Return the best plan that asks at every visit of the steps it asks at, and these steps.

    Every set of steps is looked at, up to twelve; beyond that (None, ()).

    Args:
        steps: The step at each position of the chain.
        scored: Returns what gates at these positions (from 1) bring.
        aim: What the plan is for.
    """
    names = tuple(dict.fromkeys(steps))
    if len(names) > EVERY_SUBSET_UP_TO:
        return None, ()
    best: tuple[Plan | None, tuple[str, ...]] = (None, ())
    for size in range(len(names) + 1):
        for chosen in combinations(names, size):
            gates = tuple(n for n, step in enumerate(steps, start=1) if step in chosen)
            if not _allowed(gates, len(steps), aim):
                continue
            plan = scored(gates)
            if best[0] is None or aim.worth(plan) < aim.worth(best[0]):
                best = plan, chosen
    return best


def _allowed(gates: tuple[int, ...], n: int, aim: Aim) -> bool:
    if aim.max_gates is not None:
        return len(gates) <= aim.max_gates
    return aim.silent_cost is not None or (bool(gates) and gates[-1] == n)


def _graph_plan(
    log: GateLog,
    way: Way,
    steps: tuple[Measured, ...],
    aim: Aim,
    rng: np.random.Generator,
    draws: int,
    warnings: list[str],
) -> Planned:
    if aim.silent_cost is not None:
        raise EvidenceRefusal(
            "These steps form no chain, and a price of silent errors is planned on chains only;"
            " leave --silent-cost out, or give --max-gates."
        )
    at = {step.step: n for n, step in enumerate(steps)}
    names = [position.name for position in way.positions]
    inputs = {p.name: [names[n] for n in p.rests_on] for p in way.positions}
    cost = {p.name: steps[at[p.step]].minutes for p in way.positions}

    def planned(accuracy: list[float]) -> GraphPlan:
        right = {p.name: accuracy[at[p.step]] for p in way.positions}
        return plan_graph(
            right,
            inputs,
            cost,
            aim.review_minutes,
            sensitivity=aim.sensitivity,
            specificity=aim.specificity,
            max_gates=aim.max_gates,
        )

    found = plan_sensitivity([s.accuracy for s in steps], planned, rng=rng, draws=draws)
    if not found.plan.exact:
        warnings.append(f"Searched, not proven best: at most {found.plan.gap:.1%} from it.")
    chosen = {p.step for p in way.positions if p.name in found.plan.gates}
    return Planned(
        way=way,
        steps=steps,
        plan=found,
        said=None,
        said_steps=tuple(s.step for s in steps if s.step in chosen),
        alternatives={},
        policy=_policy(log, tuple(s.step for s in steps if s.step in chosen)),
        aim=aim,
        warnings=tuple(warnings),
    )


def _policy(log: GateLog, steps: Sequence[str]) -> EscalationPolicy:
    """Return a policy that asks at these steps, spot checks kept: a plan must stay measurable."""
    names = [name for name in log.values("policy_name") if name]
    before = {
        step: bool(np.all(log.text("place")[log.text("step") == step] == "before"))
        for step in steps
    }
    return EscalationPolicy(
        names[0] if len(names) == 1 else "planned",
        version="planned",
        spot_check=0.02,
        checkpoints=[
            Checkpoint(step, place="before" if before[step] else "after", always=True)
            for step in steps
        ],
    )
