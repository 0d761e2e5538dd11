"""Tests of chainrule/optim/momentum.py."""

import jax.numpy as jnp
import optax
import pytest

from chainrule.optim.momentum import momentum
from tests.optim.first_steps import assert_same_path, thetas, thetas_by_equations


def test_three_steps_by_hand():
    optimizer = momentum(0.1, beta1=0.5)
    state = optimizer.init(jnp.array(0.0))
    # V = 0.5 · 0 + 0.5 · 8 = 4, then 0.5 · 4 + 0.5 · 0 = 2, then 0.5 · 2 − 0.5 · 4 = −1
    for gradient, V in [(8.0, 4.0), (0.0, 2.0), (-4.0, -1.0)]:
        update, state = optimizer.update(jnp.array(gradient), state)
        assert float(state.V) == V
        assert float(update) == pytest.approx(-0.1 * V)
    assert int(state.t) == 3


def test_first_steps_match_the_equations():
    def step(t, d, V, unused):
        V = 0.8 * V + (1 - 0.8) * d
        return -0.1 * V, V, unused

    assert_same_path(thetas(momentum(0.1, 0.8)), thetas_by_equations(step))


def test_first_steps_match_optax():
    average = optax.chain(optax.ema(0.9, debias=False), optax.scale(-0.1))
    assert_same_path(thetas(momentum(0.1)), thetas(average))


def test_matches_the_unweighted_variant_with_a_tenth_of_the_rate():
    """The variant V = β V + dθ of optax and PyTorch: its α is (1 − β) times the α here."""
    assert_same_path(thetas(momentum(0.1, 0.9)), thetas(optax.sgd(0.01, momentum=0.9)))


def test_with_beta_0_it_is_gradient_descent():
    assert_same_path(thetas(momentum(0.1, 0.0)), thetas(optax.sgd(0.1)))


def test_can_be_used_in_an_optax_chain():
    chained = optax.chain(optax.scale(2.0), momentum(0.1))
    assert_same_path(thetas(chained), thetas(momentum(0.2)))


def test_oscillations_cancel_and_constant_gradients_add_up():
    optimizer = momentum(1.0, beta1=0.9)
    state = optimizer.init(jnp.zeros(2))
    for t in range(100):
        updates, state = optimizer.update(jnp.array([(-1.0) ** t, 1.0]), state)
    swinging, staying = updates
    assert float(swinging) == pytest.approx(0.1 / 1.9, abs=1e-4)  # v = −0.9 v + 0.1
    assert float(staying) == pytest.approx(-1, abs=1e-4)
