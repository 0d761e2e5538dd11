"""Pooling: the maximum or the average of every f by f window of a channel.

Notes: "Pooling layers" (course 4, week 1); "Backpropagation in pooling layers".

    size        n = ⌊(n_prev + 2p − f)/s⌋ + 1
    forward     max_pool       A[h, w] = max over i, j of A_pad[s h + i, s w + j]
                average_pool   A[h, w] = (1/f²) Σ over i, j of A_pad[s h + i, s w + j]
                global_average_pool   A = (1/(n_H n_W)) Σ over h, w of A_prev[h, w]
    backward    max_pool       dA_pad[s h + i, s w + j] = Σ of dA[h, w] where it was the largest
                average_pool   dA_pad[s h + i, s w + j] = Σ of dA[h, w] / f²
                global_average_pool   dA_prev[h, w] = dA / (n_H n_W)

Of equal maxima the first gets all of the gradient (the notes' mask gives it to each of them). The
padding is −∞ for max_pool and 0 for average_pool, where it counts among the f² numbers. Pooling has
no parameters. Each formula with f² terms is compiled as one program, also when it is called alone.

>>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1), f=2, s=2)[0, :, :, 0]
Array([[ 5.,  7.],
       [13., 15.]], dtype=float64)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Integer

from chainrule.blocks.block import as_block
from chainrule.blocks.convolution import Padding, pads_of, size_after
from chainrule.errors import check_fits


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["largest"],
    meta_fields=["f", "s", "pads", "n_H_prev", "n_W_prev"],
)
@dataclass(frozen=True)
class PoolCache:
    """The cache of pooling: the sizes, and for max_pool the position of each window's maximum."""

    largest: Integer[Array, "m n_H n_W n_C"] | None
    f: int
    s: int
    pads: tuple[int, int]
    n_H_prev: int
    n_W_prev: int


@partial(jax.jit, static_argnames=("f", "s", "p"))
def max_pool_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C"], *, f: int, s: int, p: Padding = 0
) -> tuple[Float[Array, "m n_H n_W n_C"], PoolCache]:
    """Return the maximum of each window, and a cache with its position."""
    cache = _cache("max_pool", A_prev, f, s, p)
    places = enumerate(_windows(A_prev, cache, -jnp.inf))
    _, A = next(places)
    largest = jnp.zeros(A.shape, jnp.int8 if f * f < 128 else jnp.int32)
    for k, window in places:
        largest = jnp.where(window > A, jnp.asarray(k, largest.dtype), largest)
        A = jnp.maximum(A, window)  # which propagates nan
    return A, PoolCache(largest, f, s, cache.pads, cache.n_H_prev, cache.n_W_prev)


@jax.jit
def max_pool_backward(
    dA: Float[Array, "m n_H n_W n_C"], cache: PoolCache
) -> Float[Array, "m n_H_prev n_W_prev n_C"]:
    """Return dA at the position of each maximum, and 0 elsewhere."""
    largest = cache.largest
    return _spread([jnp.where(largest == k, dA, 0) for k in range(cache.f**2)], cache)


max_pool = as_block(max_pool_forward, max_pool_backward)


@partial(jax.jit, static_argnames=("f", "s", "p"))
def average_pool_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C"], *, f: int, s: int, p: Padding = 0
) -> tuple[Float[Array, "m n_H n_W n_C"], PoolCache]:
    """Return the average of each window; the zeros of the padding count."""
    cache = _cache("average_pool", A_prev, f, s, p)
    first, *others = _windows(A_prev, cache, 0.0)
    return sum(others, start=first) / f**2, cache


@jax.jit
def average_pool_backward(
    dA: Float[Array, "m n_H n_W n_C"], cache: PoolCache
) -> Float[Array, "m n_H_prev n_W_prev n_C"]:
    """Distribute dA / f² to each number of the window."""
    return _spread([dA / cache.f**2] * cache.f**2, cache)


average_pool = as_block(average_pool_forward, average_pool_backward)


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["shape"])
@dataclass(frozen=True)
class GlobalPoolCache:
    """The cache of global average pooling: the shape of the input."""

    shape: tuple[int, ...]


def global_average_pool_forward(
    A_prev: Float[Array, "m n_H n_W n_C"],
) -> tuple[Float[Array, "m 1 1 n_C"], GlobalPoolCache]:
    """Return the average of each channel."""
    return A_prev.mean(axis=(1, 2), keepdims=True), GlobalPoolCache(A_prev.shape)


def global_average_pool_backward(
    dA: Float[Array, "m 1 1 n_C"], cache: GlobalPoolCache
) -> Float[Array, "m n_H n_W n_C"]:
    """Return dA / (n_H n_W) at every position."""
    _, n_H, n_W, _ = cache.shape
    return jnp.broadcast_to(dA / (n_H * n_W), cache.shape)


global_average_pool = as_block(global_average_pool_forward, global_average_pool_backward)


def _cache(where: str, A_prev: Array, f: int, s: int, p: Padding) -> PoolCache:
    """Check the sizes and return them as a cache without maxima."""
    pads = pads_of(p, f)
    check_fits(where, A_prev.shape, f, s, pads)
    return PoolCache(None, f, s, pads, *A_prev.shape[1:3])


def _windows(A_prev: Array, cache: PoolCache, border: float) -> Iterator[Array]:
    """Yield, for each of the f² positions, the number there in every window (m, n_H, n_W, n_C)."""
    around = ((0, 0), cache.pads, cache.pads, (0, 0))
    padded = jnp.pad(A_prev, around, constant_values=border)
    f, s = cache.f, cache.s
    n_H, n_W = (size_after(n, f, s, cache.pads) for n in A_prev.shape[1:3])
    for i in range(f):
        for j in range(f):
            yield padded[:, i : i + s * (n_H - 1) + 1 : s, j : j + s * (n_W - 1) + 1 : s]


def _spread(parts: list[Array], cache: PoolCache) -> Array:
    """Add each of the f² parts to its positions in the input, and cut off the padding."""
    f, s, (before, _) = cache.f, cache.s, cache.pads
    n_H, n_W = parts[0].shape[1:3]
    zero = jnp.zeros((), parts[0].dtype)
    total = None
    for k, part in enumerate(parts):
        i, j = divmod(k, f)
        around = [
            (at - before, n_prev + before - at - s * (n - 1) - 1, s - 1)
            for at, n_prev, n in ((i, cache.n_H_prev, n_H), (j, cache.n_W_prev, n_W))
        ]
        back = jax.lax.pad(part, zero, [(0, 0, 0), *around, (0, 0, 0)])
        total = back if total is None else total + back
    assert total is not None
    return total
