"""Killed at every failpoint at its first, second and seventh time, and gone on: I1 to I10 hold."""

import pytest

from hitl.stores.migrate import known_revisions
from tests.failpoints.sweep import Case, cases, chain, run

STEPS = [Case("migrate.mid_step", step, "kill") for step in range(2, len(known_revisions()) + 1)]
KILLS = [*cases([1], ["kill"]), *STEPS]
FAULTS = [
    *cases([1], ["error"]),
    *(c for c in cases([1], ["execute_and_error"]) if "before_commit" in c.name),
]


@pytest.mark.parametrize("case", KILLS, ids=str)
def test_a_kill_breaks_no_promise(case: Case) -> None:
    result = run(case)

    assert result.was_killed, "the workload did not come there"
    assert result.broken == []


@pytest.mark.slow
@pytest.mark.parametrize(("at", "size"), [(2, (8, 8)), (7, (24, 27))], ids=["second", "seventh"])
def test_fifteen_kills_of_one_day_break_no_promise(at: int, size: tuple[int, int]) -> None:
    # a day has too few heads to be killed at the seventh of each kind
    results = dict(chain(at, size, but="audit.seal" if at > 2 else None))

    assert [str(case) for case, result in results.items() if not result.was_killed] == []
    assert {str(case): result.broken for case, result in results.items() if result.broken} == {}


@pytest.mark.parametrize("case", FAULTS, ids=str)
def test_a_failure_breaks_no_promise(case: Case) -> None:
    result = run(case)

    assert not result.was_killed
    assert result.broken == []
