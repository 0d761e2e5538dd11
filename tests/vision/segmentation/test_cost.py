"""chainrule/vision/segmentation/cost.py: images and masks move together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import softmax
from chainrule.data.augmentation import augment, augment_with_masks
from chainrule.train.step import Batch
from chainrule.vision.segmentation.cost import (
    AugmentMasks,
    PixelAccuracy,
    PixelCost,
    balanced_weights,
    pixel_counts,
    pixel_scores,
)
from tests.gradients import assert_gradients

rng = np.random.default_rng(0)
Z = jnp.asarray(rng.standard_normal((2, 3, 4, 3)))
Y = jnp.asarray(rng.integers(0, 3, (2, 3, 4)), jnp.uint8).at[0, 0].set(9)
WEIGHTS = jnp.array([[1.0, 2.0]])
CLASSES = (1.0, 0.5, 3.0)
EVERY = {"mirror": 0.5, "crop": 2.0, "rotation": 20.0, "zoom": 0.2, "shear": 5.0, "warp": 1.0}


# By hand


def test_the_cost_is_the_mean_over_the_pixels_that_count():
    A = np.asarray(softmax(Z, axis=-1))
    total = weight = 0.0
    for i, row, column in np.ndindex(Y.shape):
        y = int(Y[i, row, column])
        if y != 9:
            v = float(WEIGHTS[0, i]) * CLASSES[y]
            total, weight = total - v * np.log(A[i, row, column, y]), weight + v
    J = PixelCost(CLASSES, ignored=9)(Z, Y, WEIGHTS)
    assert float(J) == pytest.approx(total / weight, rel=1e-12)


def test_a_class_can_be_the_ignored_label():
    """A class, such as the background, can be ignored: its pixels count like those of weight 0."""
    ignoring = PixelCost(CLASSES, ignored=0)(Z, Y, WEIGHTS)
    without = PixelCost((0.0, *CLASSES[1:]))(Z, Y, WEIGHTS)
    assert float(ignoring) == pytest.approx(float(without), rel=1e-12)


def test_the_share_of_correct_pixels():
    predicted = jax.nn.one_hot(Y, 3)
    predicted = predicted.at[1, 0, 0].set(
        jnp.roll(predicted[1, 0, 0], 1)
    )  # one of 12 pixels is wrong
    share = PixelAccuracy(ignored=9)(predicted, Y, WEIGHTS)
    assert float(share) == pytest.approx((8 + 2 * 11) / (8 + 2 * 12))


def test_weights_of_classes():
    np.testing.assert_allclose(balanced_weights([4, 4, 4]), 1)
    weights = balanced_weights([900, 100, 0])
    assert weights[1] / weights[0] == pytest.approx(3)
    assert weights[2] == 0
    assert weights @ [900, 100, 0] == pytest.approx(1000)


def test_the_mean_iou_is_over_the_classes_that_occur():
    truth, predicted = np.array([[0, 0, 1, 255]]), np.array([[0, 1, 1, 1]])
    counts = pixel_counts(truth, predicted, 3)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 1, 0], [0, 0, 0]])
    assert pixel_scores(counts) == {"mean_iou": (1 / 2 + 1 / 2) / 2, "pixel_accuracy": 2 / 3}


# Gradients


def test_the_gradient_of_the_cost():
    def plain(Z):
        log = jax.nn.log_softmax(Z, axis=-1)
        there = jnp.arange(3, dtype=jnp.int32)[None, None, None] == Y[..., None].astype(jnp.int32)
        v = there.astype(float) * jnp.array(CLASSES)[None, None, None]
        v = v * WEIGHTS[0][:, None, None, None]
        return -(v * log).sum() / v.sum()

    cost = PixelCost(CLASSES, ignored=9)
    assert_gradients(lambda Z: cost(Z, Y, WEIGHTS), plain, Z, key=jax.random.key(0))


# Properties


@pytest.mark.parametrize("padding", ["reflect", "edge", "zeros"])
@pytest.mark.parametrize("names", [("mirror", "crop"), tuple(EVERY)])
def test_masks_move_with_their_images(names, padding):
    """An image that is its own mask stays equal to it, apart from pixels between two classes."""
    squares = np.kron(rng.integers(1, 5, (6, 4, 4)), np.ones((1, 8, 8)))
    images, masks = jnp.asarray(squares[..., None], jnp.float32), jnp.asarray(squares, jnp.uint8)
    how = {"key": jax.random.key(1), "padding": padding}
    strengths = {name: jnp.float32(EVERY[name]) for name in names}
    X, moved = augment_with_masks(images, masks, strengths, beyond=0, **how)
    np.testing.assert_array_equal(X, augment(images, strengths, **how))
    assert moved.dtype == masks.dtype
    assert (moved != masks).mean() > 0.2
    off = np.abs(np.asarray(X[..., 0]) - np.asarray(moved)) > 1e-3
    assert off.mean() < (0.3 if "zoom" in names else 1e-9)
    assert set(np.unique(moved)) <= {0, 1, 2, 3, 4} - (set() if padding == "zeros" else {0})


def test_pixels_beyond_the_edge_are_ignored():
    images, masks = jnp.ones((20, 4, 4, 1), jnp.float32), jnp.ones((20, 4, 4), jnp.uint8)
    change = AugmentMasks("crop=2,padding=zeros", ignored=7)
    batch = change(Batch(images, masks, jnp.ones((1, 20))), key=jax.random.key(0))
    np.testing.assert_array_equal(batch.Y == 7, batch.X[..., 0] == 0)
    assert set(np.unique(batch.Y)) == {1, 7}


def test_without_augmentation_nothing_changes():
    batch = Batch(Z.astype(jnp.float32), Y, WEIGHTS)
    after = AugmentMasks("none")(batch, key=jax.random.key(0))
    np.testing.assert_array_equal(after.X, batch.X)
    np.testing.assert_array_equal(after.Y, batch.Y)
