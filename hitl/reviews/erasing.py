"""Erasing a run: its content goes, that it was and what was decided stays, and the trail still holds."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial

from hitl.audit import entry
from hitl.errors import UpkeepRefused
from hitl.lifecycle import AGENT_PREFIX, POLICY_ACTOR
from hitl.models import RunRecord, RunStatus
from hitl.ports import ERASED, Store, Transaction, Wiping

_LIVE = (RunStatus.RUNNING, RunStatus.WAITING)
_FINISHED = (RunStatus.DONE, RunStatus.STOPPED)


class _OnlyLooked(Exception):
    """Rolls a dry run back, with what it would have done."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts


def erase_run(
    store: Store, run_id: str, *, by: str, now: datetime, dry_run: bool = False
) -> dict[str, int]:
    """Erase what a run proposed, was given, was told and remembered; return how much of each.

    What stays: ids, statuses, verdicts, times, figures, hashes, and the names of who started and who
    decided. The erasure is recorded on the trail. Old pages and the log beside the file are wiped
    too; backups and exports that were made before are not reached.

    Args:
        store: The store.
        run_id: The run; it must have ended.
        by: Who has it erased; a person.
        now: The time now.
        dry_run: Only count.

    Raises:
        UpkeepRefused: It is still running or waiting, or this actor may not erase it.
        NotFound: There is no such run.
    """

    def work(t: Transaction) -> dict[str, int]:
        counts = _erase(t, run_id, by=by, now=now)
        if dry_run:
            raise _OnlyLooked(counts)
        return counts

    try:
        counts = store.write(work)
    except _OnlyLooked as looked:
        return looked.counts
    if isinstance(store, Wiping):
        store.wipe()
    return counts


def prune(
    store: Store, *, older_than: timedelta, by: str, now: datetime, dry_run: bool = False
) -> list[str]:
    """Erase the content of finished runs that nothing happened in for so long; return their ids.

    See `erase_run` for what stays. The trail always does.

    Args:
        store: The store.
        older_than: How long ago a run must have ended.
        by: Who has it pruned; a person.
        now: The time now.
        dry_run: Only tell which.

    Raises:
        UpkeepRefused: This actor may not erase.
    """
    _check_actor("*", by)
    found = list(_finished(store, before=now - older_than))
    if not dry_run and found:
        for run_id in found:
            store.write(partial(_erase, run_id=run_id, by=by, now=now))
        if isinstance(store, Wiping):
            store.wipe()
    return found


def _finished(store: Store, *, before: datetime) -> Iterator[str]:
    page = _page(store, None)
    while page:
        for run in page:
            if run.updated_at < before and run.reason != ERASED:
                yield run.id
        page = _page(store, page[-1].id)


def _page(store: Store, last: str | None) -> list[RunRecord]:
    return store.read(lambda r: r.runs(status=_FINISHED, limit=500, before=last))


def _check_actor(run_id: str, by: str) -> None:
    if not by.strip() or by == POLICY_ACTOR or by.startswith(AGENT_PREFIX):
        raise UpkeepRefused(f"Run {run_id!r} was left as it is: erasing needs a person's name.")


def _erase(t: Transaction, run_id: str, *, by: str, now: datetime) -> dict[str, int]:
    run = t.run(run_id)
    _check_actor(run_id, by)
    if run.status in _LIVE:
        raise UpkeepRefused(
            f"Run {run_id!r} is {run.status.value}; it was left as it is. Stop it first:"
            f" `hitl stop {run_id} --by NAME`."
        )
    counts = t.erase_run(run_id)
    body = entry("run.erased", at=now, actor=by, run_id=run_id, subject=run_id, **counts)
    t.append_audit(run_id, body)
    if run.status is not RunStatus.DONE:
        # without its snapshots it cannot go on
        t.set_run(t.run(run_id).model_copy(update={"status": RunStatus.STOPPED}))
    return counts
