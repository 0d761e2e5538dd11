"""Tests of chainrule/layers/face_embedding.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.costs import logistic_cost
from chainrule.errors import ShapeError
from chainrule.layers.face_embedding import PairClassifier
from chainrule.optim.adam import adam
from chainrule.train.examples import Examples
from chainrule.train.fit import fit

KEY = jax.random.key(0)


def test_by_hand():
    layer = PairClassifier(2, key=KEY, dtype=float)
    where = lambda one: (one.W, one.b)  # noqa: E731
    layer = eqx.tree_at(where, layer, (jnp.array([[-2.0, -1.0]]), jnp.array([[3.0]])))
    pairs = jnp.array([[1.0, 0.0], [0.5, 0.0], [1.0, 2.0], [-0.5, -1.0]])
    np.testing.assert_allclose(layer(pairs), [[3 - 2 * 0 - 1, 3 - 4 - 1]])
    swapped = jnp.concatenate([pairs[2:], pairs[:2]])
    np.testing.assert_array_equal(layer(swapped), layer(pairs))


def test_learns_which_pairs_match():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((80, 3))
    Y = np.arange(80).reshape(-1, 1) % 2
    second = np.where(Y, first + 0.1 * rng.standard_normal((80, 3)), rng.standard_normal((80, 3)))
    pairs = Examples(np.hstack([first, second]), Y)
    network = PairClassifier(3, key=KEY, dtype=float)
    done = fit(network, adam(0.1), logistic_cost, pairs, epochs=60)
    predictions = done.network(jnp.asarray(pairs.X).T) > 0
    assert (predictions == (Y.T > 0.5)).mean() > 0.9
    assert (np.asarray(done.network.W) < 0).all()  # the further apart, the less similar


def test_refuses_a_single_embedding():
    with pytest.raises(ShapeError) as error:
        PairClassifier(3, key=KEY)(jnp.ones((3, 5), jnp.float32))
    assert str(error.value).startswith("Likeness(2×3 -> 1): expected (6, m), one column per exam")
