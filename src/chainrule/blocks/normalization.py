"""Batch norm and layer norm: every feature gets the mean β and the standard deviation γ.

Notes: "Normalizing activations in a network" and "Batch norm at test time" (course 2, week 3);
"Transformer network" (course 5, week 4) for layer norm.

    forward     mean = Σ p Z; variance = Σ p (Z − mean)²; Z_norm = (Z − mean) / √(variance + ε);
                A = γ ⊙ Z_norm + β
                where p is the share of an example: 1/m, or with weights w / Σ w; in images each
                of their positions has an equal part of it
    backward    dγ = Σ dA ⊙ Z_norm; dβ = Σ dA;
                dZ = γ / √(variance + ε) ⊙ (dA − p (dβ + Z_norm ⊙ dγ))
                     + p (dmean + 2 dvariance ⊙ (Z − mean))

    at prediction, mean and variance are given
    forward     A = γ ⊙ (Z − mean) / √(variance + ε) + β
    backward    dZ = γ / √(variance + ε) ⊙ dA; dγ and dβ as above; dmean = −Σ dZ;
                dvariance = −γ ⊙ dγ / (2 (variance + ε))

    layer norm: mean and variance over the n features of each example, or of each of its steps
    forward     mean = (1/n) Σ Z; variance = (1/n) Σ (Z − mean)²;
                Z_norm = (Z − mean) / √(variance + ε); A = γ ⊙ Z_norm + β
    backward    dγ = Σ dA ⊙ Z_norm; dβ = Σ dA, over examples and steps; dZ_norm = γ ⊙ dA;
                dZ = (dZ_norm − mean of dZ_norm − Z_norm ⊙ mean of dZ_norm ⊙ Z_norm)
                     / √(variance + ε)

Columns Z are (n, m), with γ and β (n, 1); images (m, n_H, n_W, n_C), with (1, 1, 1, n_C), where the
sums go over the positions too. The variance is the biased one, divided by m.

One pass over Z gives the mean and the mean square of Z minus one of its examples. This is as exact
as two passes; without the subtraction, a mean of 10⁴ would cancel all digits of a variance of 1.
A and dZ are then one multiply-add each, A = (Z − example) ⊙ scale + offset. Layer norm takes two
passes over the few numbers of each example, which stay in the cache.

>>> A, mean, variance = batch_norm(jnp.array([[1.0, 3.0]]), jnp.ones((1, 1)), jnp.zeros((1, 1)))
>>> A.round(4), mean, variance
(Array([[-1.,  1.]], dtype=float64), Array([[2.]], dtype=float64), Array([[1.]], dtype=float64))
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.kernels.rows import stored

Feature = Float[Array, "..."]
"""One number per feature: (n, 1), or (1, 1, 1, n_C) for images."""

EPSILON = 1e-5
"""The default ε, which keeps the division finite for a feature that does not vary."""

Output = tuple[Float[Array, "*shape"], Feature, Feature]


class BatchNormCache(NamedTuple):
    """The values kept for the backward pass; `shifted_mean` is the mean of Z minus one example."""

    Z: Float[Array, "*shape"]
    example: Feature
    shifted_mean: Feature
    inverse_deviation: Feature
    gamma: Feature
    share: Float[Array, "1 m"]


def batch_norm_forward(
    Z: Float[Array, "*shape"],
    gamma: Feature,
    beta: Feature,
    weights: Float[Array, "1 m"] | None = None,
    *,
    eps: float = EPSILON,
) -> tuple[Output, BatchNormCache]:
    """Return A = γ ⊙ Z_norm + β, the mean and the variance.

    Examples of weight 0 pad the batch and do not affect the result.
    """
    example, share = _example(Z, weights), _share(Z, weights)
    from_example = Z - example
    mean = _mean(from_example, share)
    variance = jnp.maximum(_mean(from_example**2, share) - mean**2, 0)
    inverse_deviation = 1 / jnp.sqrt(variance + eps)
    scale = gamma * inverse_deviation
    A = from_example * scale + (beta - mean * scale)
    cache = BatchNormCache(Z, example, mean, inverse_deviation, gamma, share)
    return (A, example + mean, variance), cache


def batch_norm_backward(d_output: Output, cache: BatchNormCache) -> Output:
    """Return the gradients of Z, γ and β, from those of A, mean and variance."""
    dA, d_mean, d_variance = d_output
    from_example = cache.Z - cache.example
    d_beta = _sum(dA)
    d_gamma = (_sum(dA * from_example) - cache.shifted_mean * d_beta) * cache.inverse_deviation
    scale = cache.gamma * cache.inverse_deviation
    slope = 2 * d_variance - scale * cache.inverse_deviation * d_gamma
    offset = d_mean - scale * d_beta - cache.shifted_mean * slope
    dZ = dA * scale + _per_place(cache.share, dA) * (from_example * slope + offset)
    return dZ, d_gamma, d_beta


batch_norm = as_block(batch_norm_forward, batch_norm_backward)


class BatchNormPredictCache(NamedTuple):
    """The cache of batch norm at prediction: Z, and the statistics of each feature."""

    Z: Float[Array, "*shape"]
    mean: Feature
    inverse_deviation: Feature
    gamma: Feature


def batch_norm_predict_forward(
    Z: Float[Array, "*shape"],
    gamma: Feature,
    beta: Feature,
    mean: Feature,
    variance: Feature,
    *,
    eps: float = EPSILON,
) -> tuple[Float[Array, "*shape"], BatchNormPredictCache]:
    """A = γ ⊙ (Z − mean) / √(variance + ε) + β."""
    inverse_deviation = 1 / jnp.sqrt(variance + eps)
    A = (Z - mean) * (gamma * inverse_deviation) + beta
    return A, BatchNormPredictCache(Z, mean, inverse_deviation, gamma)


def batch_norm_predict_backward(
    dA: Float[Array, "*shape"], cache: BatchNormPredictCache
) -> tuple[Float[Array, "*shape"], Feature, Feature, Feature, Feature]:
    """Return the gradients of Z, γ, β, the mean and the variance."""
    scale = cache.gamma * cache.inverse_deviation
    d_beta = _sum(dA)
    d_gamma = _sum(dA * (cache.Z - cache.mean)) * cache.inverse_deviation
    d_variance = -scale * cache.inverse_deviation * d_gamma / 2
    return dA * scale, d_gamma, d_beta, -scale * d_beta, d_variance


batch_norm_predict = as_block(batch_norm_predict_forward, batch_norm_predict_backward)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["Z", "mean", "inverse_deviation", "gamma"],
    meta_fields=["order"],
)
@dataclass(frozen=True)
class LayerNormCache:
    """The values kept for the backward pass, with the features on the last axis.

    `order` are the axes of Z in the order in which they are kept.
    """

    Z: Float[Array, "*shape n"]
    mean: Float[Array, "*shape 1"]
    inverse_deviation: Float[Array, "*shape 1"]
    gamma: Float[Array, "n 1"]
    order: tuple[int, ...]


def layer_norm_forward(
    Z: Float[Array, "*shape"],
    gamma: Float[Array, "n 1"],
    beta: Float[Array, "n 1"],
    *,
    eps: float = EPSILON,
    axis: int = -2,
) -> tuple[Float[Array, "*shape"], LayerNormCache]:
    """A = γ ⊙ Z_norm + β, with the n features along `axis`: columns (n, m), or steps (T, n, m)."""
    order = _features_last(Z.ndim, axis)
    z = Z.transpose(order)
    mean = z.mean(axis=-1, keepdims=True)
    from_mean = z - mean
    variance = (from_mean**2).mean(axis=-1, keepdims=True)
    inverse_deviation = 1 / jnp.sqrt(variance + eps)
    A = from_mean * inverse_deviation * _along_last(gamma, z) + _along_last(beta, z)
    cache = LayerNormCache(z, mean, inverse_deviation, gamma, order)
    return A.transpose(_inverse(order)), cache


def layer_norm_backward(
    dA: Float[Array, "*shape"], cache: LayerNormCache
) -> tuple[Float[Array, "*shape"], Float[Array, "n 1"], Float[Array, "n 1"]]:
    """Return the gradients of Z, γ and β, in that order."""
    da = stored(dA.transpose(cache.order))
    Z_norm = (cache.Z - cache.mean) * cache.inverse_deviation
    others = tuple(range(da.ndim - 1))
    d_gamma, d_beta = (da * Z_norm).sum(axis=others)[:, None], da.sum(axis=others)[:, None]
    dZ_norm = da * _along_last(cache.gamma, da)
    means = [x.mean(axis=-1, keepdims=True) for x in (dZ_norm, dZ_norm * Z_norm)]
    dZ = (dZ_norm - means[0] - Z_norm * means[1]) * cache.inverse_deviation
    return dZ.transpose(_inverse(cache.order)), d_gamma, d_beta


layer_norm = as_block(layer_norm_forward, layer_norm_backward)


def _features_last(ndim: int, axis: int) -> tuple[int, ...]:
    """Return the axes of Z with the examples first and the features last: (m, T, n) for steps."""
    *others, last = (i for i in range(ndim) if i != axis % ndim)
    return (last, *others, axis % ndim)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(i) for i in range(len(order)))


def _along_last(features: Float[Array, "n 1"], z: Array) -> Array:
    """Return the numbers of the features with as many axes as z."""
    return features.reshape((1,) * (z.ndim - 1) + (-1,))


def _sum(Z: Array) -> Array:
    """Sum over the examples, and for images also over the positions."""
    return Z.sum(axis=1 if Z.ndim == 2 else (0, 1, 2), keepdims=True)


def _mean(Z: Array, share: Array) -> Array:
    """Return Σ p Z as a matrix product of examples in rows, which is fastest on CPUs."""
    rows = Z.T if Z.ndim == 2 else Z.mean(axis=(1, 2))  # (m, n)
    mean = jnp.matmul(share, rows, precision=jax.lax.Precision.HIGHEST)
    return mean.T if Z.ndim == 2 else mean[None, None]


def _share(Z: Array, weights: Array | None) -> Array:
    """Return p (1, m), the share of each example in the mean; the shares sum to 1."""
    m = Z.shape[1] if Z.ndim == 2 else Z.shape[0]
    return jnp.full((1, m), 1 / m, Z.dtype) if weights is None else weights / weights.sum()


def _per_place(share: Array, Z: Array) -> Array:
    """Return the share p of each number of Z; an image's share is split among its positions."""
    if Z.ndim == 2:
        return share
    _, n_H, n_W, _ = Z.shape
    return share.reshape(-1, 1, 1, 1) / (n_H * n_W)


def _example(Z: Array, weights: Array | None) -> Array:
    """Return the example with the largest weight, or one pixel of that image.

    It has to be of the same magnitude as the others, which is not certain for an example of weight
    0, which only pads the batch.
    """
    pixels = Z if Z.ndim == 2 else Z[:, :1, :1]
    axis = 1 if Z.ndim == 2 else 0
    first = 0 if weights is None else jnp.argmax(weights)
    return jax.lax.dynamic_slice_in_dim(pixels, first, 1, axis)
