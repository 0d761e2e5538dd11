"""Tests of chainrule/blocks/pooling.py."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.blocks.convolution import pads_of
from chainrule.blocks.pooling import (
    average_pool,
    average_pool_backward,
    average_pool_forward,
    global_average_pool,
    max_pool,
    max_pool_backward,
    max_pool_forward,
)
from chainrule.errors import OptionError, ShapeError
from tests.blocks.four_loops import assert_close, pool_backward, pool_forward, there_and_back
from tests.blocks.test_convolution import image, one
from tests.compilations import compilations
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)
POOLS = {"max": max_pool, "average": average_pool}


def windows(A_prev, f, s):
    """Return all windows (f², m, n_H, n_W, n_C), in plain JAX, without padding."""
    n_H, n_W = ((n - f) // s + 1 for n in A_prev.shape[1:3])
    return jnp.stack(
        [
            A_prev[:, i : i + s * (n_H - 1) + 1 : s, j : j + s * (n_W - 1) + 1 : s]
            for i in range(f)
            for j in range(f)
        ]
    )


# By hand


def test_the_examples_of_the_notes():
    A = image([[1, 3, 2, 1], [2, 9, 1, 1], [1, 3, 2, 3], [5, 6, 1, 2]])
    np.testing.assert_array_equal(one(max_pool(A, f=2, s=2)), [[9, 2], [6, 3]])
    A = image([[1, 3, 2, 1], [2, 9, 1, 1], [1, 4, 2, 3], [5, 6, 1, 2]])
    np.testing.assert_array_equal(one(average_pool(A, f=2, s=2)), [[3.75, 1.25], [4, 2]])
    A = [[1, 3, 2, 1, 3], [2, 9, 1, 1, 5], [1, 3, 2, 3, 2], [8, 3, 5, 1, 0], [5, 6, 1, 2, 9]]
    want = [[9, 9, 5], [9, 9, 5], [8, 6, 9]]
    np.testing.assert_array_equal(one(max_pool(image(A), f=3, s=1)), want)


def test_the_mask_of_the_notes():
    _, cache = max_pool_forward(image([[1, 3], [4, 2]]), f=2, s=2)
    np.testing.assert_array_equal(one(max_pool_backward(image([[7]]), cache)), [[0, 0], [7, 0]])


def test_the_gradient_of_the_average_is_split_equally():
    _, cache = average_pool_forward(jnp.zeros((1, 2, 2, 1)), f=2, s=2)
    back = average_pool_backward(image([[2]]), cache)
    np.testing.assert_array_equal(one(back), [[0.5, 0.5], [0.5, 0.5]])


def test_of_equal_maxima_the_first_gets_the_gradient():
    _, cache = max_pool_forward(image([[1, 5], [5, 5]]), f=2, s=1)
    np.testing.assert_array_equal(one(max_pool_backward(image([[1]]), cache)), [[0, 1], [0, 0]])
    _, cache = max_pool_forward(jnp.zeros((1, 3, 3, 1)), f=2, s=1)
    back = max_pool_backward(jnp.ones((1, 2, 2, 1)), cache)
    np.testing.assert_array_equal(one(back), [[1, 1, 0], [1, 1, 0], [0, 0, 0]])


def test_overlapping_gradients_are_added():
    _, cache = max_pool_forward(image([[0, 0, 0], [0, 9, 0], [0, 0, 0]]), f=2, s=1)
    back = max_pool_backward(image([[1, 10], [100, 1000]]), cache)
    np.testing.assert_array_equal(one(back), [[0, 0, 0], [0, 1111, 0], [0, 0, 0]])


def test_the_padding_is_never_the_maximum_but_counts_in_the_average():
    A = image([[-1, -2], [-3, -4]])
    np.testing.assert_array_equal(one(max_pool(A, f=2, s=2, p=1)), [[-1, -2], [-3, -4]])
    np.testing.assert_array_equal(one(average_pool(A, f=2, s=2, p=1)), [[-0.25, -0.5], [-0.75, -1]])


def test_a_window_of_only_padding():
    A = max_pool(image([[3.0]]), f=1, s=1, p=1)
    np.testing.assert_array_equal(one(A), np.where(np.eye(3) * [0, 1, 0] == 1, 3.0, -np.inf))


def test_global_average_of_an_image():
    A = jnp.asarray(rng.standard_normal((2, 3, 4, 5)))
    np.testing.assert_allclose(global_average_pool(A), A.mean((1, 2), keepdims=True), rtol=1e-12)
    assert global_average_pool(A).shape == (2, 1, 1, 5)


@pytest.mark.parametrize("mode", POOLS)
@pytest.mark.parametrize(
    ("A_prev", "f", "s", "p"),
    [
        ((2, 5, 4, 3), 2, 2, 0),  # a row is left over
        ((1, 7, 6, 2), 3, 2, 1),
        ((2, 4, 5, 1), 2, 1, "same"),
        ((1, 5, 7, 1), 2, 3, (1, 0)),  # a stride larger than f
    ],
    ids=str,
)
def test_matches_the_four_loops(mode, A_prev, f, s, p):
    A_prev, pads = rng.standard_normal(A_prev), pads_of(p, f)
    want = pool_forward(A_prev, f, s, pads, mode)
    dA = rng.standard_normal(want.shape)
    A, gradients = there_and_back(POOLS[mode], dA, A_prev, f=f, s=s, p=p)
    assert_close(A, want)
    assert_close(gradients, (pool_backward(dA, A_prev, f, s, pads, mode),))


def test_windows_of_more_than_128_numbers():
    A_prev = np.zeros((1, 12, 12, 1))
    A_prev[0, 11, 11, 0] = 1
    _, (dA_prev,) = there_and_back(max_pool, np.ones((1, 1, 1, 1)), A_prev, f=12, s=1)
    np.testing.assert_array_equal(dA_prev, A_prev)


# Gradients


@pytest.mark.parametrize(("f", "s"), [(2, 2), (3, 1)])
def test_gradients_of_max_pool(f, s, getkey):
    A_prev = jax.random.normal(getkey(), (2, 4, 5, 2))  # no two alike
    plain = lambda A, f, s: windows(A, f, s).max(axis=0)  # noqa: E731
    assert_gradients(max_pool, plain, A_prev, key=getkey(), f=f, s=s)


@pytest.mark.parametrize(("f", "s"), [(2, 2), (2, 3)])
def test_gradients_of_average_pool(f, s, getkey):
    A_prev = jax.random.normal(getkey(), (2, 4, 5, 2))
    plain = lambda A, f, s: windows(A, f, s).mean(axis=0)  # noqa: E731
    assert_gradients(average_pool, plain, A_prev, key=getkey(), f=f, s=s)


def test_gradients_of_global_average_pool(getkey):
    A_prev = jax.random.normal(getkey(), (2, 3, 4, 2))
    plain = partial(jnp.mean, axis=(1, 2), keepdims=True)
    assert_gradients(global_average_pool, plain, A_prev, key=getkey())


# Properties


def test_nan_is_propagated():
    for place in ((0, 0), (0, 1), (1, 1)):
        A_prev = jnp.ones((1, 2, 4, 1)).at[0, *place, 0].set(jnp.nan)
        A = one(max_pool(A_prev, f=2, s=2))
        assert np.isnan(A[0, 0])
        assert A[0, 1] == 1


@jax.jit
def pooled_and_back(A_prev, dA):
    A, pull = jax.vjp(partial(max_pool, f=2, s=2), A_prev)
    return A, pull(dA)[0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), kinds=st.integers(1, 4))
def test_every_gradient_goes_to_exactly_one_maximum(seed, kinds):
    draw = np.random.default_rng(seed)
    A_prev = draw.integers(kinds, size=(2, 4, 4, 2)).astype(float)
    dA = draw.standard_normal((2, 2, 2, 2))
    A, dA_prev = pooled_and_back(jnp.asarray(A_prev), jnp.asarray(dA))
    blocks = np.asarray(dA_prev).reshape(2, 2, 2, 2, 2, 2)
    np.testing.assert_array_equal(blocks.sum((2, 4)), dA)
    assert ((blocks != 0).sum((2, 4)) == 1).all()
    at_a_maximum = A_prev == np.repeat(np.repeat(A, 2, 1), 2, 2)
    assert at_a_maximum[np.asarray(dA_prev) != 0].all()


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_is_kept(dtype):
    A_prev = jnp.ones((1, 4, 4, 2), dtype)
    pools = (partial(max_pool, f=2, s=2), partial(average_pool, f=2, s=2), global_average_pool)
    for pool in pools:
        A, pull = jax.vjp(pool, A_prev)
        assert {A.dtype, pull(A)[0].dtype} == {jnp.dtype(dtype)}


# Errors


def test_refuses_a_pool_larger_than_the_image():
    with pytest.raises(ShapeError) as error:
        max_pool(jnp.ones((5, 8, 1, 3)), f=2, s=2)
    assert str(error.value) == (
        "max_pool: expected images of at least 2 by 2 for f = 2; got 8 by 1, which gives "
        "an output size of ⌊(n + 2p − f)/s⌋ + 1 = ⌊(1 + 0 − 2)/2⌋ + 1 = 0.\n"
        'Try p="same", a smaller f, or one fewer pooling layer before this layer.'
    )
    with pytest.raises(OptionError) as error:
        average_pool(jnp.ones((5, 8, 8, 3)), f=2, s=0)
    assert str(error.value) == "average_pool: expected a stride s of 1 or more; got 0.\nTry 1."


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_a_large_window_compiles_few_programs(pool):
    """One program for each direction, and not one for each of the f² numbers of a window."""
    A_prev = jnp.arange(800.0).reshape(2, 20, 20, 1)
    with compilations() as compiled:
        A, cache = pool.forward(A_prev, f=10, s=5)
        dA_prev = pool.backward(jnp.ones_like(A), cache)
    assert len(compiled) <= 6
    assert float(dA_prev.sum()) == pytest.approx(A.size)
