"""Transposed convolution: every number of the image is multiplied by the filter, s positions apart.

Notes: "Transposed convolutions" (course 4, week 3).

    size        n = s (n_prev − 1) + f − 2p
    forward     Z_pad[s h + i, s w + j] = Σ of A_prev[h, w] W[i, j] + b; Z is Z_pad without its
                border of p, and values that overlap are added
    backward    dA_prev[h, w] = Σ over i, j of dZ_pad[s h + i, s w + j] W[i, j]ᵀ
                dW[i, j] = Σ over m, h, w of A_prev[h, w]ᵀ dZ_pad[s h + i, s w + j]
                db = Σ over m, h, w of dZ[h, w]

It reverses the sizes of a convolution from n to n_prev: with the two channel axes of the filters
(f, f, n_C_prev, n_C) exchanged, each of the two is the derivative of the other.

>>> transposed(jnp.array([[[[1.0], [2.0]]]]), jnp.ones((2, 2, 1, 1)), None, s=2)[0, 0, :, 0]
Array([1., 1., 2., 2.], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.convolution import Padding, pads_of
from chainrule.errors import ShapeError, check_stride
from chainrule.kernels import convolution as kernel


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["A_prev", "W"],
    meta_fields=["s", "pads", "has_b"],
)
@dataclass(frozen=True)
class TransposedCache:
    """The values that the forward pass keeps for the backward pass."""

    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"]
    W: Float[Array, "f f n_C_prev n_C"]
    s: int
    pads: tuple[int, int]
    has_b: bool


def transposed_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    W: Float[Array, "f f n_C_prev n_C"],
    b: Float[Array, "1 1 1 n_C"] | None,
    *,
    s: int = 1,
    p: Padding = 0,
) -> tuple[Float[Array, "m n_H n_W n_C"], TransposedCache]:
    """Return Z and the cache for `transposed_backward`."""
    check_stride("transposed", s)
    f, pads = W.shape[0], pads_of(p, W.shape[0])
    n_H, n_W = (transposed_size(n, f, s, pads) for n in A_prev.shape[1:3])
    if min(n_H, n_W) < 1:
        got = f"s (n − 1) + f − 2p = {min(n_H, n_W)} for images {tuple(A_prev.shape)}"
        raise ShapeError("transposed", "an output of at least 1 by 1", got, "a smaller p")
    Z = kernel.input_gradient(A_prev, _read_back(W), n_H_prev=n_H, n_W_prev=n_W, s=s, pads=pads)
    cache = TransposedCache(A_prev, W, s, pads, b is not None)
    return Z if b is None else Z + b, cache


def transposed_backward(
    dZ: Float[Array, "m n_H n_W n_C"], cache: TransposedCache
) -> tuple[
    Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    Float[Array, "f f n_C_prev n_C"],
    Float[Array, "1 1 1 n_C"] | None,
]:
    """Return the gradients of A_prev, W and b, in that order."""
    f, geometry = cache.W.shape[0], {"s": cache.s, "pads": cache.pads}
    dA_prev = kernel.convolution(dZ, _read_back(cache.W), None, **geometry)
    dW, _ = kernel.filter_gradient(dZ, cache.A_prev, f_H=f, f_W=f, **geometry)
    db = dZ.sum(axis=(0, 1, 2), keepdims=True) if cache.has_b else None
    return dA_prev, _read_back(dW), db


transposed = as_block(transposed_forward, transposed_backward)


def transposed_size(n_prev: int, f: int, s: int = 1, p: Padding = 0) -> int:
    """Return s (n_prev − 1) + f − 2p, the height or width after a transposed convolution.

    >>> transposed_size(2, 3, s=2, p=1), transposed_size(16, 2, s=2)
    (3, 32)
    """
    return s * (n_prev - 1) + f - sum(pads_of(p, f))


def _read_back(W: Array) -> Array:
    """Return the filters with their two channel axes exchanged."""
    return W.transpose(0, 1, 3, 2)
