"""Approved work that is not done: watched, woken once more, and raised on the trail."""

import logging
from datetime import datetime, timedelta
from functools import partial

from hitl.audit import entry
from hitl.models import MailKind
from hitl.ports import Store, Transaction, Unexecuted

_log = logging.getLogger(__name__)

LIMIT = timedelta(minutes=5)
"""How long after a yes its consequence should be committed."""


def raise_unexecuted(store: Store, *, now: datetime, limit: timedelta = LIMIT) -> list[Unexecuted]:
    """Raise each approval whose consequence is not committed within `limit`; return the new ones.

    Each is raised once: an event on the trail, a warning in the log, and an order to advance its run,
    in case the first one was lost.
    """
    late = store.read(lambda r: r.unexecuted(decided_before=now - limit))
    return [each for each in late if store.write(partial(_raise, late=each, now=now))]


def _raise(t: Transaction, late: Unexecuted, now: datetime) -> bool:
    key = f"unexecuted:{late.review_id}"
    if not t.put_mail(late.run_id, MailKind.WAKE, key=key, due_at=now):
        return False
    body = entry(
        "review.not_executed",
        at=now,
        actor="engine",
        run_id=late.run_id,
        subject=late.review_id,
        decided_at=late.decided_at.isoformat(),
    )
    t.append_audit(late.run_id, body)
    _log.warning(
        "approved, and not executed", extra={"review_id": late.review_id, "run_id": late.run_id}
    )
    return True
