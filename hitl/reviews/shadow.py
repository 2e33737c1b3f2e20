"""What would have been asked: the gate log of shadow mode, summed up by checkpoint."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Literal

from pydantic import AwareDatetime

from hitl.models import GateRow, Place, Probability, Record, Review, ReviewStatus, TriggerFired
from hitl.ports import Reader

ASSUMED_MINUTES = 1.0
"""What one review takes, while this store has too few to measure it."""
_FEWEST_MEASURED = 10
_MOST_MEASURED = 200
_EXAMPLES = 3
_PAGE = 500
_MS_PER_MINUTE = 60_000
_DECIDED = (ReviewStatus.APPROVED, ReviewStatus.DENIED, ReviewStatus.EXECUTED)


class ShadowReason(Record):
    """One reason to ask, and how many gates had it."""

    reason: str
    gates: int


class ShadowExample(Record):
    """One gate that would have asked."""

    run_id: str
    step: str
    summary: str
    """What the step proposed, in one line; written by the agent."""
    why: tuple[str, ...]


class ShadowCheckpoint(Record):
    """What one checkpoint would have asked."""

    checkpoint: str
    """As the policy names it; the step's path where only a trigger of the whole policy counts."""
    place: Place
    steps: tuple[str, ...]
    gates: int
    would_ask: int
    share: Probability
    """`would_ask / gates`."""
    reasons: tuple[ShadowReason, ...]
    """The most frequent first; a gate may have several."""
    examples: tuple[ShadowExample, ...]
    """The newest that differ, three at most."""
    reviewer_minutes: float


class ShadowReport(Record):
    """What one workflow would have asked in shadow mode, under its newest policy."""

    workflow: str
    policy_name: str
    policy_version: str
    policy_hash: str
    first_at: AwareDatetime
    last_at: AwareDatetime
    runs: int
    runs_asked: int
    """Runs that would have waited for a person at least once."""
    gates: int
    would_ask: int
    share: Probability
    gates_of_older_policies: int
    """Gates under other policies, which are left out."""
    minutes_per_review: float
    minutes_basis: Literal["measured", "assumed"]
    """`measured`: the median time that decided reviews of this workflow were on a page."""
    reviewer_minutes: float
    checkpoints: tuple[ShadowCheckpoint, ...]
    """Those that would have asked most first."""

    def heading(self) -> tuple[str, ...]:
        """Return what the whole report says, in sentences."""
        said = [
            f"Workflow {self.workflow} in shadow mode, policy {self.policy_name}"
            f" {self.policy_version} ({self.policy_hash[:12]}…).",
            f"{self.would_ask} of {self.gates} gates would have asked ({self.share:.0%}), in"
            f" {self.runs_asked} of {self.runs} runs: about {self.reviewer_minutes:.0f} reviewer"
            f" minutes, at {self.minutes_per_review:.1f} each ({self.minutes_basis}).",
        ]
        if self.gates_of_older_policies:
            said.append(f"{self.gates_of_older_policies} gates of other policies are left out.")
        return tuple(said)

    def __str__(self) -> str:
        """Return the report as text, a paragraph for each checkpoint."""
        return "\n".join([*self.heading(), *(line for c in self.checkpoints for line in _told(c))])


def shadow_reports(r: Reader, *, workflow: str | None = None) -> list[ShadowReport]:
    """Return a report for each workflow with gates of shadow mode, by name.

    Args:
        r: The store.
        workflow: Only this one; None for all.
    """
    found: dict[str, list[GateRow]] = {}
    for row in _rows(r, workflow):
        found.setdefault(row.workflow, []).append(row)
    return [summed_up(rows, *_minutes(r, name)) for name, rows in sorted(found.items())]


def summed_up(
    rows: Sequence[GateRow], minutes: float, basis: Literal["measured", "assumed"]
) -> ShadowReport:
    """Return the report on gates of one workflow.

    Args:
        rows: At least one, all of shadow mode.
        minutes: What one review takes, in minutes.
        basis: What that figure rests on.
    """
    newest = max(rows, key=lambda row: row.ts)
    own = [row for row in rows if row.policy_hash == newest.policy_hash]
    groups: dict[tuple[str, Place], list[GateRow]] = {}
    for row in own:
        groups.setdefault((row.checkpoint, row.name.place), []).append(row)
    parts = [_checkpoint(*key, group, minutes) for key, group in groups.items()]
    asked = [row for row in own if row.action == "ask"]
    return ShadowReport(
        workflow=newest.workflow,
        policy_name=newest.policy_name,
        policy_version=newest.policy_version,
        policy_hash=newest.policy_hash,
        first_at=min(row.ts for row in own),
        last_at=newest.ts,
        runs=len({row.run_id for row in own}),
        runs_asked=len({row.run_id for row in asked}),
        gates=len(own),
        would_ask=len(asked),
        share=len(asked) / len(own),
        gates_of_older_policies=len(rows) - len(own),
        minutes_per_review=minutes,
        minutes_basis=basis,
        reviewer_minutes=len(asked) * minutes,
        checkpoints=tuple(sorted(parts, key=lambda p: (-p.would_ask, p.checkpoint, p.place))),
    )


def _checkpoint(
    name: str, place: Place, rows: Sequence[GateRow], minutes: float
) -> ShadowCheckpoint:
    asked = sorted((row for row in rows if row.action == "ask"), key=lambda row: row.ts)
    return ShadowCheckpoint(
        checkpoint=name,
        place=place,
        steps=tuple(sorted({row.name.step for row in rows})),
        gates=len(rows),
        would_ask=len(asked),
        share=len(asked) / len(rows),
        reasons=tuple(_reasons(asked)),
        examples=tuple(_examples(asked)),
        reviewer_minutes=len(asked) * minutes,
    )


def _told(part: ShadowCheckpoint) -> Iterator[str]:
    yield (
        f"{part.checkpoint} ({part.place.value}): {part.would_ask} of {part.gates} would ask"
        f" ({part.share:.0%}), about {part.reviewer_minutes:.0f} min"
    )
    yield from (f"  {reason.gates} × {reason.reason}" for reason in part.reasons)
    yield from (f"  e.g. {example.summary}" for example in part.examples)


def _reasons(asked: Iterable[GateRow]) -> Iterator[ShadowReason]:
    counted = Counter(reason for row in asked for reason in {_reason(t) for t in row.triggers})
    for reason, gates in sorted(counted.items(), key=lambda item: (-item[1], item[0])):
        yield ShadowReason(reason=reason, gates=gates)


def _reason(fired: TriggerFired) -> str:
    """Return a trigger without the value that fired it, so that like is counted with like."""
    if fired.kind in ("confidence", "reliability"):
        return f"{fired.kind.capitalize()} is below {fired.threshold}."
    return fired.sentence


def _examples(asked: Sequence[GateRow]) -> Iterator[ShadowExample]:
    newest = {row.summary: row for row in asked}
    latest_first = sorted(newest.values(), key=lambda row: row.ts, reverse=True)
    yield from map(_example, latest_first[:_EXAMPLES])


def _example(row: GateRow) -> ShadowExample:
    return ShadowExample(
        run_id=row.run_id,
        step=row.name.step,
        summary=row.summary,
        why=tuple(fired.sentence for fired in row.triggers),
    )


def _rows(r: Reader, workflow: str | None) -> Iterator[GateRow]:
    before: str | None = None
    while page := r.runs(workflow=workflow, limit=_PAGE, before=before):
        for run in page:
            yield from (row for row in r.gates(run.id) if row.shadow)
        before = page[-1].id


def _minutes(r: Reader, workflow: str) -> tuple[float, Literal["measured", "assumed"]]:
    """Return what a review of the workflow takes, and whether that is known."""
    decided = r.reviews(workflow=workflow, status=_DECIDED, limit=_MOST_MEASURED)
    shown = [ms for review in decided if (ms := _shown_ms(review)) is not None]
    if len(shown) < _FEWEST_MEASURED:
        return ASSUMED_MINUTES, "assumed"
    return median(shown) / _MS_PER_MINUTE, "measured"


def _shown_ms(review: Review) -> int | None:
    return None if review.decision is None else review.decision.shown_ms
