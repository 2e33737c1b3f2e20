"""What Postgres says, as sentences."""

import psycopg
from sqlalchemy.exc import DBAPIError

from hitl.errors import StoreError, StoreFailed

FROM_THE_DATABASE = (psycopg.Error, DBAPIError, UnicodeEncodeError)
"""What the driver raises; the last one when a parameter holds a lone surrogate."""
_SENTENCES: dict[type[Exception], str] = {
    psycopg.errors.DiskFull: "its disk is full. Make room and try again.",
    psycopg.errors.ReadOnlySqlTransaction: "it may only be read; name the primary server.",
    psycopg.errors.InsufficientPrivilege: "this user may not do it. Grant the right, or use another.",
    psycopg.errors.QueryCanceled: "it took too long. Try again.",
    psycopg.errors.LockNotAvailable: "others held the same rows for too long. Try again.",
    psycopg.errors.DeadlockDetected: "others wrote the same rows meanwhile. Try again.",
    psycopg.errors.SerializationFailure: "others wrote the same rows meanwhile. Try again.",
}
_MAY_PASS = (psycopg.OperationalError, psycopg.errors.IdleInTransactionSessionTimeout)
"""The same may work later: the connection, a lock or the disk stood in the way."""
MEANWHILE = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
"""The transaction did nothing and may be tried again as a whole."""


def original(problem: BaseException) -> BaseException | None:
    """Return what the driver raised, also when SQLAlchemy wrapped it."""
    return problem.orig if isinstance(problem, DBAPIError) else problem


def refusal(problem: BaseException, url: str) -> BaseException:
    """Return `problem`, or a `StoreError` caused by it when it comes from the database."""
    if not isinstance(problem, FROM_THE_DATABASE):
        return problem
    said = original(problem)
    known = [sentence for kind, sentence in _SENTENCES.items() if isinstance(said, kind)]
    why = known[0] if known else f"{_first_line(said)}."
    kind = StoreFailed if isinstance(said, _MAY_PASS) else StoreError
    told = kind(f"The database {url!r} did not do it, and nothing was written: {why}")
    told.__cause__ = problem
    return told


def unknown_outcome(problem: BaseException, url: str) -> StoreFailed:
    """Return what to raise when the connection broke during a commit: it may have been done."""
    told = StoreFailed(
        f"The connection to {url!r} broke while it committed ({_first_line(problem)}); whether it was"
        " written is unknown. Look, or ask again with the same decision id."
    )
    told.__cause__ = problem
    return told


def _first_line(problem: BaseException | None) -> str:
    lines = str(problem).strip().splitlines()
    return (lines[0] if lines else type(problem).__name__).rstrip(".")
