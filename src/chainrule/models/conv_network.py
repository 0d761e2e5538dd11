"""A network of convolutions: images in, Z[L] out, one column per image.

Notes: "CNN example" (course 4, week 1): CONV → POOL → … → FC; n_H and n_W shrink, n_C grows.

Each architecture has a file that reads as the table in its paper, and gives one of these:
`lenet.py`, `resnet.py`, `mobilenet.py`. `zoo.py` lists them by name.

With the precision bfloat16 images, W and b are rounded to it at every call, the layers compute with
that, and Z[L] comes back in float32. Batch norm computes in float32, with γ and β as they are.
What is trained and what is remembered stays float32; a layer that is looked at alone does too.
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

    `name` and `options` say which entry of the zoo makes the same layers again; `shape` is that of
    one image, n_L the number of outputs. Columns and bytes become images of floats first.
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
        """Z[L] as prediction computes it."""
        if self.precision == "float32":
            return self.layers(A_prev)
        return self._rounded()(A_prev).astype("float32")

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Float[Array, "n_L m"], "ConvNetwork"]:
        """Z[L] as training computes it, and the network as it is afterwards."""
        if self.precision == "float32":
            Z, layers = self.layers.train(A_prev, key=key, weights=weights)
        else:
            Z, rounded = self._rounded().train(A_prev, key=key, weights=weights)
            Z, layers = Z.astype("float32"), self._remembering(rounded)
        return Z, eqx.tree_at(lambda network: network.layers, self, layers)

    def parts(self) -> tuple[Layer, ...]:
        """The layers, from the images on."""
        return self.layers.parts()

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """The key that training gives to each of its parts."""
        return self.layers.part_keys(key)

    def changed(
        self,
        *,
        first: Sequence[Layer] = (),
        options: Mapping[str, Any] | None = None,
        precision: str | None = None,
    ) -> "ConvNetwork":
        """With these layers between the images and the first that computes, and more options."""
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
        """What makes this network again, but for its arrays: see `zoo.rebuild`."""
        made = {"network": self.name, "shape": list(self.shape), "n_L": self.n_L}
        made |= dict(self.options)
        return made if self.precision == "float32" else made | {"precision": self.precision}

    @property
    def multiplications(self) -> tuple[int, ...]:
        """Of one image in each of its parts: see `volumes.py`."""
        steps = walk(self.parts(), self.shape)
        return tuple(multiplications(layer, before) for layer, before, _ in steps)

    @property
    def title(self) -> str:
        """Such as "resnet18(224×224×3 -> 1000)"."""
        return f"{self.name}({'×'.join(map(str, self.shape))} -> {self.n_L})"

    def _rounded(self) -> Sequential:
        """The layers with W and b in bfloat16; the first that computes takes its images in it."""
        theta, rest = split_parameters(self.layers)
        theta = jax.tree.map(_rounded_layer, theta, is_leaf=_is_batch_norm)
        layers = list(eqx.combine(theta, rest).layers)
        first = next(i for i, one in enumerate(layers) if not isinstance(one, Images | Augment))
        layers[first] = InPrecision(layers[first], self.precision)
        return Sequential(layers)

    def _remembering(self, rounded: Sequential) -> Sequential:
        """The parameters as they were, and what the layers remember as it is now."""
        layers = [one.layer if isinstance(one, InPrecision) else one for one in rounded.layers]
        theta, _ = split_parameters(self.layers)
        _, rest = split_parameters(Sequential(layers))
        return eqx.combine(theta, rest)


class InPrecision(Layer):
    """A layer that is given its A_prev in another precision."""

    layer: Layer
    dtype: str = eqx.field(static=True)

    def __call__(self, A_prev: Array) -> Array:
        """A."""
        return self.layer(A_prev.astype(self.dtype))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "InPrecision"]:
        """A, and the layer after it."""
        A, after = self.layer.train(A_prev.astype(self.dtype), key=key, weights=weights)
        return A, InPrecision(after, self.dtype)

    @property
    def title(self) -> str:
        """That of the layer."""
        return self.layer.title


def _is_batch_norm(node: Any) -> bool:
    return isinstance(node, BatchNorm)


def _rounded_layer(node: Any) -> Any:
    return node if _is_batch_norm(node) else node.astype("bfloat16")
