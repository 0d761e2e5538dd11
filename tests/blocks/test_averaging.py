"""Tests of chainrule/blocks/averaging.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.averaging import (
    mean_logistic,
    mean_logistic_backward,
    mean_logistic_forward,
    mean_output,
    mean_output_backward,
    mean_output_forward,
    mean_softmax,
    mean_softmax_backward,
    mean_softmax_forward,
)
from tests.gradients import assert_gradients


def plain_logistic(Z_k):
    P = (1 / (1 + jnp.exp(-Z_k))).mean(axis=0)
    return jnp.log(P / (1 - P))


def plain_softmax(Z_k):
    A = jnp.exp(Z_k) / jnp.exp(Z_k).sum(axis=1, keepdims=True)
    return jnp.log(A.mean(axis=0))


def plain_mean(Z_k):
    return Z_k.mean(axis=0)


TWINS = {mean_logistic: plain_logistic, mean_softmax: plain_softmax, mean_output: plain_mean}


# By hand


def test_logistic_by_hand():
    Z_k = np.log([[[3.0]], [[1.0]], [[1 / 3]], [[3.0]]])  # 3/4, 1/2, 1/4, 3/4: the mean is 9/16
    Z, cache = mean_logistic_forward(Z_k)
    np.testing.assert_allclose(Z, [[np.log(9 / 7)]])
    dZ_k = mean_logistic_backward(np.ones((1, 1)), cache)
    # ∂P/∂Z_k = A_k (1 − A_k) / 4 and ∂Z/∂P = 1 / (P (1 − P)) = 256 / 63
    np.testing.assert_allclose(dZ_k[:, 0, 0], [12 / 63, 16 / 63, 12 / 63, 12 / 63])


def test_softmax_by_hand():
    Z_k = np.log([[[1.0], [2.0], [5.0]], [[3.0], [4.0], [1.0]]])  # (1, 2, 5)/8 and (3, 4, 1)/8
    Z, cache = mean_softmax_forward(Z_k)
    np.testing.assert_allclose(Z[:, 0], np.log([2 / 8, 3 / 8, 3 / 8]))
    dZ_k = mean_softmax_backward(np.array([[1.0], [0.0], [0.0]]), cache)
    # R = 1/4 and 3/4 of class 0, and dZ_k = R (1 − A) for class 0, −R A for the others
    np.testing.assert_allclose(dZ_k[0, :, 0], np.array([7, -2, -5]) / 32)
    np.testing.assert_allclose(dZ_k[1, :, 0], 3 * np.array([5, -4, -1]) / 32)


def test_output_by_hand():
    Z, cache = mean_output_forward(np.array([[[1.0]], [[2.0]], [[6.0]]]))
    np.testing.assert_allclose(Z, [[3.0]])
    np.testing.assert_allclose(mean_output_backward(np.array([[6.0]]), cache), [[[2.0]]] * 3)


# Gradients


@pytest.mark.parametrize("block", TWINS, ids=lambda block: block.__name__)
def test_gradients(block):
    Z_k = np.random.default_rng(0).standard_normal((3, 2, 4))
    assert_gradients(block, TWINS[block], Z_k, key=jax.random.key(0))


# Properties

outputs = arrays(np.float64, (3, 2, 4), elements=st.floats(-1e4, 1e4))


@given(outputs)
@settings(max_examples=50)
def test_the_mean_lies_between_the_members(Z_k):
    for block in (mean_logistic, mean_output):
        Z = np.asarray(block(Z_k))
        slack = 1e-9 * (1 + np.abs(Z_k).max(axis=0))
        assert np.isfinite(Z).all()
        least, most = Z_k.min(axis=0) - slack, Z_k.max(axis=0) + slack
        assert ((least <= Z) & (most >= Z)).all()


@given(outputs)
@settings(max_examples=50)
def test_the_mean_of_softmax_sums_to_one(Z_k):
    Z = np.asarray(mean_softmax(Z_k))
    assert np.isfinite(Z).all()
    np.testing.assert_allclose(np.exp(Z).sum(axis=0), 1, rtol=1e-12)


def test_equal_members_change_nothing():
    Z = np.array([[-300.0, -2.0, 0.0, 5.0, 900.0]])
    np.testing.assert_allclose(mean_logistic(np.stack([Z] * 3)), Z, rtol=1e-12)
    np.testing.assert_allclose(mean_output(np.stack([Z] * 3)), Z, rtol=1e-12)


def test_nothing_saturates_in_float32():
    Z_k = np.array([[[200.0, -200.0]], [[-200.0, -300.0]]], np.float32)
    Z = np.asarray(mean_logistic(Z_k))
    np.testing.assert_allclose(Z, [[0.0, -200.0 - np.log(2)]], atol=1e-4)
