"""What a layer is: a block with its parameters, two calls, and no mode.

    layer(A_prev)                     predicts: no randomness, no change
    layer.train(A_prev, key=…, weights=…) -> (A, new_layer)
                                      what training does instead, where that is something else

Notes: "Building blocks of deep neural networks" (course 1, week 4).

A layer is an Equinox module, so a pytree of its arrays; everything else in it is static. Its array
fields are its parameters, but for those it names in `buffers`: what it remembers without learning
it. Optimisers, penalties, gradient checks and counts see parameters only.

Layers are counted as in the notes: only those with weights. One that is not `numbered` (batch norm,
dropout) belongs to the layer that it follows, and so do the names of its arrays:

    W1, gamma1, beta1, mean1, variance1, t1, keep_prob1, W2, b2
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple, TypeVar

import equinox as eqx
import jax
from jax.tree_util import keystr
from jaxtyping import Array, ArrayLike

from chainrule.types import Key

L = TypeVar("L", bound="Layer")


class Layer(eqx.Module):
    """The contract of every layer and network."""

    buffers: ClassVar[tuple[str, ...]] = ()
    numbered: ClassVar[bool] = True

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

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """The key that training gives to each of its parts."""
        return (key,)

    @property
    def title(self) -> str:
        """How messages and tables name it, such as "Dense(64 -> 10)"."""
        return type(self).__name__


class _Place(NamedTuple):
    """Where an array is: its layer and that layer's path, the field, the place in the field.

    The place is empty where the field is the array itself, "[0]" in a field that is a list. Where
    an array is missing (a Dense without b, the other half of a model) its place is there too.
    """

    path: str
    owner: Layer
    field: str
    inside: str
    array: Array | None


def _places(model: Any) -> Iterator[_Place]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(model, is_leaf=lambda x: x is None)
    for path, leaf in leaves:
        node, owner, at = model, model, 0
        for i, step in enumerate(path):
            if isinstance(node, Layer):
                owner, at = node, i
            node = _child(node, step)
        yield _Place(keystr(path[:at]), owner, path[at].name, keystr(path[at + 1 :]), leaf)


def _child(node: Any, step: Any) -> Any:
    """The part of a module, list or dict that a step of a path leads to."""
    if hasattr(step, "name"):
        return getattr(node, step.name)
    return node[step.idx if hasattr(step, "idx") else step.key]


def named_arrays(model: Layer) -> dict[str, Array]:
    """Every array of a model by its name in the notes: W1, b1, W2, b2, …

    Where two layers without a number of their own follow the same layer, the arrays of the second
    are told apart by ".2": keep_prob1, keep_prob1.2.
    """
    return {name: place.array for name, place in _named(model) if place.array is not None}


def _named(model: Layer) -> Iterator[tuple[str, _Place]]:
    l, numbers, homes = 0, {}, {}
    for place in _places(model):
        if place.path not in numbers:
            l += place.owner.numbered
            numbers[place.path] = l
        name = f"{place.field}{numbers[place.path]}"
        same = homes.setdefault(name, [])
        if place.path not in same:
            same.append(place.path)
        again = f".{len(same)}" if len(same) > 1 else ""
        yield f"{name}{again}{place.inside}", place


def replace_arrays(model: L, arrays: Mapping[str, ArrayLike]) -> L:
    """The model with these arrays, by their names, in place of its own: all of them."""
    leaves = [jax.numpy.asarray(arrays[name]) for name in named_arrays(model)]
    return jax.tree.unflatten(jax.tree.structure(model), leaves)


def layer_numbers(parts: Sequence[Layer]) -> list[int]:
    """The number of each layer; of one that holds several, the number of its last."""
    return list(accumulate(_count_layers(part) for part in parts))


def _count_layers(part: Layer) -> int:
    return len({place.path for place in _places(part) if place.owner.numbered})


def split_parameters(model: L) -> tuple[L, L]:
    """The parameters θ, and the rest (buffers); `eqx.combine` puts them together again."""
    return eqx.partition(model, _is_parameter(model))


def penalized(model: Layer) -> list[Array]:
    """What L2 and L1 act on: the fields named W, never b, γ or β."""
    return [p.array for p in _places(model) if p.field == "W" and p.array is not None]


def count_parameters(model: Layer) -> int:
    """How many numbers training changes."""
    return sum(leaf.size for leaf in jax.tree.leaves(split_parameters(model)[0]))


def _is_parameter(model: L) -> L:
    """The model with True in place of each parameter and False of each buffer."""
    kinds = [p.field not in p.owner.buffers for p in _places(model) if p.array is not None]
    return jax.tree.unflatten(jax.tree.structure(model), kinds)
