"""chainrule/runs/metrics.py: the temperature that calibrates probabilities."""

from math import log

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from chainrule.runs.metrics import calibration, members_calibration
from chainrule.train.outputs import probabilities

rng = np.random.default_rng(0)


def sampled(m: int, C: int, temperature: float):
    """Return outputs whose probabilities are right after division by the temperature, and labels.

    With C = 1 there are two classes.
    """
    Z = 2 * rng.standard_normal((m, C))
    cost = "logistic" if C == 1 else "softmax"
    A = probabilities(Z, cost)
    if C == 1:
        return temperature * Z, (rng.random((m, 1)) < A).astype(float), cost
    drawn = (rng.random((m, 1)) > A.cumsum(axis=1)).sum(axis=1)
    return temperature * Z, np.eye(C)[np.minimum(drawn, C - 1)], cost


# By hand

Z, Y = np.full((4, 1), log(9)), np.array([[1.0], [1.0], [1.0], [0.0]])
"""Each example belongs to class 1 with probability 0.9, but only three of four do."""


def test_probabilities_of_nine_tenths_that_come_true_in_three_of_four_cases():
    found = calibration(Z, Y, np.full(4, 100.0), "logistic")
    p = (300 + 1) / (400 + 2)
    assert found is not None
    assert found.temperature == pytest.approx(log(9) / log(p / (1 - p)), rel=1e-9)
    assert found.before == pytest.approx(-0.75 * log(0.9) - 0.25 * log(0.1))
    assert found.after == pytest.approx(-0.75 * log(p) - 0.25 * log(1 - p))


def test_a_gain_within_its_noise_is_not_used():
    """Four examples: p = 2/3 gains 0.076, with a standard error of 0.326."""
    assert calibration(Z, Y, None, "logistic") is None


def test_two_outputs_of_softmax_are_one_of_logistic():
    both = np.hstack([0 * Z, Z]), np.hstack([1 - Y, Y])
    weights = np.full(4, 100.0)
    assert calibration(*both, weights, "softmax") == pytest.approx(
        calibration(Z, Y, weights, "logistic"), rel=1e-9
    )


# Properties


@pytest.mark.parametrize("temperature", [0.4, 2.5])
@pytest.mark.parametrize("C", [1, 2, 5])
def test_the_temperature_of_sampled_labels_is_found(C, temperature):
    found = calibration(
        *sampled(8000, C, temperature)[:2], None, "logistic" if C == 1 else "softmax"
    )
    assert found is not None
    assert found.temperature == pytest.approx(temperature, rel=0.1)
    assert found.after < found.before


@pytest.mark.parametrize("C", [1, 4])
def test_it_minimises_the_cost_of_the_smoothed_targets(C):
    Z, Y, cost = sampled(300, C, 3.0)
    weights = rng.integers(1, 4, 300).astype(float)
    m, classes = weights.sum(), max(C, 2)

    def loss(temperature: float) -> float:
        A = probabilities(Z / temperature, cost)
        A, targets = (np.hstack([1 - V, V]) if C == 1 else V for V in (A, Y))
        smooth = (m * targets + 1) / (m + classes)
        return -float(weights @ (smooth * np.log(A)).sum(axis=1))

    best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-8})
    found = calibration(Z, Y, weights, cost)
    assert found is not None
    assert found.temperature == pytest.approx(float(best.x), rel=1e-5)


def test_a_weight_of_2_equals_an_example_twice():
    Z, Y, cost = sampled(200, 3, 3.0)
    weights = rng.integers(0, 3, 200)
    rows = np.repeat(np.arange(200), weights)
    assert calibration(Z, Y, weights, cost) == pytest.approx(
        calibration(Z[rows], Y[rows], None, cost), rel=1e-9
    )


def test_calibrated_outputs_are_mostly_left_alone():
    """One temperature is fitted, so about 5 % of the samples gain more than a standard error."""
    found = [calibration(*sampled(400, 3, 1.0)[:2], None, "softmax") for _ in range(200)]
    assert sum(one is not None for one in found) <= 25


def test_perfect_outputs_do_not_become_certain():
    Y = np.eye(3)[rng.integers(0, 3, 60)]
    found = calibration(2 * Y, Y, None, "softmax")
    assert found is not None
    p = probabilities(2 * Y, "softmax", found.temperature).max(axis=1)
    np.testing.assert_allclose(p, (60 + 1) / (60 + 3), rtol=1e-6)


def test_several_labels_share_a_temperature():
    pairs = [sampled(3000, 1, 2.0) for _ in range(3)]
    found = calibration(*(np.hstack([pair[i] for pair in pairs]) for i in (0, 1)), None, "logistic")
    assert found is not None
    assert found.temperature == pytest.approx(2, rel=0.1)


def test_outputs_without_probabilities_are_left_alone():
    for bad in (np.inf, np.nan):
        assert calibration(np.full((4, 1), bad), Y, None, "logistic") is None
    assert calibration(Z[:0], Y[:0], None, "logistic") is None
    assert calibration(Z, Y, np.zeros(4), "logistic") is None
    assert calibration(0 * Z, Y, None, "logistic") is None  # every temperature is as good
    assert calibration(1e30 * Z, Y, np.full(4, 100.0), "logistic") is not None


@pytest.mark.parametrize("size", [2.0, 0.5])
def test_the_temperature_of_an_ensemble_is_the_root_of_that_of_its_members(size):
    """Each member is measured on its own rows, and one that is not sure enough is not changed."""
    y = np.arange(400) % 4 != 0  # three of four are in the class that is predicted
    Y, rows = y[:, None].astype(float), [np.arange(200), np.arange(200, 400)]
    Z_k = np.full((2, 400, 1), 99.0)
    for Z, own in zip(Z_k, rows, strict=True):
        Z[own] = size * np.log(3)
    alone = calibration(np.full((400, 1), size * np.log(3)), Y, None, "logistic")
    found = members_calibration(Z_k, Y, None, rows, "logistic")
    assert alone is not None
    if size < 1:
        assert (found, alone.temperature < 1) == (None, True)
    else:
        assert found is not None
        assert found.temperature == pytest.approx(alone.temperature**0.5)
        assert found.temperature == pytest.approx(2**0.5, abs=0.02)
