"""Reading a run's gate rows backwards, no further than needed: a long run is not read whole."""

from collections.abc import Iterator

from hitl.models import GateRow, Place, RunRecord
from hitl.ports import Reader


def rows_since(reader: Reader, run_id: str, snapshot_id: str) -> Iterator[GateRow]:
    """Yield the rows of the root's supersteps that started from a snapshot or later, newest first."""
    for row in reader.newest_gates(run_id):
        if row.root_checkpoint_id >= snapshot_id:
            yield row
        elif _tells_when(row):
            return


def committed_since_reset(reader: Reader, run: RunRecord) -> Iterator[GateRow]:
    """Yield the committed rows of the turn, newest first, back to the superstep of the last reset.

    Only a reset in the root graph ends it: one inside a child graph may cover that graph alone.
    """
    oldest = ""
    for row in reader.newest_gates(run.id):
        if row.turn < run.turn or (_tells_when(row) and row.root_checkpoint_id < oldest):
            return
        if row.undone_at is not None or row.committed_at is None:
            continue
        if row.resets and "/" not in row.name.step:
            oldest = max(oldest, row.root_checkpoint_id)
        if row.root_checkpoint_id >= oldest:
            yield row


def _tells_when(row: GateRow) -> bool:
    """Return whether a row names the snapshot it stood on: a question's does not."""
    return row.name.place is not Place.QUESTION
