"""Conversion between images and columns: every image becomes one column of numbers.

Notes: "Binary classification" (course 1, week 2): "unroll the pixel values into a feature vector".

    forward     X[:, i]  = the numbers of image i, row by row, the channels of a pixel together;
                           with planes=True all of the red, then all of the green, then all of the
                           blue, as the notes draw it
    backward    dImage i = dX[:, i], put back where each number came from

Images are (m, n_H, n_W, n_C); one image (n_H, n_W, n_C) gives one column (n_x, 1).
`vector_to_image` is the inverse; each is the derivative of the other.

>>> image_to_vector(jnp.zeros((5, 64, 64, 3))).shape
(12288, 5)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["shape", "planes"])
@dataclass(frozen=True)
class ImageShapeCache:
    """The shape of the images, (m, n_H, n_W, n_C) or (n_H, n_W, n_C), and their order in X."""

    shape: tuple[int, ...]
    planes: bool


def image_to_vector_forward(
    image: Float[Array, "*m n_H n_W n_C"], *, planes: bool = False
) -> tuple[Float[Array, "n_x m_columns"], ImageShapeCache]:
    """Return X (n_H · n_W · n_C, m): one column per image."""
    cache = ImageShapeCache(image.shape, planes)
    ordered = jnp.moveaxis(image, -1, -3) if planes else image  # (m, n_C, n_H, n_W) by planes
    m = image.shape[0] if image.ndim == 4 else 1
    return ordered.reshape(m, -1).T, cache


def image_to_vector_backward(
    dX: Float[Array, "n_x m_columns"], cache: ImageShapeCache
) -> Float[Array, "*m n_H n_W n_C"]:
    """Return dImage, which has each number of dX at the pixel that it belongs to."""
    if not cache.planes:
        return dX.T.reshape(cache.shape)
    *m, n_H, n_W, n_C = cache.shape
    return jnp.moveaxis(dX.T.reshape(*m, n_C, n_H, n_W), -3, -1)


image_to_vector = as_block(image_to_vector_forward, image_to_vector_backward)


def vector_to_image_forward(
    X: Float[Array, "n_x m_columns"], *, n_H: int, n_W: int, n_C: int, planes: bool = False
) -> tuple[Float[Array, "m_columns n_H n_W n_C"], ImageShapeCache]:
    """Images (m, n_H, n_W, n_C) from the columns of X (n_H · n_W · n_C, m)."""
    cache = ImageShapeCache((X.shape[1], n_H, n_W, n_C), planes)
    return image_to_vector_backward(X, cache), cache


def vector_to_image_backward(
    d_image: Float[Array, "m_columns n_H n_W n_C"], cache: ImageShapeCache
) -> Float[Array, "n_x m_columns"]:
    """dX: one column per image, in the order X had."""
    return image_to_vector_forward(d_image, planes=cache.planes)[0]


vector_to_image = as_block(vector_to_image_forward, vector_to_image_backward)
