"""Layers one after the other: A[l] = layer l of A[l−1].

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
    """A[0] = X, then A[l] = layer(A[l−1]) for each layer; gives A[L].

    A shape that does not fit is said with the layer's number, as in the names of its arrays.
    """

    layers: tuple[Layer, ...]

    def __init__(self, layers: Sequence[Layer]):
        """A sequence inside a sequence is taken apart: layers are counted straight through."""
        inside = (one.layers if isinstance(one, Sequential) else (one,) for one in layers)
        self.layers = tuple(chain.from_iterable(inside))

    def __call__(self, A_prev: Array) -> Array:
        """A[L] from A[0]."""
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
        """A[L] as training computes it, and the layers as they are afterwards."""
        A, after = A_prev, []
        for i, layer in enumerate(self.layers):
            try:
                A, layer = layer.train(A, key=jax.random.fold_in(key, i), weights=weights)
            except ShapeError as error:
                raise error.inside(self._place(i)) from None
            after.append(layer)
        return A, Sequential(after)

    def parts(self) -> tuple[Layer, ...]:
        """The layers, those of inner sequences too."""
        return tuple(part for layer in self.layers for part in layer.parts())

    def part_keys(self, key: Key) -> tuple[Key, ...]:
        """Each layer's own, folded from the one it is given."""
        keys = (jax.random.fold_in(key, i) for i in range(len(self.layers)))
        together = zip(self.layers, keys, strict=True)
        return tuple(chain.from_iterable(layer.part_keys(k) for layer, k in together))

    def _place(self, i: int) -> str:
        return f"layer {layer_numbers(self.layers)[i]}"
