"""L2 and L1 penalties, which are added to the cost J to keep the weights small.

Notes: "Regularization" and "Why regularization reduces overfitting" (course 2, week 1).

    forward     l2_penalty    J = λ/(2m) Σ W²
                l1_penalty    J = λ/m Σ |W|
    backward    l2_penalty    dW = dJ · (λ/m) W
                l1_penalty    dW = dJ · (λ/m) sign(W), 0 where W = 0

m is the size of the training set, not of the batch, so that λ has the same meaning for every batch
size. Together with the gradient of the cost, W = W − α (dW + (λ/m) W) = (1 − αλ/m) W − α dW: each
step first shrinks W a little, which is why L2 is also called weight decay. L1 instead subtracts the
same amount from every weight, which drives many of them to 0.

>>> float(l2_penalty(jnp.array([[1.0, -2.0]]), 0.6, 10)), float(l1_penalty(jnp.ones((2, 2)), 1, 4))
(0.15, 1.0)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Num

from chainrule.blocks.block import as_block

Number = Num[ArrayLike, ""]


class PenaltyCache(NamedTuple):
    """The cache of a penalty: the weights W, and λ/m."""

    W: Float[Array, "*shape"]
    rate: Float[Array, ""]


def l2_penalty_forward(
    W: Float[Array, "*shape"], l2: Number, m: Number
) -> tuple[Float[Array, ""], PenaltyCache]:
    """J = λ/(2m) Σ W²."""
    rate = _rate(l2, m, W)
    return rate / 2 * (W * W).sum(), PenaltyCache(W, rate)


def l2_penalty_backward(dJ: Float[ArrayLike, ""], cache: PenaltyCache) -> Float[Array, "*shape"]:
    """dW = dJ · (λ/m) W."""
    return jnp.multiply(dJ, cache.rate) * cache.W


l2_penalty = as_block(l2_penalty_forward, l2_penalty_backward)


def l1_penalty_forward(
    W: Float[Array, "*shape"], l1: Number, m: Number
) -> tuple[Float[Array, ""], PenaltyCache]:
    """J = λ/m Σ |W|."""
    rate = _rate(l1, m, W)
    return rate * jnp.abs(W).sum(), PenaltyCache(W, rate)


def l1_penalty_backward(dJ: Float[ArrayLike, ""], cache: PenaltyCache) -> Float[Array, "*shape"]:
    """dW = dJ · (λ/m) sign(W), 0 where W = 0."""
    return jnp.multiply(dJ, cache.rate) * jnp.sign(cache.W)


l1_penalty = as_block(l1_penalty_forward, l1_penalty_backward)


def _rate(strength: Number, m: Number, W: Array) -> Array:
    """Return λ/m in the dtype of W."""
    return jnp.asarray(strength, W.dtype) / jnp.asarray(m, W.dtype)
