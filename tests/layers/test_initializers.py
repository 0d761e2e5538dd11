"""Tests of chainrule/layers/initializers.py."""

import jax
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.layers.dense import Dense
from chainrule.layers.initializers import he, lecun, orthogonal, small, xavier, zeros
from tests.compilations import compilations

NORMAL = [small, lecun, xavier, he]
ALL = [zeros, *NORMAL, orthogonal]
KEY = jax.random.key(0)
N_L, N_PREV = 300, 500


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [(small, 1e-4), (lecun, 1 / N_PREV), (xavier, 2 / (N_PREV + N_L)), (he, 2 / N_PREV)],
)
def test_normal_with_the_variance_of_the_notes(initializer, variance):
    W = np.asarray(initializer(KEY, (N_L, N_PREV)), float) / np.sqrt(variance)
    assert abs(W.mean()) < 0.02  # 150,000 numbers: five standard errors are 0.013
    assert W.var() == pytest.approx(1.0, rel=0.02)
    assert (W**4).mean() == pytest.approx(3.0, rel=0.04)  # normal, not uniform (1.8)


def test_zeros():
    np.testing.assert_array_equal(zeros(KEY, (3, 2)), np.zeros((3, 2)))


def test_orthogonal_rows_or_columns():
    W = np.asarray(orthogonal(KEY, (20, 30), float))
    np.testing.assert_allclose(W @ W.T, np.eye(20), atol=1e-12)
    np.testing.assert_array_equal(orthogonal(KEY, (30, 20), float), W.T)
    assert abs(W.trace()) < 10  # no preferred signs


@pytest.mark.parametrize("initializer", ALL)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shape_and_dtype_are_as_requested(initializer, dtype):
    W = initializer(KEY, (3, 2), dtype)
    assert (W.shape, W.dtype) == ((3, 2), dtype)
    np.testing.assert_allclose(W, initializer(KEY, (3, 2)), rtol=2e-7)
    assert initializer(KEY, (3, 2)).dtype == np.float32


@pytest.mark.parametrize("initializer", ALL[1:])
def test_the_key_determines_the_weights(initializer):
    start = initializer(KEY, (3, 2))
    np.testing.assert_array_equal(initializer(jax.random.key(0), (3, 2)), start)
    assert not np.allclose(initializer(jax.random.key(1), (3, 2)), start)


def test_he_keeps_the_scale_of_the_signal_through_ten_layers():
    A = jax.random.normal(KEY, (400, 50), np.float32)
    for key in jax.random.split(KEY, 10):
        A = Dense(400, 400, key=key, activation=relu, initializer=he)(A)
    assert 0.5 < float((np.asarray(A) ** 2).mean()) < 2.0


@pytest.mark.parametrize("initializer", ALL)
def test_nothing_is_compiled(initializer):
    with compilations() as compiled:
        initializer(KEY, (17, 13))
    assert compiled == []


@pytest.mark.parametrize("initializer", NORMAL)
@pytest.mark.parametrize("shape", [(30, 20), (3, 3, 8, 16), (5, 5, 8)])
def test_float64_weights_have_all_their_digits(initializer, shape):
    W = np.asarray(initializer(KEY, shape, np.float64))
    rounded = W.astype(np.float32)
    assert (rounded != W).mean() > 0.99
    error = (W - rounded) / np.spacing(np.abs(rounded))  # of the last digit of a float32
    assert abs(error.mean()) < 0.1
    assert error.std() > 0.2
