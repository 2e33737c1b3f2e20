"""A candidate policy on the log of another: which decisions would change, and what that would cost.

Row by row, and per run up to where the log can tell: it assumes that the candidate doesn't change
later inputs. That fails from the first row on that was denied and that the candidate lets pass;
such rows are counted. Reliability is as logged until the two policies part, from there on it is
reckoned along the run.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators import Estimate
from hitl.lab.log import GateLog, checked
from hitl.lab.reports.silent import SilentErrors, error_rate, silent_errors
from hitl.models import ConfidenceKind, Covers, Place, StepName
from hitl.policy import Checkpoint, Escalate, EscalationPolicy, GateFacts, gate
from hitl.reliability import Standing, log_probability, reset_value

AS_LOGGED = {
    "rule": "rule",
    "every": "every",
    "cost_above": "cost",
    "time_above": "time",
    "effects_above": "effects",
}
"""Keys whose trigger rests on what the log does not hold, and the trigger they fire."""


@dataclass(frozen=True, slots=True)
class Change:
    """One decision the candidate takes otherwise."""

    id: str
    run_id: str
    step: str
    visit: int
    asks: bool
    """Whether the candidate asks where nobody was asked; else it lets pass what was asked about."""
    why: str
    """The candidate's reason to ask; empty when it lets pass."""
    p: float | None
    wrong: bool | None
    """The label, where there is one."""
    cost: float
    """Expected cost of the change in review costs; negative is a saving."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The candidate beside the policy that was live."""

    candidate: str
    candidate_hash: str
    rows: int
    asked_live: int
    asked_candidate: int
    newly_asked: int
    no_longer_asked: int
    caught_more: int
    """Labelled wrong steps the candidate asks about, and nobody was asked."""
    let_pass: int
    """Labelled wrong steps it would no longer ask about."""
    live: SilentErrors
    estimate: Estimate | None
    """P(wrong | the candidate acts); None with `refusal`."""
    bound: float | None
    of_all_steps: float | None
    """P(the candidate acts, and wrong), as a share of all steps."""
    refusal: str
    beyond: int
    """Rows after a denied row that the candidate lets pass: their inputs would be others."""
    silent_cost: float
    difference: Estimate
    """What it costs more per 100 runs, in reviews, silent errors at their price; negative is a
    saving. Runs are the unit; the normal interval."""
    changes: tuple[Change, ...]
    """Most costly first."""
    warnings: tuple[str, ...]


def compare(
    log: GateLog,
    candidate: EscalationPolicy,
    *,
    silent_cost: float,
    alpha: float = 0.05,
    delta: float = 0.05,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Return what a candidate policy would have done on a log.

    Args:
        log: As read; it is checked here. First attempts only enter: later ones follow from a no.
        candidate: The policy in question.
        silent_cost: What a wrong step that passes costs, in reviews; a row's own cost goes before.
        alpha: The error rate that the advice on missing spot checks aims at.
        delta: Allowed P(an interval misses).
        progress: Called with (rows done, in all).

    Raises:
        EvidenceRefusal: The log can't be used, or the candidate can't be replayed on it.
    """
    warnings = [*checked(log), *_unreplayable(candidate, log)]
    attempt = log.number("attempt")
    rows = log.where(~log.flag("is_seed") & (np.isnan(attempt) | (attempt == 1)))
    if len(rows) == 0:
        raise EvidenceRefusal("The log holds no first attempt of a step; nothing can be replayed.")
    asks, why = _replayed(rows, candidate, progress)
    asked, wrong = rows.flag("asked"), rows.number("wrong")
    acts = rows.where(~asks)
    estimate, bound, refusal = None, None, ""
    try:
        drawn = acts.flag("asked") | acts.flag("spot_check")
        estimate, bound = error_rate(acts, drawn, alpha=alpha, delta=delta)
    except EvidenceRefusal as problem:
        refusal = str(problem)
    changed = np.flatnonzero(asks != asked)
    changes = [_change(rows, int(i), why[i], silent_cost) for i in changed]
    return Comparison(
        candidate=candidate.name,
        candidate_hash=candidate.content_hash,
        rows=len(rows),
        asked_live=int(asked.sum()),
        asked_candidate=int(asks.sum()),
        newly_asked=int((asks & ~asked).sum()),
        no_longer_asked=int((asked & ~asks).sum()),
        caught_more=int((asks & ~asked & (wrong == 1.0)).sum()),
        let_pass=int((asked & ~asks & (wrong == 1.0)).sum()),
        live=silent_errors(rows, alpha=alpha, delta=delta),
        estimate=estimate,
        bound=bound,
        of_all_steps=None if estimate is None else estimate.value * len(acts) / len(rows),
        refusal=refusal,
        beyond=_beyond(rows, asked & ~asks & (wrong == 1.0)),
        silent_cost=silent_cost,
        difference=_difference(rows, asks, silent_cost, delta),
        changes=tuple(sorted(changes, key=lambda c: -c.cost)),
        warnings=tuple(warnings),
    )


def _unreplayable(candidate: EscalationPolicy, log: GateLog) -> Iterator[str]:
    steps = log.values("step")
    for checkpoint in candidate.checkpoints:
        name = checkpoint.step
        if name.startswith(("tag:", "tool:")):
            raise EvidenceRefusal(
                f"Checkpoint {name!r} can't be replayed: the log holds neither tags nor tool calls."
                " Name the steps instead."
            )
        if not checkpoint.is_pattern and name not in steps:
            yield f"Checkpoint {name!r} names no step of this log."
        if checkpoint.on_doubt or checkpoint.rollouts > 1:
            yield (
                f"Checkpoint {name!r}: on_doubt and rollouts can't be replayed; what they would settle"
                " without a person is counted as asked."
            )
        kept = [key for key in AS_LOGGED if getattr(checkpoint, key) is not None]
        if kept:
            yield (
                f"Checkpoint {name!r}: {', '.join(kept)} can't be replayed; taken as the live policy"
                " found it."
            )


@dataclass(slots=True)
class _Way:
    """Where one run stands under the candidate, once it has parted from the live policy."""

    parted: bool = False
    log_p: float = 0.0
    unknown: int = 0


def _replayed(
    rows: GateLog, candidate: EscalationPolicy, progress: Callable[[int, int], None] | None
) -> tuple[np.ndarray, list[str]]:
    bare = candidate.model_copy(update={"checkpoints": tuple(map(_bare, candidate.checkpoints))})
    records, ways = rows.records(), dict[tuple[object, object], _Way]()
    asks, why = np.zeros(len(rows), dtype=np.bool_), [""] * len(rows)
    for n, row in enumerate(records):
        way = ways.setdefault((row["run_id"], row["turn"]), _Way())
        step, place = str(row["step"]), Place(str(row["place"]) or "after")
        p = None if row["p"] is None else float(row["p"])
        facts = _facts(row, way, StepName(step=step, place=place, visit=int(row["visit"] or 1)), p)
        verdict = gate(bare, facts)
        logged = _logged(candidate, step, place, str(row["triggers"]))
        asks[n] = isinstance(verdict, Escalate) or bool(logged)
        if asks[n]:
            fired = verdict.triggers[0].sentence if isinstance(verdict, Escalate) else ""
            why[n] = fired or f"As logged: {', '.join(logged)}."
        covers = verdict.covers if isinstance(verdict, Escalate) else Covers.STEP
        _moved(way, facts, p, candidate, asks=bool(asks[n]), covers=covers)
        way.parted = way.parted or bool(asks[n]) != row["asked"]
        if progress is not None and n % 1000 == 0:
            progress(n, len(records))
    return asks, why


def _bare(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint.model_copy(update=dict.fromkeys(AS_LOGGED))


def _facts(row: Mapping[str, object], way: _Way, name: StepName, p: float | None) -> GateFacts:
    if not way.parted:
        before, unknown = row["reliability_before"], row["unknown_steps"]
        way.log_p = 0.0 if before is None else log_probability(float(str(before)))
        way.unknown = max(0, int(float(str(unknown or 0))) - (p is None))
    return GateFacts(
        name=name,
        attempt=1,
        p=p,
        p_kind=ConfidenceKind.UNKNOWN,
        confidence=p,
        before=Standing(base=way.log_p, base_unknown=way.unknown),
        arguments={},
        coin_u=1.0,
        run_spot_check=False,
    )


def _logged(candidate: EscalationPolicy, step: str, place: Place, triggers: str) -> list[str]:
    """Return the triggers that can't be replayed, and that the candidate keeps and the log has."""
    fired = set(triggers.split("|"))
    here = candidate.at(step, place)
    kept = [key for key in AS_LOGGED if any(getattr(c, key) is not None for c in here)]
    return [key for key in kept if AS_LOGGED[key] in fired]


def _moved(
    way: _Way,
    facts: GateFacts,
    p: float | None,
    candidate: EscalationPolicy,
    *,
    asks: bool,
    covers: Covers,
) -> None:
    """Move a run's standing past one row, a question answered with yes."""
    if not asks:
        way.log_p += 0.0 if p is None else log_probability(p)
        way.unknown += p is None
        return
    reviewer = candidate.reviewer
    yes = 0.0
    if reviewer is not None and p is not None:
        yes = log_probability(reset_value(p, reviewer.sensitivity, reviewer.specificity))
    whole = covers is Covers.SINCE_RESET
    way.log_p = yes if whole else facts.before.log_p + yes
    way.unknown = 0 if whole else facts.before.unknown


def _change(rows: GateLog, at: int, why: str, silent_cost: float) -> Change:
    wrong, p = float(rows.number("wrong")[at]), float(rows.number("p")[at])
    asks = not rows.flag("asked")[at]
    chance = wrong if not math.isnan(wrong) else 1.0 - p if not math.isnan(p) else 0.0
    own = float(rows.number("silent_error_cost")[at])
    loss = chance * (silent_cost if math.isnan(own) else own)
    visit = float(rows.number("visit")[at])
    return Change(
        id=str(rows.text("id")[at]),
        run_id=str(rows.text("run_id")[at]),
        step=str(rows.text("step")[at]),
        visit=1 if math.isnan(visit) else int(visit),
        asks=bool(asks),
        why=why,
        p=None if math.isnan(p) else p,
        wrong=None if math.isnan(wrong) else bool(wrong),
        cost=1.0 - loss if asks else loss - 1.0,
    )


def _beyond(rows: GateLog, passed: np.ndarray) -> int:
    """Return how many rows come after a denied one that would pass, in their runs."""
    seen: set[str] = set()
    count = 0
    for run, denied in zip(rows.text("run_id").tolist(), passed.tolist(), strict=True):
        count += run in seen
        if denied:
            seen.add(run)
    return count


def _difference(rows: GateLog, asks: np.ndarray, silent_cost: float, delta: float) -> Estimate:
    """Return the mean extra cost per 100 runs, unbiased: labels of unasked rows by 1/propensity."""
    asked, own = rows.flag("asked"), rows.number("silent_error_cost")
    price = np.where(np.isnan(own), silent_cost, own)
    drawn = asked | rows.flag("spot_check")
    pi = np.where(asked, 1.0, np.maximum(rows.number("propensity_label"), 1e-12))
    wrong = np.where(np.isnan(rows.number("wrong")), 1.0, rows.number("wrong"))
    loss = price * np.where(drawn, wrong / pi, 0.0)
    extra = np.where(asks & ~asked, 1.0 - loss, np.where(asked & ~asks, loss - 1.0, 0.0))
    _, run = np.unique(rows.text("run_key"), return_inverse=True)
    total = np.bincount(run, weights=extra)
    stderr = 100.0 * float(total.std()) / math.sqrt(total.size)
    value = 100.0 * float(total.mean())
    reach = float(norm.ppf(1.0 - delta / 2.0)) * stderr
    return Estimate(value, stderr, value - reach, value + reach)
