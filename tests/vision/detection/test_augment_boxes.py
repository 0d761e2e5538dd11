"""chainrule/vision/detection/cost.py: boxes move with their objects."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import OptionError
from chainrule.train.step import Batch
from chainrule.vision.detection.cost import IGNORED, USUAL, AugmentBoxes, moved_boxes


def batch(m=16, n_H=24, n_W=40):
    """Return black images with one white rectangle each, and its box."""
    rng = np.random.default_rng(0)
    X, Y = np.zeros((m, n_H, n_W, 1), np.float32), np.full((m, 2, 5), -1, np.float32)
    for i in range(m):
        w, h = rng.integers(6, 12, 2)
        x, y = rng.integers(6, n_W - w - 6), rng.integers(4, n_H - h - 4)
        X[i, y : y + h, x : x + w] = 1
        Y[i, 0] = [i % 3, x / n_W, y / n_H, (x + w) / n_W, (y + h) / n_H]
    return Batch(jnp.asarray(X), jnp.asarray(Y), jnp.ones((1, m), jnp.float32))


# ---- by hand

Y = jnp.array([[[2.0, 0.25, 0.5, 0.5, 0.75]]])


@pytest.mark.parametrize(
    ("how", "box"),
    [
        ({"mirrored": True}, [0.5, 0.5, 0.75, 0.75]),
        ({"down": 2, "right": 1}, [0.125, 0.25, 0.375, 0.5]),
        ({"mirrored": True, "right": 1}, [0.375, 0.5, 0.625, 0.75]),
        ({"zoom": 2.0}, [0.0, 0.5, 0.5, 1.0]),
        ({"zoom": 0.5, "down": 1}, [0.375, 0.375, 0.5, 0.5]),
        ({"right": 3}, [0.0, 0.5, 0.125, 0.75]),  # half of the box remains inside
    ],
)
def test_by_hand(how, box):
    """In an image of 8 by 8 pixels the box spans columns 2 to 4 and rows 4 to 6."""
    np.testing.assert_allclose(moved_boxes(Y, 8, 8, **how)[0, 0], [2.0, *box], atol=1e-12)


def test_a_box_with_too_little_area_inside_is_dropped():
    assert moved_boxes(Y, 8, 8, right=3, least=0.51)[0, 0].tolist() == [-1, 0, 0, 0, 0]
    assert moved_boxes(Y, 8, 8, right=5)[0, 0].tolist() == [-1, 0, 0, 0, 0]
    nothing = jnp.array([[[-1.0, 0.25, 0.5, 0.5, 0.75]]])
    assert moved_boxes(nothing, 8, 8)[0, 0, 0] == -1


def test_an_ignored_region_is_clipped_however_little_remains_inside():
    region = Y.at[..., 0].set(IGNORED - 2)
    moved = moved_boxes(region, 8, 8, right=3.9)[0, 0]
    np.testing.assert_allclose(moved, [IGNORED - 2, 0, 0.5, 0.0125, 0.75], atol=1e-12)
    assert moved_boxes(region, 8, 8, right=5)[0, 0].tolist() == [-1, 0, 0, 0, 0]


# ---- properties


@pytest.mark.usefixtures("float32_world")
@pytest.mark.parametrize("changes", ["mirror", "crop=4", "zoom=0.3", "mirror,crop=3,zoom=0.2"])
def test_a_moved_box_still_encloses_its_object(changes):
    before = batch()
    after = AugmentBoxes(f"{changes},padding=zeros")(before, key=jax.random.key(3))
    assert not np.allclose(after.X, before.X)
    for image, (kind, *box), (same, *_) in zip(
        np.asarray(after.X)[..., 0], after.Y[:, 0], before.Y[:, 0], strict=True
    ):
        assert kind == same
        rows, columns = np.flatnonzero((image > 0.5).any(1)), np.flatnonzero((image > 0.5).any(0))
        seen = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(np.array(box) * [40, 24, 40, 24], seen, atol=0.76)


@pytest.mark.usefixtures("float32_world")
def test_colours_do_not_move_boxes_and_other_strengths_compile_nothing():
    made = AugmentBoxes("contrast=0.5,brightness=0.2,noise=0.1")
    before = batch()
    after = made(before, key=jax.random.key(0))
    np.testing.assert_allclose(after.Y[:, 0], before.Y[:, 0], rtol=1e-6)
    assert not np.allclose(after.X, before.X)
    stronger = AugmentBoxes("contrast=0.6,brightness=0.3,noise=0.2")
    assert jax.tree.structure(made) == jax.tree.structure(stronger)


@pytest.mark.usefixtures("float32_world")
def test_bytes_become_floats_first():
    bytes_ = batch()._replace(X=jnp.full((16, 24, 40, 3), 255, jnp.uint8))
    X = AugmentBoxes("crop=2,padding=edge")(bytes_, key=jax.random.key(0)).X
    np.testing.assert_array_equal(X, jnp.ones_like(X))
    assert X.dtype == jnp.float32


# ---- error messages


@pytest.mark.parametrize("changes", ["rotation", "shear", "warp", "pca"])
def test_changes_that_boxes_cannot_follow_are_refused(changes):
    with pytest.raises(
        OptionError, match=r"AugmentBoxes: expected only mirror, crop, zoom"
    ) as caught:
        AugmentBoxes(changes)
    assert USUAL in str(caught.value)


def test_padding_with_a_reflection_is_refused():
    with pytest.raises(OptionError) as caught:
        AugmentBoxes("crop=4")
    assert str(caught.value) == (
        "AugmentBoxes, padding: expected padding other than a reflection, "
        "whose objects would have no boxes; got reflect.\nTry padding=edge."
    )
    AugmentBoxes("mirror")  # no pixels beyond the edge are shown


def test_a_crop_larger_than_the_image_and_an_invalid_share_are_refused():
    with pytest.raises(OptionError, match=r"less than the shorter side of the image \(12"):
        AugmentBoxes(shape=(12, 20, 3))
    with pytest.raises(OptionError, match=r"greater than 0 and at most 1; got 0"):
        AugmentBoxes(least=0)
