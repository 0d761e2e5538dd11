"""Networks that map an image to a vector of length one, close for images of the same person.

Notes: "Siamese network" and "Triplet loss" (course 4, week 4).

    embedding           [CONV 3×3 n → BATCH NORM → relu → POOL 2×2] for n of 32, 64, 64, 128
                        → FC n_L → UNIT LENGTH                        pools while the sides allow it
    embedding_resnet20  a residual network (resnet.py) → UNIT LENGTH

If a network is `mirrored`, UNIT LENGTH is applied to the mean of the outputs for an image and its
mirror image. n_L is the dimension of an embedding. `blocks/triplet.py` is the cost, and
`blocks/distances.py` computes the distance between two embeddings.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.face_embedding import Mirrored, UnitLength
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.resnet import resnet
from chainrule.models.units import Units, check_width, non_defaults, scaled
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
    """Build a small convolutional network; `keep_prob` is for dropout before the last layer.

    If it is `mirrored`, an image and its mirror image have the same embedding, which suits faces.
    """
    check_width("embedding", width)
    check_keep_prob("embedding(keep_prob=…)", keep_prob)
    make, (n_H, n_W, n_C_prev) = Units(key, initializer, dtype), shape
    layers: list[Layer] = []
    for n in CHANNELS:
        n_C = scaled(n, width)
        layers += make.normalized(n_C_prev, n_C, 3)
        n_C_prev = n_C
        if min(n_H, n_W) >= 2:
            layers, n_H, n_W = [*layers, MaxPool(2)], n_H // 2, n_W // 2
    layers += [Flatten(), *([Dropout(keep_prob, dtype=dtype)] if keep_prob < 1 else [])]
    layers += [make.dense(n_H * n_W * n_C_prev, n_L)]
    options = non_defaults(width=(width, 1), keep_prob=(keep_prob, 1), mirrored=(mirrored, False))
    layers = [*_mirror(layers, mirrored=mirrored), UnitLength()]
    return ConvNetwork(layers, name="embedding", shape=shape, n_L=n_L, options=options)


def embedding_resnet(
    depth: int,
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    mirrored: bool = False,
    **options: Any,
) -> ConvNetwork:
    """Build a residual network of this depth whose outputs have length one.

    All other `options` are those of `resnet`.
    """
    backbone = resnet(depth, shape, n_L, key=key, **options)
    layers: list[Layer] = list(backbone.layers.layers[1:])  # without the Images layer
    return ConvNetwork(
        [*_mirror(layers, mirrored=mirrored), UnitLength()],
        name=f"embedding_resnet{depth}",
        shape=shape,
        n_L=n_L,
        options=dict(backbone.options) | non_defaults(mirrored=(mirrored, False)),
    )


def _mirror(layers: list[Layer], *, mirrored: bool) -> list[Layer]:
    """Return the layers, wrapped in Mirrored if `mirrored` is set."""
    return [Mirrored(Sequential(layers))] if mirrored else layers
