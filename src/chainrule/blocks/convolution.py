"""Convolution: the same filters are applied at every position of the image.

Notes: "Edge detection", "Padding", "Strided convolutions", "Convolutions over volume" (course 4,
week 1); the derivative is that of "Convolutional model: step by step".

    size        n = ⌊(n_prev + 2p − f)/s⌋ + 1
    forward     Z[h, w] = Σ over i, j of A_pad[s h + i, s w + j] W[i, j] + b
                A_pad is A_prev with p rows and columns of zeros around it
    backward    dA_pad[s h + i, s w + j] = Σ of dZ[h, w] W[i, j]ᵀ, and dA_prev without the border
                dW[i, j] = Σ over m, h, w of A_pad[s h + i, s w + j]ᵀ dZ[h, w]
                db = Σ over m, h, w of dZ[h, w]

Images are (m, n_H, n_W, n_C), filters (f, f, n_C_prev, n_C), b (1, 1, 1, n_C) or None. As in the
notes the filter is not flipped: in mathematics this is called cross-correlation. p is a number,
"valid" (0), "same", or a pair (before, after). "same" keeps n at a stride of 1: p = (f − 1)/2, and
an even f pads one more after than before. `kernels/convolution.py` chooses how it is computed.

>>> edge = jnp.array([[1.0, 0.0, -1.0]] * 3)[:, :, None, None]
>>> half = jnp.concatenate([10 * jnp.ones((1, 6, 3, 1)), jnp.zeros((1, 6, 3, 1))], axis=2)
>>> conv2d(half, edge, None)[0, 0, :, 0]
Array([ 0., 30., 30.,  0.], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.errors import OptionError, check_fits
from chainrule.kernels import convolution as kernel

Padding = int | str | tuple[int, int]
"""The padding: a number, "valid", "same", or (before, after)."""


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["A_prev", "W"],
    meta_fields=["s", "pads", "has_b"],
)
@dataclass(frozen=True)
class ConvolutionCache:
    """The values that the forward pass keeps for the backward pass."""

    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"]
    W: Float[Array, "f f n_C_prev n_C"]
    s: int
    pads: tuple[int, int]
    has_b: bool


def conv2d_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    W: Float[Array, "f f n_C_prev n_C"],
    b: Float[Array, "1 1 1 n_C"] | None,
    *,
    s: int = 1,
    p: Padding = 0,
) -> tuple[Float[Array, "m n_H n_W n_C"], ConvolutionCache]:
    """Return Z and the cache for `conv2d_backward`; ShapeError if the filter does not fit."""
    pads = pads_of(p, W.shape[0])
    check_fits("conv2d", A_prev.shape, W.shape[0], s, pads)
    Z = kernel.convolution(A_prev, W, b, s=s, pads=pads)
    return Z, ConvolutionCache(A_prev, W, s, pads, b is not None)


def conv2d_backward(
    dZ: Float[Array, "m n_H n_W n_C"], cache: ConvolutionCache
) -> tuple[
    Float[Array, "m n_H_prev n_W_prev n_C_prev"],
    Float[Array, "f f n_C_prev n_C"],
    Float[Array, "1 1 1 n_C"] | None,
]:
    """Return the gradients of A_prev, W and b, in that order."""
    _, n_H_prev, n_W_prev, _ = cache.A_prev.shape
    f, geometry = cache.W.shape[0], {"s": cache.s, "pads": cache.pads}
    dA_prev = kernel.input_gradient(dZ, cache.W, n_H_prev=n_H_prev, n_W_prev=n_W_prev, **geometry)
    dW, db = kernel.filter_gradient(cache.A_prev, dZ, f_H=f, f_W=f, **geometry, bias=cache.has_b)
    return dA_prev, dW, db


conv2d = as_block(conv2d_forward, conv2d_backward)


def size_after(n_prev: int, f: int, s: int = 1, p: Padding = 0) -> int:
    """Return ⌊(n_prev + 2p − f)/s⌋ + 1, the height or width after convolution or pooling.

    >>> size_after(39, 3), size_after(37, 5, s=2), size_after(32, 3, p="same")
    (37, 17, 32)
    """
    return (n_prev + sum(pads_of(p, f)) - f) // s + 1


def pads_of(p: Padding, f: int) -> tuple[int, int]:
    """Return the number of zeros to add before and after an axis, for a filter of f by f.

    >>> pads_of("same", 3), pads_of("same", 4), pads_of("valid", 3), pads_of(2, 5)
    ((1, 1), (1, 2), (0, 0), (2, 2))
    """
    if p == "same":
        return (f - 1) // 2, f // 2
    if p == "valid":
        return 0, 0
    pair = p if isinstance(p, tuple) else (p, p)
    sizes = [n for n in pair if isinstance(n, int) and n >= 0]
    if not len(pair) == len(sizes) == 2:
        expected = '"same", "valid", a number, or (before, after)'
        raise OptionError("the padding", expected, repr(p), '"same"')
    return sizes[0], sizes[1]
