"""chainrule/train/step.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.train.step import Batch, cost_and_gradients, norm, train_step
from tests.layers.running_mean import RunningMean
from tests.train.problem import (
    TRAIN,
    network,
    notes_cost,
    notes_gradients,
    notes_length,
    notes_step,
    weights,
)

X, Y = TRAIN.X.T, TRAIN.Y.T
BATCH = Batch(jnp.asarray(X), jnp.asarray(Y), jnp.ones((1, 20)))
KEY = jax.random.key(0)
OPTIMIZER = gradient_descent(0.5)
step = jax.jit(train_step, static_argnames=("cost", "update"))
gradients_of = jax.jit(cost_and_gradients, static_argnames="cost")


def gradients_with_m_in_the_cost(theta):
    """Here dZ[2] = (A − Y)/m, and no layer depends on m."""
    W1, b1, W2, b2 = theta
    A1 = np.tanh(W1 @ X + b1)
    dZ2 = (1 / (1 + np.exp(-(W2 @ A1 + b2))) - Y) / 20
    dZ1 = W2.T @ dZ2 * (1 - A1**2)
    rows = {"axis": 1, "keepdims": True}
    return [dZ1 @ X.T, dZ1.sum(**rows), dZ2 @ A1.T, dZ2.sum(**rows)]


@pytest.mark.parametrize(
    "by_hand",
    [lambda theta: notes_gradients(theta, X, Y), gradients_with_m_in_the_cost],
    ids=["1/m in dW", "1/m in dZ"],
)
def test_cost_and_gradients_match_the_notes(by_hand):
    theta = weights(network())
    J, gradients, after = gradients_of(network(), BATCH, logistic_cost, KEY)
    assert float(J) == pytest.approx(notes_cost(theta, X, Y), rel=1e-12)
    for got, want in zip(weights(gradients), by_hand(theta), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(weights(after)[0], theta[0])  # nothing is updated yet


def test_a_step_by_hand():
    theta = weights(network())
    new, state, J, gradients = step(
        network(), OPTIMIZER.init(network()), BATCH, logistic_cost, OPTIMIZER.update, KEY
    )
    for got, want in zip(weights(new), notes_step(theta, X, Y, 0.5), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)
    assert float(J) == pytest.approx(notes_cost(theta, X, Y), rel=1e-12)  # before the step
    length = notes_length(notes_gradients(theta, X, Y))
    assert float(norm(gradients)) == pytest.approx(length, rel=1e-12)
    assert float(state.learning_rate) == 0.5


def test_an_example_of_weight_0_does_not_count():
    counts = (jnp.arange(20) < 12).astype(float)[None]
    J, gradients, _ = gradients_of(network(), BATCH._replace(weights=counts), logistic_cost, KEY)
    theta = weights(network())
    assert float(J) == pytest.approx(notes_cost(theta, X[:, :12], Y[:, :12]), rel=1e-12)
    want = notes_gradients(theta, X[:, :12], Y[:, :12])
    for got, expected in zip(weights(gradients), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-15)


def test_a_buffer_has_no_gradient_and_follows_the_batch():
    layer = RunningMean(4)
    counts = (jnp.arange(20) < 12).astype(float)[None]
    batch = Batch(BATCH.X, BATCH.X, counts)
    _, gradients, after = cost_and_gradients(layer, batch, lambda Z, Y, weights: Z.sum(), KEY)
    assert gradients.mean is None
    np.testing.assert_allclose(
        after.mean, 0.1 * X[:, :12].mean(axis=1, keepdims=True), rtol=1e-12, atol=1e-15
    )
    np.testing.assert_array_equal(after.scale, layer.scale)


def test_the_norm_of_a_tree_is_that_of_one_vector():
    assert float(norm({"a": jnp.array([3.0]), "b": jnp.array([[4.0]])})) == 5.0
