"""Shots on goal: several attempts of a step at once, ranked, and decided together in one review.

All of them are withheld as one proposal, in one transaction, before the run parks: what a person
chooses from is what its hash covers.
"""

from collections.abc import Generator
from typing import Any

from langgraph.errors import GraphInterrupt

from hitl.errors import ConfigurationError
from hitl.graph.assess import Assessment, yes_write
from hitl.graph.bodies import Asks, RunMany, rollout_body
from hitl.graph.doubt import Ladder, Other, Picked, Try, new_try
from hitl.graph.lg import tasks_called
from hitl.graph.pausing import has_asked
from hitl.graph.task import Attempt, Ran
from hitl.graph.view import one_line, view_of
from hitl.models import Evidence, GateRow, JsonObject, Review, StoredProposal
from hitl.reliability import Write


def rollouts(attempt: Attempt) -> int:
    """Return how many attempts run at once; 1 in shadow mode, which spends nothing more."""
    return 1 if attempt.task.session.wiring.shadow else attempt.checkpoints[0].rollouts


def shots(attempt: Attempt, count: int) -> Generator[Asks, Any, Picked]:
    """Run `count` attempts at once; return the best, and the others.

    Raises:
        ConfigurationError: The body asks questions or uses `@task`: their answers and results would
            be mixed up between the rollouts. Nothing was committed.
        Exception: Every one of them failed; the first one's error.
    """
    bodies = tuple(rollout_body(attempt, number) for number in range(count))
    outcomes: list[Ran | Exception] = yield RunMany(bodies)
    if any(isinstance(each, GraphInterrupt) for each in outcomes) or any(map(has_asked, bodies)):
        raise _refused(attempt, "asks questions")
    if tasks_called(attempt.task.config):
        raise _refused(attempt, "uses @task")
    if all(isinstance(each, Exception) for each in outcomes):
        raise next(each for each in outcomes if isinstance(each, Exception))
    tries: list[Try] = [
        new_try("rollout", body.current.said, outcome)
        for body, outcome in zip(bodies, outcomes, strict=True)
    ]
    ladder = Ladder(attempt, tries, triable=True)
    yield from ladder.rank(tries)
    yield from ladder.climb()
    return ladder.outcome()


def _refused(attempt: Attempt, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"Step {attempt.name.step!r} has {attempt.checkpoints[0].rollouts} rollouts, but {why}; what"
        " one is told would reach another. Nothing was committed. Take rollouts off its checkpoint."
    )


# -- one proposal of several ----------------------------------------------------------------------


def shown_with(found: Assessment, others: tuple[Other, ...]) -> tuple[JsonObject, int]:
    """Return the view of the best with that of the others, and how many parts are left out."""
    if not others:
        return found.view, found.elided
    alternatives = [
        {"number": n, "p": other.found.row.p, **other.found.view}
        for n, other in enumerate(others, start=2)
    ]
    view, elided = view_of({**found.view, "alternatives": alternatives})
    assert isinstance(view, dict)  # noqa: S101 - given one
    return view, found.elided + elided + sum(other.found.elided for other in others)


def evidence_of(others: tuple[Other, ...]) -> tuple[Evidence, ...]:
    """Return the others as lines beside the proposal."""
    return tuple(
        Evidence(
            claim=f"Alternative {n}, {_sure(other.found.row)}",
            quote=one_line(other.found.view.get("update", other.found.view)),
        )
        for n, other in enumerate(others, start=2)
    )


def _sure(row: GateRow) -> str:
    return "of unknown confidence" if row.p is None else f"confidence {row.p:.2f}"


def choices(
    attempt: Attempt, found: Assessment, others: tuple[Other, ...], *, handed_off: bool
) -> list[JsonObject]:
    """Return what is frozen of each alternative, the best first: what a yes to it adds and commits."""
    assert found.yes is not None  # noqa: S101 - a person is asked
    covered = [v.p for v in found.vouched]
    best = _choice(found.row, found.row.chosen, found.yes, handed_off=handed_off)
    return [
        best,
        *(
            _choice(
                other.found.row,
                other.number,
                yes_write(
                    attempt, other.found.row.p, found.row.covers, covered, spent=found.write.spent
                ),
                handed_off=other.ran.handed_off,
            )
            for other in others
        ),
    ]


def _choice(row: GateRow, number: int, yes: Write, *, handed_off: bool) -> JsonObject:
    return {
        "number": number,
        "yes": {**yes.dump()},
        "handed_off": handed_off,
        "p": row.p,
        "confidence": row.confidence,
        "summary": row.summary,
    }


def chosen(stored: StoredProposal, review: Review) -> tuple[int, dict[str, Any]] | None:
    """Return which alternative a yes is to, from 0, and what was frozen of it; None for just one."""
    frozen = _frozen(stored)
    if not frozen:
        return None
    index = int(_said(review).get("choice", 1)) - 1
    return index, frozen[index]


def _frozen(stored: StoredProposal) -> list[dict[str, Any]]:
    kept: Any = stored.meta.get("choices", ())
    return list(kept)


def _said(review: Review) -> dict[str, Any]:
    """Return what came with a yes: it fitted `choice`, `right` and `wrong` when it was decided."""
    answer: Any = review.decision.answer if review.decision is not None else None
    return answer if isinstance(answer, dict) else {}


def labelled(row: GateRow, stored: StoredProposal, review: Review) -> GateRow:
    """Return the gate row of a yes with a label on each rollout that was given one.

    The one that was chosen is right; of the others nothing is known but what the reviewer says. A row
    whose best was not chosen is no label of how often the step's best is right.
    """
    picked = chosen(stored, review)
    if picked is None:
        return row
    index, taken = picked
    numbers = [each["number"] for each in _frozen(stored)]
    said = _said(review)
    right = {numbers[n - 1]: False for n in said.get("wrong", ())}
    right |= {numbers[n - 1]: True for n in said.get("right", ())}
    right[taken["number"]] = True
    tried = tuple(
        each.model_copy(update={"right": right.get(n)}) for n, each in enumerate(row.tried)
    )
    known = {key: taken[key] for key in ("p", "confidence", "summary")} if index else {}
    place = {"chosen": taken["number"], "rollout": taken["number"], "winner": index == 0}
    return row.model_copy(update={"tried": tried, **known, **place})
