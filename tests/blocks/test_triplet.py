"""Tests of chainrule/blocks/triplet.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.triplet import (
    margin_loss,
    triplet_cost,
    triplet_cost_backward,
    triplet_cost_forward,
)
from tests.gradients import assert_gradients

A = jnp.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
P = jnp.array([[0.3, 0.1, 1.0], [0.0, 0.0, 1.5]])
N = jnp.array([[0.5, 0.9, 1.0], [0.0, 0.0, 2.0]])
MARGIN = 0.2
# ‖A − P‖² = 0.09, 0.01, 0.25 and ‖A − N‖² = 0.25, 0.81, 1: the losses are 0.04, 0 and 0


def plain_triplet(A, P, N, *, margin=MARGIN, weights=None, axis=0):
    L = ((A - P) ** 2).sum(axis=axis) - ((A - N) ** 2).sum(axis=axis) + margin
    L = jnp.maximum(L, 0)
    return L.mean() if weights is None else jnp.average(L, weights=weights.ravel())


def test_three_triplets_by_hand():
    J, cache = triplet_cost_forward(A, P, N, MARGIN)
    np.testing.assert_allclose(J, 0.04 / 3, rtol=1e-14)
    dA, dP, dN = triplet_cost_backward(3.0, cache)
    np.testing.assert_allclose(dA, [[2 * (0.5 - 0.3), 0, 0], [0, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(dP, [[2 * 0.3, 0, 0], [0, 0, 0]], atol=1e-15)
    np.testing.assert_allclose(dN, [[-2 * 0.5, 0, 0], [0, 0, 0]], atol=1e-15)


def test_a_margin_that_is_exactly_satisfied_does_not_count():
    D_P, D_N = jnp.array([[0.25, 0.5]]), jnp.array([[0.5, 0.5]])
    L, pull = jax.vjp(lambda *D: margin_loss(*D, 0.25), D_P, D_N)
    np.testing.assert_array_equal(L, [[0.0, 0.25]])
    dD_P, dD_N = pull(jnp.ones((1, 2)))
    np.testing.assert_array_equal(dD_P, [[0.0, 1.0]])
    np.testing.assert_array_equal(dD_N, [[0.0, -1.0]])


def test_equal_embeddings_cost_the_margin_and_have_no_gradient():
    J, pull = jax.vjp(lambda *E: triplet_cost(*E, MARGIN), A, A, A)
    np.testing.assert_allclose(J, MARGIN)
    for gradient in pull(jnp.ones(())):
        np.testing.assert_array_equal(gradient, np.zeros((2, 3)))


def test_weights_select_triplets():
    J = triplet_cost(A, P, N, MARGIN, jnp.array([[1.0, 3.0, 0.0]]))
    np.testing.assert_allclose(J, 0.04 / 4, rtol=1e-14)


@pytest.mark.parametrize(
    ("axis", "weights"), [(0, None), (-1, None), (0, [[1.0, 0.0, 2.0, 0.5, 1.0, 3.0]])]
)
def test_gradients(axis, weights, getkey):
    shape = (6, 4) if axis else (4, 6)
    embeddings = [0.5 * jax.random.normal(getkey(), shape) for _ in range(3)]
    weights = None if weights is None else jnp.array(weights)

    def block(A, P, N):
        return triplet_cost(A, P, N, MARGIN, weights, axis=axis)

    def twin(A, P, N):
        return plain_triplet(A, P, N, weights=weights, axis=axis)

    assert_gradients(block, twin, *embeddings, key=getkey())


jit_triplet = jax.jit(triplet_cost)
embeddings = arrays(float, (2, 3), elements=st.floats(-10, 10))


@settings(max_examples=50, deadline=None)
@given(A=embeddings, P=embeddings, N=embeddings, shift=st.floats(-10, 10))
def test_only_differences_matter(A, P, N, shift):
    J = jit_triplet(A, P, N, MARGIN)
    assert J >= 0
    np.testing.assert_allclose(jit_triplet(A + shift, P + shift, N + shift, MARGIN), J, atol=1e-10)
    np.testing.assert_allclose(J, plain_triplet(A, P, N), rtol=1e-12, atol=1e-12)
