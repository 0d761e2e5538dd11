"""Tests of chainrule/blocks/similarity.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.similarity import (
    normalize_rows,
    normalize_rows_backward,
    normalize_rows_forward,
)
from tests.gradients import assert_gradients


def plain_normalize(X):
    return X / jnp.sqrt((X**2).sum(axis=1, keepdims=True))


def test_the_example_of_the_notes():
    Y, _ = normalize_rows_forward(jnp.array([[0.0, 3.0, 4.0], [1.0, 6.0, 4.0]]))
    np.testing.assert_allclose(Y, [[0.0, 0.6, 0.8], np.array([1.0, 6.0, 4.0]) / np.sqrt(53)])


def test_the_gradient_of_the_first_row_by_hand():
    _, cache = normalize_rows_forward(jnp.array([[0.0, 3.0, 4.0]]))
    dX = normalize_rows_backward(jnp.array([[0.0, 1.0, 0.0]]), cache)
    np.testing.assert_allclose(dX, [[0.0, (1 - 0.36) / 5, -0.48 / 5]])


def test_a_row_of_zeros_stays_zero_and_so_does_its_gradient():
    X = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    Y, pull = jax.vjp(normalize_rows, X)
    np.testing.assert_allclose(Y, [[0.0, 0.0], [0.6, 0.8]])
    np.testing.assert_allclose(pull(jnp.ones((2, 2)))[0], [[0.0, 0.0], [0.032, -0.024]])


def test_gradients(getkey):
    X = jax.random.normal(getkey(), (3, 4))
    assert_gradients(normalize_rows, plain_normalize, X, key=getkey())


entries = st.floats(-1e3, 1e3, allow_subnormal=False)
jit_normalize = jax.jit(normalize_rows)  # one compilation: the shapes below never change


@settings(max_examples=50, deadline=None)
@given(X=arrays(float, (3, 4), elements=entries), scale=st.floats(0.01, 100))
def test_length_one_whatever_the_scale(X, scale):
    assume((np.abs(X).max(axis=1) > 1e-100).all())
    Y = jit_normalize(X)
    np.testing.assert_allclose(np.linalg.norm(Y, axis=1), np.ones(3), rtol=1e-12)
    np.testing.assert_allclose(jit_normalize(scale * X), Y, rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_huge_and_tiny_rows_in_float32(size):
    """Squares of these are 0 or infinite in float32."""
    X = jnp.array([[size, -size], [0.0, size]], jnp.float32)
    Y, pull = jax.vjp(normalize_rows, X)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(Y, [[half, -half], [0.0, 1.0]], rtol=1e-6)
    (dX,) = pull(jnp.ones((2, 2)))
    assert dX.dtype == jnp.float32
    assert np.isfinite(dX).all()
