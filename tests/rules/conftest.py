"""A fixed noon and what the rules are asked about, each with only what a test says about it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from hitl.models import ConfidenceKind, Place, StepName
from hitl.policy import GateFacts
from hitl.reliability import Standing

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture
def noon() -> datetime:
    return NOON


@pytest.fixture
def facts() -> Callable[..., GateFacts]:
    """Return a maker of facts: a first attempt at a sure step of a fresh run, unless said."""

    def make(step: str = "read", place: Place = Place.AFTER, **changes: Any) -> GateFacts:
        given: dict[str, Any] = {
            "name": StepName(step=step, place=place, visit=1),
            "attempt": 1,
            "p": 0.99,
            "p_kind": ConfidenceKind.REPORTED,
            "confidence": 0.99,
            "before": Standing(),
            "arguments": {},
            "coin_u": 0.999,
            "run_spot_check": False,
        }
        return GateFacts(**{**given, **changes})

    return make
