"""Tests of chainrule/blocks/block.py."""

import pickle
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import leaky_relu, relu, softmax
from chainrule.blocks.block import as_block
from chainrule.blocks.costs import logistic_cost
from chainrule.blocks.linear import linear

X = np.array([[1.0, -2.0, 3.0]])


class ScaledCache(NamedTuple):
    """A cache with a value that is not an array."""

    times: int


def scaled_forward(X, offset=None, *, times=1):
    return (X * times if offset is None else X * times + offset), ScaledCache(times)


def scaled_backward(dY, cache):
    return dY * cache.times


def test_the_derivative_is_the_backward_function():
    wrong = as_block(scaled_forward, lambda dY, cache: -100 * dY)
    np.testing.assert_array_equal(jax.grad(lambda X: wrong(X).sum())(X), np.full((1, 3), -100.0))


def test_a_setting_reaches_forward_and_backward():
    scaled = as_block(scaled_forward, scaled_backward)
    np.testing.assert_array_equal(scaled(X, times=3), 3 * X)
    np.testing.assert_array_equal(jax.grad(lambda X: scaled(X, times=3).sum())(X), [[3.0] * 3])


def test_an_input_may_be_passed_by_name():
    scaled = as_block(scaled_forward, scaled_backward)
    offset = jnp.ones((1, 3))
    np.testing.assert_array_equal(scaled(X, offset=offset, times=2), 2 * X + 1)
    np.testing.assert_array_equal(leaky_relu(X, slope=jnp.asarray(0.5)), [[1.0, -1.0, 3.0]])


def test_inputs_beyond_the_gradients_get_none():
    scaled = as_block(scaled_forward, scaled_backward)
    dX, d_offset = jax.grad(lambda *inputs: scaled(*inputs).sum(), argnums=(0, 1))(X, X)
    np.testing.assert_array_equal(dX, np.ones((1, 3)))
    np.testing.assert_array_equal(d_offset, np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("backward", "wanted"),
    [
        (lambda dY, cache: 5 * dY, (5.0, 0.0)),
        (lambda dY, cache: (5 * dY,), (5.0, 0.0)),
        (lambda dY, cache: (5 * dY, 7 * dY), (5.0, 7.0)),
    ],
)
def test_one_gradient_or_a_tuple_of_them(backward, wanted):
    block = as_block(scaled_forward, backward)
    gradients = jax.grad(lambda *inputs: block(*inputs).sum(), argnums=(0, 1))(X, X)
    assert tuple(float(gradient[0, 0]) for gradient in gradients) == wanted


def test_each_set_of_settings_has_one_function(monkeypatch):
    made = []
    custom_vjp = jax.custom_vjp
    monkeypatch.setattr(jax, "custom_vjp", lambda f: made.append(f) or custom_vjp(f))
    scaled = as_block(scaled_forward, scaled_backward)
    for times in (1, 2, 2, 1, 2):
        scaled(X, times=times)
        scaled(X, times=times, offset=X)
    assert len(made) == 2


def test_a_second_call_does_not_trace_again():
    traced = []

    def counted_forward(X, *, times=1):
        traced.append(times)
        return scaled_forward(X, times=times)

    counted = as_block(counted_forward, scaled_backward)
    step = jax.jit(jax.value_and_grad(lambda X: counted(X, times=2).sum()))
    step(X)
    first = len(traced)
    step(2 * X)
    assert len(traced) == first > 0


def test_a_number_to_search_over_is_an_input(monkeypatch):
    made = []
    custom_vjp = jax.custom_vjp
    monkeypatch.setattr(jax, "custom_vjp", lambda f: made.append(f) or custom_vjp(f))
    block = as_block(scaled_forward, scaled_backward)
    for offset in (0.1, 0.2, 0.3):
        block(X, offset=jnp.full((1, 3), offset))
    assert len(made) == 1


@pytest.mark.parametrize("block", [relu, leaky_relu, softmax, linear, logistic_cost])
def test_pickles_by_name(block):
    assert pickle.loads(pickle.dumps(block)) is block


def test_keeps_its_name_and_docstring():
    assert softmax.__name__ == softmax.__qualname__ == "softmax"
    assert softmax.__module__ == "chainrule.blocks.activations"
    assert softmax.__doc__.startswith("A = e^Z / Σ e^Z")


def test_refuses_a_missing_input():
    with pytest.raises(TypeError, match="missing a required argument: 'b'"):
        linear(X, X)
