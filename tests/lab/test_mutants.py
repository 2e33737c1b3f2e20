"""S11: mutants of the certificate's own source must be caught by the gates, or the gates are blind.

Each mutant is the module's text with one line changed, loaded beside the real one; nothing of ours is
patched in place.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hitl.lab.certificates import fixed_sequence
from hitl.lab.estimators import bounds
from tests.lab.gates import ALPHA, DELTA, Proven, broken
from tests.lab.mutation import mutant
from tests.lab.populations import AT_THE_EDGE, CALIBRATED, INFORMATIVE, PLATEAUS, allowed

Array = NDArray[np.float64]
CELLS = ((CALIBRATED, 1000), (PLATEAUS, 1000), (AT_THE_EDGE, 2000))
REPETITIONS = 100
"""Allowed .19 at delta = .1; every mutant below breaks a cell by far more."""


def rule(module: Any) -> Callable[[Array, Array], Proven | None]:
    def certify(confidence: Array, wrong: Array) -> Proven | None:
        found: Proven | None = module.certify(confidence, wrong, alpha=ALPHA, delta=DELTA)
        return found

    return certify


MUTANTS = {
    "acts at the threshold too": {
        "return confidence > self.threshold": "return confidence >= self.threshold"
    },
    "threshold of the last tested row, not the excluded one, acted at": {
        "np.append(-values[1:], -np.inf)": "np.append(-values[2:], [-np.inf, -np.inf])"
    },
    "falls back to the top threshold instead of none": {
        "    if found is None:\n        return None\n    return Certificate(": (
            "    if found is None:\n        found = max(0, last // 2)\n    return Certificate("
        )
    },
    "alpha and delta swapped": {
        "rows = aligned(confidence=score, wrong=loss)": (
            "rows = aligned(confidence=score, wrong=loss)\n    alpha, delta = delta, alpha"
        )
    },
    "walks past failures to the laxest threshold that passes": {
        "first + (passed.size if passed.all() else int(np.argmin(passed))) - 1": (
            "first + int(np.flatnonzero(passed)[-1])"
        ),
        "if passed.size == 0 or not passed[0]:": "if not passed.any():",
    },
    "compares the mean instead of testing": {
        "    passed[unclear] = bdtr(k[unclear], n[unclear], limit) <= delta\n": (
            "    passed[unclear] = True\n"
        )
    },
}


def test_the_real_certificate_is_green() -> None:
    assert broken(rule(fixed_sequence), CELLS, repetitions=REPETITIONS) == []
    copied = mutant(fixed_sequence, {"import math": "import math"})
    assert broken(rule(copied), CELLS[:1], repetitions=20) == []


@pytest.mark.parametrize("changes", MUTANTS.values(), ids=MUTANTS.keys())
def test_every_mutant_is_red(changes: dict[str, str]) -> None:
    assert broken(rule(mutant(fixed_sequence, changes)), CELLS, repetitions=REPETITIONS) != []


def test_a_count_made_from_a_float_rate_is_red() -> None:
    """k = int(float32(k / n) * n) falls below k for some pairs, and the tail then passes too early."""
    n = np.arange(1, 400)
    lost = [(int(np.float32(np.float32(k / m) * np.float32(m))), k) for m in n for k in range(m)]
    fallen = sum(floored < k for floored, k in lost) / len(lost)
    assert fallen > 0.01
    floats = mutant(
        fixed_sequence,
        {
            "np.rint(np.cumsum(np.bincount(group, weights=loss))).astype(np.int64)": (
                "((np.cumsum(np.bincount(group, weights=loss)) / n).astype(np.float32)"
                " * n.astype(np.float32)).astype(np.int64)"
            )
        },
    )
    confidence, wrong = CALIBRATED.draw(np.random.default_rng(0), 2000)
    _, _, exact = fixed_sequence.candidates(confidence, wrong)
    _, _, floored = floats.candidates(confidence, wrong)
    assert np.any(floored < exact)


def test_a_betting_bound_cut_in_halves_is_red() -> None:
    """The defect of a published bound: the process restarts and its two maxima are added."""
    halves = mutant(
        bounds,
        {
            "    return float(capital.max()) - goal": (
                "    return float(capital[: x.size // 2].max()"
                " + (capital[x.size // 2 :] - capital[x.size // 2 - 1]).max()) - goal"
            ),
            "np.maximum(0.0, 1.0": "np.maximum(1e-300, 1.0",
        },
    )
    rng = np.random.default_rng(8)
    samples = (rng.random((400, 100)) < 0.1).astype(float)
    missed = sum(halves.wsr_upper(sample, 0.1) < 0.1 for sample in samples)
    assert missed / 400 > allowed(0.1, 400)


def test_informative_confidences_are_no_excuse() -> None:
    swapped = mutant(fixed_sequence, MUTANTS["alpha and delta swapped"])
    assert broken(rule(swapped), ((INFORMATIVE, 1000),), repetitions=50) != []
