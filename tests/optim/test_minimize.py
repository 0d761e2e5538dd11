"""Tests of chainrule/optim/minimize.py."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.minimize import minimize
from tests.compilations import compilations


def J(w):
    """Return the notes' cost, (w − 5)²."""
    return w**2 - 10 * w + 25


def bowl(theta):
    """Return a cost whose minimum is at W = 1 and b = 2."""
    return ((theta["W"] - 1) ** 2).sum() + (theta["b"] - 2) ** 2


def test_the_notes_example_after_one_and_a_thousand_steps():
    w, costs = minimize(J, 0.0, gradient_descent(0.01), 1)
    assert float(w) == pytest.approx(0.1)  # the notes: 0.1 after one step
    assert costs.tolist() == [25.0]
    w, costs = minimize(J, 0.0, gradient_descent(0.01), 1000)
    assert float(w) == pytest.approx(5.0, abs=1e-5)  # the notes: 4.99999
    assert costs.shape == (1000,)
    w_by_hand = 5 * (1 - 0.98 ** np.arange(1000))  # the distance to 5 shrinks by 2 % a step
    np.testing.assert_allclose(costs, (w_by_hand - 5) ** 2, atol=1e-12)


@pytest.mark.parametrize("start", [0, 0.0, np.float32(0), jnp.array([0.0, 1.0])])
def test_from_a_number_or_an_array(start):
    w, _ = minimize(lambda w: J(w).sum(), start, gradient_descent(0.1), 200)
    np.testing.assert_allclose(w, np.full(np.shape(start), 5.0), atol=1e-5)
    dtype = jnp.float32 if isinstance(start, np.float32) else jnp.float64
    assert w.dtype == dtype


@pytest.mark.parametrize("optimizer", [adam(0.1), optax.sgd(0.1)], ids=["adam", "optax"])
def test_any_pytree_with_any_optimiser(optimizer):
    start = {"W": jnp.zeros((2, 3)), "b": 0.0}
    theta, costs = minimize(bowl, start, optimizer, 400)
    assert float(costs[0]) == 10.0
    np.testing.assert_allclose(theta["W"], np.ones((2, 3)), atol=1e-3)
    assert float(theta["b"]) == pytest.approx(2.0, abs=1e-3)
    np.testing.assert_array_equal(start["W"], np.zeros((2, 3)))


def test_another_learning_rate_or_start_does_not_recompile():
    minimize(J, 0.0, gradient_descent(0.01), 1000)
    with compilations() as compiled:
        minimize(J, 3.0, gradient_descent(0.02), 1000)
    assert compiled == []


# Errors


def test_refuses_a_cost_that_is_not_one_number():
    with pytest.raises(OptionError) as error:
        minimize(J, jnp.zeros((2, 3)), gradient_descent(0.1), 10)
    assert str(error.value) == (
        "minimize(J, …): expected a cost that returns one number; got an output of shape (2, 3).\n"
        "Try a mean or a sum over the examples."
    )


def test_refuses_a_cost_that_is_a_tuple():
    with pytest.raises(OptionError, match="expected a cost that returns one number; got an output"):
        minimize(lambda w: (w, w), 0.0, gradient_descent(0.1), 10)


@pytest.mark.parametrize("iterations", [0, -5])
def test_refuses_less_than_one_step(iterations):
    with pytest.raises(OptionError) as error:
        minimize(J, 0.0, gradient_descent(0.1), iterations)
    assert str(error.value) == (
        f"minimize(iterations=…): expected a whole number of at least 1; "
        f"got {iterations}.\nTry 1000."
    )


@pytest.mark.parametrize("theta", [{}, (), None, np.zeros(0), {"W": np.zeros((0, 3))}])
def test_refuses_an_empty_theta(theta):
    with pytest.raises(OptionError) as error:
        minimize(bowl, theta, gradient_descent(0.1), 10)
    assert str(error.value) == (
        "minimize(theta=…): expected at least one number; got none.\n"
        "Try 0.0, jnp.zeros(3), or a dictionary of arrays."
    )


@pytest.mark.parametrize(
    ("theta", "got"),
    [
        (1 + 2j, "an array of complex128"),
        ({"W": np.ones(2), "b": jnp.ones(2, jnp.complex64)}, "an array of complex64"),
        ("start", "'start'"),
        (True, "an array of bool"),
    ],
)
def test_refuses_parameters_that_are_not_real_numbers(theta, got):
    with pytest.raises(OptionError) as error:
        minimize(bowl, theta, gradient_descent(0.1), 10)
    assert str(error.value) == (
        f"minimize(theta=…): expected real numbers; got {got}.\n"
        "Try 0.0, jnp.zeros(3), or a dictionary of arrays."
    )


def test_works_with_default_jax_settings(float32_world):
    w, costs = minimize(J, 0.0, adam(0.1), 300)
    assert w.dtype == costs.dtype == jax.numpy.float32
    assert float(w) == pytest.approx(5.0, abs=1e-2)
