"""What is committed with a step: after a pass, a yes, the human's own answer; and what a no does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from hitl.audit import entry
from hitl.failpoints import reach
from hitl.graph.answers import in_place_of
from hitl.graph.ask import VIEW_TYPE, spot_check
from hitl.graph.assess import Assessment, thawed_write
from hitl.graph.blob import digest, thaw
from hitl.graph.effects import refused_by_policy
from hitl.graph.rollouts import chosen, labelled
from hitl.graph.session import Work, executed
from hitl.graph.signals import NeedsAttention, RollBack, StopRun, no_sentence
from hitl.graph.takeover import own_work
from hitl.graph.task import Attempt, Ran
from hitl.ids import new_id
from hitl.models import (
    Covers,
    DecidedBy,
    Decision,
    GateRow,
    JsonObject,
    Place,
    RemedyKind,
    Review,
    ReviewStatus,
    StoredProposal,
    Verdict,
)
from hitl.ports import Transaction
from hitl.reliability import Write, both, fold_child
from hitl.reviews import open_review, proposal_hash
from hitl.spent import NOTHING

Opened = tuple[Review, StoredProposal, GateRow]

POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Settled:
    """One gate that lets the step's result through, and what is written with it."""

    value: Any
    work: tuple[Work, ...]
    write: Write | None
    handed_off: bool = False
    is_answer: bool = False
    attempt: Attempt | None = None
    checked: bool = False
    """Whether a person verified it."""

    def without_write(self) -> "Settled":
        """Return this gate for a step that has another gate after it: that one counts the step."""
        if not self.checked or self.write is None:
            return replace(self, write=None)
        return replace(self, write=replace(self.write, spent=NOTHING))

    def with_result(self, ran: Ran, cost: float | None) -> "Settled":
        """Return this gate with what the body returned once it was let through.

        A yes to a child graph's input does not vouch for the steps it then takes.

        Args:
            ran: What the body did.
            cost: What it reported to have cost; None when it said nothing.
        """
        write = self.write
        if write is not None and cost is not None:
            write = replace(write, spent=replace(write.spent, cost=cost))
        if ran.child is not None and self.attempt is not None:
            task = self.attempt.task
            inside = fold_child(ran.child, task.facts.step, through=task.through)
            write = both(write, inside) if self.checked and write is not None else inside
        work = (*self.work, *ran.work)
        return replace(self, value=ran.value, handed_off=ran.handed_off, write=write, work=work)


def passed(attempt: Attempt, found: Assessment, ran: Ran) -> Settled:
    """Return a step that goes on unreviewed; a drawn spot check is opened with its commit."""
    row = found.row
    work: Work = _opening(spot_check(attempt, found), attempt) if row.spot_check else _logging(row)
    every = (*ran.work, work)
    return Settled(ran.value, every, found.write, ran.handed_off, attempt=attempt)


def _opening(opened: Opened, attempt: Attempt) -> Work:
    now = attempt.task.session.wiring.clock()

    def work(t: Transaction) -> None:
        open_review(t, *opened, now=now)

    return work


def _logging(row: GateRow) -> Work:
    return lambda t: t.put_gate(row)


def standing_review(attempt: Attempt) -> tuple[StoredProposal, Review]:
    """Return the withheld proposal of this attempt and its review, decision included.

    Raises:
        NeedsAttention: The review was cancelled, so nobody will decide it; or it is of a `@task`
            that was called with other arguments.
    """
    session = attempt.task.session
    stored = session.proposal(attempt.key)
    assert stored is not None  # noqa: S101 - the caller looked
    review = session.wiring.store.read(lambda r: r.review(stored.review_id))
    if stored.meta.get("asked_with", "") != attempt.task.asked_with:
        raise NeedsAttention(
            review.id,
            f"Task {review.name.step!r} was called with other arguments than those of review"
            f" {review.id!r}: what calls it does not do the same when it runs again. Nothing was"
            " committed; take what changes (time, chance, what it reads) into a task, and restart the"
            " run or stop it.",
        )
    if review.status is ReviewStatus.CANCELLED:
        raise NeedsAttention(
            review.id,
            f"Review {review.id!r} of step {review.name.step!r} was cancelled"
            f" ({review.closed_reason or 'no reason given'}); restart the run or stop it.",
        )
    return stored, review


def approved(attempt: Attempt, stored: StoredProposal, review: Review) -> Settled:
    """Return exactly what was shown, read back from its bytes and checked against the yes.

    Raises:
        NeedsAttention: The stored proposal is not the one that was approved; nothing is committed.
    """
    value = _thawed(attempt, stored, review)
    write = thawed_write(stored.meta, "yes")
    handed_off = bool(stored.meta.get("handed_off"))
    if picked := chosen(stored, review):
        value, taken = value[picked[0]], picked[1]
        write, handed_off = thawed_write(taken, "yes"), bool(taken["handed_off"])
    work = _verified(attempt, stored, review, write)
    return Settled(value, work, write, handed_off, attempt=attempt, checked=True)


def _thawed(attempt: Attempt, stored: StoredProposal, review: Review) -> Any:
    """Return the withheld value, from bytes that are proven to be those the decision names."""
    decision = _decision(review)
    shown = review.proposal
    intact = (
        stored.blob_type != VIEW_TYPE
        and digest(stored.blob) == shown.blob_sha256
        and proposal_hash(shown) == decision.proposal_hash == stored.proposal_hash
    )
    if not intact:
        raise NeedsAttention(
            review.id,
            f"What would be committed for step {review.name.step!r} is not what {decision.by} was"
            f" shown in review {review.id!r}. Nothing was committed; restart the run or stop it.",
        )
    return thaw(attempt.task.session.wiring.serde, stored.blob_type, stored.blob)


def answered(attempt: Attempt, stored: StoredProposal, review: Review, update: Any) -> Settled:
    """Return the human's own answer in the place of what the step proposed.

    Raises:
        NeedsAttention: The stored proposal, whose destination stays, is not the one that was shown.
    """
    proposal = _thawed(attempt, stored, review) if attempt.place is Place.AFTER else None
    if "choices" in stored.meta:
        proposal = proposal[0] if proposal is not None else None
    write = thawed_write(stored.meta, "own")
    return Settled(
        in_place_of(proposal, update),
        _verified(attempt, stored, review, write, covers=Covers.STEP),
        write,
        bool(stored.meta.get("handed_off")),
        is_answer=True,
        attempt=attempt,
        checked=True,
    )


def _verified(
    attempt: Attempt,
    stored: StoredProposal,
    review: Review,
    write: Write,
    *,
    covers: Covers | None = None,
) -> tuple[Work, ...]:
    session = attempt.task.session
    now = session.wiring.clock()
    after = attempt.task.standing.then(write)

    known = {
        "committed_at": now,
        "verified": True,
        "reliability_after": after.reliability,
        "unknown_steps": after.unknown,
    }
    if covers is not None:
        known["covers"] = covers

    def work(t: Transaction) -> None:
        row = t.gate(stored.gate_id)
        if covers is None:
            row = labelled(row, stored, review)
        t.put_gate(row.model_copy(update=known))
        for proposal in t.open_proposals(review.run_id):
            if proposal.key.task_id == stored.key.task_id:
                t.settle_proposal(proposal.key)
        t.append_audit(
            review.run_id,
            _entry("step.committed", review, at=now, blob_sha256=review.proposal.blob_sha256),
        )
        reach("effect.before_commit")

    return (work, executed(review.id))


def after_no(attempt: Attempt, stored: StoredProposal, review: Review) -> Any:
    """Do what the remedy says: return the human's answer, or end the advance.

    Raises:
        CompleteRun: A person took over, and nothing of the graph runs any more.
        StopRun: The remedy is Stop.
        RollBack: The remedy is Rollback.
        NeedsAttention: The remedy cannot be carried out here.
    """
    decision = _decision(review)
    said = no_sentence(review)
    match decision.remedy:
        case RemedyKind.ANSWER | RemedyKind.TAKEOVER:
            return own_work(attempt.task.spec.form, review)
        case RemedyKind.ROLLBACK:
            raise RollBack(review.id, said)
        case RemedyKind.STOP | RemedyKind.JUDGEMENT | None:
            raise StopRun(review.id, said)
        case RemedyKind.RETRY:
            raise NeedsAttention(
                review.id,
                f"Step {review.name.step!r} was to be retried at a place that allows no retry;"
                " stop the run or restart it.",
            )


def withheld(
    attempt: Attempt, opened: Opened, inside: tuple[Work, ...]
) -> Callable[[Transaction], object]:
    """Return the work that puts a proposal before a person.

    An effect denied before in the run is refused at once, and that is recorded as the policy's
    decision, never as a label.

    Args:
        attempt: Whose proposal it is.
        opened: The review, its ledger entry and its gate row.
        inside: What steps inside the proposal have to write with it.
    """
    session = attempt.task.session
    now = session.wiring.clock()
    review = opened[0]
    refuse = refused_by_policy(attempt, review.proposal.arguments)

    def work(t: Transaction) -> None:
        t.check_epoch(session.run.id, session.epoch)
        stored = open_review(t, *opened, now=now)
        if stored.id != review.id:
            return
        for write in inside:
            write(t)
        if refuse:
            t.decide_review(stored, _refusal(stored, new_id("dec", now)), judged_at=now)
            t.append_audit(
                stored.run_id,
                _entry("review.decided", stored, at=now, verdict=Verdict.DENY, actor=POLICY),
            )

    return work


def _refusal(review: Review, decision_id: str) -> Decision:
    kinds = [r.kind for r in review.rungs if r.kind in (RemedyKind.ROLLBACK, RemedyKind.STOP)]
    return Decision(
        decision_id=decision_id,
        review_id=review.id,
        verdict=Verdict.DENY,
        by=POLICY,
        made_by=DecidedBy.POLICY,
        decided_at=review.opened_at,
        reasons=("The same effect was denied before in this run.",),
        remedy=kinds[0] if kinds else RemedyKind.STOP,
        proposal_hash=review.proposal_hash,
        surface=POLICY,
    )


def _decision(review: Review) -> Decision:
    assert review.decision is not None  # noqa: S101 - the caller looked
    return review.decision


def _entry(action: str, review: Review, **fields: Any) -> JsonObject:
    actor = fields.pop("actor", "engine")
    return entry(
        action,
        at=fields.pop("at"),
        actor=actor,
        run_id=review.run_id,
        subject=review.id,
        step=review.name.step,
        **fields,
    )
