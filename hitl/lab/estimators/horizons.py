"""How long an agent works before it has probably gone wrong (E19).

Constant hazard (Ord 2025, arXiv 2505.05115): S(T) = 2^(-T / T50). Weibull: S(T) = 2^(-(T /
T50)^K); agents are seen at K around .6 to .83: they fail early more often than a constant hazard
says, and late less. Logistic in log2 of the time: METR (Kwa et al. 2025).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.special import expit

from hitl.errors import EvidenceRefusal, UnusableColumn
from hitl.lab.columns import aligned, flags, level, numbers


def horizon(quantile: float, t50: float, *, shape: float = 1.0) -> float:
    """Return the task length done right with probability `quantile` (E19).

    T_q = T50 (ln(1/q) / ln 2)^(1/K). At constant hazard T80 is .322 T50, T99 .0145 T50.

    Args:
        quantile: In (0, 1).
        t50: Length done right half of the time, > 0, any unit.
        shape: K of the Weibull law, > 0; 1 is constant hazard.

    Returns:
        In the unit of `t50`.
    """
    halves = math.log(1.0 / level(quantile, "quantile")) / math.log(2.0)
    return float(_positive(t50, "t50") * halves ** (1.0 / _positive(shape, "shape")))


def survival(time: float, t50: float, *, shape: float = 1.0) -> float:
    """Return P(right after `time`): 2^(-(time / T50)^K), in (0, 1]."""
    if not time >= 0.0:
        raise EvidenceRefusal(f"'time' must be >= 0; it is {time}.")
    return float(2.0 ** -((time / _positive(t50, "t50")) ** _positive(shape, "shape")))


def hazard(t50: float) -> float:
    """Return the constant hazard per unit of time: ln 2 / T50."""
    return math.log(2.0) / _positive(t50, "t50")


def weibull_shape(quantile: float, ratio: float) -> float:
    """Return the Weibull K for which T_quantile / T50 equals `ratio`.

    59 and 15 minutes at 50 and 80 % give K = .828.

    Args:
        quantile: In (0, 1), not .5.
        ratio: T_quantile / T50, > 0, not 1.
    """
    halves = math.log(1.0 / level(quantile, "quantile")) / math.log(2.0)
    if halves == 1.0 or not ratio > 0.0 or ratio == 1.0:
        raise EvidenceRefusal("The shape takes a quantile other than .5 and a ratio other than 1.")
    shape = math.log(halves) / math.log(ratio)
    return _positive(shape, "shape")


@dataclass(frozen=True, slots=True)
class LogisticHorizon:
    """P(right) = sigmoid(intercept + slope log2(time))."""

    intercept: float
    slope: float

    def at(self, quantile: float) -> float:
        """Return the task length done right with probability `quantile`, in the unit of the data.

        (ln(q / (1 - q)) - intercept) / slope, as a power of 2.
        """
        q = level(quantile, "quantile")
        return float(2.0 ** ((math.log(q / (1.0 - q)) - self.intercept) / self.slope))


def logistic_horizon(time: ArrayLike, right: ArrayLike, *, ridge: float = 0.0) -> LogisticHorizon:
    """Return the logistic fit of success on log2(time) (E19, METR).

    Args:
        time: Shape (n,), how long a person needs for the task, > 0.
        right: Shape (n,), 0/1.
        ridge: Penalty ridge/2 * slope^2, as 1/C in scikit-learn; > 0 also fits separable data.

    Raises:
        EvidenceRefusal: All right or all wrong, or success does not fall with time: no horizon.
    """
    minutes, ok = numbers(time, "time"), flags(right, "right")
    aligned(time=minutes, right=ok)
    if bool(np.any(minutes <= 0.0)):
        raise UnusableColumn("time", "must be positive.")
    if ok.all() or not ok.any():
        raise EvidenceRefusal("All tasks have the same outcome; they show no horizon.")
    x, sign = np.log2(minutes), np.where(ok, 1.0, -1.0)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (at[0] + at[1] * x)
        pull = -sign * expit(-margin)
        gradient = np.array([pull.sum(), pull @ x + ridge * at[1]])
        return float(np.logaddexp(0.0, -margin).sum() + ridge / 2.0 * at[1] ** 2), gradient

    best = minimize(loss, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-8})
    intercept, slope = float(best.x[0]), float(best.x[1])
    if slope >= 0.0:
        raise EvidenceRefusal("Success does not fall with the length of the task; no horizon.")
    return LogisticHorizon(intercept, slope)


def _positive(value: float, name: str) -> float:
    if not 0.0 < value < math.inf:
        raise EvidenceRefusal(f"{name!r} must be a finite number > 0; it is {value}.")
    return value
