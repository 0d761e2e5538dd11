"""Tests of chainrule/optim/adam.py."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.optim.adam import adam
from tests.optim.first_steps import assert_same_path, thetas, thetas_by_equations


def test_two_steps_by_hand():
    optimizer = adam(0.1, beta1=0.5, beta2=0.75, epsilon=1.0)
    state = optimizer.init(jnp.array(0.0))
    # t = 1: V = 1, S = 1; corrected 1 / 0.5 = 2 and 1 / 0.25 = 4; update −0.1 · 2 / (2 + 1)
    update, state = optimizer.update(jnp.array(2.0), state)
    assert float(update) == pytest.approx(-0.2 / 3)
    # t = 2: V = 0.5, S = 0.75; corrected 0.5 / 0.75 and 0.75 / 0.4375
    update, state = optimizer.update(jnp.array(0.0), state)
    assert float(update) == pytest.approx(-0.1 * (2 / 3) / (np.sqrt(12 / 7) + 1))
    assert int(state.t) == 2
    assert (float(state.V), float(state.S)) == (0.5, 0.75)


def by_equations(alpha=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8):
    def step(t, d, V, S):
        V, S = beta1 * V + (1 - beta1) * d, beta2 * S + (1 - beta2) * d**2
        V_corrected, S_corrected = V / (1 - beta1**t), S / (1 - beta2**t)
        return -alpha * V_corrected / (np.sqrt(S_corrected) + epsilon), V, S

    return thetas_by_equations(step)


def test_first_steps_match_the_equations():
    assert_same_path(thetas(adam()), by_equations())
    assert_same_path(thetas(adam(0.1, 0.8, 0.9, 0.1)), by_equations(0.1, 0.8, 0.9, 0.1))


def test_first_steps_match_optax():
    assert_same_path(thetas(adam()), thetas(optax.adam(0.001)))
    assert_same_path(thetas(adam(0.1, 0.8, 0.9, 0.1)), thetas(optax.adam(0.1, 0.8, 0.9, 0.1)))


def test_can_be_used_in_an_optax_chain():
    chained = optax.chain(optax.clip_by_global_norm(1e9), adam(0.1), optax.scale(2.0))
    assert_same_path(thetas(chained), thetas(adam(0.2)))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_first_step_is_as_long_as_the_learning_rate(scale):
    optimizer = adam(0.01)
    gradients = scale * jnp.array([3.0, -4.0])
    updates, _ = optimizer.update(gradients, optimizer.init(jnp.zeros(2)))
    np.testing.assert_allclose(updates, [-0.01, 0.01], rtol=0.01)


def test_a_zero_gradient_changes_nothing():
    optimizer = adam()
    updates, _ = optimizer.update(jnp.zeros(2), optimizer.init(jnp.ones(2)))
    np.testing.assert_array_equal(updates, np.zeros(2))


def test_many_learning_rates_at_once():
    def two_steps(rate):
        optimizer = adam(rate)
        theta, state = jnp.array([1.0, -2.0]), optimizer.init(jnp.zeros(2))
        for _ in range(2):
            updates, state = optimizer.update(theta, state)
            theta = theta + updates
        return theta

    rates = jnp.array([0.1, 0.2, 0.3])
    one_by_one = [two_steps(float(rate)) for rate in rates]
    np.testing.assert_allclose(jax.vmap(two_steps)(rates), one_by_one, rtol=1e-12)
