"""Bounds on an error rate that hold for the sample size at hand, not for one that grows for ever.

For 0/1 labels use Clopper-Pearson (or its inversion, the binomial p-value): nothing is tighter and
still exact. Hoeffding-Bentkus and the betting bound are for losses between 0 and 1. At 10 errors in
500, delta = .1: .0306 < .0350 (Hoeffding-Bentkus) < .0371 (betting) < .0680 (Hoeffding).

Assumption of every fixed-n bound: n was chosen before looking. Whoever looks again and again uses
`confidence_sequence` or `hitl.lab.certificates.anytime_certificate`.
"""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import betaln, xlog1py, xlogy
from scipy.stats import beta, binom

from hitl.lab.columns import Floats, counts, fractions, level, probability


def clopper_pearson(
    k: int, n: int, delta: float, side: Literal["upper", "lower"] = "upper"
) -> float:
    """Return the exact one-sided bound on a rate from k errors in n labels (E3).

    U = Beta^-1(1 - delta; k + 1, n - k), L = Beta^-1(delta; k, n - k + 1); Clopper & Pearson 1934.
    U(0, n) = 1 - delta^(1/n). Use delta / 2 on both sides for a two-sided interval.

    Args:
        k: Errors, an integer in [0, n].
        n: Labels, fixed beforehand; independent rows.
        delta: Allowed P(the true rate lies beyond the bound), in (0, 1).
        side: Which end.
    """
    errors, rows = counts(k, n)
    level(delta, "delta")
    if side == "upper":
        return 1.0 if errors == rows else float(beta.ppf(1.0 - delta, errors + 1, rows - errors))
    return 0.0 if errors == 0 else float(beta.ppf(delta, errors, rows - errors + 1))


def binomial_p(k: int, n: int, alpha: float) -> float:
    """Return P(Bin(n, alpha) <= k): the p-value against "the error rate is alpha or more" (E3).

    The exact test that Clopper-Pearson inverts: p <= delta iff the upper bound is <= alpha.
    """
    errors, rows = counts(k, n)
    return float(binom.cdf(errors, rows, level(alpha, "alpha")))


def hoeffding_bentkus(mean: float, n: int, alpha: float) -> float:
    """Return the p-value against "the mean loss is alpha or more", losses in [0, 1] (E4).

    p = min(exp(-n h1(min(r, alpha), alpha)), e P(Bin(n, alpha) <= ceil(n r))), with h1 the binary
    relative entropy (Bates et al. 2021, JACM; Angelopoulos et al. 2021, arXiv 2110.01052). Assumes
    n independent losses. For 0/1 losses `binomial_p` is tighter.

    Args:
        mean: r, the mean of the losses, in [0, 1].
        n: How many losses, >= 1.
        alpha: Tolerated mean loss, in (0, 1).
    """
    _, rows = counts(0, n)
    rate, limit = probability(mean, "mean"), level(alpha, "alpha")
    r = min(rate, limit)
    entropy = xlogy(r, r / limit) + xlogy(1.0 - r, (1.0 - r) / (1.0 - limit))
    total = rows * rate
    near = round(total)  # n r is an integer that rounding may have lifted just above itself
    above = near if abs(total - near) < 1e-9 * max(1.0, total) else math.ceil(total)
    bentkus = math.e * float(binom.cdf(above, rows, limit))
    return float(min(1.0, math.exp(-rows * float(entropy)), bentkus))


def hoeffding_bentkus_upper(mean: float, n: int, delta: float) -> float:
    """Return the largest mean loss that `hoeffding_bentkus` does not reject at delta (E4).

    In [mean, 1]; 1.0 when nothing below 1 is rejected.
    """
    rate, allowed = probability(mean, "mean"), level(delta, "delta")
    return _crossing(lambda m: allowed - hoeffding_bentkus(rate, n, m), low=max(rate, 1e-12))


def wsr_upper(losses: ArrayLike, delta: float) -> float:
    """Return the betting bound on a mean loss in [0, 1] (E5).

    Waudby-Smith & Ramdas (JRSS-B 2024): mu_i = (.5 + sum x)/(i + 1), s2_i = (.25 + sum (x -
    mu)^2)/(i + 1), nu_i = min(1, sqrt(2 ln(1/delta)/(n s2_{i-1}))), K_t(m) = prod (1 - nu_i (x_i -
    m)); the bound is the m at which max_t K_t(m) reaches 1/delta. One running product over the
    whole sample: cut in halves it would be no martingale and would miss too often.

    Args:
        losses: Shape (n,), in [0, 1], in an order that does not depend on the values.
        delta: Allowed P(the true mean lies above), in (0, 1).
    """
    x, allowed = fractions(losses, "losses"), level(delta, "delta")
    bets = _predictable_bets(x, allowed)
    goal = math.log(1.0 / allowed)

    def lacking(m: float) -> float:
        with np.errstate(divide="ignore"):
            capital = np.cumsum(np.log(np.maximum(0.0, 1.0 - bets * (x - m))))
        return float(capital.max()) - goal

    return _crossing(lacking, low=0.0)


def n_min(alpha: float, delta: float) -> int:
    """Return how many labels without any error certify "at most alpha wrong" at delta.

    ceil(ln delta / ln(1 - alpha)): the smallest n with (1 - alpha)^n <= delta.
    """
    rate, allowed = level(alpha, "alpha"), level(delta, "delta")
    n = max(1, math.ceil(math.log(allowed) / math.log1p(-rate)))
    if n > 1 and (1.0 - rate) ** (n - 1) <= allowed:
        return n - 1  # the quotient was an integer and rounding lifted it
    return n


def confidence_sequence(
    k: int, n: int, delta: float, a: float = 0.5, b: float = 0.5
) -> tuple[float, float]:
    """Return a two-sided interval for a rate that holds at all n at once, however often read (E9).

    {p : E(p) < 1/delta} with log E(p) = ln B(a + k, b + n - k) - ln B(a, b) - k ln p - (n - k)
    ln(1 - p): the beta-binomial mixture martingale (Robbins 1970; Howard et al. 2021). State: two
    integers. Assumes independent rows of one rate.

    Args:
        k: Errors so far.
        n: Labels so far, >= 1.
        delta: Allowed P(the true rate is ever outside), in (0, 1).
        a: Prior pseudo-count of errors, > 0.
        b: Prior pseudo-count of right ones, > 0.
    """
    errors, rows = counts(k, n)
    goal = math.log(1.0 / level(delta, "delta"))
    mixture = float(betaln(a + errors, b + rows - errors) - betaln(a, b))

    def excess(p: float) -> float:
        return mixture - float(xlogy(errors, p) + xlog1py(rows - errors, -p)) - goal

    rate, edge = errors / rows, 1e-300
    low = 0.0 if errors == 0 else float(brentq(excess, edge, rate, xtol=1e-15))
    high = 1.0 if errors == rows else float(brentq(excess, rate, 1.0 - 1e-16, xtol=1e-15))
    return low, high


def _predictable_bets(x: Floats, delta: float) -> Floats:
    rank = np.arange(1, x.size + 1)
    mean = (0.5 + np.cumsum(x)) / (rank + 1)
    variance = (0.25 + np.cumsum((x - mean) ** 2)) / (rank + 1)
    before = np.concatenate(([0.25], variance[:-1]))
    bets: Floats = np.minimum(1.0, np.sqrt(2.0 * math.log(1.0 / delta) / (x.size * before)))
    return bets


def _crossing(rising: Callable[[float], float], *, low: float) -> float:
    """Return where a rising function of m in [low, 1] reaches 0; 1.0 if it does not."""
    top = 1.0 - 1e-15
    if low >= top or rising(top) <= 0.0:
        return 1.0
    if rising(low) >= 0.0:
        return low
    return float(brentq(rising, low, top, xtol=1e-15, rtol=1e-14))
