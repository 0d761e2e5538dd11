"""Tests of chainrule/kernels/products.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.products import product, transposed_product

W, dZ = np.arange(6.0).reshape(3, 2), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])


@pytest.fixture(params=["a GPU", "a CPU", "a CPU, with few examples and a large W"])
def way(request, monkeypatch):
    """Run a test with each of the three layouts, on the same small matrices."""
    if request.param == "a GPU":
        monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    if request.param.endswith("large W"):
        monkeypatch.setattr("chainrule.kernels.products.LARGE", 1)


@pytest.mark.usefixtures("way")
def test_by_hand():
    Z = product(jnp.asarray(W), jnp.asarray([[1.0], [10.0]]))
    np.testing.assert_array_equal(Z, [[10.0], [32.0], [54.0]])
    dA_prev = transposed_product(jnp.asarray(W), jnp.asarray(dZ))
    np.testing.assert_array_equal(dA_prev, [[8.0, -2.0], [11.0, -2.0]])


@pytest.mark.usefixtures("way")
def test_works_under_vmap_and_twice_differentiable():
    many = jax.vmap(transposed_product, in_axes=(0, None))(jnp.stack([W, 2 * W]), jnp.asarray(dZ))
    np.testing.assert_array_equal(many[1], 2 * many[0])
    d_W = jax.grad(lambda W: transposed_product(W, jnp.asarray(dZ)).sum())(jnp.asarray(W))
    np.testing.assert_array_equal(d_W, dZ.sum(axis=1, keepdims=True) * np.ones((1, 2)))
    d_A = jax.grad(lambda A: product(jnp.asarray(W), A).sum())(jnp.ones((2, 4)))
    np.testing.assert_array_equal(d_A, W.sum(axis=0)[:, None] * np.ones((1, 4)))


def test_every_layout_gives_the_same_at_realistic_sizes():
    rng = np.random.default_rng(0)
    W, A, dZ = (rng.standard_normal(shape) for shape in ((256, 200), (200, 64), (256, 64)))
    assert W.size >= 2**15
    np.testing.assert_allclose(product(jnp.asarray(W), jnp.asarray(A)), W @ A, rtol=1e-10)
    dA_prev = transposed_product(jnp.asarray(W), jnp.asarray(dZ))
    np.testing.assert_allclose(dA_prev, W.T @ dZ, rtol=1e-10, atol=1e-12)
