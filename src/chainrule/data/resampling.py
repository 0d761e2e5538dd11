"""Geometric image transformations: rotate, crop, mirror and warp by resampling the pixels.

Notes: "Data augmentation" (course 4, week 2).

    (y, x)    a pixel of the new image, relative to the centre
    source    = M (y + down, x + right) + moves(y, x)
    M         = mirror · shear · zoom · rotation, from right to left

                 ⎡ 1  0 ⎤   ⎡   1      0 ⎤    1      ⎡  cos a   sin a ⎤
              =  ⎣ 0  g ⎦ · ⎣ tan s    1 ⎦ · ――――  · ⎣ −sin a   cos a ⎦
                                             zoom
    value     = bilinear interpolation between the four pixels around the source

All changes are combined into one resampling, so every pixel is interpolated once. g is −1 for a
mirrored image, else 1; a and s are in degrees, a counterclockwise. Images are (m, n_H, n_W, n_C);
each parameter is one number for all images or (m,), one for each. Outside the image is the mirrored
image ("reflect"), its last pixel ("edge"), or "zeros".

>>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
>>> rotate(image, 90.0)[0, :, :, 0].round(6)
Array([[2., 5., 8.],
       [1., 4., 7.],
       [0., 3., 6.]], dtype=float64)
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

Images = Float[Array, "m n_H n_W n_C"]

KNOTS = 5
"""Side of the grid of random displacements that define a warp."""

IN_BOUNDS = "promise_in_bounds"


class Matrix(NamedTuple):
    """The matrix M row by row, with one entry per example: (m, 1, 1) each."""

    yy: Array
    yx: Array
    xy: Array
    xx: Array


def mirror(images: Images, yes: ArrayLike) -> Images:
    """Flip horizontally the images for which `yes` is true."""
    return jnp.where(_each(images, yes).astype(bool)[..., None], images[:, :, ::-1], images)


def crop(images: Images, down: ArrayLike, right: ArrayLike, *, padding="reflect") -> Images:
    """Shift the window by whole pixels down and right: a crop of the padded image."""
    return select(images, down, right, False, padding=padding)


def rotate(images: Images, degrees: ArrayLike, *, padding="reflect") -> Images:
    """Rotate counterclockwise about the centre."""
    return transform(images, rotation=degrees, padding=padding)


def shear(images: Images, degrees: ArrayLike, *, padding="reflect") -> Images:
    """Shear: vertical lines lean to the right by this many degrees."""
    return transform(images, shear=degrees, padding=padding)


def zoom(images: Images, factor: ArrayLike, *, padding="reflect") -> Images:
    """Magnify by a factor about the centre."""
    return transform(images, zoom=factor, padding=padding)


def warp(images: Images, knots: Float[Array, "m 2 k k"], *, padding="reflect") -> Images:
    """Deform smoothly: `knots` are displacements in pixels, down and right, on a grid."""
    return transform(images, knots=knots, padding=padding)


def select(
    images: Images, down: ArrayLike, right: ArrayLike, mirrored: ArrayLike, *, padding="reflect"
) -> Images:
    """Mirror, then crop: pixels are picked without interpolation."""
    _, n_H, n_W, _ = images.shape
    rows = jnp.arange(n_H)[None] + _each(images, down).astype(int)[..., 0]  # (m, n_H)
    columns = jnp.arange(n_W)[None] + _each(images, right).astype(int)[..., 0]
    from_row, from_column = _inside(rows, n_H, padding), _inside(columns, n_W, padding)
    yes = _each(images, mirrored).astype(bool)[..., 0]
    from_column = jnp.where(yes, n_W - 1 - from_column, from_column)
    picked = jnp.take_along_axis(images, from_row[:, :, None, None], 1, mode=IN_BOUNDS)
    picked = jnp.take_along_axis(picked, from_column[:, None, :, None], 2, mode=IN_BOUNDS)
    if padding != "zeros":
        return picked
    seen = _is_inside(rows, n_H)[:, :, None, None] & _is_inside(columns, n_W)[:, None, :, None]
    return jnp.where(seen, picked, jnp.zeros((), images.dtype))


def transform(
    images: Images,
    *,
    mirrored: ArrayLike = False,
    down: ArrayLike = 0,
    right: ArrayLike = 0,
    rotation: ArrayLike = 0.0,
    shear: ArrayLike = 0.0,
    zoom: ArrayLike = 1.0,
    knots: Float[Array, "m 2 k k"] | None = None,
    padding: str = "reflect",
    nearest: bool = False,
) -> Images:
    """Apply all changes in one resampling; `nearest` picks pixels without interpolation."""
    _, n_H, n_W, _ = images.shape
    M = matrix(images, mirrored, rotation, shear, zoom)
    middle_y, middle_x = (n_H - 1) / 2, (n_W - 1) / 2
    from_y = jnp.arange(n_H, dtype=M.yy.dtype)[None, :, None] - middle_y + _each(images, down)
    from_x = jnp.arange(n_W, dtype=M.yy.dtype)[None, None, :] - middle_x + _each(images, right)
    y = M.yy * from_y + M.yx * from_x + middle_y
    x = M.xy * from_y + M.xx * from_x + middle_x
    if knots is not None:
        moves = smooth_moves(knots.astype(M.yy.dtype), n_H, n_W)
        y, x = y + moves[:, 0], x + moves[:, 1]
    return (nearest_pixels if nearest else resample)(images, y, x, padding=padding)


def matrix(
    images: Images, mirrored: ArrayLike, rotation: ArrayLike, shear: ArrayLike, zoom: ArrayLike
) -> Matrix:
    """Return the matrix M of each example."""
    a, s = (_each(images, degrees) * (np.pi / 180) for degrees in (rotation, shear))
    g = 1 - 2 * _each(images, mirrored)
    z = _each(images, zoom)
    cosine, sine, lean = jnp.cos(a), jnp.sin(a), jnp.tan(s)
    across = g * (lean * cosine - sine), g * (lean * sine + cosine)
    return Matrix(*(number / z for number in (cosine, sine, *across)))


def resample(
    images: Images, y: Float[Array, "m n_H n_W"], x: Float[Array, "m n_H n_W"], *, padding="reflect"
) -> Images:
    """Return the images at (y, x), in pixels from the first, by bilinear interpolation."""
    m, n_H, n_W, _ = images.shape
    example = jnp.arange(m)[:, None, None]
    value = jnp.zeros((), images.dtype)
    for row, share in _neighbours(y, n_H, padding):
        along = jnp.zeros((), images.dtype)
        for column, part in _neighbours(x, n_W, padding):
            pixel = images.at[example, row, column].get(mode=IN_BOUNDS)
            along = along + part.astype(images.dtype)[..., None] * pixel
        value = value + share.astype(images.dtype)[..., None] * along
    return value


def nearest_pixels(
    images: Array, y: Float[Array, "m n_H n_W"], x: Float[Array, "m n_H n_W"], *, padding="reflect"
) -> Array:
    """Return the nearest pixels to (y, x); ties go to the even index."""
    m, n_H, n_W, _ = images.shape
    row, column = (
        jnp.round(jnp.clip(at, -n, 2 * n)).astype(jnp.int32) for at, n in ((y, n_H), (x, n_W))
    )
    example = jnp.arange(m)[:, None, None]
    place = example, _inside(row, n_H, padding), _inside(column, n_W, padding)
    picked = images.at[place].get(mode=IN_BOUNDS)
    if padding != "zeros":
        return picked
    seen = _is_inside(row, n_H) & _is_inside(column, n_W)
    return jnp.where(seen[..., None], picked, jnp.zeros((), images.dtype))


def smooth_moves(knots: Float[Array, "m 2 k k"], n_H: int, n_W: int) -> Float[Array, "m 2 n_H n_W"]:
    """Interpolate the knots' displacements smoothly for all pixels, never exceeding theirs."""
    k = knots.shape[-1]
    down, across = (jnp.asarray(_blend(n, k), knots.dtype) for n in (n_H, n_W))
    return jnp.einsum("hk,mdkl,wl->mdhw", down, knots, across)


def _blend(n: int, k: int) -> np.ndarray:
    """Return the weights (n, k) of k knots at each of n pixels: 3t² − 2t³ for the nearest two."""
    at = np.linspace(0, k - 1, n)
    t = np.clip(1 - np.abs(at[:, None] - np.arange(k)), 0, 1)
    return t**2 * (3 - 2 * t)


def _each(images: Images, number: ArrayLike) -> Float[Array, "m 1 1"]:
    """Return one number per example in at least float32, since bfloat16 is too coarse."""
    dtype = images.dtype if images.dtype.itemsize > 4 else jnp.float32
    return jnp.broadcast_to(jnp.asarray(number).astype(dtype), images.shape[:1])[:, None, None]


def _neighbours(at: Array, n: int, padding: str) -> list[tuple[Array, Array]]:
    """Return the pixels before and after a position along one axis, each with its weight."""
    low = jnp.floor(jnp.clip(at, -n, 2 * n))
    share, first = at - low, low.astype(jnp.int32)
    pairs = [(first, 1 - share), (first + 1, share)]
    if padding == "zeros":
        pairs = [(i, jnp.where(_is_inside(i, n), part, 0)) for i, part in pairs]
    return [(_inside(i, n, padding), part) for i, part in pairs]


def _inside(i: Int[Array, "*s"], n: int, padding: str) -> Int[Array, "*s"]:
    """Return the pixel shown at index i; further than one image size away, it is the edge pixel."""
    if padding == "reflect":
        i = jnp.abs(i)
        i = (n - 1) - jnp.abs((n - 1) - i)
    return jnp.clip(i, 0, n - 1)


def _is_inside(i: Array, n: int) -> Array:
    """Return whether index i lies in the image."""
    return (i >= 0) & (i < n)
