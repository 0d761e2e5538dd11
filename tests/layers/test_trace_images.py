"""Tests of chainrule/layers/trace.py, layers/trace.py and layers/trace.py on image networks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu, tanh
from chainrule.blocks.costs import softmax_cost
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.layer import split_parameters
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.layers.trace import has_formulas, trace

rng = np.random.default_rng(0)
KEYS = jax.random.split(jax.random.key(0), 10)
X, Y = jnp.asarray(rng.standard_normal((32, 3))), jnp.eye(2)[:, jnp.array([0, 1, 1])]
WEIGHTS = jnp.array([[1.0, 0.0, 2.0]])


def conv(i, n_C_prev, n_C, s=1, activation=tanh, bias=True):
    return Conv2D(n_C_prev, n_C, s=s, activation=activation, bias=bias, key=KEYS[i], dtype=float)


def norm(n, activation=tanh):
    return BatchNorm(n, activation=activation, images=True, dtype=float)


def plain(A):
    """Compute tanh by a function that is not a block."""
    return jnp.tanh(A)


NETWORK = Sequential(
    [
        Images((4, 4, 2)),
        conv(0, 2, 2, activation=relu),
        AveragePool(2, s=1),
        Residual(Sequential([conv(1, 2, 2), norm(2), Dropout(0.8, dtype=float)])),
        Residual(
            Sequential([conv(2, 2, 3, s=2), norm(3)]),
            Projection(2, 3, s=2, key=KEYS[3], dtype=float),
        ),
        ConvTranspose2D(3, 3, key=KEYS[4], dtype=float),
        DepthwiseConv2D(3, key=KEYS[5], dtype=float, activation=tanh),
        Residual(Sequential([conv(6, 3, 3)]), activation=plain),
        MaxPool(2),
        Flatten(),
        Dense(12, 2, key=KEYS[7], dtype=float),
    ]
)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradients_equal_those_of_training(training):
    _, network = NETWORK.train(X, key=KEYS[8])
    theta, rest = split_parameters(network)
    key = KEYS[9] if training else None

    @jax.jit
    def both(theta):
        def J(theta):
            made = eqx.combine(theta, rest)
            Z = made.train(X, key=key, weights=WEIGHTS)[0] if training else made(X)
            return softmax_cost(Z, Y, WEIGHTS)

        made = trace(eqx.combine(theta, rest), X, Y, softmax_cost, WEIGHTS, key=key)
        return jax.value_and_grad(J)(theta), (made.J, made.gradients())

    (J, want), (made, gradients) = both(theta)
    np.testing.assert_allclose(made, J, rtol=1e-12)
    for got, d in zip(gradients, jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(got, d, rtol=1e-9, atol=1e-14)


def test_which_layers_open_up():
    closed = Residual(Sequential([conv(1, 2, 2)]), activation=plain)
    assert [has_formulas(layer) for layer in NETWORK.parts()] == [True] * 7 + [False] + [True] * 3
    assert [has_formulas(layer) for layer in (closed, GlobalAveragePool())] == [False, True]
    assert not has_formulas(conv(1, 2, 2, activation=plain))


def names_of(step) -> list[str]:
    return [*step.forward, *step.backward]


def test_the_quantities_and_the_layer_numbers():
    found = []

    def look():  # only for its shapes: nothing is compiled
        found.extend(trace(NETWORK, X, Y, softmax_cost, key=KEYS[9]).steps())
        return X

    jax.eval_shape(look)
    normalized = ["mean", "variance", "Z_norm", "Z_tilde", "A", "dA", "dZ_tilde"]
    convolution, pool = ["Z", "A", "dA", "dZ", "dW", "db", "dA_prev"], ["A", "dA", "dA_prev"]
    batch_norm = [*normalized, "dgamma", "dbeta", "dZ_norm", "dA_prev"]
    inner = [f"dmain.layers[{name}" for name in ("0].W", "0].b", "1].gamma", "1].beta")]
    assert [(type(s.layer).__name__, s.number, names_of(s)) for s in found[:8]] == [
        ("Images", 0, pool),
        ("Conv2D", 1, convolution),
        ("AveragePool", 1, pool),
        ("Conv2D", 2, convolution),
        ("BatchNorm", 2, batch_norm),
        ("Dropout", 2, ["D", "A", "dA", "dA_prev"]),
        (
            "Residual",
            2,
            ["A", "dA", "dmain", *inner, "dA_prev"],
        ),
        ("Conv2D", 3, convolution),
    ]
    assert [(type(s.layer).__name__, s.number) for s in found[8:]] == [
        ("BatchNorm", 3),
        ("Projection", 3),
        ("Residual", 3),
        ("ConvTranspose2D", 4),
        ("DepthwiseConv2D", 5),
        ("Residual", 6),
        ("MaxPool", 6),
        ("Flatten", 6),
        ("Dense", 7),
    ]
    assert found[12].backward["dW"].shape == (3, 3, 3)
    for step in found:
        assert step.backward["dA_prev"].shape == step.A_prev.shape
