"""What a step rests on, as the gate rows tell: who saw what.

A step sees what its graph's snapshot holds: steps of earlier supersteps, a finished child graph's
included, and those of the graphs around it. It does not see its own superstep, nor a child graph that
still runs beside it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from hitl.models import GateRow, Place, StepName
from hitl.models.reviews import FAN_OUT

Graph = tuple[str, int]
"""A graph of a run: its path, empty for the root, and its shard."""

Level = tuple[Graph, str | None]
"""One execution of a graph: with the row it ended in, or None while it runs."""


def around(name: StepName) -> Iterator[Graph]:
    """Yield the child graphs a step is in, the innermost first."""
    path, shard = name.step, name.shard
    while "/" in path:
        path, shard = path.rpartition("/")[0], shard // FAN_OUT
        yield path, shard


class Ancestry:
    """Gate rows of one turn in order of commit, and which of them are of child graphs that ended."""

    def __init__(self, rows: Sequence[GateRow]) -> None:
        self.rows = list(rows)
        self._graphs: defaultdict[tuple[str, str, int], list[int]] = defaultdict(list)
        inside = {(r.root_checkpoint_id, *graph) for r in rows for graph in around(r.name)}
        for index, row in enumerate(rows):
            if (key := _key(row)) in inside:
                self._graphs[key].append(index)
        self._acted = {r.task_id for r in rows if r.name.place is Place.AFTER}

    def counts(self, row: GateRow) -> bool:
        """Return whether a row stands for itself.

        A child graph counts by its own steps, and a step with two gates by the one after it.
        """
        if _key(row) in self._graphs:
            return False
        return row.name.place is Place.AFTER or row.task_id not in self._acted

    def chain(self, index: int) -> Iterator[GateRow]:
        """Yield a row, and those of the child graphs around it that ended, innermost first."""
        while True:
            row = self.rows[index]
            yield row
            path, shard = next(around(row.name), ("", 0))
            ends = self._graphs.get((row.root_checkpoint_id, path, shard), [])
            later = bisect_right(ends, index)
            if later == len(ends):
                return
            index = ends[later]

    def was_before(self, index: int, levels: Mapping[Level, str]) -> bool:
        """Return whether a row belongs to an earlier superstep of a graph in `levels`.

        Args:
            index: Of the row.
            levels: The graphs whose state is seen, with the snapshot each is seen at.
        """
        for level, snapshot in self._levels(index):
            if level in levels:
                return levels[level] != snapshot
        return False

    def seen_by(self, index: int) -> Iterator[int]:
        """Yield the rows a row rests on, in order of commit: itself and its inside included."""
        here = self.rows[index]
        levels = self._seen_levels(index)
        for other in range(index + 1):
            inside = any(row.id == here.id for row in self.chain(other))
            if inside or self.was_before(other, levels):
                yield other

    def parents(self, index: int) -> tuple[str, ...]:
        """Return the ids of the rows a row directly rests on, in order of commit; () for a first step.

        They are of the nearest superstep it saw, without those that another of them rests on.
        """
        levels = self._seen_levels(index)
        near: list[int] = []
        for other in range(index - 1, -1, -1):
            row = self.rows[other]
            if near and row.root_checkpoint_id != self.rows[near[0]].root_checkpoint_id:
                break
            if self.counts(row) and self.was_before(other, levels):
                near.append(other)
        seen = {other: self._seen_levels(other) for other in near}
        return tuple(
            self.rows[other].id
            for other in reversed(near)
            if not any(at > other and self.was_before(other, saw) for at, saw in seen.items())
        )

    def _seen_levels(self, index: int) -> dict[Level, str]:
        """Return the graphs whose state a row was given, with the snapshot it saw each at."""
        root: dict[Level, str] = {(("", 0), None): self.rows[index].root_checkpoint_id}
        return root | dict(self._levels(index))

    def _levels(self, index: int) -> Iterator[tuple[Level, str]]:
        """Yield the graphs a row is in, innermost first, with the snapshot it stood on in each."""
        chain = list(self.chain(index))
        for row, ended in zip_longest(chain, chain[1:]):
            yield (_graph(row), ended.id if ended else None), row.checkpoint_id


def _graph(row: GateRow) -> Graph:
    return row.name.step.rpartition("/")[0], row.name.shard // FAN_OUT


def _key(row: GateRow) -> tuple[str, str, int]:
    return row.root_checkpoint_id, row.name.step, row.name.shard
