"""chainrule/train/metrics.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, r2_score

from chainrule.train.metrics import (
    accuracy,
    calibrated_logistic_cost,
    calibrated_softmax_cost,
    r2,
    sequence_accuracy,
)

ONE_EACH = np.ones((1, 4))
jit_accuracy, jit_r2 = jax.jit(accuracy), jax.jit(r2)  # one compilation per shape


# By hand


def test_accuracy_of_one_output_by_hand():
    Z, Y = np.array([[0.2, -3.0, 5.0, -0.1]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    assert float(accuracy(Z, Y, ONE_EACH)) == 0.5
    assert float(accuracy(Z, Y, np.array([[3.0, 3.0, 1.0, 1.0]]))) == 0.75


def test_a_probability_of_one_half_is_class_0():
    assert float(accuracy(np.array([[0.0]]), np.array([[0.0]]), np.ones((1, 1)))) == 1.0


def test_accuracy_of_classes_by_hand():
    Z = np.array([[9.0, 1.0, 0.0, 2.0], [1.0, 2.0, 5.0, 1.0], [0.0, 0.0, 4.0, 3.0]])
    Y = np.eye(3)[:, [0, 1, 2, 2]]
    assert float(accuracy(Z, Y, ONE_EACH)) == 0.75


def test_sequence_accuracy_by_hand():
    """The first example has three real steps, two of them right; the second one, which is wrong."""
    predicted = np.array([[0, 1], [2, 0], [1, 0]])
    Z = jnp.asarray(np.eye(3)[predicted].transpose(0, 2, 1))  # (T, C, m)
    Y, ones = jnp.array([[0, 0], [2, -1], [0, -1]]), jnp.ones((1, 2))
    assert float(sequence_accuracy(Z, Y, ones)) == 2 / 4
    assert float(sequence_accuracy(Z, Y, jnp.array([[1.0, 3.0]]))) == 2 / 6
    assert float(sequence_accuracy(Z, Y.astype(float), jnp.array([[1.0, 0.0]]))) == 2 / 3
    assert float(sequence_accuracy(Z, jnp.full((3, 2), -1), ones)) == 0


def test_r2_by_hand():
    Y = np.array([[1.0, 2.0, 3.0, 4.0]])  # squares around the mean: 5
    assert float(r2(Y, Y, ONE_EACH)) == 1.0
    assert float(r2(np.full((1, 4), 2.5), Y, ONE_EACH)) == 0.0
    assert float(r2(Y + 1, Y, ONE_EACH)) == pytest.approx(1 - 4 / 5)


def test_r2_is_0_if_y_is_constant():
    assert float(r2(np.zeros((1, 4)), np.ones((1, 4)), ONE_EACH)) == 0.0


# Properties: scikit-learn's numbers, and examples of weight 0 do not count

numbers = arrays(float, (2, 4), elements=st.floats(-9, 9).map(lambda x: round(x, 3)))
counts = arrays(float, (1, 4), elements=st.integers(1, 3).map(float))


@settings(max_examples=40, deadline=None)
@given(Z=numbers, classes=st.lists(st.integers(0, 1), min_size=4, max_size=4), weights=counts)
def test_accuracy_equals_scikit_learn(Z, classes, weights):
    got = jit_accuracy(Z, np.eye(2)[:, classes], weights)
    want = accuracy_score(classes, Z.argmax(axis=0), sample_weight=weights[0])
    assert float(got) == pytest.approx(want)


@settings(max_examples=40, deadline=None)
@given(Z=numbers, Y=arrays(float, (2, 4), elements=st.integers(-9, 9), unique=True), weights=counts)
def test_r2_equals_scikit_learn(Z, Y, weights):
    want = r2_score(Y.T, Z.T, sample_weight=weights[0])
    assert float(jit_r2(Z, Y, weights)) == pytest.approx(want)


@pytest.mark.parametrize("metric", [accuracy, r2])
def test_an_example_of_weight_0_does_not_count(metric):
    rng = np.random.default_rng(0)
    Z, Y = rng.standard_normal((2, 6)), np.eye(2)[:, [0, 1, 1, 0, 1, 0]]
    weights = np.array([[1.0, 2.0, 1.0, 1.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        metric(Z, Y, weights), metric(Z[:, :4], Y[:, :4], weights[:, :4]), rtol=1e-12
    )


def test_the_cost_after_calibration_is_that_of_the_best_temperature():
    """Three of four predictions are right, and Z is twice the log odds of that: T = 2 is best."""
    Z, Y = np.full((1, 4), 2 * np.log(3), np.float32), np.array([[1, 1, 1, 0]], np.float32)
    weights = np.ones((1, 4), np.float32)
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert float(calibrated_logistic_cost(Z, Y, weights)) == pytest.approx(entropy, abs=1e-6)
    both = np.concatenate([0 * Z, Z]), np.concatenate([1 - Y, Y])
    assert float(calibrated_softmax_cost(*both, weights)) == pytest.approx(entropy, abs=1e-6)
