"""Tests of chainrule/layers/dense.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu, tanh
from chainrule.errors import ShapeError
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import xavier, zeros

KEY = jax.random.key(0)
LAYER = Dense(3, 2, key=KEY, activation=relu, dtype=float)


def test_an_example_by_hand():
    layer = Dense(2, 1, key=KEY, activation=relu, initializer=zeros, dtype=float)
    layer = jax.tree.unflatten(
        jax.tree.structure(layer), [jnp.array([[1.0, 10.0]]), jnp.array([[0.5]])]
    )
    A_prev = jnp.array([[1.0, 2.0], [3.0, -4.0]])  # two features, two examples
    np.testing.assert_array_equal(layer(A_prev), [[31.5, 0.0]])  # Z is 31.5 and −37.5


def test_the_formula():
    layer = Dense(3, 2, key=KEY, activation=tanh, dtype=float)
    A_prev = np.random.default_rng(0).standard_normal((3, 5))
    np.testing.assert_allclose(
        layer(jnp.asarray(A_prev)), np.tanh(np.asarray(layer.W) @ A_prev + np.asarray(layer.b))
    )


def test_initial_parameters():
    layer = Dense(3, 2, key=KEY, initializer=xavier, dtype=float)
    np.testing.assert_array_equal(layer.W, xavier(KEY, (2, 3), float))
    np.testing.assert_array_equal(layer.b, np.zeros((2, 1)))


def test_without_bias_there_is_no_b():
    layer = Dense(3, 2, key=KEY, bias=False, dtype=float)
    assert layer.b is None
    A_prev = jnp.ones((3, 4))
    np.testing.assert_allclose(layer(A_prev), np.asarray(layer.W) @ np.ones((3, 4)))
    assert jax.grad(lambda layer: layer(A_prev).sum())(layer).b is None


def test_is_linear_and_float32_by_default():
    layer = Dense(3, 2, key=KEY)
    assert layer.W.dtype == layer.b.dtype == jnp.float32
    A_prev = jnp.full((3, 1), -1.0, jnp.float32)
    np.testing.assert_allclose(layer(A_prev), np.asarray(layer.W) @ -np.ones((3, 1)), rtol=1e-6)


# Errors


def test_refuses_examples_as_rows():
    with pytest.raises(ShapeError) as error:
        LAYER(jnp.ones((5, 3)))
    assert str(error.value) == (
        "Dense(3 -> 2): expected (3, m), one column per example; got (5, 3).\n"
        "Try the transpose: it has 3 rows."
    )


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 3, 4)])
def test_refuses_every_other_shape(shape):
    with pytest.raises(ShapeError) as error:
        LAYER(jnp.ones(shape))
    assert str(error.value) == (
        f"Dense(3 -> 2): expected (3, m), one column per example; got {shape}.\n"
        "Try checking the layer before it: its output should have 3 features per example."
    )
