"""A workflow as the HTTP API starts it and tells its value."""

from typing import Any, Protocol

from pydantic import JsonValue
from pydantic_core import to_jsonable_python

from hitl.graph.driver import Driver
from hitl.graph.ordering import order
from hitl.models import RunRecord, RunStatus
from hitl.runtime.runs import Run


class Telling(Protocol):
    """What is needed of a workflow."""

    name: str

    def run(self, run_id: str) -> Run:
        """Return a run."""
        ...


class RunsOverHttp:
    """The runs of one workflow, for `review_ui`."""

    def __init__(self, workflow: Telling, driver: Driver) -> None:
        self.name = workflow.name
        self._workflow = workflow
        self._driver = driver

    def start(
        self, inputs: JsonValue, *, key: str | None, by: str | None
    ) -> tuple[RunRecord, bool]:
        """Order a run; the engine of this process carries it out. See `hitl.graph.ordering.order`."""
        return order(self._driver, inputs, key=key, initiator=by)

    def value(self, run: RunRecord) -> JsonValue:
        """Return what a run of this workflow returned, as JSON; None until it is done.

        What JSON cannot say is told as text.
        """
        if run.status is not RunStatus.DONE:
            return None
        found: Any = self._workflow.run(run.id).value
        told: JsonValue = to_jsonable_python(
            found, bytes_mode="base64", inf_nan_mode="strings", fallback=repr
        )
        return told
