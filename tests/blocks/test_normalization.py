"""Tests of chainrule/blocks/normalization.py."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.blocks.normalization import (
    batch_norm,
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_predict,
    layer_norm,
    layer_norm_backward,
    layer_norm_forward,
)
from tests.gradients import assert_gradients

SHAPES = {"columns": ((3, 5), (3, 1)), "images": ((5, 2, 3, 4), (1, 1, 1, 4))}
WEIGHTS = jnp.array([[0.0, 2.0, 0.5, 0.0, 3.0]])
each_shape = pytest.mark.parametrize("shape", SHAPES)
weighted = pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["", "weights"])


def sums_of(Z, weights):
    """Return the axes of the mean, and p for each number."""
    p = np.full((1, 5), 0.2) if weights is None else weights / weights.sum()
    if Z.ndim == 2:
        return 1, p
    return (0, 1, 2), p.reshape(5, 1, 1, 1) / (Z.shape[1] * Z.shape[2])


def twin(Z, gamma, beta, weights=None, eps=1e-5):
    """Compute batch norm in the textbook's order, with two passes."""
    axes, p = sums_of(Z, weights)
    mean = (p * Z).sum(axes, keepdims=True)
    variance = (p * (Z - mean) ** 2).sum(axes, keepdims=True)
    return gamma * (Z - mean) / jnp.sqrt(variance + eps) + beta, mean, variance


def inputs_of(shape, getkey):
    Z, features = SHAPES[shape]
    return tuple(jax.random.normal(getkey(), s) for s in (Z, features, features))


# By hand


def test_by_hand():
    Z = jnp.array([[1.0, 3.0], [10.0, 10.0]])
    gamma, beta = jnp.array([[2.0], [1.0]]), jnp.array([[0.5], [7.0]])
    (A, mean, variance), _ = batch_norm_forward(Z, gamma, beta, eps=1e-12)
    np.testing.assert_allclose(A, [[-1.5, 2.5], [7.0, 7.0]], rtol=1e-9)  # Z_norm is −1, 1; 0, 0
    np.testing.assert_array_equal(mean, [[2.0], [10.0]])
    np.testing.assert_array_equal(variance, [[1.0], [0.0]])


def test_the_gradient_by_hand():
    """Z = 0, 2, 4 has mean 2, and variance + ε = 9: scale 1/3, Z_norm = −2/3, 0, 2/3."""
    (_, _, variance), cache = batch_norm_forward(
        jnp.array([[0.0, 2.0, 4.0]]), jnp.ones((1, 1)), jnp.zeros((1, 1)), eps=9 - 8 / 3
    )
    np.testing.assert_allclose(variance, [[8 / 3]])
    d_output = (jnp.array([[1.0, 0.0, 0.0]]), jnp.zeros((1, 1)), jnp.zeros((1, 1)))
    dZ, d_gamma, d_beta = batch_norm_backward(d_output, cache)
    np.testing.assert_allclose(d_gamma, [[-2 / 3]])
    np.testing.assert_allclose(d_beta, [[1.0]])
    # (dA − (dβ + Z_norm dγ)/3) / 3 with Z_norm dγ = 4/9, 0, −4/9
    np.testing.assert_allclose(dZ, [[(1 - 13 / 27) / 3, -1 / 9, (-5 / 27) / 3]])


@pytest.mark.usefixtures("float32_world")
def test_a_batch_of_one():
    Z = jnp.array([[3.0], [-1e4]], jnp.float32)
    gamma, beta = jnp.array([[2.0], [5.0]], jnp.float32), jnp.array([[0.5], [-1.0]], jnp.float32)
    (A, mean, variance), pull = jax.vjp(batch_norm, Z, gamma, beta)
    np.testing.assert_array_equal(A, beta)
    np.testing.assert_array_equal(mean, Z)
    np.testing.assert_array_equal(variance, np.zeros((2, 1)))
    for d in pull((jnp.ones_like(A), jnp.zeros_like(mean), jnp.ones_like(variance))):
        assert np.isfinite(d).all()


# Gradients


@each_shape
@weighted
def test_gradients(shape, weights, getkey):
    """The gradients of mean and variance are checked as well: one array combines all outputs."""

    def together(outputs):
        A, mean, variance = outputs
        return A + 0.3 * mean - 0.7 * variance

    assert_gradients(
        lambda *inputs: together(batch_norm(*inputs, weights)),
        lambda *inputs: together(twin(*inputs, weights)),
        *inputs_of(shape, getkey),
        key=getkey(),
    )


@each_shape
def test_gradients_of_prediction(shape, getkey):
    Z, gamma, beta = inputs_of(shape, getkey)
    mean, variance = beta + 1, gamma**2 + 0.5

    def plain(Z, gamma, beta, mean, variance):
        return gamma * (Z - mean) / jnp.sqrt(variance + 1e-5) + beta

    assert_gradients(batch_norm_predict, plain, Z, gamma, beta, mean, variance, key=getkey())


# Properties

without_epsilon = jax.jit(partial(batch_norm, eps=1e-15))


@settings(max_examples=30, deadline=None)
@given(shift=st.floats(-1e3, 1e3), scale=st.floats(0.1, 1e3), seed=st.integers(0, 99))
def test_shift_and_scale_of_the_input_do_not_matter(shift, scale, seed):
    Z = np.random.default_rng(seed).standard_normal((3, 5))
    gamma, beta = jnp.full((3, 1), 2.0), jnp.full((3, 1), 0.5)
    A, mean, variance = without_epsilon(jnp.asarray(scale * Z + shift), gamma, beta)
    unshifted, _, _ = without_epsilon(jnp.asarray(Z), gamma, beta)
    np.testing.assert_allclose(A, unshifted, atol=1e-6)
    np.testing.assert_allclose(mean[:, 0], scale * Z.mean(1) + shift, atol=1e-9)
    np.testing.assert_allclose(variance[:, 0], scale**2 * Z.var(1), rtol=1e-6)


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("axes", ["columns", "images"])
@pytest.mark.parametrize("weights", [False, True])
def test_a_mean_of_ten_thousand_and_a_variance_of_one_in_float32(axes, weights):
    """Check it also when the first example only fills the batch and is far from the others."""
    rng = np.random.default_rng(0)
    Z = 1e4 + rng.standard_normal((4, 64))
    p = np.full(64, 1 / 64)
    if weights:
        Z[:, 0], p = 0.0, np.r_[0.0, np.full(63, 1 / 63)]
    if axes == "images":
        Z = Z.T.reshape(64, 1, 1, 4)
    ones = np.ones((4, 1) if axes == "columns" else (1, 1, 1, 4), np.float32)
    Z32 = Z.astype(np.float32)
    w = jnp.asarray(64 * p, jnp.float32)[None] if weights else None
    A, mean, variance = batch_norm(jnp.asarray(Z32), jnp.asarray(ones), jnp.asarray(0 * ones), w)
    columns = Z32.astype(float) if axes == "columns" else Z32.astype(float).reshape(64, 4).T
    want_mean = (columns * p).sum(1)
    want = ((columns - want_mean[:, None]) ** 2 * p).sum(1)
    np.testing.assert_allclose(np.ravel(mean), want_mean, rtol=1e-6)
    np.testing.assert_allclose(np.ravel(variance), want, rtol=1e-3)
    got = np.asarray(A) if axes == "columns" else np.asarray(A).reshape(64, 4).T
    counted = p > 0
    normalized = (columns - want_mean[:, None]) / np.sqrt(want + 1e-5)[:, None]
    np.testing.assert_allclose(got[:, counted], normalized[:, counted], atol=2e-3)


@each_shape
def test_a_weight_of_0_only_fills_the_batch(shape, getkey):
    Z, gamma, beta = inputs_of(shape, getkey)
    counted = np.array([1, 2, 4])
    axis = 1 if Z.ndim == 2 else 0
    A, mean, variance = batch_norm(Z, gamma, beta, WEIGHTS)
    few = batch_norm(jnp.take(Z, counted, axis), gamma, beta, WEIGHTS[:, counted])
    np.testing.assert_allclose(jnp.take(A, counted, axis), few[0], rtol=1e-12)
    np.testing.assert_allclose(mean, few[1], rtol=1e-12)
    np.testing.assert_allclose(variance, few[2], rtol=1e-12)


@each_shape
def test_equal_weights_equal_no_weights(shape, getkey):
    inputs = inputs_of(shape, getkey)
    for got, want in zip(
        batch_norm(*inputs, jnp.full((1, 5), 3.0)), batch_norm(*inputs), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_prediction_with_the_batch_statistics_equals_training(getkey):
    Z, gamma, beta = inputs_of("columns", getkey)
    A, mean, variance = batch_norm(Z, gamma, beta)
    np.testing.assert_allclose(batch_norm_predict(Z, gamma, beta, mean, variance), A, rtol=1e-12)


# Layer norm


def plain_layer_norm(Z, gamma, beta, eps=1e-5, axis=-2):
    mean = Z.mean(axis=axis, keepdims=True)
    variance = ((Z - mean) ** 2).mean(axis=axis, keepdims=True)
    shape = [1] * Z.ndim
    shape[axis] = -1
    return gamma.reshape(shape) * (Z - mean) / jnp.sqrt(variance + eps) + beta.reshape(shape)


def test_layer_norm_by_hand():
    """Each example is normalised by itself: 1, 3 and 10, 10."""
    Z, gamma, beta = (
        jnp.array([[1.0, 10.0], [3.0, 10.0]]),
        jnp.array([[2.0], [1.0]]),
        jnp.ones((2, 1)),
    )
    A, _ = layer_norm_forward(Z, gamma, beta, eps=1e-12)
    np.testing.assert_allclose(A, [[-1, 1], [2, 1]], rtol=1e-9)


def test_the_gradient_of_layer_norm_by_hand():
    """Z = 0, 2, 4 as for batch norm above: the same sums, over the features of one example."""
    Z, ones = jnp.array([[0.0], [2.0], [4.0]]), jnp.ones((3, 1))
    _, cache = layer_norm_forward(Z, ones, 0 * ones, eps=9 - 8 / 3)
    dZ, d_gamma, d_beta = layer_norm_backward(jnp.array([[1.0], [0.0], [0.0]]), cache)
    np.testing.assert_allclose(d_gamma.ravel(), [-2 / 3, 0, 0])
    np.testing.assert_allclose(d_beta.ravel(), [1, 0, 0])
    np.testing.assert_allclose(dZ.ravel(), [(1 - 13 / 27) / 3, -1 / 9, (-5 / 27) / 3])


@pytest.mark.parametrize(
    ("shape", "axis"), [((4, 5), -2), ((3, 4, 5), -2), ((3, 4, 5), 1), ((3, 5, 4), -1)]
)
def test_gradients_of_layer_norm(shape, axis, getkey):
    Z, gamma, beta = (jax.random.normal(getkey(), s) for s in (shape, (4, 1), (4, 1)))
    assert_gradients(layer_norm, plain_layer_norm, Z, gamma, beta, key=getkey(), axis=axis)


def test_layer_norm_of_each_step_is_that_of_columns(getkey):
    Z, gamma, beta = (jax.random.normal(getkey(), s) for s in ((3, 4, 5), (4, 1), (4, 1)))
    A = layer_norm(Z, gamma, beta)
    for t in range(3):
        np.testing.assert_allclose(A[t], layer_norm(Z[t], gamma, beta), rtol=1e-12)


@pytest.mark.usefixtures("float32_world")
def test_layer_norm_of_a_mean_of_ten_thousand_in_float32():
    Z = (1e4 + np.random.default_rng(0).standard_normal((64, 4))).astype(np.float32)
    ones = jnp.ones((64, 1), jnp.float32)
    A = layer_norm(jnp.asarray(Z), ones, 0 * ones)
    want = (Z - Z.astype(float).mean(0)) / Z.astype(float).std(0)
    np.testing.assert_allclose(A, want, atol=2e-3)
