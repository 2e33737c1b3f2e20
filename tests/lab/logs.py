"""Gate logs made up for tests, with the truth known: a policy that asks below a threshold."""

from typing import Any

import numpy as np

from hitl.lab.log import GateLog


def record(n: int, **changes: Any) -> dict[str, Any]:
    """Return one plausible row: step `read` of run n, acted on, not looked at."""
    plausible = {
        "id": f"gate-{n}",
        "run_id": f"run-{n}",
        "step": "read",
        "place": "after",
        "policy_hash": "h" * 64,
        "workflow_version": "1",
        "kind": "calibrated",
        "p": 0.9,
        "ts": 1.7e9 + n,
        "asked": False,
        "spot_check": False,
        "propensity_label": 0.1,
        "coin_u": 0.5,
        "coin_rate": 0.1,
        "wrong": None,
    }
    return plausible | changes


def synthetic(
    rng: np.random.Generator,
    n: int,
    *,
    threshold: float = 0.6,
    rate: float = 0.05,
    unanswered: float = 0.0,
) -> tuple[GateLog, np.ndarray]:
    """Return a log of n steps and the truth (n,): wrong or not.

    Confidence is calibrated: P(wrong) = 1 - p, p from Beta(6, 1). One run has one step.

    Args:
        rng: Source of all draws.
        n: How many steps.
        threshold: The live policy asks below it.
        rate: Of the coin.
        unanswered: Share of reviews without an answer.
    """
    p, coin = rng.beta(6.0, 1.0, n), rng.random(n)
    wrong = rng.random(n) > p
    asked = p < threshold
    spot = ~asked & (coin < rate)
    answered = (asked | spot) & (rng.random(n) >= unanswered)
    said = np.where(wrong, "deny", "approve")
    columns: dict[str, Any] = {
        "id": np.array([f"gate-{i}" for i in range(n)]),
        "run_id": np.array([f"run-{i}" for i in range(n)]),
        "ts": 1.7e9 + np.arange(n),
        "p": p,
        "asked": asked,
        "spot_check": spot,
        "propensity_label": np.where(asked, 1.0, rate),
        "coin_u": coin,
        "coin_rate": np.full(n, rate),
        "wrong": np.where(answered, wrong.astype(float), np.nan),
        "verdict": np.where(answered, said, ""),
        "reliability_before": np.ones(n),
        "reset_to": np.ones(n),
    }
    plain = GateLog.of([record(0)]).columns
    rest = {name: np.repeat(column, n) for name, column in plain.items() if name not in columns}
    return GateLog.complete({**rest, **columns, "run_key": np.full(n, "")}), wrong
