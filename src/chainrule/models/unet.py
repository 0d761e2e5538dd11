"""U-Net, a network that predicts a class for every pixel.

Notes: "U-Net" (course 4, week 3); "U-Net: Convolutional Networks for Biomedical Image Segmentation"
(Ronneberger and others, 2015).

    level(n)    [CONV 3×3 n] × 2 → Skip(POOL → level(2n) → TRANSPOSED 2×2 n) → [CONV 3×3 n] × 2
    bottom(n)   [CONV 3×3 n] × 2
    unet        level(n), nested `depth` times → CONV 1×1 n_C

Each 3×3 convolution is followed by batch norm and ReLU and keeps the size ("same"); the paper has
no batch norm and no padding. Sides that are not multiples of 2^depth are padded, and the output is
cropped. The paper has n = 64 and depth 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import DTypeLike

from chainrule.errors import check_integer
from chainrule.layers.allocation import check_size_first
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import MaxPool
from chainrule.layers.sequential import Sequential
from chainrule.layers.skip import Padded, Skip
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.units import Units, check_width, non_defaults, scaled
from chainrule.types import Key

CHANNELS, DEPTH = 64, 4


@check_size_first
def unet(
    shape: Sequence[int],
    n_C: int,
    *,
    key: Key,
    depth: int = DEPTH,
    width: float = 1,
    keep_prob: float = 1,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build a U-Net for images (n_H, n_W, n_C_prev): Z (m, n_H, n_W, n_C), one channel per class.

    `depth` is the number of times that the images are halved, `width` a factor for all numbers of
    channels, and `keep_prob` the probability of keeping a unit in the dropout of the bottom level.
    """
    check_width("unet", width)
    check_keep_prob("unet(keep_prob=…)", keep_prob)
    check_integer("unet(depth=…)", depth, hint=f"{DEPTH}")
    make = Units(key, initializer, dtype)
    n = scaled(CHANNELS, width)
    layers = [*level(make, shape[2], n, depth, keep_prob), make.conv(n, n_C, 1)]
    return ConvNetwork(
        [Padded(Sequential(layers), 2**depth)],
        name="unet",
        shape=shape,
        n_L=n_C,
        options=non_defaults(depth=(depth, DEPTH), width=(width, 1), keep_prob=(keep_prob, 1)),
    )


def level(make: Units, n_C_prev: int, n: int, depth: int, keep_prob: float = 1) -> list[Layer]:
    """Build a level of n channels and all levels below it; depth 0 is the bottom level."""
    down = two_convolutions(make, n_C_prev, n)
    if depth == 0:
        return down + ([Dropout(keep_prob, dtype=make.dtype)] if keep_prob < 1 else [])
    below = [MaxPool(2), *level(make, n, 2 * n, depth - 1, keep_prob), make.transposed(2 * n, n)]
    return [*down, Skip(Sequential(below)), *two_convolutions(make, 2 * n, n)]


def two_convolutions(make: Units, n_C_prev: int, n: int) -> list[Layer]:
    """Build two 3 by 3 convolutions, each with batch norm and ReLU."""
    return [*make.normalized(n_C_prev, n, 3), *make.normalized(n, n, 3)]
