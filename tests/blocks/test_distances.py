"""Tests of chainrule/blocks/distances.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.distances import (
    absolute_difference,
    squared_distances,
    squared_distances_backward,
    squared_distances_forward,
)
from tests.gradients import assert_gradients


def plain_squared(X, Y):
    return ((X[:, :, None] - Y[:, None, :]) ** 2).sum(axis=0)


def plain_absolute(X, Y):
    return jnp.abs(X - Y)


def test_a_triangle_by_hand():
    D, cache = squared_distances_forward(
        jnp.array([[0.0, 1.0], [0.0, 0.0]]), jnp.array([[3.0], [4.0]])
    )
    np.testing.assert_allclose(D, [[25.0], [20.0]])
    dX, dY = squared_distances_backward(jnp.array([[1.0], [10.0]]), cache)
    np.testing.assert_allclose(dX, [[-6.0, -40.0], [-8.0, -80.0]])
    np.testing.assert_allclose(dY, [[46.0], [88.0]])


def test_equal_numbers_have_no_gradient():
    X, Y = jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[3.0, 2.0, 1.0]])
    D, pull = jax.vjp(absolute_difference, X, Y)
    np.testing.assert_array_equal(D, [[2.0, 0.0, 2.0]])
    dX, dY = pull(jnp.array([[10.0, 10.0, 10.0]]))
    np.testing.assert_array_equal(dX, [[-10.0, 0.0, 10.0]])
    np.testing.assert_array_equal(dY, [[10.0, 0.0, -10.0]])


@pytest.mark.parametrize(
    ("block", "twin", "k"),
    [(squared_distances, plain_squared, 5), (absolute_difference, plain_absolute, 3)],
)
def test_gradients(block, twin, k, getkey):
    X, Y = jax.random.normal(getkey(), (4, 3)), jax.random.normal(getkey(), (4, k))
    assert_gradients(block, twin, X, Y, key=getkey())


def test_gradients_of_a_set_with_itself(getkey):
    X = jax.random.normal(getkey(), (4, 3))
    assert_gradients(
        lambda X: squared_distances(X, X), lambda X: plain_squared(X, X), X, key=getkey()
    )


jit_squared = jax.jit(squared_distances)


@settings(max_examples=50, deadline=None)
@given(X=arrays(float, (3, 4), elements=st.floats(-1e3, 1e3)))
def test_distances_are_symmetric_and_zero_to_itself(X):
    D = jit_squared(X, X)
    np.testing.assert_allclose(D, D.T, atol=1e-9)
    np.testing.assert_allclose(np.diag(D), np.zeros(4), atol=1e-8)


@pytest.mark.usefixtures("float32_world")
def test_embeddings_in_float32():
    """For nearly equal vectors of length one, the product form is exact to six digits."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 50))
    Y = X + 1e-3 * rng.standard_normal(X.shape)
    X, Y = (Z / np.linalg.norm(Z, axis=0) for Z in (X, Y))
    D = squared_distances(jnp.asarray(X, jnp.float32), jnp.asarray(Y, jnp.float32))
    np.testing.assert_allclose(D, plain_squared(X, Y), atol=2e-6)


def test_products_have_full_precision():
    program = str(jax.make_jaxpr(squared_distances)(jnp.ones((2, 3)), jnp.ones((2, 4))))
    assert "Precision.HIGHEST" in program
