"""Tests of chainrule/optim/optimizer.py."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.momentum import momentum
from chainrule.optim.optimizer import (
    apply_updates,
    as_array,
    current_learning_rate,
    with_learning_rate,
    zeros_like,
)
from chainrule.optim.schedules import exponential_decay, piecewise_constant
from chainrule.optim.transforms import clip_by_norm
from tests.compilations import compilations

THETA = {"W": jnp.ones((2, 3)), "b": (jnp.zeros((2, 1)), None)}


def test_updates_are_added_leaf_by_leaf():
    new = apply_updates(THETA, jax.tree.map(lambda p: p + 1, THETA))
    np.testing.assert_array_equal(new["W"], np.full((2, 3), 3.0))
    np.testing.assert_array_equal(new["b"][0], np.ones((2, 1)))
    assert new["b"][1] is None  # the place of a buffer stays empty


@pytest.mark.parametrize("number", [0.1, np.float32(0.1), jnp.asarray(0.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hyperparameters_have_the_dtype_of_the_parameters(number, dtype):
    array = as_array(number, {"W": jnp.ones((2, 3), dtype)})
    assert (array.shape, array.dtype) == ((), dtype)
    assert float(array) == pytest.approx(0.1)


def test_zeros_like_compiles_nothing():
    with compilations() as compiled:
        zeros = zeros_like(THETA)
    assert compiled == []
    assert jax.tree.structure(zeros) == jax.tree.structure(THETA)
    for zero, p in zip(jax.tree.leaves(zeros), jax.tree.leaves(THETA), strict=True):
        np.testing.assert_array_equal(zero, np.zeros(p.shape))
        assert zero.dtype == p.dtype


def test_bfloat16_parameters_have_a_float32_state():
    theta = {"W": jnp.ones(2, jnp.bfloat16)}
    assert as_array(0.999, theta) == np.float32(0.999)  # in bfloat16 it would be 1
    assert zeros_like(theta)["W"].dtype == np.float32
    assert apply_updates(theta, {"W": jnp.ones(2, np.float32)})["W"].dtype == jnp.bfloat16


# The learning rate in a state

HOLDERS = {
    "gradient descent": gradient_descent(0.1),
    "adam": adam(0.1),
    "clipped": clip_by_norm(momentum(0.1), 1.0),
    "decayed": adam(exponential_decay(0.1, 0.5, 1)),
    "by hand, clipped": clip_by_norm(adam(piecewise_constant([(0, 0.1), (1, 0.05)])), 1.0),
    "in a chain": optax.chain(optax.add_decayed_weights(0.1), clip_by_norm(adam(0.1), 1.0)),
    "of optax": optax.inject_hyperparams(optax.adamw)(learning_rate=0.1),
    "deep inside": clip_by_norm(optax.inject_hyperparams(optax.sgd)(0.1), 1.0),
}
each_holder = pytest.mark.parametrize("optimizer", HOLDERS.values(), ids=HOLDERS.keys())


@each_holder
def test_the_learning_rate_in_a_state_can_be_replaced(optimizer):
    theta, gradients = jnp.ones(2), jnp.array([0.3, -0.4])
    update = jax.jit(optimizer.update)
    with jax.numpy_dtype_promotion("standard"):
        _, before = update(gradients, optimizer.init(theta), theta)
        with compilations() as compiled:
            now = with_learning_rate(before, 0.2)
            one, _ = update(gradients, before, theta)
            two, _ = update(gradients, now, theta)
    assert compiled == []
    np.testing.assert_allclose(two, 2 * one, rtol=1e-12)
    assert jax.tree.structure(now) == jax.tree.structure(before)
    for new, old in zip(jax.tree.leaves(now), jax.tree.leaves(before), strict=True):
        assert (new.shape, new.dtype) == (old.shape, old.dtype)


@each_holder
def test_the_learning_rate_of_a_state_can_be_read(optimizer):
    state = optimizer.init(jnp.zeros(2))
    assert float(current_learning_rate(state)) == pytest.approx(0.1)
    assert float(current_learning_rate(with_learning_rate(state, 0.3))) == pytest.approx(0.3)


def test_a_schedule_continues_from_a_replaced_learning_rate():
    optimizer, theta = gradient_descent(exponential_decay(0.1, 0.5)), jnp.ones(2)
    state, seen = optimizer.init(theta), []
    for t in range(4):
        if t == 2:
            state = with_learning_rate(state, 0.8)
        seen.append(float(current_learning_rate(state)))
        _, state = optimizer.update(theta, state)
    assert seen == pytest.approx([0.1, 0.05, 0.2, 0.1])


def test_several_learning_rates_are_all_replaced():
    optimizer = optax.multi_transform({"W": adam(0.1), "b": momentum(0.2)}, {"W": "W", "b": "b"})
    state = optimizer.init({"W": jnp.ones(2), "b": jnp.ones(1)})
    assert float(current_learning_rate(state)) == pytest.approx(0.1)
    state = with_learning_rate(state, 0.3)
    inner = [masked.inner_state for masked in state.inner_states.values()]
    assert [float(part.learning_rate) for part in inner] == pytest.approx([0.3, 0.3])


def test_a_parameter_named_learning_rate_is_not_replaced():
    theta = {"learning_rate": jnp.ones(2), "hyperparams": {"learning_rate": jnp.ones(1)}}
    state = with_learning_rate(adam(0.1).init(theta), 0.3)
    np.testing.assert_array_equal(state.V["learning_rate"], np.zeros(2))
    np.testing.assert_array_equal(state.V["hyperparams"]["learning_rate"], np.zeros(1))


def test_stacked_states():
    rates = jnp.array([0.1, 0.2])
    states = jax.vmap(lambda rate: adam(exponential_decay(rate)).init(jnp.zeros(2)))(rates)
    np.testing.assert_allclose(current_learning_rate(states), rates)
    changed = with_learning_rate(states, np.array([0.3, 0.4]))
    np.testing.assert_allclose(current_learning_rate(changed), [0.3, 0.4])


# Errors


@pytest.mark.parametrize(
    ("of", "ask"),
    [
        ("with_learning_rate(…)", lambda state: with_learning_rate(state, 0.1)),
        ("current_learning_rate(…)", current_learning_rate),
    ],
)
@pytest.mark.parametrize("optimizer", [optax.adam(0.1), optax.scale(0.1)], ids=["adam", "scale"])
def test_refuses_a_state_without_a_learning_rate(of, ask, optimizer):
    state = optimizer.init(jnp.zeros(2))
    with pytest.raises(OptionError) as error:
        ask(state)
    assert str(error.value) == (
        f"{of}: expected a state that contains a learning rate; got a {type(state).__name__} "
        "without one.\n"
        "Try adam(0.001), or optax.inject_hyperparams(optax.adamw)(learning_rate=0.001)."
    )


def test_refuses_to_change_an_optax_schedule():
    optimizer = optax.inject_hyperparams(optax.sgd)(optax.exponential_decay(0.1, 1, 0.5))
    with pytest.raises(OptionError) as error:
        with_learning_rate(optimizer.init(jnp.zeros(2)), 0.1)
    assert str(error.value) == (
        "with_learning_rate(…): "
        "expected a learning rate stored in the state; got an optax schedule, "
        "which is a function.\nTry a schedule of chainrule.optim.schedules."
    )


@pytest.mark.parametrize("rate", [0, -1.0, np.nan, np.inf, "fast"])
def test_refuses_an_invalid_learning_rate(rate):
    with pytest.raises(OptionError) as error:
        with_learning_rate(adam(0.1).init(jnp.zeros(2)), rate)
    assert str(error.value) == (
        f"with_learning_rate(…): expected a number greater than 0; got {rate!r}.\nTry 0.001."
    )
