"""Tests of chainrule/layers/batch_norm.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu, tanh
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.layer import count_parameters, split_parameters
from tests.compilations import compilations

KEY = jax.random.key(0)
rng = np.random.default_rng(0)
BATCHES = rng.standard_normal((6, 3, 20)) * 2 + np.array([[5.0], [-1.0], [0.0]])
IMAGES = rng.standard_normal((6, 4, 2, 2, 3)) + 3

train = jax.jit(lambda layer, A_prev, weights=None: layer.train(A_prev, key=KEY, weights=weights))


def after(batches, **settings):
    layer = BatchNorm(3, dtype=float, **settings)
    for batch in batches:
        _, layer = train(layer, jnp.asarray(batch))
    return layer


def test_by_hand():
    layer = BatchNorm(2, activation=relu, dtype=float)
    A, seen = train(layer, jnp.array([[1.0, 3.0], [10.0, 10.0]]))
    np.testing.assert_allclose(A, [[0.0, 1.0], [0.0, 0.0]], rtol=1e-5)
    np.testing.assert_array_equal(seen.mean, [[2.0], [10.0]])
    np.testing.assert_array_equal(seen.variance, [[1.0], [0.0]])
    assert seen.t == 1


def test_before_the_first_batch_prediction_uses_mean_0_and_variance_1():
    A_prev = jnp.asarray(BATCHES[0])
    layer = BatchNorm(3, activation=tanh, dtype=float)
    np.testing.assert_allclose(layer(A_prev), np.tanh(BATCHES[0] / np.sqrt(1 + 1e-5)))


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("size", [1e-9, 1.0, 1e4])
def test_after_one_batch_the_averages_equal_its_statistics(size):
    mean, variance = jnp.full((3, 1), size, jnp.float32), jnp.full((3, 1), size / 3, jnp.float32)
    layer = BatchNorm(3).update_averages(mean, variance)
    np.testing.assert_array_equal(layer.mean, mean)
    np.testing.assert_array_equal(layer.variance, variance)


def test_the_averages_match_the_notes_with_bias_correction():
    layer = after(BATCHES)
    V = np.zeros((2, 3))
    for t, batch in enumerate(BATCHES, 1):
        V = 0.9 * V + 0.1 * np.stack([batch.mean(1), batch.var(1)])
        corrected = V / (1 - 0.9**t)
    np.testing.assert_allclose(layer.mean[:, 0], corrected[0], rtol=1e-12)
    np.testing.assert_allclose(layer.variance[:, 0], corrected[1], rtol=1e-12)
    assert layer.t == 6


def test_after_many_identical_batches_prediction_equals_training():
    for n in (1, 2, 50):
        layer = after([BATCHES[0]] * n, activation=tanh)
        A, _ = train(layer, jnp.asarray(BATCHES[0]))
        np.testing.assert_allclose(layer(jnp.asarray(BATCHES[0])), A, rtol=1e-10, atol=1e-12)


def test_images():
    layer = after(IMAGES[:1], images=True)
    assert layer.gamma.shape == layer.mean.shape == (1, 1, 1, 3)
    np.testing.assert_allclose(layer.mean.ravel(), IMAGES[0].mean((0, 1, 2)))
    np.testing.assert_allclose(layer.variance.ravel(), IMAGES[0].var((0, 1, 2)))
    A, _ = train(layer, jnp.asarray(IMAGES[0]))
    np.testing.assert_allclose(layer(jnp.asarray(IMAGES[0])), A, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("images", [False, True])
def test_examples_of_weight_0_are_ignored(images):
    batch = IMAGES[0] if images else BATCHES[0]
    count = 4 if images else 20
    weights = np.ones((1, count))
    weights[0, 2:] = 0
    layer = BatchNorm(3, images=images, dtype=float)
    _, seen = train(layer, jnp.asarray(batch), jnp.asarray(weights))
    few = batch[:2] if images else batch[:, :2]
    _, wanted = train(layer, jnp.asarray(few))
    np.testing.assert_allclose(seen.mean, wanted.mean)
    np.testing.assert_allclose(seen.variance, wanted.variance)


def test_gamma_and_beta_are_parameters_and_the_averages_buffers():
    theta, rest = split_parameters(BatchNorm(3))
    assert [x is None for x in (theta.gamma, theta.beta)] == [False, False]
    assert [x is None for x in (theta.mean, theta.variance, theta.t)] == [True, True, True]
    assert [x is None for x in (rest.mean, rest.variance, rest.t)] == [False, False, False]
    assert count_parameters(BatchNorm(3)) == 6


def test_creating_a_layer_compiles_nothing():
    with compilations() as compiled:
        BatchNorm(17), BatchNorm(5, images=True)
    assert compiled == []


# Errors


def test_refuses_examples_as_rows():
    for call in (BatchNorm(3), lambda A: BatchNorm(3).train(A, key=KEY)):
        with pytest.raises(ShapeError) as error:
            call(jnp.ones((5, 3)))
        assert str(error.value) == (
            "BatchNorm(3): expected (3, m), one column per example; got (5, 3).\n"
            "Try the transpose: it has 3 rows."
        )


@pytest.mark.parametrize("shape", [(3, 5), (5, 3, 8, 8)])
def test_refuses_a_wrong_number_of_channels(shape):
    with pytest.raises(ShapeError) as error:
        BatchNorm(3, images=True)(jnp.ones(shape))
    assert str(error.value) == (
        f"BatchNorm(3): expected (m, n_H, n_W, 3), images with 3 channels; got {shape}.\n"
        "Try checking the layer before it: its output should have 3 channels."
    )


@pytest.mark.parametrize("images", [False, True], ids=["columns", "images"])
@pytest.mark.parametrize("activation", [relu, tanh])
def test_epsilon_is_added_to_the_variance(images, activation):
    """A feature with variance 1 and ε = 3 is divided by 2, in training and in prediction."""
    shape = (2, 1, 1, 1) if images else (1, 2)
    Z = jnp.array([1.0, 3.0]).reshape(shape)
    layer = BatchNorm(1, activation=activation, images=images, epsilon=3.0, dtype=float)
    want = activation(jnp.array([-0.5, 0.5]).reshape(shape))
    A, seen = layer.train(Z, key=KEY)
    np.testing.assert_allclose(A, want, rtol=1e-12)
    np.testing.assert_allclose(seen(Z), want, rtol=1e-12)
    assert seen.epsilon == 3.0


def test_epsilon_must_be_positive():
    with pytest.raises(OptionError) as error:
        BatchNorm(3, epsilon=0)
    assert str(error.value) == (
        "BatchNorm(epsilon=…): expected a number greater than 0; got 0.\nTry 1e-05."
    )
