"""What is counted and timed in this process, and the page of figures that a Prometheus server reads.

Few names, few labels: no id, no step, no person ever becomes a label.
"""

import threading
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from hitl.errors import ReviewRefusal
from hitl.models import ReviewStatus, RunStatus, Verdict
from hitl.ports import Reader
from hitl.reviews.answers import Said

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SHOWN = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
_AGES = (300, 3600, 14_400, 86_400)
"""Seconds: five minutes, an hour, four hours, a day."""
_MOST = 10_000

Labels = tuple[tuple[str, str], ...]


class Histogram:
    """Counts of values up to bounds, in the way Prometheus sums them.

    Args:
        bounds: Upper bounds, ascending, in seconds.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Yield its lines in the text format."""
        total = 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            shown = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'{name}_bucket{{le="{shown}"}} {total}'
        yield f"{name}_sum {self._sum:.6f}"
        yield f"{name}_count {total}"


class Measures:
    """What this process counted since it started. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: defaultdict[str, int] = defaultdict(int)
        self._refusals: defaultdict[str, int] = defaultdict(int)
        self._seconds = Histogram(_SECONDS)
        self._shown = Histogram(_SHOWN)

    @contextmanager
    def answering(self, said: Said) -> Iterator[None]:
        """Time an answer, and count it, or its refusal by HTTP status."""
        start = time.perf_counter()
        try:
            yield
        except ReviewRefusal as refusal:
            with self._lock:
                self._refusals[str(refusal.status_code)] += 1
            raise
        with self._lock:
            self._answers[Verdict(said.verdict).value] += 1
            self._seconds.add(time.perf_counter() - start)
            if said.shown_ms is not None:
                self._shown.add(said.shown_ms / 1000)

    def lines(self) -> Iterator[str]:
        """Yield what was counted in the text format."""
        with self._lock:
            yield "# TYPE hitl_answers_total counter"
            yield from _rows("hitl_answers_total", "verdict", self._answers)
            yield "# HELP hitl_answer_refusals_total 409: decided or held; 412: changed since shown."
            yield "# TYPE hitl_answer_refusals_total counter"
            yield from _rows("hitl_answer_refusals_total", "status", self._refusals)
            yield "# TYPE hitl_answer_seconds histogram"
            yield from self._seconds.lines("hitl_answer_seconds")
            yield "# HELP hitl_shown_seconds How long a proposal was on screen before its answer."
            yield "# TYPE hitl_shown_seconds histogram"
            yield from self._shown.lines("hitl_shown_seconds")


MEASURES = Measures()
"""Those of this process."""


def figures(r: Reader, measures: Measures, *, now: datetime) -> str:
    """Return the page of figures in the text format of Prometheus, version 0.0.4.

    What the store knows is the same in every process; what is counted is this process's.
    """
    return "\n".join((*_of_store(r, now), *measures.lines())) + "\n"


def _of_store(r: Reader, now: datetime) -> Iterator[str]:
    reviews, runs = r.count_reviews(), r.count_runs()
    yield from _gauge_by(
        "hitl_reviews", "status", {s.value: reviews.get(s, 0) for s in ReviewStatus}
    )
    yield from _gauge_by("hitl_runs", "status", {s.value: runs.get(s, 0) for s in RunStatus})
    older = r.pending_ages([now - timedelta(seconds=age) for age in _AGES])
    yield "# HELP hitl_pending_reviews_older Pending reviews that wait longer than so many seconds."
    by_age = dict(zip(map(str, _AGES), older, strict=True))
    yield from _gauge_by("hitl_pending_reviews_older", "seconds", by_age)
    yield from _gauge("hitl_pending_oldest_seconds", _age(r.oldest_pending(), now))
    undone = r.unexecuted(decided_before=now, limit=_MOST)
    yield from _gauge("hitl_approved_not_executed", len(undone))
    oldest = _age(undone[0].decided_at, now) if undone else 0.0
    yield from _gauge("hitl_approved_not_executed_oldest_seconds", oldest)
    yield from _gauge("hitl_engine_due_runs", len(r.due_runs(now=now, limit=_MOST)))
    head = r.last_head()
    sealed = head.seq if head else 0
    yield from _gauge("hitl_audit_unsealed_events", r.sealable() - sealed)
    first = [str(event.body.get("at")) for event in r.audit(after=sealed, limit=1)]
    waits = _age(datetime.fromisoformat(first[0]), now) if first and first[0] != "None" else 0.0
    yield from _gauge("hitl_audit_unsealed_seconds", waits)


def _age(then: datetime | None, now: datetime) -> float:
    return 0.0 if then is None else max(0.0, (now - then).total_seconds())


def _gauge(name: str, value: float) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    yield f"{name} {value:g}" if isinstance(value, int) else f"{name} {value:.3f}"


def _gauge_by(name: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    yield f"# TYPE {name} gauge"
    yield from _rows(name, label, values)


def _rows(name: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    for key in sorted(values):
        yield f'{name}{{{label}="{key}"}} {values[key]}'
