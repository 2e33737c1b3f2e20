"""The gate log, the outcomes and the trail: what every later estimate rests on."""

from typing import Any, Literal

from pydantic import AwareDatetime

from hitl.models.reviews import END_TASK, Signal, StepName, TriggerFired
from hitl.models.words import ConfidenceKind, Covers, Probability, Record


class Opinion(Record):
    """What a critic or a judge said about one try: noisy, never averaged with what labels say."""

    kind: Literal["critic", "judge"]
    name: str
    """The function's name."""
    p: Probability | None = None
    """P(right); None when it gave none."""
    cost: float | None = None
    seconds: float | None = None
    problem: str = ""
    """Why it gave none."""


class Tried(Record):
    """One try of a step before a person is asked."""

    rung: Literal["first", "rollout", "retry", "rollouts"]
    """`rollout`: one of a checkpoint's `rollouts`; the others are of `on_doubt`."""
    p: Probability | None = None
    """What it counts with, opinions taken into account."""
    p_kind: ConfidenceKind = ConfidenceKind.UNKNOWN
    confidence: Probability | None = None
    """As the step reported it."""
    cost: float | None = None
    seconds: float | None = None
    opinions: tuple[Opinion, ...] = ()
    passes: bool = False
    """Whether the gate lets it through."""
    problem: str = ""
    """Why it does not count: it failed."""
    summary: str = ""
    """Its result in one line."""
    rank: float | None = None
    """What the checkpoint's `rank` says; the larger the better."""
    right: bool | None = None
    """The label a person gave it; None for none."""


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
    """Ids of the gates it directly rests on. A run's timeline and the evaluation's columns fill it
    in from the snapshots that are logged here; a stored row leaves it empty."""
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
    checkpoint: str = ""
    """The checkpoint in the lead, as the policy names it; the step's path where none counts."""
    threshold: float | None = None
    action: Literal["act", "ask"]
    """What the policy says; in shadow mode it is only logged."""
    shadow: bool = False
    """True in shadow mode: with `action="ask"` a person would have been asked, and nobody was."""
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
    tried: tuple[Tried, ...] = ()
    """What the step did before a person was asked, the first try included; empty without doubt."""
    chosen: int = 0
    """Which of `tried` this row is about."""
    settled_by: str = ""
    """What came of it, in sentences."""
    committed_at: AwareDatetime | None = None
    """When the step's writes were committed; None while withheld, denied or stopped."""
    verified: bool = False
    """True when a person's yes, or a person's answer, committed it."""
    done_by: Literal["step", "person"] = "step"
    """`person`: somebody took over, and what was committed is their own work."""
    is_label: bool = True
    """False when a no says nothing of whether the step was wrong: a takeover without a reason."""
    undone_at: AwareDatetime | None = None
    superseded_by: str | None = None
    """The decision whose rollback undid it."""

    @property
    def resets(self) -> bool:
        """Whether a person's yes to it covered everything since the reset before."""
        return self.verified and self.covers is Covers.SINCE_RESET

    @property
    def is_of_the_end(self) -> bool:
        """Whether it is the gate at a run's end, which adds no step."""
        return self.task_id.startswith(END_TASK)


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
    personal: dict[str, Any] | None = None
    """What it says about people, with the salt of its digest in `body`; None once it is erased."""

    @property
    def told(self) -> dict[str, Any]:
        """All that is known of what happened: the body, and what it says about people."""
        return {**self.body, **(self.personal or {})}
