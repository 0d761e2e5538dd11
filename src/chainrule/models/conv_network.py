"""A convolutional network: images in, Z[L] out, one column per image.

Notes: "CNN example" (course 4, week 1): CONV → POOL → … → FC; n_H and n_W shrink, n_C grows.

Each architecture has a file that reads like the table in its paper and builds such a network:
`lenet.py`, `resnet.py`, `mobilenet.py`. `zoo.py` lists them by name.

With the precision bfloat16, the images, W and b are rounded to it at every call, the layers compute
in it, and Z[L] is converted back to float32. Batch norm computes in float32, with unrounded γ and
β. The parameters and buffers stay float32, and so does a layer that is called on its own.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float

from chainrule.errors import check_choice
from chainrule.layers.augment import Augment
from chainrule.layers.batch_norm import BatchNorm
from chainrule.layers.flatten import Images
from chainrule.layers.layer import Layer, split_parameters
from chainrule.layers.sequential import Sequential
from chainrule.models.volumes import multiplications, walk
from chainrule.types import Key

Shape = tuple[int, int, int]
"""(n_H, n_W, n_C) of one image."""

PRECISIONS = ("float32", "bfloat16")


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
        """Return the key that training passes to each of its parts."""
        return self.layers.part_keys(key)

    def changed(
        self,
        *,
        first: Sequence[Layer] = (),
        options: Mapping[str, Any] | None = None,
        precision: str | None = None,
    ) -> "ConvNetwork":
        """Return the network with layers inserted at the start, more options, another precision."""
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
        """The number of multiplications for one image in each part: see `volumes.py`."""
        steps = walk(self.parts(), self.shape)
        return tuple(multiplications(layer, before) for layer, before, _ in steps)

    @property
    def title(self) -> str:
        """The title, such as "resnet18(224×224×3 -> 1000)"."""
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
