"""Normalising vectors to length one, so that their dot products are cosine similarities.

Notes: "Normalizing rows" (course 1, week 2, Python basics with NumPy).

    forward     Y  = X / ‖X‖, row by row
    backward    dX = (dY − Y Σ dY ⊙ Y) / ‖X‖, the sum over the row

A row of zeros stays zero and has a gradient of zero (the notes would divide by 0).

>>> normalize_rows(jnp.array([[0.0, 3.0, 4.0], [0.0, 0.0, 0.0]]))
Array([[0. , 0.6, 0.8],
       [0. , 0. , 0. ]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block


class NormalizeRowsCache(NamedTuple):
    """The cache of normalize_rows: the normalised rows, and 1 / ‖X‖ of each (0 if it is zero)."""

    Y: Float[Array, "rows n"]
    inverse_length: Float[Array, "rows 1"]


def normalize_rows_forward(
    X: Float[Array, "rows n"],
) -> tuple[Float[Array, "rows n"], NormalizeRowsCache]:
    """Y = X / ‖X‖, row by row.

    Each row is divided by its largest number before squaring, so that nothing overflows.
    """
    largest = jnp.abs(X).max(axis=1, keepdims=True)
    safe = jnp.where(largest > 0, largest, 1)
    length = safe * jnp.sqrt(((X / safe) ** 2).sum(axis=1, keepdims=True))
    inverse_length = jnp.where(largest > 0, 1 / jnp.where(largest > 0, length, 1), 0)
    Y = X * inverse_length
    return Y, NormalizeRowsCache(Y, inverse_length)


def normalize_rows_backward(
    dY: Float[Array, "rows n"], cache: NormalizeRowsCache
) -> Float[Array, "rows n"]:
    """dX = (dY − Y Σ dY ⊙ Y) / ‖X‖."""
    along = (dY * cache.Y).sum(axis=1, keepdims=True)
    return (dY - cache.Y * along) * cache.inverse_length


normalize_rows = as_block(normalize_rows_forward, normalize_rows_backward)
