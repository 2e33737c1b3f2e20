"""How an advance ends: the status it leaves the run in, and the sentence that says why."""

from typing import Any

from hitl.audit import entry
from hitl.errors import SnapshotRefused
from hitl.graph.signals import Halt, NeedsAttention
from hitl.models import RunRecord, RunStatus


def halted(halt: Halt | None) -> tuple[RunStatus, str, None] | None:
    """Return how an advance ended that a gate halted; None when none did."""
    if halt is None:
        return None
    attention = isinstance(halt, NeedsAttention)
    return RunStatus.NEEDS_ATTENTION if attention else RunStatus.STOPPED, halt.sentence, None


def failed(error: BaseException | None) -> tuple[RunStatus, str, None] | None:
    """Return how an advance ended in which something raised; None when nothing did."""
    if error is None:
        return None
    if isinstance(error, SnapshotRefused):
        return RunStatus.NEEDS_ATTENTION, str(error), None
    said = str(error) or type(error).__name__
    return RunStatus.FAILED, f"{type(error).__name__}: {said}"[:2000], None


def lost(step: str, review_id: str) -> str:
    """Return why a run that came to its end is not done: something withheld was never committed."""
    return (
        f"The workflow ended, but step {step!r} of review {review_id!r} was never committed: it is not"
        " in the workflow any more, or the run was changed. Restart the run or stop it."
    )


def moved(run: RunRecord, now: Any) -> Any:
    """Return the audit body of a run that moved to its status."""
    return entry(
        f"run.{run.status.value}",
        at=now,
        actor="engine",
        run_id=run.id,
        subject=run.id,
        reason=run.reason,
        reliability=run.reliability,
    )
