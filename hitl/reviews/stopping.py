"""The stop button: a run ends before its next step, by a person's order, and may be resumed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from hitl.audit import entry
from hitl.errors import RunRefusal
from hitl.ids import new_id
from hitl.lifecycle import AGENT_PREFIX, POLICY_ACTOR
from hitl.models import REQUESTS, JsonObject, MailKind, ReviewStatus, RunRecord, RunStatus
from hitl.ports import Transaction
from hitl.reviews.closing import supersede

_MOMENT = timedelta(seconds=30)
"""A lease that is given back in the same transaction."""

_LIVE = (RunStatus.RUNNING, RunStatus.WAITING)
_PAGE = 200


class Stoppable(Protocol):
    """What runs are stopped through: the queue of this process, or of another."""

    def runs(
        self,
        *,
        workflow: str | None = None,
        status: Sequence[RunStatus] = (),
        limit: int = 50,
        before: str | None = None,
    ) -> list[RunRecord]:
        """See `ReviewQueue.runs`."""
        ...

    def stop(self, run_id: str, *, by: str, reason: str = "") -> RunRecord:
        """See `ReviewQueue.stop`."""
        ...


def stop(t: Transaction, run_id: str, *, by: str, reason: str, now: datetime) -> RunRecord:
    """Stop a run nobody advances, or ask the one who does; return the run as it then is.

    The order is kept with the run: whoever advances it, now or after a crash, ends it at the next
    gate. What waited for a person is withdrawn; decisions that were made stand.

    Args:
        t: The caller's transaction.
        run_id: The run.
        by: Who stops it; who started it may.
        reason: Why; may be empty.
        now: The time now.

    Raises:
        RunRefusal: It has ended, or this actor may not stop it.
    """
    run = t.run(run_id)
    check_actor(run_id, by)
    if run.status in (RunStatus.DONE, RunStatus.STOPPED):
        raise RunRefusal(run_id, f"is {run.status.value}; there is nothing to stop.")
    said = f"{by} stopped it ({reason or 'no reason given'})."
    asked = run.model_copy(update={"stop_asked": said, "updated_at": now})
    t.append_audit(run_id, _entry("run.stop_asked", run_id, by, now, reason=reason))
    epoch = t.claim_run(run_id, f"stop:{by}", now=now, lease=_MOMENT)
    if epoch is None:
        t.set_run(asked)
        t.put_mail(run_id, MailKind.WAKE, key=new_id("stop", now), due_at=now)
        return asked
    supersede(t, run_id, reason=said, now=now)
    stopped = asked.model_copy(update={"status": RunStatus.STOPPED, "reason": said})
    t.set_run(stopped)
    t.append_audit(run_id, _entry("run.stopped", run_id, by, now, reason=said))
    t.release_run(run_id, epoch)
    return stopped


def resume(t: Transaction, run_id: str, *, by: str, now: datetime) -> RunRecord:
    """Order a run to go on that `stop` ended, and return it.

    Steps whose reviews were withdrawn run again and ask anew, in new reviews. A decision that was
    made and not yet carried out is carried out.

    Raises:
        RunRefusal: The stop button did not end it, or this actor may not resume it.
    """
    run = t.run(run_id)
    check_actor(run_id, by)
    if run.workflow == REQUESTS or run.status is not RunStatus.STOPPED or not run.stop_asked:
        raise RunRefusal(run_id, _not_resumable(run))
    for proposal in t.open_proposals(run_id):
        if t.review(proposal.review_id).status is ReviewStatus.SUPERSEDED:
            t.drop_proposal_of(proposal.review_id)
    going = run.model_copy(
        update={"status": RunStatus.RUNNING, "reason": "", "stop_asked": "", "updated_at": now}
    )
    t.set_run(going)
    t.append_audit(run_id, _entry("run.resumed", run_id, by, now))
    t.put_mail(run_id, MailKind.WAKE, key=new_id("resume", now), due_at=now)
    return going


def stop_all(
    queue: Stoppable, *, workflow: str | None = None, by: str, reason: str = ""
) -> list[RunRecord]:
    """Stop every run that is running or waiting, of one workflow or of all, and return them.

    Raises:
        RunRefusal: This actor may not stop them.
    """
    check_actor("*", by)
    return [
        stopped
        for run_id in _live(queue, workflow, _LIVE)
        for stopped in _stop_if_live(queue, run_id, by=by, reason=reason)
    ]


def _live(queue: Stoppable, workflow: str | None, status: Sequence[RunStatus]) -> list[str]:
    found: list[str] = []
    before: str | None = None
    while page := queue.runs(workflow=workflow, status=status, limit=_PAGE, before=before):
        found.extend(run.id for run in page)
        before = page[-1].id
    return found


def _stop_if_live(queue: Stoppable, run_id: str, *, by: str, reason: str) -> list[RunRecord]:
    try:
        return [queue.stop(run_id, by=by, reason=reason)]
    except RunRefusal:
        return []  # it ended by itself since it was listed


def _not_resumable(run: RunRecord) -> str:
    if run.workflow == REQUESTS:
        return "is a program's request, not a workflow's run; the program asks again."
    if run.status is RunStatus.STOPPED:
        return f"was not stopped by the stop button ({run.reason}); start another run."
    if run.stop_asked:
        return f"is still {run.status.value}: its step under way ends first. Try again then."
    return f"is {run.status.value}; only a stopped run is resumed."


def check_actor(run_id: str, by: str) -> None:
    """Raise `RunRefusal` unless a person is named: neither the policy nor an agent moves a run."""
    if not by.strip() or by == POLICY_ACTOR:
        raise RunRefusal(run_id, "was left as it is: to stop or resume it needs a person's name.")
    if by.startswith(AGENT_PREFIX):
        raise RunRefusal(run_id, f"was left as it is: {by!r} is an agent; only people do this.")


def _entry(action: str, run_id: str, by: str, now: datetime, **rest: str) -> JsonObject:
    return entry(action, at=now, actor=by, run_id=run_id, subject=run_id, **rest)
