"""chainrule/kernels/products.py"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.kernels.products import transposed_product

W, dZ = np.arange(6.0).reshape(3, 2), np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
def test_by_hand_on_either_way(monkeypatch, backend):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    dA_prev = transposed_product(jnp.asarray(W), jnp.asarray(dZ))
    np.testing.assert_array_equal(dA_prev, [[8.0, -2.0], [11.0, -2.0]])


def test_many_at_once_and_once_more_differentiable():
    many = jax.vmap(transposed_product, in_axes=(0, None))(jnp.stack([W, 2 * W]), jnp.asarray(dZ))
    np.testing.assert_array_equal(many[1], 2 * many[0])
    d_W = jax.grad(lambda W: transposed_product(W, jnp.asarray(dZ)).sum())(jnp.asarray(W))
    np.testing.assert_array_equal(d_W, dZ.sum(axis=1, keepdims=True) * np.ones((1, 2)))
