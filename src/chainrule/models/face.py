"""From an image to an embedding of length one: the same person near, others far.

Notes: "Siamese network" and "Triplet loss" (course 4, week 4).

    embedding           [CONV 3×3 n → BATCH NORM → relu → POOL 2×2] for n of 32, 64, 64, 128
                        → FC n_L → UNIT LENGTH                        pools while the sides allow it
    embedding_resnet20  a residual network (resnet.py) → UNIT LENGTH

Where one is `mirrored`, UNIT LENGTH is of the mean of what an image and its mirror image give.
n_L is how many numbers an embedding has. `blocks/triplet.py` is the cost, `blocks/distances.py` how
far two of them are from each other.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.mirrored import Mirrored
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.layers.unit_length import UnitLength
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.resnet import resnet
from chainrule.models.units import Units, check_width, scaled, unusual
from chainrule.types import Key

CHANNELS = (32, 64, 64, 128)


def embedding(
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    keep_prob: float = 1,
    mirrored: bool = False,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """A small network of convolutions; `keep_prob` is of the numbers before the last layer.

    Where it is `mirrored` the embedding of an image is that of its mirror image too: for faces.
    """
    check_width("embedding", width)
    check_keep_prob("embedding(keep_prob=…)", keep_prob)
    made, (n_H, n_W, n_C_prev) = Units(key, initializer, dtype), shape
    layers: list[Layer] = []
    for n in CHANNELS:
        n_C = scaled(n, width)
        layers += made.normalized(n_C_prev, n_C, 3)
        n_C_prev = n_C
        if min(n_H, n_W) >= 2:
            layers, n_H, n_W = [*layers, MaxPool(2)], n_H // 2, n_W // 2
    layers += [Flatten(), *([Dropout(keep_prob, dtype=dtype)] if keep_prob < 1 else [])]
    layers += [made.dense(n_H * n_W * n_C_prev, n_L)]
    options = unusual(width=(width, 1), keep_prob=(keep_prob, 1), mirrored=(mirrored, False))
    layers = [*twice(layers, mirrored=mirrored), UnitLength()]
    return ConvNetwork(layers, name="embedding", shape=shape, n_L=n_L, options=options)


def embedding_resnet(
    depth: int,
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    zero_gamma: bool = False,
    mirrored: bool = False,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """A residual network with so many layers, then to length one; its options are the same."""
    how: dict = {"width": width, "zero_gamma": zero_gamma, "initializer": initializer}
    body = resnet(depth, shape, n_L, key=key, dtype=dtype, **how)
    layers: list[Layer] = list(body.layers.layers[1:])  # the first makes images of what comes
    return ConvNetwork(
        [*twice(layers, mirrored=mirrored), UnitLength()],
        name=f"embedding_resnet{depth}",
        shape=shape,
        n_L=n_L,
        options=dict(body.options) | unusual(mirrored=(mirrored, False)),
    )


def twice(layers: list[Layer], *, mirrored: bool) -> list[Layer]:
    """The layers, or where it is wanted one that sees both the image and its mirror image."""
    return [Mirrored(Sequential(layers))] if mirrored else layers
