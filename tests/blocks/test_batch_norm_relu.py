"""Compare chainrule/blocks/batch_norm_relu.py with its three parts, one after the other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.blocks.batch_norm_relu import batch_norm_relu
from chainrule.blocks.normalization import batch_norm
from chainrule.kernels import native
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)
Z, SHORTCUT = rng.standard_normal((2, 3, 2, 3, 2))
GAMMA, BETA = rng.standard_normal((2, 1, 1, 1, 2))
WEIGHTS = np.array([[1.0, 0.0, 2.0]])


def parts(Z, gamma, beta, shortcut=None, weights=None, *, with_relu=True):
    """Return A, mean and variance, computed by three blocks."""
    A, mean, variance = batch_norm(Z, gamma, beta, weights)
    A = A if shortcut is None else A + shortcut
    return relu(A) if with_relu else A, mean, variance


def together(outputs):
    """Combine the three outputs into one array."""
    A, mean, variance = outputs
    return A + mean * variance


# By hand


def test_two_pixels_by_hand():
    """1 and 3 have mean 2 and variance 1: −1 and 1; with 4 more on the first 3 and 1."""
    pixels = jnp.array([1.0, 3.0]).reshape(2, 1, 1, 1)
    one, shortcut = jnp.ones((1, 1, 1, 1)), jnp.array([4.0, 0.0]).reshape(2, 1, 1, 1)
    A, mean, variance = batch_norm_relu(pixels, one, 0 * one, eps=0.0)
    assert (A.ravel().tolist(), float(mean[0, 0, 0, 0]), float(variance[0, 0, 0, 0])) == (
        [0.0, 1.0],
        2.0,
        1.0,
    )
    joined, _, _ = batch_norm_relu(pixels, one, 0 * one, shortcut, eps=0.0)
    assert joined.ravel().tolist() == [3.0, 1.0]
    plain, _, _ = batch_norm_relu(pixels, one, 0 * one, eps=0.0, relu=False)
    assert plain.ravel().tolist() == [-1.0, 1.0]


# Gradients


@pytest.mark.parametrize("with_relu", [True, False])
def test_gradients(with_relu, getkey):
    weights = jnp.asarray(WEIGHTS)
    assert_gradients(
        lambda *x: together(batch_norm_relu(*x, weights, relu=with_relu)),
        lambda *x: together(parts(*x, weights, with_relu=with_relu)),
        *map(jnp.asarray, (Z, GAMMA, BETA, SHORTCUT)),
        key=getkey(),
    )


# Properties


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("joined", [True, False])
@pytest.mark.parametrize("with_relu", [True, False])
def test_the_kernels_agree(weighted, joined, with_relu, monkeypatch):
    """In float32, where the native kernel is used if installed, the error is below 1e-5."""
    weights = jnp.asarray(WEIGHTS, jnp.float32) if weighted else None
    arrays = [jnp.asarray(x, jnp.float32) for x in (Z, GAMMA, BETA, SHORTCUT)]
    d_output = (arrays[3], arrays[1], arrays[2])

    def both(function):
        def call(Z, gamma, beta, shortcut):
            return function(Z, gamma, beta, shortcut if joined else None, weights)

        output, pull = jax.vjp(call, *arrays)
        return jax.tree.leaves((output, pull(d_output)))

    got = both(lambda *x: batch_norm_relu(*x, relu=with_relu))
    monkeypatch.setattr(native, "available", lambda: False)
    want = both(lambda *x: parts(*x, with_relu=with_relu))
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * max(1, float(jnp.abs(b).max())))
