"""The cost J: the mean of the losses of m examples. The factor 1/m appears only here.

Notes: "Cost function" (course 1, week 2) and "Gradient descent on m examples" (course 1, week 2).

    forward     J  = (1/m) Σ L                 or, with weights w, J = Σ w L / Σ w
    backward    dL = dJ / m                    or, with weights w, dL = dJ · w / Σ w
                dZ = dL ⊙ ∂L/∂Z                losses.py: (A − Y)/m for logistic and softmax

Each cost takes Z, the last linear output, so that it never saturates: `logistic_cost` combines
sigmoid and cross-entropy, `softmax_cost` softmax and cross-entropy. Y is (1, m) of 0 and 1 for
logistic, one-hot (C, m) for softmax, and numbers (n, m) otherwise. Weights are (1, m), not all 0.
`squared_cost` is (1/m) Σ (Z − Y)², without a factor ½; the notes' L1 and L2 are sums over examples.

>>> float(logistic_cost(jnp.zeros((1, 4)), jnp.array([[1.0, 0.0, 1.0, 1.0]])))
0.6931471805599453
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from chainrule.blocks.block import as_block
from chainrule.blocks.losses import (
    LossCache,
    absolute_loss_backward,
    absolute_loss_forward,
    logistic_loss_backward,
    logistic_loss_forward,
    softmax_loss_backward,
    softmax_loss_forward,
    squared_loss_backward,
    squared_loss_forward,
)

Weights = Float[ArrayLike, "*examples"] | None


class CostCache(NamedTuple):
    """The cache of the losses, and the weight of each example in the mean: 1/m, or w / Σ w."""

    losses: LossCache
    share: Float[Array, "*examples"]


def mean_forward(
    L: Float[Array, "*examples"], weights: Weights = None
) -> tuple[Float[Array, ""], Float[Array, "*examples"]]:
    """Return J = (1/m) Σ L, or Σ w L / Σ w, and the share of each example in this mean."""
    if weights is None:
        return L.mean(), jnp.full_like(L, 1 / L.size)
    weights = jnp.asarray(weights)
    share = weights / weights.sum()
    return (share * L).sum(), share


def mean_backward(
    dJ: Float[ArrayLike, ""], share: Float[Array, "*examples"]
) -> Float[Array, "*examples"]:
    """dL = dJ / m, or dJ · w / Σ w."""
    return jnp.multiply(dJ, share)


mean = as_block(mean_forward, mean_backward)


def logistic_cost_forward(
    Z: Float[ArrayLike, "*shape"],
    Y: Float[ArrayLike, "*shape"],
    weights: Weights = None,
    *,
    axis: int = 0,
) -> tuple[Float[Array, ""], CostCache]:
    """J = mean of −(Y log A + (1 − Y) log(1 − A)), A = sigmoid(Z)."""
    L, losses = logistic_loss_forward(Z, Y, axis=axis)
    J, share = mean_forward(L, weights)
    return J, CostCache(losses, share)


def logistic_cost_backward(dJ: Float[ArrayLike, ""], cache: CostCache) -> Float[Array, "*shape"]:
    """dZ = (A − Y)/m."""
    return logistic_loss_backward(mean_backward(dJ, cache.share), cache.losses)


logistic_cost = as_block(logistic_cost_forward, logistic_cost_backward)


def softmax_cost_forward(
    Z: Float[ArrayLike, "*shape"],
    Y: Float[ArrayLike, "*shape"],
    weights: Weights = None,
    *,
    axis: int = 0,
) -> tuple[Float[Array, ""], CostCache]:
    """J = mean of −Σ Y log A, A = softmax(Z)."""
    L, losses = softmax_loss_forward(Z, Y, axis=axis)
    J, share = mean_forward(L, weights)
    return J, CostCache(losses, share)


def softmax_cost_backward(dJ: Float[ArrayLike, ""], cache: CostCache) -> Float[Array, "*shape"]:
    """dZ = (A − Y)/m."""
    return softmax_loss_backward(mean_backward(dJ, cache.share), cache.losses)


softmax_cost = as_block(softmax_cost_forward, softmax_cost_backward)


def squared_cost_forward(
    Z: Float[ArrayLike, "*shape"],
    Y: Float[ArrayLike, "*shape"],
    weights: Weights = None,
    *,
    axis: int = 0,
) -> tuple[Float[Array, ""], CostCache]:
    """J = mean of Σ (Z − Y)² over the examples."""
    L, losses = squared_loss_forward(Z, Y, axis=axis)
    J, share = mean_forward(L, weights)
    return J, CostCache(losses, share)


def squared_cost_backward(dJ: Float[ArrayLike, ""], cache: CostCache) -> Float[Array, "*shape"]:
    """dZ = 2 (Z − Y)/m."""
    return squared_loss_backward(mean_backward(dJ, cache.share), cache.losses)


squared_cost = as_block(squared_cost_forward, squared_cost_backward)


def absolute_cost_forward(
    Z: Float[ArrayLike, "*shape"],
    Y: Float[ArrayLike, "*shape"],
    weights: Weights = None,
    *,
    axis: int = 0,
) -> tuple[Float[Array, ""], CostCache]:
    """J = mean of Σ |Z − Y| over the examples."""
    L, losses = absolute_loss_forward(Z, Y, axis=axis)
    J, share = mean_forward(L, weights)
    return J, CostCache(losses, share)


def absolute_cost_backward(dJ: Float[ArrayLike, ""], cache: CostCache) -> Float[Array, "*shape"]:
    """dZ = sign(Z − Y)/m."""
    return absolute_loss_backward(mean_backward(dJ, cache.share), cache.losses)


absolute_cost = as_block(absolute_cost_forward, absolute_cost_backward)
