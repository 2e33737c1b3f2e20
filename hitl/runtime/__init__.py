"""`wrap` puts gates into a LangGraph graph; a `Workflow` starts and advances its runs."""

from hitl.runtime.runs import Run
from hitl.runtime.workflow import Workflow
from hitl.runtime.wrapping import wrap

__all__ = ["Run", "Workflow", "wrap"]
