"""The desk without a browser: every cheque through the real graph, every review through the real queue."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitl.demo.cheques import batch
from hitl.demo.desk import Desk
from hitl.demo.digits import CHEQUES_WITHOUT_REPEAT, DIGITS_PER_CHEQUE, learn
from hitl.demo.figures import Figures, Outcome, figures
from hitl.demo.reviewer import SimulatedReviewer
from hitl.demo.traces import trace
from hitl.models import RunStatus, Verdict

REPEATS = f"Images repeat: there are {CHEQUES_WITHOUT_REPEAT * DIGITS_PER_CHEQUE} for the work."
"""Said when there are more cheques than the work images allow without repeating."""

Progress = Callable[[int, int], None]
"""Called with (cheques done, cheques in all)."""


@dataclass(frozen=True, slots=True)
class Headless:
    """What a headless run found."""

    figures: Figures
    reviews_elsewhere: int
    """Reviews of payments: not in the figures' `reviews`."""
    note: str
    """What to know when reading the figures; empty for nothing."""


def run_headless(
    *,
    cheques: int = CHEQUES_WITHOUT_REPEAT,
    seed: int = 0,
    reviewer_accuracy: float = 1.0,
    budget: float = 0.10,
    repeat: bool = True,
    progress: Progress | None = None,
) -> Headless:
    """Process a batch with the simulated reviewer, in a database that is thrown away.

    Args:
        cheques: How many, at least 1. Above 150 the images repeat, and `note` says so.
        seed: Fixes the split, the cheques and the reviewer; >= 0.
        reviewer_accuracy: P(the reviewer reads a digit right), in [0, 1].
        budget: Share of digits to review, in [0, 1].
        repeat: False refuses more cheques than the images allow.
        progress: Called after each cheque.

    Raises:
        ConfigurationError: A value is impossible; nothing was run.
    """
    began = time.perf_counter()
    reviewer = SimulatedReviewer(reviewer_accuracy, seed=seed)
    lesson = learn(seed)
    work = batch(lesson, cheques, repeat=repeat)
    with tempfile.TemporaryDirectory(prefix="hitl-demo-") as folder:
        desk = Desk(
            lesson,
            work,
            budget=budget,
            store=f"sqlite:///{folder}/hitl.db",
            book=Path(folder) / "book.db",
            reviewer_accuracy=reviewer_accuracy,
        )
        try:
            outcome = process(desk, reviewer, progress=progress)
        finally:
            desk.app.close()
    found = figures(
        work,
        outcome,
        lesson,
        accuracy=reviewer_accuracy,
        seconds=time.perf_counter() - began,
    )
    return Headless(found, outcome.elsewhere, REPEATS if work.repeats else "")


def process(
    desk: Desk, reviewer: SimulatedReviewer, *, progress: Progress | None = None
) -> Outcome:
    """Take every cheque of the desk to its end, in this thread; those begun earlier go on.

    Raises:
        RuntimeError: A run failed.
    """
    for done, cheque in enumerate(desk.batch.cheques, start=1):
        run = desk.start(cheque)
        run.wait(timeout=0)  # one that a killed process left half-way goes on
        while run.status is RunStatus.WAITING:
            for review in run.reviews():
                reviewer.decide(desk.app.queue, review, desk.batch, cheque=cheque.face.number)
            run.wait(timeout=0)  # what waits for these decisions goes on here; it may park again
        if run.status not in (RunStatus.DONE, RunStatus.STOPPED):
            raise RuntimeError(f"The run {run.id!r} is {run.status.value}: {run.reason}")
        if progress is not None:
            progress(done, len(desk.batch.cheques))
    return observe(desk)


def observe(desk: Desk) -> Outcome:
    """Return what became of the batch, from the runs as they are stored.

    Raises:
        NotFound: A cheque was not started.
        ValueError: A cheque was given up before its last digit.
    """
    numbers = [cheque.face.number for cheque in desk.batch.cheques]
    traces = [trace(desk, number, desk.app.run(desk.run_id(number))) for number in numbers]
    for each in traces:
        if len(each.written) != DIGITS_PER_CHEQUE:
            raise ValueError(f"Cheque {each.number} has {len(each.written)} of 6 digits.")
    verdicts = [[digit.verdict for digit in each.digits] for each in traces]
    return Outcome(
        p=np.array([[digit.p for digit in each.digits] for each in traces]),
        read=np.array([[digit.read for digit in each.digits] for each in traces]),
        final=np.array([each.written for each in traces]),
        approved=np.array([[v is Verdict.APPROVE for v in row] for row in verdicts]),
        denied=np.array([[v is Verdict.DENY for v in row] for row in verdicts]),
        resets=sum(each.resets for each in traces),
        elsewhere=sum(each.asked_elsewhere for each in traces),
    )
