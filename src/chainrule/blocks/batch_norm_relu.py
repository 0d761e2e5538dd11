"""Batch norm of images fused with the operations after it: adding a shortcut, and ReLU.

Notes: "Fitting batch norm into a neural network" (course 2, week 3); "ResNets" (course 4, week 2):
a[l+2] = g(z[l+2] + a[l]).

    forward     Z_tilde = γ ⊙ Z_norm + β + shortcut; A = relu(Z_tilde)
    backward    dZ_tilde = dA where A > 0, else 0; dshortcut = dZ_tilde;
                dZ, dγ and dβ from dZ_tilde, as in `normalization.py`

This is a fused block: each part has its own file, and this one computes the same numbers with fewer
passes over memory if the native kernels are installed (`kernels/native.py`). Without
`relu`, A is Z_tilde; without a shortcut (None), nothing is added.

>>> Z = jnp.array([1.0, 3.0]).reshape(2, 1, 1, 1)
>>> one = jnp.ones((1, 1, 1, 1))
>>> batch_norm_relu(Z, one, 0 * one)[0].round(4).ravel()
Array([0., 1.], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.normalization import (
    EPSILON,
    BatchNormCache,
    batch_norm_backward,
    batch_norm_forward,
)
from chainrule.kernels import native
from chainrule.kernels.native import uses_native

Images = Float[Array, "m n_H n_W n_C"]
Channels = Float[Array, "1 1 1 n_C"]


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["A", "normalization"],
    meta_fields=["eps", "has_shortcut"],
)
@dataclass(frozen=True)
class BatchNormReluCache:
    """The cache of the fused block: the output A, and the cache of batch norm.

    The sign of A gives the derivative of ReLU; A is None if there is no ReLU. `normalization` is
    the cache of `batch_norm`, or, for the native kernel, Z, γ, mean, variance and weights.
    """

    A: Images | None
    normalization: BatchNormCache | tuple[Any, ...]
    eps: float
    has_shortcut: bool


def batch_norm_relu_forward(
    Z: Images,
    gamma: Channels,
    beta: Channels,
    shortcut: Images | None = None,
    weights: Float[Array, "1 m"] | None = None,
    *,
    eps: float = EPSILON,
    relu: bool = True,
) -> tuple[tuple[Images, Channels, Channels], BatchNormReluCache]:
    """Return A, the mean and the variance; examples of weight 0 do not affect them."""
    if uses_native(Z):
        A, mean, variance = native.batch_norm_forward(
            Z, gamma, beta, weights, shortcut, eps=eps, relu=relu
        )
        kept: BatchNormCache | tuple[Any, ...] = (Z, gamma, mean, variance, weights)
    else:
        (A, mean, variance), kept = batch_norm_forward(Z, gamma, beta, weights, eps=eps)
        A = A if shortcut is None else A + shortcut
        A = jnp.maximum(0, A) if relu else A
    cache = BatchNormReluCache(A if relu else None, kept, eps, shortcut is not None)
    return (A, mean, variance), cache


def batch_norm_relu_backward(
    d_output: tuple[Images, Channels, Channels], cache: BatchNormReluCache
) -> tuple[Images, Channels, Channels, Images | None]:
    """Return the gradients of Z, γ, β and the shortcut."""
    if not isinstance(cache.normalization, BatchNormCache):
        return native.batch_norm_backward(
            d_output, cache.A, *cache.normalization, eps=cache.eps, shortcut=cache.has_shortcut
        )
    dA, d_mean, d_variance = d_output
    dZ_tilde = dA if cache.A is None else jnp.where(cache.A > 0, dA, 0)
    gradients = batch_norm_backward((dZ_tilde, d_mean, d_variance), cache.normalization)
    return *gradients, dZ_tilde if cache.has_shortcut else None


batch_norm_relu = as_block(batch_norm_relu_forward, batch_norm_relu_backward)
