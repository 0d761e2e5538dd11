"""The triplet cost: an image should be nearer to images of its person than to others, by a margin.

Notes: "Triplet loss" (course 4, week 4); "FaceNet: A Unified Embedding for Face Recognition and
Clustering" (Schroff and others, 2015).

    forward     D_P = ‖A − P‖²,  D_N = ‖A − N‖²
                L   = max(D_P − D_N + α, 0)
                J   = mean of max(‖A − P‖² − ‖A − N‖² + α, 0)
    backward    dD_P = dL where D_P − D_N + α > 0, else 0
                dD_N = −dL where D_P − D_N + α > 0, else 0
                dA = 2 (N − P) dL;  dP = 2 (P − A) dL;  dN = 2 (A − N) dL

A is the anchor, P the positive (of the same person), N the negative (of another person): embeddings
in columns. In the last line dL is already 0 where the margin is satisfied; at exactly 0 it counts
as satisfied. The mean and its weights are those of `costs.py`. `axis` is the axis of the numbers of
an embedding: 0 for columns, −1 for rows.

>>> A, P, N = (jnp.array([[x], [0.0]]) for x in (0.0, 0.5, 0.75))
>>> float(triplet_cost(A, P, N, 0.5))  # 0.25 − 0.5625 + 0.5
0.1875
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.costs import Weights, mean_backward, mean_forward


class MarginLossCache(NamedTuple):
    """The cache of the margin loss: 1 where the margin is violated, 0 where it is satisfied."""

    counts: Float[Array, "*shape"]


def margin_loss_forward(
    D_P: Float[Array, "*shape"], D_N: Float[Array, "*shape"], margin: Float[ArrayLike, ""]
) -> tuple[Float[Array, "*shape"], MarginLossCache]:
    """L = max(D_P − D_N + α, 0)."""
    over = D_P - D_N + margin
    return jnp.maximum(over, 0), MarginLossCache((over > 0).astype(over.dtype))


def margin_loss_backward(
    dL: Float[Array, "*shape"], cache: MarginLossCache
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """dD_P = dL where the margin is violated, else 0, and dD_N = −dD_P."""
    dD_P = dL * cache.counts
    return dD_P, -dD_P


margin_loss = as_block(margin_loss_forward, margin_loss_backward)


class TripletCache(NamedTuple):
    """The differences between embeddings, the violated margins, and each example's share in J."""

    N_minus_P: Float[Array, "*shape"]
    P_minus_A: Float[Array, "*shape"]
    losses: MarginLossCache
    share: Float[Array, "*examples"]


def triplet_cost_forward(
    A: Float[Array, "*shape"],
    P: Float[Array, "*shape"],
    N: Float[Array, "*shape"],
    margin: Float[ArrayLike, ""],
    weights: Weights = None,
    *,
    axis: int = 0,
) -> tuple[Float[Array, ""], TripletCache]:
    """J = mean of max(‖A − P‖² − ‖A − N‖² + α, 0)."""
    D_P = ((P - A) ** 2).sum(axis=axis, keepdims=True)
    D_N = ((N - A) ** 2).sum(axis=axis, keepdims=True)
    L, losses = margin_loss_forward(D_P, D_N, margin)
    J, share = mean_forward(L, weights)
    return J, TripletCache(N - P, P - A, losses, share)


def triplet_cost_backward(
    dJ: Float[ArrayLike, ""], cache: TripletCache
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"], Float[Array, "*shape"]]:
    """Return the gradients of A, P and N; they sum to 0, since J depends only on differences."""
    dL, _ = margin_loss_backward(mean_backward(dJ, cache.share), cache.losses)
    dA, dP = 2 * cache.N_minus_P * dL, 2 * cache.P_minus_A * dL
    return dA, dP, -(dA + dP)


triplet_cost = as_block(triplet_cost_forward, triplet_cost_backward)
