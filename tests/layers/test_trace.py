"""Tests of chainrule/layers/trace.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import leaky_relu, tanh
from chainrule.blocks.costs import logistic_cost, softmax_cost, squared_cost
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.layer import split_parameters
from chainrule.layers.sequential import Sequential
from chainrule.layers.trace import has_formulas, trace
from chainrule.models.deep_network import DeepNetwork
from tests.layers.test_layer import Double

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
X, Y = jnp.asarray(rng.standard_normal((3, 5))), jnp.eye(2)[:, jnp.array([0, 1, 1, 0, 1])]
COUNTS = jnp.array([[1.0, 2.0, 0.0, 1.0, 3.0]])


def dense(n_prev, n_l, activation=tanh):
    return Dense(n_prev, n_l, key=KEY, activation=activation, dtype=float)


NETWORK = Sequential([dense(3, 4), Sequential([dense(4, 4), dense(4, 2)])])


def gradients_of_training(network, cost, weights):
    def J(network):
        return cost(network.train(X, key=KEY, weights=weights)[0], Y, weights)

    J, gradients = jax.jit(jax.value_and_grad(J))(network)
    return J, jax.tree.leaves(gradients)


@pytest.mark.parametrize("cost", [logistic_cost, softmax_cost, squared_cost])
@pytest.mark.parametrize("weights", [None, COUNTS], ids=["", "weights"])
def test_the_gradients_equal_those_of_training(cost, weights):
    steps = trace(NETWORK, X, Y, cost, weights)
    J, gradients = gradients_of_training(NETWORK, cost, weights)
    np.testing.assert_allclose(steps.J, J, rtol=1e-12)
    for got, want in zip(steps.gradients(), gradients, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-14)


DEEP = DeepNetwork(
    (3, 4, 4, 2), activation=leaky_relu, batch_norm=True, keep_prob=0.8, key=KEY, dtype=float
)
"""A network with batch norm and dropout."""

ANY = Sequential(
    [
        BatchNorm(3, dtype=float),
        dense(3, 4),
        BatchNorm(4, activation=jnp.tanh, dtype=float),
        DeepNetwork((4, 3, 3), keep_prob=[0.5], key=KEY, dtype=float),
        Dropout(0.9),
        dense(3, 2),
    ]
)
"""A network with batch norm elsewhere, a closed activation and a network inside."""


@pytest.mark.parametrize("network", [DEEP, ANY], ids=["deep", "any"])
@pytest.mark.parametrize("weights", [None, COUNTS], ids=["", "weights"])
def test_with_a_key_it_matches_training(network, weights):
    _, network = network.train(X, key=jax.random.key(5))  # the averages have changed
    theta, rest = split_parameters(network)

    def J(theta):
        Z, _ = eqx.combine(theta, rest).train(X, key=KEY, weights=weights)
        return softmax_cost(Z, Y, weights)

    J_value, gradients = jax.jit(jax.value_and_grad(J))(theta)
    steps = trace(network, X, Y, softmax_cost, weights, key=KEY)
    np.testing.assert_allclose(steps.J, J_value, rtol=1e-12)
    assert steps.training
    for got, want in zip(steps.gradients(), jax.tree.leaves(gradients), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("network", [DEEP, ANY], ids=["deep", "any"])
def test_without_a_key_it_matches_prediction(network):
    _, network = network.train(X, key=jax.random.key(5))
    theta, rest = split_parameters(network)
    J = jax.jit(jax.value_and_grad(lambda theta: softmax_cost(eqx.combine(theta, rest)(X), Y)))
    J_value, gradients = J(theta)
    steps = trace(network, X, Y, softmax_cost)
    np.testing.assert_allclose(steps.J, J_value, rtol=1e-12)
    assert not steps.training
    for got, want in zip(steps.gradients(), jax.tree.leaves(gradients), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-14)


def test_batch_norm_and_dropout_open_up():
    linear, norm, drop, *_ = trace(DEEP, X, Y, softmax_cost, key=KEY).layers
    assert [step.number for step in (linear, norm, drop)] == [1, 1, 1]
    assert list(linear.backward) == ["dA", "dZ", "dW", "dA_prev"]
    assert list(norm.forward) == ["mean", "variance", "Z_norm", "Z_tilde", "A"]
    made = ["dA", "dZ_tilde", "dgamma", "dbeta", "dZ_norm", "dA_prev"]
    assert list(norm.backward) == made
    assert list(drop.forward) == ["D", "A"]
    Z = np.asarray(linear.forward["Z"])
    Z_norm = (Z - Z.mean(1, keepdims=True)) / np.sqrt(Z.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(norm.forward["Z_norm"], Z_norm, rtol=1e-9)
    np.testing.assert_allclose(norm.forward["mean"], Z.mean(1, keepdims=True), rtol=1e-9)
    np.testing.assert_array_equal(
        drop.forward["A"], norm.forward["A"] * drop.forward["D"] / drop.layer.keep_prob
    )
    np.testing.assert_array_equal(
        drop.backward["dA_prev"], drop.backward["dA"] * drop.forward["D"] / drop.layer.keep_prob
    )


def test_which_layers_open_up():
    closed = [Double(), dense(3, 4, jnp.tanh), BatchNorm(3, activation=jnp.tanh)]
    assert [has_formulas(layer) for layer in (*DEEP.parts(), *closed)] == [True] * 7 + [False] * 3


def test_the_two_loops_of_the_notes():
    steps = trace(NETWORK, X, Y, softmax_cost)
    A, dA = X, steps.dZ
    for step in steps.layers:
        assert list(step.forward) == ["Z", "A"]
        np.testing.assert_array_equal(step.A_prev, A)
        Z = np.asarray(step.layer.W) @ np.asarray(A) + np.asarray(step.layer.b)
        np.testing.assert_allclose(step.forward["Z"], Z, rtol=1e-12)
        A = step.forward["A"]
        np.testing.assert_allclose(A, np.tanh(Z), rtol=1e-12)
    np.testing.assert_array_equal(A, NETWORK(X))
    for step in reversed(steps.layers):
        assert list(step.backward) == ["dA", "dZ", "dW", "db", "dA_prev"]
        np.testing.assert_array_equal(step.backward["dA"], dA)
        dZ = np.asarray(dA) * (1 - np.asarray(step.forward["A"]) ** 2)
        np.testing.assert_allclose(step.backward["dZ"], dZ, rtol=1e-9)
        np.testing.assert_allclose(step.backward["dW"], dZ @ np.asarray(step.A_prev).T, rtol=1e-9)
        np.testing.assert_allclose(step.backward["db"], dZ.sum(1, keepdims=True), rtol=1e-9)
        dA = step.backward["dA_prev"]
        np.testing.assert_allclose(dA, np.asarray(step.layer.W).T @ dZ, rtol=1e-9)


def test_the_cache_is_that_of_the_formulas():
    (step,) = trace(dense(3, 2), X, Y, squared_cost).layers
    linear_cache, activation_cache = step.cache
    np.testing.assert_array_equal(linear_cache.A_prev, X)
    np.testing.assert_array_equal(linear_cache.W, step.layer.W)
    np.testing.assert_array_equal(activation_cache.A, step.forward["A"])


def plain_cost(Z, Y, weights):
    return ((Z - Y) ** 2).sum() / Z.shape[1]


def test_layers_and_costs_without_formulas_are_differentiated():
    plain = Sequential([dense(3, 4, jnp.tanh), Double(), dense(4, 2, jnp.tanh)])
    formulas = Sequential([dense(3, 4), Double(), dense(4, 2)])
    one, other = trace(plain, X, Y, plain_cost), trace(formulas, X, Y, squared_cost)
    assert list(one.layers[0].backward) == ["dA", "dW", "db", "dA_prev"]
    assert list(one.layers[1].backward) == ["dA", "dA_prev"]
    np.testing.assert_allclose(one.dZ, other.dZ, rtol=1e-12)
    for got, want in zip(one.gradients(), other.gradients(), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9)
