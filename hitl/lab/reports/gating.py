"""Whether a policy may go live, judged on a gate log: the checks of `hitl policy check --log`."""

from dataclasses import dataclass

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import Estimate
from hitl.lab.log import GateLog
from hitl.lab.reports.replay import Comparison, compare
from hitl.lab.reports.silent import error_rate
from hitl.policy import Checkpoint, EscalationPolicy


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    name: str
    passed: bool
    sentence: str
    bound: float | None = None
    """Upper bound on the error rate, where that is what was checked."""


def check_policy(
    log: GateLog,
    policy: EscalationPolicy,
    *,
    alpha: float,
    delta: float,
    silent_cost: float,
) -> tuple[Check, ...]:
    """Return whether each threshold is still proven on a log, and whether the policy is no worse.

    A threshold is fixed before the log is looked at, so one exact bound on what it would act on is
    its proof. What can't be known doesn't pass.

    Args:
        log: As read; it is checked here.
        policy: The policy in question.
        alpha: Tolerated error rate among steps that act alone, per checkpoint.
        delta: Allowed P(a check passes that should not), each on its own.
        silent_cost: What a silent error costs, in reviews.

    Raises:
        EvidenceRefusal: The log can't be used, or the policy can't be replayed on it.
    """
    found = compare(log, policy, silent_cost=silent_cost, alpha=alpha, delta=2.0 * delta)
    proofs = [
        _threshold(log, checkpoint, alpha=alpha, delta=delta)
        for checkpoint in policy.checkpoints
        if checkpoint.confidence_below is not None and not checkpoint.always
    ]
    return (*proofs, _no_worse(found))


def _threshold(log: GateLog, checkpoint: Checkpoint, *, alpha: float, delta: float) -> Check:
    at = checkpoint.confidence_below
    assert at is not None  # noqa: S101 - asked for where there is one
    name = f"{checkpoint.step}: confidence_below {at:g}"
    steps = [s for s in log.values("step") if checkpoint in _here(checkpoint, s)]
    attempt = log.number("attempt")
    rows = log.where(
        np.isin(log.text("step"), steps)
        & ~log.flag("is_seed")
        & (np.isnan(attempt) | (attempt == 1))
        & (log.number("p") >= at)
    )
    try:
        drawn = rows.flag("asked") | rows.flag("spot_check")
        if len(rows) == 0:
            return Check(
                name,
                passed=True,
                sentence="It acts on no step of this log: there is nothing to prove.",
            )
        estimate, bound = error_rate(rows, drawn, alpha=alpha, delta=delta)
    except EvidenceRefusal as refusal:
        return Check(name, passed=False, sentence=str(refusal))
    return _judged(name, estimate, bound, alpha, delta, int(drawn.sum()))


def _here(checkpoint: Checkpoint, step: str) -> tuple[Checkpoint, ...]:
    alone = EscalationPolicy("alone", checkpoints=[checkpoint])
    return alone.at(step, checkpoint.place)


def _judged(
    name: str, estimate: Estimate, bound: float, alpha: float, delta: float, labels: int
) -> Check:
    sure = f"{1 - delta:.0%} sure, from {labels} labels"
    if bound <= alpha:
        said = f"Proven: at most {bound:.2%} of what it does alone is wrong ({sure})."
        return Check(name, passed=True, sentence=said, bound=bound)
    broken = estimate.low > alpha
    what = "Broken" if broken else "Not proven any more"
    said = (
        f"{what}: {estimate.value:.2%} of what it does alone is wrong, at most {bound:.2%} ({sure});"
        f" {alpha:.2%} is allowed."
    )
    return Check(name, passed=False, sentence=said, bound=bound)


def _no_worse(found: Comparison) -> Check:
    name = "no worse than the live policy"
    cost = found.difference
    told = f"{cost.value:+.1f} reviews per 100 runs ({cost.low:+.1f} to {cost.high:+.1f})"
    if found.refusal:
        return Check(name, passed=False, sentence=found.refusal)
    if not found.changes:
        return Check(
            name, passed=True, sentence="It decides everything in this log as the live policy did."
        )
    if cost.low > 0.0:
        return Check(
            name, passed=False, sentence=f"Worse: it costs {told}, silent errors at their price."
        )
    return Check(
        name, passed=True, sentence=f"Not shown to be worse: {told}, silent errors at their price."
    )
