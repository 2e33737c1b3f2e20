"""Which policy a workflow runs under, on the trail: a rule that changes is itself a thing to audit."""

from datetime import datetime

from hitl.audit import entry
from hitl.models import JsonObject
from hitl.ports import Transaction

_PAGE = 1000


def put_in_force(
    t: Transaction, workflow: str, policy_hash: str, body: JsonObject, *, now: datetime
) -> bool:
    """Keep a policy, and say on the trail that its workflow runs under it from now on, if that is new.

    Going back to an earlier policy is a change like any other. Reviews that wait keep the policy they
    were asked under.

    Args:
        t: The caller's transaction.
        workflow: The workflow's name.
        policy_hash: The policy's content hash.
        body: The policy as data.
        now: The time now.

    Returns:
        Whether it differs from the one before.
    """
    t.save_policy(policy_hash, body)
    chain = f"hitl:policy:{workflow}"
    before = _in_force(t, chain)
    if before == policy_hash:
        return False
    facts: JsonObject = {
        "workflow": workflow,
        "policy_name": body.get("name"),
        "policy_version": body.get("version"),
        "before": before,
    }
    changed = entry(
        "policy.changed", at=now, actor="engine", run_id=chain, subject=policy_hash, **facts
    )
    t.append_audit(chain, changed)
    return True


def _in_force(t: Transaction, chain: str) -> str | None:
    found, after = None, 0
    while page := t.audit(run_id=chain, after=after, limit=_PAGE):
        found, after = str(page[-1].body["subject"]), page[-1].seq
    return found
