"""The linear part of a layer: Z = W A_prev + b.

Notes: "Forward and backward functions" (course 1, week 4).

    forward     Z       = W A_prev + b
    backward    dA_prev = Wᵀ dZ
                dW      = dZ A_prevᵀ
                db      = Σ over the m examples of dZ

dV is ∂J/∂V, and J is already the mean over the examples, so the 1/m of the notes is contained in
dZ: it appears once, in costs.py. Without b (None) there is no db: a layer followed by batch norm
needs no b, since batch norm subtracts it.

>>> linear(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[1.0, 10.0]]), jnp.array([[0.5]]))
Array([[31.5, 42.5]], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.kernels.products import product, transposed_product


@partial(jax.tree_util.register_dataclass, data_fields=["A_prev", "W"], meta_fields=["has_b"])
@dataclass(frozen=True)
class LinearCache:
    """The values that the forward pass keeps for the backward pass."""

    A_prev: Float[Array, "n_prev m"]
    W: Float[Array, "n_l n_prev"]
    has_b: bool


def linear_forward(
    A_prev: Float[Array, "n_prev m"],
    W: Float[Array, "n_l n_prev"],
    b: Float[Array, "n_l 1"] | None,
) -> tuple[Float[Array, "n_l m"], LinearCache]:
    """Return Z = W A_prev + b and the cache for `linear_backward`."""
    Z = product(W, A_prev)
    return Z if b is None else Z + b, LinearCache(A_prev, W, b is not None)


def linear_backward(
    dZ: Float[Array, "n_l m"], cache: LinearCache
) -> tuple[Float[Array, "n_prev m"], Float[Array, "n_l n_prev"], Float[Array, "n_l 1"] | None]:
    """Return the gradients of A_prev, W and b, in that order."""
    dA_prev = transposed_product(cache.W, dZ)
    db = dZ.sum(axis=1, keepdims=True) if cache.has_b else None
    return dA_prev, dZ @ cache.A_prev.T, db


linear = as_block(linear_forward, linear_backward)
