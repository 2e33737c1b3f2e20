"""Which p a step counts with: calibrated, measured, reported or declared; else unknown."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from hitl.models import ConfidenceKind
from hitl.policy import EscalationPolicy
from hitl.ports import Clock, Store

ENOUGH_LABELS = 30
"""Labels from which a step's measured accuracy counts."""

_REFRESH = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class StepAccuracy:
    """P(right) of one step execution, and what it rests on."""

    p: float | None
    kind: ConfidenceKind
    calibrator: str | None = None
    cutoff: datetime | None = None


class Accuracy:
    """Resolves p for the steps of one workflow; measured figures are refreshed every 30 s."""

    def __init__(
        self,
        workflow: str,
        policy: EscalationPolicy,
        store: Store,
        clock: Clock,
        calibrators: Mapping[str, Callable[[float], float]],
    ) -> None:
        self._workflow = workflow
        self._store = store
        self._clock = clock
        self._calibrators = dict(calibrators)
        self._declared = lru_cache(maxsize=4096)(policy.declared_accuracy)
        self._measured: dict[str, tuple[datetime, float | None]] = {}

    def of(self, step: str, confidence: float | None) -> StepAccuracy:
        """Return the step's p.

        Order: the calibrated confidence where a calibrator exists; the step's measured accuracy
        (mean of its Beta posterior under Jeffreys' prior, from 30 labels); the reported confidence;
        the policy's declared accuracy; unknown.
        """
        calibrate = self._calibrators.get(step)
        if calibrate is not None and confidence is not None:
            calibrated = float(calibrate(confidence))
            if math.isnan(calibrated):
                return StepAccuracy(None, ConfidenceKind.UNKNOWN)
            return StepAccuracy(
                min(1.0, max(0.0, calibrated)),
                ConfidenceKind.CALIBRATED,
                getattr(calibrate, "name", getattr(calibrate, "__name__", "calibrator")),
                getattr(calibrate, "cutoff", None),
            )
        measured = self._measured_accuracy(step)
        if measured is not None:
            return StepAccuracy(measured, ConfidenceKind.MEASURED)
        if confidence is not None:
            return StepAccuracy(confidence, ConfidenceKind.REPORTED)
        declared = self._declared(step)
        if declared is not None:
            return StepAccuracy(declared, ConfidenceKind.DECLARED)
        return StepAccuracy(None, ConfidenceKind.UNKNOWN)

    def is_known(self, step: str) -> bool:
        """Return whether p is known before the step says anything."""
        return (
            step in self._calibrators
            or self._declared(step) is not None
            or self._measured_accuracy(step) is not None
        )

    def _measured_accuracy(self, step: str) -> float | None:
        known = self._measured.get(step)
        now = self._clock()
        if known is None or now - known[0] > _REFRESH:
            right, judged = self._store.read(lambda r: r.label_counts(self._workflow, step))
            mean = (right + 0.5) / (judged + 1.0) if judged >= ENOUGH_LABELS else None
            known = self._measured[step] = (now, mean)
        return known[1]
