"""What is put before a person, and what they said."""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from hitl.models.words import (
    ConfidenceKind,
    Covers,
    DecidedBy,
    JsonObject,
    Place,
    Probability,
    Record,
    RemedyKind,
    ReviewStatus,
    Verdict,
)


class Signal(Record):
    """One piece of evidence about a proposal."""

    name: str
    kind: Literal["trusted", "noisy"]
    """Trusted: a person or a test. Noisy: a model. The two are never averaged."""
    passed: bool | None = None
    score: float | None = None
    detail: str = ""


_BASE64 = "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]==|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]=)?$"
"""How bytes are written in JSON."""


class Evidence(Record):
    """Something for the reviewer to look at."""

    claim: str
    quote: str = ""
    source: str = ""
    image_png: bytes | None = Field(default=None, json_schema_extra={"pattern": _BASE64})
    """A PNG picture, shown at its own size; at most 512 KiB."""


FAN_OUT = 100_000
"""Tasks of one Send fan-out that are told apart; see `StepName.shard`."""


END_TASK = "done:"
"""What the task id at the end of a run begins with: it names a snapshot, and no task of the graph."""


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

    Inside a fan-out of child graphs the outer number comes first: outer * FAN_OUT + inner.
    """


class TriggerFired(Record):
    """One reason to ask, with the value that fired it."""

    kind: Literal[
        "always",
        "confidence",
        "reliability",
        "rule",
        "every",
        "cost",
        "time",
        "effects",
        "spot_check",
        "retry",
        "unknown",
    ]
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


class Workspace(Record):
    """What a person who takes over works with: the form, where things stand, and what is missing."""

    answer_schema: JsonObject
    """JSON Schema of the state change they hand in."""
    values: JsonObject = Field(default_factory=dict)
    """The state's fields as they stand, without what the step proposed."""
    appends: tuple[str, ...] = ()
    """Fields to which what is handed in is added by the graph's reducer."""
    left: tuple[str, ...] = ()
    """Steps that would still run, or may, as far as the graph says."""
    missing: tuple[str, ...] = ()
    """Keys of the run's output that are still empty."""


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
    choices: int = 0
    """How many alternatives a yes may choose from, the first of them being the proposal itself; 0
    for none. They are in the proposal's `alternatives`, from number 2 on."""
    answer_schema: JsonObject | None = None
    """JSON Schema of the human's own answer; None when Answer is not allowed."""
    workspace: Workspace | None = None
    """Where the person works who takes over; None when Takeover is not allowed."""
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


class Question(Record):
    """What a step asks with `hitl.ask`, and what the ask gate made of it."""

    text: str
    index: int = Field(ge=0)
    """Which question of this attempt of the step it is, from 0."""
    sha256: str
    """Over text and answer schema: an answer holds for exactly this question."""
    p: Probability | None = None
    """P(the step's own judgement would be right); None for unknown."""
    value: float | None = None
    """What asking saves on average, in the unit of the policy's costs; None where unknown."""
    unasked: Literal["value", "budget", "shadow"] | None = None
    """Why the policy answered it and no person was asked: not worth it, the run's budget was used
    up, or nobody is asked in shadow mode. None when it is put before people."""


class RungOffer(Record):
    """One remedy the reviewer may choose now."""

    kind: RemedyKind
    label: str
    """E.g. `"Retry, 2 left, until 09:00"`."""
    ends_at: AwareDatetime | None = None
    """From when on it is not allowed any more; None for never."""
    scope: Literal["step", "run"] = "step"
    """Of a takeover: whether the person does the step, or completes the run."""
    then: Literal["go_on", "close"] = "go_on"
    """Of a takeover: what becomes of the steps after it."""


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


class PutOff(Record):
    """A person does not want a review before then."""

    by: str
    until: AwareDatetime


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
    """LangGraph's id, for a question of its `interrupt()`."""
    question: Question | None = None
    """What `hitl.ask` asks; None for a proposal, and for LangGraph's own `interrupt()`."""
    by_request: bool = False
    """A program asked for it over HTTP: no graph of ours waits for the answer, the program does."""
    closed_reason: str = ""
    decision: Decision | None = None
    holder: str | None = None
    """Who has claimed it."""
    claim_fence: str | None = None
    claimed_until: AwareDatetime | None = None
    taken_over_at: AwareDatetime | None = None
    """Since when its holder does the work by hand; None while nobody does."""
    handed_to: str | None = None
    """To whom a colleague handed it over; `claim_next` offers it to nobody else."""
    put_off: tuple[PutOff, ...] = ()
    """Who does not want it yet; `claim_next` leaves it out for them."""

    @property
    def is_of_the_end(self) -> bool:
        """Whether it is about a run's output once all steps are committed, not about one step."""
        return self.task_id.startswith(END_TASK)

    @property
    def takeover(self) -> RungOffer | None:
        """The offer to take over, or None."""
        return next((rung for rung in self.rungs if rung.kind is RemedyKind.TAKEOVER), None)
