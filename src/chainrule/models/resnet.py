"""Residual networks, and the plain networks with which they are compared.

Notes: "ResNets" and "Why ResNets work" (course 4, week 2); "Deep residual learning for image
recognition" (He and others, 2015), table 1 and section 4.2.

    18, 34, 50       7×7 64 /2 → 3×3 max pool /2 → stages of 64, 128, 256, 512 → average → FC
        blocks       18: 2 2 2 2      34 and 50: 3 4 6 3
        a block      18, 34: 3×3 n, 3×3 n      50: 1×1 n, 3×3 n, 1×1 4n
    20, 32, 44, 56   3×3 16 → stages of 16, 32, 64 → average → FC, for small images
        blocks       (depth − 2)/6 in each stage, each 3×3 n, 3×3 n

Every convolution is followed by batch norm and relu; after the last one of a block, the shortcut is
added between batch norm and relu. The first block of every stage except the first halves the size;
a bottleneck does so in its 3×3 convolution ("version 1.5", whose weights are published; the paper
uses the 1×1). If the shape changes, the shortcut is a projection, also for small images (option B
of the paper).
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
from chainrule.models.units import Units, check_width, non_defaults, scaled
from chainrule.types import Key

LARGE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
"""The number of blocks in each stage, for images such as those of ImageNet."""

SMALL = {depth: ((depth - 2) // 6,) * 3 for depth in (20, 32, 44, 56)}
"""The number of blocks in each stage, for small images such as those of CIFAR."""

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
    """Build a residual network with `depth` layers; `plain` omits the shortcuts.

    `zero_gamma` initialises the last γ of every block with 0, so that each block is the identity at
    first.
    """
    name = f"{'plain' if plain else 'resnet'}{depth}"
    check_choice("resnet(depth)", depth, [*LARGE, *SMALL])
    check_width(name, width)
    make, n_C_prev, n = Units(key, initializer, dtype), scaled(64, width), scaled(64, width)
    if depth in SMALL:
        n_C_prev = n = scaled(16, width)
        layers = make.normalized(shape[2], n, 3)
    else:
        layers = [*make.normalized(shape[2], n, 7, s=2), MaxPool(3, s=2, p=1)]
    for stage, blocks in enumerate((LARGE | SMALL)[depth]):
        for first in (True, *[False] * (blocks - 1)):
            s, n_C = (2 if stage and first else 1), n * 2**stage
            last = {"g": relu if plain else identity, "zero": zero_gamma}
            if depth in BOTTLENECKS:
                main = bottleneck(make, n_C_prev, n_C, s, **last)
                n_C *= EXPANSION
            else:
                main = basic(make, n_C_prev, n_C, s, **last)
            layers += main if plain else [residual(make, main, n_C_prev, n_C, s)]
            n_C_prev = n_C
    layers += [GlobalAveragePool(), Flatten(), make.dense(n_C_prev, n_L)]
    options = non_defaults(width=(width, 1), zero_gamma=(zero_gamma, False))
    return ConvNetwork(layers, name=name, shape=shape, n_L=n_L, options=options)


def residual(make: Units, main: list[Layer], n_C_prev: int, n_C: int, s: int) -> Residual:
    """Build a residual block from its main layers, with the shortcut that its shapes need."""
    return Residual(Sequential(main), make.projection(n_C_prev, n_C, s))


def basic(make: Units, n_C_prev: int, n: int, s: int, **last: Any) -> list[Layer]:
    """Build two 3×3 convolutions of n filters; `last` are the options of the last convolution."""
    return [*make.normalized(n_C_prev, n, 3, s=s), *make.normalized(n, n, 3, **last)]


def bottleneck(make: Units, n_C_prev: int, n: int, s: int, **last: Any) -> list[Layer]:
    """Build a 1×1 and a 3×3 convolution of n filters, and a 1×1 convolution of 4n filters.

    `last` are the options of the last convolution.
    """
    return [
        *make.normalized(n_C_prev, n, 1),
        *make.normalized(n, n, 3, s=s),
        *make.normalized(n, EXPANSION * n, 1, **last),
    ]
