"""Tests of chainrule/blocks/dropout.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.dropout import dropout, dropout_backward, dropout_forward
from tests.gradients import assert_gradients

A_PREV = jnp.array([[1.0, 2.0, 3.0], [-4.0, 5.0, -6.0]])
D = jnp.array([[True, False, True], [False, True, True]])


@pytest.mark.parametrize("dtype", [bool, int, float])
def test_by_hand(dtype):
    A, cache = dropout_forward(A_PREV, D.astype(dtype), 0.5)
    np.testing.assert_array_equal(A, [[2.0, 0.0, 6.0], [0.0, 10.0, -12.0]])
    dA = jnp.full((2, 3), 0.25)
    np.testing.assert_array_equal(dropout_backward(dA, cache), [[0.5, 0.0, 0.5], [0.0, 0.5, 0.5]])


def test_keeping_all_changes_nothing():
    np.testing.assert_array_equal(dropout(A_PREV, jnp.ones((2, 3), bool), 1.0), A_PREV)


def test_dropped_units_are_0_whatever_their_value():
    A = dropout(jnp.array([[jnp.inf, 1.0]]), jnp.array([[False, True]]), 0.8)
    np.testing.assert_array_equal(A, [[0.0, 1.25]])


def test_gradients(getkey):
    A_prev = jax.random.normal(getkey(), (2, 3))
    assert_gradients(
        lambda A_prev: dropout(A_prev, D, 0.8),
        lambda A_prev: A_prev * D.astype(float) / 0.8,
        A_prev,
        key=getkey(),
    )


def test_the_mask_and_keep_prob_get_no_gradient():
    mask = D.astype(float)
    d_mask, d_keep_prob = jax.grad(lambda *x: dropout(*x).sum(), argnums=(1, 2))(A_PREV, mask, 0.5)
    np.testing.assert_array_equal(d_mask, np.zeros((2, 3)))
    assert d_keep_prob == 0.0


def test_another_keep_prob_for_each_model():
    keep_probs = jnp.array([0.5, 1.0])
    both = jax.vmap(dropout, (None, None, 0))(A_PREV, D, keep_probs)
    for A, keep_prob in zip(both, keep_probs, strict=True):
        np.testing.assert_array_equal(A, dropout(A_PREV, D, keep_prob))
