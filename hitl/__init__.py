"""hitl puts a person where an agent workflow's error would compound."""

from hitl.errors import HitlError
from hitl.graph.context import current, report
from hitl.models import Evidence, Signal
from hitl.policy import (
    Answer,
    Checkpoint,
    EscalationPolicy,
    Retry,
    Reviewer,
    Rollback,
    Stop,
    Takeover,
)
from hitl.runtime import Run, Workflow, wrap

__all__ = [
    "Answer",
    "Checkpoint",
    "EscalationPolicy",
    "Evidence",
    "HitlError",
    "Retry",
    "Reviewer",
    "Rollback",
    "Run",
    "Signal",
    "Stop",
    "Takeover",
    "Workflow",
    "current",
    "report",
    "wrap",
]
