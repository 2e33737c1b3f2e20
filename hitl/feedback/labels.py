"""Which decisions are labels, and of what. Values in, values out."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import JsonValue

from hitl.canonical import sha256_hex
from hitl.feedback.examples import Kind, LabelledExample, LateOutcome, Shown, ShownEvidence
from hitl.models import (
    DecidedBy,
    Decision,
    GateRow,
    JsonObject,
    Place,
    Presentation,
    RemedyKind,
    Review,
    RungOffer,
    Verdict,
)

NOT_WRONG = ("not now", "use your judgement")
"""Reasons for a deny that say nothing of whether the proposal was wrong, whatever the policy."""

LeftOut = Literal[
    "policy decided",
    "judgement",
    "not wrong",
    "takeover without a reason",
    "no label",
    "no gate row",
]
"""Why a decision is no label."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What the examples of one run have in common."""

    task_key: str
    input: JsonValue = None
    """What the run's latest turn was given; None where it is not known."""
    turn: int = 1
    positions: Mapping[str, int] = field(default_factory=dict)
    """Per gate id; see `LabelledExample.position`."""
    outcomes: Mapping[str, tuple[LateOutcome, ...]] = field(default_factory=dict)
    """Per gate id, what the committed step led to."""


def examples_of(
    gate: GateRow | None,
    review: Review,
    context: RunContext,
    *,
    not_wrong: Collection[str] = (),
    left_out: Counter[str] | None = None,
) -> Iterator[LabelledExample]:
    """Yield what a review's decision labels; nothing where it labels nothing.

    Args:
        gate: The gate evaluation that opened it; without one no label has a propensity.
        review: With its decision.
        context: Of its run.
        not_wrong: Reasons that do not mean wrong, besides `NOT_WRONG`; case does not count.
        left_out: Counts, by reason, the decisions that are no label.
    """
    found: list[LabelledExample] = []
    why: LeftOut | None = "no label"
    decision = review.decision
    if decision is None:
        return
    if decision.made_by is not DecidedBy.PERSON:
        why = "policy decided"
    elif decision.remedy is RemedyKind.JUDGEMENT:
        why = "judgement"
    elif gate is None:
        why = "no gate row"
    else:
        right, why = _verdict(gate, decision, not_wrong)
        found = list(_labelled(Sources(gate, review, decision, context), right=right))
    if left_out is not None and not found:
        left_out[why or "no label"] += 1
    yield from found


def _verdict(
    gate: GateRow, decision: Decision, not_wrong: Collection[str]
) -> tuple[bool | None, LeftOut | None]:
    """Return whether the proposal is right, None for unknown, and why it is unknown."""
    if decision.verdict is Verdict.APPROVE:
        return True, None
    if not gate.is_label or (decision.remedy is RemedyKind.TAKEOVER and not decision.reasons):
        return None, "takeover without a reason"
    aside = {reason.casefold() for reason in (*NOT_WRONG, *not_wrong)}
    if decision.reasons and all(each.casefold() in aside for each in decision.reasons):
        return None, "not wrong"
    return False, None


@dataclass(frozen=True, slots=True)
class Sources:
    """The records one decision's examples are made of."""

    gate: GateRow
    review: Review
    decision: Decision
    context: RunContext

    def example(
        self, kind: Kind, proposal: JsonObject, *, label: bool, suffix: str = "", **more: Any
    ) -> LabelledExample:
        """Return one example of this decision.

        Args:
            kind: What it is.
            proposal: The labelled content.
            label: True for right.
            suffix: Tells it apart from other examples of the review.
            more: Fields that differ from what the records say.
        """
        gate, review, decision = self.gate, self.review, self.decision
        whole = "known_answer" if gate.is_seed else kind
        facts = {**_names(gate, review), **_said(decision), **_seen(review, gate)}
        stands = bool(more.pop("stands", False)) and gate.undone_at is None
        return LabelledExample(
            id=f"{review.id}{suffix}",
            kind=whole,
            label=label,
            label_source="human",
            task_key=self.context.task_key,
            position=self.context.positions.get(gate.id),
            stands=stands,
            input=_input(self),
            proposal=proposal,
            propensity=gate.propensity_label,
            outcomes=self.context.outcomes.get(gate.id, ()) if stands else (),
            **(facts | more),
        )


def _labelled(of: Sources, *, right: bool | None) -> Iterator[LabelledExample]:
    review, decision = of.review, of.decision
    committed = of.gate.committed_at is not None
    if review.name.place is Place.QUESTION:
        if decision.has_answer:
            yield of.example("answer", {"answer": decision.answer}, label=True, stands=True)
        return
    if right and review.presentation.choices:
        yield from _rollouts(of)
        return
    if right is not None:
        yield of.example(
            "decision" if review.blocking else "spot_check",
            single(review),
            label=right,
            stands=committed and (right or not review.blocking),
            rollout=1 if review.presentation.choices else 0,
            correction=decision.answer if decision.has_answer and not right else None,
        )
    own = _own_work(review, decision)
    if own is not None:
        kind: Kind = "takeover" if decision.remedy is RemedyKind.TAKEOVER else "edit"
        nothing_told = {"confidence": None, "confidence_kind": "unknown", "reported": None}
        content = {**single(review), "update": own}
        yield of.example(
            kind, content, label=True, suffix=":own", stands=committed, elided=0, **nothing_told
        )


def _rollouts(of: Sources) -> Iterator[LabelledExample]:
    """Yield the rollouts of one review that were labelled: the chosen one is right."""
    said: Any = of.decision.answer if isinstance(of.decision.answer, dict) else {}
    chosen = int(said.get("choice", 1))
    label = dict.fromkeys(said.get("wrong", ()), False) | dict.fromkeys(said.get("right", ()), True)
    label[chosen] = True
    for number, content, told in alternatives(of.review):
        if number in label:
            yield of.example(
                "rollout",
                content,
                label=label[number],
                suffix=f":{number}",
                rollout=number,
                stands=number == chosen and of.gate.committed_at is not None,
                **told,
            )


def single(review: Review) -> JsonObject:
    """Return what was proposed first, without its alternatives."""
    return {k: v for k, v in review.proposal.arguments.items() if not _is_choices(review, k)}


def _is_choices(review: Review, key: str) -> bool:
    return key == "alternatives" and review.presentation.choices > 0


def alternatives(review: Review) -> Iterator[tuple[int, JsonObject, dict[str, Any]]]:
    """Yield (number on the page, content, what else is known of it) of each rollout shown."""
    yield 1, single(review), {}
    others: Any = review.proposal.arguments.get("alternatives", [])
    for other in others if isinstance(others, list) else []:
        if isinstance(other, dict) and "number" in other:
            content = {k: v for k, v in other.items() if k not in ("number", "p")}
            yield other["number"], content, {"confidence": other.get("p"), "reported": None}


def _own_work(review: Review, decision: Decision) -> JsonValue:
    """Return what a person put in the place of the step's writes; None for nothing.

    Before a step there is nothing it could stand in for: what is proposed there is an input.
    """
    offer: RungOffer | None = review.takeover
    whole_run = (
        decision.remedy is RemedyKind.TAKEOVER and offer is not None and offer.scope == "run"
    )
    denied = decision.verdict is Verdict.DENY and decision.has_answer
    if not denied or whole_run or review.name.place is not Place.AFTER:
        return None
    return decision.answer


def _names(gate: GateRow, review: Review) -> dict[str, Any]:
    name = review.name
    return {
        "run_id": gate.run_id,
        "run_key": gate.run_key,
        "workflow": review.workflow,
        "workflow_version": review.workflow_version,
        "policy_name": review.policy_name,
        "policy_version": review.policy_version,
        "policy_hash": gate.policy_hash,
        "step": name.step,
        "place": name.place,
        "visit": name.visit,
        "shard": name.shard,
        "turn": gate.turn,
        "attempt": review.attempt,
        "task_id": review.task_id,
        "review_id": review.id,
        "gate_id": gate.id,
    }


def _said(decision: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision.decision_id,
        "verdict": decision.verdict,
        "reasons": decision.reasons,
        "note": decision.note,
        "remedy": decision.remedy,
        "reviewer": decision.by,
        "seconds": None if decision.shown_ms is None else decision.shown_ms / 1000.0,
        "labelled_at": decision.decided_at,
    }


def _seen(review: Review, gate: GateRow) -> dict[str, Any]:
    page = review.presentation
    return {
        "elided": review.proposal.elided,
        "shown": _page(page),
        "confidence": page.confidence,
        "confidence_kind": page.confidence_kind,
        "reported": gate.confidence,
        "signals": page.signals,
    }


def _page(page: Presentation) -> Shown:
    evidence = tuple(
        ShownEvidence(
            claim=each.claim,
            quote=each.quote,
            source=each.source,
            image_sha256=sha256_hex(each.image_png) if each.image_png else "",
        )
        for each in page.evidence
    )
    return Shown(
        title=page.title,
        why=page.why,
        evidence=evidence,
        changes=page.changes,
        vouched=page.vouched,
        denials=page.denials,
    )


def _input(of: Sources) -> JsonObject:
    review, found = of.review, JsonObject()
    if of.context.input is not None and of.gate.turn == of.context.turn:
        found["run"] = of.context.input
    if review.name.place is Place.QUESTION:
        found["question"] = review.proposal.arguments
        return found
    state = _state(review.presentation)
    return {**found, "state": state} if state else found


def _state(page: Presentation) -> JsonObject:
    """Return what is kept of the state before the step: all of it, or the fields it changes."""
    if page.workspace is not None:
        return page.workspace.values
    return {c.field: c.before for c in page.changes if not c.appends and c.before is not None}
