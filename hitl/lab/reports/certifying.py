"""Which threshold is safe, from a gate log: a proven one, or an honest None."""

from dataclasses import dataclass, replace

import numpy as np

from hitl.errors import EvidenceRefusal
from hitl.lab.autonomy import design_effect
from hitl.lab.certificates import Certificate, certify, certify_with_reviewers
from hitl.lab.columns import Bools
from hitl.lab.log import GateLog, checked

ROUNDING = 1e-11
"""What a policy's threshold is raised by: it asks strictly below, a certificate acts strictly above."""
CLUSTERS = 1.2
"""Design effect from which on rows of one run are too alike to be counted one by one."""


@dataclass(frozen=True, slots=True)
class StepCertificate:
    """What the log proves about one step."""

    step: str
    certificate: Certificate | None
    """None: ask about everything."""
    confidence_below: float | None
    """The threshold as a policy says it; None where nothing is proven, or where no threshold is needed."""
    alpha: float
    delta: float
    labels: int
    """Labels of the coin's sample, which the proof rests on."""
    left_out: int
    """Labels outside it: asked because confidence was low, so no random sample."""
    unanswered: int
    """Drawn without an answer; they count as wrong."""
    policies: tuple[str, ...]
    refusal: str = ""
    warnings: tuple[str, ...] = ()


def coin_sample(log: GateLog) -> Bools:
    """Return the rows that were drawn by the coin: a random sample of all steps, asked ones included.

    One keyed coin is tossed per gate evaluation, also where the step is asked about anyway. Asked
    rows count only when their coin fell below the rate that acting rows are drawn at; with all of
    them in, labels would be dense where confidence is low, and the proof wrong.

    Args:
        log: Rows of one step.

    Raises:
        EvidenceRefusal: Asked rows have no logged coin, so that no random sample can be told.
    """
    acts = ~log.flag("asked")
    rate = float(log.number("propensity_label")[acts].min()) if acts.any() else 1.0
    if rate == 1.0:
        return np.ones(len(log), dtype=np.bool_)
    coin = log.number("coin_u")
    if bool(np.isnan(coin).any()):
        raise EvidenceRefusal(
            "Some rows have no 'coin_u', so the random sample in this log can't be told;"
            " log the coin of every gate evaluation, asked or not."
        )
    drawn: Bools = coin < rate
    return drawn


def certify_log(
    log: GateLog,
    *,
    alpha: float,
    delta: float,
    step: str | None = None,
    sensitivity: float | None = None,
    caught: int = 0,
    shown: int = 0,
) -> tuple[StepCertificate, ...]:
    """Return what a log proves about each step that has confidences, or about one.

    Args:
        log: As read; it is checked here.
        alpha: Tolerated error rate among steps that act alone.
        delta: Allowed P(the threshold exceeds alpha), per step; for a joint claim over m steps, m
            times that.
        step: Only this step.
        sensitivity: A known lower bound of the reviewers' P(deny | wrong); None for the known-answer
            items of the log, and 1.0 with a warning where there are none.
        caught: Known-wrong items that were denied, where the log holds none.
        shown: Known-wrong items that were shown.

    Raises:
        EvidenceRefusal: The log can't be used, mixes policies, or has no such step.
    """
    checked(log)
    work = log.where(~log.flag("is_seed"))
    part = work if step is None else work.only("step", step)
    scored = part.where(~np.isnan(part.number("p")))
    if len(scored) == 0:
        raise EvidenceRefusal("No step of this log has a confidence; there is nothing to certify.")
    known = _known_items(log) if not shown else (caught, shown)
    return tuple(
        _of_step(s, scored.only("step", s), alpha, delta, sensitivity, known)
        for s in scored.values("step")
    )


def _known_items(log: GateLog) -> tuple[int, int]:
    bad = log.flag("is_seed") & (log.number("seed_truth") == 0.0) & (log.text("verdict") != "")
    return int((bad & (log.text("verdict") == "deny")).sum()), int(bad.sum())


def _of_step(
    step: str,
    log: GateLog,
    alpha: float,
    delta: float,
    sensitivity: float | None,
    known: tuple[int, int],
) -> StepCertificate:
    empty = StepCertificate(
        step=step,
        certificate=None,
        confidence_below=None,
        alpha=alpha,
        delta=delta,
        labels=0,
        left_out=0,
        unanswered=0,
        policies=tuple(log.values("policy_hash")),
    )
    try:
        _refuse_mixed(log)
        sample = log.where(coin_sample(log))
        looked = sample.where(sample.flag("asked") | sample.flag("spot_check"))
        labelled = ~np.isnan(log.number("wrong"))
        used = int((~np.isnan(looked.number("wrong"))).sum())
        counted = replace(
            empty,
            labels=used,
            left_out=int(labelled.sum()) - used,
            unanswered=len(looked) - used,
            warnings=tuple(_assumed(looked, sensitivity, known)),
        )
    except EvidenceRefusal as refusal:
        return replace(empty, refusal=str(refusal))
    try:
        found = _proved(looked, alpha, delta, sensitivity, known)
    except EvidenceRefusal as refusal:
        return replace(counted, refusal=str(refusal))
    if found is None:
        why = (
            f"No threshold is proven to keep errors at or below {alpha:.2%}; ask about everything."
        )
        return replace(counted, refusal=why)
    return replace(
        counted,
        certificate=found,
        confidence_below=_as_policy(found.threshold),
        warnings=(*counted.warnings, *found.warnings),
    )


def _refuse_mixed(log: GateLog) -> None:
    for name, what in (("policy_hash", "policies"), ("workflow_version", "workflow versions")):
        found = [value[:12] for value in log.values(name)]
        if len(found) > 1:
            raise EvidenceRefusal(
                f"A certificate is about one version; this log mixes {len(found)} {what}"
                f" ({', '.join(found)}). Choose one."
            )


def _proved(
    sample: GateLog,
    alpha: float,
    delta: float,
    sensitivity: float | None,
    known: tuple[int, int],
) -> Certificate | None:
    if len(sample) == 0:
        raise EvidenceRefusal(
            "No row of this step was drawn by the coin: not identifiable, no spot checks."
            " Set spot_check in the policy."
        )
    p = sample.number("p")
    wrong = np.where(np.isnan(sample.number("wrong")), 1.0, sample.number("wrong"))
    if sensitivity is None and known[1]:
        caught, shown = known
        return certify_with_reviewers(
            p, wrong, alpha=alpha, delta=delta, caught=caught, shown=shown
        )
    s = 1.0 if sensitivity is None else sensitivity
    return certify(p, wrong, alpha=alpha, delta=delta, sensitivity=s)


def _assumed(sample: GateLog, sensitivity: float | None, known: tuple[int, int]) -> list[str]:
    said = []
    if sensitivity is None and not known[1]:
        said.append("Reviewers are taken to miss nothing: no known-answer items measured them.")
    known_rows = sample.where(~np.isnan(sample.number("wrong")))
    if len(known_rows):
        effect = design_effect(known_rows.text("run_key"), known_rows.number("wrong"))
        if effect > CLUSTERS:
            said.append(
                f"Steps of one run err together (design effect {effect:.2f}): the proof counts them"
                " one by one and is too sure of itself."
            )
    if len(sample) and len(sample.values("calibrator")) > 1:
        said.append("The log mixes calibrators; confidences of one don't mean those of another.")
    return said


def _as_policy(threshold: float) -> float | None:
    return None if threshold == -np.inf else min(1.0, threshold + ROUNDING)
