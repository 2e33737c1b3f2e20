"""What would act: the proposal as it is hashed, and whether a person denied it before."""

from hitl.graph.blob import digest
from hitl.graph.task import Attempt
from hitl.models import JsonObject, Place, Proposal
from hitl.reviews import effect_fingerprint


def proposal(
    attempt: Attempt, view: JsonObject, elided: int, *, review_id: str, blob: bytes
) -> Proposal:
    """Return what an attempt wants to commit or do, as it is hashed and shown."""
    calls = view.get("calls")
    names = (
        [str(c.get("name")) for c in calls if isinstance(c, dict)]
        if isinstance(calls, list)
        else []
    )
    wiring = attempt.task.session.wiring
    return Proposal(
        action=", ".join(names) or attempt.name.step,
        arguments=view,
        target=f"{wiring.workflow}:{attempt.name.step}",
        policy_hash=wiring.policy_hash,
        review_id=review_id,
        blob_sha256=digest(blob),
        elided=elided,
    )


def was_denied(attempt: Attempt, view: JsonObject) -> bool:
    """Return whether a person denied this very effect before in this run."""
    denied = attempt.task.session.denied_effects
    if attempt.place is not Place.BEFORE or not denied:
        return False
    return effect_fingerprint(proposal(attempt, view, 0, review_id="", blob=b"")) in denied


def refused_by_policy(attempt: Attempt, view: JsonObject) -> bool:
    """Return whether the policy refuses the effect unasked, because a person denied it before."""
    asks = any(c.on_repeat == "ask" for c in attempt.checkpoints)
    return not asks and was_denied(attempt, view)
