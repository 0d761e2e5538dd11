"""Tests of chainrule/blocks/regularization.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import squared_cost
from chainrule.blocks.linear import linear
from chainrule.blocks.regularization import (
    l1_penalty,
    l1_penalty_backward,
    l1_penalty_forward,
    l2_penalty,
    l2_penalty_backward,
    l2_penalty_forward,
)
from tests.gradients import assert_gradients

W = jnp.array([[1.0, -2.0], [0.0, 4.0]])


def test_l2_by_hand():
    J, cache = l2_penalty_forward(W, 0.5, 10)  # λ/(2m) = 0.025, and 1 + 4 + 16 = 21
    np.testing.assert_allclose(J, 0.525)
    np.testing.assert_allclose(l2_penalty_backward(1.0, cache), [[0.05, -0.1], [0.0, 0.2]])


def test_l1_by_hand():
    J, cache = l1_penalty_forward(W, 0.5, 10)  # λ/m = 0.05, and 1 + 2 + 4 = 7
    np.testing.assert_allclose(J, 0.35)
    np.testing.assert_allclose(l1_penalty_backward(1.0, cache), [[0.05, -0.05], [0.0, 0.05]])


def test_weight_decay_is_the_gradient_of_l2():
    """W − α (dW + (λ/m) W) = (1 − αλ/m) W − α dW."""
    rng = np.random.default_rng(0)
    X, Y, b = (jnp.asarray(rng.standard_normal(shape)) for shape in ((2, 5), (2, 5), (2, 1)))
    rate, l2, m = 0.1, 0.7, 5

    def J(W):
        return squared_cost(linear(X, W, b), Y)

    dW, d_total = jax.grad(J)(W), jax.grad(lambda W: J(W) + l2_penalty(W, l2, m))(W)
    np.testing.assert_allclose(W - rate * d_total, (1 - rate * l2 / m) * W - rate * dW)


# Gradients


@pytest.mark.parametrize(
    ("penalty", "twin"),
    [
        (l2_penalty, lambda W: 0.3 / (2 * 7) * (W**2).sum()),
        (l1_penalty, lambda W: 0.3 / 7 * jnp.abs(W).sum()),
    ],
)
def test_gradients(penalty, twin, getkey):
    W = jax.random.normal(getkey(), (3, 4))
    assert_gradients(lambda W: penalty(W, 0.3, 7), twin, W, key=getkey())


# Properties


@pytest.mark.parametrize("penalty", [l2_penalty, l1_penalty])
def test_many_strengths_at_once(penalty):
    strengths = jnp.array([0.0, 0.1, 10.0])
    at_once = jax.jit(jax.vmap(jax.grad(penalty), (None, 0, None)))(W, strengths, 4)
    for dW, strength in zip(at_once, strengths, strict=True):
        np.testing.assert_allclose(dW, jax.grad(penalty)(W, strength, 4))


@pytest.mark.parametrize("penalty", [l2_penalty, l1_penalty])
def test_lambda_and_m_get_no_gradient(penalty):
    assert jax.grad(penalty, argnums=(1, 2))(W, 0.5, 10.0) == (0.0, 0.0)
