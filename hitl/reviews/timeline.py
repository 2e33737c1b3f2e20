"""A run, readable at every step: what ran, who was asked, how sure the run was, and why."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from hitl.models import AuditEvent, Covers, GateRow, Probability, Record, Review, RunRecord
from hitl.ports import Reader
from hitl.reviews.ancestry import Ancestry

_PAGE = 500


class TimelineStep(Record):
    """One gate evaluation with its review, if a person was asked."""

    gate: GateRow
    review: Review | None = None

    @property
    def reliability(self) -> Probability:
        """Reliability of the run after this step, in [0, 1]."""
        return self.gate.reliability_after

    @property
    def is_live(self) -> bool:
        """Whether the step's writes are in the run: committed, and not undone by a rollback."""
        return self.gate.committed_at is not None and self.gate.undone_at is None


class RunTimeline(Record):
    """One run with everything that happened in it, oldest first."""

    run: RunRecord
    steps: tuple[TimelineStep, ...]
    reviews: tuple[Review, ...]
    events: tuple[AuditEvent, ...]

    def rests_on(self, gate_id: str) -> tuple[GateRow, ...]:
        """Return the unverified steps that the run's reliability after this step rests on.

        These are the step itself and its ancestors, without those that a person verified or vouched
        for up to then.

        Args:
            gate_id: A gate of this run.

        Returns:
            Gate rows in order of commit; empty right after a yes that covered everything.

        Raises:
            KeyError: This run has no such gate.
        """
        rows = {step.gate.id: step.gate for step in self.steps}
        here = rows[gate_id]
        live = {step.gate.id for step in self.steps if step.is_live} | {gate_id}
        turn = Ancestry([r for r in rows.values() if r.id in live and r.turn == here.turn])
        verified = self._verified_before(gate_id)
        closure = _ancestors(rows, gate_id)
        seen = set(turn.seen_by(turn.rows.index(here)))
        return tuple(
            row
            for index, row in enumerate(turn.rows)
            if (index in seen or row.id in closure)
            and turn.counts(row)
            and not verified.intersection(each.id for each in turn.chain(index))
        )

    def _verified_before(self, gate_id: str) -> set[str]:
        verified: set[str] = set()
        for step in self.steps:
            if step.gate.verified and step.is_live:
                verified.add(step.gate.id)
                verified |= _vouched(step)
            if step.gate.id == gate_id:
                break
        return verified


def read_timeline(r: Reader, run_id: str) -> RunTimeline:
    """Return the run's timeline, of one consistent moment.

    Raises:
        NotFound: There is no such run.
    """
    run = r.run(run_id)
    reviews = _all_reviews(r, run_id)
    by_id = {review.id: review for review in reviews}
    return RunTimeline(
        run=run,
        steps=tuple(
            TimelineStep(gate=gate, review=by_id.get(gate.review_id or ""))
            for gate in with_parents(r.gates(run_id))
        ),
        reviews=tuple(sorted(reviews, key=lambda review: (review.opened_at, review.id))),
        events=tuple(_all_events(r, run_id)),
    )


def with_parents(rows: Sequence[GateRow]) -> list[GateRow]:
    """Return the gates of one run with `parents` filled in; what a rollback undid has its own.

    Args:
        rows: All gates of the run, in order of commit.
    """
    rollbacks = sorted({row.undone_at for row in rows if row.undone_at is not None})
    turns: defaultdict[tuple[int, int], list[GateRow]] = defaultdict(list)
    for row in rows:
        turns[row.turn, bisect_right(rollbacks, row.ts)].append(row)
    known: dict[str, tuple[str, ...]] = {}
    for (turn, rolled), own in turns.items():
        since = rollbacks[rolled - 1] if rolled else None
        known.update(_parents_of(own, [r for r in rows if _stood(r, turn, since)]))
    return [row.model_copy(update={"parents": row.parents or known[row.id]}) for row in rows]


def _ancestors(rows: dict[str, GateRow], gate_id: str) -> set[str]:
    found: set[str] = set()
    waiting = [gate_id]
    while waiting:
        current = waiting.pop()
        if current in rows and current not in found:
            found.add(current)
            waiting.extend(rows[current].parents)
    return found


def _stood(row: GateRow, turn: int, since: datetime | None) -> bool:
    """Return whether a row was in the run after the rollback at `since`."""
    gone = row.undone_at is not None and since is not None and row.undone_at <= since
    return row.turn == turn and row.committed_at is not None and not gone


def _parents_of(
    rows: Sequence[GateRow], standing: Sequence[GateRow]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    whole = Ancestry(standing)
    at = {row.id: index for index, row in enumerate(standing)}
    for row in rows:
        if row.id in at:
            yield row.id, whole.parents(at[row.id])
            continue
        earlier = [r for r in standing if r.ts <= row.ts]
        yield row.id, Ancestry([*earlier, row]).parents(len(earlier))


def _vouched(step: TimelineStep) -> set[str]:
    if step.review is None or step.gate.covers is not Covers.SINCE_RESET:
        return set()
    return {vouched.gate_id for vouched in step.review.presentation.vouched}


def _all_reviews(r: Reader, run_id: str) -> list[Review]:
    found: list[Review] = []
    after: str | None = None
    while page := r.reviews(run_id=run_id, limit=_PAGE, after=after):
        found.extend(page)
        after = page[-1].id
    return found


def _all_events(r: Reader, run_id: str) -> list[AuditEvent]:
    found: list[AuditEvent] = []
    while page := r.audit(run_id=run_id, after=found[-1].seq if found else 0, limit=_PAGE):
        found.extend(page)
    return found
