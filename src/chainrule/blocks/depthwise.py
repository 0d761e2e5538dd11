"""Depthwise convolution: each channel has its own filter, and channels are not mixed.

Notes: "MobileNet" (course 4, week 2): the first half of a depthwise separable convolution; the
second is a convolution of 1 by 1.

    size        n = ⌊(n_prev + 2p − f)/s⌋ + 1
    forward     Z[h, w, c] = Σ over i, j of A_pad[s h + i, s w + j, c] W[i, j, c] + b[c]
    backward    dA_pad[s h + i, s w + j, c] = Σ of dZ[h, w, c] W[i, j, c]
                dW[i, j, c] = Σ over m, h, w of A_pad[s h + i, s w + j, c] dZ[h, w, c]
                db[c] = Σ over m, h, w of dZ[h, w, c]

Multiplications for one image: n_H n_W f² n_C here and n_H n_W n_C n_C' in the 1 by 1 convolution
that follows, compared with n_H n_W f² n_C n_C' in a plain convolution; the ratio is 1/n_C' + 1/f².

>>> depthwise(jnp.ones((1, 3, 3, 2)), jnp.ones((3, 3, 2)), None)[0, 0, 0]
Array([9., 9.], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.convolution import Padding, pads_of
from chainrule.errors import check_fits
from chainrule.kernels import convolution as kernel


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["A_prev", "W"],
    meta_fields=["s", "pads", "has_b"],
)
@dataclass(frozen=True)
class DepthwiseCache:
    """The values that the forward pass keeps for the backward pass."""

    A_prev: Float[Array, "m n_H_prev n_W_prev n_C"]
    W: Float[Array, "f f n_C"]
    s: int
    pads: tuple[int, int]
    has_b: bool


def depthwise_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C"],
    W: Float[Array, "f f n_C"],
    b: Float[Array, "1 1 1 n_C"] | None,
    *,
    s: int = 1,
    p: Padding = 0,
) -> tuple[Float[Array, "m n_H n_W n_C"], DepthwiseCache]:
    """Return Z and the cache for `depthwise_backward`."""
    f, _, n_C = W.shape
    pads = pads_of(p, f)
    check_fits("depthwise", A_prev.shape, f, s, pads)
    Z = kernel.convolution(A_prev, W[:, :, None], b, s=s, pads=pads, groups=n_C)
    return Z, DepthwiseCache(A_prev, W, s, pads, b is not None)


def depthwise_backward(
    dZ: Float[Array, "m n_H n_W n_C"], cache: DepthwiseCache
) -> tuple[
    Float[Array, "m n_H_prev n_W_prev n_C"],
    Float[Array, "f f n_C"],
    Float[Array, "1 1 1 n_C"] | None,
]:
    """Return the gradients of A_prev, W and b, in that order."""
    f, _, n_C = cache.W.shape
    _, n_H_prev, n_W_prev, _ = cache.A_prev.shape
    geometry = {"s": cache.s, "pads": cache.pads, "groups": n_C}
    dA_prev = kernel.input_gradient(
        dZ, cache.W[:, :, None], n_H_prev=n_H_prev, n_W_prev=n_W_prev, **geometry
    )
    dW, db = kernel.filter_gradient(cache.A_prev, dZ, f_H=f, f_W=f, **geometry, bias=cache.has_b)
    return dA_prev, dW[:, :, 0], db


depthwise = as_block(depthwise_forward, depthwise_backward)
