"""The desk's score while it works: the cheques alone and with you, from the runs as they are stored."""

import threading
from dataclasses import dataclass

import numpy as np

from hitl.demo.cheques import BUNDLE, money
from hitl.demo.desk import Desk
from hitl.demo.digits import DIGITS_PER_CHEQUE, handwriting
from hitl.demo.traces import Trace, trace
from hitl.models import Review, RunStatus
from hitl.reliability import compound

SHOWN = 8
"""Cheques in the list."""

_STATUS = {
    RunStatus.RUNNING: "reading",
    RunStatus.WAITING: "waits for you",
    RunStatus.DONE: "paid",
    RunStatus.STOPPED: "sent back",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One cheque in the list."""

    run_id: str
    number: int
    payee: str
    amount: str
    """What was written down so far, a dot for each digit to come."""
    status: str
    state: RunStatus
    """For its colour."""
    verdict: str
    """What the labels say of it, once it is over."""
    saved: bool


@dataclass(frozen=True, slots=True)
class Score:
    """What the page shows. Cheques that are not over are not counted."""

    total: int
    over: int
    alone_right: int
    with_you_right: int
    predicted_alone: float | None
    """Mean over the same cheques, in [0, 1]; None before the first."""
    predicted_with_you: float | None
    saved: int
    """Wrong alone, right with you."""
    spoiled: int
    """Right alone, wrong with you."""
    clicks: int
    labels: int
    """Readings a person has judged."""
    questions: tuple[int, ...]
    """Digits asked about in each full ten cheques, oldest first."""
    wrong_alone: tuple[int, ...]
    """Wrong cheques so far, after each cheque, had nobody looked."""
    wrong_with_you: tuple[int, ...]
    waiting: tuple[Review, ...]
    lines: tuple[Line, ...]
    """Newest first."""
    current: str | None
    """The run to watch: one that waits, else the newest."""


class Board:
    """Reads the score of a desk. Cheques that are over are read once."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._lock = threading.Lock()
        self._over: dict[int, Trace] = {}
        batch = desk.batch
        digits, confidence = desk.lesson.reader.read_all(handwriting().pixels[batch.images.ravel()])
        self._right_alone = (digits.reshape(batch.images.shape) == batch.truth).all(axis=1)
        p = desk.lesson.reader.calibrator.p(confidence).reshape(batch.images.shape)
        self._predicted_alone = p.prod(axis=1)

    def score(self) -> Score:
        """Return the score now."""
        with self._lock:
            traces = self._read()
        over = [t for t in traces if t.is_over]
        alone = [bool(self._right_alone[t.number - 1]) for t in over]
        with_you = [self._is_right(t) for t in over]
        waiting = [t for t in traces if self._asks(t)]
        watched = waiting[0] if waiting else traces[-1] if traces else None
        return Score(
            total=len(self.desk.batch.cheques),
            over=len(over),
            alone_right=sum(alone),
            with_you_right=sum(with_you),
            predicted_alone=_mean([float(self._predicted_alone[t.number - 1]) for t in over]),
            predicted_with_you=_mean([_with_you(t) for t in over]),
            saved=sum(w and not a for a, w in zip(alone, with_you, strict=True)),
            spoiled=sum(a and not w for a, w in zip(alone, with_you, strict=True)),
            clicks=sum(t.clicks for t in traces),
            labels=sum(d.verdict is not None for t in traces for d in t.digits),
            questions=_per_bundle(traces),
            wrong_alone=_so_far(alone),
            wrong_with_you=_so_far(with_you),
            waiting=tuple(t.waiting for t in waiting if t.waiting is not None),
            lines=tuple(self._line(t) for t in reversed(traces[-SHOWN:])),
            current=self.desk.run_id(watched.number) if watched is not None else None,
        )

    def _read(self) -> list[Trace]:
        """Return the traces of all cheques that were begun: the desk begins them in order."""
        traces = []
        for cheque in self.desk.batch.cheques:
            number = cheque.face.number
            known = self._over.get(number)
            if known is None:
                run = self.desk.begun(number)
                if run is None:
                    break
                known = trace(self.desk, number, run)
                if known.is_over:
                    self._over[number] = known
            traces.append(known)
        return traces

    def _asks(self, cheque: Trace) -> bool:
        """Whether it waits for a person who has not answered: an answer can still be taken back."""
        review = cheque.waiting
        return review is not None and self.desk.app.queue.intent(review.id) is None

    def _is_right(self, cheque: Trace) -> bool:
        truth = tuple(int(d) for d in self.desk.batch.truth[cheque.number - 1])
        return cheque.written == truth

    def _line(self, cheque: Trace) -> Line:
        right, alone = self._is_right(cheque), bool(self._right_alone[cheque.number - 1])
        return Line(
            run_id=self.desk.run_id(cheque.number),
            number=cheque.number,
            payee=self.desk.batch.cheques[cheque.number - 1].face.payee,
            amount=_amount(cheque.written),
            status=_STATUS.get(cheque.status, cheque.status.value.replace("_", " ")),
            state=cheque.status,
            verdict=_verdict(right=right, alone=alone) if cheque.is_over else "",
            saved=cheque.is_over and right and not alone,
        )


def _with_you(cheque: Trace) -> float:
    """Return the prediction as it was reviewed: a digit a person decided counts as right."""
    return compound(1.0 if d.verdict is not None else d.p for d in cheque.digits)


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _so_far(right: list[bool]) -> tuple[int, ...]:
    return tuple(int(n) for n in np.cumsum([not r for r in right]))


def _per_bundle(traces: list[Trace]) -> tuple[int, ...]:
    full = range(0, len(traces) - BUNDLE + 1, BUNDLE)
    return tuple(sum(t.asked for t in traces[at : at + BUNDLE]) for at in full)


def _amount(written: tuple[int, ...]) -> str:
    if len(written) == DIGITS_PER_CHEQUE:
        return money(int("".join(map(str, written))))
    return "EUR " + "".join(map(str, written)).ljust(DIGITS_PER_CHEQUE, "·")


def _verdict(*, right: bool, alone: bool) -> str:
    if right:
        return "right" if alone else "right, wrong alone"
    return "wrong, right alone" if alone else "wrong"
