"""Named places at which a test makes this process die, fail or hang.

`HITL_FAILPOINT=name[:n][:kill|error|hang:MS|execute_and_error]` arms one of them: when the process
comes there for the nth time (the first, unless told) it is killed (unless told otherwise), once.
`error` raises `InjectedFault` there; `execute_and_error` lets what follows happen and raises after it,
as when an answer is lost. Nothing happens where the variable is not set, and where `HITL_ENV` is
`production` the process refuses to work.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from hitl.errors import ConfigurationError, InjectedFault

VARIABLE: Final = "HITL_FAILPOINT"
ENVIRONMENT: Final = "HITL_ENV"
_MODES: Final = ("kill", "error", "hang", "execute_and_error")


@dataclass(frozen=True, slots=True)
class Failpoint:
    """One place."""

    name: str
    where: str
    """Module and function."""
    meaning: str
    """What has happened there, and what has not."""
    then: str | None = None
    """The place where what follows it is done; None where it is done already."""


POINTS: Final = (
    Failpoint(
        "request.before_commit",
        "reviews.requests:request_review",
        "A program's request is written, not committed.",
        then="request.after_commit_before_ack",
    ),
    Failpoint(
        "request.after_commit_before_ack",
        "reviews.queue:request",
        "A program's request is committed; the program was not told.",
    ),
    Failpoint(
        "interrupt.before_checkpoint",
        "graph.saver:put_writes",
        "A review of a gate is committed; LangGraph did not save that the step waits.",
    ),
    Failpoint(
        "interrupt.after_checkpoint_before_request_row",
        "graph.driver:record",
        "A step's own question is saved by LangGraph; nobody is asked it yet.",
    ),
    Failpoint(
        "decide.after_update_before_audit",
        "reviews.deciding:commit",
        "A decision is written, its audit event is not; nothing is committed.",
        then="decide.after_commit_before_ack",
    ),
    Failpoint(
        "decide.before_commit",
        "reviews.deciding:commit",
        "Decision, audit event and wake-up are written, not committed.",
        then="decide.after_commit_before_ack",
    ),
    Failpoint(
        "decide.after_commit_before_ack",
        "reviews.queue:decide",
        "A decision is committed; who decided was not told.",
    ),
    Failpoint(
        "resume.after_claim_before_invoke",
        "graph.driver:open",
        "A run is taken by this process and not advanced.",
    ),
    Failpoint(
        "resume.after_invoke_before_mark",
        "graph.driver:record",
        "A run was advanced; how it ended, and that its orders are done, is not recorded.",
    ),
    Failpoint(
        "effect.before_call",
        "graph.gate:gate_steps",
        "A step that acts is let through and has not acted.",
        then="effect.after_call_before_record",
    ),
    Failpoint(
        "effect.after_call_before_record",
        "graph.gate:gate_steps",
        "A step has acted; nothing of that is recorded.",
    ),
    Failpoint(
        "effect.before_commit",
        "graph.settle:verified",
        "What a person approved is written to the run, not committed.",
    ),
    Failpoint(
        "timer.claimed_before_fire",
        "reviews.queue:sweep",
        "A timer was seen to be due and has not fired.",
    ),
    Failpoint(
        "timer.fired_before_mark",
        "reviews.closing:fire",
        "What a timer orders is written, not committed, and neither is that it fired.",
    ),
    Failpoint(
        "feedback.before_commit",
        "reviews.closing:add_outcome",
        "A delayed label is written, not committed.",
    ),
    Failpoint(
        "audit.seal.before_publish",
        "reviews.sealing:seal",
        "A head over the trail is sealed and kept; the file elsewhere does not have it.",
        then="audit.seal.after_publish",
    ),
    Failpoint(
        "audit.seal.after_publish",
        "reviews.sealing:seal",
        "A head is sealed and in the file elsewhere.",
    ),
    Failpoint(
        "migrate.mid_step",
        "stores.migrations.env",
        "One step of a migration is done, nothing is committed; n counts the steps.",
    ),
    Failpoint(
        "shutdown.draining",
        "engines.embedded:stop",
        "The engine takes no more runs; those under way have not ended.",
    ),
)
_BY_NAME: Final = {point.name: point for point in POINTS}


@dataclass(slots=True)
class Armed:
    """What `HITL_FAILPOINT` asks for."""

    point: Failpoint
    at: int
    """Which time, from 1."""
    mode: str
    hang_ms: int = 0
    hits: int = 0
    raise_at: str | None = None
    """Where `execute_and_error` raises, once what it lets happen is done."""
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def reached(self, name: str) -> None:
        """Do what is asked if this is the place and the time.

        Raises:
            InjectedFault: That is what was asked.
        """
        act = self._due(name)
        if act is not None:
            act(name)

    def _due(self, name: str) -> Callable[[str], None] | None:
        with self.lock:
            if name == self.raise_at:
                self.raise_at = None
                return _fail
            if name != self.point.name:
                return None
            self.hits += 1
            return self._act() if self.hits == self.at else None

    def _act(self) -> Callable[[str], None] | None:
        if self.mode == "kill":
            return _die
        if self.mode == "hang":
            return lambda _: time.sleep(self.hang_ms / 1000.0)
        if self.mode == "execute_and_error" and self.point.then is not None:
            self.raise_at = self.point.then
            return None
        return _fail


def reach(name: str) -> None:
    """Say that this process came to the place `name`.

    Raises:
        InjectedFault: It is armed so.
    """
    it = armed()
    if it is not None:
        it.reached(name)


@cache
def armed() -> Armed | None:
    """Return what the environment of this process asks for, read once; None when it asks nothing.

    Raises:
        ConfigurationError: It asks for what there is not, or in production.
    """
    return read(os.environ)


def read(environment: Mapping[str, str]) -> Armed | None:
    """Return what an environment asks for, or None.

    Raises:
        ConfigurationError: It asks for what there is not, or in production.
    """
    text = environment.get(VARIABLE, "")
    if not text:
        return None
    if environment.get(ENVIRONMENT, "").lower() == "production":
        raise ConfigurationError(
            f"{VARIABLE}={text!r} would break this process on purpose, and {ENVIRONMENT} says it is"
            f" production; nothing was started. Unset {VARIABLE}."
        )
    name, *rest = text.split(":")
    if name not in _BY_NAME:
        raise _wrong(text, f"there is no failpoint {name!r}; `hitl debug failpoints` lists them")
    at = int(rest.pop(0)) if rest and rest[0].isdecimal() else 1
    mode = rest.pop(0) if rest else "kill"
    hang_ms = int(rest.pop(0)) if mode == "hang" and rest and rest[0].isdecimal() else 0
    if mode not in _MODES or rest or at < 1 or (mode == "hang" and hang_ms < 1):
        raise _wrong(text, "it is written name[:n][:kill|error|hang:MS|execute_and_error]")
    return Armed(_BY_NAME[name], at, mode, hang_ms)


def _wrong(text: str, why: str) -> ConfigurationError:
    return ConfigurationError(f"{VARIABLE}={text!r} is not understood: {why}. Nothing was started.")


def _die(_: str) -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    time.sleep(60)  # the signal may reach another thread first


def _fail(name: str) -> None:
    raise InjectedFault(name)
