"""The OpenAPI document, held against the API by schemathesis: what is served is what is written."""

from collections import Counter
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from pydantic import JsonValue
from schemathesis.core.failures import FailureGroup
from starlette.testclient import TestClient

from hitl.models import RunRecord
from review_ui import create_app
from review_ui.api import create_api
from review_ui.document import document
from tests.decisions.desk import Desk
from tests.decisions.test_client import TOKEN

EXAMPLES = 12
"""Requests generated for each operation."""


class Started:
    """A workflow whose runs are written and never advanced."""

    name = "payments"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def start(
        self, inputs: JsonValue, *, key: str | None, by: str | None
    ) -> tuple[RunRecord, bool]:
        known = len(self._desk.queue.runs(limit=1000))
        return self._desk.run(f"run_{known}", initiator=by), True

    def value(self, run: RunRecord) -> JsonValue:
        return None


@pytest.fixture
def served(desk: Desk) -> tuple[dict[str, Any], FastAPI]:
    desk.open(run_id="run_first")
    api = create_api(desk.queue, token=TOKEN, workflows=[Started(desk)])
    return document(api), create_app(desk.queue, extra_routers=[api], allowed_hosts=None)


def test_schemathesis_finds_nothing_wrong(served: tuple[dict[str, Any], FastAPI]) -> None:
    written, app = served
    schema = schemathesis.openapi.from_dict(written)
    schema.app = app
    seen: Counter[tuple[str, int]] = Counter()
    wrong: list[str] = []

    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # an error has none, and fails
        fuzz(operation, seen, wrong)

    assert "\n".join(sorted(w[-300:] for w in set(wrong))) == ""
    assert len({route for route, _ in seen}) == 20
    assert {status for _, status in seen} >= {200, 201, 404}


def fuzz(operation: Any, seen: "Counter[tuple[str, int]]", wrong: list[str]) -> None:
    @given(case=operation.as_strategy())
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def call(case: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {TOKEN}"}
        response = case.call()
        seen[operation.label, response.status_code] += 1
        try:
            case.validate_response(response)
        except FailureGroup as failures:
            wrong.extend(
                f"{operation.label}: {failure} {response.text}" for failure in failures.exceptions
            )

    call()


def test_the_document_is_told_to_whoever_has_a_key(desk: Desk) -> None:
    api = create_api(desk.queue, token=TOKEN)
    http = TestClient(create_app(desk.queue, extra_routers=[api]), base_url="http://127.0.0.1")

    told = http.get("/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"})

    assert http.get("/v1/openapi.json").status_code == 401
    assert told.json() == document(api)
    assert "/v1/runs" in told.json()["paths"]
