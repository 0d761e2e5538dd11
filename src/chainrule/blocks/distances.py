"""Distances between embeddings: between all pairs of columns, or element by element.

Notes: "Siamese network" and "Face verification and binary classification" (course 4, week 4).

    forward     squared      D[i, j] = ‖X[:, i] − Y[:, j]‖²
                absolute     D = |X − Y|
    backward    squared      dX[:, i] = 2 Σ over j of dD[i, j] (X[:, i] − Y[:, j])
                             dY[:, j] = 2 Σ over i of dD[i, j] (Y[:, j] − X[:, i])
                absolute     dX = dD ⊙ sign(X − Y)
                             dY = −dD ⊙ sign(X − Y),  0 where they are equal

The squared distances are computed as ‖x‖² + ‖y‖² − 2 xᵀy, with one matrix product. For vectors of
length one, such as embeddings, their error is about 1e-6 in float32, so they may be slightly below
0.

>>> squared_distances(jnp.array([[0.0, 1.0], [0.0, 0.0]]), jnp.array([[3.0], [4.0]]))
Array([[25.],
       [20.]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block


class SquaredDistancesCache(NamedTuple):
    """The cache of the squared distances: the columns of X and Y."""

    X: Float[Array, "n m"]
    Y: Float[Array, "n k"]


def squared_distances_forward(
    X: Float[Array, "n m"], Y: Float[Array, "n k"]
) -> tuple[Float[Array, "m k"], SquaredDistancesCache]:
    """D[i, j] = ‖X[:, i] − Y[:, j]‖²."""
    lengths = (X**2).sum(axis=0)[:, None] + (Y**2).sum(axis=0)[None]
    return lengths - 2 * _product(X.T, Y), SquaredDistancesCache(X, Y)


def squared_distances_backward(
    dD: Float[Array, "m k"], cache: SquaredDistancesCache
) -> tuple[Float[Array, "n m"], Float[Array, "n k"]]:
    """Return the gradients of X and Y."""
    X, Y = cache
    dX = 2 * (X * dD.sum(axis=1)[None] - _product(Y, dD.T))
    dY = 2 * (Y * dD.sum(axis=0)[None] - _product(X, dD))
    return dX, dY


squared_distances = as_block(squared_distances_forward, squared_distances_backward)


class AbsoluteDifferenceCache(NamedTuple):
    """The cache of the absolute difference: the sign of X − Y."""

    sign: Float[Array, "*shape"]


def absolute_difference_forward(
    X: Float[Array, "*shape"], Y: Float[Array, "*shape"]
) -> tuple[Float[Array, "*shape"], AbsoluteDifferenceCache]:
    """D = |X − Y|."""
    difference = X - Y
    return jnp.abs(difference), AbsoluteDifferenceCache(jnp.sign(difference))


def absolute_difference_backward(
    dD: Float[Array, "*shape"], cache: AbsoluteDifferenceCache
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """dX = dD ⊙ sign(X − Y), and dY = −dX."""
    dX = dD * cache.sign
    return dX, -dX


absolute_difference = as_block(absolute_difference_forward, absolute_difference_backward)


def _product(A: Float[Array, "n m"], B: Float[Array, "m k"]) -> Float[Array, "n k"]:
    """Return A B in full precision, also on a device that would round the factors."""
    return jnp.matmul(A, B, precision="highest")
