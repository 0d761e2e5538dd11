"""The cost J: the mean of the losses of m examples. The factor 1/m appears only here.

Notes: "Cost function" (course 1, week 2) and "Gradient descent on m examples" (course 1, week 2);
"Recurrent neural network, for sequence data" (course 5, week 1) for the cost of sequences.

    forward     J  = (1/m) Σ L                 or, with weights w, J = Σ w L / Σ w
    backward    dL = dJ / m                    or, with weights w, dL = dJ · w / Σ w
                dZ = dL ⊙ ∂L/∂Z                losses.py: (A − Y)/m for logistic and softmax

    sequences   J  = Σ over the real steps of −log A[t, Y[t]] / their number,  A = softmax(Z)
                dZ = (A − onehot(Y)) / number of real steps, 0 at the others

Each cost takes Z, the last linear output, so that it never saturates: `logistic_cost` combines
sigmoid and cross-entropy, `softmax_cost` softmax and cross-entropy. Y is (1, m) of 0 and 1 for
logistic, one-hot (C, m) for softmax, and numbers (n, m) otherwise. Weights are (1, m), not all 0.
`squared_cost` is (1/m) Σ (Z − Y)², without a factor ½; the notes' L1 and L2 are sums over examples.

`sequence_softmax_cost` takes Z (T, C, m) and the number of the true class of each step, Y (T, m).
The notes add up the steps of a sequence; the mean over all real steps of the batch makes J
independent of the lengths of its sequences, and e^J is the perplexity of a language model. If the
mask holds numbers w, J = Σ w L / Σ w over the steps.

>>> float(logistic_cost(jnp.zeros((1, 4)), jnp.array([[1.0, 0.0, 1.0, 1.0]])))
0.6931471805599453
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Num

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


# Sequences


class SequenceCostCache(NamedTuple):
    """Z, log Σ e^Z of each step, its label and its share in J."""

    Z: Float[Array, "T C m"]
    log_total: Float[Array, "T m"]
    Y: Int[Array, "T m"]
    share: Float[Array, "T m"]


def sequence_softmax_cost_forward(
    Z: Float[ArrayLike, "T C m"],
    Y: Int[ArrayLike, "T m"],
    mask: Bool[ArrayLike, "T m"] | Num[ArrayLike, "T m"] | None = None,
) -> tuple[Float[Array, ""], SequenceCostCache]:
    """J = Σ over the real steps of −log A[t, Y[t]] / their number.

    Where the mask is False or 0, a step does not count and its label may be any number. Without
    any real step J is 0. The label of a real step is from 0 to C − 1; any other makes J NaN.
    """
    Z, Y = jnp.asarray(Z), jnp.asarray(Y)
    share = _share(Z, mask)
    largest = Z.max(axis=1)
    log_total = jnp.log(jnp.exp(Z - largest[:, None]).sum(axis=1)) + largest
    index = jnp.where(Y < 0, Z.shape[1], Y)  # an index from the end would be valid
    true = jnp.take_along_axis(Z, index[:, None], axis=1, mode="fill")[:, 0]
    J = jnp.where(share > 0, share * (log_total - true), 0).sum()
    return J, SequenceCostCache(Z, log_total, Y, share)


def sequence_softmax_cost_backward(
    dJ: Float[ArrayLike, ""], cache: SequenceCostCache
) -> Float[Array, "T C m"]:
    """dZ = (A − onehot(Y)) / number of real steps, 0 at the others.

    A is computed from Z again, and the one-hot labels are comparisons inside the same loop: neither
    is an array of its own, which matters for a large vocabulary.
    """
    Z, log_total, Y, share = cache
    A = jnp.exp(Z - log_total[:, None])
    onehot = jax.lax.broadcasted_iota(Y.dtype, Z.shape, 1) == Y[:, None]
    dL = jnp.multiply(dJ, share)[:, None]
    return jnp.where(dL == 0, 0, dL * (A - onehot.astype(Z.dtype)))


sequence_softmax_cost = as_block(sequence_softmax_cost_forward, sequence_softmax_cost_backward)


def steps_softmax_cost(
    Z: Float[ArrayLike, "T C m"],
    Y: Num[ArrayLike, "T m"],
    weights: Float[ArrayLike, "1 m"] | None = None,
) -> Float[Array, ""]:
    """J = Σ over the real steps of w L / Σ over the real steps of w; a step is real if Y ≥ 0.

    This is `sequence_softmax_cost` with the arguments of the other costs: weights w (1, m) of the
    examples, and labels (T, m) that are −1 beyond the end of a sequence.
    """
    Y = jnp.asarray(Y).astype(jnp.int32)
    real = (Y >= 0).astype(jnp.asarray(Z).dtype)
    return sequence_softmax_cost(Z, Y, real if weights is None else jnp.multiply(real, weights))


def _share(Z: Array, mask: Bool[ArrayLike, "T m"] | Num[ArrayLike, "T m"] | None) -> Array:
    """Return the share of each step in the mean: 1 / (T m), or w / Σ w; 0 if no step counts."""
    T, _, m = Z.shape
    if mask is None:
        return jnp.full((T, m), 1 / (T * m), Z.dtype)
    w = jnp.asarray(mask).astype(Z.dtype)
    total = w.sum()
    return w / jnp.where(total > 0, total, 1)
