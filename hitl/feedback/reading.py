"""The labelled examples of a store, as a stream: what is held at a time is one run's."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from pydantic import JsonValue

from hitl.canonical import content_hash
from hitl.feedback.examples import LabelledExample
from hitl.feedback.labels import RunContext, examples_of
from hitl.feedback.outcomes import joined, outcome_example, positions
from hitl.models import GateRow, JsonObject, Review, RunRecord
from hitl.ports import ERASED, Reader

_PAGE = 500
T = TypeVar("T")

Decode = Callable[[str, bytes], JsonValue]
"""Turns (serialiser type, bytes) of a run's input into JSON; raises where it cannot."""
Progress = Callable[[int, int], None]
"""Called with (runs done, runs in all)."""


class Readable(Protocol):
    """What can be read from: a `Store`, or one opened for looking."""

    def read(self, work: Callable[[Reader], T]) -> T:
        """See `Store`."""
        ...


@dataclass(slots=True)
class Tally:
    """What was met on the way, and why some of it is no example."""

    runs: int = 0
    erased_runs: int = 0
    """Runs whose content was erased: none of their examples is left."""
    unread_inputs: int = 0
    """Runs whose input could not be read, or is of a type that must not be built here."""
    left_out: Counter[str] = field(default_factory=Counter)


def read_examples(
    store: Readable,
    *,
    workflow: str | None = None,
    not_wrong: Collection[str] = (),
    decode: Decode | None = None,
    tally: Tally | None = None,
    progress: Progress | None = None,
) -> Iterator[LabelledExample]:
    """Yield the labelled examples of a store, newest run first, each run's together and oldest first.

    Each run is read in a moment of its own, so that a long export holds nothing back in the database;
    runs that begin meanwhile are not in it.

    Args:
        store: Where from.
        workflow: Only runs of this workflow.
        not_wrong: Reasons for a deny that do not mean wrong, besides "not now" and "use your judgement".
        decode: Reads runs' inputs; None leaves them out of the examples.
        tally: Is filled with what was met.
        progress: Called after each run.
    """
    seen = tally if tally is not None else Tally()
    total = sum(store.read(lambda r: r.count_runs()).values())
    for run in _runs(store, workflow):
        seen.runs += 1
        yield from store.read(_Run(run, not_wrong, decode, seen).examples)
        if progress is not None:
            progress(seen.runs, max(total, seen.runs))


def _runs(store: Readable, workflow: str | None) -> Iterator[RunRecord]:
    page = _page(store, workflow, None)
    while page:
        yield from page
        page = _page(store, workflow, page[-1].id)


def _page(store: Readable, workflow: str | None, last: str | None) -> list[RunRecord]:
    return store.read(lambda r: r.runs(workflow=workflow, limit=_PAGE, before=last))


@dataclass(frozen=True, slots=True)
class _Run:
    run: RunRecord
    not_wrong: Collection[str]
    decode: Decode | None
    tally: Tally

    def examples(self, r: Reader) -> list[LabelledExample]:
        run = self.run
        if run.reason == ERASED:
            self.tally.erased_runs += 1
            return []
        outcomes, decided = r.outcomes(run.id), _decided(r, run.id)
        if not outcomes and not decided:
            return []
        gates = r.gates(run.id)
        task_key, given = self._input(r)
        after, before = joined(outcomes, gates)
        context = RunContext(task_key, given, run.turn, positions(gates), after)
        found = self._of_reviews(decided, gates, context)
        for outcome in outcomes:
            led_here = before[outcome.id]
            facts = _facts(found, led_here[-1] if outcome.step and led_here else None)
            found.append(outcome_example(run, outcome, led_here, task_key=task_key, facts=facts))
        return found

    def _of_reviews(
        self, decided: list[Review], gates: list[GateRow], context: RunContext
    ) -> list[LabelledExample]:
        opened = {gate.review_id: gate for gate in gates if gate.review_id is not None}
        found: list[LabelledExample] = []
        for review in sorted(decided, key=lambda each: (each.opened_at, each.id)):
            found.extend(
                examples_of(
                    opened.get(review.id),
                    review,
                    context,
                    not_wrong=self.not_wrong,
                    left_out=self.tally.left_out,
                )
            )
        return found

    def _input(self, r: Reader) -> tuple[str, JsonValue]:
        given = r.run_input(self.run.id)
        if given is None:
            return self.run.id, None
        if self.decode is None:
            return self.run.id, None
        try:
            value = self.decode(*given)
            return content_hash({"input": value})[:32], value
        except Exception:  # whatever a stored row does: it is counted, and the label is kept
            self.tally.unread_inputs += 1
            return self.run.id, None


def _decided(r: Reader, run_id: str) -> list[Review]:
    found: list[Review] = []
    after: str | None = None
    while page := r.reviews(run_id=run_id, limit=_PAGE, after=after):
        found.extend(review for review in page if review.decision is not None)
        after = page[-1].id
        if len(page) < _PAGE:
            break
    return found


def _facts(found: list[LabelledExample], gate: GateRow | None) -> dict[str, JsonObject]:
    """Return input and content of the step an outcome is about, as it was committed, if known."""
    if gate is None:
        return {}
    same = (each for each in found if each.gate_id == gate.id and each.stands)
    known = next(same, None)
    return {} if known is None else {"input": known.input, "proposal": known.proposal}
