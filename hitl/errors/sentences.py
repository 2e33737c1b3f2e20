"""The base of every error, and what goes wrong with a workflow, a store or a run."""

from collections.abc import Iterable
from difflib import get_close_matches


class HitlError(Exception):
    """Base class of all errors raised by hitl. Catch this one at the edge."""


class NotFound(HitlError):
    """No such record.

    Attributes:
        kind: What was looked up, e.g. `"review"`.
        id: The id that was not found.
    """

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.id = id
        super().__init__(f"No {kind} with id {id!r}.")


class UnknownWorkflow(NotFound):
    """A run was to be started of a workflow that is not served here."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.known = sorted(known)
        super().__init__("workflow", name)
        served = f"it serves {', '.join(map(repr, self.known))}" if self.known else "it serves none"
        told = f"This process serves no workflow {name!r}; {served}. Nothing was started."
        self.args = (told,)


class ConfigurationError(HitlError):
    """The workflow, its policy or its store is declared wrongly. Raised before a run starts."""


class UnknownStep(ConfigurationError):
    """A checkpoint names a step the graph does not have."""

    def __init__(self, step: str, known: Iterable[str]) -> None:
        self.step = step
        self.known = tuple(sorted(known))
        names = ", ".join(repr(n) for n in self.known)
        near = get_close_matches(step, self.known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        super().__init__(
            f"Checkpoint {step!r} names a step the graph does not have; it has {names}.{hint}"
        )


class NotBuilt(ConfigurationError):
    """A policy asks for a feature this version does not have. Refused, never ignored."""

    def __init__(self, feature: str) -> None:
        self.feature = feature
        super().__init__(f"{feature} is not built in this version of hitl; leave it out.")


class PolicyFileError(ConfigurationError):
    """A policy file cannot be read as a policy."""

    def __init__(self, source: str, problem: str) -> None:
        self.source = source
        self.problem = problem
        super().__init__(f"Policy {source!r}: {problem}")


class MissingExtra(ConfigurationError, ImportError):
    """A part of hitl is imported whose optional dependencies are not installed."""

    def __init__(self, module: str, extra: str, missing: str) -> None:
        self.module = module
        self.extra = extra
        super().__init__(
            f"{module!r} needs {missing!r}, which is not installed;"
            f" install it with `pip install 'hitl-framework[{extra}]'`."
        )


class StoreError(HitlError):
    """The store cannot do what was asked; nothing was written."""


class StoreUnavailable(StoreError):
    """The store cannot be opened."""

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        super().__init__(f"The store {url!r} cannot be opened: {problem}")


class NewerDatabase(StoreError):
    """The database was written by a newer version of hitl."""

    def __init__(self, url: str, revision: str) -> None:
        self.url = url
        self.revision = revision
        super().__init__(
            f"The database {url!r} is at schema {revision!r}, which this version of hitl does not"
            " know. Install the version that wrote it, or a later one."
        )


class StoreFailed(StoreError):
    """The database could not do it now: its disk is full, it is locked. The same may work later."""


class StoreInUse(StoreError):
    """Another process holds the only writing connection of this SQLite database."""

    def __init__(self, url: str, holder: str) -> None:
        self.url = url
        self.holder = holder
        super().__init__(
            f"The database {url!r} is being written by {holder}; a SQLite store has one writer."
            " Use that process's queue, stop it first, or use Postgres."
        )


class ProposalRefused(HitlError):
    """A proposal cannot be put before a person: unserialisable, too large or too deep."""

    def __init__(self, step: str, problem: str) -> None:
        self.step = step
        super().__init__(f"The proposal of step {step!r} cannot be reviewed: {problem}")


class RequestRefused(HitlError):
    """A program's request for a review was refused; nothing was saved.

    Attributes:
        status_code: 422, or 409 for an idempotency key that came with another request.
    """

    def __init__(self, sentence: str, *, status_code: int = 422) -> None:
        self.status_code = status_code
        super().__init__(sentence)


class InvalidReport(HitlError):
    """`hitl.report` was given something that is not a probability, or called outside a step."""


class InvalidQuestion(HitlError):
    """`hitl.ask` was given something nobody can answer, or called outside a step."""


class LeaseLost(HitlError):
    """Another process took this run over; this one must stop writing."""

    def __init__(self, run_id: str, epoch: int | None) -> None:
        self.run_id = run_id
        self.epoch = epoch
        had = "carries no epoch" if epoch is None else f"has epoch {epoch}, which is not current"
        super().__init__(
            f"The write to run {run_id!r} {had}. Go through `app.start`, `app.invoke` or `app.run`."
        )


class ResumeRefused(HitlError):
    """A caller tried to go past the decision table: resume a gate, or replay an old snapshot."""


class RunNotFinished(HitlError):
    """The run has no value yet."""

    def __init__(self, run_id: str, status: str) -> None:
        self.run_id = run_id
        self.status = status
        super().__init__(
            f"Run {run_id!r} is {status}; it has no value yet. `run.wait()` waits for it."
        )


class ServerUnreachable(HitlError):
    """The serving process gave no answer; whether it did what was asked is unknown.

    Attributes:
        url: Where the queue was asked.
    """

    def __init__(self, url: str, problem: str) -> None:
        self.url = url
        super().__init__(
            f"The queue at {url!r} gave no answer: {problem}. Ask again with the same decision id;"
            " it never decides twice."
        )


class RunStopped(HitlError):
    """The run ended, or cannot go on, by decision; its record says the same.

    Attributes:
        run_id: The run.
        status: `"stopped"` or `"needs_attention"`.
    """

    def __init__(self, run_id: str, status: str, sentence: str) -> None:
        self.run_id = run_id
        self.status = status
        super().__init__(sentence)


class RunBusy(HitlError):
    """Another thread or process is advancing this run."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(
            f"Run {run_id!r} is being advanced elsewhere; nothing was started. Wait for it with"
            " `run.wait()`."
        )


class RunRefusal(HitlError):
    """The run was not stopped or resumed; nothing was changed.

    Attributes:
        run_id: The run.
        status_code: The HTTP status this refusal maps to.
    """

    status_code = 409

    def __init__(self, run_id: str, sentence: str) -> None:
        self.run_id = run_id
        super().__init__(f"Run {run_id!r} {sentence}")


class InjectedFault(HitlError):
    """A test made this process fail at a named place; see `hitl debug failpoints`.

    Attributes:
        failpoint: The place.
    """

    def __init__(self, failpoint: str) -> None:
        self.failpoint = failpoint
        super().__init__(
            f"Failpoint {failpoint!r} was reached, and HITL_FAILPOINT says to fail there. Unset it and"
            " try again."
        )


class UserRefused(HitlError):
    """A user or a key cannot be made as asked. Nothing was saved."""

    status_code = 422
