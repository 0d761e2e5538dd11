"""chainrule/strategy/learning_curves.py"""

import numpy as np
import pytest

from chainrule.strategy.learning_curves import EXPONENTS, PowerLaw, fit_power_law

M = np.array([100.0, 200, 350, 600, 1000])
NOISE = np.full(5, 0.01)


@pytest.mark.parametrize(
    ("a", "b", "c"), [(0.1, 2, 0.5), (0, 1, 0.25), (0.05, 40, 1.2), (0.3, 0, 1)]
)
def test_a_known_law_is_recovered(a, b, c):
    exact = PowerLaw(a, b, c)
    law = fit_power_law(M, exact.at(M)[None], NOISE)
    for m in (1000, 2000):
        np.testing.assert_allclose(law.at(m), exact.at(m), atol=2e-3)


def test_rising_errors_are_fitted_by_a_constant():
    law = fit_power_law(M, np.linspace(0.1, 0.2, 5)[None], NOISE)
    np.testing.assert_allclose(law.at(2000), law.at(1000), rtol=1e-6)


def test_the_bounds_always_hold():
    rng = np.random.default_rng(0)
    law = fit_power_law(M, np.abs(rng.normal(0.1, 0.1, (200, 5))), NOISE)
    assert (law.a >= 0).all()
    assert (law.b >= 0).all()
    assert set(law.c) <= set(EXPONENTS)
    assert (law.at(2000) <= law.at(1000) + 1e-12).all()


def test_an_outlier_has_little_weight():
    """With large noise the outlier has full weight, as in least squares, and the fit is worse."""
    rng, exact = np.random.default_rng(0), PowerLaw(0.05, 2.0, 0.5)
    off = exact.at(M) * (1 + 0.5 * np.eye(5)[rng.integers(4, size=200)])
    off += rng.normal(size=off.shape) * NOISE
    bent, squared = (fit_power_law(M, off, n * NOISE).at(2000) for n in (1, 1000))
    away = [np.sqrt(np.mean((found - exact.at(2000)) ** 2)) for found in (bent, squared)]
    assert away[0] < 0.9 * away[1]
