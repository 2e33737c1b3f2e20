"""Agents whose true error rate at every level is known, and what became of the promise made to them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hitl.lab.autonomy import Promise, Story

Array = NDArray[np.float64]
ALPHA = 0.02
TRUSTED = Promise(error_at_most=ALPHA, sure=0.95, trusted=True)
REVIEWED = Promise(error_at_most=ALPHA, sure=0.95)


@dataclass(frozen=True)
class Agent:
    """P(wrong | rank from the top), and the error rate of the surest share x."""

    name: str
    p_wrong: Callable[[Array], Array]
    risk: Callable[[float], float]

    def stream(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Return (confidence, wrong); the first 100 confidences are an even grid."""
        confidence = rng.random(n)
        confidence[:100] = rng.permutation((np.arange(100) + 0.5) / 100)
        wrong = rng.random(n) < self.p_wrong(1.0 - confidence)
        return confidence, wrong.astype(np.float64)


def rising(name: str, base: float, slope: float) -> Agent:
    """P(wrong) = base + slope z^3, so the surest x are wrong base + slope/4 x^3 of the time."""
    return Agent(
        name,
        lambda z: base + slope * z**3,
        lambda x: base + slope / 4 * x**3,
    )


INFORMATIVE = rising("informative", 0.001, 0.12)
EDGES = (
    Agent("flat", lambda z: np.full_like(z, ALPHA), lambda x: ALPHA),
    rising("alpha at coverage .5", 0.001, 4 * (ALPHA - 0.001) / 0.5**3),
    rising("alpha at coverage .8", 0.001, 4 * (ALPHA - 0.001) / 0.8**3),
    Agent("errors at the top", lambda z: 0.04 - 0.04 * z, lambda x: 0.04 - 0.02 * x),
)


def steps_above(story: Story, risk: Callable[[float], float], *, start: int = 0) -> int:
    """Return at how many steps the agent could act alone at a level that breaks the promise."""
    coverage = [1.0 - max(0.0, level.threshold) for level in story.end.levels]
    breaks = np.array([False, *(risk(x) >= ALPHA - 1e-9 for x in coverage)])
    return int(breaks[story.live[start:]].sum())
