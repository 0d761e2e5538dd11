"""Residual networks, and the plain ones they are compared with.

Notes: "ResNets" and "Why ResNets work" (course 4, week 2); "Deep residual learning for image
recognition" (He and others, 2015), table 1 and section 4.2.

    18, 34, 50       7×7 64 /2 → 3×3 max pool /2 → stages of 64, 128, 256, 512 → average → FC
        blocks       18: 2 2 2 2      34 and 50: 3 4 6 3
        a block      18, 34: 3×3 n, 3×3 n      50: 1×1 n, 3×3 n, 1×1 4n
    20, 32, 44, 56   3×3 16 → stages of 16, 32, 64 → average → FC, for small images
        blocks       (depth − 2)/6 in each stage, each 3×3 n, 3×3 n

Every convolution is followed by batch norm and relu, the last of a block by batch norm alone, then
comes the shortcut, then relu. The first block of a stage but the first halves the size, in a
bottleneck at its 3×3 ("version 1.5", whose weights are published; the paper does it at the 1×1).
Where the shape changes the shortcut is a projection, also for small images (option B of the paper).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity, relu
from chainrule.errors import check_choice
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import Initializer, he
from chainrule.layers.layer import Layer
from chainrule.layers.pool import GlobalAveragePool, MaxPool
from chainrule.layers.residual import Residual
from chainrule.layers.sequential import Sequential
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.units import Units, check_width, scaled, unusual
from chainrule.types import Key

LARGE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""Blocks of each stage, for images such as those of ImageNet."""

SMALL = {depth: ((depth - 2) // 6,) * 3 for depth in (20, 32, 44, 56)}
"""The same for images such as those of CIFAR."""

BOTTLENECKS = (50,)
EXPANSION = 4


def resnet(
    depth: int,
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    plain: bool = False,
    zero_gamma: bool = False,
    initializer: Initializer = he,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """A residual network with so many layers; `plain` leaves the shortcuts out.

    `zero_gamma` starts the last γ of every block from 0: each block is the identity at first.
    """
    name = f"{'plain' if plain else 'resnet'}{depth}"
    check_choice("resnet(depth)", depth, [*LARGE, *SMALL])
    check_width(name, width)
    made, n_C_prev, n = Units(key, initializer, dtype), scaled(64, width), scaled(64, width)
    if depth in SMALL:
        n_C_prev = n = scaled(16, width)
        layers = made.normalized(shape[2], n, 3)
    else:
        layers = [*made.normalized(shape[2], n, 7, s=2), MaxPool(3, s=2, p=1)]
    for stage, blocks in enumerate((LARGE | SMALL)[depth]):
        for first in (True, *[False] * (blocks - 1)):
            s, n_C = (2 if stage and first else 1), n * 2**stage
            how = {"g": relu if plain else identity, "zero": zero_gamma}
            if depth in BOTTLENECKS:
                main = bottleneck(made, n_C_prev, n_C, s, **how)
                n_C *= EXPANSION
            else:
                main = basic(made, n_C_prev, n_C, s, **how)
            layers += main if plain else [residual(made, main, n_C_prev, n_C, s)]
            n_C_prev = n_C
    layers += [GlobalAveragePool(), Flatten(), made.dense(n_C_prev, n_L)]
    options = unusual(width=(width, 1), zero_gamma=(zero_gamma, False))
    return ConvNetwork(layers, name=name, shape=shape, n_L=n_L, options=options)


def residual(made: Units, main: list[Layer], n_C_prev: int, n_C: int, s: int) -> Residual:
    """The layers of a block, and what leads around them."""
    return Residual(Sequential(main), made.projection(n_C_prev, n_C, s))


def basic(made: Units, n_C_prev: int, n: int, s: int, **last: Any) -> list[Layer]:
    """3×3 n, 3×3 n; `last` is what `Units.normalized` is told of the last."""
    return [*made.normalized(n_C_prev, n, 3, s=s), *made.normalized(n, n, 3, **last)]


def bottleneck(made: Units, n_C_prev: int, n: int, s: int, **last: Any) -> list[Layer]:
    """1×1 n, 3×3 n, 1×1 4n."""
    return [
        *made.normalized(n_C_prev, n, 1),
        *made.normalized(n, n, 3, s=s),
        *made.normalized(n, EXPANSION * n, 1, **last),
    ]
