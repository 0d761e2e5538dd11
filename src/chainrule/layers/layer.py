"""What a layer is: a block with its parameters, two calls, and no mode.

    layer(A_prev)                     predicts: no randomness, no change
    layer.train(A_prev, key=…, weights=…) -> (A, new_layer)
                                      what training does instead, where that is something else

Notes: "Building blocks of deep neural networks" (course 1, week 4).

A layer is an Equinox module, so a pytree of its arrays; everything else in it is static. Its array
fields are its parameters, but for those it names in `buffers`: what it remembers without learning
it. Optimisers, penalties, gradient checks and counts see parameters only.
"""

from abc import abstractmethod
from typing import Any, ClassVar, TypeVar

import equinox as eqx
import jax
from jax.tree_util import keystr
from jaxtyping import Array

from chainrule.types import Key

L = TypeVar("L", bound="Layer")


class Layer(eqx.Module):
    """The contract of every layer and network."""

    buffers: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def __call__(self, A_prev: Array) -> Array:
        """A from A_prev, as prediction does it."""

    def train(self: L, A_prev: Array, *, key: Key, weights: Array | None = None) -> tuple[Array, L]:
        """A from A_prev as training does it, and the layer as it is afterwards.

        `weights` (1, m) say how much each example counts; 0 is a place that only fills the batch.
        """
        return self(A_prev), self

    def parts(self) -> "tuple[Layer, ...]":
        """The layers it runs one after the other: itself, where it is not a container."""
        return (self,)

    @property
    def title(self) -> str:
        """How messages and tables name it, such as "Dense(64 -> 10)"."""
        return type(self).__name__


def _places(model: Any) -> list[tuple[Any, "Layer", str, str, Array]]:
    """(where its layer is, that layer, the field, the place in it, the array) of every array.

    The place is empty where the field is the array itself, "[0]" in a field that is a list.
    """
    places = []
    for path, leaf in jax.tree_util.tree_flatten_with_path(model)[0]:
        node, owner, at = model, model, 0
        for i, step in enumerate(path):
            if isinstance(node, Layer):
                owner, at = node, i
            node = _child(node, step)
        places.append((path[:at], owner, path[at].name, keystr(path[at + 1 :]), leaf))
    return places


def _child(node: Any, step: Any) -> Any:
    """The part of a module, list or dict that a step of a path leads to."""
    if hasattr(step, "name"):
        return getattr(node, step.name)
    return node[step.idx if hasattr(step, "idx") else step.key]


def named_arrays(model: Layer) -> dict[str, Array]:
    """Every array of a model by its name in the notes: W1, b1, W2, b2, …

    Layers are counted as in the notes: only those with weights.
    """
    names, seen = {}, {}
    for path, _, field, place, leaf in _places(model):
        l = seen.setdefault(keystr(path), len(seen) + 1)
        names[f"{field}{l}{place}"] = leaf
    return names


def split_parameters(model: L) -> tuple[L, L]:
    """The parameters θ, and the rest (buffers); `eqx.combine` puts them together again."""
    return eqx.partition(model, _is_parameter(model))


def count_parameters(model: Layer) -> int:
    """How many numbers training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(split_parameters(model)[0]))


def _is_parameter(model: L) -> L:
    """The model with True in place of each parameter and False of each buffer."""
    kinds = [field not in owner.buffers for _, owner, field, _, _ in _places(model)]
    return jax.tree.unflatten(jax.tree.structure(model), kinds)
