"""Tests of chainrule/layers/sequential.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import tanh
from chainrule.errors import ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import Layer, named_arrays
from chainrule.layers.sequential import Sequential
from tests.layers.running_mean import RunningMean
from tests.layers.test_layer import Double

KEY = jax.random.key(0)
A_PREV = jnp.asarray(np.random.default_rng(0).standard_normal((3, 5)))


class Noise(Layer):
    """A layer that adds a random number in training."""

    def __call__(self, A_prev):
        return A_prev

    def train(self, A_prev, *, key, weights=None):
        return A_prev + jax.random.normal(key, A_prev.shape), self


def dense(n_prev, n_l):
    return Dense(n_prev, n_l, key=KEY, activation=tanh, dtype=float)


def test_one_after_the_other():
    first, last = dense(3, 4), dense(4, 2)
    A = Sequential([first, Double(), last])(A_PREV)
    np.testing.assert_array_equal(A, last(2 * first(A_PREV)))


def test_an_empty_sequence_is_the_identity():
    np.testing.assert_array_equal(Sequential([])(A_PREV), A_PREV)


def test_training_goes_through_every_layer_with_its_weights():
    model = Sequential([Double(), RunningMean(3), Sequential([RunningMean(3)])])
    weights = jnp.array([[1.0, 1.0, 0.0, 0.0, 0.0]])
    A, after = model.train(A_PREV, key=KEY, weights=weights)
    mean = 0.1 * 2 * A_PREV[:, :2].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(after.layers[1].mean, mean)
    inner = after.layers[2].mean
    np.testing.assert_allclose(A, 2 * A_PREV - mean - np.asarray(inner))
    assert jax.tree.structure(after) == jax.tree.structure(model)


def test_each_layer_has_its_own_key():
    one, _ = Sequential([Noise()]).train(A_PREV, key=KEY)
    two, _ = Sequential([Noise(), Noise()]).train(A_PREV, key=KEY)
    assert not np.allclose(two - A_PREV, 2 * (one - A_PREV))
    repeated, _ = Sequential([Noise(), Noise()]).train(A_PREV, key=KEY)
    np.testing.assert_array_equal(two, repeated)


def test_parts_include_the_layers_of_inner_sequences():
    first, second, third = dense(3, 3), Double(), dense(3, 3)
    assert Sequential([first, Sequential([second, third])]).parts() == (first, second, third)


# Errors


def messages(model, X):
    """Return the error messages of prediction and training, which should be the same."""
    for call in (model, lambda X: model.train(X, key=KEY)):
        with pytest.raises(ShapeError) as error:
            call(X)
        yield str(error.value)


def test_errors_name_the_layer_by_its_number():
    model = Sequential([dense(3, 4), Double(), dense(4, 128), dense(64, 10)])
    for message in messages(model, A_PREV):
        assert message == (
            "layer 3, Dense(64 -> 10): expected (64, m), one column per example; got (128, 5).\n"
            "Try checking the layer before it: its output should have 64 features per example."
        )


def test_batch_norm_and_dropout_do_not_count_in_errors():
    model = Sequential(
        [dense(3, 4), BatchNorm(4, dtype=float), Dropout(0.8), BatchNorm(5), dense(4, 1)]
    )
    for message in messages(model, A_PREV):
        assert message.startswith("layer 1, BatchNorm(5): expected (5, m), one column per example;")
    model = Sequential([dense(3, 4), Dropout(0.8), dense(5, 1)])
    for message in messages(model, A_PREV):
        assert message.startswith("layer 2, Dense(5 -> 1): expected (5, m), one column per exampl")


def test_each_part_gets_its_own_key():
    """The noise of each part is that of its own key, as in training."""
    model = Sequential([Noise(), dense(3, 3), Noise()])
    first, _, last = model.part_keys(KEY)
    A = A_PREV + jax.random.normal(first, A_PREV.shape)
    A = model.layers[1](A)
    A = A + jax.random.normal(last, A_PREV.shape)
    np.testing.assert_array_equal(model.train(A_PREV, key=KEY)[0], A)


def test_refuses_a_transposed_input():
    for message in messages(Sequential([dense(3, 4), dense(4, 1)]), A_PREV.T):
        assert message == (
            "layer 1, Dense(3 -> 4): expected (3, m), one column per example; got (5, 3).\n"
            "Try the transpose: it has 3 rows."
        )


def test_nested_sequences_are_flattened(getkey):
    inner = Sequential([Dense(3, 4, key=getkey()), Dense(4, 5, key=getkey())])
    outer = Sequential([Dense(2, 3, key=getkey()), inner, Dense(6, 1, key=getkey())])
    assert len(outer.layers) == 4
    assert list(named_arrays(outer))[-1] == "b4"
    with pytest.raises(ShapeError, match=r"^layer 4, Dense\(6 -> 1\)"):
        outer(jnp.ones((2, 5), jnp.float32))
