"""What is made of an image and of its mirror image, on average: left and right do not count.

A face is as much its mirror image as itself. A network that has to learn that needs both of
everybody; one that is built so knows it of strangers too.

    A = (main(A_prev) + main(A_prev mirrored)) / 2, for each image
"""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from chainrule.errors import ShapeError, check_images, shapes_said_in
from chainrule.layers.layer import Layer
from chainrule.layers.sequential import Sequential
from chainrule.types import Key


class Mirrored(Layer):
    """A (n, m) of images (m, n_H, n_W, n_C): the same for an image and its mirror image.

    It has no number of its own: the layers of `main`, which give columns, are counted.
    """

    numbered: ClassVar[bool] = False

    main: Sequential

    def __call__(self, A_prev: Array) -> Array:
        """A as prediction does it."""
        with shapes_said_in(self.title):
            return self._mean(self.main(self._both(A_prev)))

    def train(
        self, A_prev: Array, *, key: Key, weights: Array | None = None
    ) -> tuple[Array, "Mirrored"]:
        """A as training does it, and the layer after it."""
        twice = None if weights is None else jnp.concatenate([weights, weights], axis=-1)
        with shapes_said_in(self.title):
            A, main = self.main.train(self._both(A_prev), key=key, weights=twice)
            return self._mean(A), Mirrored(main)

    def _both(self, A_prev: Array) -> Array:
        """The images, then their mirror images."""
        check_images(self.title, A_prev)
        return jnp.concatenate([A_prev, A_prev[:, :, ::-1]], axis=0)

    def _mean(self, A: Array) -> Array:
        if A.ndim != 2:
            expected, got = "layers that give columns (n, m)", str(tuple(A.shape))
            raise ShapeError(self.title, expected, got, "a Flatten at their end")
        m = A.shape[1] // 2
        return (A[:, :m] + A[:, m:]) / 2

    @property
    def title(self) -> str:
        """Such as "Mirrored(Conv2D(3×3, 1 -> 8) … Dense(96 -> 64))"."""
        return f"Mirrored({self.main.layers[0].title} … {self.main.layers[-1].title})"
