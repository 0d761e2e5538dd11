"""chainrule/strategy/uncertainty.py: standard errors and intervals of scores."""

import numpy as np
import pytest

from chainrule.runs.scores import results_of_outputs
from chainrule.strategy.goal import (
    CONDITIONS_ONLY,
    OF_CLASSES,
    OF_NUMBERS,
    OF_ONE_CLASS,
    goal_for,
    value_of,
)
from chainrule.strategy.threshold import with_best_threshold
from chainrule.strategy.uncertainty import gain, influence, interval, standard_error
from tests.strategy.labels import NUMBERS, THREE, TWO, outputs

EACH = [(preprocessor, metric) for preprocessor in (TWO, THREE) for metric in OF_CLASSES]
EACH += [(THREE, f"{metric} of dog") for metric in OF_ONE_CLASS]
EACH += [(TWO, "pr_auc of benign")]
EACH += [(NUMBERS, metric) for metric in OF_NUMBERS if metric not in CONDITIONS_ONLY]
EVERY = pytest.mark.parametrize(
    ("preprocessor", "text"), EACH, ids=[f"{len(d.labels.names)} {text}" for d, text in EACH]
)


# By hand


def test_accuracy_has_the_error_of_a_share():
    Z, Y = np.array([[1.0], [1], [1], [-1], [-1]]), np.array([[1.0], [1], [1], [1], [0]])
    found = interval(goal_for("accuracy", TWO), TWO, Z, Y)
    assert found.value == 0.8
    assert found.standard_error == pytest.approx((0.8 * 0.2 / 4) ** 0.5)
    assert 0.37 < found.low < 0.38  # Wilson's
    assert 0.96 < found.high < 0.97


def test_a_gain_is_paired():
    Y = np.array([[1.0]] * 100)
    old, new = np.where(np.arange(100) < 50, 1.0, -1.0), np.where(np.arange(100) < 54, 1.0, -1.0)
    found = gain(goal_for("accuracy", TWO), TWO, new[:, None], old[:, None], Y)
    assert found.gain == pytest.approx(0.04)
    assert found.standard_error == pytest.approx((0.04 * 0.96 / 99) ** 0.5)
    alone = interval(goal_for("accuracy", TWO), TWO, new[:, None], Y).standard_error
    assert found.standard_error < alone / 2


def test_equal_networks_differ_by_nothing():
    Z, _, Y, weights = outputs(THREE)
    assert gain(goal_for("roc_auc", THREE), THREE, Z, Z, Y, weights) == (0, 0)


def test_a_lower_error_is_a_gain():
    worse, better, Y, weights = outputs(NUMBERS)
    for text in ("r2", "rmse", "mae"):
        assert gain(goal_for(text, NUMBERS), NUMBERS, better, worse, Y, weights).gain > 0
    assert gain(goal_for("log loss", TWO), TWO, *outputs(TWO)[1::-1], *outputs(TWO)[2:]).gain > 0


def test_each_network_may_have_its_own_threshold():
    goal = goal_for("f1", TWO)
    Z, _, Y, weights = outputs(TWO)
    low = with_best_threshold(goal, TWO, Z, Y, weights)
    found = gain(goal, low, Z, Z, Y, weights, old_preprocessor=TWO)
    ends = [interval(goal, preprocessor, Z, Y, weights).value for preprocessor in (low, TWO)]
    assert found.gain == pytest.approx(ends[0] - ends[1])
    assert found.gain > 0
    assert found.standard_error > 0


def test_a_single_class_has_no_auc():
    Z, Y = np.array([[1.0], [2.0]]), np.ones((2, 1))
    for text in ("roc auc", "pr auc of benign", "pr auc of malignant"):
        assert np.isnan(gain(goal_for(text, TWO), TWO, Z, Z, Y).gain)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("preprocessor", [TWO, THREE, NUMBERS])
def test_outputs_that_overflow_raise_no_error(preprocessor, bad):
    Z, better, Y, weights = outputs(preprocessor)
    Z[3] = bad
    for text in ("f1", "log loss", "roc auc") if preprocessor is not NUMBERS else ("r2", "rmse"):
        goal = goal_for(text, preprocessor)
        gain(goal, preprocessor, Z, better, Y, weights)
        assert (
            goal.choose([goal.scores(preprocessor, each, Y, weights) for each in (Z, better)]) == 1
        )


# The influence is the derivative by the weight, times the weight


@EVERY
def test_influence_is_the_slope_of_the_score(preprocessor, text):
    Z, _, Y, weights = outputs(preprocessor, m=40)
    metric = goal_for(text, preprocessor).metric
    u = influence(metric, preprocessor, results_of_outputs(preprocessor, Z, Y, weights))
    slopes = np.empty(len(u))
    for i in range(len(u)):
        ends = []
        for step in (1e-5, -1e-5):
            moved = weights.copy()
            moved[i] += step
            ends.append(
                value_of(metric, preprocessor, results_of_outputs(preprocessor, Z, Y, moved))
            )
        slopes[i] = (ends[0] - ends[1]) / 2e-5
    np.testing.assert_allclose(u, weights * slopes, atol=1e-9)
    assert abs(u.sum()) < 1e-12


@EVERY
def test_the_standard_error_is_that_of_the_bootstrap(preprocessor, text):
    old, new, Y, _ = outputs(preprocessor, m=400)
    metric = goal_for(text, preprocessor).metric
    rng = np.random.default_rng(0)
    found = []
    for _ in range(300):
        drawn = rng.integers(0, 400, 400)
        values = [
            value_of(metric, preprocessor, results_of_outputs(preprocessor, Z[drawn], Y[drawn]))
            for Z in (new, old)
        ]
        found.append(values[0] - values[1])
    claimed = gain(goal_for(text, preprocessor), preprocessor, new, old, Y).standard_error
    assert claimed == pytest.approx(
        np.std(found), rel=0.5 if "calibration" in text else 0.2
    )  # documented in strategy/uncertainty.py


@EVERY
def test_intervals_contain_the_score(preprocessor, text):
    Z, _, Y, weights = outputs(preprocessor)
    found = interval(goal_for(text, preprocessor), preprocessor, Z, Y, weights)
    assert found.low < found.value < found.high
    assert found.high - found.low < 5 * found.standard_error


def test_a_single_example_has_no_standard_error():
    assert np.isnan(standard_error(np.zeros(1)))
