"""The feed-forward network of a Transformer: two layers, the same at every step.

Notes: "Transformer network" (course 5, week 4), as in "Attention Is All You Need".

    forward     H = max(0, W1 X + b1); A = W2 H + b2, at every step
    backward    dH = W2ᵀ dA; dZ = dH where H > 0, else 0; dX = W1ᵀ dZ;
                dW1 = Σ over steps of dZ Xᵀ; db1 = Σ over steps of dZ;
                dW2 = Σ over steps of dA Hᵀ; db2 = Σ over steps of dA

X is (T, n, m), or columns (n, m), and the sums over the steps go over the examples as well. The two
layers are one block, so that the numbers in between, which are most of all, stay in the order of
the matrix products.

>>> X = jnp.array([[[2.0, -3.0]]])  # one step of one feature, two examples
>>> one = jnp.ones((1, 1))
>>> feed_forward(X, one, 0 * one, 10 * one, one)
Array([[[21.,  1.]]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.kernels.rows import rows, steps, summed_products


class FeedForwardCache(NamedTuple):
    """The input, the output H of the first layer, as rows, and the matrices."""

    X: Float[Array, "T n m"]
    H: Float[Array, "rows n_1"]
    W1: Float[Array, "n_1 n"]
    W2: Float[Array, "n_2 n_1"]


def feed_forward_forward(
    X: Float[Array, "T n m"],
    W1: Float[Array, "n_1 n"],
    b1: Float[Array, "n_1 1"],
    W2: Float[Array, "n_2 n_1"],
    b2: Float[Array, "n_2 1"],
) -> tuple[Float[Array, "T n_2 m"], FeedForwardCache]:
    """A = W2 H + b2."""
    H = jnp.maximum(rows(X) @ W1.T + b1.T, 0)
    return steps(H @ W2.T + b2.T, X.shape[0]), FeedForwardCache(X, H, W1, W2)


def feed_forward_backward(
    dA: Float[Array, "T n_2 m"], cache: FeedForwardCache
) -> tuple[
    Float[Array, "T n m"],
    Float[Array, "n_1 n"],
    Float[Array, "n_1 1"],
    Float[Array, "n_2 n_1"],
    Float[Array, "n_2 1"],
]:
    """Return the gradients of X, W1, b1, W2 and b2, in that order."""
    X, H, W1, W2 = cache
    d_out = rows(dA)
    dZ = jnp.where(H > 0, d_out @ W2, 0)
    dW1, dW2 = summed_products(dZ, rows(X)), summed_products(d_out, H)
    db1, db2 = (d.sum(axis=0)[:, None] for d in (dZ, d_out))
    return steps(dZ @ W1, X.shape[0]), dW1, db1, dW2, db2


feed_forward = as_block(feed_forward_forward, feed_forward_backward)
