"""Receptive fields: by hand, and compared with the gradient of a network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from chainrule.blocks.activations import relu
from chainrule.errors import OptionError
from chainrule.inspection.features import layers_that_see, receptive_field
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.flatten import Flatten, Images
from chainrule.layers.initializers import Initializer
from chainrule.layers.pool import AveragePool, GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential

KEY = jax.random.key(0)


def ones(key, shape, dtype=float):
    return jnp.ones(shape, dtype)


def conv(f=3, *, s=1, p: int | str = "valid", initializer: Initializer = ones):
    return Conv2D(1, 1, f=f, s=s, p=p, key=KEY, initializer=initializer, dtype=float)


# by hand


def test_a_3_by_3_after_a_3_by_3_sees_5_by_5():
    parts = [conv(), conv(), conv()]
    assert receptive_field(parts, 1) == (3, 1, 0)
    assert receptive_field(parts, 2) == (5, 1, 0)
    assert receptive_field(parts, 3) == (7, 1, 0)


def test_a_stride_counts_twice_for_what_comes_after():
    parts = [conv(s=2), conv(s=2), conv()]
    assert receptive_field(parts, 1) == (3, 2, 0)
    assert receptive_field(parts, 2) == (3 + 2 * 2, 4, 0)
    assert receptive_field(parts, 3) == (7 + 2 * 4, 4, 0)


def test_padding_moves_it_out_of_the_image():
    parts = [conv(5, p=2), conv(3, s=2, p=1), conv(4, p="same")]
    assert receptive_field(parts, 1) == (5, 1, -2)
    assert receptive_field(parts, 2) == (7, 2, -3)
    assert receptive_field(parts, 3) == (13, 2, -5)  # an even f pads one before, two after


@pytest.mark.parametrize("pool", [MaxPool(2), AveragePool(2)], ids=["max", "average"])
def test_a_pool_belongs_to_the_layer_after_it(pool):
    parts = [Images((28, 28, 1)), conv(5), pool, conv(5), pool, Flatten()]  # LeNet-5
    assert receptive_field(parts, 1) == (5, 1, 0)
    assert receptive_field(parts, 2) == (6 + 4 * 2, 2, 0)


def test_a_residual_block_sees_what_its_layers_and_its_shortcut_see():
    main = Sequential([conv(p="same"), BatchNorm(1, images=True), conv(p="same")])
    assert receptive_field([conv(p="same"), Residual(main)], 3) == (7, 1, -3)
    shrinking = Sequential([conv(s=2, p=1), conv(p=1)])
    block = Residual(shrinking, Projection(1, 1, s=2, key=KEY))
    assert receptive_field([block], 2) == (7, 2, -3)
    ahead = Residual(Sequential([conv(1, s=2)]), Projection(1, 1, s=2, key=KEY))
    assert receptive_field([ahead, conv()], 2) == (5, 2, 0)


def test_batch_norm_after_a_layer_is_its_own():
    parts = [conv(), BatchNorm(1, images=True), MaxPool(2), DepthwiseConv2D(1, key=KEY)]
    assert [(one.l, one.end) for one in layers_that_see(parts)] == [(1, 2), (2, 4)]


def test_layers_after_the_last_images_have_no_field():
    parts = [conv(p="same"), GlobalAveragePool(), conv(1), Flatten(), Dense(1, 2, key=KEY)]
    assert [one.l for one in layers_that_see(parts)] == [1]


# properties


def test_the_field_is_where_the_gradient_is_not_zero():
    main = Sequential([conv(s=2, p="same"), conv(p="same")])
    block = Residual(main, Projection(1, 1, s=2, key=KEY, initializer=ones, dtype=float))
    parts = Sequential([conv(5, p=1), AveragePool(2), block, conv(4, p="same")])
    X, h = jnp.ones((1, 33, 33, 1)), 3
    slope = jax.jit(jax.grad(lambda X: parts(X)[0, h, h, 0]))(X)
    rows = np.flatnonzero(np.asarray(slope)[0, :, :, 0].any(axis=1))
    size, stride, offset = receptive_field(parts.parts(), 4)
    assert (rows[0], rows[-1]) == (max(offset + stride * h, 0), offset + stride * h + size - 1)
    assert offset + stride * h > 0, "the whole field is inside the image"


# words


def test_a_layer_that_sees_no_square_is_named():
    parts = [conv(), MaxPool(2), conv(), Flatten(), Dense(4, 2, key=KEY, activation=relu)]
    with pytest.raises(OptionError) as error:
        receptive_field(parts, 3)
    assert str(error.value) == (
        "layer: expected one of the convolutional layers 1, 2; got 3.\nTry 2."
    )


def test_a_network_without_convolutions_is_named():
    with pytest.raises(OptionError) as error:
        layers_that_see([Dense(4, 3, key=KEY), Dense(3, 2, key=KEY)])
    assert str(error.value) == (
        "features: expected a network with convolutional layers; "
        "got Dense(4 -> 3), Dense(3 -> 2).\nTry a convolutional network, such as --network lenet."
    )
