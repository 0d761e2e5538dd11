"""Tests of chainrule/blocks/embedding.py."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from chainrule.blocks.embedding import embedding, embedding_backward, embedding_forward
from tests.gradients import assert_gradients


def plain_embedding(E, ids):
    """The product with one-hot columns, of the ids that have one."""
    tokens = jnp.arange(E.shape[1], dtype=ids.dtype)[None, None]
    one_hot = (ids[..., None] == tokens).astype(E.dtype)  # (T, m, V)
    return jnp.einsum("nv,tmv->tnm", E, one_hot)


IDS = jnp.array([[2, 0, 2], [-1, 4, 2]])


def test_an_example_by_hand():
    E = jnp.array([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
    A, cache = embedding_forward(E, IDS)
    np.testing.assert_array_equal(A[0], [[3, 1, 3], [30, 10, 30]])
    np.testing.assert_array_equal(A[1], [[0, 0, 3], [0, 0, 30]])  # −1 and 4 have no column
    dE = embedding_backward(jnp.arange(12.0).reshape(2, 2, 3), cache)
    # Token 2 occurs three times, token 0 once; tokens 1 and 3 do not occur.
    np.testing.assert_array_equal(dE, [[1, 0, 0 + 2 + 8, 0], [4, 0, 3 + 5 + 11, 0]])


def test_gradients(getkey):
    E = jax.random.normal(getkey(), (2, 4))
    assert_gradients(
        lambda E: embedding(E, IDS), lambda E: plain_embedding(E, IDS), E, key=getkey()
    )


jit_embedding, jit_plain = jax.jit(embedding), jax.jit(plain_embedding)


@settings(max_examples=30, deadline=None)
@given(ids=arrays(np.int32, (3, 5), elements={"min_value": -9, "max_value": 9}))
def test_it_is_the_product_with_one_hot_columns(ids):
    E = np.random.default_rng(0).standard_normal((2, 4))
    np.testing.assert_array_equal(jit_embedding(E, ids), jit_plain(E, ids))
