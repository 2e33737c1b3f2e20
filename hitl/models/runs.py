"""A run, its withheld proposals, and its orders."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from hitl.models.reviews import StepName
from hitl.models.words import JsonObject, Place, Probability, Record, RunStatus


class StateSize(Record):
    """How large a run's state was when it was last measured."""

    step: int
    """After which superstep."""
    bytes: int
    """As it is stored in a snapshot."""
    noted: bool = False
    """Whether the run's notes say that it grows; it is not measured any more then."""


class RunRecord(Record):
    """One execution of a workflow."""

    id: str
    workflow: str
    workflow_version: str
    policy_hash: str
    status: RunStatus = RunStatus.RUNNING
    reason: str = ""
    turn: int = 1
    """How many inputs the run has had."""
    initiator: str | None = None
    reliability: Probability = 1.0
    """After the last advance: the product over the steps whose p is known."""
    unknown_steps: int = 0
    """How many unverified steps have no known p and are left out of `reliability`."""
    created_at: AwareDatetime
    updated_at: AwareDatetime
    full_spot_check: bool = False
    """Every step of this run is spot-checked."""
    branch: int = 0
    """How many rollbacks the run has had."""
    completed_by: str = ""
    """Who took over and completed it by hand in this turn; empty when its graph did."""
    stop_asked: str = ""
    """Who pressed the stop button and why, until the run is resumed or given input; else empty."""
    state_size: StateSize | None = None
    """None for a run too short to be measured."""
    notes: tuple[str, ...] = ()
    """What hitl noticed about it, one sentence each, each once."""


class ProposalKey(Record):
    """Where a withheld proposal is found again when its step is re-executed."""

    run_id: str
    task_id: str
    place: Place
    attempt: int
    rollout: int = 0


class StoredProposal(Record):
    """A withheld proposal in the ledger: bytes, and the policy's verdict, frozen."""

    key: ProposalKey
    name: StepName
    review_id: str
    gate_id: str
    blob_type: str
    blob: bytes
    proposal_hash: str
    meta: JsonObject
    """The gate's own frozen facts (p, coverage, interrupt answers consumed, child's fold)."""
    settled: bool = False
    """True once its consequence is committed to the run."""


class MailKind(StrEnum):
    """Why a run should be advanced, or a review looked at."""

    START = "start"
    INPUT = "input"
    DECISION = "decision"
    EXPIRY = "expiry"
    COMMIT = "commit"
    """An intent's undo window ends."""
    WAKE = "wake"


class Mail(Record):
    """One order to an engine. Unique by `key`: the same order is never given twice."""

    id: int
    run_id: str
    kind: MailKind
    key: str
    payload: JsonObject = Field(default_factory=dict)
    due_at: AwareDatetime
    done: bool = False
