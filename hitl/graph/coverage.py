"""What a yes may cover: the committed steps its page shows, because the step it is about saw them.

A step sees what its graph's snapshot holds: steps of earlier supersteps, a finished child graph's
included, and those of the graphs around it as far as it was given their state. It does not see its
own superstep, nor a child graph that still runs beside it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator

from hitl.graph.inside import around
from hitl.graph.session import FAN_OUT
from hitl.graph.task import Attempt, GatedTask
from hitl.models import Covers, GateRow, Place, Vouched
from hitl.ports import Reader


def unverified(attempt: Attempt) -> tuple[Vouched, ...]:
    """Return the committed steps that this step saw and nobody verified, oldest first.

    A child graph counts by its own steps, and a step with two gates by the one after it.
    """
    session, task = attempt.task.session, attempt.task
    committed, covered = session.wiring.store.read(lambda r: _read(r, task))
    after = {r.task_id for r in committed.rows if r.name.place is Place.AFTER}
    levels = {(path, shard): snapshot for path, shard, snapshot in (task.level, *task.above)}
    shown = [
        row
        for index, row in enumerate(committed.rows)
        if not covered.intersection(r.id for r in committed.chain(index))
        and not committed.is_graph(row)
        and (row.name.place is Place.AFTER or row.task_id not in after)
        and committed.was_before(index, levels)
    ]
    return tuple(Vouched(gate_id=r.id, step=r.name.step, p=r.p, summary=r.summary) for r in shown)


def _read(reader: Reader, task: GatedTask) -> tuple["_Committed", set[str]]:
    """Return what the turn committed since the last yes that covered all of it, and what is covered."""
    run = task.session.run
    rows = [
        r
        for r in reader.gates(run.id, live_only=True)
        if r.turn == run.turn and r.committed_at is not None
    ]
    whole = [r.root_checkpoint_id for r in rows if _reset(r) and "/" not in r.name.step]
    kept = [r for r in rows if r.root_checkpoint_id >= max(whole, default="")]
    covered = {r.id for r in kept if r.verified}
    for row in kept:
        if _reset(row) and row.review_id is not None:
            vouched = reader.review(row.review_id).presentation.vouched
            covered.update(v.gate_id for v in vouched)
    return _Committed(kept), covered


def _reset(row: GateRow) -> bool:
    return row.verified and row.covers is Covers.SINCE_RESET


class _Committed:
    """Gate rows in order of commit, and which of them are of child graphs that ended."""

    def __init__(self, rows: list[GateRow]) -> None:
        self.rows = rows
        self._graphs: defaultdict[tuple[str, str, int], list[int]] = defaultdict(list)
        inside = {(r.root_checkpoint_id, *graph) for r in rows for graph in around(r.name)}
        for index, row in enumerate(rows):
            if (key := _key(row)) in inside:
                self._graphs[key].append(index)

    def is_graph(self, row: GateRow) -> bool:
        """Return whether there are rows of steps inside this one."""
        return _key(row) in self._graphs

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

    def was_before(self, index: int, levels: dict[tuple[str, int], str]) -> bool:
        """Return whether a row belongs to an earlier superstep of a graph in `levels`.

        Args:
            index: Of the row.
            levels: By path and shard of the graphs whose state is seen: their present snapshots.
        """
        *_, outermost = self.chain(index)
        name = outermost.name
        graph = (name.step.rpartition("/")[0], name.shard // FAN_OUT)
        return levels.get(graph, outermost.checkpoint_id) != outermost.checkpoint_id


def _key(row: GateRow) -> tuple[str, str, int]:
    return row.root_checkpoint_id, row.name.step, row.name.shard
