"""Tests of chainrule/layers/face_embedding.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.inspection.summary import summarize
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D
from chainrule.layers.dense import Dense
from chainrule.layers.face_embedding import Mirrored
from chainrule.layers.flatten import Flatten
from chainrule.layers.sequential import Sequential
from chainrule.models.zoo import build, rebuild

KEY = jax.random.key(0)
IMAGES = jnp.asarray(np.random.default_rng(0).standard_normal((4, 3, 6, 2)))


def mirrored(*more):
    first = Conv2D(2, 3, f=3, p="same", key=KEY, dtype=float)
    return Sequential([first, *more, Flatten(), Dense(54, 5, key=KEY, dtype=float)])


def test_the_mean_of_both_outputs_by_hand():
    main = mirrored()
    A = Mirrored(main)(IMAGES)
    np.testing.assert_allclose(A, (main(IMAGES) + main(IMAGES[:, :, ::-1])) / 2, atol=1e-12)
    assert A.shape == (5, 4)


def test_mirroring_the_image_does_not_change_the_output():
    layer = Mirrored(mirrored())
    np.testing.assert_allclose(layer(IMAGES), layer(IMAGES[:, :, ::-1]), atol=1e-12)
    assert not np.allclose(layer(IMAGES), layer(IMAGES[:, ::-1]))  # up and down do


def test_batch_norm_inside_sees_both_images():
    layer = Mirrored(mirrored(BatchNorm(3, images=True, dtype=float)))
    weights = jnp.array([[1.0, 1.0, 1.0, 0.0]])
    A, after = layer.train(IMAGES, key=KEY, weights=weights)
    alone, _ = layer.train(IMAGES[:3], key=KEY)
    np.testing.assert_allclose(A[:, :3], alone, atol=1e-12)  # an example of weight 0 is ignored
    assert isinstance(after, Mirrored)
    before, now = (one.main.layers[1].mean for one in (layer, after))
    assert not np.allclose(before, now)


def test_refuses_layers_that_do_not_fit():
    with pytest.raises(ShapeError) as caught:
        Mirrored(Sequential([Conv2D(2, 3, f=3, key=KEY, dtype=float)]))(IMAGES)
    title = "Mirrored(Conv2D(3×3, 2 -> 3) … Conv2D(3×3, 2 -> 3))"
    assert str(caught.value) == (
        f"{title}: expected layers that return columns (n, m); got (8, 3, 6, 3).\n"
        "Try a Flatten after them."
    )
    with pytest.raises(ShapeError, match=r"Mirrored\(.*, layer 1: expected|Mirrored\("):
        Mirrored(mirrored())(IMAGES[..., :1])


def test_a_mirrored_embedding():
    options = {"width": 0.125, "mirrored": True}
    network = build("embedding", (6, 8, 1), 4, key=KEY, options=options)
    X = np.random.default_rng(1).random((3, 6, 8, 1), np.float32)
    with jax.enable_x64(False):
        E, other = (network(jnp.asarray(images)) for images in (X, X[:, :, ::-1]))
    np.testing.assert_allclose(E, other, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(E, axis=0), 1, atol=1e-6)
    assert rebuild(network.settings, key=KEY).settings == network.settings
    plain = build("embedding", (6, 8, 1), 4, key=KEY, options={"width": 0.125})
    products = [summarize(one).products for one in (network, plain)]
    assert products[0] == 2 * products[1]  # each image twice
    assert "3×3 4 → 3×3 8" in summarize(network).text()
