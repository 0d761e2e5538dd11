"""A skip connection: the channels of A_prev beside those of what other layers make of it.

Notes: "U-Net" (course 4, week 3): on the way up, each level gets the images of the same size from
the way down, which still know where things are.

    A = [A_prev, main(A_prev)], channel after channel
"""

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.errors import ShapeError, check_images, shapes_said_in
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Skip(Layer):
    """A = [A_prev, main(A_prev)]: images (m, n_H, n_W, n_C_prev) and as many more as main gives.

    It has no number of its own: the layers of `main` are counted.
    """

    numbered: ClassVar[bool] = False

    main: Sequential

    def __call__(self, A_prev: Array) -> Array:
        """A as prediction does it."""
        with shapes_said_in(self.title):
            return self._joined(A_prev, self.main(A_prev))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Skip"]:
        """A as training does it, and the layer after it."""
        with shapes_said_in(self.title):
            A, main = self.main.train(A_prev, key=key, weights=weights)
            return self._joined(A_prev, A), Skip(main)

    def _joined(self, A_prev: Array, A: Array) -> Array:
        check_images(self.title, A_prev)
        if A.shape[:3] != A_prev.shape[:3]:
            expected = f"layers that give images of {A_prev.shape[1]} by {A_prev.shape[2]} again"
            got = f"{A.shape[1]} by {A.shape[2]}"
            hint = "images whose sides are even, or a Padded around all of it"
            raise ShapeError(self.title, expected, got, hint)
        return jnp.concatenate([A_prev, A], axis=3)

    @property
    def title(self) -> str:
        """Such as "Skip(MaxPool(2×2, s=2, p=0) … ConvTranspose2D(2×2, 16 -> 8, s=2, p=0))"."""
        return f"Skip({self.main.layers[0].title} … {self.main.layers[-1].title})"


class Padded(Layer):
    """Images whose sides are brought to a multiple of `by`, and what is made of them cut back.

    Below and to the right the last row and column are repeated; of the result as many are cut off.
    """

    numbered: ClassVar[bool] = False

    main: Sequential
    by: int = eqx.field(static=True)

    def __call__(self, A_prev: Array) -> Array:
        """A as prediction does it, of the size of A_prev."""
        return self._cut(A_prev, self.main(self._padded(A_prev)))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Padded"]:
        """A as training does it, and the layer after it."""
        A, main = self.main.train(self._padded(A_prev), key=key, weights=weights)
        return self._cut(A_prev, A), Padded(main, self.by)

    def sides(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """n_H and n_W inside.

        >>> Padded(Sequential([]), 16).sides((97, 128))
        (112, 128)
        """
        return tuple(n + -n % self.by for n in sizes)

    def _padded(self, A_prev: Array) -> Array:
        check_images(self.title, A_prev)
        more = [(0, -n % self.by) for n in A_prev.shape[1:3]]
        return jnp.pad(A_prev, [(0, 0), *more, (0, 0)], mode="edge")

    def _cut(self, A_prev: Array, A: Array) -> Array:
        n_H, n_W = A_prev.shape[1:3]
        return A[:, :n_H, :n_W]

    @property
    def title(self) -> str:
        """Such as "Padded(to a multiple of 16)"."""
        return f"Padded(to a multiple of {self.by})"
