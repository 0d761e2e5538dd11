"""Inverted dropout: some units are set to zero, and the others are scaled up to compensate.

Notes: "Dropout regularization" (course 2, week 1).

    forward     A = A_prev ⊙ D / keep_prob
    backward    dA_prev = dA ⊙ D / keep_prob

D is the mask: 1 with probability keep_prob, else 0. It is an input, so that the formula is a pure
function. Dividing by keep_prob leaves the expected value of A unchanged, so prediction needs no
correction.

>>> dropout(jnp.array([[1.0, 2.0, 3.0]]), jnp.array([[True, False, True]]), 0.5)
Array([[2., 0., 6.]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Num

from chainrule.blocks.block import as_block

Mask = Bool[Array, "*shape"] | Num[Array, "*shape"]


class DropoutCache(NamedTuple):
    """The cache of dropout: the mask D, and the factor by which the kept units are multiplied."""

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
