"""chainrule/data/augmentation.py: colour augmentation."""

import dm_pix
import jax.numpy as jnp
import numpy as np

from chainrule.data.augmentation import (
    brighten,
    principal_colours,
    principal_shift,
    scale_contrast,
    shift_colours,
)

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.random((3, 4, 5, 3)))

# ---- by hand


def test_two_pixels():
    image = jnp.array([0.2, 0.6]).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(brighten(image, 0.1).ravel(), [0.3, 0.7])
    np.testing.assert_allclose(scale_contrast(image, 2.0).ravel(), [0.0, 0.8])


def test_a_shift_of_each_channel():
    shifted = shift_colours(IMAGES, jnp.array([[1.0, 2.0, 3.0]] * 3))
    np.testing.assert_array_equal(shifted, IMAGES + np.array([1.0, 2.0, 3.0]).reshape(1, 1, 1, 3))


def test_colours_that_vary_along_one_line():
    """Red twice as much as blue, green not at all: λ = σ² (4 + 1), p = (2, 0, 1) / √5."""
    t = RNG.standard_normal((2, 10, 10, 1))
    images = np.concatenate([2 * t, 0 * t + 0.3, t], axis=-1)
    directions = principal_colours(images)
    want = 5 * t.var() * np.array([2, 0, 1]) / np.sqrt(5)
    np.testing.assert_allclose(directions, np.outer(want, [1, 0, 0]), atol=1e-12)
    changed = principal_shift(IMAGES, jnp.array([[0.1, 5.0, 7.0]] * 3), jnp.asarray(directions))
    np.testing.assert_allclose(changed - IMAGES, np.broadcast_to(0.1 * want, IMAGES.shape))


# ---- against dm-pix and NumPy


def test_colour_changes_match_dm_pix():
    by = np.array([0.1, -0.3, 0.0])
    theirs = [dm_pix.adjust_brightness(x, b) for x, b in zip(IMAGES, by, strict=True)]
    np.testing.assert_allclose(brighten(IMAGES, by), theirs, rtol=1e-12)
    factor = np.array([0.5, 1.0, 1.7])
    theirs = [dm_pix.adjust_contrast(x, f) for x, f in zip(IMAGES, factor, strict=True)]
    np.testing.assert_allclose(scale_contrast(IMAGES, factor), theirs, rtol=1e-12)


def test_principal_colours_are_those_of_the_covariance():
    directions = principal_colours(IMAGES)
    size = np.linalg.norm(directions, axis=0)
    covariance = np.cov(np.asarray(IMAGES).reshape(-1, 3).T, bias=True)
    np.testing.assert_allclose(
        directions / size @ np.diag(size) @ (directions / size).T, covariance
    )
    assert (np.diff(size) < 0).all()
    assert (directions.sum(axis=0) >= 0).all()


# ---- properties


def test_bytes_and_many_pixels_are_no_problem():
    bytes_ = RNG.integers(0, 256, (2, 30, 30, 3), dtype=np.uint8)
    whole, some = principal_colours(bytes_), principal_colours(bytes_, most=500)
    assert abs(np.linalg.norm(some) / np.linalg.norm(whole) - 1) < 0.2
    np.testing.assert_allclose(principal_colours(np.full((1, 2, 2, 1), 3.0)), [[0.0]])


def test_types_are_kept():
    small = IMAGES.astype(jnp.bfloat16)
    for changed in (
        brighten(small, 0.1),
        scale_contrast(small, 0.5),
        shift_colours(small, jnp.ones((3, 3))),
    ):
        assert changed.dtype == jnp.bfloat16
