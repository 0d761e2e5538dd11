"""Convolution and pooling as in the notes: loops over examples, positions and channels.

Notes: "Convolutional model: step by step" (course 4, week 1). In NumPy, one number after another,
and the ways back written from the loops, not from our formulas. Borders are (before, after).
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np


def there_and_back(block, dZ, *inputs, **settings):
    """Return the output of a block and its gradients, in one compilation."""

    @jax.jit
    def run(dZ, *inputs):
        Z, pull = jax.vjp(partial(block, **settings), *inputs)
        return Z, pull(dZ)

    return run(jnp.asarray(dZ), *map(jnp.asarray, inputs))


def assert_close(got, want) -> None:
    """Check that one or several arrays are close."""
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


def zero_pad(A, pads, border=0.0):
    """Return A with padding around it."""
    return np.pad(A, ((0, 0), pads, pads, (0, 0)), constant_values=border)


def slices(m, n_H, n_W, n_C, f, s) -> Iterator:
    """Yield (i, h, w, c) of the four loops, and the rows and columns of their window."""
    for i in range(m):
        for h in range(n_H):
            for w in range(n_W):
                for c in range(n_C):
                    yield (i, h, w, c), (i, slice(h * s, h * s + f), slice(w * s, w * s + f))


def sizes(A_prev, f, s, pads):
    """Return n_H and n_W."""
    return [int(np.floor((n + sum(pads) - f) / s)) + 1 for n in A_prev.shape[1:3]]


def conv_forward(A_prev, W, b, s, pads):
    """Return Z."""
    f, _, _, n_C = W.shape
    m, (n_H, n_W) = A_prev.shape[0], sizes(A_prev, f, s, pads)
    A_pad, Z = zero_pad(A_prev, pads), np.zeros((m, n_H, n_W, n_C))
    for place, window in slices(m, n_H, n_W, n_C, f, s):
        c = place[3]
        Z[place] = np.sum(A_pad[window] * W[..., c]) + b[0, 0, 0, c]
    return Z


def conv_backward(dZ, A_prev, W, s, pads):
    """Return dA_prev, dW and db."""
    f = W.shape[0]
    A_pad, dW, db = zero_pad(A_prev, pads), np.zeros_like(W), np.zeros((1, 1, 1, W.shape[3]))
    dA_pad = np.zeros_like(A_pad)
    for place, window in slices(*dZ.shape, f, s):
        c = place[3]
        dA_pad[window] += W[..., c] * dZ[place]
        dW[..., c] += A_pad[window] * dZ[place]
        db[..., c] += dZ[place]
    return without_border(dA_pad, A_prev, pads), dW, db


def without_border(dA_pad, A_prev, pads):
    """Return dA_prev, without the gradients of the padding."""
    _, n_H, n_W, _ = A_prev.shape
    return dA_pad[:, pads[0] : pads[0] + n_H, pads[0] : pads[0] + n_W]


def pool_forward(A_prev, f, s, pads, mode):
    """Return A, the "max" or the "average" of each window."""
    m, (n_H, n_W), n_C = A_prev.shape[0], sizes(A_prev, f, s, pads), A_prev.shape[3]
    A_pad = zero_pad(A_prev, pads, -np.inf if mode == "max" else 0.0)
    A = np.zeros((m, n_H, n_W, n_C))
    for place, window in slices(m, n_H, n_W, n_C, f, s):
        A[place] = (np.max if mode == "max" else np.mean)(A_pad[window][..., place[3]])
    return A


def pool_backward(dA, A_prev, f, s, pads, mode):
    """Return dA_prev; a mask finds the maximum, as in the notes, so there must be only one."""
    A_pad = zero_pad(A_prev, pads, -np.inf if mode == "max" else 0.0)
    dA_pad = np.zeros_like(A_pad)
    for place, window in slices(*dA.shape, f, s):
        seen = A_pad[window][..., place[3]]
        share = seen == np.max(seen) if mode == "max" else np.full((f, f), 1 / f**2)
        dA_pad[window][..., place[3]] += share * dA[place]
    return without_border(dA_pad, A_prev, pads)
