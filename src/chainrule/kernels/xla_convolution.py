"""Convolutions by XLA, on any device and in any dtype.

Images are (m, n_H, n_W, n_C), filters (f_H, f_W, n_C_prev / groups, n_C). `pads` are the numbers of
zeros before and after, the same for both axes; s is the stride.

Two cases in which XLA's own convolution is slow on a CPU are computed otherwise
(docs/experiments.md has the figures): a depthwise convolution as a sum of f² shifted products, up
to fifty times faster; the gradient of the filters as f² matrix products for each image, up to ten
times faster, and up to a hundred times inside a loop.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.kernels.products import on_cpu

IMAGES = ("NHWC", "HWIO", "NHWC")

Pads = tuple[int, int]


def forward(A_prev: Array, W: Array, *, s: int, pads: Pads, groups: int) -> Array:
    """Return the convolution Z (m, n_H, n_W, n_C), without b."""
    if _shifts_pay(A_prev.shape[3], W.shape[3], groups):
        n_H, n_W = (_size(n, f, s, pads) for n, f in zip(A_prev.shape[1:3], W.shape, strict=False))
        places = _shifted(A_prev, W.shape, s, pads, n_H, n_W)
        return sum(patch * W[i, j][None, None] for i, j, patch in places)  # pyright: ignore
    return jax.lax.conv_general_dilated(
        A_prev, W, (s, s), (pads, pads), dimension_numbers=IMAGES, feature_group_count=groups
    )


def input_gradient(
    dZ: Array, W: Array, *, n_H_prev: int, n_W_prev: int, s: int, pads: Pads, groups: int
) -> Array:
    """Return dA_prev: dZ, dilated by s, convolved with the flipped filters."""
    f_H, f_W, n_C_in, n_C = W.shape
    flipped = W[::-1, ::-1].reshape(f_H, f_W, n_C_in, groups, n_C // groups)
    flipped = flipped.transpose(0, 1, 4, 3, 2).reshape(f_H, f_W, n_C // groups, groups * n_C_in)
    around = [
        (f - 1 - pads[0], n_prev - 1 - s * (n - 1) + pads[0])
        for f, n_prev, n in ((f_H, n_H_prev, dZ.shape[1]), (f_W, n_W_prev, dZ.shape[2]))
    ]
    if s == 1 and _shifts_pay(groups * n_C_in, n_C, groups) and min(map(min, around)) >= 0:
        padded = jnp.pad(dZ, ((0, 0), *around, (0, 0)))
        places = _shifted(padded, W.shape, 1, (0, 0), n_H_prev, n_W_prev)
        return sum(patch * flipped[i, j][None, None] for i, j, patch in places)  # pyright: ignore
    return jax.lax.conv_general_dilated(
        dZ,
        flipped,
        (1, 1),
        around,
        lhs_dilation=(s, s),
        dimension_numbers=IMAGES,
        feature_group_count=groups,
    )


def filter_gradient(
    A_prev: Array, dZ: Array, *, f_H: int, f_W: int, s: int, pads: Pads, groups: int
) -> Array:
    """Return dW: for each position of the filter, the product of A_prev below it and dZ."""
    n_C_prev, n_C = A_prev.shape[3], dZ.shape[3]
    n_H, n_W = dZ.shape[1:3]
    f = (f_H, f_W)
    if _shifts_pay(n_C_prev, n_C, groups):
        products = [
            patch * dZ for _, _, patch in _shifted(A_prev, f, s, pads, n_H, n_W)
        ]  # each is summed by a product with ones, since XLA's own sum is slow on a CPU
        ones = jnp.ones((1, dZ.size // n_C), dZ.dtype)
        return jnp.stack([ones @ p.reshape(-1, n_C) for p in products]).reshape(*f, 1, n_C)
    if groups == 1 and on_cpu():
        columns = dZ.reshape(len(dZ), -1, n_C)
        products = [
            jnp.einsum("mpc,mpk->mck", patch.reshape(len(dZ), -1, n_C_prev), columns).sum(axis=0)
            for _, _, patch in _shifted(A_prev, f, s, pads, n_H, n_W)
        ]
        return jnp.stack(products).reshape(*f, n_C_prev, n_C)
    sizes = ((f_H, A_prev.shape[1], n_H), (f_W, A_prev.shape[2], n_W))
    around = [(pads[0], f + s * (n - 1) - n_prev - pads[0]) for f, n_prev, n in sizes]
    return jax.lax.conv_general_dilated(
        A_prev,
        dZ,
        (1, 1),
        around,
        rhs_dilation=(s, s),
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
        batch_group_count=groups,
    )


def _shifts_pay(n_C_prev: int, n_C: int, groups: int) -> bool:
    """Return whether a sum of shifted products is faster: depthwise convolutions on a CPU."""
    return groups == n_C_prev == n_C and n_C > 1 and on_cpu()


def _size(n_prev: int, f: int, s: int, pads: Pads) -> int:
    return (n_prev + sum(pads) - f) // s + 1


def _shifted(
    A: Array, f: tuple[int, ...], s: int, pads: Pads, n_H: int, n_W: int
) -> Iterator[tuple[int, int, Array]]:
    """Yield, for each position (i, j) of the filter, the inputs there (m, n_H, n_W, n_C)."""
    padded = jnp.pad(A, ((0, 0), pads, pads, (0, 0)))
    for i in range(f[0]):
        for j in range(f[1]):
            rows, columns = slice(i, i + s * (n_H - 1) + 1, s), slice(j, j + s * (n_W - 1) + 1, s)
            yield i, j, padded[:, rows, columns]
