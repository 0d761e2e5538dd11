"""Metrics of the quality of predictions: accuracy, R², and the cost after calibration.

Notes: "Single number evaluation metric" (course 3, week 1).

    accuracy    Σ w [prediction = Y] / Σ w
    exact_match accuracy with several labels per example: all of them must be right
    sequence_accuracy
                Σ w [prediction = Y] / Σ w over the real steps of all sequences
    r2          1 − Σ w (Z − Y)² / Σ w (Y − mean of Y)²,  the mean over the outputs
    calibrated  min over T of J(Z / T),  T = 2^(k / 3),  k = −2 … 9

A network that separates the classes better and better becomes overconfident at the same time, so
its J rises too early. J after division of Z by a temperature T does not, and T is learned after
training (Berta et al. 2025, "Rethinking early stopping: refine, then calibrate").

Z (n_L, m) are the network's last linear outputs, Y (n_L, m) the targets, weights (1, m).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Num

from chainrule.blocks.costs import logistic_cost, softmax_cost


def accuracy(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the share of examples whose most likely class is the true one."""
    if Z.shape[0] == 1:
        right = (Z > 0) == (Y > 0.5)
    else:
        right = (Z.argmax(axis=0) == Y.argmax(axis=0))[None]
    return (weights * right.astype(Z.dtype)).sum() / weights.sum()


def exact_match(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the share of examples with several labels for which all labels are right."""
    right = ((Z > 0) == (Y > 0.5)).all(axis=0, keepdims=True)
    return (weights * right.astype(Z.dtype)).sum() / weights.sum()


def sequence_accuracy(
    Z: Float[Array, "T C m"], Y: Num[Array, "T m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the share of real steps whose most likely class is the true one.

    A step is real if Y ≥ 0, and has the weight of its example. Without any real step it is 0.
    """
    Y = Y.astype(jnp.int32)
    w = weights * (Y >= 0).astype(Z.dtype)
    right = (Z.argmax(axis=1).astype(jnp.int32) == Y).astype(Z.dtype)
    total = w.sum()
    return (w * right).sum() / jnp.where(total > 0, total, 1)


def r2(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return 1 − (squared error / squared deviation from the mean); 0 if Y is constant."""
    mean = (weights * Y).sum(axis=1, keepdims=True) / weights.sum()
    error = (weights * (Z - Y) ** 2).sum(axis=1)
    spread = (weights * (Y - mean) ** 2).sum(axis=1)
    return jnp.where(spread > 0, 1 - error / jnp.where(spread > 0, spread, 1), 0).mean()


TEMPERATURES = 2.0 ** (np.arange(-2, 10, dtype=np.float32) / 3)
"""The temperatures T at which the cost after calibration is computed."""


def calibrated_logistic_cost(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the lowest logistic cost of Z / T over the temperatures T."""
    return _lowest(logistic_cost, Z, Y, weights)


def calibrated_softmax_cost(
    Z: Float[Array, "n_L m"], Y: Float[Array, "n_L m"], weights: Float[Array, "1 m"]
) -> Float[Array, ""]:
    """Return the lowest softmax cost of Z / T over the temperatures T."""
    return _lowest(softmax_cost, Z, Y, weights)


def _lowest(cost: Callable, Z: Array, Y: Array, weights: Array) -> Float[Array, ""]:
    return jax.vmap(lambda T: cost(Z / T, Y, weights))(TEMPERATURES.astype(Z.dtype)).min()
