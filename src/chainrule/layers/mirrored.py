"""A layer that averages the outputs for an image and for its mirror image.

A mirrored face is the same face. A network that has to learn this needs both images of every
person; a network that averages both satisfies it by construction, also for unknown people.

    A = (main(A_prev) + main(A_prev mirrored)) / 2, for each image
"""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.errors import ShapeError, check_images, shape_errors_in
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Mirrored(Layer):
    """A (n, m) for images (m, n_H, n_W, n_C), equal for an image and its mirror image.

    It has no layer number: the layers of `main`, which must return columns, are counted instead.
    """

    numbered: ClassVar[bool] = False

    main: Sequential

    def __call__(self, A_prev: Array) -> Array:
        """Return A in prediction."""
        with shape_errors_in(self.title):
            return self._mean(self.main(self._both(A_prev)))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Mirrored"]:
        """Return A in training, and the layer after it."""
        twice = None if weights is None else jnp.concatenate([weights, weights], axis=-1)
        with shape_errors_in(self.title):
            A, main = self.main.train(self._both(A_prev), key=key, weights=twice)
            return self._mean(A), Mirrored(main)

    def _both(self, A_prev: Array) -> Array:
        """Return the images, followed by their mirror images."""
        check_images(self.title, A_prev)
        return jnp.concatenate([A_prev, A_prev[:, :, ::-1]], axis=0)

    def _mean(self, A: Array) -> Array:
        if A.ndim != 2:
            expected, got = "layers that return columns (n, m)", str(tuple(A.shape))
            raise ShapeError(self.title, expected, got, "a Flatten after them")
        m = A.shape[1] // 2
        return (A[:, :m] + A[:, m:]) / 2

    @property
    def title(self) -> str:
        """The title, such as "Mirrored(Conv2D(3×3, 1 -> 8) … Dense(96 -> 64))"."""
        return f"Mirrored({self.main.layers[0].title} … {self.main.layers[-1].title})"
