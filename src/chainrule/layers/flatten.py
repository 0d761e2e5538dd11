"""Layers that change only shapes: images to columns, columns to images, and pixels to channels.

Notes: "CNN example" (course 4, week 1): the last volume is unrolled into a vector.
"""

from typing import ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.shape import image_to_vector, space_to_depth, vector_to_image
from chainrule.errors import ShapeError, check_columns, check_divides, check_images, check_integer
from chainrule.layers.layer import Layer


class Flatten(Layer):
    """A layer that converts images (m, n_H, n_W, n_C) to columns (n_H · n_W · n_C, m)."""

    numbered: ClassVar[bool] = False

    def __call__(self, A_prev: Float[Array, "m n_H n_W n_C"]) -> Float[Array, "n m"]:
        """Return one column per image."""
        check_images(self.title, A_prev)
        return image_to_vector(A_prev)


class SpaceToDepth(Layer):
    """A layer that turns each f by f square of pixels into one pixel with f² times the channels.

    The sides of the images are multiples of f.

    >>> SpaceToDepth(2)(jnp.ones((5, 26, 26, 64), jnp.float32)).shape
    (5, 13, 13, 256)
    """

    numbered: ClassVar[bool] = False

    f: int = eqx.field(static=True)

    def __init__(self, f: int = 2):
        check_integer("SpaceToDepth(f=…)", f, hint="2")
        self.f = f

    def __call__(self, A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"]) -> Array:
        """Return A, the smaller images with more channels."""
        check_images(self.title, A_prev)
        check_divides(self.title, A_prev.shape, self.f)
        return space_to_depth(A_prev, f=self.f)

    @property
    def title(self) -> str:
        """The title of the layer, such as "SpaceToDepth(2×2)"."""
        return f"SpaceToDepth({self.f}×{self.f})"


class Images(Layer):
    """The input layer of an image network: columns (n_H · n_W · n_C, m) or images become images.

    The result is floating-point: bytes are pixels, and 0 … 255 become 0 … 1.
    """

    numbered: ClassVar[bool] = False

    shape: tuple[int, int, int] = eqx.field(static=True)
    dtype: str = eqx.field(static=True)

    def __init__(self, shape: tuple[int, int, int], *, dtype: str = "float32"):
        self.shape, self.dtype = shape, dtype

    def __call__(self, A_prev: Array) -> Float[Array, "m n_H n_W n_C"]:
        """Return images (m, n_H, n_W, n_C)."""
        n_H, n_W, n_C = self.shape
        if jnp.issubdtype(A_prev.dtype, jnp.integer):
            A_prev = A_prev.astype(self.dtype) / 255
        if A_prev.ndim == 2:
            check_columns(self.title, A_prev, n_H * n_W * n_C)
            return vector_to_image(A_prev, n_H=n_H, n_W=n_W, n_C=n_C)
        if A_prev.shape[1:] != self.shape:
            expected = f"images (m, {n_H}, {n_W}, {n_C}), or columns ({n_H * n_W * n_C}, m)"
            got = str(tuple(A_prev.shape))
            raise ShapeError(self.title, expected, got, f"an image size of {n_H}x{n_W}")
        return A_prev

    @property
    def title(self) -> str:
        """The title of the layer, such as "Images(28×28×1)"."""
        return f"Images({'×'.join(map(str, self.shape))})"
