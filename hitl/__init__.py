"""hitl puts a person where an agent workflow's error would compound."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hitl.errors import HitlError
    from hitl.graph.asking import ask
    from hitl.graph.called import tagged
    from hitl.graph.context import current, report
    from hitl.models import Evidence, Signal
    from hitl.policy import (
        Answer,
        AskGate,
        Checkpoint,
        Critic,
        EscalationPolicy,
        Judge,
        Retry,
        Reviewer,
        Rollback,
        Rollouts,
        Stop,
        Takeover,
    )
    from hitl.runtime import Run, Workflow, wrap

__all__ = [
    "Answer",
    "AskGate",
    "Checkpoint",
    "Critic",
    "EscalationPolicy",
    "Evidence",
    "HitlError",
    "Judge",
    "Retry",
    "Reviewer",
    "Rollback",
    "Rollouts",
    "Run",
    "Signal",
    "Stop",
    "Takeover",
    "Workflow",
    "ask",
    "current",
    "report",
    "tagged",
    "wrap",
]

_HOMES = {
    "hitl.errors": ("HitlError",),
    "hitl.graph.asking": ("ask",),
    "hitl.graph.called": ("tagged",),
    "hitl.graph.context": ("current", "report"),
    "hitl.models": ("Evidence", "Signal"),
    "hitl.policy": (
        *("Answer", "AskGate", "Checkpoint", "Critic", "EscalationPolicy", "Judge", "Retry"),
        *("Reviewer", "Rollback", "Rollouts", "Stop", "Takeover"),
    ),
    "hitl.runtime": ("Run", "Workflow", "wrap"),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Return a public name, imported at first use: `hitl --help` must not wait for LangGraph."""
    if name not in _HOME:
        raise AttributeError(f"module 'hitl' has no attribute {name!r}")
    found: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
