"""Average the predictions of K networks: the Z whose activation is their mean prediction.

Notes: "Dropout regularization" (course 2, week 1) mentions ensembles; the formulas follow from
"Logistic regression" (course 1, week 2) and "Softmax regression" (course 2, week 3).

    forward     mean_logistic    Z = log(P / (1 − P)),  P = (1/K) Σ sigmoid(Z_k)
                mean_softmax     Z = log P,             P = (1/K) Σ softmax(Z_k)
                mean_output      Z = (1/K) Σ Z_k
    backward    mean_logistic    dZ_k = dZ ⊙ (R_k ⊙ (1 − A_k) + S_k ⊙ A_k)
                mean_softmax     dZ_k = R_k ⊙ dZ − A_k ⊙ Σ R_k ⊙ dZ
                mean_output      dZ_k = dZ / K

A_k is the activation of Z_k, R_k = A_k / Σ A_k and S_k = (1 − A_k) / Σ (1 − A_k) with sums over the
K networks; the last Σ of mean_softmax runs over the outputs of an example. All are computed from
log A_k, so that Z stays finite where every A_k rounds to 0 or 1. The Z_k are (K, n_L, m), Z is
(n_L, m).

>>> float(mean_logistic(jnp.log(jnp.array([[[3.0]], [[1 / 3]]])))[0, 0])  # 3/4 and 1/4
0.0
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from chainrule.blocks.block import as_block


class LogisticCache(NamedTuple):
    """The cache of mean_logistic: ∂Z/∂Z_k."""

    slope: Float[Array, "K n_L m"]


class SoftmaxCache(NamedTuple):
    """The cache of mean_softmax: the activations A_k, and their shares R_k of the sum over k."""

    A: Float[Array, "K n_L m"]
    R: Float[Array, "K n_L m"]


class OutputCache(NamedTuple):
    """The cache of mean_output: an array of the shape of the Z_k."""

    like: Float[Array, "K n_L m"]


def mean_logistic_forward(
    Z_k: Float[ArrayLike, "K n_L m"],
) -> tuple[Float[Array, "n_L m"], LogisticCache]:
    """Z = log(P / (1 − P)) with P = (1/K) Σ sigmoid(Z_k)."""
    Z_k = jnp.asarray(Z_k)
    both = jnp.log1p(jnp.exp(-jnp.abs(Z_k)))
    log_A, log_B = jnp.minimum(Z_k, 0) - both, jnp.minimum(-Z_k, 0) - both  # B = 1 − A
    (log_P, R), (log_Q, S) = _log_sum(log_A), _log_sum(log_B)
    return log_P - log_Q, LogisticCache(R * jnp.exp(log_B) + S * jnp.exp(log_A))


def mean_logistic_backward(
    dZ: Float[ArrayLike, "n_L m"], cache: LogisticCache
) -> Float[Array, "K n_L m"]:
    """dZ_k = dZ ⊙ (R_k ⊙ (1 − A_k) + S_k ⊙ A_k)."""
    return jnp.asarray(dZ)[None] * cache.slope


mean_logistic = as_block(mean_logistic_forward, mean_logistic_backward)


def mean_softmax_forward(
    Z_k: Float[ArrayLike, "K n_L m"],
) -> tuple[Float[Array, "n_L m"], SoftmaxCache]:
    """Z = log P with P = (1/K) Σ softmax(Z_k)."""
    Z_k = jnp.asarray(Z_k)
    Z_k = Z_k - Z_k.max(axis=1, keepdims=True)
    log_A = Z_k - jnp.log(jnp.exp(Z_k).sum(axis=1, keepdims=True))
    total, R = _log_sum(log_A)
    return total - jnp.log(jnp.asarray(len(Z_k), Z_k.dtype)), SoftmaxCache(jnp.exp(log_A), R)


def mean_softmax_backward(
    dZ: Float[ArrayLike, "n_L m"], cache: SoftmaxCache
) -> Float[Array, "K n_L m"]:
    """dZ_k = R_k ⊙ dZ − A_k ⊙ Σ R_k ⊙ dZ."""
    passed = cache.R * jnp.asarray(dZ)[None]
    return passed - cache.A * passed.sum(axis=1, keepdims=True)


mean_softmax = as_block(mean_softmax_forward, mean_softmax_backward)


def mean_output_forward(
    Z_k: Float[ArrayLike, "K n_L m"],
) -> tuple[Float[Array, "n_L m"], OutputCache]:
    """Z = (1/K) Σ Z_k."""
    Z_k = jnp.asarray(Z_k)
    return Z_k.mean(axis=0), OutputCache(jnp.zeros_like(Z_k))


def mean_output_backward(
    dZ: Float[ArrayLike, "n_L m"], cache: OutputCache
) -> Float[Array, "K n_L m"]:
    """dZ_k = dZ / K."""
    return cache.like + jnp.asarray(dZ)[None] / len(cache.like)


mean_output = as_block(mean_output_forward, mean_output_backward)


def _log_sum(
    log_A: Float[Array, "K n_L m"],
) -> tuple[Float[Array, "n_L m"], Float[Array, "K n_L m"]]:
    """Return log Σ A_k over the K networks, and the shares A_k / Σ A_k."""
    most = log_A.max(axis=0, keepdims=True)
    A = jnp.exp(log_A - most)
    total = A.sum(axis=0, keepdims=True)
    return (most + jnp.log(total))[0], A / total
