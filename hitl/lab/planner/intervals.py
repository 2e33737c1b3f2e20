"""How often an agent that works for days should stop and be looked at.

Errors are silent: found only at the review, so the whole stretch since the last one is lost, unlike
a crash, which is noticed at once. At hazard lambda = ln 2 / T50, review time V: the cost per useful
minute is (T + V) e^(lambda T) / T, least at T* = (-V + sqrt(V^2 + 4 V / lambda)) / 2, about sqrt(V /
lambda); not Young's sqrt(2 V / lambda) (1974), which is for crashes. Assumes a constant hazard and
a reviewer who misses nothing.
"""

import math
from dataclasses import dataclass

from hitl.errors import EvidenceRefusal
from hitl.lab.estimators.horizons import hazard


@dataclass(frozen=True, slots=True)
class ReviewInterval:
    """How long to work between reviews."""

    every: float
    """T*, in the unit of the arguments."""
    overhead: float
    """Minutes spent per useful minute at T*: 1.0 would be no loss at all."""


def review_interval(review_time: float, t50: float) -> ReviewInterval:
    """Return the best time between reviews and what it costs.

    Five minutes a review and T50 = 60 minutes: every 18.5 minutes, 1.573 minutes per useful one;
    one review per T50 would cost 2.167.

    Args:
        review_time: V, of one review with its waiting, > 0.
        t50: Time after which the work is right half of the time, in the same unit, > 0.
    """
    if not 0.0 < review_time < math.inf:
        raise EvidenceRefusal(f"'review_time' must be a finite number > 0; it is {review_time}.")
    rate = hazard(t50)
    every = (-review_time + math.sqrt(review_time**2 + 4.0 * review_time / rate)) / 2.0
    return ReviewInterval(every, interval_overhead(every, review_time, t50))


def interval_overhead(every: float, review_time: float, t50: float) -> float:
    """Return minutes spent per useful minute when reviewed after each `every` minutes of work."""
    if not every > 0.0:
        raise EvidenceRefusal(f"'every' must be > 0; it is {every}.")
    return (every + review_time) * math.exp(hazard(t50) * every) / every
