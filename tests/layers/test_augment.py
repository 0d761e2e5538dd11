"""Tests of chainrule/layers/augment.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.data.augmentation import KINDS, Augmentation, augment, principal_colours
from chainrule.errors import OptionError, ShapeError
from chainrule.layers.augment import Augment, augment_for
from chainrule.layers.layer import named_arrays, split_parameters
from chainrule.layers.sequential import Sequential
from tests.compilations import compilations

KEY = jax.random.key(0)
IMAGES = jnp.asarray(np.random.default_rng(0).random((20, 6, 5, 3)))
ALL = ",".join(KINDS).replace("crop", "crop=2")

train = jax.jit(lambda layer, A_prev, key: layer.train(A_prev, key=key))


def test_prediction_is_the_identity():
    assert augment_for(IMAGES, ALL)(IMAGES) is IMAGES


def test_training_changes_the_images_but_not_the_layer():
    layer = augment_for(IMAGES, ALL, dtype=float)
    A, after = train(layer, IMAGES, KEY)
    strengths = {name: jnp.asarray(kind.usual) for name, kind in KINDS.items()}
    strengths["crop"] = jnp.asarray(2.0)
    directions = jnp.asarray(principal_colours(IMAGES))
    want = augment(IMAGES, strengths, key=KEY, directions=directions)
    np.testing.assert_allclose(A, want, atol=1e-12)
    for new, old in zip(jax.tree.leaves(after), jax.tree.leaves(layer), strict=True):
        np.testing.assert_array_equal(new, old)


def test_the_padding_is_used():
    ones = jnp.ones_like(IMAGES)
    assert (train(Augment("crop=2", dtype=float), ones, KEY)[0] == 1).all()
    assert (train(Augment("crop=2,padding=zeros", dtype=float), ones, KEY)[0] == 0).any()


def test_none_changes_nothing():
    np.testing.assert_array_equal(train(Augment("none"), IMAGES, KEY)[0], IMAGES)


def test_gradients_flow_to_the_images():
    layer = augment_for(IMAGES, ALL, dtype=float)
    gradient = jax.jit(jax.grad(lambda A: train(layer, A, KEY)[0].sum()))(IMAGES)
    assert np.isfinite(gradient).all()
    assert abs(float(gradient.mean()) - 1) < 0.05  # each visible pixel counts once on average


def test_every_step_of_a_scan_gets_other_changes():
    layer = Augment("mirror,crop=2,rotation", dtype=float)

    def step(_, key):
        return None, layer.train(IMAGES, key=key)[0]

    keys = jax.random.split(KEY, 3)
    seen = jax.jit(lambda: jax.lax.scan(step, None, keys)[1])()
    for A, key in zip(seen, keys, strict=True):
        np.testing.assert_allclose(A, train(layer, IMAGES, key)[0], atol=1e-12)
    assert not np.allclose(seen[0], seen[1])


# Many


def test_other_strengths_do_not_recompile():
    train(Augment("mirror,crop=1,rotation=5"), IMAGES, KEY)
    with compilations() as compiled:
        train(Augment("mirror=0.9,crop=2,rotation=50"), IMAGES, KEY)
    assert compiled == []


def test_strengths_are_not_parameters():
    layer = augment_for(IMAGES, "mirror,crop=2,pca")
    assert list(named_arrays(layer)) == ["mirror0", "crop0", "pca0", "directions0"]
    assert jax.tree.leaves(split_parameters(layer)[0]) == []
    assert Sequential([layer, Augment("noise")]).layers[1].title == "Augment(noise=0.02)"


def test_augment_for_images():
    assert augment_for(IMAGES).title == "Augment(mirror=0.5, crop=1)"
    assert augment_for(IMAGES[..., :1]).padding == "edge"
    same = augment_for(IMAGES, Augmentation(pca=0.1))
    np.testing.assert_allclose(same.directions, principal_colours(IMAGES), rtol=1e-6)


# Errors


def test_refuses_arrays_that_are_not_images():
    with pytest.raises(ShapeError) as error:
        Augment("mirror").train(jnp.ones((75, 20)), key=KEY)
    assert str(error.value) == (
        "Augment: expected images (m, n_H, n_W, n_C); got (75, 20).\n"
        "Try vector_to_image, if each image is a column of pixels."
    )
    with pytest.raises(ShapeError, match=r"augment_for: expected .*; got \(20, 6, 5\)"):
        augment_for(IMAGES[..., 0])


def test_refuses_channels_that_do_not_fit_the_directions():
    with pytest.raises(ShapeError) as error:
        augment_for(IMAGES, "pca")(IMAGES[..., :1])
    assert str(error.value) == (
        "Augment: expected images (m, n_H, n_W, 3); got (20, 6, 5, 1).\n"
        "Try augment_for with images of 1 channels."
    )


def test_refuses_pca_without_directions():
    with pytest.raises(OptionError) as error:
        Augment("pca=0.1")
    assert str(error.value) == (
        "Augment, pca: expected the principal components of the colours of the training images; "
        "got none.\nTry augment_for(images, …)."
    )
