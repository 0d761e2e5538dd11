"""Tests of chainrule/optim/transforms.py."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from chainrule.errors import OptionError
from chainrule.optim.adam import adam
from chainrule.optim.gradient_descent import gradient_descent
from chainrule.optim.minimize import minimize
from chainrule.optim.transforms import clip, clip_by_norm, clip_by_value, clipped
from tests.compilations import compilations
from tests.optim.first_steps import assert_same_path, thetas


def norm(tree) -> float:
    return float(
        np.sqrt(sum((np.asarray(leaf, float) ** 2).sum() for leaf in jax.tree.leaves(tree)))
    )


def test_by_hand():
    gradients = {"W": jnp.array(3.0), "b": jnp.array(4.0)}  # their norm is 5
    scaled = clip(gradients, jnp.array(1.0))
    assert (float(scaled["W"]), float(scaled["b"])) == pytest.approx((0.6, 0.8))
    for limit in (5.0, 7.0):
        unchanged = clip(gradients, jnp.array(limit))
        assert (float(unchanged["W"]), float(unchanged["b"])) == (3.0, 4.0)


def test_first_steps_match_optax():
    """Three of the five gradients have a norm above 2.5."""
    theirs = optax.chain(optax.clip_by_global_norm(2.5), optax.adam(0.1))
    assert_same_path(thetas(clip_by_norm(adam(0.1), 2.5)), thetas(theirs))
    assert_same_path(thetas(clip_by_norm(optax.adam(0.1), 2.5)), thetas(theirs))


def test_can_be_used_in_an_optax_chain():
    chained = optax.chain(clip_by_norm(gradient_descent(0.1), 2.5), optax.scale(2.0))
    assert_same_path(thetas(chained), thetas(clip_by_norm(gradient_descent(0.2), 2.5)))


@pytest.mark.parametrize("size", [1e-30, 1e-3, 1.0, 1e10, 1e20, 1e25])
@pytest.mark.usefixtures("float32_world")
def test_a_gradient_of_any_size_is_clipped_to_the_maximal_norm(size):
    gradients = size * jnp.array([3.0, -4.0, 0.0], jnp.float32)
    scaled = clip(gradients, jnp.float32(0.1))
    assert scaled.dtype == np.float32
    assert norm(scaled) == pytest.approx(min(5 * size, 0.1), rel=1e-5)
    np.testing.assert_allclose(scaled / norm(scaled), [0.6, -0.8, 0], rtol=1e-5)


def test_a_zero_gradient_stays_zero():
    np.testing.assert_array_equal(clip(jnp.zeros(3), jnp.array(1.0)), np.zeros(3))


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_non_finite_gradients_stay_non_finite(bad):
    assert not np.isfinite(clip(jnp.array([1.0, bad]), jnp.array(1.0))).all()


def test_half_precision_keeps_its_dtype():
    gradients = jnp.array([300.0, 400.0], jnp.bfloat16)  # the square of 400 needs more than 8 bits
    scaled = clip(gradients, jnp.float32(1.0))
    assert scaled.dtype == jnp.bfloat16
    np.testing.assert_allclose(scaled.astype(np.float32), [0.6, 0.8], rtol=0.01)


def test_another_limit_does_not_recompile():
    def steep(w):
        return (10 * w**2).sum()

    start = jnp.ones(2)
    w, _ = minimize(steep, start, clip_by_norm(gradient_descent(1.0), 0.1), 3)
    assert norm(w - start) == pytest.approx(0.3)
    with compilations() as compiled:
        w, _ = minimize(steep, start, clip_by_norm(gradient_descent(1.0), 0.2), 3)
    assert compiled == []
    assert norm(w - start) == pytest.approx(0.6)


# Each number by itself


def test_values_by_hand():
    gradients = {"W": jnp.array([[-20.0, 3.0], [10.0, -10.0]]), "b": jnp.array([11.0])}
    limited = clipped(gradients, 10.0)
    np.testing.assert_array_equal(limited["W"], [[-10.0, 3.0], [10.0, -10.0]])
    np.testing.assert_array_equal(limited["b"], [10.0])


def test_first_steps_by_value_match_optax():
    theirs = optax.chain(optax.clip(0.7), optax.adam(0.1))
    assert_same_path(thetas(clip_by_value(adam(0.1), 0.7)), thetas(theirs))
    assert_same_path(thetas(clip_by_value(optax.adam(0.1), 0.7)), thetas(theirs))


def test_the_direction_changes_as_it_does_not_by_norm():
    gradients = jnp.array([3.0, 4.0])
    np.testing.assert_array_equal(clipped(gradients, 3.0), [3.0, 3.0])
    np.testing.assert_allclose(clip(gradients, jnp.array(3.0)), [1.8, 2.4], rtol=1e-12)


def test_values_that_are_not_finite():
    """An infinite number is limited, and one that is not a number is not hidden."""
    got = clipped(jnp.array([np.inf, -np.inf, np.nan]), 5.0)
    np.testing.assert_array_equal(got, [5.0, -5.0, np.nan])


def test_values_keep_their_dtype():
    half, full = clipped((jnp.array([9.0], jnp.bfloat16), jnp.array([9.0], jnp.float32)), 5.0)
    assert (half.dtype, full.dtype) == (jnp.bfloat16, jnp.float32)
    limit = jnp.asarray(5.0)  # of float64, as the state of float64 parameters has it
    assert clipped(jnp.array([9.0], jnp.float32), limit).dtype == jnp.float32


def test_another_largest_value_does_not_recompile():
    def steep(w):
        return (10 * w**2).sum()

    start = jnp.array([1.0, -1.0])
    w, _ = minimize(steep, start, clip_by_value(gradient_descent(1.0), 0.1), 3)
    np.testing.assert_allclose(w, [0.7, -0.7], rtol=1e-12)
    with compilations() as compiled:
        w, _ = minimize(steep, start, clip_by_value(gradient_descent(1.0), 0.2), 3)
    assert compiled == []
    np.testing.assert_allclose(w, [0.4, -0.4], rtol=1e-12)


# Errors


@pytest.mark.parametrize("limit", [0, -1.0, np.inf, np.nan, "much", True])
def test_refuses_a_limit_that_is_not_positive(limit):
    with pytest.raises(OptionError) as error:
        clip_by_norm(adam(), limit)
    assert str(error.value) == (
        f"clip_by_norm(max_norm=…): expected a number greater than 0; got {limit!r}.\nTry 1.0."
    )


@pytest.mark.parametrize("limit", [0, -1.0, np.inf, np.nan, "much", True])
def test_refuses_a_largest_value_that_is_not_positive(limit):
    with pytest.raises(OptionError) as error:
        clip_by_value(adam(), limit)
    assert str(error.value) == (
        f"clip_by_value(max_value=…): expected a number greater than 0; got {limit!r}.\nTry 5.0."
    )
