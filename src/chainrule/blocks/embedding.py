"""Word embedding: each token is replaced by its column of a matrix E.

Notes: "Word representation" and "Embedding matrix" (course 5, week 2).

    forward     A[t] = E O[t], O[t] the one-hot columns of ids[t]: A[t, :, i] = E[:, ids[t, i]]
    backward    dE[:, j] = Σ of dA[t, :, i] where ids[t, i] = j

The product is not computed: the columns are looked up, and their gradients are added to the columns
where they came from. An id outside of 0 … V − 1 has the embedding 0 and contributes no gradient, so
that −1 can mark a place without a token.

>>> E = jnp.array([[10.0, 20.0, 30.0]])  # three tokens, one feature
>>> embedding(E, jnp.array([[2, 0], [1, -1]]))  # two steps of two examples
Array([[[30., 10.]],
<BLANKLINE>
       [[20.,  0.]]], dtype=float64)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from chainrule.blocks.block import as_block


@partial(jax.tree_util.register_dataclass, data_fields=["ids"], meta_fields=["V"])
@dataclass(frozen=True)
class EmbeddingCache:
    """The ids, with V for those that have no column, and the number V of tokens."""

    ids: Int[Array, "T m"]
    V: int


def embedding_forward(
    E: Float[Array, "n_e V"], ids: Int[Array, "T m"]
) -> tuple[Float[Array, "T n_e m"], EmbeddingCache]:
    """A[t] = E O[t], the columns of E with the numbers ids[t]."""
    V = E.shape[1]
    ids = jnp.where((ids >= 0) & (ids < V), ids, V)
    A = jnp.take(E, ids, axis=1, mode="fill", fill_value=0)  # (n_e, T, m)
    return A.transpose(1, 0, 2), EmbeddingCache(ids, V)


def embedding_backward(dA: Float[Array, "T n_e m"], cache: EmbeddingCache) -> Float[Array, "n_e V"]:
    """Return the gradient of E."""
    dE = jnp.zeros((dA.shape[1], cache.V), dA.dtype)
    return dE.at[:, cache.ids].add(dA.transpose(1, 0, 2), mode="drop")


embedding = as_block(embedding_forward, embedding_backward)
