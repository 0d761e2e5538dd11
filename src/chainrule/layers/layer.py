"""The layer interface: a block with its parameters, called differently to predict and to train.

    layer(A_prev)                     predicts: no randomness, no change
    layer.train(A_prev, key=…, weights=…) -> (A, new_layer)
                                      the forward pass of training, if it differs

Notes: "Building blocks of deep neural networks" (course 1, week 4).

A layer is an Equinox module, and so a pytree of its arrays; everything else in it is static. Its
array fields are its parameters, except those listed in `buffers`, which are state that is kept but
not learned. Optimisers, penalties, gradient checks and parameter counts ignore buffers.

Layers are counted as in the notes: only those with weights. A layer that is not `numbered` (batch
norm, dropout) belongs to the layer before it, and its arrays are named accordingly:

    W1, gamma1, beta1, mean1, variance1, t1, keep_prob1, W2, b2
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, ClassVar, NamedTuple, TypeVar

import equinox as eqx
import jax
import numpy as np
from jax.tree_util import keystr
from jaxtyping import Array, ArrayLike

from chainrule.errors import ShapeError
from chainrule.types import Key

L = TypeVar("L", bound="Layer")


class Layer(eqx.Module):
    """The base class of every layer and network."""

    buffers: ClassVar[tuple[str, ...]] = ()
    numbered: ClassVar[bool] = True

    @abstractmethod
    def __call__(self, A_prev: Array) -> Array:
        """Return A for A_prev, in prediction."""

    def train(self: L, A_prev: Array, *, key: Key, weights: Array | None = None) -> tuple[Array, L]:
        """Return A for A_prev in training, and the layer after it.

        `weights` (1, m) are the weights of the examples; those of weight 0 only pad the batch.
        """
        return self(A_prev), self

    def parts(self) -> "tuple[Layer, ...]":
        """Return the layers that run in sequence: only this layer, unless it is a container."""
        return (self,)

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Return the random key that a training step passes to each part of the network."""
        return (key,)

    @property
    def title(self) -> str:
        """The name in messages and tables, such as "Dense(64 -> 10)"."""
        return type(self).__name__


class _Place(NamedTuple):
    """The place of an array: its layer and the path to it, the field, and the position in it.

    The position is empty if the field is the array itself, and "[0]" in a field that is a list. A
    missing array (a Dense without b, the other half of a partitioned model) has a place too.
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
    """Return the child of a module, list or dict at one step of a path."""
    if hasattr(step, "name"):
        return getattr(node, step.name)
    return node[step.idx if hasattr(step, "idx") else step.key]


def named_arrays(model: Layer) -> dict[str, Array]:
    """Return all arrays of a model by their names in the notes: W1, b1, W2, b2, …

    If two layers without a number follow the same layer, the arrays of the second are marked with
    ".2": keep_prob1, keep_prob1.2.
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
        suffix = f".{len(same)}" if len(same) > 1 else ""
        yield f"{name}{suffix}{place.inside}", place


def replace_arrays(model: L, arrays: Mapping[str, ArrayLike]) -> L:
    """Return the model with all of its arrays replaced by the given arrays, by name.

    Raises ShapeError if an array is missing or has another shape.
    """
    present = named_arrays(model)
    for name, x in present.items():
        if name not in arrays or np.shape(arrays[name]) != x.shape:
            got = str(np.shape(arrays[name])) if name in arrays else "none"
            hint = "the arrays of this network"
            raise ShapeError(f"the array {name}", f"the shape {x.shape}", got, hint)
    leaves = [jax.numpy.asarray(arrays[name]) for name in present]
    return jax.tree.unflatten(jax.tree.structure(model), leaves)


def layer_numbers(parts: Sequence[Layer]) -> list[int]:
    """Return the number of each layer; for a container, the number of its last layer."""
    return list(accumulate(_count_layers(part) for part in parts))


def _count_layers(part: Layer) -> int:
    return len({place.path for place in _places(part) if place.owner.numbered})


def split_parameters(model: L) -> tuple[L, L]:
    """Split a model into its parameters θ and the rest (buffers); `eqx.combine` reverses it."""
    return eqx.partition(model, _is_parameter(model))


def penalized_arrays(model: Layer) -> list[Array]:
    """Return the arrays that L2 and L1 penalise: W, never b, γ, β, or the vectors of an embedding.

    A layer with several matrices names them W with a letter: Wq, Wk, Wv and Wo of an attention.
    """
    return [p.array for p in _places(model) if p.field.startswith("W") and p.array is not None]


def count_parameters(model: Layer) -> int:
    """Return the number of trainable parameters."""
    return sum(leaf.size for leaf in jax.tree.leaves(split_parameters(model)[0]))


def _is_parameter(model: L) -> L:
    """Return the model with True in place of each parameter and False for each buffer."""
    kinds = [p.field not in p.owner.buffers for p in _places(model) if p.array is not None]
    return jax.tree.unflatten(jax.tree.structure(model), kinds)
