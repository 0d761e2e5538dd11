"""Layers one after the other: A[l] = layer l of A[l−1].

Notes: "Forward propagation in a deep network" (course 1, week 4): the loop over the layers, the one
for loop that stays.
"""

from collections.abc import Sequence
from itertools import chain

import jax
from jaxtyping import Array

from chainrule.errors import ShapeError
from chainrule.layers.layer import Layer
from chainrule.types import Key


class Sequential(Layer):
    """A[0] = X, then A[l] = layer(A[l−1]) for each layer; gives A[L].

    A shape that does not fit is said with the layer's number as in the notes, which count only
    layers with weights.
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

    def _place(self, i: int) -> str:
        """The layer's number, counting those with weights up to it."""
        with_weights = [j for j in range(i + 1) if jax.tree.leaves(self.layers[j])]
        return f"layer {len(with_weights)}"
