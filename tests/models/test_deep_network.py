"""Tests of chainrule/models/deep_network.py."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, leaky_relu, relu, sigmoid, tanh
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.initializers import he, small, xavier
from chainrule.layers.layer import count_parameters, named_arrays, replace_arrays
from chainrule.models.deep_network import ACTIVATIONS, DeepNetwork, recommended_initializer

KEY = jax.random.key(0)
W1, b1 = np.array([[1.0, 2.0], [-1.0, 1.0]]), np.array([[0.0], [1.0]])
W2, b2 = np.array([[1.0, -1.0]]), np.array([[0.5]])


def test_a_network_by_hand():
    network = DeepNetwork.from_weights([(W1, b1), (W2, b2)])
    X = jnp.array([[1.0, 1.0], [0.0, -1.0]])  # two examples
    # Z1 = [[1, −1], [0, −1]], A1 = [[1, 0], [0, 0]], and no activation behind the last layer
    np.testing.assert_array_equal(network(X), [[1.5, 0.5]])
    np.testing.assert_array_equal(network.train(X, key=KEY)[0], network(X))


def test_the_formula_of_three_layers():
    network = DeepNetwork((3, 5, 4, 2), activation="tanh", key=KEY, dtype=float)
    X = np.random.default_rng(0).standard_normal((3, 6))
    a = {name: np.asarray(array) for name, array in named_arrays(network).items()}
    A1 = np.tanh(a["W1"] @ X + a["b1"])
    A2 = np.tanh(a["W2"] @ A1 + a["b2"])
    np.testing.assert_allclose(network(jnp.asarray(X)), a["W3"] @ A2 + a["b3"], rtol=1e-12)


def test_shapes_match_the_notes():
    network = DeepNetwork((12288, 20, 7, 5, 1), key=KEY)
    assert {name: array.shape for name, array in named_arrays(network).items()} == {
        **{"W1": (20, 12288), "b1": (20, 1), "W2": (7, 20), "b2": (7, 1)},
        **{"W3": (5, 7), "b3": (5, 1), "W4": (1, 5), "b4": (1, 1)},
    }
    assert count_parameters(network) == 12288 * 20 + 20 + 20 * 7 + 7 + 7 * 5 + 5 + 5 + 1
    assert network.sizes == (12288, 20, 7, 5, 1)
    assert network.title == "DeepNetwork(12288-20-7-5-1)"


def test_one_layer_is_a_regression():
    network = DeepNetwork((3, 1), key=KEY, initializer="zeros")
    (layer,) = network.parts()
    assert layer.activation is identity
    np.testing.assert_array_equal(network(jnp.ones((3, 2), jnp.float32)), np.zeros((1, 2)))


@pytest.mark.parametrize(("name", "function"), ACTIVATIONS.items())
def test_an_activation_by_name_or_function(name, function):
    by_name = DeepNetwork((2, 3, 1), activation=name, key=KEY)
    itself = DeepNetwork((2, 3, 1), activation=function, key=KEY)
    assert jax.tree.structure(by_name) == jax.tree.structure(itself)
    assert [layer.activation for layer in by_name.parts()] == [function, identity]


@pytest.mark.parametrize(
    ("activation", "initializer"),
    [(relu, he), (leaky_relu, he), (tanh, xavier), (sigmoid, xavier), (identity, xavier)],
)
def test_the_initialiser_depends_on_the_activation(activation, initializer):
    assert recommended_initializer(activation) is initializer
    one = DeepNetwork((2, 3, 1), activation=activation, key=KEY)
    other = DeepNetwork((2, 3, 1), activation=activation, initializer=initializer, key=KEY)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_each_layer_has_its_own_weights_from_the_key():
    one, two = (DeepNetwork((4, 4, 4), initializer=small, key=jax.random.key(s)) for s in (0, 1))
    starts = [np.asarray(layer.W).ravel()[0] for network in (one, two) for layer in network.parts()]
    assert len(set(starts)) == 4


def test_from_weights_keeps_dtypes_and_converts_integers():
    half = [np.asarray(array, np.float32) for array in (W1, b1)]
    assert DeepNetwork.from_weights([half]).layers.layers[0].W.dtype == np.float32
    whole = DeepNetwork.from_weights([(W1.astype(int), b1.astype(int))])
    assert whole.layers.layers[0].W.dtype == np.float64


# Batch norm and dropout


def kinds(network):
    return [type(part) for part in network.parts()]


def test_the_order_of_batch_norm_and_dropout():
    network = DeepNetwork((4, 5, 3, 2), batch_norm=True, keep_prob=[0.8, 1.0], key=KEY)
    assert kinds(network) == [*[Dense, BatchNorm, Dropout] * 2, Dense]
    assert [part.activation for part in network.parts() if isinstance(part, Dense)] == [
        identity,
        identity,
        identity,
    ]
    assert {part.activation for part in network.parts() if isinstance(part, BatchNorm)} == {relu}
    names = ["gamma", "beta", "mean", "variance", "t", "keep_prob"]
    assert list(named_arrays(network)) == [
        *("W1", *(f"{name}1" for name in names), "W2", *(f"{name}2" for name in names)),
        *("W3", "b3"),
    ]
    assert network.sizes == (4, 5, 3, 2)
    assert network.title == "DeepNetwork(4-5-3-2)"
    assert count_parameters(network) == 4 * 5 + 2 * 5 + 5 * 3 + 2 * 3 + 3 * 2 + 2


def test_they_start_from_the_same_weights():
    plain, deep = (DeepNetwork((4, 5, 2), batch_norm=b, key=KEY) for b in (False, True))
    for name in ("W1", "W2"):
        np.testing.assert_array_equal(named_arrays(plain)[name], named_arrays(deep)[name])


@pytest.mark.parametrize("keep_prob", [None, 1, 1.0])
def test_keep_prob_1_creates_no_dropout(keep_prob):
    assert kinds(DeepNetwork((4, 5, 3, 2), keep_prob=keep_prob, key=KEY)) == [Dense] * 3


def test_one_keep_prob_for_all_or_one_for_each():
    def keep(keep_prob):
        network = DeepNetwork((4, 5, 3, 2), keep_prob=keep_prob, key=KEY)
        return [round(float(p.keep_prob), 6) for p in network.parts() if isinstance(p, Dropout)]

    assert keep(0.8) == [0.8, 0.8]
    assert keep((0.5, 1)) == [0.5, 1.0]
    assert keep(np.array([1.0, 1.0])) == [1.0, 1.0]  # can be changed later
    assert DeepNetwork((4, 2), keep_prob=0.5, key=KEY).settings["keep_prob"] is None


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("keep_prob", [None, (0.8, 1.0)])
@pytest.mark.parametrize("sizes", [(4, 5, 3, 2), (4, 2)])
def test_rebuilt_from_settings_and_arrays(batch_norm, keep_prob, sizes):
    keep_prob = None if len(sizes) == 2 else keep_prob
    options = {"batch_norm": batch_norm, "keep_prob": keep_prob}
    network = DeepNetwork(sizes, activation="tanh", **options, key=KEY)
    settings = json.loads(json.dumps(network.settings))
    rebuilt = DeepNetwork(**settings, initializer="zeros", key=KEY)
    assert jax.tree.structure(rebuilt) == jax.tree.structure(network)
    rebuilt = replace_arrays(rebuilt, named_arrays(network))
    X = jnp.ones((4, 3), jnp.float32)
    np.testing.assert_array_equal(rebuilt(X), network(X))


def test_prediction_has_no_randomness_and_training_has():
    network = DeepNetwork((4, 50, 2), keep_prob=0.5, key=KEY)
    X = jnp.ones((4, 3), jnp.float32)
    np.testing.assert_array_equal(network(X), network(X))
    one, other = (network.train(X, key=jax.random.key(i))[0] for i in range(2))
    assert not np.allclose(one, other)


# Errors


@pytest.mark.parametrize("wrong", [0, 1.5, -1, float("nan"), True, (0.8, 0.0), "0.8"])
def test_refuses_an_invalid_keep_prob(wrong):
    with pytest.raises(OptionError) as error:
        DeepNetwork((4, 5, 3, 2), keep_prob=wrong, key=KEY)
    assert str(error.value).startswith(
        "DeepNetwork(keep_prob=…): expected a keep_prob greater than 0 and at most 1; got "
    )


@pytest.mark.parametrize(
    ("keep_prob", "sizes", "message"),
    [
        (
            (0.8, 0.8, 0.5),
            (4, 5, 3, 2),
            "one number, or 2, one for each hidden layer; got 3: [0.8, 0.8, 0.5].\n"
            "Try 2 numbers, with 1 for a layer that keeps all units.",
        ),
        (
            [0.5],
            (4, 2),
            "one number, or 0, one for each hidden layer; got 1: [0.5].\nTry None.",
        ),
    ],
)
def test_refuses_a_wrong_number_of_keep_probs(keep_prob, sizes, message):
    with pytest.raises(OptionError) as error:
        DeepNetwork(sizes, keep_prob=keep_prob, key=KEY)
    assert str(error.value) == f"DeepNetwork(keep_prob=…): expected {message}"


@pytest.mark.parametrize(
    "sizes", [3, (3,), (), (3, 0), (64, -3), (3, 2.5), (3, True), ("3", "2"), (3, 2.0), (3, None)]
)
def test_refuses_invalid_sizes(sizes):
    with pytest.raises(OptionError) as error:
        DeepNetwork(sizes, key=KEY)
    assert str(error.value) == (
        "DeepNetwork: expected sizes (n_0, …, n_L), at least two whole numbers of at least 1; "
        f"got {sizes!r}.\n"
        "Try the number of inputs first and of outputs last, such as (64, 32, 10)."
    )


@pytest.mark.parametrize(
    ("option", "wrong", "right"), [("activation", "rleu", "relu"), ("initializer", "hee", "he")]
)
def test_names_the_closest_choice(option, wrong, right):
    with pytest.raises(OptionError) as error:
        DeepNetwork((3, 1), key=KEY, **{option: wrong})
    message = str(error.value)
    assert message.startswith(f"DeepNetwork({option}=…): expected one of 5 choices; got '{wrong}'.")
    assert f"Try {right} (did you mean that?); the choices are" in message


def test_refuses_a_transposed_input():
    network = DeepNetwork((64, 128, 10), key=KEY)
    with pytest.raises(ShapeError) as error:
        network(jnp.ones((5, 64)))
    assert str(error.value) == (
        "layer 1, Dense(64 -> 128): expected (64, m), one column per example; got (5, 64).\n"
        "Try the transpose: it has 64 rows."
    )


@pytest.mark.parametrize(
    ("second", "got", "hint"),
    [
        ((W2, b2[0]), "W (1, 2) and b (1,)", "b.reshape(-1, 1)"),
        ((W1, b1.T), "W (2, 2) and b (1, 2)", "b.reshape(-1, 1)"),
        ((W2.T, b2), "W (2, 1) and b (1, 1)", "W.T, or the layers in another order"),
        ((W2[0], b2), "W (2,) and b (1, 1)", "W.T, or the layers in another order"),
    ],
)
def test_from_weights_names_the_layer_that_does_not_fit(second, got, hint):
    with pytest.raises(ShapeError) as error:
        DeepNetwork.from_weights([(W1, b1), second])
    assert str(error.value) == (
        f"layer 2, from_weights: expected W (n_l, 2) and b (n_l, 1); got {got}.\nTry {hint}."
    )


def test_a_network_is_built_inside_jit_and_grad():
    """From given weights, and from a key with a known value."""
    rng = np.random.default_rng(0)
    shapes = [((3, 4), (3, 1)), ((2, 3), (2, 1))]
    weights = [tuple(jnp.asarray(rng.standard_normal(shape)) for shape in pair) for pair in shapes]
    X, key = jnp.asarray(rng.standard_normal((4, 5))), jax.random.key(1)

    def from_weights(weights, X):
        return DeepNetwork.from_weights(weights, activation="tanh")(X)

    (W1, b1), (W2, b2) = weights
    np.testing.assert_allclose(
        jax.jit(from_weights)(weights, X), W2 @ jnp.tanh(W1 @ X + b1) + b2, rtol=1e-12
    )
    gradients = jax.jit(jax.grad(lambda weights: from_weights(weights, X).sum()))(weights)
    np.testing.assert_allclose(gradients[1][1], np.full((2, 1), 5.0))

    def drawn(X):
        return DeepNetwork((4, 3, 2), key=key, dtype=float)(X)

    np.testing.assert_allclose(jax.jit(drawn)(X), drawn(X), rtol=1e-12)
