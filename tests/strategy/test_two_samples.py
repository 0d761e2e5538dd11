"""chainrule/strategy/distribution_shift.py: against SciPy, and by hand."""

import numpy as np
import pytest
from scipy import stats

from chainrule.data.scaling import Normalizer
from chainrule.strategy.distribution_shift import (
    chance_of,
    chance_of_chi_square,
    chi_square_of,
    distance,
    label_shift,
    shifted_columns,
)

RNG = np.random.default_rng(0)


def test_the_distance_is_scipys():
    for shift in (0.0, 0.3):
        one, two = RNG.normal(size=80), RNG.normal(shift, 1, size=60).round(1)
        D = distance(one, two)
        theirs = stats.ks_2samp(one, two, method="asymp")
        np.testing.assert_allclose(D, theirs.statistic)
        assert chance_of(np.array([D]), 80, 60)[0] == pytest.approx(theirs.pvalue, abs=0.04)


def test_chi_square_is_scipys():
    counts = np.array([[30, 40, 30], [50, 30, 20]])
    found, freedom = chi_square_of(counts)
    theirs = stats.chi2_contingency(counts, correction=False)
    assert (found, freedom) == (pytest.approx(theirs.statistic), theirs.dof)
    assert chance_of_chi_square(found, freedom) == pytest.approx(theirs.pvalue)


def test_rare_classes_are_merged():
    assert chi_square_of(np.array([[50, 50, 1, 2], [50, 50, 2, 1]]))[1] == 2
    assert chance_of_chi_square(*chi_square_of(np.array([[9], [8]]))) == 1


def test_shifted_columns_are_in_their_own_units():
    X1, X2 = RNG.normal(size=(2, 200, 4))
    X2[:, 2] += 1
    scale = Normalizer("standard", np.array([0, 0, 50.0, 0]), np.array([1, 1, 10.0, 1]))
    [difference] = shifted_columns(X1, X2, ["a", "b", "age", "d"], scale)
    assert difference.name == "age"
    np.testing.assert_allclose(difference.means, (50, 60), atol=2)
    assert shifted_columns(X1[:, :2], X2[:, :2], ["a", "b"], scale) == ()


@pytest.mark.parametrize("kind", ["robust", "piecewise"])
def test_shifted_columns_are_in_their_own_units_after_smooth_clipping(kind):
    X1, X2 = 50 + 10 * np.random.default_rng(4).normal(size=(2, 200, 2))
    X2[:, 1] += 30
    scale = Normalizer.learn(kind, X1)
    [difference] = shifted_columns(scale.apply(X1), scale.apply(X2), ["x", "age"], scale)
    assert difference.name == "age"
    np.testing.assert_allclose(difference.means, (X1[:, 1].mean(), X2[:, 1].mean()), rtol=1e-4)


def test_labels():
    y1, y2 = np.repeat(["cat", "dog"], [60, 40]), np.repeat(["cat", "dog"], [30, 70])
    difference = label_shift(y1, y2, "classification")
    assert difference.describe() == "the share of cat, 0.6 against 0.3 (p = 2e-05)"
    assert label_shift(y1, y1[::-1], "classification") is None
    numbers = RNG.normal(size=100)
    assert label_shift(numbers, numbers + 2, "regression").name == "mean of the target"
    assert label_shift(numbers, numbers + 0.01, "regression") is None
