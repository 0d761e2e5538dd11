"""Tests of chainrule/blocks/activations.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.activations import (
    identity,
    leaky_relu,
    leaky_relu_backward,
    leaky_relu_forward,
    relu,
    relu6,
    relu6_backward,
    relu6_forward,
    sigmoid,
    sigmoid_backward,
    sigmoid_forward,
    softmax,
    softmax_backward,
    softmax_forward,
    tanh,
)
from tests.gradients import assert_gradients

TWINS = {
    sigmoid: lambda Z: 1 / (1 + jnp.exp(-Z)),
    tanh: lambda Z: (jnp.exp(Z) - jnp.exp(-Z)) / (jnp.exp(Z) + jnp.exp(-Z)),
    relu: lambda Z: jnp.maximum(0, Z),
    relu6: lambda Z: jnp.minimum(jnp.maximum(0, Z), 6),
    leaky_relu: lambda Z: jnp.maximum(0.01 * Z, Z),
    identity: lambda Z: 1.0 * Z,
}
ACTIVATIONS = [*TWINS, softmax]


def name(block):
    return block.__name__


# By hand


def test_sigmoid_by_hand():
    log_3 = np.log(3.0)
    A, cache = sigmoid_forward(np.array([[-log_3, 0.0, log_3]]))
    np.testing.assert_allclose(A, [[0.25, 0.5, 0.75]])
    np.testing.assert_allclose(sigmoid_backward(jnp.ones((1, 3)), cache), [[0.1875, 0.25, 0.1875]])


def test_tanh_by_hand():
    slope = jax.grad(tanh)
    assert tanh(0.0) == 0
    assert slope(0.0) == 1
    np.testing.assert_allclose(tanh(np.log(2.0)), 0.6)  # (2 − 1/2) / (2 + 1/2)
    np.testing.assert_allclose(slope(np.log(2.0)), 0.64)


def test_leaky_relu_by_hand():
    A, cache = leaky_relu_forward(np.array([[-2.0, 3.0]]), 0.5)
    np.testing.assert_array_equal(A, [[-1.0, 3.0]])
    np.testing.assert_array_equal(
        leaky_relu_backward(np.array([[10.0, 10.0]]), cache), [[5.0, 10.0]]
    )
    np.testing.assert_allclose(leaky_relu(-2.0), -0.02)  # the notes' slope


def test_relu6_by_hand():
    A, cache = relu6_forward(np.array([[-2.0, 3.0, 6.0, 7.0]]))
    np.testing.assert_array_equal(A, [[0.0, 3.0, 6.0, 6.0]])
    np.testing.assert_array_equal(relu6_backward(np.full((1, 4), 10.0), cache), [[0, 10, 0, 0]])
    assert (relu6(6.0), jax.grad(relu6)(6.0)) == (6, 0)  # the upper kink


def test_softmax_by_hand():
    A, cache = softmax_forward(np.log([[1.0], [2.0], [5.0]]))
    np.testing.assert_allclose(A, [[0.125], [0.25], [0.625]])
    dZ = softmax_backward(np.array([[8.0], [0.0], [0.0]]), cache)
    np.testing.assert_allclose(dZ, [[0.875], [-0.25], [-0.625]])  # A (dA − 1)


@pytest.mark.parametrize(
    ("block", "slope"), [(relu, 0.0), (relu6, 0.0), (leaky_relu, 0.01), (identity, 1.0)]
)
def test_slope_at_the_kink(block, slope):
    assert block(0.0) == 0
    assert jax.grad(block)(0.0) == slope


def test_softmax_of_a_number_is_one():
    A, cache = softmax_forward(2.0)
    assert A.shape == ()
    assert A == 1
    assert softmax_backward(3.0, cache) == 0


# Gradients


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_gradients(getkey, block):
    Z = 5 * jax.random.normal(getkey(), (3, 4))  # some of it above the 6 of relu6
    assert_gradients(block, TWINS[block], Z, key=getkey())


@pytest.mark.parametrize(("shape", "axis"), [((3, 4), 0), ((2, 2, 1, 3), -1)])
def test_gradients_of_softmax(getkey, shape, axis):
    def twin(Z, *, axis):
        return jnp.exp(Z) / jnp.exp(Z).sum(axis=axis, keepdims=True)

    Z = jax.random.normal(getkey(), shape)
    assert_gradients(softmax, twin, Z, key=getkey(), axis=axis)


def test_the_slope_of_leaky_relu_gets_no_gradient():
    gradients = jax.grad(leaky_relu, argnums=(0, 1))(-3.0, 0.2)
    np.testing.assert_allclose(gradients, (0.2, 0.0))


# Properties


@jax.jit
def all_at_once(Z):
    return {block.__name__: block(Z) for block in ACTIVATIONS}


entries = st.floats(-30, 30, allow_subnormal=False)  # XLA takes those for 0


@settings(max_examples=50, deadline=None)
@given(Z=arrays(float, (3, 4), elements=entries), order=st.permutations(range(4)))
def test_examples_are_independent_and_each_law_holds(Z, order):
    A, mixed = all_at_once(Z), all_at_once(Z[:, order])
    for block in A:
        np.testing.assert_array_equal(mixed[block], A[block][:, order])
    np.testing.assert_allclose(A["sigmoid"], (1 + np.tanh(Z / 2)) / 2, atol=1e-15)
    np.testing.assert_allclose(A["relu"] - all_at_once(-Z)["relu"], Z)
    np.testing.assert_array_equal(A["relu6"], np.minimum(A["relu"], 6))
    np.testing.assert_allclose(A["softmax"].sum(axis=0), np.ones(4))
    np.testing.assert_allclose(all_at_once(Z + 7)["softmax"], A["softmax"], atol=1e-12)


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_accepts_a_number_an_example_or_many(block):
    Z = np.array([[-1.5, 0.5], [2.0, 0.0]])
    A = block(Z)
    assert A.shape == (2, 2)
    np.testing.assert_array_equal(block(Z[:, :1]), A[:, :1])
    np.testing.assert_allclose(block(-1.5), A[0, 0])
    assert block(-1.5).shape == ()


@pytest.mark.usefixtures("float32_world")
def test_extremes_in_float32():
    Z = jnp.array([[-1e4, 1e4, 0.0], [1e4, 1e4, 1e4]])
    dA = jnp.ones_like(Z)

    @jax.jit
    def values_and_gradients(Z):
        pairs = {block.__name__: jax.vjp(block, Z) for block in ACTIVATIONS}
        return {block: (A, pull(dA)[0]) for block, (A, pull) in pairs.items()}

    results = values_and_gradients(Z)
    for block, pair in results.items():
        for array in pair:
            assert array.dtype == jnp.float32, block
            assert np.isfinite(array).all(), block
    np.testing.assert_array_equal(results["sigmoid"][0][0], [0.0, 1.0, 0.5])
    np.testing.assert_array_equal(results["softmax"][0][:, 0], [0.0, 1.0])


def test_vmap_is_a_loop():
    Z = np.linspace(-2, 2, 12).reshape(2, 3, 2)
    stacked = jax.vmap(all_at_once)(Z)
    for block in stacked:
        np.testing.assert_allclose(stacked[block][1], all_at_once(Z[1])[block], rtol=1e-12)
