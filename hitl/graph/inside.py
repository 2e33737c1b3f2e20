"""What happened inside a child graph, as its steps' gate rows tell."""

from hitl.graph.looking_back import rows_since
from hitl.graph.session import Work
from hitl.graph.signals import NeedsAttention, no_sentence
from hitl.graph.task import Attempt
from hitl.models import GateRow, Place
from hitl.ports import Transaction
from hitl.reviews import around


def acted(attempt: Attempt) -> str | None:
    """Return the step whose effect a withheld result rests on: it must not be tried again; or None.

    It is the step itself when it also has a gate before it, or a step inside the child graph.
    """
    if attempt.place is Place.AFTER and attempt.task.spec.before:
        return attempt.name.step
    here = f"{attempt.task.facts.task_id}/{attempt.number}/"
    for key, step in attempt.task.session.acted_calls.items():
        if key.startswith(here):
            return step
    return _acted_among(_rows(attempt))


def undo_denied(attempt: Attempt) -> Work | None:
    """Return the work that undoes what the denied try of a child graph left behind, or None.

    Its steps are come to again: they hear of the no, and what they used of their ladders stays used.

    Raises:
        NeedsAttention: An effect inside already happened; running again would repeat it.
    """
    if not attempt.denied or not attempt.task.spec.holds_gates:
        return None
    review, decision = attempt.denied[-1]
    rows = _rows(attempt)
    left = [r for r in rows if r.undone_at is None]
    if any(r.superseded_by == decision.decision_id for r in rows):
        return None
    step = _acted_among(left)
    if step is not None:
        raise NeedsAttention(
            review.id,
            f"{no_sentence(review)} Running {attempt.name.step!r} again would repeat step {step!r},"
            " whose effect already happened; undo it by hand, then restart the run or stop it.",
        )
    return _undoing(attempt, [r.id for r in left], decision.decision_id)


def _undoing(attempt: Attempt, rows: list[str], decision_id: str) -> Work:
    session = attempt.task.session
    now = session.wiring.clock()

    def work(t: Transaction) -> None:
        t.check_epoch(session.run.id, session.epoch)
        t.undo_gates(session.run.id, rows, at=now, by_decision=decision_id)

    return work


def _acted_among(rows: list[GateRow]) -> str | None:
    done = (r for r in rows if r.name.place is Place.BEFORE and r.committed_at and not r.undone_at)
    return next((r.name.step for r in done), None)


def _rows(attempt: Attempt) -> list[GateRow]:
    """Return the rows of steps inside this task's child graph, in order of commit."""
    task = attempt.task
    if not task.spec.holds_gates:
        return []
    here = (task.spec.path, task.shard)
    root, run_id = task.facts.root_checkpoint_id, task.session.run.id
    found = task.session.wiring.store.read(lambda r: [*rows_since(r, run_id, root)])
    rows = [r for r in reversed(found) if r.root_checkpoint_id == root and here in around(r.name)]
    return sorted(rows, key=lambda r: (r.committed_at is None, r.committed_at or task.began))
