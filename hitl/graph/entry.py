"""What a caller hands to a gated graph, and what LangGraph is given for it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command, StateSnapshot

from hitl.audit import entry
from hitl.errors import ResumeRefused
from hitl.graph import questions
from hitl.graph.driver import Advance, Driver
from hitl.graph.leases import owner
from hitl.graph.session import Session, Work
from hitl.ids import new_id
from hitl.models import MailKind, RunRecord, RunStatus
from hitl.ports import Transaction
from hitl.reviews import supersede

_KEPT = ("recursion_limit", "tags", "metadata", "max_concurrency")
"""Parts of a caller's config that later advances of the run need again."""


@dataclass(frozen=True)
class Entry:
    """An advance that was opened for a caller, and what LangGraph gets as input."""

    advance: Advance
    input: Callable[[], Any]
    """Called inside the advance, so that what it finds is recorded like everything else."""


def enter(
    driver: Driver,
    input: Any,
    config: RunnableConfig,
    *,
    initiator: str | None,
    in_loop: bool = False,
) -> Entry:
    """Open an advance for a caller's input.

    A new thread id is a new run; a thread that LangGraph knows becomes one. New input on a run opens
    a turn, and what was waiting is superseded.

    Args:
        driver: The workflow's driver.
        input: What the caller gave.
        config: With what.
        initiator: Who starts the run.
        in_loop: Whether the caller drives it in an event loop: later advances do so too.

    Raises:
        ResumeRefused: The caller resumes a gate, or names an old snapshot.
        RunBusy: Another thread or process is advancing the run.
    """
    conf = config.get("configurable", {})
    _refuse_snapshots(conf)
    run_id = str(conf.get("thread_id") or new_id("run", driver.wiring.clock()))
    if driver.store.read(lambda r: r.find_run(run_id)) is None:
        if not driver.has_snapshots(run_id):
            frozen = frozen_call(driver, input, config, in_loop=in_loop)
            epoch = _begin(driver, run_id, frozen, initiator)
            return Entry(driver.taken(run_id, epoch, config), lambda: input)
        call = frozen_call(driver, None, config, in_loop=in_loop)
        driver.adopt(run_id, initiator=initiator, call=call)
    advance = driver.open(run_id, config)
    try:
        return _continue(driver, advance, input, config, in_loop=in_loop)
    except BaseException:
        driver.give_back(advance)
        raise


def refuse_old_snapshot(driver: Driver, conf: dict[str, Any]) -> None:
    """Refuse an update of a snapshot that is not the newest: it would undo what was decided since.

    Raises:
        ResumeRefused: It is an older one, or none at all.
    """
    wanted = conf.get("checkpoint_id")
    place = {"thread_id": conf["thread_id"], "checkpoint_ns": conf.get("checkpoint_ns", "")}
    newest = driver.saver.get_tuple({"configurable": place}) if wanted else None
    if wanted and (newest is None or newest.checkpoint["id"] != wanted):
        raise ResumeRefused(
            f"Snapshot {wanted!r} is not the newest of run {conf['thread_id']!r}: to update it would"
            " undo what was decided since. Nothing was written. Leave `checkpoint_id` out to update"
            " the run as it stands, or deny a review with the remedy rollback."
        )


def _refuse_snapshots(conf: dict[str, Any]) -> None:
    for key in ("checkpoint_id", "checkpoint_ns"):
        if conf.get(key):
            raise ResumeRefused(
                f"`{key}` was given: running on from an old snapshot would repeat what was decided"
                " since. Nothing was run. Deny a review with the remedy rollback instead."
            )


def _begin(driver: Driver, run_id: str, frozen: tuple[str, bytes], initiator: str | None) -> int:
    run = driver.new_run(run_id, initiator)
    now = run.created_at

    def work(t: Transaction) -> int:
        t.add_run(run, frozen)
        t.append_audit(run_id, started(run, now))
        t.put_mail(run_id, MailKind.START, key=f"start:{run_id}", due_at=now)
        epoch = t.claim_run(run_id, owner(), now=now, lease=driver.store.lease)
        assert epoch is not None  # noqa: S101 - just inserted
        return epoch

    return driver.store.write(work)


def frozen_call(
    driver: Driver, input: Any, config: RunnableConfig, *, in_loop: bool
) -> tuple[str, bytes]:
    """Return what is kept of a call: the input, and what later advances need again."""
    kept = {k: config[k] for k in _KEPT if config.get(k)}  # type: ignore[literal-required]
    own = {
        k: v
        for k, v in config.get("configurable", {}).items()
        if not k.startswith("__") and isinstance(v, (str, int, float, bool))
    }
    call = {"input": input, "config": {**kept, "configurable": own}, "in_loop": in_loop}
    return driver.wiring.serde.dumps_typed(call)


def _continue(
    driver: Driver, advance: Advance, input: Any, config: RunnableConfig, *, in_loop: bool
) -> Entry:
    session = advance.session
    if input is None:
        return Entry(advance, lambda: next_input(driver, advance))
    if isinstance(input, Command) and input.resume is not None:
        snapshot = driver.snapshot_of(advance.config)
        _check_resume(input.resume, snapshot)
        _answered_by_caller(driver, session, input.resume, snapshot)
    elif isinstance(input, Command):
        # It changes the run where it stands. Kept as input it would be given again, and apply twice.
        driver.store.write(updated_by_hand(session, actor="caller"))
        session.reload(session.run)
    else:
        _new_turn(driver, session, frozen_call(driver, input, config, in_loop=in_loop))
    return Entry(advance, lambda: input)


def _check_resume(resume: Any, snapshot: StateSnapshot) -> None:
    gates = {i.id for i in snapshot.interrupts if questions.is_gate(i)}
    native = [i.id for i in snapshot.interrupts if i.id not in gates]
    named = set(resume) if isinstance(resume, dict) else set()
    if named & gates or (gates and not native) or (gates and not named & set(native)):
        raise ResumeRefused(
            "`Command(resume=...)` was aimed at a gate: only a decision on its review lets a gate"
            " pass. Nothing was run. Decide it with `app.queue.decide`, the pages or `hitl decide`."
        )


def _answered_by_caller(
    driver: Driver, session: Session, resume: Any, snapshot: StateSnapshot
) -> None:
    """Close the reviews of the questions the caller answers with LangGraph's own words."""
    now = driver.wiring.clock()
    asked = list(questions.pending(snapshot))
    named = [a for a in asked if isinstance(resume, dict) and a.interrupt.id in resume] or asked
    if named:
        driver.store.write(lambda t: questions.close_answered(t, session, named, now=now))


def updated_by_hand(session: Session, *, actor: str) -> Work:
    """Return what is written when a run's state is changed: what waited no longer stands."""
    now = session.wiring.clock()
    run_id = session.run.id

    def work(t: Transaction) -> None:
        t.check_epoch(run_id, session.epoch)
        superseded = supersede(t, run_id, reason="The run's state was updated by hand.", now=now)
        t.drop_proposals(run_id)
        if superseded:
            t.set_run(t.run(run_id).model_copy(update={"reason": _AFTER_UPDATE, "updated_at": now}))
        t.append_audit(
            run_id,
            entry("run.state_updated", at=now, actor=actor, run_id=run_id, subject=run_id),
        )

    return work


_AFTER_UPDATE = (
    "Its state was updated by hand, so what waited for a person is asked anew; go on with"
    " `app.invoke(None, ...)`."
)


def _new_turn(driver: Driver, session: Session, frozen: tuple[str, bytes]) -> None:
    wiring = driver.wiring
    now = wiring.clock()
    run = session.run.model_copy(
        update={
            "turn": session.run.turn + 1,
            "status": RunStatus.RUNNING,
            "reason": "",
            "stop_asked": "",
            "completed_by": "",
            "policy_hash": wiring.policy_hash,
            "workflow_version": wiring.version,
            "updated_at": now,
        }
    )

    def work(t: Transaction) -> None:
        t.check_epoch(run.id, session.epoch)
        supersede(t, run.id, reason="The run was given new input.", now=now)
        t.drop_proposals(run.id)
        seen, asked = session.run.stop_asked, t.run(run.id).stop_asked
        t.set_run(run.model_copy(update={"stop_asked": "" if asked == seen else asked}))
        t.set_run_input(run.id, frozen)
        t.put_mail(run.id, MailKind.INPUT, key=f"input:{run.id}:{run.turn}", due_at=now)
        t.append_audit(run.id, started(run, now))

    driver.store.write(work)
    session.reload(run)


def next_input(driver: Driver, advance: Advance) -> Any:
    """Return what LangGraph is given to go on: the turn's input, answers to questions, or nothing.

    Raises:
        StopRun: A question was answered by stopping the run.
    """
    session = advance.session
    if not driver.saw_input(session):
        kept = driver.store.read(lambda r: r.run_input(session.run.id))
        return driver.wiring.serde.loads_typed(kept)["input"] if kept is not None else None
    asked = list(questions.pending(driver.snapshot_of(advance.config)))
    if not asked:
        return None
    resume = driver.store.read(lambda r: questions.answers(r, session, asked))
    return Command(resume=resume) if resume else None


def started(run: RunRecord, now: Any) -> Any:
    """Return the first event of a turn."""
    return entry(
        "run.started" if run.turn == 1 else "run.input",
        at=now,
        actor=run.initiator or "engine",
        run_id=run.id,
        subject=run.id,
        turn=run.turn,
        workflow=run.workflow,
        workflow_version=run.workflow_version,
        policy_hash=run.policy_hash,
    )
