"""Tests of chainrule/optim/rmsprop.py."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.optim.rmsprop import rmsprop
from tests.optim.first_steps import assert_same_path, thetas, thetas_by_equations


def test_two_steps_by_hand():
    optimizer = rmsprop(0.1, beta2=0.75, epsilon=1.0)
    state = optimizer.init(jnp.array(0.0))
    # S = 0.25 · 4² = 4, update −0.1 · 4 / (2 + 1); then S = 0.75 · 4 + 0.25 · 2² = 4
    for gradient, update in [(4.0, -0.4 / 3), (2.0, -0.2 / 3)]:
        got, state = optimizer.update(jnp.array(gradient), state)
        assert float(state.S) == 4.0
        assert float(got) == pytest.approx(update)
    assert int(state.t) == 2


def test_first_steps_match_the_equations():
    def by_equations(alpha=0.001, beta2=0.9, epsilon=1e-8):
        def step(t, d, S, unused):
            S = beta2 * S + (1 - beta2) * d**2
            return -alpha * d / (np.sqrt(S) + epsilon), S, unused

        return thetas_by_equations(step)

    assert_same_path(thetas(rmsprop()), by_equations())
    assert_same_path(thetas(rmsprop(0.1, 0.8, 0.1)), by_equations(0.1, 0.8, 0.1))


def test_first_steps_match_optax():
    theirs = optax.rmsprop(0.1, decay=0.8, eps=0.1, eps_in_sqrt=False)
    assert_same_path(thetas(rmsprop(0.1, 0.8, 0.1)), thetas(theirs))


def test_can_be_used_in_an_optax_chain():
    chained = optax.chain(rmsprop(0.1), optax.scale(2.0))
    assert_same_path(thetas(chained), thetas(rmsprop(0.2)))


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_the_first_step_does_not_depend_on_the_scale(scale):
    """The first step is α / √(1 − β2), however large the gradient is."""
    optimizer = rmsprop(0.01, beta2=0.75)
    updates, _ = optimizer.update(scale * jnp.array([3.0, -4.0]), optimizer.init(jnp.zeros(2)))
    np.testing.assert_allclose(updates, [-0.02, 0.02], rtol=0.01)


def test_a_zero_gradient_changes_nothing():
    optimizer = rmsprop()
    updates, _ = optimizer.update(jnp.zeros(2), optimizer.init(jnp.ones(2)))
    np.testing.assert_array_equal(updates, np.zeros(2))
