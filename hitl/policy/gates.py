"""The question asked at a gate: pass, or escalate to a person.

All triggers that fire are recorded, each as a sentence for the reviewer. Anything that cannot be
known is a reason to ask, never a reason to pass.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from hitl.models import ConfidenceKind, Covers, JsonObject, Place, StepName, TriggerFired
from hitl.policy.checkpoint import Checkpoint
from hitl.policy.escalation import EscalationPolicy
from hitl.policy.functions import Function, reference, resolve
from hitl.policy.times import format_duration
from hitl.reliability import Standing
from hitl.spent import NOTHING, Spent

_ROUNDING = 1e-12
"""Far below any threshold a person writes: .9 * .9 is not below .81."""
_LONGEST_SENTENCE = 400


@dataclass(frozen=True, slots=True)
class GateFacts:
    """All that a gate looks at."""

    name: StepName
    attempt: int
    """nth try within the visit, from 1."""
    p: float | None
    """P(this step is right), in [0, 1]; None when nothing is known."""
    p_kind: ConfidenceKind
    confidence: float | None
    """As the step reported it; None when it reported nothing."""
    before: Standing
    """The run's standing before this step."""
    arguments: JsonObject
    """The proposal's view, for rules."""
    coin_u: float
    """This evaluation's draw, in [0, 1)."""
    run_spot_check: bool
    """Whether every step of this run is spot-checked."""
    calls: tuple[str, ...] = ()
    """Names of the tools the proposal would call."""
    unverified: int = 1
    """How many steps nobody verified since the last reset, this one included."""
    spent: Spent = NOTHING
    """What was spent since the last reset, this step included."""
    seconds: float = 0.0
    """Wall time since the last reset."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Go on without a person."""

    triggers: tuple[TriggerFired, ...]
    """Empty, or the spot check."""
    spot_check: bool
    """Whether a label is wanted although nobody is asked."""
    coin_rate: float
    propensity_label: float
    """P(a label is asked for), in [0, 1], given everything but the coin."""
    threshold: float | None
    """The `confidence_below` that was in force; None for none."""
    checkpoint: Checkpoint
    """What a spot check's review is presented by."""


@dataclass(frozen=True, slots=True)
class Escalate:
    """Ask a person."""

    triggers: tuple[TriggerFired, ...]
    """All that fired, at least one."""
    covers: Covers
    """What a yes will vouch for."""
    coin_rate: float
    propensity_label: float
    """1.0: a label is asked for whatever the coin says."""
    threshold: float | None
    """The `confidence_below` that was in force; None for none."""
    checkpoint: Checkpoint
    """What the review is presented by, and whose remedies follow a no."""


class _Fired(NamedTuple):
    trigger: TriggerFired
    about_run: bool = False
    """Whether the run so far is the reason, not this step alone."""


def gate(policy: EscalationPolicy, facts: GateFacts) -> Pass | Escalate:
    """Return whether this step may go on, with every reason it may not.

    Deterministic in `policy` and `facts`. An unasked step is spot-checked when its coin is below the
    largest rate among the policy's and its checkpoints'; 1.0 when the whole run is.
    """
    here = policy.applying(facts.name.step, facts.name.place, calls=facts.calls)
    fired = tuple(_fired(policy, here, facts))
    rates = [policy.spot_check, *(c.spot_check for c in here if c.spot_check is not None)]
    rate = 1.0 if facts.run_spot_check else max(rates)
    thresholds = [c.confidence_below for c in here if c.confidence_below is not None]
    threshold = max(thresholds, default=None)
    checkpoint = here[0] if here else plain(facts.name.step, facts.name.place)
    if fired:
        return Escalate(
            triggers=tuple(dict.fromkeys(each.trigger for each in fired)),
            covers=checkpoint.covers or _covers(fired),
            coin_rate=rate,
            propensity_label=1.0,
            threshold=threshold,
            checkpoint=checkpoint,
        )
    drawn = facts.coin_u < rate
    return Pass(
        triggers=(_spot_check(facts, rate),) if drawn else (),
        spot_check=drawn,
        coin_rate=rate,
        propensity_label=rate,
        threshold=threshold,
        checkpoint=checkpoint,
    )


@lru_cache(maxsize=1024)
def plain(step: str, place: Place) -> Checkpoint:
    """Return the checkpoint of a step for which none counts."""
    return Checkpoint(step, place=Place.BEFORE if place is Place.BEFORE else Place.AFTER)


def _covers(fired: Sequence[_Fired]) -> Covers:
    return Covers.SINCE_RESET if any(each.about_run for each in fired) else Covers.STEP


def _fired(
    policy: EscalationPolicy, here: Sequence[Checkpoint], facts: GateFacts
) -> Iterator[_Fired]:
    for checkpoint in here:
        if checkpoint.always:
            yield _Fired(TriggerFired(kind="always", sentence="This checkpoint always asks."))
        yield from _confidence(checkpoint.confidence_below, facts)
        yield from _reliability(checkpoint.reliability_below, facts)
        yield from _unknown_run(checkpoint.reliability_below, facts)
        if checkpoint.rule is not None:
            yield from _rule(checkpoint.rule, facts.arguments)
        yield from _since_reset(checkpoint, facts)
    yield from _reliability(policy.reliability_below, facts)
    if facts.attempt > 1:
        sentence = f"Attempt {facts.attempt}, after a no."
        yield _Fired(TriggerFired(kind="retry", sentence=sentence, value=float(facts.attempt)))


def _confidence(threshold: float | None, facts: GateFacts) -> Iterator[_Fired]:
    if threshold is None:
        return
    if facts.p is None:
        sentence = f"No confidence was reported; this checkpoint asks below {_shown(threshold)}."
        yield _Fired(TriggerFired(kind="unknown", sentence=sentence, threshold=threshold))
    elif _below(facts.p, threshold):
        yield _Fired(
            TriggerFired(
                kind="confidence",
                sentence=f"Confidence {_beside(facts.p, threshold)}.",
                value=facts.p,
                threshold=threshold,
            )
        )


def _reliability(threshold: float | None, facts: GateFacts) -> Iterator[_Fired]:
    now = _reliability_now(facts)
    if threshold is not None and _below(now, threshold):
        fired = TriggerFired(
            kind="reliability",
            sentence=f"Reliability {_beside(now, threshold)}.",
            value=now,
            threshold=threshold,
        )
        yield _Fired(fired, about_run=True)


def _unknown_run(threshold: float | None, facts: GateFacts) -> Iterator[_Fired]:
    """Ask where the known steps alone are good enough, but not all steps are known."""
    unknown = facts.before.unknown + (facts.p is None)
    if threshold is None or not unknown or _below(_reliability_now(facts), threshold):
        return
    steps = "1 step has" if unknown == 1 else f"{unknown} steps have"
    sentence = f"{steps} no known accuracy; this checkpoint asks below {_shown(threshold)}."
    fired = TriggerFired(kind="unknown", sentence=sentence, threshold=threshold)
    yield _Fired(fired, about_run=True)


def _reliability_now(facts: GateFacts) -> float:
    return facts.before.reliability * (1.0 if facts.p is None else facts.p)


def _rule(rule: Function, arguments: JsonObject) -> Iterator[_Fired]:
    name = reference(rule).rpartition(":")[2]
    try:
        said = resolve(rule)(deepcopy(arguments))
        sentence = said if isinstance(said, str) else f"Rule {name!r} asks." if said else ""
    except Exception as problem:
        sentence = (
            f"Rule {name!r} failed ({type(problem).__name__}: {problem}), so a person is asked."
        )
    if sentence:
        yield _Fired(TriggerFired(kind="rule", sentence=sentence[:_LONGEST_SENTENCE]))


def _since_reset(checkpoint: Checkpoint, facts: GateFacts) -> Iterator[_Fired]:
    """Ask where the run went on for too long, in one of four ways, without a covering yes."""
    spent = facts.spent
    if checkpoint.every is not None and facts.unverified >= checkpoint.every:
        sentence = f"{_many(facts.unverified, 'unverified step')} since the last reset; this checkpoint asks at {checkpoint.every}."
        yield _too_long("every", sentence, facts.unverified, checkpoint.every)
    if checkpoint.cost_above is not None and spent.cost > checkpoint.cost_above:
        sentence = f"Cost {spent.cost:g} since the last reset is above {checkpoint.cost_above:g}."
        yield _too_long("cost", sentence, spent.cost, checkpoint.cost_above)
    if checkpoint.time_above is not None and facts.seconds > checkpoint.time_above.total_seconds():
        gone = format_duration(timedelta(seconds=round(facts.seconds, 1)))
        sentence = f"{gone} since the last reset is above {format_duration(checkpoint.time_above)}."
        yield _too_long("time", sentence, facts.seconds, checkpoint.time_above.total_seconds())
    if checkpoint.effects_above is not None and spent.effects > checkpoint.effects_above:
        sentence = f"{_many(spent.effects, 'side effect')} since the last reset; this checkpoint asks above {checkpoint.effects_above}."
        yield _too_long("effects", sentence, spent.effects, checkpoint.effects_above)


def _too_long(
    kind: Literal["every", "cost", "time", "effects"], sentence: str, value: float, limit: float
) -> _Fired:
    fired = TriggerFired(kind=kind, sentence=sentence, value=float(value), threshold=float(limit))
    return _Fired(fired, about_run=True)


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _spot_check(facts: GateFacts, rate: float) -> TriggerFired:
    if facts.run_spot_check:
        sentence = "Spot check: every step of this run is looked at."
    else:
        sentence = f"Spot check: {rate:.3g} of the steps nobody asks about are looked at."
    return TriggerFired(kind="spot_check", sentence=sentence, value=facts.coin_u, threshold=rate)


def _below(value: float, threshold: float) -> bool:
    return value < threshold - _ROUNDING


def _shown(threshold: float) -> str:
    """Return a threshold as it was written, with at least two decimals."""
    two = f"{threshold:.2f}"
    return two if float(two) == threshold else repr(threshold)


def _beside(value: float, threshold: float) -> str:
    """Return "0.71 is below 0.90", with as many decimals as it takes to look true."""
    digits = (d for d in range(2, 14) if float(f"{value:.{d}f}") < threshold)
    return f"{value:.{next(digits, 14)}f} is below {_shown(threshold)}"
