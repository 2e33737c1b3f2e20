"""The long sweep: `python -m tests.failpoints [--times 1,2,3,5,7,13] [--modes kill,error]`.

Prints a table of failpoint and mode against violations; the exit code is 1 when there is any.
"""

import argparse
import sys
import time
from collections import defaultdict

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.failpoints.sweep import Case, Result, cases, run

_MODES = "kill,error,execute_and_error,hang:20"


def main() -> int:
    """Run the sweep and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.failpoints")
    parser.add_argument("--times", default="1,2,3,5,7,13", help="which times, by commas")
    parser.add_argument("--modes", default=_MODES, help="what happens there, by commas")
    given = parser.parse_args()
    todo = list(cases([int(n) for n in given.times.split(",")], given.modes.split(",")))
    console, began = Console(), time.monotonic()
    results: dict[Case, Result] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("sweep", total=len(todo))
        for case in todo:
            progress.update(bar, description=str(case))
            results[case] = run(case)
            progress.advance(bar)
    console.print(_table(results))
    broken = sum(len(result.broken) for result in results.values())
    seconds = time.monotonic() - began
    console.print(f"{len(todo)} cases, {broken} violations, {seconds:.0f} s")
    return int(broken > 0)


def _table(results: dict[Case, Result]) -> Table:
    table = Table("failpoint", "mode", "cases", "killed", "violations")
    grouped: dict[tuple[str, str], list[Result]] = defaultdict(list)
    for case, result in results.items():
        grouped[case.name, case.mode].append(result)
    for (name, mode), found in grouped.items():
        broken = [problem for result in found for problem in result.broken]
        killed = sum(result.was_killed for result in found)
        told = f"{len(broken)} {broken[0]}" if broken else "0"
        table.add_row(name, mode, str(len(found)), str(killed), told)
    return table


if __name__ == "__main__":
    sys.exit(main())
