"""Where to put checkpoints in a graph of steps: exact to 15 free candidates, then a search.

A step's output is right iff the step and all it rests on are right; shared ancestors count once. A
gate judges its step with everything upstream that no earlier gate (in the order of the work) has
approved; on a no that part is done again. A chain is the special case `hitl.lab.planner.chains`
solves; there the two agree. Finding the best set in a general graph is not promised: beyond 15
candidates the plan says how far from the best it may be at most.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import Bools, Floats, amount, level
from hitl.lab.planner.plans import GraphPlan, Reviewer
from hitl.reliability import closure

EXACT_UP_TO = 15
"""Free candidates of which every subset is looked at: 2^15 plans."""
STARTS = 4
"""About how many single gates the search also starts from."""


def plan_graph(
    accuracy: Mapping[str, float],
    inputs: Mapping[str, Collection[str]],
    cost: Mapping[str, float],
    review_cost: float | Mapping[str, float],
    *,
    candidates: Collection[str] | None = None,
    sensitivity: float = 1.0,
    specificity: float = 1.0,
    max_gates: int | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> GraphPlan:
    """Return the best places to ask in a graph of steps.

    Args:
        accuracy: Per step, P(right | inputs right), in (0, 1].
        inputs: Per step, the steps it rests on directly; a step without any may be left out.
        cost: Per step, of one execution.
        review_cost: Of one review, for all steps or per step.
        candidates: Steps that may get a gate; None for all.
        sensitivity: s = P(deny | wrong).
        specificity: t = P(approve | right).
        max_gates: None: the cheapest plan that has every final step reviewed. A number: the plan with
            at most so many gates whose results are all most likely right; of several, the cheapest.
        exact_up_to: Free candidates up to which every subset is looked at.

    Raises:
        EvidenceRefusal: A step has no numbers, the graph has a cycle, or a number is out of range.
    """
    graph = _Graph.of(accuracy, inputs, cost, review_cost, Reviewer(sensitivity, specificity))
    allowed = set(graph.steps if candidates is None else candidates)
    must = graph.final if max_gates is None else ()
    free = [i for i, s in enumerate(graph.steps) if s in allowed and i not in must]
    most = len(free) if max_gates is None else min(max_gates, len(free))
    search = _Search(graph, must, free, most=most, cheapest=max_gates is None)
    if len(free) <= exact_up_to:
        return search.best_of(search.everything(), exact=True)
    return search.climbed()


@dataclass(frozen=True, slots=True)
class _Graph:
    steps: tuple[str, ...]
    """In an order in which they can be worked on."""
    rests_on: Bools
    """Shape (n, n): row g has the closure of step g."""
    log_p: Floats
    cost: Floats
    review: Floats
    final: tuple[int, ...]
    """Steps nothing else rests on."""
    reviewer: Reviewer

    @classmethod
    def of(
        cls,
        accuracy: Mapping[str, float],
        inputs: Mapping[str, Collection[str]],
        cost: Mapping[str, float],
        review_cost: float | Mapping[str, float],
        reviewer: Reviewer,
    ) -> "_Graph":
        steps = _ordered(accuracy, inputs)
        index = {step: i for i, step in enumerate(steps)}
        rests_on = np.zeros((len(steps), len(steps)), dtype=np.bool_)
        for step, i in index.items():
            rests_on[i, [index[s] for s in closure(inputs, step)]] = True
        feeding = {s for step in steps for s in inputs.get(step, ())}
        review = (
            review_cost if isinstance(review_cost, Mapping) else dict.fromkeys(steps, review_cost)
        )
        return cls(
            steps=steps,
            rests_on=rests_on,
            log_p=np.log([_accuracy(accuracy[s]) for s in steps]),
            cost=_amounts(cost, steps, "cost"),
            review=_amounts(review, steps, "review cost"),
            final=tuple(i for s, i in index.items() if s not in feeding),
            reviewer=reviewer,
        )

    def score(self, gated: Bools) -> tuple[Floats, Floats]:
        """Return (expected cost, log P(all right)) of many gate sets at once; gated: (sets, n)."""
        approved = np.zeros_like(gated)
        spent, log_right = np.zeros(gated.shape[0]), np.zeros(gated.shape[0])
        for g in np.flatnonzero(gated.any(axis=0)):
            fresh = self.rests_on[g] & ~approved & gated[:, [g]]
            right = np.exp(fresh @ self.log_p)
            with np.errstate(divide="ignore"):
                once = (fresh @ self.cost + self.review[g]) / self.reviewer.approves(right)
            spent += np.where(gated[:, g], once, 0.0)
            log_right += np.where(gated[:, g], self.reviewer.log_right(right), 0.0)
            approved |= fresh
        return spent + ~approved @ self.cost, log_right + ~approved @ self.log_p


@dataclass(frozen=True, slots=True)
class _Search:
    graph: _Graph
    must: tuple[int, ...]
    """Steps that get a gate in any case."""
    free: list[int]
    most: int
    """How many of the free ones may get one."""
    cheapest: bool
    """Whether cost is what counts; else reliability, then cost."""

    def everything(self) -> Bools:
        codes = np.arange(2 ** len(self.free), dtype=np.int64)
        chosen = (codes[:, None] >> np.arange(len(self.free))) & 1
        sets = self._none(codes.size)
        sets[:, self.free] = chosen.astype(np.bool_)
        small: Bools = sets[chosen.sum(axis=1) <= self.most]
        return small

    def best_of(self, sets: Bools, *, exact: bool) -> GraphPlan:
        at, cost, log_right = self._best(sets)
        gates = tuple(self.graph.steps[i] for i in np.flatnonzero(sets[at]))
        plan = GraphPlan(gates, cost, float(np.exp(log_right)), exact=exact, gap=0.0)
        if exact:
            return plan
        return GraphPlan(gates, cost, plan.p_right, exact=False, gap=self._gap(cost, log_right))

    def climbed(self) -> GraphPlan:
        """Climb by adding, dropping and swapping one gate, from several starts; keep the best end."""
        ends = [self._climbed_from(start) for start in self._starts()]
        return self.best_of(np.concatenate(ends), exact=False)

    def _climbed_from(self, here: Bools) -> Bools:
        while True:
            around = np.concatenate((here, self._neighbours(here[0])))
            at, _, _ = self._best(around)
            if at == 0:
                return here
            here = around[[at]]

    def _best(self, sets: Bools) -> tuple[int, float, float]:
        cost, log_right = self.graph.score(sets)
        if self.cheapest:
            at = int(np.argmin(np.where(cost > cost.min() + 1e-12, np.inf, 0.0)))
        else:
            at = int(np.argmin(np.where(log_right >= log_right.max() - 1e-12, cost, np.inf)))
        return at, float(cost[at]), float(log_right[at])

    def _none(self, sets: int) -> Bools:
        gated = np.zeros((sets, len(self.graph.steps)), dtype=np.bool_)
        gated[:, self.must] = True
        return gated

    def _starts(self) -> list[Bools]:
        """Return no gates, the first allowed ones, and single gates spread over the graph."""
        filled = self._none(1)
        filled[:, self.free[: self.most]] = True
        starts = [self._none(1), filled]
        if self.most:
            for i in self.free[:: max(1, len(self.free) // STARTS)]:
                single = self._none(1)
                single[:, i] = True
                starts.append(single)
        return starts

    def _neighbours(self, here: Bools) -> Bools:
        on = [i for i in self.free if here[i]]
        off = [i for i in self.free if not here[i]]
        adds = [(i,) for i in off] if len(on) < self.most else []
        moves = [*adds, *((i,) for i in on), *((i, j) for i in on for j in off)]
        around = np.repeat(here[None, :], len(moves), axis=0)
        for row, move in enumerate(moves):
            around[row, list(move)] ^= True
        return around

    def _gap(self, cost: float, log_right: float) -> float:
        """Return how far this is from the best at most, by a bound that ignores the graph."""
        if self.cheapest:
            return max(0.0, cost / _least_cost(self.graph) - 1.0)
        bound = float(np.exp(_most_log_right(self.graph, self.most)))
        return max(0.0, 1.0 - float(np.exp(log_right)) / bound)


def _least_cost(graph: _Graph) -> float:
    """Return a lower bound on the cost of any plan.

    A step in a segment of k steps costs at least its own work and 1/k of the cheapest review, times
    1 / P(yes) of the best company it could be in: the k - 1 surest others.
    """
    n, total = len(graph.steps), 0.0
    for i in range(n):
        others = np.sort(np.delete(graph.log_p, i))[::-1]
        best = np.exp(graph.log_p[i] + np.concatenate(([0.0], np.cumsum(others))))
        share = graph.cost[i] + graph.review.min() / np.arange(1, n + 1)
        ceiling = np.maximum(graph.reviewer.approves(best), 1.0 - graph.reviewer.sensitivity)
        total += float(np.min(share / ceiling))
    return total


def _most_log_right(graph: _Graph, gates: int) -> float:
    """Return an upper bound on log P(all right) with so many gates.

    With kappa = (1 - s)/t <= 1 a reviewed segment of x = -log P loses log(1 + kappa (e^x - 1)),
    which is convex and at most x: even shares lose least (Jensen).
    """
    kappa = (1.0 - graph.reviewer.sensitivity) / graph.reviewer.specificity
    if gates == 0 or kappa >= 1.0:
        return 0.0 if gates else float(graph.log_p.sum())
    even = -float(graph.log_p.sum()) / gates
    return -gates * float(np.log1p(kappa * np.expm1(even)))


def _ordered(
    accuracy: Mapping[str, float], inputs: Mapping[str, Collection[str]]
) -> tuple[str, ...]:
    """Return the steps so that each comes after its inputs, else in the order they were given."""
    named = {*inputs, *(s for rests in inputs.values() for s in rests)}
    missing = sorted(named - set(accuracy))
    if missing or not accuracy:
        raise EvidenceRefusal(f"No accuracy is given for the steps {missing}; measure them first.")
    sorter = TopologicalSorter({s: inputs.get(s, ()) for s in accuracy})
    place = {step: i for i, step in enumerate(accuracy)}
    order: list[str] = []
    try:
        sorter.prepare()
    except CycleError as cycle:
        raise EvidenceRefusal(
            f"The steps {cycle.args[1]} feed each other; a plan needs a graph without cycles."
            " Plan the loop's body by itself."
        ) from None
    ready: list[int] = []
    names = list(accuracy)
    while sorter.is_active():
        for step in sorter.get_ready():
            heappush(ready, place[step])
        order.append(names[heappop(ready)])
        sorter.done(order[-1])
    return tuple(order)


def _accuracy(value: float) -> float:
    return 1.0 if value == 1.0 else level(value, "accuracy")


def _amounts(values: Mapping[str, float], steps: Sequence[str], name: str) -> Floats:
    missing = sorted(set(steps) - set(values))
    if missing:
        raise EvidenceRefusal(f"No {name} is given for the steps {missing}.")
    return np.array([amount(values[s], name) for s in steps])
