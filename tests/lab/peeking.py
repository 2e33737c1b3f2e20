"""How often a running count ever leaves what a method accepts, when it is looked at after every row."""

from collections.abc import Callable

import numpy as np

Accepts = Callable[[int, int], bool]
"""Whether k errors in n labels are accepted; for each n the accepted k are an interval."""


def ever_outside(
    accepts: Accepts, *, rate: float, looks: int, repetitions: int, seed: int
) -> float:
    """Return the share of streams whose count is refused at any look."""
    low, high = _accepted(accepts, looks)
    rng = np.random.default_rng(seed)
    counts = np.cumsum(rng.random((repetitions, looks)) < rate, axis=1)
    return float(((counts < low) | (counts > high)).any(axis=1).mean())


def _accepted(accepts: Accepts, looks: int) -> tuple[list[int], list[int]]:
    """Return, per n, the smallest and the largest accepted k."""
    low, high, lows, highs = 0, 0, [], []
    for n in range(1, looks + 1):
        while high < n and accepts(high + 1, n):
            high += 1
        while low < n and not accepts(low, n):
            low += 1
        high = max(high, low)
        lows.append(low)
        highs.append(high)
    return lows, highs
