"""Tests of chainrule/models/unet.py."""

import equinox
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.errors import ChainruleError
from chainrule.layers.layer import count_parameters
from chainrule.models.unet import unet

KEY = jax.random.key(0)
train = equinox.filter_jit(lambda network, images: network.train(images, key=KEY))
rng = np.random.default_rng(0)


def counted(n_C_prev, n_C, n, depth):
    """Count the parameters of the table: convolutions without b, batch norm, upsampling with b."""

    def twice(n_C_prev, n):
        return 9 * n_C_prev * n + 9 * n * n + 4 * n

    def level(n_C_prev, n, depth):
        if depth == 0:
            return twice(n_C_prev, n)
        up = 4 * 2 * n * n + n
        return twice(n_C_prev, n) + level(n, 2 * n, depth - 1) + up + twice(2 * n, n)

    return level(n_C_prev, n, depth) + n * n_C + n_C


@pytest.mark.parametrize(("depth", "width"), [(1, 1 / 16), (2, 1 / 32), (4, 1)])
def test_the_number_of_parameters_matches_the_table(depth, width):
    network = unet((32, 32, 3), 5, key=KEY, depth=depth, width=width)
    assert count_parameters(network) == counted(3, 5, round(64 * width), depth)


def test_the_number_of_parameters_at_the_size_of_the_paper():
    """The number is that of the usual PyTorch U-Net with batch norm and transposed convolutions."""
    assert count_parameters(unet((32, 32, 3), 1, key=KEY)) == 31_037_633


def test_the_output_has_the_size_of_the_image():
    network = unet((10, 13, 3), 4, key=KEY, depth=2, width=1 / 32)
    images = jnp.asarray(rng.uniform(0, 1, (2, 10, 13, 3)), jnp.float32)
    assert equinox.filter_jit(network)(images).shape == (2, 10, 13, 4)
    Z, after = train(network, images)
    assert Z.shape == (2, 10, 13, 4)
    assert jax.tree.structure(after) == jax.tree.structure(network)


def test_padding_inside_equals_padding_by_hand():
    """An image that is padded by hand gives the same result as one that the network pads."""
    network = unet((10, 12, 3), 4, key=KEY, depth=2, width=1 / 32)
    images = rng.uniform(0, 1, (2, 10, 12, 3)).astype(np.float32)
    filled = np.pad(images, ((0, 0), (0, 2), (0, 0), (0, 0)), mode="edge")
    whole = unet((12, 12, 3), 4, key=KEY, depth=2, width=1 / 32)
    np.testing.assert_array_equal(network(images), whole(filled)[:, :10])


def test_multiplications():
    """Count by hand: a level of 2 channels above one of 4 channels, for images of 4 by 4."""
    network = unet((4, 4, 1), 3, key=KEY, depth=1, width=1 / 32)
    top = 16 * (9 * 1 * 2 + 9 * 2 * 2) + 16 * (9 * 4 * 2 + 9 * 2 * 2) + 16 * 2 * 3
    below = 4 * (9 * 2 * 4 + 9 * 4 * 4) + 4 * (4 * 4 * 2)
    assert sum(network.multiplications) == top + below


def test_settings():
    network = unet((8, 8, 3), 4, key=KEY, depth=1, width=0.5, keep_prob=0.5)
    settings = {"network": "unet", "shape": [8, 8, 3], "n_L": 4}
    assert network.settings == settings | {"depth": 1, "width": 0.5, "keep_prob": 0.5}
    assert unet((8, 8, 3), 4, key=KEY).settings == settings


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"width": 0}, "unet: expected a width greater than 0"),
        ({"depth": 0}, "unet(depth=…): expected a whole number of at least 1; got 0.\nTry 4."),
        ({"depth": 1.5}, "unet(depth=…): expected a whole number of at least 1; got 1.5."),
        ({"keep_prob": 0}, "unet(keep_prob=…): expected"),
    ],
)
def test_refuses_invalid_options(how, words):
    with pytest.raises(ChainruleError) as error:
        unet((8, 8, 3), 4, key=KEY, **how)
    assert str(error.value).startswith(words)


def test_dropout_at_the_bottom_in_another_precision():
    network = unet((4, 4, 1), 2, key=KEY, depth=1, width=1 / 32, keep_prob=0.5, dtype=float)
    Z, _ = train(network, jnp.ones((2, 4, 4, 1)))
    assert Z.dtype == float
