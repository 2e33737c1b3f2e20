"""A certificate that holds whenever it is looked at (E8): for live policies.

One e-process per threshold, two integers of state. Certified from the first time it reaches
1/delta; over a grid of G thresholds walked at once, G/delta.
"""

import math
from functools import lru_cache

from scipy.special import betainc, betaln

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import counts, level


def anytime_certificate(k: int, n: int, alpha: float, a: float = 0.5, b: float = 0.5) -> float:
    """Return the log e-value against "the error rate is alpha or more" (E8).

    log E = ln B(a+k, b+n-k) + ln I_alpha(a+k, b+n-k) - ln B(a, b) - ln I_alpha(a, b) - k ln alpha -
    (n-k) ln(1-alpha): the likelihood ratio against alpha, mixed over a Beta(a, b) prior truncated to
    [0, alpha]. Under the null E is a non-negative supermartingale from 1, so P(it ever reaches
    1/delta) <= delta however often it is read (Ville; Waudby-Smith & Ramdas 2024; arXiv 2605.20270).
    Assumes labels enter in the order of their steps, none is dropped for its answer, and alpha stays
    the same (`hitl.lab.autonomy` bets when it moves).

    Args:
        k: Errors so far, an integer.
        n: Labels so far; 0 gives 0.0.
        alpha: Tolerated error rate, in (0, 1).
        a: Prior pseudo-count of errors, > 0.
        b: Prior pseudo-count of right ones, > 0.

    Returns:
        Certified at delta once this has been >= ln(1/delta). At alpha = .05, delta = .1 the first
        time without an error is n = 59.
    """
    limit = level(alpha, "alpha")
    if min(a, b) <= 0.0:
        raise EvidenceRefusal(f"The prior's counts must be positive; they are {a} and {b}.")
    if n == 0:
        return 0.0
    errors, rows = counts(k, n)
    right = rows - errors
    posterior = float(betaln(a + errors, b + right)) + log_betainc(a + errors, b + right, limit)
    null = errors * math.log(limit) + right * math.log1p(-limit)
    return posterior - _log_prior(a, b, limit) - null


@lru_cache(maxsize=256)
def _log_prior(a: float, b: float, limit: float) -> float:
    return float(betaln(a, b)) + log_betainc(a, b, limit)


def log_betainc(a: float, b: float, x: float) -> float:
    """Return ln I_x(a, b), also where the value itself underflows.

    There x lies far below the mean, and the series x^a (1-x)^b / (a B(a, b)) * 2F1(a+b, 1; a+1; x)
    converges quickly.
    """
    plain = float(betainc(a, b, x))
    if plain > 1e-290:
        return math.log(plain)
    total, term, j = 1.0, 1.0, 0
    while term > 1e-17 * total:
        term *= (a + b + j) / (a + 1.0 + j) * x
        total += term
        j += 1
    head = a * math.log(x) + b * math.log1p(-x) - math.log(a) - float(betaln(a, b))
    return head + math.log(total)
