"""Populations of steps whose true error rate above every threshold is known exactly."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

Array = NDArray[np.float64]

SKILL = 6.3
"""Confidence ~ Beta(6.3, 1), right with just that probability: .526 of it is at most .05 wrong."""


@dataclass(frozen=True)
class Population:
    name: str
    confidence: Callable[[np.random.Generator, int], Array]
    p_wrong: Callable[[Array], Array]
    coverage_above: Callable[[float], float]
    risk_above: Callable[[float], float]
    """P(wrong | confidence > threshold)."""

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        confidence = self.confidence(rng, n)
        wrong = rng.random(n) < self.p_wrong(confidence)
        return confidence, wrong.astype(np.float64)


def ranked(name: str, slope: float, power: float, base: float) -> Population:
    """P(wrong) = base + slope z^power, z = rank from the top: risk base + slope/(power+1) x^power."""

    def risk(threshold: float) -> float:
        x = min(1.0, 1.0 - max(threshold, 0.0))
        return base + slope / (power + 1.0) * float(x**power)

    return Population(
        name,
        lambda rng, n: rng.random(n),
        lambda confidence: base + slope * (1.0 - confidence) ** power,
        lambda threshold: 1.0 - max(threshold, 0.0),
        risk,
    )


def _calibrated_risk(threshold: float) -> float:
    t = max(threshold, 0.0)
    mass = float(beta.sf(t, SKILL, 1.0))
    return 1.0 - SKILL / (SKILL + 1.0) * float(beta.sf(t, SKILL + 1.0, 1.0)) / mass


CALIBRATED = Population(
    "calibrated",
    lambda rng, n: rng.beta(SKILL, 1.0, n),
    lambda confidence: 1.0 - confidence,
    lambda threshold: 1.0 - max(threshold, 0.0) ** SKILL,
    _calibrated_risk,
)


def _plateaus() -> Population:
    """Four distinct confidences: .01, .12, .2, .4 wrong; rows of one plateau act together."""
    values = np.array([0.2, 0.5, 0.8, 0.9])
    p = np.array([0.4, 0.2, 0.12, 0.01])

    def risk(threshold: float) -> float:
        above = values > threshold
        return float(p[above].mean()) if above.any() else 0.0

    return Population(
        "plateaus",
        lambda rng, n: rng.choice(values, n),
        lambda confidence: p[np.searchsorted(values, confidence)],
        lambda threshold: float((values > threshold).mean()),
        risk,
    )


INFORMATIVE = ranked("informative", 0.3, 3.0, 0.0)
NEARLY_FLAT = ranked("nearly flat", 0.012, 1.0, 0.046)
FLAT_SAFE = ranked("flat and safe", 0.01, 1.0, 0.035)
AT_THE_EDGE = ranked("flat, just too often wrong", 0.0, 1.0, 0.0505)
PLATEAUS = _plateaus()


def allowed(delta: float, repetitions: int) -> float:
    """Return the pass rule of every simulation gate: delta + 3 sqrt(delta (1 - delta) / B)."""
    return delta + 3.0 * float(np.sqrt(delta * (1.0 - delta) / repetitions))
