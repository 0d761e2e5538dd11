"""Tests of chainrule/models/lenet.py, resnet.py, mobilenet.py and units.py, layer by layer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.blocks.activations import identity, relu, relu6
from chainrule.errors import OptionError
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.conv import Conv2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.dropout import Dropout
from chainrule.layers.initializers import he, xavier, zeros
from chainrule.layers.residual import Residual
from chainrule.models.lenet import convnet, lenet
from chainrule.models.mobilenet import mobilenet_v1, mobilenet_v2
from chainrule.models.resnet import resnet
from chainrule.models.units import Step, Units, divisible, least_size, size_after_steps

HOW = {"key": jax.random.key(0), "initializer": zeros}


def titles(network):
    return [part.title for part in network.parts()]


def kinds(network):
    return [type(part).__name__ for part in network.parts()]


def volumes(network, n_H, n_W, n_C):
    """Return (n_H, n_W, n_C) after each part that changes it."""
    A, found = jax.ShapeDtypeStruct((1, n_H, n_W, n_C), jnp.float32), []
    for part in network.parts():
        A = jax.eval_shape(part, A)
        if len(A.shape) == 4 and [*A.shape[1:]] not in found[-1:]:
            found.append([*A.shape[1:]])
    return found


def test_lenet_layer_by_layer():
    assert titles(lenet((32, 32, 1), 10, **HOW)) == [
        "Images(32×32×1)",
        "Conv2D(5×5, 1 -> 6, p=valid)",
        "MaxPool(2×2, s=2, p=0)",
        "Conv2D(5×5, 6 -> 16, p=valid)",
        "MaxPool(2×2, s=2, p=0)",
        "Flatten",
        "Dense(400 -> 120)",
        "Dense(120 -> 84)",
        "Dense(84 -> 10)",
    ]


def test_convnet_with_batch_norm_and_dropout():
    network = convnet((28, 28, 1), 10, batch_norm=True, keep_prob=0.5, **HOW)
    assert kinds(network)[1:] == [
        *("Conv2D", "BatchNorm", "MaxPool") * 2,
        *("Flatten", "Dense", "BatchNorm", "Dropout", "Dense"),
    ]
    for part in network.parts():
        if isinstance(part, Conv2D):
            assert part.b is None
            assert part.activation is identity
        if isinstance(part, BatchNorm):
            assert part.activation is relu


@pytest.mark.parametrize(("activation", "start"), [("relu", he), ("tanh", xavier)])
def test_lenet_is_initialised_as_the_notes_advise(activation, start):
    how = {"key": jax.random.key(0), "activation": activation, "width": 0.1}
    default, explicit = (
        lenet((16, 16, 1), 2, **how, **options) for options in ({}, {"initializer": start})
    )
    for ours, theirs in zip(jax.tree.leaves(default), jax.tree.leaves(explicit), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_stages_of_resnet50():
    network = resnet(50, (64, 64, 3), 10, **HOW)
    assert titles(network)[1:4] == [
        "Conv2D(7×7, 3 -> 64, s=2)",
        "BatchNorm(64)",
        "MaxPool(3×3, s=2, p=1)",
    ]
    assert volumes(network, 64, 64, 3)[1:] == [
        *([32, 32, 64], [16, 16, 64], [16, 16, 256], [8, 8, 512], [4, 4, 1024], [2, 2, 2048]),
        [1, 1, 2048],
    ]
    blocks = [part for part in network.parts() if isinstance(part, Residual)]
    assert len(blocks) == 3 + 4 + 6 + 3
    assert [i for i, one in enumerate(blocks) if one.shortcut is not None] == [0, 3, 7, 13]
    convolutions = [one.title for one in blocks[3].main.layers if isinstance(one, Conv2D)]
    assert convolutions == [
        "Conv2D(1×1, 256 -> 128)",
        "Conv2D(3×3, 128 -> 128, s=2)",
        "Conv2D(1×1, 128 -> 512)",
    ]
    assert [n.activation for n in blocks[0].main.layers[1::2]] == [relu, relu, identity]


def test_resnet20_and_plain20_have_twenty_layers():
    for plain in (False, True):
        network = resnet(20, (8, 8, 3), 10, plain=plain, **HOW)
        counted = [
            inner
            for part in network.parts()
            for inner in (part.main.layers if isinstance(part, Residual) else (part,))
            if isinstance(inner, Conv2D | Dense)
        ]
        assert len(counted) == 20
        assert ("Residual" in kinds(network)) is not plain


@pytest.mark.usefixtures("float32_world")
def test_with_a_zero_gamma_every_block_is_the_identity_at_first():
    how = {"key": jax.random.key(0), "width": 0.25}
    network = resnet(20, (4, 4, 1), 2, zero_gamma=True, **how)
    blocks = [part for part in network.parts() if isinstance(part, Residual)]
    A = jax.random.uniform(jax.random.key(1), (2, 4, 4, 4), jnp.float32)  # relu does not change it
    np.testing.assert_array_equal(blocks[0](A), A)
    usual = resnet(20, (4, 4, 1), 2, **how)
    block = next(part for part in usual.parts() if isinstance(part, Residual))
    assert not np.allclose(block(A), A)


def test_mobilenet_v1_layer_by_layer():
    network = mobilenet_v1((224, 224, 3), 1000, **HOW)
    pairs = [part for part in network.parts() if isinstance(part, DepthwiseConv2D)]
    assert [pair.s for pair in pairs] == [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    assert [pair.W.shape for pair in pairs[:3]] == [(3, 3, 32), (3, 3, 64), (3, 3, 128)]
    assert volumes(network, 224, 224, 3)[-3:] == [[7, 7, 512], [7, 7, 1024], [1, 1, 1024]]


def test_mobilenet_v2_layer_by_layer():
    network = mobilenet_v2((224, 224, 3), 1000, keep_prob=0.8, **HOW)
    blocks = [part for part in network.parts() if isinstance(part, Residual)]
    assert len(blocks) == 10  # 17 bottlenecks, 7 of which change the shape
    assert [one.activation for one in blocks] == [identity] * 10
    inner = blocks[0].main.layers
    assert [type(one) for one in inner] == [
        *(Conv2D, BatchNorm, DepthwiseConv2D, BatchNorm, Conv2D, BatchNorm),
    ]
    assert [one.activation for one in inner[1::2]] == [relu6, relu6, identity]
    assert inner[0].W.shape == (1, 1, 24, 144)
    assert isinstance(network.parts()[-2], Dropout)
    assert volumes(network, 224, 224, 3)[-2:] == [[7, 7, 1280], [1, 1, 1280]]


def test_tensorflow_padding():
    network = mobilenet_v2((12, 12, 3), 2, padding="tensorflow", **HOW)
    layers = [part for part in network.parts() if isinstance(part, Conv2D | DepthwiseConv2D)]
    # 12 → 6 → 3 → 2 → 1 and 1 → 1
    assert [one.p for one in layers if one.s == 2] == [(0, 1), (0, 1), (1, 1), (0, 1), (1, 1)]


def test_refuses_tensorflow_padding_that_differs_by_side():
    with pytest.raises(
        OptionError, match="both even or both odd before every layer with stride 2; got 12 by"
    ):
        mobilenet_v2((12, 13, 3), 2, padding="tensorflow", **HOW)


# units.py


def test_channels_that_are_multiples_of_eight():
    # as published: width 0.75 and 1.4 of MobileNet v2
    assert [divisible(n * 0.75) for n in (32, 16, 24, 32, 64, 96, 160, 320)] == [
        *(24, 16, 24, 24, 48, 72, 120, 240),
    ]
    assert [divisible(n * 1.4) for n in (32, 16, 24, 32, 64, 96, 160, 320, 1280)] == [
        *(48, 24, 32, 48, 88, 136, 224, 448, 1792),
    ]


@given(n=st.floats(1, 5000))
def test_at_most_a_tenth_of_the_channels_is_lost(n):
    assert divisible(n) % 8 == 0
    assert divisible(n) >= 0.9 * n


@given(
    steps=st.lists(
        st.builds(Step, st.just("one"), st.integers(1, 5), st.integers(1, 3), st.integers(0, 2)),
        min_size=1,
        max_size=4,
    )
)
def test_the_least_size_is_the_smallest_that_fits(steps):
    n = least_size(steps)
    assert min(size_after_steps("", (n, n), steps)) >= 1
    if n > 1:
        with pytest.raises(ValueError, match=f"Try an image size of at least {n}x{n}"):
            size_after_steps("", (n, n - 1), steps)


def test_each_layer_is_initialised_with_its_own_key():
    made = Units(jax.random.key(0))
    one, other = (made.conv(2, 2, 3).W for _ in range(2))
    assert not np.allclose(one, other)
