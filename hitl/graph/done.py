"""The end of a run as a checkpoint: its output is looked at before the run counts as done.

No gate on a step's writes sees what was left out. The steps are committed by then, so a no cannot
withhold anything: Retry goes back to before the last superstep, Rollback to the last verified point.
"""

from datetime import datetime
from typing import Any

from langgraph.types import StateSnapshot

from hitl.canonical import canonical_json
from hitl.graph.ask import VIEW_TYPE
from hitl.graph.blob import digest
from hitl.graph.presentation import consequence, fill, title_fields
from hitl.graph.session import Session, attempts_before, executed, opened_at
from hitl.graph.signals import CompleteRun, NeedsAttention, RollBack, StopRun, no_sentence
from hitl.graph.takeover import Whole, completed_sentence, missing_from, workspace
from hitl.graph.view import one_line, view_of
from hitl.ids import new_id
from hitl.models import (
    ConfidenceKind,
    GateRow,
    JsonObject,
    Place,
    Presentation,
    Proposal,
    ProposalKey,
    RemedyKind,
    Review,
    ReviewStatus,
    RungOffer,
    StepName,
    StoredProposal,
    Verdict,
    Workspace,
)
from hitl.models.reviews import END_TASK
from hitl.policy import Checkpoint, Escalate, GateFacts, Pass, gate
from hitl.policy.checkpoint import DONE
from hitl.ports import Transaction
from hitl.reliability import Standing
from hitl.remedy import Used, offers
from hitl.reviews import open_review, proposal_hash


def waits_at_the_end(
    session: Session, snapshot: StateSnapshot, standing: Standing, whole: Whole
) -> bool:
    """Return whether a run whose graph has ended waits for a person to accept that.

    Raises:
        StopRun: Somebody said no, and the run ends.
        CompleteRun: Somebody took over, and handed in what was missing.
        RollBack: Somebody said no, and it goes back.
        NeedsAttention: The review was cancelled.
    """
    here = session.wiring.policy.end
    if here is None:
        return False
    end = _End(session, here, snapshot, standing, whole)
    stored = session.wiring.store.read(lambda r: r.proposal(end.key))
    if stored is None:
        return end.asks()
    review = session.wiring.store.read(lambda r: r.review(stored.review_id))
    if review.decision is not None and review.decision.verdict is Verdict.APPROVE:
        if not stored.settled:
            session.wiring.store.write(lambda t: end.accept(t, stored))
        return False
    _follow(review)
    return True


def is_of_the_end(key: ProposalKey) -> bool:
    """Return whether a stored proposal is the output of a run, not of a step."""
    return key.task_id.startswith(END_TASK)


def _follow(review: Review) -> None:
    if review.status is ReviewStatus.CANCELLED:
        raise NeedsAttention(
            review.id,
            f"Review {review.id!r} of the run's end was cancelled"
            f" ({review.closed_reason or 'no reason given'}); restart the run or stop it.",
        )
    if review.decision is None:
        return
    match review.decision.remedy:
        case RemedyKind.RETRY:
            raise RollBack(review.id, no_sentence(review), one_superstep=True)
        case RemedyKind.ROLLBACK:
            raise RollBack(review.id, no_sentence(review))
        case RemedyKind.TAKEOVER:
            raise CompleteRun(review.id, completed_sentence(review))
        case _:
            raise StopRun(review.id, no_sentence(review))


class _End:
    def __init__(
        self,
        session: Session,
        here: Checkpoint,
        snapshot: StateSnapshot,
        standing: Standing,
        whole: Whole,
    ) -> None:
        self._whole = whole
        self._session = session
        self._here = here
        self._standing = standing
        self._values = snapshot.values
        self._snapshot = str(snapshot.config["configurable"]["checkpoint_id"])
        self._now: datetime = session.wiring.clock()
        visit = session.visit(DONE, Place.AFTER, self._snapshot)
        self._name = StepName(step=DONE, place=Place.AFTER, visit=visit)
        self._denied = session.denied(self._name)

    @property
    def key(self) -> ProposalKey:
        """Where the output is kept: the snapshot is in it, so that it is of this very state."""
        return ProposalKey(
            run_id=self._session.run.id,
            task_id=f"{END_TASK}{self._snapshot}",
            place=Place.AFTER,
            attempt=1,
        )

    def asks(self) -> bool:
        """Ask the policy; open the review where it says so, and log what it said."""
        session = self._session
        shown, elided = view_of(self._values)
        arguments: JsonObject = {"output": shown}
        verdict = self._verdict(shown)
        row = self._row(verdict, arguments)
        asks = isinstance(verdict, Escalate) and not session.wiring.shadow
        if not asks:
            passed = row.model_copy(update={"committed_at": self._now})
            session.wiring.store.write(lambda t: self._log(t, passed))
            return False
        opened = self._opened(row, arguments, elided)
        session.wiring.store.write(lambda t: self._open(t, opened))
        return True

    def accept(self, t: Transaction, stored: StoredProposal) -> None:
        """Record a yes."""
        t.check_epoch(self._session.run.id, self._session.epoch)
        known = {"committed_at": self._now, "verified": True}
        t.put_gate(t.gate(stored.gate_id).model_copy(update=known))
        executed(stored.review_id)(t)

    def _log(self, t: Transaction, row: GateRow) -> None:
        """Write the row, unless an earlier advance that got this far did."""
        t.check_epoch(self._session.run.id, self._session.epoch)
        last = t.last_visit(row.run_id, DONE, row.name.place, shards=range(1))
        if last is None or last[1] != self._snapshot:
            t.put_gate(row)

    def _open(self, t: Transaction, opened: tuple[Review, StoredProposal, GateRow]) -> None:
        t.check_epoch(self._session.run.id, self._session.epoch)
        open_review(t, *opened, now=self._now)

    def _verdict(self, shown: Any) -> Pass | Escalate:
        """Return what the policy says; the end of a run adds no step, and is never spot-checked."""
        standing = self._standing
        return gate(
            self._session.wiring.policy,
            GateFacts(
                name=self._name,
                attempt=1 + attempts_before(self._denied, self.key.task_id),
                p=1.0,
                p_kind=ConfidenceKind.UNKNOWN,
                confidence=None,
                before=standing,
                arguments=shown if isinstance(shown, dict) else {"output": shown},
                coin_u=1.0,
                run_spot_check=False,
                unverified=standing.unverified,
                spent=standing.spent,
                seconds=standing.spent.seconds(self._now.timestamp()),
            ),
        )

    def _row(self, verdict: Pass | Escalate, arguments: JsonObject) -> GateRow:
        wiring, run = self._session.wiring, self._session.run
        asked = isinstance(verdict, Escalate)
        return GateRow(
            id=new_id("gate", self._now),
            run_id=run.id,
            turn=run.turn,
            run_key=run.id,
            workflow=wiring.workflow,
            workflow_version=wiring.version,
            name=self._name,
            attempt=1 + attempts_before(self._denied, self.key.task_id),
            branch=run.branch,
            step_index=self._standing.step + 1,
            checkpoint_id=self._snapshot,
            root_checkpoint_id=self._snapshot,
            task_id=self.key.task_id,
            ts=self._now,
            reliability_before=self._standing.reliability,
            reliability_after=self._standing.reliability,
            unknown_steps=self._standing.unknown,
            policy_hash=wiring.policy_hash,
            policy_name=wiring.policy.name,
            policy_version=wiring.policy.version,
            action="ask" if asked else "act",
            triggers=verdict.triggers,
            propensity_ask=float(asked),
            propensity_label=float(asked and not wiring.shadow),
            audit_stratum=f"{wiring.policy.name}/{DONE}/end",
            summary=one_line(arguments["output"]),
            checkpoint=DONE,
            shadow=wiring.shadow,
        )

    def _opened(
        self, row: GateRow, arguments: JsonObject, elided: int
    ) -> tuple[Review, StoredProposal, GateRow]:
        wiring, here = self._session.wiring, self._here
        blob, review_id = canonical_json(arguments), new_id("rev", self._now)
        shown = Proposal(
            action="end the run",
            arguments=arguments,
            target=f"{wiring.workflow}:{DONE}",
            policy_hash=wiring.policy_hash,
            review_id=review_id,
            blob_sha256=digest(blob),
            elided=elided,
        )
        rungs = self._rungs(here.on_deny)
        review = Review(
            id=review_id,
            run_id=row.run_id,
            workflow=wiring.workflow,
            workflow_version=wiring.version,
            policy_name=wiring.policy.name,
            policy_version=wiring.policy.version,
            name=self._name,
            attempt=row.attempt,
            task_id=row.task_id,
            risk=here.risk,
            proposal=shown,
            proposal_hash=proposal_hash(shown),
            presentation=self._presentation(row, arguments, rungs),
            rungs=rungs,
            opened_at=self._now,
            due_at=self._now + here.due_in if here.due_in else None,
            expires_at=self._now + here.expires_in if here.expires_in else None,
            on_expiry=here.on_expiry.kind,
            initiator=self._session.run.initiator,
        )
        stored = StoredProposal(
            key=self.key,
            name=self._name,
            review_id=review_id,
            gate_id=row.id,
            blob_type=VIEW_TYPE,
            blob=blob,
            proposal_hash=review.proposal_hash,
            meta={},
        )
        return review, stored, row.model_copy(update={"review_id": review_id})

    def _rungs(self, ladder: tuple[Any, ...]) -> tuple[RungOffer, ...]:
        return offers(
            [rung for rung in ladder if rung.kind is not RemedyKind.ANSWER],
            tuple(Used(d.remedy, d.decided_at) for _, d in self._denied if d.remedy is not None),
            opened_at=opened_at(self._denied, self._now),
            now=self._now,
            timezone=self._session.wiring.policy.timezone,
        )

    def _presentation(
        self, row: GateRow, arguments: JsonObject, rungs: tuple[RungOffer, ...]
    ) -> Presentation:
        here, output = self._here, arguments["output"]
        fields = title_fields(output) if isinstance(output, dict) else {}
        first = rungs[0]
        back = "The last step runs again with your reason."
        return Presentation(
            title=fill(here.title, fields) or "Accept the run's result",
            why=tuple(t.sentence for t in row.triggers),
            if_approved=fill(here.if_approved, fields) or "The run is done, with this result.",
            if_denied=fill(here.if_denied, fields)
            or (back if first.kind is RemedyKind.RETRY else consequence(first)),
            reasons=here.reasons,
            workspace=self._workspace(rungs),
            reliability_before=row.reliability_before,
            reliability_now=row.reliability_after,
            reset_to=row.reliability_after,
            unknown_steps=row.unknown_steps,
            reliability_floor=here.reliability_below,
            denials=self._session.denials(self._name),
        )

    def _workspace(self, rungs: tuple[RungOffer, ...]) -> Workspace | None:
        offer = next((r for r in rungs if r.kind is RemedyKind.TAKEOVER), None)
        if offer is None:
            return None
        run = self._session.state_of("", self._snapshot)
        return workspace(
            offer,
            self._whole.form,
            run,
            appending=self._whole.appending,
            left=(),
            missing=missing_from(self._whole.outputs, run),
        )
