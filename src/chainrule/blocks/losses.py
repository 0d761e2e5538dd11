"""The loss of one example: how far Z, the last linear output, is from the target Y.

Notes: "Logistic regression cost function" (course 1, week 2); "Training a softmax classifier"
(course 2, week 3); L1 and L2 of "Python basics with NumPy" (course 1, week 2).

    forward     logistic    L = Σ −(Y log A + (1 − Y) log(1 − A)),  A = sigmoid(Z)
                softmax     L = −Σ Y log A,                         A = softmax(Z)
                squared     L = Σ (Z − Y)²                          the notes' L2
                absolute    L = Σ |Z − Y|                           the notes' L1
    backward    logistic    dZ = dL ⊙ (A − Y)
                softmax     dZ = dL ⊙ (A − Y)
                squared     dZ = dL ⊙ 2 (Z − Y)
                absolute    dZ = dL ⊙ sign(Z − Y),  0 where they are equal

Σ runs over the outputs of one example: L is (1, m). Loss and activation are computed together from
Z: nothing overflows, and the derivative of the pair is the difference A − Y. The code evaluates
logistic max(Z, 0) − Y Z + log(1 + e^−|Z|); softmax log Σ e^Z − Σ Y Z, where Y sums to one.
A number Z with a number Y gives a number. `axis` is the axis of the outputs: 0 for columns, −1 for
images.

>>> float(logistic_loss(0.0, 1.0)), float(squared_loss(3.0, 1.0))
(0.6931471805599453, 4.0)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from chainrule.blocks.activations import sigmoid_forward, softmax_forward
from chainrule.blocks.block import as_block


class LossCache(NamedTuple):
    """The cache of a loss: ∂L/∂Z of each example, which the forward pass can already compute."""

    slope: Float[Array, "*shape"]


def logistic_loss_forward(
    Z: Float[ArrayLike, "*shape"], Y: Float[ArrayLike, "*shape"], *, axis: int = 0
) -> tuple[Float[Array, "*examples"], LossCache]:
    """L = Σ −(Y log A + (1 − Y) log(1 − A)) with A = sigmoid(Z); Y is from 0 to 1."""
    Z = jnp.asarray(Z)
    L = jnp.maximum(Z, 0) - Y * Z + jnp.log1p(jnp.exp(-jnp.abs(Z)))
    A, _ = sigmoid_forward(Z)
    return _over_outputs(L, axis), LossCache(A - Y)


def logistic_loss_backward(
    dL: Float[ArrayLike, "*examples"], cache: LossCache
) -> Float[Array, "*shape"]:
    """dZ = dL ⊙ (A − Y)."""
    return jnp.multiply(dL, cache.slope)


logistic_loss = as_block(logistic_loss_forward, logistic_loss_backward)


def softmax_loss_forward(
    Z: Float[ArrayLike, "*shape"], Y: Float[ArrayLike, "*shape"], *, axis: int = 0
) -> tuple[Float[Array, "*examples"], LossCache]:
    """L = −Σ Y log A with A = softmax(Z); Y is one-hot, or any shares that sum to one."""
    Z = jnp.asarray(Z)
    units = axis if Z.ndim else None  # a number is one unit
    Z = Z - Z.max(axis=units, keepdims=True)  # the same loss, and small numbers to subtract
    log_total = jnp.log(jnp.exp(Z).sum(axis=units, keepdims=True))
    A, _ = softmax_forward(Z, axis=axis)
    return log_total - jnp.multiply(Y, Z).sum(axis=units, keepdims=True), LossCache(A - Y)


def softmax_loss_backward(
    dL: Float[ArrayLike, "*examples"], cache: LossCache
) -> Float[Array, "*shape"]:
    """dZ = dL ⊙ (A − Y)."""
    return jnp.multiply(dL, cache.slope)


softmax_loss = as_block(softmax_loss_forward, softmax_loss_backward)


def squared_loss_forward(
    Z: Float[ArrayLike, "*shape"], Y: Float[ArrayLike, "*shape"], *, axis: int = 0
) -> tuple[Float[Array, "*examples"], LossCache]:
    """L = Σ (Z − Y)²."""
    error = jnp.asarray(Z) - Y
    return _over_outputs(error**2, axis), LossCache(2 * error)


def squared_loss_backward(
    dL: Float[ArrayLike, "*examples"], cache: LossCache
) -> Float[Array, "*shape"]:
    """dZ = dL ⊙ 2 (Z − Y)."""
    return jnp.multiply(dL, cache.slope)


squared_loss = as_block(squared_loss_forward, squared_loss_backward)


def absolute_loss_forward(
    Z: Float[ArrayLike, "*shape"], Y: Float[ArrayLike, "*shape"], *, axis: int = 0
) -> tuple[Float[Array, "*examples"], LossCache]:
    """L = Σ |Z − Y|."""
    error = jnp.asarray(Z) - Y
    return _over_outputs(jnp.abs(error), axis), LossCache(jnp.sign(error))


def absolute_loss_backward(
    dL: Float[ArrayLike, "*examples"], cache: LossCache
) -> Float[Array, "*shape"]:
    """dZ = dL ⊙ sign(Z − Y)."""
    return jnp.multiply(dL, cache.slope)


absolute_loss = as_block(absolute_loss_forward, absolute_loss_backward)


def _over_outputs(L: Float[Array, "*shape"], axis: int) -> Float[Array, "*examples"]:
    """Sum over the outputs of each example; a number is returned unchanged."""
    return L.sum(axis=axis, keepdims=True) if L.ndim else L
