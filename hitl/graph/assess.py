"""From a proposal to the policy's verdict, frozen: the gate row, the review, what a yes would cover."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hitl.graph.accuracy import StepAccuracy
from hitl.graph.context import Report
from hitl.graph.coverage import unverified
from hitl.graph.effects import was_denied
from hitl.graph.task import Attempt, Ran, called
from hitl.graph.view import one_line
from hitl.ids import new_id
from hitl.models import (
    ConfidenceKind,
    Covers,
    GateRow,
    JsonObject,
    Opinion,
    Signal,
    TriggerFired,
    Vouched,
)
from hitl.policy import Escalate, GateFacts, Pass, Reviewer, coin, gate
from hitl.policy.doubt import counted
from hitl.reliability import Standing, Write, fold_child, log_probability, reset_value
from hitl.spent import NOTHING, Spent


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the policy said about one attempt, and everything it said it on."""

    row: GateRow
    verdict: Pass | Escalate
    write: Write
    """What the step adds to the standing when it is committed unreviewed."""
    view: JsonObject
    elided: int
    said: Report
    vouched: tuple[Vouched, ...] = ()
    """With `covers="since_reset"`: the unverified steps a yes covers besides this one."""
    yes: Write | None = None
    """What a yes adds to the standing instead; None for a step that passes."""
    own: Write | None = None
    """What a person's own answer adds instead; None for a step that passes."""
    reset_to: float = 1.0
    choices: int = 0
    """How many alternatives are shown, this one included; 0 for this one alone."""


def assess(
    attempt: Attempt,
    view: JsonObject,
    elided: int,
    *,
    ran: Ran | None = None,
    said: Report | None = None,
    opinions: Sequence[Opinion] = (),
    other_cost: float = 0.0,
    held: Escalate | None = None,
) -> Assessment:
    """Return the policy's verdict on an attempt, with the gate row that records it.

    Args:
        attempt: Which attempt of which step.
        view: The proposal as it is shown.
        elided: How many parts the view leaves out.
        ran: What the body did; None for a gate before it.
        said: What the body reported.
        opinions: What critics and judges said about it.
        other_cost: What other tries of the same attempt cost.
        held: Why a person is asked although this try alone would pass; None to let it.
    """
    said = said or Report()
    task = attempt.task
    session, wiring = task.session, task.session.wiring
    accuracy = _accuracy(attempt, ran, said, opinions)
    total = _total(cost(attempt, said), other_cost)
    write = _passing_write(attempt, accuracy, ran, total)
    after = task.standing.then(write)
    spent = after.spent
    u = coin(
        wiring.secret,
        run_id=session.run.id,
        branch=session.run.branch,
        name=attempt.name,
        attempt=attempt.number,
    )
    verdict = gate(
        wiring.policy,
        GateFacts(
            name=attempt.name,
            attempt=attempt.number,
            p=accuracy.p,
            p_kind=accuracy.kind,
            confidence=said.confidence,
            before=task.standing,
            arguments=view,
            coin_u=u,
            run_spot_check=session.run.full_spot_check,
            calls=called(task.state),
            unverified=after.unverified,
            spent=spent,
            seconds=spent.seconds(wiring.clock().timestamp()),
        ),
    )
    if was_denied(attempt, view):
        verdict = _again(verdict)
    if held is not None and isinstance(verdict, Pass):
        verdict = replace(held, coin_rate=verdict.coin_rate)
    logged = replace(said, cost=total, signals=[*said.signals, *map(_signal, opinions)])
    row = _row(attempt, view, logged, accuracy, verdict, after, u, ran)
    if wiring.shadow:
        row = _unasked(row)
    return _with_coverage(attempt, Assessment(row, verdict, write, view, elided, said))


def _again(verdict: Pass | Escalate) -> Escalate:
    """Return the verdict on an effect that a person denied before: it never passes unseen."""
    sentence = "A person denied this very effect before in this run."
    asked = verdict.triggers if isinstance(verdict, Escalate) else ()
    return Escalate(
        triggers=(*asked, TriggerFired(kind="retry", sentence=sentence)),
        covers=verdict.covers if isinstance(verdict, Escalate) else Covers.STEP,
        coin_rate=verdict.coin_rate,
        propensity_label=1.0,
        threshold=verdict.threshold,
        checkpoint=verdict.checkpoint,
    )


def _accuracy(
    attempt: Attempt, ran: Ran | None, said: Report, opinions: Sequence[Opinion]
) -> StepAccuracy:
    own = _own_accuracy(attempt, ran, said)
    p, kind = counted(own.p, own.kind, opinions)
    return own if kind is own.kind else StepAccuracy(p, kind)


def _own_accuracy(attempt: Attempt, ran: Ran | None, said: Report) -> StepAccuracy:
    found = attempt.task.session.wiring.accuracy.of(attempt.name.step, said.confidence)
    if found.p is None and ran is not None and ran.child is not None and ran.child.unknown == 0:
        return StepAccuracy(ran.child.reliability, ConfidenceKind.COMPOUND)
    return found


def _passing_write(
    attempt: Attempt, accuracy: StepAccuracy, ran: Ran | None, total: float | None
) -> Write:
    step = attempt.task.facts.step
    spent = _spent(attempt, total)
    if ran is not None and ran.child is not None:
        inside = fold_child(ran.child, step, through=attempt.task.through)
        return replace(inside, spent=inside.spent.plus(spent))
    if accuracy.p is None:
        return Write(step=step, unknown=1, spent=spent)
    return Write(step=step, log_p=log_probability(accuracy.p), spent=spent)


def _spent(attempt: Attempt, total: float | None) -> Spent:
    """Return what the step itself spent; steps inside a child graph count for themselves."""
    task = attempt.task
    effects = task.session.wiring.policy.effects_of(attempt.name.step, calls=called(task.state))
    return Spent(total or 0.0, effects, task.began.timestamp())


def _total(own: float | None, others: float) -> float | None:
    return own if not others else (own or 0.0) + others


def _signal(said: Opinion) -> Signal:
    took = "" if said.seconds is None or said.seconds < 0.05 else f"{said.seconds:.1f} s"
    costs = "" if said.cost is None else f"cost {said.cost:g}"
    detail = ", ".join(part for part in (said.problem, took, costs) if part)
    return Signal(name=f"{said.kind} {said.name}", kind="noisy", score=said.p, detail=detail)


def cost(attempt: Attempt, said: Report) -> float | None:
    """Return what an attempt cost: as it reported, else as its checkpoints declare; None for unknown."""
    declared = (c.step_cost for c in attempt.checkpoints if c.step_cost is not None)
    return said.cost if said.cost is not None else next(declared, None)


def _row(
    attempt: Attempt,
    view: JsonObject,
    said: Report,
    accuracy: StepAccuracy,
    verdict: Pass | Escalate,
    after: Standing,
    u: float,
    ran: Ran | None,
) -> GateRow:
    task, wiring = attempt.task, attempt.task.session.wiring
    run, facts, now = task.session.run, task.facts, wiring.clock()
    here, asked = verdict.checkpoint, isinstance(verdict, Escalate)
    return GateRow(
        id=new_id("gate", now),
        run_id=run.id,
        turn=run.turn,
        run_key=run.id,
        workflow=wiring.workflow,
        workflow_version=wiring.version,
        name=attempt.name,
        attempt=attempt.number,
        branch=run.branch,
        step_index=facts.step,
        checkpoint_id=facts.checkpoint_id,
        root_checkpoint_id=facts.root_checkpoint_id,
        task_id=facts.task_id,
        ts=now,
        confidence=said.confidence,
        confidence_kind=accuracy.kind,
        p=accuracy.p,
        calibrator=accuracy.calibrator,
        calibrator_cutoff=accuracy.cutoff,
        reliability_before=task.standing.reliability,
        reliability_after=after.reliability,
        unknown_steps=after.unknown,
        policy_hash=wiring.policy_hash,
        policy_name=wiring.policy.name,
        policy_version=wiring.policy.version,
        checkpoint=here.step,
        threshold=verdict.threshold,
        action="ask" if asked else "act",
        triggers=verdict.triggers,
        propensity_ask=1.0 if asked else 0.0,
        propensity_label=verdict.propensity_label,
        coin_u=u,
        coin_rate=verdict.coin_rate,
        coin_key_id=wiring.key_id,
        audit_stratum=f"{wiring.policy.name}/{attempt.name.step}/{attempt.place}",
        spot_check=isinstance(verdict, Pass) and verdict.spot_check,
        summary=one_line(view.get("update", view)),
        signals=tuple(said.signals),
        step_seconds=ran.seconds if ran is not None else None,
        step_cost=said.cost,
        rework_cost=here.rework_cost,
        silent_error_cost=here.silent_error_cost,
        reversible=here.reversible,
        committed_at=None if asked else now,
    )


def _unasked(row: GateRow) -> GateRow:
    """Return the row of a gate in shadow mode: it commits, and only the coin gives it a label."""
    assert row.coin_u is not None  # noqa: S101 - every gate draws
    said = {
        "shadow": True,
        "committed_at": row.ts,
        "propensity_label": row.coin_rate,
        "spot_check": row.coin_u < row.coin_rate,
    }
    return row.model_copy(update=said)


# -- what a yes covers --------------------------------------------------------------------------


def _with_coverage(attempt: Attempt, found: Assessment) -> Assessment:
    if not isinstance(found.verdict, Escalate):
        return found
    wanted = found.verdict.covers
    covers = wanted if attempt.task.sees_prefix() else Covers.STEP
    if attempt.task.session.wiring.shadow:  # nobody will vouch, and nothing is ever reset
        return replace(found, row=found.row.model_copy(update={"covers": covers}))
    vouched = unverified(attempt) if covers is Covers.SINCE_RESET else ()
    spent = found.write.spent
    yes = yes_write(attempt, found.row.p, covers, [v.p for v in vouched], spent=spent)
    return replace(
        found,
        row=found.row.model_copy(update={"covers": covers}),
        vouched=vouched,
        yes=yes,
        own=yes_write(attempt, found.row.p, Covers.STEP, (), spent=spent),
        reset_to=attempt.task.standing.then(yes).reliability,
    )


def yes_write(
    attempt: Attempt,
    p: float | None,
    covers: Covers,
    prefix: Sequence[float | None],
    *,
    spent: Spent,
) -> Write:
    """Return what a yes adds to the standing.

    Each covered step counts with its posterior p t / (p t + (1 - p)(1 - s)). With a reviewer that
    is not assumed perfect, a step of unknown p stays unknown.

    Args:
        attempt: What was approved.
        p: The step's own p.
        covers: What the page showed.
        prefix: p of the earlier steps it covers.
        spent: What the step spent; a yes to everything since the last reset starts anew at nothing.
    """
    log_p, unknown = _posterior([p, *prefix], attempt.task.session.wiring.policy.reviewer)
    whole = covers is Covers.SINCE_RESET
    return Write(
        step=attempt.task.facts.step,
        log_p=log_p,
        unverified=0,
        unknown=unknown,
        reset=whole,
        through=whole and attempt.task.through,
        spent=NOTHING if whole else spent,
    )


def _posterior(covered: Sequence[float | None], reviewer: Reviewer | None) -> tuple[float, int]:
    """Return (sum of the log posteriors, how many stay unknown); (0, 0) for a perfect reviewer."""
    if reviewer is None:
        return 0.0, 0
    known = [p for p in covered if p is not None]
    values = (reset_value(p, reviewer.sensitivity, reviewer.specificity) for p in known)
    return sum(log_probability(v) for v in values), len(covered) - len(known)


def frozen_facts(found: Assessment, *, answers: int, handed_off: bool) -> JsonObject:
    """Return what must not be recomputed when the step is executed again.

    What a yes adds is among it: the page said what reliability it leads to, under the policy that
    asked. So is what their own answer adds, which vouches for this step alone.
    """
    assert found.yes is not None  # noqa: S101 - a person is asked
    assert found.own is not None  # noqa: S101
    return {
        "yes": {**found.yes.dump()},
        "own": {**found.own.dump()},
        "answers": answers,
        "handed_off": handed_off,
    }


def thawed_write(meta: JsonObject, said: Literal["yes", "own"]) -> Write:
    """Return what a yes, or the person's own answer, adds: as frozen when the question was asked."""
    kept = meta[said]
    assert isinstance(kept, dict)  # noqa: S101 - our own dump
    return Write.load(kept)
