"""The nouns: frozen pydantic records and the enums whose values are the words on the buttons.

Nothing here knows a database, a web page or a graph. Times are aware and in UTC; durations are
`timedelta`; probabilities are floats in [0, 1].
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

Probability = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]
"""A probability in [0, 1]; NaN is refused."""

JsonObject = dict[str, JsonValue]


class Record(BaseModel):
    """Base of every value in the vocabulary: immutable, and strict about unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_bytes="base64",
        val_json_bytes="base64",
        ser_json_inf_nan="constants",  # visible to the store, which refuses them; not a silent null
    )


class RunStatus(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    WAITING = "waiting"
    """Parked until a person decides."""
    DONE = "done"
    FAILED = "failed"
    """A step raised; the run can be advanced again."""
    STOPPED = "stopped"
    """A person or the policy ended it."""
    NEEDS_ATTENTION = "needs_attention"
    """It cannot go on by itself; `RunRecord.reason` says why and what to do."""


class ReviewStatus(StrEnum):
    """Where a review stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXECUTED = "executed"
    """Decided, and its consequence is committed to the run."""


class Verdict(StrEnum):
    """What was said about a proposal."""

    APPROVE = "approve"
    DENY = "deny"


class RemedyKind(StrEnum):
    """What follows a deny."""

    RETRY = "retry"
    ANSWER = "answer"
    TAKEOVER = "takeover"
    ROLLBACK = "rollback"
    STOP = "stop"


class Place(StrEnum):
    """Where a gate stands relative to its step."""

    AFTER = "after"
    """The step ran; its writes are withheld."""
    BEFORE = "before"
    """The step has not run; its frozen input is shown. For effects."""
    QUESTION = "question"
    """The step itself asks: LangGraph's `interrupt()`."""


class Covers(StrEnum):
    """What a yes vouches for."""

    STEP = "step"
    SINCE_RESET = "since_reset"


class DecidedBy(StrEnum):
    """Who made a decision. Only a person's decision is ever a label."""

    PERSON = "person"
    POLICY = "policy"


class ConfidenceKind(StrEnum):
    """What p rests on, best first."""

    CALIBRATED = "calibrated"
    MEASURED = "measured"
    """The step's Beta posterior mean, from labels."""
    REPORTED = "reported"
    """As the step said; uncalibrated."""
    DECLARED = "declared"
    """`accuracy=` of the policy."""
    COMPOUND = "compound"
    """A child graph's own reliability."""
    UNKNOWN = "unknown"


class Signal(Record):
    """One piece of evidence about a proposal."""

    name: str
    kind: Literal["trusted", "noisy"]
    """Trusted: a person or a test. Noisy: a model. The two are never averaged."""
    passed: bool | None = None
    score: float | None = None
    detail: str = ""


class Evidence(Record):
    """Something for the reviewer to look at."""

    claim: str
    quote: str = ""
    source: str = ""
    image_png: bytes | None = None
    """A PNG picture, shown at its own size; at most 512 KiB."""


class StepName(Record):
    """Which execution of which step: the owner of rungs, budgets and denials.

    It survives re-execution and forks: after a rollback the same visit comes again.
    """

    step: str
    """Path inside the workflow: `"pay"`, or `"mid/sub/pay"` inside subgraphs."""
    place: Place
    visit: int = Field(ge=1)
    """nth time the run comes to this step, from 1."""
    shard: int = 0
    """Which task of a Send fan-out, from 1; 0 for a task made by an edge.

    Inside a fan-out of child graphs the outer number comes first: outer * 100000 + inner.
    """


class TriggerFired(Record):
    """One reason to ask, with the value that fired it."""

    kind: Literal["always", "confidence", "reliability", "rule", "spot_check", "retry", "unknown"]
    sentence: str
    """What the reviewer reads, e.g. `"Reliability 0.56 is below 0.70."`"""
    value: float | None = None
    threshold: float | None = None


class Denial(Record):
    """An earlier no, as the retried step sees it."""

    step: str
    attempt: int
    reasons: tuple[str, ...] = ()
    note: str = ""
    by: str
    at: AwareDatetime


class Vouched(Record):
    """An unverified step a yes would cover."""

    gate_id: str
    step: str
    p: Probability | None
    summary: str
    """The step's result in one line."""


class FieldChange(Record):
    """One line of a state diff."""

    field: str
    before: JsonValue = None
    after: JsonValue = None
    appends: bool = False
    """True when `after` is added to the field by the graph's reducer."""


class Presentation(Record):
    """What the reviewer reads, as declared by the checkpoint and filled from the proposal."""

    title: str
    why: tuple[str, ...] = ()
    if_approved: str = ""
    if_denied: str = ""
    reasons: tuple[str, ...] = ()
    """Reason chips for a deny."""
    changes: tuple[FieldChange, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    signals: tuple[Signal, ...] = ()
    vouched: tuple[Vouched, ...] = ()
    covers: Covers = Covers.STEP
    confidence: Probability | None = None
    confidence_kind: ConfidenceKind = ConfidenceKind.UNKNOWN
    reliability_before: Probability = 1.0
    """Before this step: the product over the steps whose p is known."""
    reliability_now: Probability = 1.0
    """With this step, were it committed unreviewed."""
    unknown_steps: int = 0
    """How many unverified steps, this one included, have no known p and are left out."""
    reliability_floor: Probability | None = None
    """`reliability_below` that holds at this checkpoint; None when there is none."""
    reset_to: Probability = 1.0
    """Reliability after a yes."""
    reset_basis: Literal["assumed", "declared", "measured"] = "assumed"
    answer_schema: JsonObject | None = None
    """JSON Schema of the human's own answer; None when Answer is not allowed."""
    denials: tuple[Denial, ...] = ()


class Proposal(Record):
    """What a step wants to commit, as it is hashed and shown. The bytes are kept beside it."""

    action: str
    """The step, or the tool, that acts."""
    arguments: JsonObject
    """The view: `update`, `goto`, `send` for a step's writes; the calls for tools."""
    target: str
    """Workflow and step path."""
    policy_hash: str
    review_id: str
    blob_sha256: str
    elided: int = 0
    """How many parts of the view are not shown because of the limits."""


class RungOffer(Record):
    """One remedy the reviewer may choose now."""

    kind: RemedyKind
    label: str
    """E.g. `"Retry, 2 left, until 09:00"`."""


class Decision(Record):
    """A verdict, by whom, when, why, and what was shown."""

    decision_id: str
    review_id: str
    verdict: Verdict
    by: str
    made_by: DecidedBy = DecidedBy.PERSON
    decided_at: AwareDatetime
    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: RemedyKind | None = None
    """What follows a deny; None for an approve and for a spot check."""
    answer: JsonValue = None
    has_answer: bool = False
    proposal_hash: str
    surface: str = "api"
    """Where it was clicked: page, cli, api, python, policy."""
    shown_ms: int | None = None


class Intent(Record):
    """A decision that can still be undone: it becomes one at `commit_at`, judged at `answered_at`."""

    decision: Decision
    """`decided_at` is the instant it was answered."""
    commit_at: AwareDatetime


class Review(Record):
    """One proposal waiting for people."""

    id: str
    run_id: str
    workflow: str
    workflow_version: str
    policy_name: str
    policy_version: str
    name: StepName
    attempt: int = Field(ge=1)
    task_id: str
    status: ReviewStatus = ReviewStatus.PENDING
    blocking: bool = True
    """False for a spot check: the run went on, only the label is wanted."""
    risk: Literal["low", "medium", "high"] = "low"
    proposal: Proposal
    proposal_hash: str
    presentation: Presentation
    rungs: tuple[RungOffer, ...] = ()
    """What a deny may lead to, in the policy's order; the first is the default."""
    opened_at: AwareDatetime
    due_at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    on_expiry: RemedyKind = RemedyKind.STOP
    initiator: str | None = None
    """Who started the run; may not decide it."""
    interrupt_id: str | None = None
    """LangGraph's id, for a question."""
    closed_reason: str = ""
    decision: Decision | None = None
    holder: str | None = None
    """Who has claimed it."""
    claim_fence: str | None = None
    claimed_until: AwareDatetime | None = None


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
    stop_asked: str = ""
    """Who pressed the stop button and why, until the run is resumed or given input; else empty."""


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
    payload: JsonObject = {}
    due_at: AwareDatetime
    done: bool = False


class GateRow(Record):
    """One gate evaluation, asked or not: the row every later estimate rests on.

    Schema: design of the evaluation log (policy evaluation, 2.1). What is not logged here cannot be
    added later. `wrong` is never derived from the verdict alone.
    """

    id: str
    run_id: str
    turn: int = 1
    run_key: str
    """The unit for clusters: the run, or the customer it belongs to."""
    workflow: str
    workflow_version: str
    name: StepName
    attempt: int = 1
    rollout: int = 0
    n_rollouts: int = 1
    winner: bool = True
    branch: int = 0
    step_index: int
    """LangGraph's superstep number in its graph."""
    checkpoint_id: str
    """The snapshot this superstep started from."""
    root_checkpoint_id: str = ""
    """The same for the whole run: differs inside subgraphs."""
    task_id: str
    parents: tuple[str, ...] = ()
    ts: AwareDatetime
    confidence: Probability | None = None
    confidence_kind: ConfidenceKind = ConfidenceKind.UNKNOWN
    p: Probability | None = None
    """What was compared with `confidence_below` and multiplied into reliability."""
    calibrator: str | None = None
    calibrator_cutoff: AwareDatetime | None = None
    reliability_before: Probability = 1.0
    reliability_after: Probability = 1.0
    unknown_steps: int = 0
    policy_hash: str
    policy_name: str
    policy_version: str
    autonomy_seq: int = 0
    threshold: float | None = None
    action: Literal["act", "ask"]
    triggers: tuple[TriggerFired, ...] = ()
    """All that fired, not the first."""
    propensity_ask: Probability
    propensity_label: Probability
    coin_u: Probability | None = None
    coin_rate: Probability = 0.0
    coin_key_id: str = ""
    audit_stratum: str = ""
    spot_check: bool = False
    review_id: str | None = None
    summary: str = ""
    """The step's result in one line."""
    covers: Covers = Covers.STEP
    signals: tuple[Signal, ...] = ()
    step_seconds: float | None = None
    step_cost: float | None = None
    rework_cost: float | None = None
    silent_error_cost: float | None = None
    deadline: AwareDatetime | None = None
    reversible: bool | None = None
    side_effect_at: AwareDatetime | None = None
    info_kind: Literal["goal", "input", "constraint", "context"] | None = None
    is_seed: bool = False
    seed_truth: int | None = None
    committed_at: AwareDatetime | None = None
    """When the step's writes were committed; None while withheld, denied or stopped."""
    verified: bool = False
    """True when a person's yes, or a person's answer, committed it."""
    undone_at: AwareDatetime | None = None
    superseded_by: str | None = None
    """The decision whose rollback undid it."""


class Outcome(Record):
    """A delayed label of a run: did it lead to something good?"""

    id: str
    run_id: str
    step: str | None = None
    good: bool
    note: str = ""
    known_at: AwareDatetime


class AuditEvent(Record):
    """One line of the trail, chained per run: `hash` covers `prev`, `chain_seq` and `body`."""

    seq: int
    run_id: str
    chain_seq: int
    prev: str
    hash: str
    body: dict[str, Any]
    """`at`, `actor`, `action`, `subject` and what belongs to the action; JSON only."""


Duration = timedelta | str
"""A `timedelta`, or `"90s"`, `"15m"`, `"4h"`, `"3d"`, `"1h30m"`."""
