"""Tests of chainrule/blocks/costs.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.blocks.costs import (
    absolute_cost,
    absolute_cost_backward,
    absolute_cost_forward,
    logistic_cost,
    logistic_cost_backward,
    logistic_cost_forward,
    mean,
    sequence_softmax_cost,
    sequence_softmax_cost_backward,
    sequence_softmax_cost_forward,
    softmax_cost,
    softmax_cost_backward,
    softmax_cost_forward,
    squared_cost,
    squared_cost_backward,
    squared_cost_forward,
    steps_softmax_cost,
)
from tests.blocks.test_losses import plain_absolute, plain_logistic, plain_softmax, plain_squared
from tests.gradients import assert_gradients

TWINS = {
    logistic_cost: plain_logistic,
    softmax_cost: plain_softmax,
    squared_cost: plain_squared,
    absolute_cost: plain_absolute,
}
Y = np.array([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])  # one-hot, m = 4
Z = np.array([[0.3, -1.2, 2.0, 0.7], [1.1, 0.2, -0.4, 1.9], [-0.8, 0.6, 1.5, -2.2]])


def name(block):
    return block.__name__


# By hand


def test_logistic_by_hand():
    log_3 = np.log(3.0)
    J, cache = logistic_cost_forward(np.array([[0.0, log_3]]), np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(J, (np.log(2.0) + np.log(4.0)) / 2)
    np.testing.assert_allclose(logistic_cost_backward(1.0, cache), [[-0.25, 0.375]])  # (A − Y)/m


def test_softmax_by_hand():
    J, cache = softmax_cost_forward(np.zeros((4, 2)), np.eye(4)[:, :2])  # A = 1/4 everywhere
    np.testing.assert_allclose(J, np.log(4.0))
    np.testing.assert_allclose(8 * softmax_cost_backward(1.0, cache), 1 - 4 * np.eye(4)[:, :2])


def test_squared_and_absolute_by_hand():
    """Two outputs, two examples: summed over the outputs, then the mean of the examples."""
    Z, Y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 2.0], [5.0, 1.0]])
    J, cache = squared_cost_forward(Z, Y)
    np.testing.assert_allclose(J, (1 + 0 + 4 + 9) / 2)
    np.testing.assert_allclose(squared_cost_backward(1.0, cache), [[1.0, 0.0], [-2.0, 3.0]])
    J, cache = absolute_cost_forward(Z, Y)
    np.testing.assert_allclose(J, (1 + 0 + 2 + 3) / 2)
    np.testing.assert_allclose(absolute_cost_backward(1.0, cache), [[0.5, 0.0], [-0.5, 0.5]])


def test_weights_by_hand():
    L, weights = jnp.array([[1.0, 5.0]]), jnp.array([[3.0, 1.0]])
    np.testing.assert_allclose(mean(L, weights), 2.0)
    np.testing.assert_allclose(jax.grad(mean)(L, weights), [[0.75, 0.25]])


def test_a_step_as_the_notes_write_it():
    """dZ = A − Y, dW = (1/m) dZ Xᵀ: the notes' 1/m is the one in the cost."""
    X, W = np.arange(8.0).reshape(2, 4) / 10, np.array([[0.5, -1.0]])
    labels = Y[:1]
    A = 1 / (1 + np.exp(-(W @ X)))
    dW = jax.grad(lambda W: logistic_cost(W @ X, labels))(W)
    np.testing.assert_allclose(dW, (A - labels) @ X.T / 4)


# Gradients


@pytest.mark.parametrize("weights", [None, np.array([[2.0, 0.5, 0.0, 1.0]])], ids=["", "weights"])
@pytest.mark.parametrize("block", TWINS, ids=name)
def test_gradients(getkey, block, weights):
    w = np.ones((1, 4)) if weights is None else weights
    assert_gradients(
        lambda Z: block(Z, Y, weights),
        lambda Z: (w * TWINS[block](Z, Y)).sum() / w.sum(),
        jnp.asarray(Z),
        key=getkey(),
    )


@pytest.mark.parametrize("weights", [None, np.array([[2.0, 0.5, 0.0, 1.0]])], ids=["", "weights"])
def test_gradients_of_mean(getkey, weights):
    w = np.ones((1, 4)) if weights is None else weights
    L = jax.random.normal(getkey(), (1, 4))
    assert_gradients(lambda L: mean(L, weights), lambda L: (w * L).sum() / w.sum(), L, key=getkey())


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_labels_and_weights_get_no_gradient(block):
    weights = np.array([[2.0, 0.5, 1.0, 1.0]])
    dZ, dY, d_weights = jax.grad(block, argnums=(0, 1, 2))(Z, Y, weights)
    assert np.abs(dZ).min() > 0
    np.testing.assert_array_equal(dY, np.zeros((3, 4)))
    np.testing.assert_array_equal(d_weights, np.zeros((1, 4)))


# Properties


@jax.jit
def costs_and_gradients(Z, Y, weights=None):
    return {
        block.__name__: jax.value_and_grad(lambda Z, b=block: b(Z, Y, weights))(Z)
        for block in TWINS
    }


@settings(max_examples=25, deadline=None)
@given(Z=arrays(float, (3, 4), elements=st.floats(-50, 50, allow_subnormal=False)))
def test_weights_count_examples(Z):
    """Equal weights change nothing, 2 counts an example twice, and 0 leaves it out."""
    plain = costs_and_gradients(Z, Y)
    equal = costs_and_gradients(Z, Y, np.full((1, 4), 3.0))
    twice = costs_and_gradients(Z, Y, np.array([[2.0, 1.0, 1.0, 0.0]]))
    columns = [0, 0, 1, 2]
    repeated = costs_and_gradients(Z[:, columns], Y[:, columns])
    for block, (J, dZ) in plain.items():
        np.testing.assert_allclose(equal[block][0], J, rtol=1e-12)
        np.testing.assert_allclose(equal[block][1], dZ, rtol=1e-12)
        np.testing.assert_allclose(twice[block][0], repeated[block][0], rtol=1e-12)
        first = repeated[block][1][:, 0] + repeated[block][1][:, 1]
        np.testing.assert_allclose(twice[block][1][:, 0], first, rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(twice[block][1][:, 1:3], repeated[block][1][:, 2:], rtol=1e-12)
        np.testing.assert_array_equal(twice[block][1][:, 3], np.zeros(3))


def test_the_order_of_the_examples_does_not_matter():
    order = [2, 0, 3, 1]
    plain, mixed = costs_and_gradients(Z, Y), costs_and_gradients(Z[:, order], Y[:, order])
    for block, (J, dZ) in plain.items():
        np.testing.assert_allclose(mixed[block][0], J, rtol=1e-12)
        np.testing.assert_allclose(mixed[block][1], dZ[:, order], rtol=1e-12)


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_one_example_and_a_number(block):
    J = block(0.7, 1.0)
    assert J.shape == ()
    np.testing.assert_allclose(block(np.array([[0.7]]), np.array([[1.0]])), J)
    np.testing.assert_allclose(
        jax.grad(block)(np.array([[0.7]]), np.array([[1.0]])), [[jax.grad(block)(0.7, 1.0)]]
    )


def test_weights_may_be_passed_by_name():
    weights = np.array([[2.0, 0.5, 0.0, 1.0]])
    assert softmax_cost(Z, Y, weights=weights) == softmax_cost(Z, Y, weights)


@pytest.mark.parametrize("block", TWINS, ids=name)
def test_channels_last(block):
    columns = block(Z, Y)
    np.testing.assert_allclose(
        block(Z.T.reshape(2, 2, 1, 3), Y.T.reshape(2, 2, 1, 3), axis=-1), columns
    )


@pytest.mark.usefixtures("float32_world")
def test_extremes_in_float32():
    extreme = jnp.array([[-1e4, 1e4, 1e4, 0.0], [1e4, 1e4, -1e4, 0.0], [0.0, -1e4, 1e4, 0.0]])
    labels = jnp.asarray(Y, jnp.float32)
    for weights in (None, jnp.array([[1.0, 2.0, 0.0, 1.0]])):
        for block, pair in costs_and_gradients(extreme, labels, weights).items():
            for array in pair:
                assert array.dtype == jnp.float32, block
                assert np.isfinite(array).all(), block


def test_vmap_is_a_loop():
    stacked = jax.vmap(lambda Z: costs_and_gradients(Z, Y))(np.stack([Z, 2 * Z]))
    for block, (J, dZ) in costs_and_gradients(2 * Z, Y).items():
        np.testing.assert_allclose(stacked[block][0][1], J, rtol=1e-12)
        np.testing.assert_allclose(stacked[block][1][1], dZ, rtol=1e-12)


# Sequences: three steps, four classes, two examples; the second has one step only.

STEPS = np.random.default_rng(1).standard_normal((3, 4, 2))
IDS = np.array([[2, 0], [3, -1], [0, 99]])
REAL = np.array([[True, True], [True, False], [True, False]])


def plain_sequence_cost(Z, w):
    """Compute Σ w L / Σ w with one-hot labels; a label of a step with w = 0 is not looked at."""
    onehot = np.eye(4)[np.where(w > 0, IDS, 0)].transpose(0, 2, 1)
    L = -(onehot * jax.nn.log_softmax(Z, axis=1)).sum(axis=1)
    return (w * L).sum() / w.sum()


def test_sequences_by_hand():
    """Z = 0 and C = 4: L is log 4 at all steps; the mean does not depend on the lengths."""
    J, cache = sequence_softmax_cost_forward(np.zeros((3, 4, 2)), IDS, REAL)
    np.testing.assert_allclose(J, np.log(4), rtol=1e-12)
    dZ = sequence_softmax_cost_backward(1.0, cache)
    np.testing.assert_allclose(4 * dZ[:, :, 0], 1 / 4 - np.eye(4)[[2, 3, 0]], rtol=1e-12)
    np.testing.assert_allclose(4 * dZ[0, :, 1], 1 / 4 - np.eye(4)[0], rtol=1e-12)
    np.testing.assert_array_equal(dZ[1:, :, 1], np.zeros((2, 4)))


@pytest.mark.parametrize("mask", [REAL, np.array([[2.0, 0.5], [1.0, 0.0], [0.25, 0.0]])])
def test_gradients_of_sequences(getkey, mask):
    assert_gradients(
        lambda Z: sequence_softmax_cost(Z, IDS, mask),
        lambda Z: plain_sequence_cost(Z, mask.astype(float)),
        jnp.asarray(STEPS),
        key=getkey(),
    )


def test_without_a_mask_all_steps_count():
    ids = np.where(REAL, IDS, 1)
    J, dZ = jax.value_and_grad(sequence_softmax_cost)(STEPS, ids)
    onehot = np.eye(4)[ids].transpose(0, 2, 1)
    columns = (x.transpose(1, 0, 2).reshape(4, 6) for x in (STEPS, onehot))
    want, d_want = jax.value_and_grad(softmax_cost)(*columns)
    np.testing.assert_allclose(J, want, rtol=1e-12)
    np.testing.assert_allclose(dZ.transpose(1, 0, 2).reshape(4, 6), d_want, rtol=1e-12)


def test_a_step_that_does_not_count_changes_nothing():
    """Not by its Z, even if that is not finite, and not by its label."""
    J, dZ = jax.value_and_grad(sequence_softmax_cost)(STEPS, IDS, REAL)
    for beyond in (np.nan, np.inf, 1e300):
        Z = np.where(REAL[:, None], STEPS, beyond)
        got, d_got = jax.value_and_grad(sequence_softmax_cost)(Z, np.where(REAL, IDS, 7), REAL)
        assert got == J
        np.testing.assert_array_equal(d_got, dZ)


def test_a_label_that_is_no_class_is_seen():
    for label in (-1, 4):
        assert np.isnan(sequence_softmax_cost(STEPS, np.where(REAL, IDS, 0) * 0 + label))


def test_no_real_step_at_all_costs_nothing():
    J, dZ = jax.value_and_grad(sequence_softmax_cost)(STEPS, IDS, np.zeros((3, 2)))
    assert J == 0
    np.testing.assert_array_equal(dZ, np.zeros_like(dZ))


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_the_cost_of_the_engine_counts_real_steps(dtype):
    """Labels of −1 are not real, and each example has a weight, which its steps share."""
    Y = np.where(REAL, IDS, -1).astype(dtype)
    weights = np.array([[1.0, 3.0]])
    J = steps_softmax_cost(STEPS, Y, weights)
    np.testing.assert_allclose(J, plain_sequence_cost(STEPS, REAL * weights), rtol=1e-12)
    J = steps_softmax_cost(STEPS, Y)
    np.testing.assert_allclose(J, plain_sequence_cost(STEPS, REAL.astype(float)), rtol=1e-12)
    J, dZ = jax.value_and_grad(steps_softmax_cost)(STEPS, Y, np.array([[1.0, 0.0]]))
    np.testing.assert_allclose(J, steps_softmax_cost(STEPS[..., :1], Y[:, :1]), rtol=1e-12)
    np.testing.assert_array_equal(dZ[..., 1], np.zeros((3, 4)))


@pytest.mark.usefixtures("float32_world")
def test_sequences_at_extremes_in_float32():
    Z = (1e4 * np.sign(STEPS)).astype(np.float32)
    J, dZ = jax.value_and_grad(sequence_softmax_cost)(Z, IDS.astype(np.int32), REAL)
    assert (J.dtype, dZ.dtype) == (np.float32, np.float32)
    assert np.isfinite(J)
    assert np.isfinite(dZ).all()
