"""What a person does with a run that a deploy left behind: go on with the new version, or go back."""

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple

from hitl.errors import RunRefusal
from hitl.graph.driver import Advance, Driver
from hitl.graph.pinned import led_to, misfit, missing, pin, shape_of
from hitl.graph.rollback import Target, find_target, roll_back
from hitl.graph.signals import Halt, RollBack
from hitl.graph.versions import difference, knows
from hitl.ids import new_id
from hitl.models import MailKind, Record, ReviewStatus, RunStatus
from hitl.ports import Transaction
from hitl.reviews import check_actor

_WAIT = 10.0
"""Seconds a run may be advanced elsewhere before it is said to be busy."""


class VersionChange(Record):
    """What going on with another version does, or would do, to a run."""

    run_id: str
    from_version: str
    to_version: str
    problem: str | None
    """Why it does not go on by itself; None when it would."""
    asks_again: tuple[str, ...] = ()
    """Steps whose review was withdrawn: they run again, and ask anew."""
    carried_out: tuple[str, ...] = ()
    """Steps whose decision stands and is carried out."""
    back_to: str | None = None
    """The snapshot it goes back to; None when it goes on where it is."""
    runs_again: tuple[str, ...] = ()
    """Steps that ran after that snapshot."""
    done: bool = False
    """Whether it was done; False when it was only looked at."""


class Versions:
    """Moves the runs of one workflow to its present version.

    Args:
        driver: The workflow's driver.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def migrate(self, run_id: str, *, by: str, dry_run: bool = False) -> VersionChange:
        """Have a run go on where it is with this version of workflow and policy.

        Raises:
            RunRefusal: It has ended, a step it stands at is gone, or this actor may not.
        """
        with self._taken(run_id, by) as advance:
            steps = [
                p.name.step for p in self._driver.store.read(lambda r: r.open_proposals(run_id))
            ]
            gone = missing(self._driver, run_id, [s for s in steps if s])
            if gone:
                raise RunRefusal(
                    run_id,
                    f"stands at step {gone[0]!r}, which this workflow does not have; restart it from"
                    " what was verified last, or stop it. Nothing was changed.",
                )
            change = self._looked_at(advance)
            if not dry_run:
                self._driver.store.write(lambda t: self._migrate(t, advance, change, by))
            return change.model_copy(update={"done": not dry_run})

    def restart(self, run_id: str, *, by: str, dry_run: bool = False) -> VersionChange:
        """Have a run go back to the newest state that a person verified, or to its input, and go on.

        Raises:
            RunRefusal: It has ended, an effect that happened lies in between, or this actor may not.
        """
        with self._taken(run_id, by) as advance:
            halt = RollBack("", f"{by} restarted it.")
            target = self._target(advance, halt)
            change = self._looked_at(advance).model_copy(
                update={
                    "asks_again": (),
                    "carried_out": (),
                    "back_to": target.snapshot.checkpoint["id"],
                    "runs_again": tuple(dict.fromkeys(r.name.step for r in target.undone)),
                    "done": not dry_run,
                }
            )
            if not dry_run:
                self._driver.store.write(lambda t: self._restart(t, advance, target, halt, by))
            return change

    @contextmanager
    def _taken(self, run_id: str, by: str) -> Iterator[Advance]:
        check_actor(run_id, by)
        run = self._driver.store.read(lambda r: r.run(run_id))
        if run.status in (RunStatus.DONE, RunStatus.STOPPED):
            raise RunRefusal(run_id, f"is {run.status.value}; there is nothing to go on with.")
        advance = self._driver.open(run_id, {}, wait=_WAIT)
        try:
            yield advance
        finally:
            self._driver.give_back(advance)

    def _looked_at(self, advance: Advance) -> VersionChange:
        run, wiring = advance.session.run, self._driver.wiring
        again: list[str] = []
        stands: list[str] = []
        for proposal in self._driver.store.read(lambda r: r.open_proposals(run.id)):
            withdrawn = self._status(proposal.review_id) is ReviewStatus.SUPERSEDED
            (again if withdrawn else stands).append(proposal.name.step)
        return VersionChange(
            run_id=run.id,
            from_version=run.workflow_version,
            to_version=wiring.version,
            problem=misfit(self._driver, run),
            asks_again=tuple(again),
            carried_out=tuple(stands),
        )

    def _status(self, review_id: str) -> ReviewStatus:
        return self._driver.store.read(lambda r: r.review(review_id)).status

    def _migrate(self, t: Transaction, advance: Advance, change: VersionChange, by: str) -> None:
        t.check_epoch(change.run_id, advance.session.epoch)
        for proposal in t.open_proposals(change.run_id):
            if t.review(proposal.review_id).status is ReviewStatus.SUPERSEDED:
                t.drop_proposal_of(proposal.review_id)
        self._go_on(t, change.run_id, by, "run.migrated")

    def _restart(
        self, t: Transaction, advance: Advance, target: Target, halt: RollBack, by: str
    ) -> None:
        run_id = advance.session.run.id
        roll_back(t, self._driver.saver, advance.session, target, halt, _root(run_id))
        self._go_on(t, run_id, by, "run.restarted")

    def _go_on(self, t: Transaction, run_id: str, by: str, action: str) -> None:
        wiring, now = self._driver.wiring, self._driver.wiring.clock()
        changed = {"workflow_version": wiring.version, "policy_hash": wiring.policy_hash}
        run = pin(t, run_id, changed, actor=by, action=action, now=now)
        going = {"status": RunStatus.RUNNING, "reason": "", "stop_asked": "", "updated_at": now}
        t.set_run(run.model_copy(update=going))
        t.put_mail(run_id, MailKind.WAKE, key=new_id("version", now), due_at=now)

    def _target(self, advance: Advance, halt: RollBack) -> Target:
        run_id = advance.session.run.id
        then = self._driver.store.read(lambda r: shape_of(r, advance.session.run))

        def fits(snapshot: CheckpointTuple) -> bool:
            """Whether the way to every step the snapshot leads to is what it was."""
            leads, now = led_to(snapshot), self._driver.wiring.shape
            is_known = all(knows(now, step) for step in leads)
            return is_known and (then is None or difference(then, now, leads) is None)

        try:
            return find_target(self._driver.saver, advance.session, halt, _root(run_id), fits=fits)
        except Halt as no:
            raise RunRefusal(run_id, f"was not restarted. {no.sentence}") from no


def _root(run_id: str) -> RunnableConfig:
    return {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}
