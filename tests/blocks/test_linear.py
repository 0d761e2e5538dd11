"""Tests of chainrule/blocks/linear.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.linear import linear, linear_backward, linear_forward
from tests.gradients import assert_gradients


def plain_linear(A_prev, W, b):
    return W @ A_prev + b


def test_an_example_by_hand():
    A_prev = jnp.array([[1.0, 2.0], [3.0, 4.0]])  # two features, two examples
    W = jnp.array([[1.0, 10.0]])  # one unit
    b = jnp.array([[0.5]])

    Z, cache = linear_forward(A_prev, W, b)
    np.testing.assert_array_equal(Z, [[31.5, 42.5]])

    dA_prev, dW, db = linear_backward(jnp.array([[1.0, -1.0]]), cache)
    np.testing.assert_array_equal(dA_prev, [[1.0, -1.0], [10.0, -10.0]])
    np.testing.assert_array_equal(dW, [[-1.0, -1.0]])
    np.testing.assert_array_equal(db, [[0.0]])


def test_without_b_there_is_no_db():
    A_prev, W = jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 10.0]])
    Z, cache = linear_forward(A_prev, W, None)
    np.testing.assert_array_equal(Z, [[31.0, 42.0]])
    dA_prev, dW, db = linear_backward(jnp.array([[1.0, -1.0]]), cache)
    np.testing.assert_array_equal(dA_prev, [[1.0, -1.0], [10.0, -10.0]])
    np.testing.assert_array_equal(dW, [[-1.0, -1.0]])
    assert db is None


# Every size different, then one unit and one example.
@pytest.mark.parametrize(("n_prev", "n_l", "m"), [(3, 2, 4), (3, 1, 4), (3, 2, 1)])
def test_gradients(getkey, n_prev, n_l, m):
    A_prev = jax.random.normal(getkey(), (n_prev, m))
    W = jax.random.normal(getkey(), (n_l, n_prev))
    b = jax.random.normal(getkey(), (n_l, 1))
    assert_gradients(linear, plain_linear, A_prev, W, b, key=getkey())


entries = st.floats(-1e3, 1e3)
jit_linear = jax.jit(linear)  # one compilation: the shapes below never change


@settings(max_examples=50, deadline=None)
@given(A_prev=arrays(float, (3, 4), elements=entries), order=st.permutations(range(4)))
def test_examples_are_independent(A_prev, order):
    W, b = np.arange(6.0).reshape(2, 3), np.ones((2, 1))
    np.testing.assert_allclose(
        jit_linear(A_prev[:, order], W, b), jit_linear(A_prev, W, b)[:, order], atol=1e-9
    )
