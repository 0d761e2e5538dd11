"""LeNet-5, and a second small convolutional network.

Notes: "CNN example" (course 4, week 1), "Classic networks" (course 4, week 2); "Gradient-based
learning applied to document recognition" (LeCun and others, 1998).

    lenet      CONV 5×5 6 → POOL → CONV 5×5 16 → POOL → FC 120 → FC 84 → FC n_L       no padding
    convnet    CONV 3×3 32 → POOL → CONV 3×3 64 → POOL → FC 128 → FC n_L              same padding

As in the notes, g is relu and POOL is max pooling, where the paper has tanh and average pooling;
both are options. Pooling windows are 2 by 2 and halve the size.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from chainrule.blocks.activations import identity
from chainrule.errors import check_choice
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.dropout import Dropout, check_keep_prob
from chainrule.layers.flatten import Flatten
from chainrule.layers.initializers import Initializer
from chainrule.layers.layer import Layer
from chainrule.layers.pool import AveragePool, MaxPool
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.deep_network import ACTIVATIONS, recommended_initializer
from chainrule.models.units import Step, Units, check_width, non_defaults, scaled, size_after_steps
from chainrule.types import Key

POOLS = {"max": MaxPool, "average": AveragePool}


def lenet(
    shape: Sequence[int], n_L: int, *, key: Key, width: float = 1, **options: Any
) -> ConvNetwork:
    """Build LeNet-5 for images (n_H, n_W, n_C) of at least 16 by 16, with `small_network`.

    >>> from chainrule.layers.layer import count_parameters
    >>> count_parameters(lenet((32, 32, 1), 10, key=jax.random.key(0)))
    61706
    """
    convolutions = ((5, 6, "valid"), (5, 16, "valid"))
    return small_network(
        "lenet", convolutions, (120, 84), shape, n_L, key=key, width=width, **options
    )


def convnet(
    shape: Sequence[int], n_L: int, *, key: Key, width: float = 1, **options: Any
) -> ConvNetwork:
    """Build a network of 32 and 64 filters and 128 units, for images of at least 4 by 4."""
    convolutions = ((3, 32, "same"), (3, 64, "same"))
    return small_network(
        "convnet", convolutions, (128,), shape, n_L, key=key, width=width, **options
    )


def small_network(
    name: str,
    convolutions: Sequence[tuple[int, int, str]],
    hidden: Sequence[int],
    shape: Sequence[int],
    n_L: int,
    *,
    key: Key,
    width: float = 1,
    activation: str = "relu",
    pool: str = "max",
    batch_norm: bool = False,
    keep_prob: float = 1,
    initializer: Initializer | None = None,
    dtype: DTypeLike = np.float32,
) -> ConvNetwork:
    """Build convolutions (f, n_C, p), each followed by pooling, then hidden layers and n_L outputs.

    The default initialiser is the notes' choice for the activation. Batch norm comes before every
    activation; if `keep_prob` is below 1, dropout follows every fully connected hidden layer.
    """
    check_width(name, width)
    check_choice(f"{name}(activation=…)", activation, ACTIVATIONS)
    check_choice(f"{name}(pool=…)", pool, POOLS)
    check_keep_prob(f"{name}(keep_prob=…)", keep_prob)
    g, (n_H, n_W, n_C) = ACTIVATIONS[activation], shape
    make = Units(key, initializer or recommended_initializer(g), dtype)
    steps, layers = [], []
    for l, (f, filters, p) in enumerate(convolutions, 1):
        n_C_prev, n_C = n_C, scaled(filters, width)
        steps += [Step(f"CONV{l}", f, 1, p), Step(f"POOL{l}", 2, 2)]
        if batch_norm:
            layers += make.normalized(n_C_prev, n_C, f, p=p, g=g)
        else:
            layers += [make.conv(n_C_prev, n_C, f, p=p, activation=g)]
        layers += [POOLS[pool](2)]
    n_H, n_W = size_after_steps(name, shape, steps)
    n_prev, layers = n_H * n_W * n_C, [*layers, Flatten()]
    for units in hidden:
        n_l = scaled(units, width)
        layers += _hidden(make, n_prev, n_l, g, batch_norm)
        layers += [Dropout(keep_prob, dtype=dtype)] if keep_prob < 1 else []
        n_prev = n_l
    options = non_defaults(
        width=(width, 1),
        activation=(activation, "relu"),
        pool=(pool, "max"),
        batch_norm=(batch_norm, False),
        keep_prob=(keep_prob, 1),
    )
    layers += [make.dense(n_prev, n_L)]
    return ConvNetwork(layers, name=name, shape=shape, n_L=n_L, options=options)


def _hidden(make: Units, n_prev: int, n_l: int, g: Callable, batch_norm: bool) -> list[Layer]:
    if not batch_norm:
        return [make.dense(n_prev, n_l, g)]
    norm = BatchNorm(n_l, activation=g, dtype=make.dtype)
    return [make.dense(n_prev, n_l, identity, bias=False), norm]
