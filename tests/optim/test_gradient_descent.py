"""Tests of chainrule/optim/gradient_descent.py."""

import jax.numpy as jnp
import numpy as np
import optax

from chainrule.optim.gradient_descent import gradient_descent
from tests.optim.first_steps import assert_same_path, thetas, thetas_by_equations


def test_by_hand():
    optimizer = gradient_descent(0.1)
    updates, _ = optimizer.update(jnp.array([2.0, -3.0]), optimizer.init(jnp.zeros(2)))
    np.testing.assert_allclose(updates, [-0.2, 0.3], rtol=1e-15)


def test_first_steps_match_the_equation():
    path = thetas_by_equations(lambda t, d, *averages: (-0.1 * d, *averages))
    assert_same_path(thetas(gradient_descent(0.1)), path)


def test_first_steps_match_optax():
    assert_same_path(thetas(gradient_descent(0.1)), thetas(optax.sgd(0.1)))


def test_can_be_used_in_an_optax_chain():
    chained = optax.chain(optax.scale(2.0), gradient_descent(0.1))
    assert_same_path(thetas(chained), thetas(gradient_descent(0.2)))


def test_update_does_not_need_the_parameters():
    optimizer = gradient_descent(jnp.asarray(0.5))
    state = optimizer.init(jnp.zeros(2))
    updates, after = optimizer.update(jnp.ones(2), state)
    np.testing.assert_array_equal(updates, [-0.5, -0.5])
    assert int(after.t) == 1
