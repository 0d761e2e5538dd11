"""Changes of shape: images become columns of numbers, and squares of pixels become channels.

Notes: "Binary classification" (course 1, week 2): "unroll the pixel values into a feature vector".

    forward     X[:, i]  = the numbers of image i, row by row, the channels of a pixel together;
                           with planes=True all of the red, then all of the green, then all of the
                           blue, as the notes draw it
    backward    dImage i = dX[:, i], put back where each number came from

Images are (m, n_H, n_W, n_C); one image (n_H, n_W, n_C) gives one column (n_x, 1).
`vector_to_image` is the inverse; each is the derivative of the other.

Space to depth turns each f by f square of pixels into one pixel with f² n_C channels, as YOLO does
("YOLO9000: Better, Faster, Stronger") before it concatenates images of two sizes:

    forward     A[h, w, (i f + j) n_C + c] = A_prev[h f + i, w f + j, c]
    backward    dA_prev[h f + i, w f + j, c] = dA[h, w, (i f + j) n_C + c]

>>> image_to_vector(jnp.zeros((5, 64, 64, 3))).shape
(12288, 5)
>>> space_to_depth(jnp.zeros((5, 64, 64, 3)), f=2).shape
(5, 32, 32, 12)
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.block import as_block
from chainrule.errors import check_divides


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


@partial(jax.tree_util.register_dataclass, data_fields=[], meta_fields=["f"])
@dataclass(frozen=True)
class SpaceToDepthCache:
    """The cache of space to depth: the side f of a square."""

    f: int


def space_to_depth_forward(
    A_prev: Float[Array, "m n_H_prev n_W_prev n_C_prev"], *, f: int
) -> tuple[Float[Array, "m n_H n_W n_C"], SpaceToDepthCache]:
    """Return A, in which each f by f square of A_prev is one pixel with f² n_C_prev channels."""
    m, n_H_prev, n_W_prev, n_C_prev = A_prev.shape
    check_divides("space_to_depth", A_prev.shape, f)
    squares = A_prev.reshape(m, n_H_prev // f, f, n_W_prev // f, f, n_C_prev)
    A = jnp.moveaxis(squares, 2, 3)  # (m, n_H, n_W, f, f, n_C_prev)
    return A.reshape(m, n_H_prev // f, n_W_prev // f, f * f * n_C_prev), SpaceToDepthCache(f)


def space_to_depth_backward(
    dA: Float[Array, "m n_H n_W n_C"], cache: SpaceToDepthCache
) -> Float[Array, "m n_H_prev n_W_prev n_C_prev"]:
    """Return dA_prev, which has each channel of dA at the pixel that it came from."""
    f, (m, n_H, n_W, n_C) = cache.f, dA.shape
    squares = jnp.moveaxis(dA.reshape(m, n_H, n_W, f, f, n_C // f**2), 3, 2)
    return squares.reshape(m, n_H * f, n_W * f, n_C // f**2)


space_to_depth = as_block(space_to_depth_forward, space_to_depth_backward)
