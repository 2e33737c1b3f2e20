"""Reviews that programs ask for: an agent in any language, no graph of ours.

Each is a run of its own with one step, the action. The decision ends it; carrying the action out is the
program's part, and so is reading the answer. Everything here runs inside the caller's transaction.
"""

from datetime import datetime

from hitl.audit import entry
from hitl.canonical import canonical_json, content_hash, sha256_hex
from hitl.errors import ConfigurationError, NotAllowed, RequestRefused, ReviewRefusal
from hitl.failpoints import reach
from hitl.ids import new_id
from hitl.lifecycle import POLICY_ACTOR, closed, expired
from hitl.models import (
    REQUESTS,
    Amendment,
    ConfidenceKind,
    GateRow,
    JsonObject,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    RemedyKind,
    Review,
    ReviewRequest,
    RungOffer,
    RunRecord,
    RunStatus,
    StepName,
    StoredProposal,
    TriggerFired,
)
from hitl.policy.times import parse_duration
from hitl.ports import Transaction
from hitl.reviews.deciding import end_intent
from hitl.reviews.once import check_key, first_under
from hitl.reviews.opening import open_review, proposal_hash

_MAX_BYTES = 256 * 1024
_MAX_DEPTH = 32
_STOP = RungOffer(kind=RemedyKind.STOP, label="Stop")


def request_review(
    t: Transaction, request: ReviewRequest, *, key: str | None, now: datetime
) -> tuple[Review, bool]:
    """Open a review for a program; return it, and whether it is new.

    Args:
        t: The transaction.
        request: What the program wants to do.
        key: Its idempotency key: the same key with the same request returns the review it opened,
            as it stands now. None opens a new review each time.
        now: The time now.

    Raises:
        RequestRefused: It cannot be put before a person, or the key came with another request.
    """
    _check(request, key)
    review_id = new_id("rev", now)
    first = first_under(t, "request", key, request.model_dump(mode="json"), review_id)
    if first != review_id:
        return t.review(first), False
    policy: JsonObject = {
        "kind": "request",
        "expires_in": request.expires_in,
        "on_expiry": request.on_expiry,
    }
    t.save_policy(content_hash(policy), policy)
    run = _run(request, content_hash(policy), now)
    t.add_run(run, None)
    review = _review(run, request, review_id, now)
    stored = _stored(review, new_id("gate", now))
    opened = open_review(t, review, stored, _gate(run, review, request, stored), now=now)
    reach("request.before_commit")
    return opened, True


def amend(t: Transaction, review_id: str, amendment: Amendment, *, now: datetime) -> Review:
    """Put other arguments before the reviewer: the hash changes, and what was answered on it is void.

    Raises:
        ReviewRefusal: It is not a request's, not pending, or its time is over.
        RequestRefused: The arguments cannot be put before a person.
        NotFound: There is no such review.
    """
    review = t.review(review_id)
    problem = closed(review) or expired(review, now=now)
    if problem is not None:
        raise problem
    if not review.by_request:
        raise ReviewRefusal(
            review_id,
            f"Review {review_id!r} holds what a step proposed; only the step changes it. Deny it with"
            " an answer of your own instead. Nothing was saved.",
        )
    if amendment.by not in (None, review.initiator):
        raise NotAllowed(review_id, amendment.by or "", "only who asked may change what is asked.")
    _check_arguments(amendment.arguments)
    known = t.proposal_of(review_id)
    assert known is not None  # noqa: S101 - written with the review
    end_intent(t, review, outcome="void", at=now)
    changed = _with_arguments(review, amendment.arguments)
    t.drop_proposal_of(review_id)
    t.add_proposal(_stored(changed, known.gate_id))
    t.set_review(changed)
    t.append_audit(review.run_id, _amended(review, changed, review.initiator or "program", now))
    return t.review(review_id)


def _check(request: ReviewRequest, key: str | None) -> None:
    check_key(key)
    if request.by == POLICY_ACTOR or (request.by is not None and not request.by.strip()):
        raise RequestRefused(
            f"{request.by!r} cannot ask for a review; give a name. Nothing was saved."
        )
    for name in ("due_in", "expires_in"):
        text = getattr(request, name)
        try:
            parse_duration(text or "1s")
        except ConfigurationError as problem:
            raise RequestRefused(f"{name}: {problem} Nothing was saved.") from problem
    _check_arguments(request.arguments)


def _check_arguments(arguments: JsonObject) -> None:
    try:
        size = len(canonical_json(arguments))
    except (ValueError, RecursionError) as problem:
        raise RequestRefused(
            f"The arguments are not JSON: {problem}. Nothing was saved."
        ) from problem
    if size > _MAX_BYTES or _depth(arguments) > _MAX_DEPTH:
        raise RequestRefused(
            f"The arguments are {size} bytes and {_depth(arguments)} levels deep; a person is shown at"
            f" most {_MAX_BYTES} and {_MAX_DEPTH}. Nothing was saved; show a summary and a link."
        )


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _run(request: ReviewRequest, policy_hash: str, now: datetime) -> RunRecord:
    return RunRecord(
        id=new_id("run", now),
        workflow=REQUESTS,
        workflow_version="1",
        policy_hash=policy_hash,
        status=RunStatus.WAITING,
        initiator=request.by,
        created_at=now,
        updated_at=now,
    )


def _review(run: RunRecord, request: ReviewRequest, review_id: str, now: datetime) -> Review:
    proposal = Proposal(
        action=request.action,
        arguments=request.arguments,
        target=f"{REQUESTS}/{request.action}",
        policy_hash=run.policy_hash,
        review_id=review_id,
        blob_sha256=sha256_hex(canonical_json(request.arguments)),
    )
    return Review(
        id=review_id,
        run_id=run.id,
        workflow=run.workflow,
        workflow_version=run.workflow_version,
        policy_name="request",
        policy_version="1",
        name=StepName(step=request.action, place=Place.BEFORE, visit=1),
        attempt=1,
        task_id=review_id,
        risk=request.risk,
        proposal=proposal,
        proposal_hash=proposal_hash(proposal),
        presentation=_presentation(request),
        rungs=(_STOP,),
        opened_at=now,
        due_at=now + parse_duration(request.due_in) if request.due_in else None,
        expires_at=now + parse_duration(request.expires_in) if request.expires_in else None,
        initiator=request.by,
        by_request=True,
    )


def _presentation(request: ReviewRequest) -> Presentation:
    known = request.confidence is not None
    return Presentation(
        title=request.title or f"Let a program do {request.action!r}",
        why=request.why or ("A program asks before it acts.",),
        if_approved="The program is told yes, to exactly these arguments.",
        if_denied="The program is told no.",
        evidence=request.evidence,
        confidence=request.confidence,
        confidence_kind=ConfidenceKind.REPORTED if known else ConfidenceKind.UNKNOWN,
        reliability_now=1.0 if request.confidence is None else request.confidence,
        unknown_steps=0 if known else 1,
    )


def _stored(review: Review, gate_id: str) -> StoredProposal:
    return StoredProposal(
        key=ProposalKey(run_id=review.run_id, task_id=review.id, place=Place.BEFORE, attempt=1),
        name=review.name,
        review_id=review.id,
        gate_id=gate_id,
        blob_type="json",
        blob=canonical_json(review.proposal.arguments),
        proposal_hash=review.proposal_hash,
        meta={},
    )


def _gate(
    run: RunRecord, review: Review, request: ReviewRequest, stored: StoredProposal
) -> GateRow:
    shown = review.presentation
    return GateRow(
        id=stored.gate_id,
        run_id=run.id,
        run_key=run.id,
        workflow=run.workflow,
        workflow_version=run.workflow_version,
        name=review.name,
        step_index=0,
        checkpoint_id="",
        task_id=review.id,
        ts=review.opened_at,
        confidence=request.confidence,
        confidence_kind=shown.confidence_kind,
        p=request.confidence,
        reliability_after=shown.reliability_now,
        unknown_steps=shown.unknown_steps,
        policy_hash=run.policy_hash,
        policy_name=review.policy_name,
        policy_version=review.policy_version,
        action="ask",
        triggers=tuple(TriggerFired(kind="always", sentence=s) for s in shown.why),
        propensity_ask=1.0,
        propensity_label=1.0,
        audit_stratum=f"{REQUESTS}/{request.action}",
        summary=request.title or request.action,
    )


def _with_arguments(review: Review, arguments: JsonObject) -> Review:
    proposal = review.proposal.model_copy(
        update={
            "arguments": arguments,
            "blob_sha256": sha256_hex(canonical_json(arguments)),
        }
    )
    return review.model_copy(
        update={"proposal": proposal, "proposal_hash": proposal_hash(proposal), "decision": None}
    )


def _amended(before: Review, after: Review, by: str, now: datetime) -> JsonObject:
    return entry(
        "review.amended",
        at=now,
        actor=by,
        run_id=before.run_id,
        subject=before.id,
        before=before.proposal_hash,
        proposal_hash=after.proposal_hash,
    )
