"""Compute a network's outputs for many rows, in chunks of bounded memory."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from chainrule.data.batches import padded
from chainrule.layers.layer import Layer
from chainrule.train.ahead import rows_ahead
from chainrule.train.step import columns

CHUNK = 8192
LARGEST = 2**25
PRIME = 127
FEWEST = 32  # fewer rows are padded, so that small inputs share a compiled program


def network_outputs(network: Layer, X: Any) -> np.ndarray:
    """Return Z (m, n_L), or images (m, …), for the rows X (m, n_x), which need not be in memory.

    All chunks have nearly the same size, so that they share a compiled program.
    """
    count = -(-len(X) // chunk_rows(network, X.shape[1:])) or 1
    ends = [len(X) * i // count for i in range(count + 1)]
    size = padded(max(-(-len(X) // count), min(FEWEST, chunk_rows(network, X.shape[1:]))))
    chunks = rows_ahead(X, [slice(*pair) for pair in pairwise(ends)])
    return np.concatenate([_chunk(network, chunk, size) for chunk in chunks])


def chunk_rows(network: Layer, row: tuple[int, ...]) -> int:
    """Return the rows per chunk for which the largest activation has about `LARGEST` bytes."""
    return min(CHUNK, 1 << max(0, (LARGEST // bytes_of_row(network, row)).bit_length() - 1))


def bytes_of_row(network: Layer, row: tuple[int, ...]) -> int:
    """Return the bytes of the network's largest activation for one row, from shapes alone."""
    leaves, structure = jax.tree.flatten(network)
    return _bytes(structure, tuple((jnp.shape(x), jnp.result_type(x)) for x in leaves), row)


@lru_cache(maxsize=256)
def _bytes(structure: Any, arrays: tuple, row: tuple[int, ...]) -> int:
    """Trace the network with a prime number of rows, to recognise arrays that grow with it."""
    network = jax.tree.unflatten(structure, [jax.ShapeDtypeStruct(*array) for array in arrays])
    dtype = jnp.result_type(*(d for _, d in arrays if jnp.issubdtype(d, jnp.inexact)))
    X = jax.ShapeDtypeStruct((*row, PRIME) if len(row) == 1 else (PRIME, *row), dtype)
    program: Any = jax.make_jaxpr(lambda network, X: network(X))(network, X)
    sizes = [(X.size, X.dtype.itemsize), *_sizes(program.jaxpr)]
    return max(n // PRIME * itemsize for n, itemsize in sizes if n % PRIME == 0)


def _sizes(program: Any) -> Iterator[tuple[int, int]]:
    """Yield the size of each array of a program, and the bytes of one element."""
    for step in program.eqns:
        for output in step.outvars:
            if hasattr(output.aval, "size") and hasattr(output.aval.dtype, "itemsize"):
                yield output.aval.size, output.aval.dtype.itemsize
        for setting in jax.tree.leaves(tuple(step.params.values()), is_leaf=_is_program):
            if _is_program(setting):
                yield from _sizes(getattr(setting, "jaxpr", setting))


def _is_program(setting: Any) -> bool:
    return hasattr(setting, "eqns") or hasattr(getattr(setting, "jaxpr", None), "eqns")


def probabilities(Z: np.ndarray, cost: str) -> np.ndarray:
    """Return A (m, n_L), the activation that belongs to the cost, of Z (m, n_L), in float64.

    float32 cannot represent probabilities very close to 0 and 1. NumPy is used, since JAX would
    compile a program for each number of rows; the tests compare with `blocks/activations.py`.
    """
    Z = np.asarray(Z, np.float64)
    if cost == "squared":
        return Z
    if cost == "logistic":
        e = np.exp(-np.abs(Z))
        return np.where(Z > 0, 1, e) / (1 + e)
    with np.errstate(invalid="ignore"):  # infinite outputs give probabilities of nan
        e = np.exp(Z - Z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def score(
    Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None, cost: Callable, metric: Callable
) -> tuple[float, float]:
    """Return J and the metric of outputs Z (m, n_L) for targets Y (m, n_L), or of images."""
    weights = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    exponent = np.frexp(weights.max(initial=0.0))[1]  # near 1, the sum cannot overflow or vanish
    weights = np.ldexp(weights, -exponent).astype(Z.dtype)
    more = padded(len(Z)) - len(Z)
    filled = (np.pad(part, [(0, more)] + [(0, 0)] * (part.ndim - 1)) for part in (Z, Y, weights))
    J, value = _score(*filled, cost=cost, metric=metric)
    return float(J), float(value)


def _chunk(network: Layer, X: np.ndarray, size: int) -> np.ndarray:
    filled = np.pad(X, ((0, size - len(X)), *((0, 0) for _ in X.shape[1:])))
    return np.asarray(_forward(network, filled))[: len(X)]


@jax.jit
def _forward(network, X):
    return columns(network(columns(X)))


@partial(jax.jit, static_argnames=("cost", "metric"))
def _score(Z, Y, weights, *, cost, metric):
    Z, Y, weights = columns(Z), columns(Y), weights[None]
    return cost(Z, Y, weights), metric(Z, Y, weights)
