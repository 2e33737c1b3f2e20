"""Late outcomes, joined to the committed steps that led there; and where each step stood."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from hitl.feedback.examples import LabelledExample, LateOutcome
from hitl.models import GateRow, JsonObject, Outcome, Place, RunRecord
from hitl.reviews.timeline import with_parents


def positions(gates: Sequence[GateRow]) -> dict[str, int]:
    """Return, per gate id, how many steps of its turn that stand were committed before it.

    A denied attempt stands where its step would have stood. Before a rollback of its turn that cannot
    be told any more, so such an attempt has none, and so has what was undone.

    Args:
        gates: All gates of one run.
    """
    turns: defaultdict[int, list[GateRow]] = defaultdict(list)
    for gate in gates:
        if gate.name.place is not Place.QUESTION and not gate.is_of_the_end:
            turns[gate.turn].append(gate)
    return {id: at for own in turns.values() for id, at in _of_turn(own)}


def _of_turn(gates: Sequence[GateRow]) -> Iterator[tuple[str, int]]:
    standing = sorted(filter(stands, gates), key=lambda gate: (gate.committed_at, gate.ts))
    times = [gate.committed_at for gate in standing if gate.committed_at is not None]
    at = {gate.name: n for n, gate in enumerate(standing)}
    rolled = max((gate.undone_at for gate in gates if gate.undone_at is not None), default=None)
    for n, gate in enumerate(standing):
        yield gate.id, n
    for gate in gates:
        if gate.committed_at is None and (rolled is None or gate.ts > rolled):
            before = bisect_right(times, gate.ts)
            yield gate.id, min(before, at.get(gate.name, before))


def stands(gate: GateRow) -> bool:
    """Return whether the step's writes are in the run."""
    return gate.committed_at is not None and gate.undone_at is None


def led_to(outcome: Outcome, gates: Sequence[GateRow]) -> list[GateRow]:
    """Return the committed steps an outcome rests on: the step it names and its ancestors, or all.

    Args:
        outcome: What became known.
        gates: All gates of its run, in order of commit.
    """
    known = [g for g in gates if _committed_by(g, outcome) and g.name.place is not Place.QUESTION]
    if outcome.step is None:
        return known
    own = [gate for gate in known if gate.name.step == outcome.step]
    if not own:
        return []
    parents = {gate.id: gate.parents for gate in with_parents(list(gates))}
    found, waiting = set[str](), [own[-1].id]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(parents.get(current, ()))
    return [gate for gate in known if gate.id in found]


def _committed_by(gate: GateRow, outcome: Outcome) -> bool:
    return stands(gate) and gate.committed_at is not None and gate.committed_at <= outcome.known_at


def joined(
    outcomes: Sequence[Outcome], gates: Sequence[GateRow]
) -> tuple[dict[str, tuple[LateOutcome, ...]], dict[str, tuple[GateRow, ...]]]:
    """Return what each committed step led to, per gate id, and what led to each outcome, per its id."""
    after: defaultdict[str, list[LateOutcome]] = defaultdict(list)
    before: dict[str, tuple[GateRow, ...]] = {}
    for outcome in outcomes:
        before[outcome.id] = tuple(led_to(outcome, gates))
        late = LateOutcome(
            id=outcome.id, step=outcome.step, good=outcome.good, known_at=outcome.known_at
        )
        for gate in before[outcome.id]:
            after[gate.id].append(late)
    return {id: tuple(each) for id, each in after.items()}, before


def outcome_example(
    run: RunRecord,
    outcome: Outcome,
    led_here: Sequence[GateRow],
    *,
    task_key: str,
    facts: Mapping[str, JsonObject],
) -> LabelledExample:
    """Return the example of an outcome. It labels the run, or the step it names as it was committed.

    Args:
        run: The run.
        outcome: What became known.
        led_here: See `led_to`.
        task_key: See `LabelledExample`.
        facts: `input` and `proposal` of what is known of the step; empty for none. After a person
            changed something the original proposal is no part of it.
    """
    last = led_here[-1] if led_here else None
    own = last if outcome.step is not None else None
    return LabelledExample(
        id=outcome.id,
        kind="outcome",
        label=outcome.good,
        label_source="outcome",
        run_id=run.id,
        run_key=last.run_key if last else run.id,
        task_key=task_key,
        workflow=run.workflow,
        workflow_version=last.workflow_version if last else run.workflow_version,
        policy_name=last.policy_name if last else "",
        policy_version=last.policy_version if last else "",
        policy_hash=last.policy_hash if last else run.policy_hash,
        step=outcome.step or "",
        place=own.name.place if own else None,
        visit=own.name.visit if own else 1,
        turn=last.turn if last else run.turn,
        attempt=own.attempt if own else 1,
        gate_id=own.id if own else None,
        review_id=own.review_id if own else None,
        stands=own is not None,
        note=outcome.note,
        labelled_at=outcome.known_at,
        propensity=1.0,
        led_here=tuple(gate.id for gate in led_here),
        input=facts.get("input", {}),
        proposal=facts.get("proposal", {}),
    )
