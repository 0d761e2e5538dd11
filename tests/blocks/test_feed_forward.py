"""Tests of chainrule/blocks/feed_forward.py."""

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.blocks.activations import relu
from chainrule.blocks.feed_forward import (
    feed_forward,
    feed_forward_backward,
    feed_forward_forward,
)
from chainrule.blocks.linear import linear
from tests.gradients import assert_gradients


def plain_feed_forward(X, W1, b1, W2, b2):
    Z = jnp.einsum("ij,tjm->tim", W1, X) + b1[None]
    H = jnp.where(Z > 0, Z, 0)
    return jnp.einsum("ij,tjm->tim", W2, H) + b2[None]


def test_an_example_by_hand():
    X = jnp.array([[[2.0, -3.0]], [[0.5, 1.0]]])  # two steps of one feature, two examples
    W1, b1 = jnp.array([[1.0], [-1.0]]), jnp.array([[0.0], [1.0]])
    W2, b2 = jnp.array([[10.0, 100.0]]), jnp.array([[1.0]])
    A, cache = feed_forward_forward(X, W1, b1, W2, b2)
    np.testing.assert_array_equal(
        A, [[[21, 401]], [[56, 11]]]
    )  # H = (2, 0), (0, 4); (½, ½), (1, 0)
    dX, dW1, db1, dW2, db2 = feed_forward_backward(jnp.array([[[1.0, 0.0]], [[1.0, 2.0]]]), cache)
    np.testing.assert_array_equal(dX, [[[10, 0]], [[-90, 20]]])
    np.testing.assert_array_equal(dW1, [[10 * 2 + 10 * 0.5 + 20 * 1], [100 * 0.5]])
    np.testing.assert_array_equal(db1, [[10 + 10 + 20], [100]])
    np.testing.assert_array_equal(dW2, [[2 + 0.5 + 2, 0.5]])
    np.testing.assert_array_equal(db2, [[4]])


def inputs(getkey):
    shapes = [(4, 3, 2), (5, 3), (5, 1), (3, 5), (3, 1)]
    return [jax.random.normal(getkey(), shape) for shape in shapes]


def test_gradients(getkey):
    assert_gradients(feed_forward, plain_feed_forward, *inputs(getkey), key=getkey())


def test_each_step_is_two_layers(getkey):
    X, W1, b1, W2, b2 = inputs(getkey)
    A = feed_forward(X, W1, b1, W2, b2)
    for t in range(4):
        want = linear(relu(linear(X[t], W1, b1)), W2, b2)
        np.testing.assert_allclose(A[t], want, rtol=1e-11, atol=1e-12)
