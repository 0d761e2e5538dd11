"""Convolutions by XLA, on any device and in any dtype.

Images are (m, n_H, n_W, n_C), filters (f_H, f_W, n_C_prev / groups, n_C). `pads` are the numbers of
zeros before and after, the same for both axes; s is the stride.

Where XLA's own convolution is slow on a CPU, it is computed from the inputs below each position
(i, j) of the filter, the patches P[i,j] (m, n_H, n_W, n_C_prev), with a matrix product for each:

    Z        = Σ P[i,j] W[i,j]          if the filters are 1×1 or the output is small
    dW[i,j]  = P[i,j]ᵀ dZ               summed over the images, a few at a time
    dA_prev  = Σ dZ W[i,j]ᵀ, each shifted to where its patch was

A depthwise convolution multiplies by W[i,j] instead, elementwise, one image after the other, so
that the patches stay in the cache. docs/experiments.md has the figures ("Convolutions by XLA").
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.kernels.products import on_cpu

IMAGES = ("NHWC", "HWIO", "NHWC")
FEW_POSITIONS = 64  # up to so many outputs, a product for each place of the filter is faster
MOST_PLACES = 9  # if the filter has at most so many: 3×3
ROWS_AT_ONCE = 1024  # of patches, for a product that gives a part of dW

Pads = tuple[int, int]


def forward(A_prev: Array, W: Array, *, s: int, pads: Pads, groups: int) -> Array:
    """Return the convolution Z (m, n_H, n_W, n_C), without b."""
    n_H, n_W = (_size(n, f, s, pads) for n, f in zip(A_prev.shape[1:3], W.shape, strict=False))
    if _patches_pay(A_prev.shape[3], W.shape, groups, n_H * n_W):
        return _forward_by_patches(A_prev, W, s=s, pads=pads, n_H=n_H, n_W=n_W, groups=groups)
    return jax.lax.conv_general_dilated(
        A_prev, W, (s, s), (pads, pads), dimension_numbers=IMAGES, feature_group_count=groups
    )


def input_gradient(
    dZ: Array, W: Array, *, n_H_prev: int, n_W_prev: int, s: int, pads: Pads, groups: int
) -> Array:
    """Return dA_prev: dZ, dilated by s, convolved with the flipped filters."""
    f_H, f_W, n_C_in, n_C = W.shape
    if _patches_pay(groups * n_C_in, W.shape, groups, n_H_prev * n_W_prev):
        sizes = {"n_H_prev": n_H_prev, "n_W_prev": n_W_prev}
        return _input_gradient_by_patches(dZ, W, **sizes, s=s, pads=pads, groups=groups)
    flipped = W[::-1, ::-1].reshape(f_H, f_W, n_C_in, groups, n_C // groups)
    flipped = flipped.transpose(0, 1, 4, 3, 2).reshape(f_H, f_W, n_C // groups, groups * n_C_in)
    around = [
        (f - 1 - pads[0], n_prev - 1 - s * (n - 1) + pads[0])
        for f, n_prev, n in ((f_H, n_H_prev, dZ.shape[1]), (f_W, n_W_prev, dZ.shape[2]))
    ]
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
    if _is_depthwise(A_prev.shape[3], dZ.shape[3], groups):
        return _depthwise_filter_gradient(A_prev, dZ, f=(f_H, f_W), s=s, pads=pads)
    if groups == 1 and on_cpu():
        return _filter_gradient_by_patches(A_prev, dZ, f=(f_H, f_W), s=s, pads=pads)
    sizes = ((f_H, A_prev.shape[1], dZ.shape[1]), (f_W, A_prev.shape[2], dZ.shape[2]))
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


# By patches. As jitted functions, so that a step outside of jit compiles them once; sums are in
# float32 at least.


@partial(jax.jit, static_argnames=("s", "pads", "n_H", "n_W", "groups"), inline=True)
def _forward_by_patches(
    A_prev: Array, W: Array, *, s: int, pads: Pads, n_H: int, n_W: int, groups: int
) -> Array:
    def of(images: Array) -> Array:
        patches = _patches(images, W.shape, s, pads, n_H, n_W)
        Z: Any = sum(_times(patch, W[i, j], groups) for i, j, patch in patches)
        return Z.astype(A_prev.dtype)

    return of(A_prev) if groups == 1 else _each_image(of, A_prev)


@partial(jax.jit, static_argnames=("n_H_prev", "n_W_prev", "s", "pads", "groups"), inline=True)
def _input_gradient_by_patches(
    dZ: Array, W: Array, *, n_H_prev: int, n_W_prev: int, s: int, pads: Pads, groups: int
) -> Array:
    """Return dA_prev, whose rows and columns with the same remainder modulo s belong together.

    Row s q + a was below place i of the filter for the output row (s q + a + pads[0] − i) / s,
    if that is a whole number: q + shift, for every q.
    """
    f_H, f_W = W.shape[:2]
    Q_H, Q_W = -(-n_H_prev // s), -(-n_W_prev // s)
    up, left = (max(0, -((pads[0] - f + 1) // s)) for f in (f_H, f_W))
    last = (s - 1 + pads[0]) // s
    below, beside = (max(0, Q + last - n) for Q, n in ((Q_H, dZ.shape[1]), (Q_W, dZ.shape[2])))
    W_T = W if groups > 1 else W.transpose(0, 1, 3, 2)

    def of(dZ: Array) -> Array:
        padded = jnp.pad(dZ, ((0, 0), (up, below), (left, beside), (0, 0)))
        zeros = jnp.zeros((len(dZ), Q_H, Q_W, W_T.shape[3]), _wide(dZ))

        def part(a: int, b: int) -> Array:
            total = zeros
            for i, j in ((i, j) for i in range(f_H) for j in range(f_W)):
                down, rest_H = divmod(a + pads[0] - i, s)
                right, rest_W = divmod(b + pads[0] - j, s)
                if not rest_H and not rest_W:
                    y, x = up + down, left + right
                    total += _times(padded[:, y : y + Q_H, x : x + Q_W], W_T[i, j], groups)
            return total.astype(dZ.dtype)

        if s == 1:
            return part(0, 0)
        rows = [jnp.stack([part(a, b) for b in range(s)], axis=3) for a in range(s)]
        interleaved = jnp.stack(rows, axis=2).reshape(len(dZ), s * Q_H, s * Q_W, W_T.shape[3])
        return interleaved[:, :n_H_prev, :n_W_prev]

    return of(dZ) if groups == 1 or s > 1 else _each_image(of, dZ)


@partial(jax.jit, static_argnames=("f", "s", "pads"), inline=True)
def _depthwise_filter_gradient(
    A_prev: Array, dZ: Array, *, f: tuple[int, int], s: int, pads: Pads
) -> Array:
    _, n_H, n_W, n_C = dZ.shape
    ones = jnp.ones((1, n_H * n_W), _wide(dZ))  # a product with ones is faster than XLA's sum

    def add(dW: Array, image: tuple[Array, Array]) -> tuple[Array, None]:
        A, dZ = (x.astype(dW.dtype) for x in image)
        patches = _patches(A[None], f, s, pads, n_H, n_W)
        parts = [ones @ (patch[0] * dZ).reshape(-1, n_C) for _, _, patch in patches]
        return dW + jnp.stack(parts).reshape(*f, 1, n_C), None

    start = jnp.zeros((*f, 1, n_C), _wide(dZ))
    return jax.lax.scan(add, start, (A_prev, dZ))[0].astype(dZ.dtype)


@partial(jax.jit, static_argnames=("f", "s", "pads"), inline=True)
def _filter_gradient_by_patches(
    A_prev: Array, dZ: Array, *, f: tuple[int, int], s: int, pads: Pads
) -> Array:
    m, n_H, n_W, n_C = dZ.shape
    entries = f[0] * f[1] * A_prev.shape[3]
    few = images_at_once(m, n_H * n_W)
    A_batches, dZ_batches = (x.reshape(m // few, few, *x.shape[1:]) for x in (A_prev, dZ))

    def add(dW: Array, batch: tuple[Array, Array]) -> tuple[Array, None]:
        A, dZ = batch
        patches = [patch for _, _, patch in _patches(A, f, s, pads, n_H, n_W)]
        rows = jnp.concatenate(patches, axis=3).reshape(-1, entries)
        product = jnp.matmul(rows.T, dZ.reshape(-1, n_C), preferred_element_type=dW.dtype)
        return dW + product, None

    start = jnp.zeros((entries, n_C), _wide(dZ))
    dW = jax.lax.scan(add, start, (A_batches, dZ_batches))[0]
    return dW.astype(dZ.dtype).reshape(*f, A_prev.shape[3], n_C)


def _is_depthwise(n_C_prev: int, n_C: int, groups: int) -> bool:
    """Return whether this is a depthwise convolution on a CPU."""
    return groups == n_C_prev == n_C and n_C > 1 and on_cpu()


def _patches_pay(n_C_prev: int, W: tuple[int, ...], groups: int, positions: int) -> bool:
    """Return whether a sum over the patches is faster than XLA's own convolution."""
    places = W[0] * W[1]
    few = places == 1 or (positions <= FEW_POSITIONS and places <= MOST_PLACES)
    return _is_depthwise(n_C_prev, W[3], groups) or (groups == 1 and few and on_cpu())


def _times(patch: Array, W: Array, groups: int) -> Array:
    """Return the part of Z of one place of the filter: W (n_C_prev, n_C), or (1, n_C) depthwise."""
    wide = _wide(patch)
    if groups > 1:
        return patch.astype(wide) * W[None, None].astype(wide)
    rows = patch.reshape(-1, W.shape[0])
    return jnp.matmul(rows, W, preferred_element_type=wide).reshape(*patch.shape[:3], W.shape[1])


def _wide(A: Array) -> Any:
    """Return the dtype of sums: float32 for bfloat16 and float16, and otherwise that of A."""
    return jnp.float32 if A.dtype.itemsize < 4 else A.dtype


def images_at_once(m: int, positions: int) -> int:
    """Return how many of m images are taken at once, so that their patches stay in the cache.

    >>> images_at_once(64, 8 * 8), images_at_once(64, 32 * 32), images_at_once(7, 14 * 14)
    (16, 1, 1)
    """
    most = max(1, min(m, ROWS_AT_ONCE // max(1, positions)))
    return next(count for count in range(most, 0, -1) if m % count == 0)


def _each_image(function: Callable[[Array], Array], images: Array) -> Array:
    """Return function(images), computed one image after the other."""
    return jax.lax.map(lambda image: function(image[None])[0], images)


def _size(n_prev: int, f: int, s: int, pads: Pads) -> int:
    return (n_prev + sum(pads) - f) // s + 1


def _patches(
    A: Array, f: tuple[int, ...], s: int, pads: Pads, n_H: int, n_W: int
) -> Iterator[tuple[int, int, Array]]:
    """Yield, for each position (i, j) of the filter, the inputs there (m, n_H, n_W, n_C)."""
    padded = jnp.pad(A, ((0, 0), pads, pads, (0, 0)))
    for i in range(f[0]):
        for j in range(f[1]):
            rows, columns = slice(i, i + s * (n_H - 1) + 1, s), slice(j, j + s * (n_W - 1) + 1, s)
            yield i, j, padded[:, rows, columns]
