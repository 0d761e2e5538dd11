"""A convolutional network from images to Z[L], one column per image, and its operation counts.

Notes: "CNN example", "One layer of a convolutional network" (course 4, week 1); "MobileNet"
(course 4, week 2).

In CONV → POOL → … → FC, n_H and n_W shrink and n_C grows. Each architecture has a file that reads
like the table in its paper and builds such a network: `lenet.py`, `resnet.py`, `mobilenet.py`.
`zoo.py` lists them by name.

With the precision bfloat16, the images, W and b are rounded to it at every call, the layers compute
in it, and Z[L] is converted back to float32. Batch norm computes in float32, with unrounded γ and
β. The parameters and buffers stay float32, and so does a layer that is called on its own.

`after` returns the sizes of a layer's output, and `multiplications` the number of multiplications:

    a convolution    f² n_C_prev times n_H n_W n_C, the size of its output
    depthwise        f² times n_H n_W n_C
    transposed       f² n_C times n_H n_W n_C_prev, the size of its input
    dense            n_prev times n_l

Batch norm, activations, pooling and sums are not counted, as in the papers. A depthwise convolution
and the 1 by 1 convolution after it need (1/n_C' + 1/f²) times the multiplications of a plain
convolution of the same sizes.

>>> layer = Conv2D(3, 5, f=3, key=jax.random.key(0))
>>> after(layer, (6, 6, 3)), multiplications(layer, (6, 6, 3))
((6, 6, 5), 4860)
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from chainrule.blocks.convolution import size_after
from chainrule.choices import PRECISIONS
from chainrule.errors import check_choice
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.branches import Branches
from chainrule.layers.conv import Conv2D, ConvTranspose2D, DepthwiseConv2D
from chainrule.layers.dense import Dense
from chainrule.layers.face_embedding import Mirrored
from chainrule.layers.flatten import Images
from chainrule.layers.layer import Layer, split_parameters
from chainrule.layers.pool import AveragePool, MaxPool
from chainrule.layers.residual import Projection, Residual
from chainrule.layers.sequential import Sequential
from chainrule.layers.skip import Padded, Skip
from chainrule.types import Key

# The network

Shape = tuple[int, int, int]
"""(n_H, n_W, n_C) of one image."""


class ConvNetwork(Layer):
    """Layers from images to Z[L]: X (m, n_H, n_W, n_C), or columns (n_H · n_W · n_C, m) → (n_L, m).

    `name` and `options` identify the entry of the zoo that builds the same layers; `shape` is the
    shape of one image, n_L the number of outputs. Columns and bytes are first converted to
    floating-point images.
    """

    layers: Sequential
    name: str = eqx.field(static=True)
    shape: Shape = eqx.field(static=True)
    n_L: int = eqx.field(static=True)
    options: tuple[tuple[str, Any], ...] = eqx.field(static=True)
    precision: str = eqx.field(static=True)

    def __init__(
        self,
        layers: Sequence[Layer],
        *,
        name: str,
        shape: Sequence[int],
        n_L: int,
        options: Mapping[str, Any] | None = None,
        precision: str = "float32",
    ):
        check_choice("the precision", precision, PRECISIONS)
        n_H, n_W, n_C = shape
        self.shape = (n_H, n_W, n_C)
        self.layers = Sequential([Images(self.shape), *layers])
        self.name, self.n_L, self.precision = name, n_L, precision
        self.options = tuple(sorted((options or {}).items()))

    def __call__(self, A_prev: Array) -> Float[Array, "n_L m"]:
        """Return Z[L] in prediction."""
        if self.precision == "float32":
            return self.layers(A_prev)
        return self._rounded()(A_prev).astype("float32")

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "ConvNetwork"]:
        """Return Z[L] in training, and the network after it."""
        if self.precision == "float32":
            Z, layers = self.layers.train(A_prev, key=key, weights=weights)
        else:
            Z, rounded = self._rounded().train(A_prev, key=key, weights=weights)
            Z, layers = Z.astype("float32"), self._with_buffers_of(rounded)
        return Z, eqx.tree_at(lambda network: network.layers, self, layers)

    def parts(self) -> tuple[Layer, ...]:
        """Return the layers, beginning with the Images layer."""
        return self.layers.parts()

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Return the random key that a training step passes to each part of the network."""
        return self.layers.part_keys(key)

    def changed(
        self,
        *,
        first: Sequence[Layer] = (),
        options: Mapping[str, Any] | None = None,
        precision: str | None = None,
    ) -> "ConvNetwork":
        """Return the network with layers inserted first, more options, or another precision."""
        return ConvNetwork(
            [*first, *self.layers.layers[1:]],
            name=self.name,
            shape=self.shape,
            n_L=self.n_L,
            options={**dict(self.options), **(options or {})},
            precision=precision or self.precision,
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The settings from which `zoo.rebuild` builds this network, except for its arrays."""
        settings = {"network": self.name, "shape": list(self.shape), "n_L": self.n_L}
        settings |= dict(self.options)
        return settings if self.precision == "float32" else settings | {"precision": self.precision}

    @property
    def multiplications(self) -> tuple[int, ...]:
        """The number of multiplications for one image in each part."""
        steps = walk(self.parts(), self.shape)
        return tuple(multiplications(layer, before) for layer, before, _ in steps)

    @property
    def title(self) -> str:
        """The title of the network, such as "resnet18(224×224×3 -> 1000)"."""
        return f"{self.name}({'×'.join(map(str, self.shape))} -> {self.n_L})"

    def _rounded(self) -> Sequential:
        """Return the layers with W and b in bfloat16, and with their input rounded to it."""
        theta, rest = split_parameters(self.layers)
        theta = jax.tree.map(_rounded_layer, theta, is_leaf=_is_batch_norm)
        layers = list(eqx.combine(theta, rest).layers)
        first = next(i for i, one in enumerate(layers) if not isinstance(one, Images | Augment))
        layers[first] = InPrecision(layers[first], self.precision)
        return Sequential(layers)

    def _with_buffers_of(self, rounded: Sequential) -> Sequential:
        """Return the layers with their own parameters and with the buffers of `rounded`."""
        layers = [one.layer if isinstance(one, InPrecision) else one for one in rounded.layers]
        theta, _ = split_parameters(self.layers)
        _, rest = split_parameters(Sequential(layers))
        return eqx.combine(theta, rest)


class InPrecision(Layer):
    """A wrapper that converts A_prev to another precision before it calls a layer."""

    layer: Layer
    dtype: str = eqx.field(static=True)

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction."""
        return self.layer(A_prev.astype(self.dtype))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "InPrecision"]:
        """Return A in training, and the layer after it."""
        A, after = self.layer.train(A_prev.astype(self.dtype), key=key, weights=weights)
        return A, InPrecision(after, self.dtype)

    @property
    def title(self) -> str:
        """The title of the wrapped layer."""
        return self.layer.title


def _is_batch_norm(node: Any) -> bool:
    return isinstance(node, BatchNorm)


def _rounded_layer(node: Any) -> Any:
    return node if _is_batch_norm(node) else node.astype("bfloat16")


# The sizes of the volumes, and the multiplications of each layer

Sizes = tuple[int, ...]
"""The shape of one example: (n_H, n_W, n_C) or (n,)."""


class Pair(NamedTuple):
    """A depthwise and a 1 by 1 convolution, compared with a plain convolution of their sizes."""

    depthwise: DepthwiseConv2D
    pointwise: Conv2D
    multiplications: int
    plain: int

    @property
    def ratio(self) -> float:
        """The share of a plain convolution's multiplications, 1/n_C' + 1/f²."""
        return self.multiplications / self.plain


def after(layer: Layer, sizes: Sizes) -> Sizes:
    """Return the sizes of the output A of a layer, given the sizes of its input A_prev."""
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
    if isinstance(layer, Branches):
        inside = (step for side in layer.branches for step in walk(side.parts(), sizes))
        return sum(multiplications(one, before) for one, before, _ in inside)
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
    """Walk through the main layers of a container, without its shortcut, or through one layer."""
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
