"""A skip connection: the channels of A_prev and those of main(A_prev) are concatenated.

Notes: "U-Net" (course 4, week 3): in the expanding path, each level also gets the images of its
size from the contracting path, which preserve the positions of details.

    A = [A_prev, main(A_prev)], channel after channel
"""

from collections.abc import Sequence
from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from chainrule.errors import ShapeError, check_images, shape_errors_in
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Skip(Layer):
    """A = [A_prev, main(A_prev)]: the channels of the images A_prev, then those of main(A_prev).

    It has no layer number: the layers of `main` are counted instead.
    """

    numbered: ClassVar[bool] = False

    main: Sequential

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return self._concatenate(A_prev, self.main(A_prev))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Skip"]:
        """Return A in training, and the layer after it."""
        with shape_errors_in(self.title):
            A, main = self.main.train(A_prev, key=key, weights=weights)
            return self._concatenate(A_prev, A), Skip(main)

    def _concatenate(self, A_prev: Array, A: Array) -> Array:
        check_images(self.title, A_prev)
        if A.shape[:3] != A_prev.shape[:3]:
            expected = f"layers that return images of {A_prev.shape[1]} by {A_prev.shape[2]}"
            got = f"{A.shape[1]} by {A.shape[2]}"
            hint = "images with even sides, or a Padded layer around the network"
            raise ShapeError(self.title, expected, got, hint)
        return jnp.concatenate([A_prev, A], axis=3)

    @property
    def title(self) -> str:
        """The title, such as "Skip(MaxPool(2×2, s=2, p=0) … ConvTranspose2D(2×2, 16 -> 8))"."""
        return f"Skip({self.main.layers[0].title} … {self.main.layers[-1].title})"


class Padded(Layer):
    """A layer that pads images to multiples of `by`, and crops the result to the original size.

    The last row is repeated at the bottom and the last column on the right; the rows and columns
    that were added are cropped from the result.
    """

    numbered: ClassVar[bool] = False

    main: Sequential
    by: int = eqx.field(static=True)

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction, of the size of A_prev."""
        return self._crop(A_prev, self.main(self._pad(A_prev)))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Padded"]:
        """Return A in training, and the layer after it."""
        A, main = self.main.train(self._pad(A_prev), key=key, weights=weights)
        return self._crop(A_prev, A), Padded(main, self.by)

    def sides(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return n_H and n_W after padding.

        >>> Padded(Sequential([]), 16).sides((97, 128))
        (112, 128)
        """
        return tuple(n + -n % self.by for n in sizes)

    def _pad(self, A_prev: Array) -> Array:
        check_images(self.title, A_prev)
        more = [(0, -n % self.by) for n in A_prev.shape[1:3]]
        return jnp.pad(A_prev, [(0, 0), *more, (0, 0)], mode="edge")

    def _crop(self, A_prev: Array, A: Array) -> Array:
        n_H, n_W = A_prev.shape[1:3]
        return A[:, :n_H, :n_W]

    @property
    def title(self) -> str:
        """The title of the layer, such as "Padded(to a multiple of 16)"."""
        return f"Padded(to a multiple of {self.by})"
