"""Tests of chainrule/models/conv_network.py."""

import jax
import numpy as np
import pytest

from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import zeros
from chainrule.layers.pool import GlobalAveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import after, multiplications, separable_pairs, walk
from chainrule.models.zoo import build

HOW = {"key": jax.random.key(0), "initializer": zeros}
LAYERS = [
    (Conv2D(3, 8, f=5, s=2, p="valid", **HOW), 25 * 3 * 8 * 2 * 3),
    (DepthwiseConv2D(3, f=3, **HOW), 9 * 3 * 8 * 9),
    (ConvTranspose2D(3, 4, f=2, s=2, **HOW), 4 * 3 * 4 * 8 * 9),
    (MaxPool(3, s=2, p=1), 0),
    (GlobalAveragePool(), 0),
    (Flatten(), 0),
    (Projection(3, 4, s=2, **HOW), 3 * 4 * 4 * 5),
    (
        Residual(Sequential([Conv2D(3, 4, f=3, s=2, **HOW)]), Projection(3, 4, s=2, **HOW)),
        (9 + 1) * 3 * 4 * 4 * 5,
    ),
]


@pytest.mark.parametrize(("layer", "count"), LAYERS, ids=lambda x: getattr(x, "title", ""))
def test_sizes_and_multiplications(layer, count):
    A = jax.eval_shape(layer, jax.ShapeDtypeStruct((1, 8, 9, 3), np.float32))
    assert after(layer, (8, 9, 3)) == (A.shape[1:] if len(A.shape) == 4 else A.shape[:1])
    assert multiplications(layer, (8, 9, 3)) == count


def test_a_dense_layer_multiplies_once_with_each_weight():
    assert multiplications(Dense(4, 3, **HOW), (4,)) == 12
    assert after(Dense(4, 3, **HOW), (4,)) == (3,)


def test_lenet_by_hand():
    network = build("lenet", (32, 32, 1), 10, key=HOW["key"])
    assert [sizes for *_, sizes in walk(network.parts(), (32, 32, 1))] == [
        *((32, 32, 1), (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (400,)),
        *((120,), (84,), (10,)),
    ]
    assert network.multiplications == (
        *(0, 28 * 28 * 25 * 6, 0, 10 * 10 * 25 * 6 * 16, 0, 0),
        *(400 * 120, 120 * 84, 84 * 10),
    )


@pytest.mark.parametrize(
    ("name", "millions"),
    # in the papers 1.8, 3.6 and (with the stride at the 1×1) 3.8 thousand; 569; 300
    [
        *(("resnet18", 1814), ("resnet34", 3664), ("resnet50", 4089)),
        *(("mobilenet_v1", 569), ("mobilenet_v2", 301)),
    ],
)
def test_multiplications_match_the_papers(name, millions):
    options = {"initializer": zeros}
    network = build(name, (224, 224, 3), 1000, key=HOW["key"], options=options)
    assert round(sum(network.multiplications) / 1e6) == millions


def test_a_pair_costs_what_the_notes_state():
    # the notes: 6×6×3 with 3×3 filters to 4×4×5 is 2,160 products instead of 672
    layers = [DepthwiseConv2D(3, p="valid", **HOW), Conv2D(3, 5, f=1, **HOW)]
    [pair] = separable_pairs(layers, (6, 6, 3))
    plain = Conv2D(3, 5, f=3, p="valid", **HOW)
    assert pair.multiplications == 432 + 240
    assert pair.plain == 2160 == multiplications(plain, (6, 6, 3))
    np.testing.assert_allclose(pair.ratio, 1 / 5 + 1 / 9)


def test_pairs_are_also_found_in_blocks():
    network = build("mobilenet_v2", (32, 32, 3), 2, key=HOW["key"], options={"initializer": zeros})
    pairs = separable_pairs(network.parts(), network.shape)
    assert len(pairs) == 17
    for pair in pairs:
        np.testing.assert_allclose(pair.ratio, 1 / pair.pointwise.W.shape[3] + 1 / 9)
    alone = Sequential([DepthwiseConv2D(3, **HOW), Conv2D(3, 4, f=3, **HOW)])
    assert separable_pairs(alone.parts(), (6, 6, 3)) == []
