"""What SQLite says, as sentences."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from hitl.errors import StoreError, StoreFailed

_SENTENCES = {
    "disk is full": "its disk is full. Make room and try again.",
    "is locked": "another program has locked it. End that program, or try again.",
    "not authorized": (
        "a job on the store must not begin, commit or roll back by itself, nor run a script."
    ),
    "readonly": "it may only be read. Give this process the right to write the file and its folder.",
}


FROM_THE_DATABASE = (sqlite3.Error, DBAPIError, UnicodeEncodeError)
"""What the driver raises; the last one when a parameter holds a lone surrogate."""


def refusal(problem: BaseException, url: str) -> BaseException:
    """Return `problem`, or a `StoreError` caused by it when it comes from the database."""
    if not isinstance(problem, FROM_THE_DATABASE):
        return problem
    said = str(problem.orig) if isinstance(problem, DBAPIError) else str(problem)
    known = [sentence for words, sentence in _SENTENCES.items() if words in said]
    why = known[0] if known else f"{said}."
    kind = StoreFailed if _may_pass(problem) else StoreError
    told = kind(f"The database {url!r} did not do it, and nothing was written: {why}")
    told.__cause__ = problem
    return told


def _may_pass(problem: BaseException) -> bool:
    """Return whether the same may work later: the disk or a lock stood in the way."""
    cause = problem.orig if isinstance(problem, DBAPIError) else problem
    return isinstance(cause, sqlite3.OperationalError)
