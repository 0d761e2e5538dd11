"""A sequence of layers: A[l] = layer l of A[l−1].

Notes: "Forward propagation in a deep network" (course 1, week 4): the loop over the layers, the one
for loop that stays.
"""

from collections.abc import Sequence
from itertools import chain

import jax
from jaxtyping import Array

from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer, layer_numbers
from chainrule.types import Key


class Sequential(Layer):
    """A[0] = X, then A[l] = layer(A[l−1]) for each layer; the output is A[L].

    The error for a wrong shape contains the layer's number, as do the names of its arrays.
    """

    layers: tuple[Layer, ...]

    def __init__(self, layers: Sequence[Layer]):
        """Create the sequence; nested sequences are flattened, so layers are counted throughout."""
        inside = (one.layers if isinstance(one, Sequential) else (one,) for one in layers)
        self.layers = tuple(chain.from_iterable(inside))

    def __call__(self, A_prev: Array) -> Array:
        """Return A[L] for A[0] in prediction."""
        A = A_prev
        for i, layer in enumerate(self.layers):
            try:
                A = layer(A)
            except ShapeError as error:
                raise error.inside(self._place(i)) from None
        return A

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Sequential"]:
        """Return A[L] in training, and the layers after it."""
        A, after = A_prev, []
        for i, layer in enumerate(self.layers):
            try:
                A, layer = layer.train(A, key=jax.random.fold_in(key, i), weights=weights)
            except ShapeError as error:
                raise error.inside(self._place(i)) from None
            after.append(layer)
        return A, Sequential(after)

    def parts(self) -> tuple[Layer, ...]:
        """Return the layers, including those of inner containers."""
        return tuple(part for layer in self.layers for part in layer.parts())

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Return the key of each layer, derived from `key` by `fold_in`."""
        keys = (jax.random.fold_in(key, i) for i in range(len(self.layers)))
        pairs = zip(self.layers, keys, strict=True)
        return tuple(chain.from_iterable(layer.part_keys(k) for layer, k in pairs))

    def _place(self, i: int) -> str:
        return f"layer {layer_numbers(self.layers)[i]}"
