"""Simulation gate S1: how often a certificate's threshold exceeds alpha in truth."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tests.lab.populations import Population, allowed

ALPHA, DELTA = 0.05, 0.1


class Proven(Protocol):
    """What the gate needs of a certificate."""

    def acts(self, confidence: NDArray[np.float64]) -> NDArray[np.bool_]: ...


Certify = Callable[[NDArray[np.float64], NDArray[np.float64]], Proven | None]


def threshold_of(found: Proven, population: Population, rng: np.random.Generator) -> float:
    """Return the largest confidence that does not act, by asking `acts` itself."""
    some = np.unique(population.confidence(rng, 3000))
    resting = some[~np.asarray(found.acts(some))]
    return float(resting.max()) if resting.size else -np.inf


def violations(
    certify: Certify, population: Population, n: int, *, repetitions: int, seed: int = 1
) -> tuple[float, float]:
    """Return (share of calibrations above alpha in truth, mean true coverage)."""
    rng = np.random.default_rng(seed)
    over, coverage = 0, 0.0
    for _ in range(repetitions):
        found = certify(*population.draw(rng, n))
        if found is None:
            continue
        threshold = threshold_of(found, population, rng)
        over += population.risk_above(threshold) > ALPHA + 2e-4
        coverage += population.coverage_above(threshold)
    return over / repetitions, coverage / repetitions


def broken(
    certify: Certify, cells: Sequence[tuple[Population, int]], *, repetitions: int
) -> list[str]:
    """Return the cells of S1 that are red: violated more often than the pass rule allows."""
    red = []
    for population, n in cells:
        rate, _ = violations(certify, population, n, repetitions=repetitions)
        if rate > allowed(DELTA, repetitions):
            red.append(f"{population.name} n={n}: {rate:.3f}")
    return red
