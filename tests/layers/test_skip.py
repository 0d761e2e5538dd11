"""Tests of chainrule/layers/skip.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ShapeError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, ConvTranspose2D
from chainrule.layers.layer import layer_numbers, named_arrays
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.layers.skip import Padded, Skip

KEY = jax.random.key(0)
A = jnp.asarray(np.random.default_rng(0).standard_normal((3, 4, 6, 2)))


def conv(n_C_prev, n_C, **settings):
    return Conv2D(n_C_prev, n_C, key=KEY, dtype=float, **settings)


def up(n_C_prev, n_C):
    return ConvTranspose2D(n_C_prev, n_C, key=KEY, dtype=float)


def test_channels_are_concatenated():
    first = conv(2, 3)
    both = Skip(Sequential([first]))(A)
    np.testing.assert_array_equal(both[..., :2], A)
    np.testing.assert_array_equal(both[..., 2:], first(A))


def test_training_updates_the_averages_inside():
    norm = BatchNorm(2, images=True, dtype=float)
    for layer in (Skip(Sequential([norm])), Padded(Sequential([norm]), 2)):
        A_next, after = layer.train(A, key=KEY)
        normalized, _ = norm.train(A, key=KEY)
        np.testing.assert_array_equal(A_next[..., -2:], normalized)
        assert int(after.main.layers[0].t) == 1
        assert jax.tree.structure(after) == jax.tree.structure(layer)


def test_layers_inside_are_counted():
    inside = Skip(Sequential([MaxPool(2), conv(2, 4), up(4, 2)]))
    assert layer_numbers([conv(2, 2), inside, conv(4, 1)]) == [1, 3, 4]
    assert set(named_arrays(Sequential([conv(2, 2), inside]))) >= {"W1", "W2", "W3", "b3"}


@pytest.mark.parametrize("shape", [(4, 4), (5, 4), (6, 7), (1, 3)])
def test_padding_is_cropped(shape):
    """Each pixel of the halved and doubled image is the maximum of its square of four pixels."""
    ones = ConvTranspose2D(1, 1, key=KEY, dtype=float, bias=False)
    ones = jax.tree.map(jnp.ones_like, ones)
    image = jnp.asarray(1.0 + np.arange(np.prod(shape))).reshape(1, *shape, 1)
    got = Padded(Sequential([MaxPool(2), ones]), 2)(image)
    n_H, n_W = shape
    rows, columns = (np.minimum(np.arange(n) | 1, n - 1) for n in shape)
    np.testing.assert_array_equal(got[0, ..., 0], image[0, rows][:, columns, 0])
    assert got.shape == (1, n_H, n_W, 1)


def test_images_that_fit_are_not_padded():
    first = conv(2, 3)
    np.testing.assert_array_equal(Padded(Sequential([first]), 2)(A), first(A))


def test_refuses_invalid_options():
    with pytest.raises(ShapeError) as error:
        Skip(Sequential([conv(2, 2, s=2)]))(A)
    assert str(error.value) == (
        "Skip(Conv2D(3×3, 2 -> 2, s=2) … Conv2D(3×3, 2 -> 2, s=2)): expected layers that return "
        "images of 4 by 6; got 2 by 3.\n"
        "Try images with even sides, or a Padded layer around the network."
    )
    with pytest.raises(ShapeError) as error:
        Skip(Sequential([conv(3, 2)]))(A)
    assert str(error.value).startswith("Skip(Conv2D(3×3, 3 -> 2) … Conv2D(3×3, 3 -> 2)), layer 1")
