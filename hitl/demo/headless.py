"""The desk without a browser: every cheque through the real graph, every review through the real queue."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hitl.demo.cheques import batch
from hitl.demo.desk import Desk, read_so_far
from hitl.demo.digits import CHEQUES_WITHOUT_REPEAT, DIGITS_PER_CHEQUE, learn
from hitl.demo.figures import Figures, Outcome, figures
from hitl.demo.reviewer import SimulatedReviewer, proposed_digit
from hitl.demo.rules import READ
from hitl.models import RunStatus, Verdict
from hitl.reviews import TimelineStep
from hitl.runtime import Run

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
    """
    traces = [_trace(desk, desk.app.run(desk.run_id(c.face.number))) for c in desk.batch.cheques]
    return Outcome(
        p=np.array([trace.p for trace in traces]),
        read=np.array([trace.read for trace in traces]),
        final=np.array([trace.final for trace in traces]),
        approved=np.array([trace.approved for trace in traces]),
        denied=np.array([trace.denied for trace in traces]),
        resets=sum(trace.resets for trace in traces),
        elsewhere=sum(trace.elsewhere for trace in traces),
    )


@dataclass(frozen=True, slots=True)
class _Trace:
    p: list[float]
    read: list[int]
    final: list[int]
    approved: list[bool]
    denied: list[bool]
    resets: int
    elsewhere: int


def _trace(desk: Desk, run: Run) -> _Trace:
    """Return what became of one cheque whose run is over."""
    steps = run.timeline().steps
    written = read_so_far(desk.app.graph.get_state(run.config).values)
    final = written + [-1] * (DIGITS_PER_CHEQUE - len(written))
    first = [s for s in steps if s.gate.name.step == READ and s.gate.attempt == 1]
    verdicts = [_verdict(step) for step in first]
    return _Trace(
        p=[_known(step) for step in first],
        read=[
            digit if step.review is None else proposed_digit(step.review)
            for step, digit in zip(first, final, strict=True)
        ],
        final=final,
        approved=[verdict is Verdict.APPROVE for verdict in verdicts],
        denied=[verdict is Verdict.DENY for verdict in verdicts],
        resets=sum(s.gate.verified for s in steps if s.gate.name.step == READ),
        elsewhere=sum(s.review is not None for s in steps if s.gate.name.step != READ),
    )


def _verdict(step: TimelineStep) -> Verdict | None:
    decision = step.review.decision if step.review is not None else None
    return decision.verdict if decision is not None else None


def _known(step: TimelineStep) -> float:
    p = step.gate.p
    if p is None:
        raise ValueError(
            f"Gate {step.gate.id!r} of the reader has no p; the calibrator is missing."
        )
    return p
