"""A run goes on under the workflow it began with, or waits for a person who says how it goes on."""

import json
from collections.abc import Iterable
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from hitl.audit import entry
from hitl.canonical import canonical_json
from hitl.graph.driver import Advance, Driver
from hitl.graph.lg import BRANCH
from hitl.graph.session import Session, Wiring
from hitl.graph.signals import NeedsAttention
from hitl.graph.versions import SETTING, changed_tools, difference, knows
from hitl.models import JsonObject, Place, Review, RunRecord, StoredProposal
from hitl.models.reviews import END_TASK
from hitl.ports import Reader, Transaction

WAYS = (
    "Nothing was run. Deploy the version it began with, or choose: `hitl migrate {run}` goes on with"
    " this one, `hitl restart {run}` goes back to what was verified last, `hitl stop {run}` ends it."
)


def remember_shape(wiring: Wiring) -> None:
    """Keep what the workflow looks like, for the runs that begin under it."""
    text = canonical_json(wiring.shape).decode()
    wiring.store.write(lambda t: t.set_setting(SETTING + wiring.version, text))


def check_version(driver: Driver, advance: Advance) -> None:
    """Have a run that began under another version go on only where nothing before it was changed.

    Raises:
        NeedsAttention: A step it stands at, or one before it, was removed, renamed, moved or
            changed, or a gate it waits at is gone.
    """
    session, wiring = advance.session, driver.wiring
    run = session.run
    if (run.workflow_version, run.policy_hash) == (wiring.version, wiring.policy_hash):
        return
    problem = misfit(driver, run)
    if problem is not None:
        raise NeedsAttention("", f"{problem}. {WAYS.format(run=run.id)}")
    repin(session, wiring, actor="engine", action="run.version_changed")


def misfit(driver: Driver, run: RunRecord) -> str | None:
    """Return why a run cannot go on under this version by itself, as the start of a sentence."""
    wiring = driver.wiring
    left, then = driver.store.read(lambda r: (_left(r, run.id), shape_of(r, run)))
    gone = missing(driver, run.id, [stored.name.step for stored, _ in left])
    if gone:
        return f"Run {run.id!r} stands at step {gone[0]!r}, which is not in the workflow any more"
    for stored, review in left:
        problem = _gate_changed(wiring, then, stored, review)
        if problem is not None:
            return problem
    if then is None or run.workflow_version == wiring.version:
        return None
    standing = {stored.name.step for stored, _ in left} | set(_next(driver, run.id))
    found = difference(then, wiring.shape, standing)
    return None if found is None else f"The workflow changed under run {run.id!r}: {found}"


def missing(driver: Driver, run_id: str, steps: Iterable[str]) -> list[str]:
    """Return the steps a run stands at that the workflow does not have."""
    return [s for s in (*steps, *_next(driver, run_id)) if not knows(driver.wiring.shape, s)]


def repin(session: Session, wiring: Wiring, *, actor: str, action: str) -> None:
    """Have the run belong to this version of workflow and policy from now on, and say so on the trail."""
    now = wiring.clock()
    changed = {"workflow_version": wiring.version, "policy_hash": wiring.policy_hash}

    def work(t: Transaction) -> RunRecord:
        t.check_epoch(session.run.id, session.epoch)
        return pin(t, session.run.id, changed, actor=actor, action=action, now=now)

    session.reload(wiring.store.write(work))


def pin(
    t: Transaction, run_id: str, changed: dict[str, str], *, actor: str, action: str, now: Any
) -> RunRecord:
    """Write that a run belongs to another version, inside a transaction; return it."""
    run = t.run(run_id)
    body = entry(
        action,
        at=now,
        actor=actor,
        run_id=run_id,
        subject=run_id,
        from_version=run.workflow_version,
        from_policy=run.policy_hash,
        **changed,
    )
    pinned = run.model_copy(update=changed)
    t.set_run(pinned)
    t.append_audit(run_id, body)
    return pinned


def _left(reader: Reader, run_id: str) -> list[tuple[StoredProposal, Review]]:
    """Return what the run withholds, its end left out: that gate is not one of the graph's."""
    found = [p for p in reader.open_proposals(run_id) if not p.key.task_id.startswith(END_TASK)]
    return [(stored, reader.review(stored.review_id)) for stored in found]


def shape_of(reader: Reader, run: RunRecord) -> JsonObject | None:
    """Return what the workflow looked like that a run is pinned to; None when that was not kept."""
    kept = reader.setting(SETTING + run.workflow_version)
    return None if kept is None else json.loads(kept)


def _next(driver: Driver, run_id: str) -> list[str]:
    """Return the steps of the outermost graph that the run's newest snapshot leads to."""
    root: RunnableConfig = {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}
    latest = driver.saver.get_tuple(root)
    return led_to(latest) if latest is not None else []


def led_to(snapshot: CheckpointTuple) -> list[str]:
    """Return the steps of its graph that a snapshot leads to."""
    channels = snapshot.checkpoint["channel_values"]
    return [c.removeprefix(BRANCH) for c in channels if c.startswith(BRANCH)]


def _gate_changed(
    wiring: Wiring, then: JsonObject | None, stored: StoredProposal, review: Review
) -> str | None:
    step, place = stored.name.step, stored.name.place
    asked_before, asked_after = (wiring.policy.at(step, p) for p in (Place.BEFORE, Place.AFTER))
    # with nothing declared at all there is still a gate after the step
    gone_after = place is Place.AFTER and asked_before and not asked_after
    if gone_after or (place is Place.BEFORE and not asked_before):
        word = place.value
        return f"Nobody is asked {word} step {step!r} any more, and review {review.id!r} asks there"
    if then is None:
        return None
    gone, others = changed_tools(then, wiring.shape, step)
    called = {name for name in gone | others if f'"{name}"' in review.proposal.model_dump_json()}
    if called & gone:
        return f"Tool {sorted(called & gone)[0]!r}, which review {review.id!r} asks about, is gone"
    if called:
        return f"Tool {sorted(called)[0]!r} takes something else than review {review.id!r} shows"
    return None
