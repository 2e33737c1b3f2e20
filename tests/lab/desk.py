"""Real gate logs: the cheque desk on its graph, store and queue, with spot checks, and its truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hitl
from hitl.cli.opened import ReadOnlyStore
from hitl.demo.cheques import Batch, batch
from hitl.demo.desk import WORKFLOW, Desk, desk_graph
from hitl.demo.digits import learn
from hitl.demo.headless import process
from hitl.demo.reviewer import SimulatedReviewer
from hitl.demo.rules import READ, desk_policy
from hitl.lab.log import GateLog, read_gate_log
from hitl.models import Review
from hitl.reviews import ReviewQueue
from hitl.stores import open_reader


class SpotCheckedDesk(Desk):
    """The desk under its own policy, with spot checks."""

    def watched(self, folder: Path, budget: float, *, steps: float, runs: float = 0.0) -> "Desk":
        """Wrap the graph again, this time under a policy with spot checks."""
        self.app.close()
        own = desk_policy(self.lesson.threshold(budget))
        self.app = hitl.wrap(
            desk_graph(self.lesson.reader, self.book),
            own.model_copy(update={"spot_check": steps, "spot_check_runs": runs}),
            store=f"sqlite:///{folder}/hitl.db",
            name=WORKFLOW,
            calibrators={READ: self.lesson.reader.calibrator},
        )
        return self


class QuestionsOnly(SimulatedReviewer):
    """Answers what a run waits for, and leaves spot checks for later."""

    def decide(self, queue: ReviewQueue, review: Review, batch: Batch, *, cheque: int) -> None:
        if review.blocking:
            super().decide(queue, review, batch, cheque=cheque)


@dataclass(frozen=True)
class DeskLog:
    """A log, where it is kept, and what was really wrong."""

    url: str
    log: GateLog
    truth: Mapping[str, bool]
    """Per gate id of a reading, whether the first reading was wrong."""


def desk_log(
    folder: Path,
    *,
    cheques: int,
    budget: float = 0.10,
    spot_check: float = 0.2,
    spot_check_runs: float = 0.0,
    answer: bool = True,
) -> DeskLog:
    """Run the desk with a perfect reviewer and return its log.

    Args:
        folder: Where the store goes.
        cheques: How many.
        budget: Share of the digits to ask about.
        spot_check: Share of the other steps to look at.
        spot_check_runs: Share of runs to look at whole.
        answer: Whether the spot checks get an answer.
    """
    lesson = learn(0)
    work = batch(lesson, cheques)
    url = f"sqlite:///{folder}/hitl.db"
    desk = SpotCheckedDesk(lesson, work, budget=budget, store=url, book=folder / "book.db")
    desk.watched(folder, budget, steps=spot_check, runs=spot_check_runs)
    try:
        outcome = process(desk, QuestionsOnly(1.0, seed=0))
        if answer:
            answer_spot_checks(desk.app.queue, outcome.read == work.truth)
    finally:
        desk.app.close()
    store = ReadOnlyStore(open_reader(url))
    try:
        log = store.read(read_gate_log)
    finally:
        store.close()
    return DeskLog(url, log, _truth(log, outcome.read != work.truth))


def answer_spot_checks(queue: ReviewQueue, right: np.ndarray) -> None:
    """Answer every spot check with the truth; of the steps that are no readings all are right."""
    while waiting := [r for r in queue.pending(limit=500) if not r.blocking]:
        for review in waiting:
            verdict = "approve" if _is_right(review, right) else "deny"
            reasons = [] if verdict == "approve" else ["another digit"]
            queue.decide(
                review.id,
                verdict,
                by="ana",
                proposal_hash=review.proposal_hash,
                reasons=reasons,
            )


def _cheque(run_id: str) -> int:
    return int(run_id.rpartition("-")[2])


def _is_right(review: Review, right: np.ndarray) -> bool:
    if review.name.step != READ:
        return True
    return bool(right[_cheque(review.run_id) - 1, review.name.visit - 1])


def _truth(log: GateLog, wrong: np.ndarray) -> dict[str, bool]:
    first = (log.text("step") == READ) & (log.number("attempt") == 1)
    return {
        str(row): bool(wrong[_cheque(str(run)) - 1, int(visit) - 1])
        for row, run, visit in zip(
            log.text("id")[first],
            log.text("run_id")[first],
            log.number("visit")[first],
            strict=True,
        )
    }
