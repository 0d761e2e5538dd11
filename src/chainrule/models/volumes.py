"""The sizes of the volumes in an image network, and the number of multiplications of each layer.

Notes: "One layer of a convolutional network" (course 4, week 1); "MobileNet" (course 4, week 2).

    a convolution    f² n_C_prev times n_H n_W n_C, the size of its output
    depthwise        f² times n_H n_W n_C
    transposed       f² n_C times n_H n_W n_C_prev, the size of its input
    dense            n_prev times n_l

Batch norm, activations, pools and sums are not counted, as in the papers. A depthwise convolution
and the 1 by 1 after it cost (1/n_C' + 1/f²) of a plain convolution with the same sizes.

>>> layer = Conv2D(3, 5, f=3, key=jax.random.key(0))
>>> after(layer, (6, 6, 3)), multiplications(layer, (6, 6, 3))
((6, 6, 5), 4860)
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import prod
from typing import NamedTuple

import jax
import numpy as np

from chainrule.blocks.convolution import size_after
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.layer import Layer
from chainrule.layers.mirrored import Mirrored
from chainrule.layers.pool import AveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.skip import Padded, Skip

Sizes = tuple[int, ...]
"""The shape of one example: (n_H, n_W, n_C) or (n,)."""


class Pair(NamedTuple):
    """A depthwise convolution and the 1 by 1 after it, compared with a plain one of their sizes."""

    depthwise: DepthwiseConv2D
    pointwise: Conv2D
    multiplications: int
    plain: int

    @property
    def ratio(self) -> float:
        """The share of a plain convolution's multiplications, 1/n_C' + 1/f²."""
        return self.multiplications / self.plain


def after(layer: Layer, sizes: Sizes) -> Sizes:
    """Return the sizes of A for those of A_prev."""
    if isinstance(layer, Conv2D | DepthwiseConv2D):
        return (*_shrunk(layer, layer.W.shape[0], sizes), layer.W.shape[-1])
    if isinstance(layer, MaxPool | AveragePool):
        return (*_shrunk(layer, layer.f, sizes), sizes[2])
    if isinstance(layer, Residual):
        return [*walk(layer.main.parts(), sizes)][-1][2]
    example = (1, *sizes) if len(sizes) == 3 else (*sizes, 1)
    A = jax.eval_shape(call_layer, layer, jax.ShapeDtypeStruct(example, _precision(layer)))
    return A.shape[1:] if len(A.shape) == 4 else A.shape[:1]


def multiplications(layer: Layer, sizes: Sizes) -> int:
    """Return the number of multiplications for one example with A_prev of these sizes."""
    if isinstance(layer, Mirrored):
        return 2 * sum(multiplications(one, before) for one, before, _ in walk_into(layer, sizes))
    if isinstance(layer, Residual | Skip | Padded):
        inside = sum(multiplications(one, before) for one, before, _ in walk_into(layer, sizes))
        shortcut = layer.shortcut if isinstance(layer, Residual) else None
        return inside + (multiplications(shortcut, sizes) if shortcut else 0)
    if isinstance(layer, Projection):
        n_H, n_W = (size_after(n, 1, layer.s) for n in sizes[:2])
        return n_H * n_W * layer.W.size
    if isinstance(layer, ConvTranspose2D):
        return prod(sizes[:2]) * layer.W.size
    if isinstance(layer, Conv2D | DepthwiseConv2D):
        return prod(after(layer, sizes)[:2]) * layer.W.size
    return layer.W.size if isinstance(layer, Dense) else 0


def walk(parts: Sequence[Layer], sizes: Sizes) -> Iterator[tuple[Layer, Sizes, Sizes]]:
    """Yield each layer with the sizes before and after it."""
    for layer in parts:
        before, sizes = sizes, after(layer, sizes)
        yield layer, before, sizes


def walk_into(layer: Layer, sizes: Sizes) -> Iterator[tuple[Layer, Sizes, Sizes]]:
    """Walk through the main layers of a container, without a shortcut, or through one layer."""
    if isinstance(layer, Padded):
        sizes = (*layer.sides(sizes[:2]), sizes[2])
    inside = isinstance(layer, Residual | Skip | Padded | Mirrored)
    return walk(layer.main.parts() if inside else (layer,), sizes)


def separable_pairs(parts: Sequence[Layer], sizes: Sizes) -> list[Pair]:
    """Return every depthwise convolution that is followed by a 1 by 1 convolution.

    There may be batch norm between the two.
    """
    steps = [
        step
        for layer, before, _ in walk(parts, sizes)
        for step in walk_into(layer, before)
        if isinstance(step[0], Conv2D | DepthwiseConv2D)
    ]
    pairs = []
    for (first, before, between), (then, _, _) in pairwise(steps):
        pointwise = isinstance(then, Conv2D) and then.W.shape[:2] == (1, 1) and then.s == 1
        if isinstance(first, DepthwiseConv2D) and isinstance(then, Conv2D) and pointwise:
            both = multiplications(first, before) + multiplications(then, between)
            pairs.append(
                Pair(first, then, both, prod(between[:2]) * first.W.size * then.W.shape[3])
            )
    return pairs


def call_layer(layer: Layer, A_prev: jax.Array) -> jax.Array:
    """Return A of a layer; one function for all layers, so that JAX traces equal blocks once."""
    return layer(A_prev)


def _precision(layer: Layer) -> np.dtype:
    """Return the dtype of a layer's arrays, which strict dtype promotion requires of its input."""
    dtypes = (x.dtype for x in jax.tree.leaves(layer) if np.issubdtype(x.dtype, np.floating))
    return next(dtypes, np.dtype(np.float32))


def _shrunk(layer: Conv2D | DepthwiseConv2D | MaxPool | AveragePool, f: int, sizes: Sizes) -> Sizes:
    return tuple(size_after(n, f, layer.s, layer.p) for n in sizes[:2])
