"""Tests of chainrule/layers/dropout.py."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.layers.dropout import Dropout, dropout_mask
from chainrule.layers.layer import named_arrays, split_parameters
from tests.compilations import compilations

KEY = jax.random.key(0)
A_PREV = jnp.asarray(np.random.default_rng(0).standard_normal((50, 40)))

train = jax.jit(lambda layer, A_prev, key: layer.train(A_prev, key=key))


def test_prediction_is_the_identity():
    assert Dropout(0.1)(A_PREV) is A_PREV


def test_training_drops_units_and_divides():
    A, after = train(Dropout(0.8, dtype=float), A_PREV, KEY)
    left_out = np.asarray(A) == 0
    assert abs(left_out.mean() - 0.2) < 5 * np.sqrt(0.16 / 2000)
    np.testing.assert_allclose(np.asarray(A)[~left_out], np.asarray(A_PREV)[~left_out] / 0.8)
    assert list(named_arrays(after)) == ["keep_prob0"]


def test_the_mean_is_preserved():
    keys = jax.random.split(KEY, 200)
    A = jax.vmap(train, (None, None, 0))(Dropout(0.5, dtype=float), jnp.ones((10, 20)), keys)[0]
    assert abs(float(A.mean()) - 1) < 5 / np.sqrt(200 * 200)


def test_the_gradient_uses_the_same_mask():
    A, pull = jax.vjp(lambda A: train(Dropout(0.8, dtype=float), A, KEY)[0], jnp.ones((4, 5)))
    np.testing.assert_array_equal(pull(jnp.ones((4, 5)))[0], A)


def test_keep_prob_1_is_exact():
    A_prev = A_PREV.astype(jnp.float32)
    np.testing.assert_array_equal(train(Dropout(1.0), A_prev, KEY)[0], A_prev)


# The mask


def test_a_mask_depends_only_on_its_key():
    mask = jax.jit(lambda key: dropout_mask(key, (50, 40), jnp.float32(0.5)))
    np.testing.assert_array_equal(mask(KEY), dropout_mask(KEY, (50, 40), jnp.float32(0.5)))
    other = mask(jax.random.key(1))
    assert abs(float((mask(KEY) == other).mean()) - 0.5) < 5 * 0.5 / np.sqrt(2000)


def test_more_examples_do_not_change_the_first_masks():
    few, more = (dropout_mask(KEY, (30, m), jnp.float32(0.5)) for m in (4, 9))
    np.testing.assert_array_equal(more[:, :4], few)
    few, more = (dropout_mask(KEY, (m, 2, 2, 3), jnp.float32(0.5)) for m in (4, 9))
    np.testing.assert_array_equal(more[:4], few)


@pytest.mark.parametrize("keep_prob", [0.01, 0.3, 0.8, 0.999])
def test_the_share_of_kept_units(keep_prob):
    kept = float(dropout_mask(KEY, (500, 400), jnp.float32(keep_prob)).mean())
    assert abs(kept - keep_prob) < 5 * np.sqrt(keep_prob * (1 - keep_prob) / 200_000)


# Many


def test_another_keep_prob_does_not_recompile():
    train(Dropout(0.8, dtype=float), A_PREV, KEY)
    with compilations() as compiled:
        train(Dropout(0.4, dtype=float), A_PREV, KEY)
    assert compiled == []


def test_many_with_different_keep_probs_at_once():
    some = [Dropout(keep_prob, dtype=float) for keep_prob in (0.3, 0.8, 1.0)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *some)
    together, _ = jax.vmap(train, (0, None, None))(stacked, A_PREV, KEY)
    for layer, A in zip(some, together, strict=True):
        np.testing.assert_array_equal(A, train(layer, A_PREV, KEY)[0])


def test_keep_prob_is_not_a_parameter():
    theta, rest = split_parameters(Dropout(0.8))
    assert theta.keep_prob is None
    assert rest.keep_prob == np.float32(0.8)


def test_works_in_other_dtypes():
    layer = eqx.tree_at(lambda layer: layer.keep_prob, Dropout(0.8), jnp.float32(0.5))
    A, _ = train(layer, jnp.ones((4, 5), jnp.bfloat16), KEY)
    assert A.dtype == jnp.bfloat16


# Errors


@pytest.mark.parametrize("wrong", [0, 0.0, -0.5, 1.5, 80, float("nan"), True, "0.8", None])
def test_refuses_an_invalid_keep_prob(wrong):
    with pytest.raises(OptionError) as error:
        Dropout(wrong)
    assert str(error.value) == (
        f"Dropout: expected a keep_prob greater than 0 and at most 1; got {wrong!r}.\n"
        "Try 1 to keep every unit, or 0.8 to drop a fifth of them."
    )


def test_title():
    assert Dropout(0.8).title == "Dropout(0.8)"
