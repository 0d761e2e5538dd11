"""chainrule/train/health.py and health.py: networks for images, and layers inside their blocks."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.blocks.costs import logistic_cost
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.layers.dense import Dense
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.pool import MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.train.health import explain_not_finite
from chainrule.train.step import Batch
from tests.train.problem import TRAIN
from tests.train.test_signals import signal

KEYS = jax.random.split(jax.random.key(0), 6)


def conv(i, n_C_prev, n_C, **settings):
    return Conv2D(n_C_prev, n_C, key=KEYS[i], dtype=float, **settings)


NORM = BatchNorm(3, activation=relu, images=True, dtype=float)
NETWORK = Sequential(
    [
        Images((2, 2, 1)),
        conv(0, 1, 2, activation=relu),
        Residual(
            Sequential([conv(1, 2, 3, bias=False), NORM, conv(2, 3, 3)]),
            Projection(2, 3, key=KEYS[3], dtype=float),
        ),
        MaxPool(2),
        Flatten(),
        Dense(3, 1, key=KEYS[4], dtype=float),
    ]
)


def test_each_layer_has_its_signal_also_inside_a_block():
    dead = eqx.tree_at(lambda n: n.layers[1].b, NETWORK, jnp.array([0.0, -1e3]).reshape(1, 1, 1, 2))
    found = signal(dead)
    always = {"A", "dA", "W", "dW", "update"}
    assert [set(layer) - always for layer in found] == [{"dead"}, {"dead"}, {"dead"}, set()]
    assert found[0]["dead"] == 0.5  # one channel of two

    def J(network):
        Z, _ = network.train(jnp.asarray(TRAIN.X.T), key=KEYS[5])
        return logistic_cost(Z, jnp.asarray(TRAIN.Y.T))

    d = jax.jit(jax.grad(J, allow_int=True))(dead)  # batch norm counts its batches
    block, wanted = d.layers[2].main.layers, dead.layers[2].main.layers
    for l, dW, W in [
        (1, d.layers[1].W, dead.layers[1].W),
        (2, block[0].W, wanted[0].W),
        (3, block[2].W, wanted[2].W),
        (4, d.layers[5].W, dead.layers[5].W),
    ]:
        dW, W = (np.linalg.norm(np.ravel(x)) for x in (dW, W))
        assert found[l - 1]["W"] == pytest.approx(W, rel=1e-12)
        assert found[l - 1]["dW"] == pytest.approx(dW, rel=1e-9)
        assert found[l - 1]["update"] == pytest.approx(0.5 * dW / W, rel=1e-9)


def test_a_quantity_that_is_not_finite_is_named_inside_a_block():
    broken = eqx.tree_at(
        lambda n: n.layers[2].main.layers[2].b, NETWORK, replace_fn=lambda b: b / 0
    )
    batch = Batch(jnp.asarray(TRAIN.X.T), jnp.asarray(TRAIN.Y.T), None)
    error = explain_not_finite(broken, broken, batch, logistic_cost, step=7)
    assert str(error) == (
        "training step 7, Z[3] of layer 3, Conv2D(3×3, 3 -> 3): expected finite numbers; "
        "got nan or infinity (exploding).\n"
        "Try a smaller learning rate, or inputs scaled to mean 0 and variance 1: "
        "the activations have grown too large."
    )
