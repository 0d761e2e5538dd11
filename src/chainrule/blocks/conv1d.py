"""Convolution over time: the same filters are applied at every step of a sequence.

Notes: "1D and 3D generalizations" (course 4, week 4); "Trigger word detection" (course 5, week 3).

    size        T' = ⌊(T + before + after − f)/s⌋ + 1
    forward     Z[t] = Σ over i of W[i]ᵀ X_pad[s t + i] + b
                X_pad is X with `before` and `after` steps of zeros around it
    backward    dX_pad[s t + i] = Σ of W[i] dZ[t], and dX without the padding
                dW[i] = Σ over m, t of X_pad[s t + i] dZ[t]ᵀ
                db = Σ over m, t of dZ[t]

X is (T, n_x, m), W (f, n_x, n_C), b (n_C, 1) or None. p is as in `conv2d`: a number, "valid",
"same", or (before, after). With p = (f − 1, 0) and s = 1 the convolution is causal: Z[t] depends
on X[0] … X[t] only. All filters at all steps are one matrix product, with the f steps that a filter
covers side by side.

>>> X = jnp.array([1.0, 2.0, 4.0, 8.0])[:, None, None]
>>> W = jnp.array([-1.0, 1.0])[:, None, None]  # the difference of two steps
>>> conv1d(X, W, None).ravel(), conv1d(X, W, None, p=(1, 0)).ravel()
(Array([1., 2., 4.], dtype=float64), Array([1., 1., 2., 4.], dtype=float64))
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.convolution import Padding, pads_of, size_after
from chainrule.errors import check_window
from chainrule.kernels.rows import rows, steps, summed_products


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["X", "W"],
    meta_fields=["s", "pads", "has_b"],
)
@dataclass(frozen=True)
class Conv1dCache:
    """The values that the forward pass keeps for the backward pass."""

    X: Float[Array, "T n_x m"]
    W: Float[Array, "f n_x n_C"]
    s: int
    pads: tuple[int, int]
    has_b: bool


def conv1d_forward(
    X: Float[Array, "T n_x m"],
    W: Float[Array, "f n_x n_C"],
    b: Float[Array, "n_C 1"] | None,
    *,
    s: int = 1,
    p: Padding = 0,
) -> tuple[Float[Array, "T_out n_C m"], Conv1dCache]:
    """Return Z and the cache; ShapeError if the filter does not fit."""
    f, _, n_C = W.shape
    pads = pads_of(p, f)
    check_window("conv1d", X.shape[0], f, s, pads)
    Z = _patches(X, f, s, pads) @ W.reshape(-1, n_C)
    Z = steps(Z if b is None else Z + b.T, size_after(X.shape[0], f, s, pads))
    return Z, Conv1dCache(X, W, s, pads, b is not None)


def conv1d_backward(
    dZ: Float[Array, "T_out n_C m"], cache: Conv1dCache
) -> tuple[Float[Array, "T n_x m"], Float[Array, "f n_x n_C"], Float[Array, "n_C 1"] | None]:
    """Return the gradients of X, W and b, in that order."""
    X, W, s, pads = cache.X, cache.W, cache.s, cache.pads
    f, n_x, n_C = W.shape
    d_rows = rows(dZ)
    d_patches = steps(d_rows @ W.reshape(-1, n_C).T, dZ.shape[0])  # (T', f n_x, m)
    last, length = s * (dZ.shape[0] - 1) + 1, X.shape[0] + sum(pads)
    dX_pad, still = jnp.zeros((length, *X.shape[1:]), X.dtype), (0, 0, 0)
    for i in range(f):  # step s t + i receives the part of filter step i from each t
        part, place = d_patches[:, i * n_x : (i + 1) * n_x], (i, length - last - i, s - 1)
        dX_pad += jax.lax.pad(part, jnp.zeros((), dZ.dtype), (place, still, still))
    dX = dX_pad[pads[0] : pads[0] + X.shape[0]]
    dW = summed_products(_patches(X, f, s, pads), d_rows).reshape(W.shape)
    return dX, dW, d_rows.sum(axis=0)[:, None] if cache.has_b else None


conv1d = as_block(conv1d_forward, conv1d_backward)


def _patches(
    X: Float[Array, "T n_x m"], f: int, s: int, pads: tuple[int, int]
) -> Float[Array, "rows f_n_x"]:
    """Return the f steps that the filter covers at each place, side by side."""
    X_pad = jnp.pad(X, (pads, (0, 0), (0, 0)))
    last = s * (size_after(X.shape[0], f, s, pads) - 1) + 1
    return rows(jnp.concatenate([X_pad[i : i + last : s] for i in range(f)], axis=1))
