"""One question of a step on its way into the store: its review, its gate row, the policy's own answer."""

from datetime import datetime

from hitl.canonical import canonical_json
from hitl.graph.blob import digest
from hitl.graph.context import Report
from hitl.graph.session import ASKER
from hitl.graph.task import Attempt
from hitl.graph.view import one_line
from hitl.graph.wanted import Wanted
from hitl.ids import new_id
from hitl.lifecycle import POLICY_ACTOR
from hitl.models import (
    ConfidenceKind,
    DecidedBy,
    Decision,
    GateRow,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    Question,
    RemedyKind,
    Review,
    RungOffer,
    StoredProposal,
    TriggerFired,
    Verdict,
)
from hitl.policy import Worth
from hitl.ports import Transaction
from hitl.reviews import open_review, proposal_hash, record_decision, withdraw

ASK_TYPE = "ask"
"""Serialiser type of a question's bytes: the canonical view of what is asked."""
_MOST_TITLE = 200
_SHADOW = "In shadow mode nobody is asked."
_RUNGS = (
    RungOffer(kind=RemedyKind.JUDGEMENT, label="Use your judgement"),
    RungOffer(kind=RemedyKind.STOP, label="Stop the run"),
)


class Asking:
    """A question that is new at its place, and what becomes of it.

    Args:
        attempt: Of which step.
        said: What the step reported before it asked.
        wanted: What it asks.
        key: Where it is kept.
        number: Which question of its task it is, from 0.
        replaces: What was asked there before; None for nothing.
        note: Why that does not stand any more.
    """

    def __init__(
        self,
        attempt: Attempt,
        said: Report,
        wanted: Wanted,
        key: ProposalKey,
        number: int,
        replaces: StoredProposal | None,
        note: str,
    ) -> None:
        self.said = said
        self._attempt = attempt
        self._wanted = wanted
        self._key = key
        self._number = number
        self._replaces = replaces
        self._note = note

    def settle(self, worth: Worth, p: float | None) -> None:
        """Take what the ask gate says of it; from then on review and decision are there.

        Args:
            worth: The gate's word.
            p: P(the step's own judgement would be right); None for unknown.
        """
        shadow = self._attempt.task.session.wiring.shadow
        self._now: datetime = self._attempt.task.session.wiring.clock()
        question = Question(
            text=self._wanted.text,
            index=self._number,
            sha256=self._wanted.sha256,
            p=p,
            value=worth.value,
            unasked=worth.unasked or ("shadow" if shadow else None),
        )
        proposal, blob = self._proposal()
        self.review = self._review(question, proposal, worth.sentence)
        self._row = self._gate_row(question, worth.sentence)
        self.stored = StoredProposal(
            key=self._key,
            name=self.review.name,
            review_id=self.review.id,
            gate_id=self._row.id,
            blob_type=ASK_TYPE,
            blob=blob,
            proposal_hash=self.review.proposal_hash,
            meta={ASKER: self._attempt.task.facts.task_id, "question": question.sha256},
        )
        why = _SHADOW if question.unasked == "shadow" else worth.sentence
        self.decision = _unasked(self.review, why) if question.unasked else None

    def write(self, t: Transaction) -> None:
        """Open the review, in the place of what was asked there before; record what the policy says."""
        if self._replaces is not None:
            withdraw(t, self._replaces.review_id, reason=self._note, now=self._now)
            t.drop_proposal_of(self._replaces.review_id)
        stored = open_review(t, self.review, self.stored, self._row, now=self._now)
        if self.decision is not None and stored.id == self.review.id:
            record_decision(t, self.review, self.decision, at=self._now)

    def _proposal(self) -> tuple[Proposal, bytes]:
        wiring = self._attempt.task.session.wiring
        blob = canonical_json(self._wanted.shown)
        proposal = Proposal(
            action="answer",
            arguments=self._wanted.shown,
            target=f"{wiring.workflow}:{self._attempt.name.step}",
            policy_hash=wiring.policy_hash,
            review_id=new_id("rev", self._now),
            blob_sha256=digest(blob),
        )
        return proposal, blob

    def _review(self, question: Question, proposal: Proposal, sentence: str) -> Review:
        session, attempt = self._attempt.task.session, self._attempt
        wiring = session.wiring
        return Review(
            id=proposal.review_id,
            run_id=session.run.id,
            workflow=wiring.workflow,
            workflow_version=wiring.version,
            policy_name=wiring.policy.name,
            policy_version=wiring.policy.version,
            name=attempt.name.model_copy(update={"place": Place.QUESTION}),
            attempt=attempt.number,
            task_id=attempt.task.facts.task_id,
            risk=attempt.checkpoints[0].risk,
            proposal=proposal,
            proposal_hash=proposal_hash(proposal),
            presentation=self._presentation(question, sentence),
            rungs=_RUNGS,
            opened_at=self._now,
            on_expiry=RemedyKind.JUDGEMENT,
            initiator=session.run.initiator,
            question=question,
        )

    def _presentation(self, question: Question, sentence: str) -> Presentation:
        standing = self._attempt.task.standing
        return Presentation(
            title=one_line(question.text)[:_MOST_TITLE],
            why=tuple(s for s in (sentence, self._note) if s),
            if_approved="Your answer goes to the step.",
            if_denied="The step goes on by its own judgement, or the run is stopped.",
            evidence=tuple(self.said.evidence),
            signals=tuple(self.said.signals),
            confidence=question.p,
            confidence_kind=_kind(question, self.said),
            reliability_before=standing.reliability,
            reliability_now=standing.reliability,
            unknown_steps=standing.unknown,
            answer_schema=self._wanted.schema,
        )

    def _gate_row(self, question: Question, sentence: str) -> GateRow:
        session, name = self._attempt.task.session, self.review.name
        wiring, run = session.wiring, session.run
        asked = question.unasked in (None, "shadow")
        return GateRow(
            id=new_id("gate", self._now),
            run_id=run.id,
            turn=run.turn,
            run_key=run.id,
            workflow=wiring.workflow,
            workflow_version=wiring.version,
            name=name,
            attempt=self._attempt.number,
            branch=run.branch,
            step_index=-1,
            checkpoint_id=self._attempt.task.facts.task_id,
            task_id=self._attempt.task.facts.task_id,
            ts=self._now,
            p=question.p,
            policy_hash=wiring.policy_hash,
            policy_name=wiring.policy.name,
            policy_version=wiring.policy.version,
            checkpoint=self._attempt.checkpoints[0].step,
            action="ask" if asked else "act",
            shadow=wiring.shadow,
            triggers=(TriggerFired(kind="always", sentence="The step asks a question."),) * asked,
            propensity_ask=float(asked),
            propensity_label=1.0,
            audit_stratum=f"{wiring.policy.name}/{name.step}/question",
            summary=one_line(question.text),
            settled_by="" if asked else sentence,
        )


def _kind(question: Question, said: Report) -> ConfidenceKind:
    if question.p is None:
        return ConfidenceKind.UNKNOWN
    return ConfidenceKind.REPORTED if question.p == said.confidence else ConfidenceKind.DECLARED


def _unasked(review: Review, sentence: str) -> Decision:
    """Return the policy's "use your judgement": never a person's decision, never a label."""
    return Decision(
        decision_id=new_id("dec", review.opened_at),
        review_id=review.id,
        verdict=Verdict.DENY,
        by=POLICY_ACTOR,
        made_by=DecidedBy.POLICY,
        decided_at=review.opened_at,
        reasons=(sentence,),
        remedy=RemedyKind.JUDGEMENT,
        proposal_hash=review.proposal_hash,
        surface=POLICY_ACTOR,
    )
