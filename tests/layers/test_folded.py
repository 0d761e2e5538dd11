"""Tests of chainrule/layers/folded.py: predictions with batch norm in the filters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import identity, relu, relu6
from chainrule.kernels import native
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.folded import FoldedConv, FoldedResidual, folded
from chainrule.layers.pool import MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential

KEY = jax.random.key(0)
rng = np.random.default_rng(0)


def random(layer):
    """Return the layer with random numbers in all arrays, and variances above 0."""

    def number(x):
        if x.dtype != np.float32:
            return x
        return jnp.asarray(0.5 + np.abs(rng.standard_normal(x.shape)) / 2, np.float32)

    return jax.tree.map(number, layer)


def norm(n_C, g=identity):
    return BatchNorm(n_C, images=True, activation=g)


def block(n_C_prev, n_C, s, g=relu):
    """Build a residual block of a depthwise and a plain convolution."""
    main = [DepthwiseConv2D(n_C_prev, s=s, key=KEY, bias=False), norm(n_C_prev, relu6)]
    main += [Conv2D(n_C_prev, n_C, f=1, key=KEY, bias=False), norm(n_C)]
    shortcut = None if n_C_prev == n_C else Projection(n_C_prev, n_C, s=s, key=KEY)
    return Residual(Sequential(main), shortcut, activation=g)


LAYERS = [
    Images((6, 6, 1)),
    Augment("mirror"),
    Conv2D(1, 8, key=KEY),
    norm(8, relu),
    block(8, 8, 1),
    block(8, 16, 2),
    block(16, 16, 1, identity),
    MaxPool(2),
    Conv2D(16, 3, f=1, p=0, key=KEY, activation=relu),
    Flatten(),
    Dropout(0.5),
    Dense(3, 2, key=KEY),
]


def test_scale_and_offset_by_hand():
    """γ = 6, variance 4, mean 1, β = 2: W 5 becomes 15 and b −1; 2 · 15 − 1 = 29."""
    conv = Conv2D(1, 1, f=1, key=KEY, bias=False)
    conv = jax.tree.map(lambda W: jnp.full_like(W, 5), conv)
    one = norm(1)
    numbers = [6.0, 2.0, 1.0, 4.0 - 1e-5]
    leaves = [jnp.full((1, 1, 1, 1), n, jnp.float32) for n in numbers] + [one.t]
    one = jax.tree.unflatten(jax.tree.structure(one), leaves)
    (layer,) = folded([conv, one], (1, 1, 1, 1))
    assert isinstance(layer, FoldedConv)
    np.testing.assert_allclose(layer(jnp.full((1, 1, 1, 1), 2.0, jnp.float32)), 29.0, rtol=1e-6)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("kernel", ["as it is here", "xla"])
def test_the_same_predictions(kernel, monkeypatch):
    if kernel == "xla":
        monkeypatch.setattr(native, "available", lambda: False)
    layers = random(Sequential(LAYERS))
    X = jnp.asarray(rng.standard_normal((2, 6, 6, 1)), jnp.float32)
    fast = Sequential(folded(layers.layers, X.shape))
    Z = jax.jit(lambda layers, X: layers(X))(layers, X)
    np.testing.assert_allclose(jax.jit(lambda f, X: f(X))(fast, X), Z, rtol=1e-5)


def test_training_layers_and_batch_norm_are_removed():
    fast = folded(LAYERS, (2, 6, 6, 1))
    names = [type(layer) for layer in fast]
    assert names == [Images, FoldedConv, *[FoldedResidual] * 3, MaxPool, FoldedConv, Flatten, Dense]
    assert isinstance(fast[3].shortcut, FoldedConv)
    assert fast[2].shortcut is None


def test_a_block_without_batch_norm_at_its_end_is_unchanged():
    plain = Residual(Sequential([Conv2D(2, 2, key=KEY, activation=relu)]))
    assert folded([plain], (1, 4, 4, 2)) == [plain]
