"""Putting a proposal before a person: the review, its hash, and what is frozen with it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hitl.canonical import canonical_json
from hitl.graph.assess import Assessment, frozen_facts
from hitl.graph.blob import freeze
from hitl.graph.doubt import Picked
from hitl.graph.effects import proposal
from hitl.graph.inside import acted
from hitl.graph.presentation import (
    default_title,
    fill,
    if_denied,
    state_changes,
    title_fields,
)
from hitl.graph.rollouts import choices, evidence_of, shown_with
from hitl.graph.session import opened_at
from hitl.graph.takeover import missing_from, workspace
from hitl.graph.task import Attempt
from hitl.ids import new_id
from hitl.models import (
    FieldChange,
    GateRow,
    JsonObject,
    Place,
    Presentation,
    RemedyKind,
    Review,
    RungOffer,
    StoredProposal,
    Workspace,
)
from hitl.policy import Remedy
from hitl.remedy import offers
from hitl.reviews import proposal_hash

VIEW_TYPE = "view"
"""Serialiser type of a spot check's bytes: the canonical view, kept for the label alone."""


def question(
    attempt: Attempt, picked: Picked, *, answers: int = 0
) -> tuple[Review, StoredProposal, GateRow]:
    """Return the review of a withheld proposal, its ledger entry and its gate row.

    Raises:
        ProposalRefused: The value cannot be serialised, or is over 16 MiB.
    """
    serde = attempt.task.session.wiring.serde
    found, others, handed_off = picked.found, picked.others, picked.ran.handed_off
    meta = frozen_facts(found, answers=answers, handed_off=handed_off)
    if attempt.task.asked_with:
        meta["asked_with"] = attempt.task.asked_with
    value = picked.ran.value
    if others:
        value = [value, *(other.ran.value for other in others)]
        meta["choices"] = [*choices(attempt, found, others, handed_off=handed_off)]
        view, elided = shown_with(found, others)
        found = replace(found, view=view, elided=elided, choices=1 + len(others))
        found.said.evidence.extend(evidence_of(others))
    kind, blob = freeze(serde, attempt.name.step, value)
    return _review(attempt, found, kind, blob, meta, blocking=True)


def spot_check(attempt: Attempt, found: Assessment) -> tuple[Review, StoredProposal, GateRow]:
    """Return the non-blocking review of a step that is committed anyway."""
    blob = canonical_json(found.view)
    return _review(attempt, found, VIEW_TYPE, blob, {}, blocking=False)


def _review(
    attempt: Attempt,
    found: Assessment,
    kind: str,
    blob: bytes,
    meta: JsonObject,
    *,
    blocking: bool,
) -> tuple[Review, StoredProposal, GateRow]:
    session = attempt.task.session
    wiring, now = session.wiring, session.wiring.clock()
    review_id = new_id("rev", now)
    shown = proposal(attempt, found.view, found.elided, review_id=review_id, blob=blob)
    hashed = proposal_hash(shown)
    here = found.verdict.checkpoint
    rungs = _rungs(attempt, attempt.ladder, now) if blocking else ()
    review = Review(
        id=review_id,
        run_id=session.run.id,
        workflow=wiring.workflow,
        workflow_version=wiring.version,
        policy_name=wiring.policy.name,
        policy_version=wiring.policy.version,
        name=attempt.name,
        attempt=attempt.number,
        task_id=attempt.task.facts.task_id,
        blocking=blocking,
        risk=here.risk,
        proposal=shown,
        proposal_hash=hashed,
        presentation=_presentation(attempt, found, rungs),
        rungs=rungs,
        opened_at=now,
        due_at=now + here.due_in if here.due_in else None,
        expires_at=now + here.expires_in if blocking and here.expires_in else None,
        on_expiry=_rungs(attempt, (here.on_expiry,), now)[0].kind,
        initiator=session.run.initiator,
    )
    row = found.row.model_copy(update={"review_id": review_id})
    stored = StoredProposal(
        key=attempt.key,
        name=attempt.name,
        review_id=review_id,
        gate_id=row.id,
        blob_type=kind,
        blob=blob,
        proposal_hash=hashed,
        meta=meta,
        settled=not blocking,
    )
    return review, stored, row


def _rungs(attempt: Attempt, ladder: Sequence[Remedy], now: datetime) -> tuple[RungOffer, ...]:
    """Return what is left of a ladder; what would repeat an effect is not offered."""
    repeats = (RemedyKind.RETRY, RemedyKind.ROLLBACK)
    if any(rung.kind in repeats for rung in ladder) and acted(attempt) is not None:
        ladder = [rung for rung in ladder if rung.kind not in repeats]
    return offers(
        ladder,
        attempt.used,
        opened_at=opened_at(list(attempt.denied), now),
        now=now,
        timezone=attempt.task.session.wiring.policy.timezone,
    )


def _presentation(
    attempt: Attempt,
    found: Assessment,
    rungs: tuple[RungOffer, ...],
) -> Presentation:
    here = found.verdict.checkpoint
    fields = title_fields(found.view)
    step, place = attempt.name.step, attempt.place
    title = fill(here.title, fields) or default_title(step, place, found.view)
    update = found.view.get("update")
    reviewer = attempt.task.session.wiring.policy.reviewer
    return Presentation(
        title=title,
        why=_why(attempt, found),
        if_approved=fill(here.if_approved, fields) or _yes(place, found.choices),
        if_denied=fill(here.if_denied, fields) or if_denied(rungs),
        reasons=here.reasons,
        changes=_changes(attempt, update),
        evidence=tuple(found.said.evidence),
        signals=found.row.signals,
        vouched=found.vouched,
        covers=found.row.covers,
        confidence=found.row.p,
        confidence_kind=found.row.confidence_kind,
        reliability_before=found.row.reliability_before,
        reliability_now=found.row.reliability_after,
        unknown_steps=found.row.unknown_steps,
        reliability_floor=_floor(attempt, here.reliability_below),
        reset_to=found.reset_to,
        reset_basis="declared" if reviewer is not None else "assumed",
        choices=found.choices,
        answer_schema=_answer_schema(attempt, rungs, update),
        workspace=_workspace(attempt, rungs),
        denials=attempt.denials,
    )


def _why(attempt: Attempt, found: Assessment) -> tuple[str, ...]:
    asked = tuple(t.sentence for t in found.row.triggers)
    done = (found.row.settled_by,) if found.row.settled_by else ()
    return (*asked, *_blind_spot(attempt, found), *done)


def _floor(attempt: Attempt, own: float | None) -> float | None:
    whole = attempt.task.session.wiring.policy.reliability_below
    return max((f for f in (own, whole) if f is not None), default=None)


def _changes(attempt: Attempt, update: Any) -> tuple[FieldChange, ...]:
    task = attempt.task
    if attempt.place is not Place.AFTER or not isinstance(update, dict):
        return ()
    return state_changes(task.session.state_before(task.facts), update, task.spec.appending)


def _yes(place: Place, choices: int) -> str:
    if place is Place.BEFORE:
        return "The step runs now, with exactly this input."
    if choices:
        return f"Exactly this, the first of {choices}, is committed, and the run goes on."
    return "Exactly this is committed, and the run goes on."


def _blind_spot(attempt: Attempt, found: Assessment) -> tuple[str, ...]:
    """Say so where a yes would cover less than the trigger is about."""
    about_run = {"reliability", "every", "cost", "time", "effects"}
    whole = any(t.kind in about_run for t in found.row.triggers)
    if whole and not attempt.task.sees_prefix():
        return ("This step saw only a part of the run's state; a yes covers this step alone.",)
    return ()


def _workspace(attempt: Attempt, rungs: tuple[RungOffer, ...]) -> Workspace | None:
    """Return what a person works with who takes over; the state they see is the one before the step."""
    offer = next((r for r in rungs if r.kind is RemedyKind.TAKEOVER), None)
    if offer is None:
        return None
    task, whole = attempt.task, attempt.task.spec.whole
    run = task.session.state_of("", task.facts.root_checkpoint_id)
    own = offer.scope == "step"
    left = task.spec.onward
    if offer.scope == "run" and attempt.place is Place.BEFORE:
        left = (attempt.name.step, *left)
    return workspace(
        offer,
        task.spec.form if own else whole.form,
        task.session.state_before(task.facts) if own else run,
        appending=task.spec.appending if own else whole.appending,
        left=left,
        missing=missing_from(whole.outputs, run),
    )


def _answer_schema(
    attempt: Attempt, rungs: tuple[RungOffer, ...], update: Any
) -> JsonObject | None:
    if not any(r.kind is RemedyKind.ANSWER for r in rungs):
        return None
    form = attempt.task.spec.form
    if attempt.place is Place.AFTER and isinstance(update, dict) and update:
        return form.schema(update.keys(), required=True)
    return form.schema(form.types.keys(), required=False)
