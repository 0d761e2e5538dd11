"""What a network says about many rows, a chunk at a time: memory stays bounded."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np

from chainrule.data.batches import padded
from chainrule.layers.layer import Layer

CHUNK = 8192
FEWEST = 32  # fewer rows are filled up, so that one row and a few share a compiled program


def network_outputs(network: Layer, X: np.ndarray) -> np.ndarray:
    """Z (m, n_L) for the rows X (m, n_x)."""
    chunks = [X[i : i + CHUNK] for i in range(0, len(X), CHUNK)] or [X]
    return np.concatenate([_chunk(network, chunk) for chunk in chunks])


def probabilities(Z: np.ndarray, cost: str) -> np.ndarray:
    """A (m, n_L): the activation that belongs to the cost, of Z (m, n_L), in float64.

    So near to 0 and 1 float32 has no numbers left. NumPy, since JAX would compile a program for
    each number of rows: `blocks/activations.py` has the formulas, and the tests hold both together.
    """
    Z = np.asarray(Z, np.float64)
    if cost == "squared":
        return Z
    if cost == "logistic":
        e = np.exp(-np.abs(Z))
        return np.where(Z > 0, 1, e) / (1 + e)
    with np.errstate(invalid="ignore"):  # outputs beyond float32 have no probabilities: nan
        e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def score(
    Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None, cost: Callable, metric: Callable
) -> tuple[float, float]:
    """J and the metric of outputs Z (m, n_L) against Y (m, n_L)."""
    weights = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    exponent = np.frexp(weights.max(initial=0.0))[1]  # near 1 their sum neither overflows nor ends
    weights = np.ldexp(weights, -exponent).astype(Z.dtype)
    room = ((0, padded(len(Z)) - len(Z)), (0, 0))
    filled = (np.pad(part, room) for part in (Z, Y, weights[:, None]))
    J, value = _score(*filled, cost=cost, metric=metric)
    return float(J), float(value)


def _chunk(network: Layer, X: np.ndarray) -> np.ndarray:
    size = padded(max(len(X), FEWEST))
    filled = np.pad(X, ((0, size - len(X)), (0, 0)))
    return np.asarray(_forward(network, filled))[: len(X)]


@jax.jit
def _forward(network, X):
    return network(X.T).T


@partial(jax.jit, static_argnames=("cost", "metric"))
def _score(Z, Y, weights, *, cost, metric):
    Z, Y, weights = Z.T, Y.T, weights.T
    return cost(Z, Y, weights), metric(Z, Y, weights)
