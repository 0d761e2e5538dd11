"""Two branches: two sequences of layers take the same input, and their outputs are joined.

Notes: "ResNets", "Inception network" (course 4, week 2).

    sum              A = g(first(A_prev) + second(A_prev)), of outputs of one shape
    concatenation    A = g([first(A_prev), second(A_prev)]), channel after channel for images, and
                     feature after feature for columns

An empty branch `Sequential([])` passes A_prev on. Branches inside branches make more than two.
"""

from collections.abc import Callable
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.blocks.activations import identity
from chainrule.errors import ShapeError, check_choice, shape_errors_in
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key

JOINS = ("sum", "concatenation")


class Branches(Layer):
    """A = g(first(A_prev) + second(A_prev)), or the concatenation of the two outputs.

    It has no layer number: the layers of `first` are counted, and then those of `second`.

    >>> from chainrule.layers.conv import Conv2D
    >>> narrow, wide = (Conv2D(3, 8, f=f, key=jax.random.key(f)) for f in (1, 5))
    >>> both = Branches(Sequential([narrow]), Sequential([wide]), join="concatenation")
    >>> both(jnp.ones((5, 32, 32, 3), jnp.float32)).shape
    (5, 32, 32, 16)
    """

    numbered: ClassVar[bool] = False

    first: Sequential
    second: Sequential
    join: str = eqx.field(static=True)
    activation: Callable = eqx.field(static=True)

    def __init__(
        self,
        first: Sequential,
        second: Sequential,
        *,
        join: str = "sum",
        activation: Callable = identity,
    ):
        check_choice("Branches(join=…)", join, JOINS)
        self.first, self.second, self.join, self.activation = first, second, join, activation

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return self._join(self.first(A_prev), self.second(A_prev))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Branches"]:
        """Return A in training, and the layer after it."""
        keys = jax.random.split(key)
        with shape_errors_in(self.title):
            A_1, first = self.first.train(A_prev, key=keys[0], weights=weights)
            A_2, second = self.second.train(A_prev, key=keys[1], weights=weights)
            A = self._join(A_1, A_2)
        return A, Branches(first, second, join=self.join, activation=self.activation)

    @property
    def branches(self) -> tuple[Sequential, Sequential]:
        """Both branches."""
        return self.first, self.second

    def _join(self, A_1: Array, A_2: Array) -> Array:
        """Return g of the sum or the concatenation of the outputs of both branches."""
        images = A_1.ndim == 4
        same = A_1.shape == A_2.shape
        if self.join == "concatenation" and A_1.ndim == A_2.ndim:
            same = A_1.shape[:3] == A_2.shape[:3] if images else A_1.shape[1:] == A_2.shape[1:]
        if not same:
            but = "" if self.join == "sum" else f", except for the {_joined_axis(images)}"
            hint = "a stride, a padding or a number of channels that makes the shapes equal"
            expected = f"two branches with outputs of the same shape{but}"
            got = f"{tuple(A_1.shape)} and {tuple(A_2.shape)}"
            raise ShapeError(self.title, expected, got, hint)
        if self.join == "sum":
            return self.activation(A_1 + A_2)
        return self.activation(jnp.concatenate([A_1, A_2], axis=3 if images else 0))

    @property
    def title(self) -> str:
        """The title, such as "Branches(Conv2D(1×1, 3 -> 8) + Conv2D(5×5, 3 -> 8))"."""
        sides = [
            " … ".join(dict.fromkeys((side.layers[0].title, side.layers[-1].title)))
            if side.layers
            else "identity"
            for side in self.branches
        ]
        return f"Branches({(' + ' if self.join == 'sum' else ' and ').join(sides)})"


def _joined_axis(images: bool) -> str:
    return "number of channels" if images else "number of features"
