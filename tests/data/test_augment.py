"""chainrule/data/augmentation.py: the random numbers, and how the changes are combined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from chainrule.data import resampling
from chainrule.data.augmentation import augment, normal, offsets, principal_colours, uniform

KEY = jax.random.key(0)
select, transform = map(jax.jit, (resampling.select, resampling.transform))
IMAGES = jnp.asarray(np.random.default_rng(0).random((600, 6, 5, 3)))
DIRECTIONS = jnp.asarray(principal_colours(IMAGES))
ALONE = {"mirror": 0.5, "crop": 2, "rotation": 20.0, "shear": 10.0, "zoom": 0.3, "warp": 1.0,
         "contrast": 0.3, "brightness": 0.2, "colour": 0.1, "pca": 0.5, "noise": 0.1}  # fmt: skip


def changed(images=IMAGES, key=KEY, **strengths):
    strengths = {name: jnp.asarray(s, images.dtype) for name, s in strengths.items()}
    return augment(images, strengths, key=key, directions=DIRECTIONS)


def numbers(places: slice, n_C=3):
    """Return the random numbers of the examples in these slots, from −1 to 1."""
    return np.asarray(uniform(KEY, (600, 58 + 2 * n_C, 1)))[:, places, 0].astype(float)


# ---- by hand: each change alone, its parameters drawn outside


def test_half_are_flipped():
    mirrored = np.asarray((changed(mirror=0.5) == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3)))
    assert (np.asarray(changed(mirror=0.5))[~mirrored] == np.asarray(IMAGES)[~mirrored]).all()
    assert abs(mirrored.mean() - 0.5) < 5 * 0.5 / np.sqrt(600)
    np.testing.assert_array_equal(changed(mirror=1.0), IMAGES[:, :, ::-1])
    np.testing.assert_array_equal(changed(mirror=0.0), IMAGES)


def test_every_crop_is_equally_likely():
    u = numbers(slice(1, 3))
    down, right = np.floor((u + 1) / 2 * 5).T - 2
    got = changed(crop=2)
    want = select(IMAGES, jnp.asarray(down), jnp.asarray(right), False)
    np.testing.assert_array_equal(got, want)
    counts = np.unique(np.stack([down, right]), axis=1, return_counts=True)[1]
    assert len(counts) == 25
    assert scipy.stats.chisquare(counts).pvalue > 0.001


def test_rotated_sheared_and_zoomed():
    u = numbers(slice(3, 6)) * [20, 10, 1]
    want = transform(IMAGES, rotation=u[:, 0], shear=u[:, 1], zoom=1.3 ** u[:, 2])
    got = changed(rotation=20.0, shear=10.0, zoom=0.3)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_warped():
    knots = 1.5 * numbers(slice(8, 58)).reshape(600, 2, 5, 5)
    np.testing.assert_allclose(
        changed(warp=1.5), transform(IMAGES, knots=jnp.asarray(knots)), atol=1e-5
    )


def test_colours():
    u = numbers(slice(6, 64))
    X = np.asarray(IMAGES)
    mean = X.mean(axis=(1, 2), keepdims=True)
    X = mean + (1 + 0.3 * u[:, 0, None, None, None]) * (X - mean) + 0.2 * u[:, 1, None, None, None]
    X = X + 0.1 * u[:, None, None, 52:55]
    alpha = 0.5 * np.sqrt(2) * scipy.special.erfinv(u[:, 55:58])
    X = X + (alpha @ np.asarray(DIRECTIONS).T)[:, None, None]
    got = changed(contrast=0.3, brightness=0.2, colour=0.1, pca=0.5)
    np.testing.assert_allclose(got, X, atol=1e-5)


def test_noise_is_normal():
    noise = np.asarray(changed(noise=0.1) - IMAGES).ravel() / 0.1
    assert scipy.stats.kstest(noise, "norm").pvalue > 0.001
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.02


# ---- properties


def test_numbers_between_minus_one_and_one():
    u = np.asarray(uniform(KEY, (1000, 300)), float).ravel()
    assert scipy.stats.kstest(u, "uniform", (-1, 2)).pvalue > 0.001
    ends = jnp.float32(1 - 2.0**-23) * jnp.array([-1, 1], jnp.float32)
    assert (abs(u) <= float(ends[1])).all()
    assert np.isfinite(normal(ends)).all()
    assert offsets(jnp.stack([ends, ends]), 40).tolist() == [[-40, 40]] * 2


def test_combined_changes_equal_single_ones_in_sequence():
    """A change uses the same random numbers as it does alone."""
    moved = changed(**{name: ALONE[name] for name in list(ALONE)[:6]})
    coloured = changed(moved, **{name: ALONE[name] for name in list(ALONE)[6:10]})
    noisy = coloured + (changed(noise=0.1) - IMAGES)
    np.testing.assert_allclose(changed(**ALONE), noisy, atol=1e-6)


@pytest.mark.parametrize("name", ALONE)
def test_strength_zero_changes_nothing_and_any_other_something(name):
    np.testing.assert_allclose(changed(**{name: 0.0}), IMAGES, atol=1e-12)
    assert not np.allclose(changed(**{name: ALONE[name]}), IMAGES, atol=1e-3)


def test_same_key_same_result_and_more_examples_keep_the_first():
    whole = changed(**ALONE)
    np.testing.assert_array_equal(changed(**ALONE), whole)
    np.testing.assert_allclose(changed(IMAGES[:100], **ALONE), whole[:100], atol=1e-12)
    assert not np.allclose(changed(key=jax.random.key(1), **ALONE), whole, atol=0.1)
    same = changed(jnp.broadcast_to(IMAGES[:1], IMAGES.shape), **ALONE)
    assert len(np.unique(np.asarray(same).reshape(600, -1).round(6), axis=0)) == 600


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_types_are_kept(dtype):
    images = IMAGES[:100].astype(dtype)
    got = changed(images, **ALONE)
    assert got.dtype == dtype
    far = abs(got.astype(float) - changed(images.astype(float), **ALONE))
    assert float(jnp.quantile(far, 0.99)) < {jnp.float32: 1e-4, jnp.bfloat16: 0.05}[dtype]
