"""Tests of chainrule/optim/transforms.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.minimize import minimize
from chainrule.optim.momentum import momentum
from chainrule.optim.optimizer import current_learning_rate, with_learning_rate
from chainrule.optim.rmsprop import rmsprop
from chainrule.optim.schedules import exponential_decay
from chainrule.optim.transforms import clip_by_norm, layerwise
from tests.compilations import compilations
from tests.optim.first_steps import THETA, thetas

ALL = {
    "gradient_descent": gradient_descent(0.1),
    "momentum": momentum(0.1),
    "rmsprop": rmsprop(0.1),
    "adam": adam(0.1),
    "clipped": clip_by_norm(adam(0.1), 2.5),
    "decayed": momentum(exponential_decay(0.1, 0.5)),
}


def test_by_hand():
    theta = {"W": jnp.array(2.0), "b": jnp.array(3.0)}
    optimizer = layerwise(gradient_descent(0.5), {"W": 0.1, "b": 1.0})
    updates, _ = optimizer.update(theta, optimizer.init(theta), theta)
    assert {name: float(u) for name, u in updates.items()} == pytest.approx({"W": -0.1, "b": -1.5})


@pytest.mark.parametrize("name", ALL)
def test_factor_1_is_exact_and_factor_0_changes_nothing(name):
    plain = thetas(ALL[name])
    for one, same in zip(thetas(layerwise(ALL[name], {"W": 1.0, "b": 1})), plain, strict=True):
        np.testing.assert_array_equal(one["W"], same["W"])
        np.testing.assert_array_equal(one["b"], same["b"])
    for one, same in zip(thetas(layerwise(ALL[name], {"W": 0.0, "b": 1})), plain, strict=True):
        np.testing.assert_array_equal(one["W"], THETA["W"])
        np.testing.assert_array_equal(one["b"], same["b"])


@pytest.mark.parametrize("rule", [gradient_descent, momentum, rmsprop, adam])
def test_a_factor_scales_the_learning_rate(rule):
    """Compare each array with an optimiser of its own rate; the gradients do not depend on θ."""
    mixed = thetas(layerwise(rule(0.1), {"W": 0.25, "b": 2.0}))
    slow, fast = thetas(rule(0.025)), thetas(rule(0.2))
    for one, w, b in zip(mixed, slow, fast, strict=True):
        np.testing.assert_allclose(one["W"], w["W"], rtol=1e-12)
        np.testing.assert_allclose(one["b"], b["b"], rtol=1e-12)


def test_other_rates_and_factors_do_not_recompile():
    def bowl(theta):
        return (theta["W"] ** 2).sum() + (theta["b"] ** 2).sum()

    start = {"W": jnp.ones(2), "b": jnp.ones(1)}
    minimize(bowl, start, layerwise(gradient_descent(0.1), {"W": 1.0, "b": 0.1}), 3)
    with compilations() as compiled:
        optimizer = layerwise(gradient_descent(0.2), {"W": 0.0, "b": 0.5})
        theta, _ = minimize(bowl, start, optimizer, 3)
    assert compiled == []
    np.testing.assert_array_equal(theta["W"], start["W"])
    np.testing.assert_allclose(theta["b"], 0.8**3)  # b − 0.5 · 0.2 · 2b, three times


def test_the_wrapped_learning_rate_can_be_read_and_changed():
    optimizer = layerwise(adam(0.1), {"W": 1.0, "b": 0.1})
    state = optimizer.init(THETA)
    assert float(current_learning_rate(state)) == 0.1
    changed = with_learning_rate(state, 0.01)
    assert float(current_learning_rate(changed)) == 0.01
    np.testing.assert_array_equal(changed.factors["b"], 0.1)


@pytest.mark.usefixtures("float32_world")
def test_float32_stays_float32():
    theta = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), THETA)
    optimizer = layerwise(adam(0.1), {"W": 1.0, "b": 0.1})
    updates, state = optimizer.update(theta, optimizer.init(theta), theta)
    dtypes = {leaf.dtype for leaf in jax.tree.leaves((updates, state.factors))}
    assert dtypes == {np.dtype(np.float32)}


# Errors


@pytest.mark.parametrize("factor", [-1.0, np.inf, np.nan])
def test_refuses_negative_factors(factor):
    with pytest.raises(OptionError) as error:
        layerwise(adam(), {"W": factor})
    assert str(error.value) == (
        f"layerwise(factors=…): expected a number of at least 0; got {factor:g}.\n"
        "Try 1, or 0.1 for arrays that change less."
    )


def test_refuses_a_wrong_number_of_factors():
    with pytest.raises(OptionError) as error:
        layerwise(adam(), {"W": 1.0}).init(THETA)
    assert str(error.value) == (
        "layerwise(factors=…): expected a number for each of the 2 arrays of θ; got 1.\n"
        "Try starting from jax.tree.map(lambda p: 1.0, theta) and changing its values."
    )
