"""One case of the sweep: work until the failpoint acts, work on in another process, look at the result."""

import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from hitl.failpoints import POINTS
from tests.failpoints.workload import Size, doomed, observed, work
from tests.invariants import violations
from tests.runtime.processes import killed

ONCE = frozenset({"migrate.mid_step", "shutdown.draining"})
"""Places that one process comes to once."""
OF_REQUESTS = ("request", "timer")
"""Places that requests come to; runs come to the others."""


@dataclass(frozen=True)
class Case:
    """Where, the how-manyth time, and what happens there."""

    name: str
    at: int
    mode: str

    def __str__(self) -> str:
        return f"{self.name}:{self.at}:{self.mode}"


@dataclass(frozen=True)
class Result:
    """What came of a case."""

    was_killed: bool
    broken: list[str]


def cases(times: Sequence[int], modes: Sequence[str]) -> Iterator[Case]:
    """Yield every failpoint with every number of times it is come to, in every mode."""
    for point in POINTS:
        for at in times:
            if at > 1 and point.name in ONCE:
                continue
            for mode in modes:
                # with nothing that follows, `execute_and_error` is `error`
                if mode != "execute_and_error" or point.then is not None:
                    yield Case(point.name, at, mode)


def chain(at: int, size: Size, *, but: str | None = None) -> Iterator[tuple[Case, Result]]:
    """Kill one day's work at every failpoint in turn, and look after each kill; yield what came of it.

    Args:
        at: Which time it is killed there.
        size: How much work the day has.
        but: The beginning of the failpoints that are left out.
    """
    with tempfile.TemporaryDirectory(prefix="hitl-failpoint-") as name:
        folder = Path(name)
        for case in sorted(cases([at], ["kill"]), key=_in_the_day):
            if but is not None and case.name.startswith(but):
                continue
            was_killed = killed(doomed, folder, size, str(case))
            yield case, Result(was_killed, violations(observed(folder, drained=False)))
        work(folder, size)
        yield Case("end", at, "kill"), Result(True, violations(observed(folder)))


_DAY = (
    *("request.", "timer.", "interrupt.before", "decide.", "resume.", "interrupt.after"),
    *("effect.before_commit", "effect.", "feedback.", "audit.seal"),
)
"""When the day's work comes to its places: what is passed once is not come to again."""


def _in_the_day(case: Case) -> int:
    return next(n for n, start in enumerate(_DAY) if case.name.startswith(start))


def run(case: Case) -> Result:
    """Carry one case out, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="hitl-failpoint-") as name:
        folder = Path(name)
        of_requests = case.name.startswith(OF_REQUESTS)
        size = (3, case.at + 1) if of_requests else (case.at + 2, 2)
        if case.name == "migrate.mid_step":
            _foreign_table(folder / "hitl.db")
        was_killed = killed(doomed, folder, size, str(case))
        work(folder, size)
        return Result(was_killed, violations(observed(folder)))


def _foreign_table(path: Path) -> None:
    """Make a database that has a table already: an empty one is not migrated step by step."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE theirs (id INTEGER)")
