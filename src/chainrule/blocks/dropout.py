"""Inverted dropout: some units say nothing, the others say it louder.

Notes: "Dropout regularization" (course 2, week 1).

    forward     A = A_prev ⊙ D / keep_prob
    backward    dA_prev = dA ⊙ D / keep_prob

D is the mask: 1 with probability keep_prob, else 0, and it is given, so that the formula is a plain
function. Dividing by keep_prob keeps the expected A what it was, and so prediction needs no change.

>>> dropout(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[True, False, True]]), 0.5)
Array([[2., 0., 6.]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Num

from chainrule.blocks.block import as_block

Mask = Bool[Array, "*shape"] | Num[Array, "*shape"]


class DropoutCache(NamedTuple):
    """The mask, and what the units that stay are multiplied with."""

    D: Bool[Array, "*shape"]
    scale: Float[Array, ""]


def dropout_forward(
    A_prev: Float[Array, "*shape"], D: Mask, keep_prob: Num[ArrayLike, ""]
) -> tuple[Float[Array, "*shape"], DropoutCache]:
    """A = A_prev ⊙ D / keep_prob."""
    cache = DropoutCache(D.astype(bool), 1 / jnp.asarray(keep_prob, A_prev.dtype))
    return dropout_backward(A_prev, cache), cache


def dropout_backward(dA: Float[Array, "*shape"], cache: DropoutCache) -> Float[Array, "*shape"]:
    """dA_prev = dA ⊙ D / keep_prob."""
    return jnp.where(cache.D, dA * cache.scale, 0)


dropout = as_block(dropout_forward, dropout_backward)
