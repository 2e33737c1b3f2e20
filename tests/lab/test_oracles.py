"""Our formulas against the libraries that are known for them, on data made here."""

import numpy as np
import pytest
from mapie.risk_control.methods import compute_hoeffding_bentkus_p_value
from ppi_py import ppi_mean_ci
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from hitl.lab.estimators import (
    auroc,
    binomial_p,
    clopper_pearson,
    hoeffding_bentkus,
    kappa,
    logistic_horizon,
    ppi,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2026)


@pytest.mark.parametrize("alpha", [0.02, 0.05, 0.2])
def test_p_values_equal_those_of_mapie(alpha: float) -> None:
    n = 300
    k = np.arange(0, 120, 3)
    for binary in (False, True):
        theirs = compute_hoeffding_bentkus_p_value(k / n, n, alpha, binary=binary)[:, 0]
        for errors, p in zip(k.tolist(), theirs.tolist(), strict=True):
            # MAPIE's ceil(n * (k / n)) is sometimes k + 1 and its p-value then needlessly large.
            exact = hoeffding_bentkus(errors / n, n, alpha)
            if binary:
                exact = min(exact, binomial_p(errors, n, alpha))
            lifted = np.ceil(n * (errors / n)) > errors
            assert exact <= p + 1e-11
            if not lifted:
                assert exact == pytest.approx(p, abs=1e-11)


def test_clopper_pearson_equals_that_of_statsmodels() -> None:
    for k, n in ((0, 50), (3, 100), (10, 200), (199, 200), (200, 200)):
        low, high = proportion_confint(k, n, alpha=0.1, method="beta")
        assert clopper_pearson(k, n, 0.05, "lower") == pytest.approx(low, abs=1e-12)
        assert clopper_pearson(k, n, 0.05) == pytest.approx(high, abs=1e-12)


def test_ranking_and_agreement_equal_those_of_scikit_learn(rng: np.random.Generator) -> None:
    confidence = np.round(rng.beta(4, 1, 3000), 2)
    right = (rng.random(3000) < confidence).astype(int)
    assert auroc(confidence, right) == pytest.approx(roc_auc_score(right, confidence), abs=1e-12)
    other = np.where(rng.random(3000) < 0.8, right, 1 - right)
    assert kappa(right, other) == pytest.approx(cohen_kappa_score(right, other), abs=1e-12)


def test_the_logistic_horizon_equals_that_of_scikit_learn(rng: np.random.Generator) -> None:
    minutes = np.exp2(rng.uniform(0, 9, 2000))
    right = rng.random(2000) < 1 / (1 + np.exp(-(2.0 - 0.5 * np.log2(minutes))))
    theirs = LogisticRegression(C=1 / 3.0, tol=1e-10).fit(np.log2(minutes)[:, None], right)
    ours = logistic_horizon(minutes, right, ridge=3.0)
    assert ours.intercept == pytest.approx(float(theirs.intercept_[0]), abs=1e-4)
    assert ours.slope == pytest.approx(float(theirs.coef_[0, 0]), abs=1e-5)


@pytest.mark.parametrize("lam", [0.0, 1.0, None])
def test_prediction_powered_means_equal_those_of_ppi_py(
    lam: float | None, rng: np.random.Generator
) -> None:
    truth = (rng.random(5200) < 0.7).astype(float)
    said = np.where(truth == 1, rng.random(5200) < 0.9, rng.random(5200) < 0.2).astype(float)
    low, high = ppi_mean_ci(truth[:200], said[:200], said[200:], alpha=0.05, lam=lam)
    ours = ppi(truth[:200], said[:200], said[200:], lam)
    tolerance = 1e-4 if lam is None else 1e-9  # A18: they tune at the pilot's gradients
    assert ours.low == pytest.approx(float(low[0]), abs=tolerance)
    assert ours.high == pytest.approx(float(high[0]), abs=tolerance)
