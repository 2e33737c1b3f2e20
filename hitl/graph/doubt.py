"""The doubt ladder: what a step tries by itself before a person is asked.

Nothing of it is kept until it is over: the best try is then committed or withheld like any other
result, in one transaction. A process that dies before that begins the ladder anew, and nobody has
seen anything of it; one that dies after reads the ledger and tries nothing.
"""

import math
from collections.abc import Generator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from hitl.graph.assess import Assessment, assess, cost
from hitl.graph.bodies import Asks, Opine, RunMany, Said, rollout_body
from hitl.graph.context import Report
from hitl.graph.lg import tasks_called
from hitl.graph.signals import StopRun
from hitl.graph.task import Attempt, Ran, called
from hitl.graph.view import one_line, view_of_writes
from hitl.models import JsonObject, Opinion, Place, Tried
from hitl.policy import (
    Critic,
    Doubt,
    Escalate,
    Judge,
    Pass,
    Retry,
    Rollouts,
    format_duration,
    resolve,
)
from hitl.policy.doubt import best, is_settleable, opinion, order, told

Rung = Literal["first", "rollout", "retry", "rollouts"]


@dataclass
class Try:
    """One try of a step: what it did, and what was said about it."""

    rung: Rung
    ran: Ran
    said: Report
    view: JsonObject
    elided: int = 0
    opinions: list[Opinion] = field(default_factory=list)
    problem: str = ""
    rank: float | None = None
    """What the checkpoint's `rank` says; None for nothing."""
    seen: Tried | None = None
    """How it is logged; None until it was looked at with all its opinions."""


def first_try(ran: Ran, said: Report, view: tuple[JsonObject, int]) -> Try:
    """Return the try that every step begins with."""
    return Try("first", ran, said, *view)


def input_for(attempt: Attempt) -> Any:
    """Return what the first try is given: a copy of the input, where another try may follow."""
    state = attempt.task.state
    if not any(isinstance(rung, Retry | Rollouts) for rung in attempt.checkpoints[0].on_doubt):
        return state
    try:
        return deepcopy(state)
    except Exception:  # whatever an object of the user raises
        return state


def new_try(rung: Rung, said: Report, outcome: Ran | Exception) -> Try:
    """Return one of several tries, as it ended."""
    if isinstance(outcome, Exception):
        problem = f"{type(outcome).__name__}: {outcome}"[:200]
        return Try(rung, Ran(None), said, {}, problem=problem)
    return Try(rung, outcome, said, *view_of_writes(outcome.value))


@dataclass(frozen=True)
class Other:
    """Another try of the step that a person may choose."""

    number: int
    """Which of all tries it is, from 0."""
    ran: Ran
    found: Assessment


@dataclass(frozen=True)
class Picked:
    """The try to go on with, what the policy says about it, and what else there is."""

    ran: Ran
    found: Assessment
    others: tuple[Other, ...] = ()
    """With `rollouts`: the other tries that did not fail, best first."""


def in_doubt(
    attempt: Attempt, first: Try, found: Assessment, *, asks: bool = False
) -> Generator[Asks, Any, Picked]:
    """Go through `on_doubt` where that can help; return the try to go on with, and its verdict.

    Args:
        attempt: The attempt of the step.
        first: What it did.
        found: What the policy says about that.
        asks: Whether its body asked questions: then it is not tried again.
    """
    verdict = found.verdict
    helps = isinstance(verdict, Escalate) and is_settleable(verdict.triggers)
    if not (helps and attempt.checkpoints[0].on_doubt) or attempt.task.session.wiring.shadow:
        return Picked(first.ran, found)
    ladder = Ladder(attempt, [first], asks=asks)
    yield from ladder.rank([first])
    yield from ladder.climb()
    return ladder.outcome()


class Ladder:
    """What is tried in one attempt of a step, and which try is the best.

    Args:
        attempt: The attempt.
        tries: What it began with; at least one.
        asks: Whether its body asked questions: then it is not tried again.
        triable: Whether it is known to be a step that may be tried again.
    """

    def __init__(
        self, attempt: Attempt, tries: list[Try], *, asks: bool = False, triable: bool = False
    ) -> None:
        self._attempt = attempt
        self._asked: Escalate | None = None
        self._asks = asks
        self._here = attempt.checkpoints[0]
        self._clock = attempt.task.session.wiring.clock
        self._began = self._clock()
        self._tries = tries
        self._graders: list[Critic | Judge] = []
        self._notes: list[str] = []
        self._reason: str | None = "" if triable else None

    def rank(self, tries: list[Try]) -> Generator[Asks, Any, None]:
        """Have the checkpoint's `rank` look at tries; one it cannot rank comes last."""
        if self._here.rank is None:
            return
        for each in (t for t in tries if not t.problem):
            look = resolve(self._here.rank)
            said: Said = yield Opine(look, each.view, self._attempt.current())
            if isinstance(said.value, int | float) and math.isfinite(said.value):
                each.rank = float(said.value)
            else:
                self._note(f"A try could not be ranked ({said.value!r})."[:200])

    def climb(self) -> Generator[Asks, Any, None]:
        """Go from rung to rung until the best try passes, or the budget is over.

        Only where what holds the best one is doubt that more tries can settle.
        """
        verdict = self._look(self._best()).verdict
        if not isinstance(verdict, Escalate):
            return
        self._asked = verdict
        for rung in self._here.on_doubt if is_settleable(verdict.triggers) else ():
            yield from self._step_on(rung)
            if self._is_settled():
                return

    def _step_on(self, rung: Doubt) -> Generator[Asks, Any, None]:
        if isinstance(rung, Critic | Judge):
            self._graders.append(rung)
            for each in self._tries:
                yield from self._grade(each, rung)
        elif self._is_triable() and isinstance(rung, Rollouts):
            yield from self._run("rollouts", rung.attempts)
        elif self._is_triable() and isinstance(rung, Retry):
            yield from self._retry(rung)

    def outcome(self) -> Picked:
        """Return the best try, and the policy's last word on it, with all that was tried."""
        seen = [self._tried(each) for each in self._tries]
        chosen, *rest = order(seen)
        winner = self._tries[chosen]
        found = self._look(winner, held=not seen[chosen].passes)
        passes = isinstance(found.verdict, Pass)
        seen[chosen] = seen[chosen].model_copy(update={"passes": passes})
        log = {
            "tried": tuple(seen),
            "chosen": chosen,
            "settled_by": told(seen, chosen, self._notes),
        }
        if self._tries[0].rung == "rollout":
            log |= {"rollout": chosen, "n_rollouts": len(seen)}
        else:
            rest = []
        others = [(k, self._tries[k]) for k in rest if not self._tries[k].problem]
        return Picked(
            winner.ran,
            replace(found, row=found.row.model_copy(update=log)),
            tuple(Other(k, each.ran, self._look(each)) for k, each in others),
        )

    # -- the rungs -----------------------------------------------------------------------------

    def _retry(self, rung: Retry) -> Generator[Asks, Any, None]:
        for _ in range(rung.attempts):
            before = len(self._tries)
            yield from self._run("retry", 1)
            if self._is_settled() or len(self._tries) == before:
                return

    def _run(self, rung: Rung, wanted: int) -> Generator[Asks, Any, None]:
        """Try `wanted` times at once, or as often as the budget allows; have all graders look."""
        fitting = self._fitting(wanted, max(self._cost(each) for each in self._tries))
        if not fitting:
            return
        number = len(self._tries)
        bodies = tuple(rollout_body(self._attempt, n) for n in range(number, number + fitting))
        outcomes = yield RunMany(bodies)
        for body, outcome in zip(bodies, outcomes, strict=True):
            self._tries.append(new_try(rung, body.current.said, outcome))
        yield from self.rank(self._tries[number:])
        for each in self._tries[number:]:
            for grader in self._graders:
                yield from self._grade(each, grader)

    def _grade(self, each: Try, grader: Critic | Judge) -> Generator[Asks, Any, None]:
        known = [o.cost or 0.0 for t in self._tries for o in t.opinions if o.kind == grader.kind]
        if each.problem or not self._fitting(1, max(known, default=0.0)):
            return
        said: Said = yield Opine(resolve(grader.function), each.view, self._attempt.current())
        given = opinion(grader.kind, grader.function, said.value)
        each.opinions.append(Opinion(**given, cost=said.cost, seconds=said.seconds))
        each.seen = None

    # -- what may be done ------------------------------------------------------------------------

    def _is_triable(self) -> bool:
        if self._reason is None:
            self._reason = _untriable(self._attempt, asks=self._asks)
        if self._reason:
            self._note(f"Not tried again: {self._reason}.")
        return not self._reason

    def _fitting(self, wanted: int, expected: float) -> int:
        """Return how many of `wanted` may begin now, each expected to cost what such a one did.

        Raises:
            StopRun: Somebody pressed the stop button.
        """
        if sentence := self._attempt.task.session.stop_sentence:
            raise StopRun("", sentence)
        within, money = self._here.doubt_within, self._here.doubt_cost
        if within is not None and self._clock() - self._began >= within:
            self._note(f"The time for doubt ({format_duration(within)}) was over.")
            return 0
        if money is None:
            return wanted
        left = money - self._spent()
        fitting = wanted if expected <= 0.0 and left >= 0.0 else 0
        if expected > 0.0:
            fitting = max(0, min(wanted, int(left / expected + 1e-9)))
        if fitting < wanted:
            self._note(f"The money for doubt ({money:g}) did not reach further.")
        return fitting

    def _note(self, sentence: str) -> None:
        if sentence not in self._notes:
            self._notes.append(sentence)

    # -- what it comes to ------------------------------------------------------------------------

    def _best(self) -> Try:
        return self._tries[best([self._tried(each) for each in self._tries])]

    def _is_settled(self) -> bool:
        return self._tried(self._best()).passes

    def _cost(self, each: Try) -> float:
        return cost(self._attempt, each.said) or 0.0

    def _spent(self) -> float:
        """Return what the ladder cost: all tries but the first, and all opinions."""
        opinions = sum(o.cost or 0.0 for each in self._tries for o in each.opinions)
        return opinions + sum(self._cost(each) for each in self._tries[1:])

    def _look(self, each: Try, *, held: bool = False) -> Assessment:
        others = self._spent() + self._cost(self._tries[0]) - self._cost(each)
        return assess(
            self._attempt,
            each.view,
            each.elided,
            ran=each.ran if self._attempt.place is Place.AFTER else None,
            said=each.said,
            opinions=each.opinions,
            other_cost=others,
            held=self._asked if held else None,
        )

    def _tried(self, each: Try) -> Tried:
        """Return a try as it is logged."""
        if each.seen is None:
            each.seen = self._seen(each)
        return each.seen

    def _seen(self, each: Try) -> Tried:
        """Look at a try. It passes only when every critic and judge so far gave an opinion."""
        if each.problem:
            seconds, cost_ = None, each.said.cost
            return Tried(rung=each.rung, problem=each.problem, seconds=seconds, cost=cost_)
        found = self._look(each)
        scored = sum(o.p is not None for o in each.opinions) == len(self._graders)
        return Tried(
            rung=each.rung,
            p=found.row.p,
            p_kind=found.row.confidence_kind,
            confidence=each.said.confidence,
            cost=cost(self._attempt, each.said),
            seconds=each.ran.seconds,
            opinions=tuple(each.opinions),
            passes=scored and isinstance(found.verdict, Pass),
            summary=one_line(each.view.get("update", each.view)),
            rank=each.rank,
        )


def _untriable(attempt: Attempt, *, asks: bool) -> str:
    """Return why a step must not be tried again unasked; empty when it may."""
    task = attempt.task
    effects = task.session.wiring.policy.effects_of(attempt.name.step, calls=called(task.state))
    if effects or task.spec.before:
        return "it has side effects"
    if task.spec.is_graph:
        return "it is a graph with gates of its own"
    if asks:
        return "it asks questions"
    if tasks_called(task.config):
        return "it uses @task"
    try:
        deepcopy(task.state)
    except Exception as problem:  # whatever an object of the user raises
        return f"its input cannot be copied ({type(problem).__name__})"
    return ""
