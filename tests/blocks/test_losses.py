"""Tests of chainrule/blocks/losses.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.losses import (
    absolute_loss,
    absolute_loss_backward,
    absolute_loss_forward,
    logistic_loss,
    logistic_loss_backward,
    logistic_loss_forward,
    softmax_loss,
    softmax_loss_backward,
    softmax_loss_forward,
    squared_loss,
    squared_loss_backward,
    squared_loss_forward,
)
from tests.gradients import assert_gradients


def plain_logistic(Z, Y, axis=0):
    A = 1 / (1 + jnp.exp(-Z))
    return -(Y * jnp.log(A) + (1 - Y) * jnp.log(1 - A)).sum(axis=axis, keepdims=True)


def plain_softmax(Z, Y, axis=0):
    A = jnp.exp(Z) / jnp.exp(Z).sum(axis=axis, keepdims=True)
    return -(Y * jnp.log(A)).sum(axis=axis, keepdims=True)


def plain_squared(Z, Y, axis=0):
    return ((Z - Y) ** 2).sum(axis=axis, keepdims=True)


def plain_absolute(Z, Y, axis=0):
    return jnp.abs(Z - Y).sum(axis=axis, keepdims=True)


TWINS = {
    logistic_loss: plain_logistic,
    softmax_loss: plain_softmax,
    squared_loss: plain_squared,
    absolute_loss: plain_absolute,
}
Y = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])  # one-hot, m = 4


def name(block):
    return block.__name__


# By hand


def test_logistic_by_hand():
    Z = np.array([[0.0, np.log(3.0)]])  # A = 1/2, 3/4
    L, cache = logistic_loss_forward(Z, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(L, [[np.log(2.0), np.log(4.0)]])
    dZ = logistic_loss_backward(np.ones((1, 2)), cache)
    np.testing.assert_allclose(dZ, [[-0.5, 0.75]])  # A − Y


def test_softmax_by_hand():
    Z = np.log([[1.0], [2.0], [5.0]])  # A = 1/8, 2/8, 5/8
    L, cache = softmax_loss_forward(Z, np.array([[0.0], [1.0], [0.0]]))
    np.testing.assert_allclose(L, [[np.log(4.0)]])
    dZ = softmax_loss_backward(np.ones((1, 1)), cache)
    np.testing.assert_allclose(dZ, [[0.125], [-0.75], [0.625]])  # A − Y


# The notes' example: yhat = [.9, .2, .1, .4, .9], y = [1, 0, 0, 1, 1], L1 = 1.1, L2 = 0.43.
YHAT = np.array([[0.9], [0.2], [0.1], [0.4], [0.9]])
LABELS = np.array([[1.0], [0.0], [0.0], [1.0], [1.0]])


def test_absolute_by_hand():
    L, cache = absolute_loss_forward(YHAT, LABELS)
    np.testing.assert_allclose(L, [[1.1]])
    dZ = absolute_loss_backward(np.full((1, 1), 3.0), cache)
    np.testing.assert_array_equal(dZ, [[-3.0], [3.0], [3.0], [-3.0], [-3.0]])


def test_squared_by_hand():
    L, cache = squared_loss_forward(YHAT, LABELS)
    np.testing.assert_allclose(L, [[0.43]])
    dZ = squared_loss_backward(np.ones((1, 1)), cache)
    np.testing.assert_allclose(dZ, [[-0.2], [0.4], [0.2], [-1.2], [-0.2]])


def test_absolute_slope_where_they_are_equal_is_zero():
    assert jax.grad(absolute_loss)(2.0, 2.0) == 0


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_a_number_gives_a_number(block):
    L = block(0.5, 1.0)
    assert L.shape == ()
    np.testing.assert_allclose(block(np.array([[0.5]]), np.array([[1.0]])), [[L]])


# Gradients


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_gradients(getkey, block):
    Z = jax.random.normal(getkey(), (3, 4))
    assert_gradients(lambda Z: block(Z, Y), lambda Z: TWINS[block](Z, Y), Z, key=getkey())


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_channels_last(block):
    Z = np.linspace(-2, 3, 24).reshape(2, 2, 2, 3)
    images = np.broadcast_to(Y.T.reshape(2, 2, 1, 3), Z.shape)
    L = block(Z, images, axis=-1)
    assert L.shape == (2, 2, 2, 1)
    np.testing.assert_allclose(L, TWINS[block](Z, images, axis=-1))
    columns = block(Z.reshape(-1, 3).T, images.reshape(-1, 3).T)
    np.testing.assert_allclose(L.ravel(), columns.ravel())


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_labels_get_no_gradient(block):
    _, dY = jax.grad(lambda Z, Y: block(Z, Y).sum(), argnums=(0, 1))(2 * Y + 0.5, Y)
    np.testing.assert_array_equal(dY, np.zeros((3, 4)))


# Properties


@jax.jit
def all_at_once(Z, Y):
    return {block.__name__: block(Z, Y) for block in TWINS}


entries = st.floats(-100, 100, allow_subnormal=False)


@settings(max_examples=50, deadline=None)
@given(Z=arrays(float, (3, 4), elements=entries), order=st.permutations(range(4)))
def test_examples_are_independent_and_losses_not_negative(Z, order):
    L, mixed = all_at_once(Z, Y), all_at_once(Z[:, order], Y[:, order])
    for block in L:
        assert L[block].shape == (1, 4)
        assert (L[block] >= -1e-12).all()
        np.testing.assert_array_equal(mixed[block], L[block][:, order])


def test_logistic_is_softmax_of_two_classes():
    z = np.linspace(-20, 20, 4).reshape(1, 4)
    both, labels = np.vstack([z, np.zeros((1, 4))]), np.array([[1.0, 0.0, 1.0, 0.0]])
    L = softmax_loss(both, np.vstack([labels, 1 - labels]))
    np.testing.assert_allclose(logistic_loss(z, labels), L, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("float32_world")
def test_extremes_in_float32():
    Z = jnp.array([[-1e4, 1e4, 1e4, 0.0], [1e4, 1e4, -1e4, 0.0], [0.0, -1e4, 1e4, 0.0]])
    labels = jnp.asarray(Y, jnp.float32)

    @jax.jit
    def losses_and_gradients(Z):
        pairs = {block.__name__: jax.vjp(lambda Z, b=block: b(Z, labels), Z) for block in TWINS}
        return {block: (L, pull(jnp.ones_like(L))[0]) for block, (L, pull) in pairs.items()}

    results = losses_and_gradients(Z)
    for block, pair in results.items():
        for array in pair:
            assert array.dtype == jnp.float32, block
            assert np.isfinite(array).all(), block
    ties = np.log([1, 2, 2, 3])  # so many units share the largest Z of their example
    softmax_losses = results["softmax_loss"][0][0]
    np.testing.assert_allclose(softmax_losses, np.array([2e4, 2e4, 2e4, 0]) + ties, rtol=1e-6)
    np.testing.assert_array_equal(results["logistic_loss"][1][:, 0], [-1.0, 1.0, 0.5])
    np.testing.assert_allclose(results["logistic_loss"][0][0, 0], 2e4 + np.log(2), rtol=1e-6)


@pytest.mark.usefixtures("float32_world")
def test_softmax_keeps_its_digits_far_from_zero():
    """All Z may be near 1e4, where float32 numbers are 0.001 apart."""
    near = jnp.array([[0.0], [1.0], [2.0]])
    label = jnp.array([[0.0], [0.0], [1.0]])
    np.testing.assert_allclose(softmax_loss(near + 1e4, label), [[0.40760596]], rtol=1e-6)
