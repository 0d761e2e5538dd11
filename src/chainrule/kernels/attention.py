"""Attention with several heads, with the steps as rows (m, T, d), one row per step.

    forward     S = Q Kᵀ / √d_head; weights = softmax of S over the visible keys; A = weights V
    backward    dV = weightsᵀ dA; dS = weights ⊙ (dA Vᵀ − Σ dA ⊙ A) / √d_head; dQ = dS K; dK = dSᵀ Q

for each head, which has d/heads consecutive features of Q, K, V and A, d_head of them. Σ dA ⊙ A is
Σ dweights ⊙ weights, as a sum over d_head instead of T_k numbers.

The kernel of the native wheel is used if it is installed and takes the sizes
(`native_attention.py`), otherwise XLA's products. These want the numbers of a head side by side, so
that the features are split into heads first. On a CPU a large matrix is never the first factor of a
product with its transpose, which XLA would compute slowly: the small one is transposed instead
(docs/experiments.md, "Attention on a CPU").
"""

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from chainrule.kernels import native_attention
from chainrule.kernels.products import on_cpu
from chainrule.kernels.rows import stored

Mask = Bool[Array, "#m #T_q #T_k"] | None
Weights = Float[Array, "m heads T_q T_k"]


def attend(
    Q: Float[Array, "m T_q d"],
    K: Float[Array, "m T_k d"],
    V: Float[Array, "m T_k d_v"],
    mask: Mask,
    *,
    heads: int,
) -> tuple[Float[Array, "m T_q d_v"], Weights]:
    """Return A and the weights; a query that sees no key has the weights 0."""
    if native_attention.available(Q, V, heads):
        return native_attention.attend(Q, K, V, mask, heads=heads)
    q = _split(Q * _scale(Q, heads), heads)
    k, v = _split(K, heads), _split(V, heads)
    S = jnp.einsum("mhid,mhjd->mhij", q, k)
    weights = masked_softmax(S, None if mask is None else mask[:, None])
    return _join(_batched_product(weights, v)), weights


def attend_backward(
    dA: Float[Array, "m T_q d_v"],
    Q: Float[Array, "m T_q d"],
    K: Float[Array, "m T_k d"],
    V: Float[Array, "m T_k d_v"],
    A: Float[Array, "m T_q d_v"],
    weights: Weights,
) -> tuple[Float[Array, "m T_q d"], Float[Array, "m T_k d"], Float[Array, "m T_k d_v"]]:
    """Return the gradients of Q, K and V."""
    heads = weights.shape[1]
    if native_attention.available(Q, V, heads):
        return native_attention.attend_backward(dA, Q, K, V, A, weights)
    scale = _scale(Q, heads)
    q, k, v, da = (_split(x, heads) for x in (Q * scale, K, V, dA))
    weighted_sum = (da * _split(A, heads)).sum(axis=-1, keepdims=True)
    dS = stored(weights * (jnp.einsum("mhid,mhjd->mhij", da, v) - weighted_sum))
    dk = _batched_product(stored(q.swapaxes(2, 3)), dS)  # (m, heads, d_head, T_k)
    dv = _batched_product(stored(da.swapaxes(2, 3)), weights)
    return (
        _join(_batched_product(dS, k)) * scale,
        _join(dk.swapaxes(2, 3)),
        _join(dv.swapaxes(2, 3)),
    )


def masked_softmax(
    S: Float[Array, "*shape T_k"], mask: Bool[Array, "..."] | None
) -> Float[Array, "*shape T_k"]:
    """Return e^S / Σ e^S over the last axis and the visible places, 0 if there are none.

    A number is added to hide a place instead of selecting: XLA computes the product before it, the
    largest, the exponential and the sum in one pass.
    """
    visible = None
    if mask is not None:
        lowest = float(jnp.finfo(S.dtype).min) / 2
        S = S + jnp.where(mask, 0, jnp.asarray(lowest, S.dtype))
        visible = mask.any(axis=-1, keepdims=True).astype(S.dtype)
    E = jnp.exp(S - S.max(axis=-1, keepdims=True))
    return E * ((1 if visible is None else visible) / E.sum(axis=-1, keepdims=True))


def _batched_product(
    A: Float[Array, "m heads a n"], B: Float[Array, "m heads n b"]
) -> Float[Array, "m heads a b"]:
    """Return the product of each pair of matrices.

    XLA computes a batch of products with one thread of a CPU, but with all of them if a sum over an
    axis is part of the same loop. So the sums of the smaller matrices, times 0, are added: a step
    of an encoder layer takes 7 % less time.
    """
    if not on_cpu():
        return A @ B
    sums = A.sum(axis=-1, keepdims=True) if A.size <= B.size else B.sum(axis=-2, keepdims=True)
    return A @ B + 0 * sums


def _scale(Q: Float[Array, "m T_q d"], heads: int) -> float:
    return (Q.shape[2] // heads) ** -0.5


def _split(X: Float[Array, "m T d"], heads: int) -> Float[Array, "m heads T d_head"]:
    """Return the features of each head, side by side."""
    m, T, d = X.shape
    return stored(X.reshape(m, T, heads, d // heads).transpose(0, 2, 1, 3))


def _join(x: Float[Array, "m heads T d_head"]) -> Float[Array, "m T d"]:
    """Return the features of all heads, one head after the other."""
    m, heads, T, d_head = x.shape
    return stored(x.transpose(0, 2, 1, 3)).reshape(m, T, heads * d_head)
