"""A labelled example: what a person, or what came of it later, said about one piece of work."""

from typing import Literal

from pydantic import AwareDatetime, Field, JsonValue

from hitl.models import (
    ConfidenceKind,
    Denial,
    FieldChange,
    JsonObject,
    Place,
    Probability,
    Record,
    RemedyKind,
    Signal,
    Verdict,
    Vouched,
)

Kind = Literal[
    "decision", "spot_check", "rollout", "edit", "takeover", "answer", "outcome", "known_answer"
]
"""Where a label comes from: a review the run waited for; a random look; one of several rollouts; the
version a person put in the step's place; what somebody handed in who took over; a person's answer to
a step's question; what a run led to; an item whose truth was known, which measures the reviewer."""

LabelSource = Literal["human", "outcome"]
"""Who says so. A policy's decision, an expiry included, is no label."""


class ShownEvidence(Record):
    """One piece of evidence as it was shown; of a picture its hash."""

    claim: str
    quote: str = ""
    source: str = ""
    image_sha256: str = ""


class Shown(Record):
    """What the reviewer read beside the proposal."""

    title: str = ""
    why: tuple[str, ...] = ()
    evidence: tuple[ShownEvidence, ...] = ()
    changes: tuple[FieldChange, ...] = ()
    vouched: tuple[Vouched, ...] = ()
    """Unverified earlier steps that a yes covered; for none of them is that a label."""
    denials: tuple[Denial, ...] = ()
    """Earlier noes, which the step had seen when it proposed this."""


class LateOutcome(Record):
    """What became known later of a run that this work led to."""

    id: str
    step: str | None = None
    """The step it is about; None for the run as a whole."""
    good: bool
    known_at: AwareDatetime


class LabelledExample(Record):
    """One label with everything that was known when it was given. Binary first: `label`."""

    id: str
    kind: Kind
    label: bool
    """True for right, or good."""
    label_source: LabelSource
    run_id: str
    run_key: str
    """The customer, or whatever else the unit of clusters is; the run where nothing was said."""
    task_key: str
    """The same for all runs that were given the same input: its SHA-256; the run's id where it is not read."""
    workflow: str
    workflow_version: str
    policy_name: str
    policy_version: str
    policy_hash: str
    step: str
    place: Place | None = None
    """None for an outcome of a whole run."""
    visit: int = 1
    shard: int = 0
    turn: int = 1
    attempt: int = 1
    rollout: int = 0
    """Of several rollouts, which as it was numbered on the page, from 1; 0 for a single proposal."""
    task_id: str = ""
    """LangGraph's task: attempts of one task had the same input."""
    review_id: str | None = None
    decision_id: str | None = None
    gate_id: str | None = None
    position: int | None = None
    """How many steps of this turn that stand were committed before it; None where that is unknown."""
    stands: bool = False
    """Whether this very content was committed and not undone by a rollback."""
    input: JsonObject = Field(default_factory=dict)
    """What is stored of what the step worked on: `run`, what the run was given; `state`, the fields it
    started from; `question`, what it asked."""
    proposal: JsonObject = Field(default_factory=dict)
    """The content that is labelled: for an edit the edited version."""
    elided: int = 0
    """How many parts of the proposal were too large to be stored as shown."""
    shown: Shown = Shown()
    verdict: Verdict | None = None
    reasons: tuple[str, ...] = ()
    note: str = ""
    remedy: RemedyKind | None = None
    correction: JsonValue = None
    """What a person put in the place of a proposal that is labelled wrong."""
    confidence: Probability | None = None
    """As it was shown: P(right)."""
    confidence_kind: ConfidenceKind = ConfidenceKind.UNKNOWN
    reported: Probability | None = None
    """As the step itself said, before any calibration."""
    signals: tuple[Signal, ...] = ()
    reviewer: str = ""
    seconds: float | None = None
    """How long it was looked at; None where nobody measured it."""
    labelled_at: AwareDatetime
    propensity: Probability
    """P(this step would be labelled), by the policy at the time; 1 where it always asks."""
    outcomes: tuple[LateOutcome, ...] = ()
    """What came of runs that went on with this very content."""
    led_here: tuple[str, ...] = ()
    """Of an outcome: ids of the gates of the committed steps that led to it."""

    @property
    def weight(self) -> float:
        """Inverse propensity: for how many steps like it this label stands. 0 where nothing is known."""
        return 1.0 / self.propensity if self.propensity > 0 else 0.0

    @property
    def is_edit(self) -> bool:
        """Whether the content is a person's own, put where a step's was denied."""
        return self.kind in ("edit", "takeover")

    @property
    def reason_seen(self) -> bool:
        """Whether the step had been told why an earlier attempt was denied."""
        return any(denial.reasons or denial.note for denial in self.shown.denials)
