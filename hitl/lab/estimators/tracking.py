"""Watching an error rate as labels come in: adaptive level (E10) and drift alarms.

None of these is a certificate: the adaptive level holds on average over a long time, an alarm says
that something changed. `hitl.lab.certificates.anytime_certificate` certifies.
"""

from dataclasses import dataclass

from hitl.errors import EvidenceRefusal
from hitl.lab.columns import level, probability
from hitl.lab.estimators.bounds import clopper_pearson, confidence_sequence


@dataclass(frozen=True, slots=True)
class AdaptiveLevel:
    """The level of adaptive conformal inference: act while P(wrong) seems at most `value`."""

    value: float
    """May leave [0, 1] by `step`: below 0 nothing acts, above 1 everything does."""
    target: float
    step: float

    def then(self, error: float) -> "AdaptiveLevel":
        """Return the level after one outcome: value + step (target - error).

        Args:
            error: 1 when the step that acted was wrong, else 0; with spot checks o l / propensity,
                which is unbiased (the deterministic bound then widens by 1 / propensity).
        """
        return AdaptiveLevel(self.value + self.step * (self.target - error), self.target, self.step)


def adaptive_level(target: float, *, step: float = 0.02) -> AdaptiveLevel:
    """Return the level to start from: adaptive conformal inference (E10; Gibbs & Candes 2021).

    Args:
        target: Wanted long-run error rate, in (0, 1).
        step: gamma, how far one outcome moves the level, in (0, 1).
    """
    return AdaptiveLevel(level(target, "target"), target, level(step, "step"))


def adaptive_deviation(start: float, step: float, rounds: int) -> float:
    """Return the most by which the mean error can differ from the target after `rounds` outcomes.

    (max(a_1, 1 - a_1) + step) / (step T), on *any* sequence, provided that nothing acts (error 0)
    at a level below 0 and everything counts as an error at a level above 1.
    """
    if rounds < 1:
        raise EvidenceRefusal("'rounds' must be at least 1.")
    first, gamma = probability(start, "start"), level(step, "step")
    return (max(first, 1.0 - first) + gamma) / (gamma * rounds)


def drifted(
    reference: tuple[int, int],
    live: tuple[int, int],
    *,
    delta: float = 0.05,
    tolerance: float = 0.0,
) -> bool:
    """Return whether the live error rate is surely above the reference by more than `tolerance`.

    Alarm when the lower end of the live confidence sequence exceeds the reference's upper bound
    plus tolerance, each at delta/2 (Podkopaev & Ramdas, ICLR 2022). May be asked after every label;
    a false alarm ever comes with probability at most delta.

    Args:
        reference: (errors, labels) of the time before, fixed.
        live: (errors, labels) since then.
        delta: Allowed P(a false alarm, ever).
        tolerance: Rise that is no alarm, in [0, 1].
    """
    half = level(delta, "delta") / 2.0
    ceiling = clopper_pearson(*reference, half) + probability(tolerance, "tolerance")
    low, _ = confidence_sequence(*live, half)
    return low > ceiling
