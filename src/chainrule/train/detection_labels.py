"""Encode the objects of an image as the target vector of each grid cell.

Notes: "Object localization", "YOLO algorithm", "Anchor boxes" (course 4, week 3).

    a cell's vector     [p_c, b_x, b_y, b_h, b_w, c_1, …, c_C], for each of A anchors in turn
    b_x, b_y            the centre, from the cell's corner, in cells: from 0 to 1
    b_h, b_w            the size, in cells: above 1 where the object is larger than the cell

An object is assigned to the cell that contains its centre, and there to the anchor whose shape has
the highest IoU with it. If a larger object in the same cell has that anchor, it gets the next best
free one; if no anchor is free, the object is left out. Objects are Y (m, N, 5): class, x1, y1, x2,
y2, the corners as shares of the image's sides; unused rows have the class −1.

>>> Y = jnp.array([[[2.0, 0.4, 0.3, 0.6, 0.9]]])  # class 2, its centre in the middle cell
>>> T = encode(Y, [(0.2, 0.6)], 3, 3, 3)
>>> T.shape, T[0, 1, 1].round(3).tolist()
((1, 3, 3, 8), [1.0, 0.5, 0.8, 1.8, 0.6, 0.0, 0.0, 1.0])
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from chainrule.blocks.boxes import area, in_pixels, iou, size_iou, to_centre, to_corners

NONE = -1
"""The class of an unused row of Y."""

FREE = 0.5
"""The IoU with some object above which the cost ignores an anchor that owns no object."""

Objects = Float[Array, "m N 5"]
Shapes = ArrayLike | Sequence[Sequence[float]]
"""(b_w, b_h) of the anchors, as shares of the image's sides."""


def is_object(Y: Objects) -> Bool[Array, "m N"]:
    """Return whether each row is an object, with a class and an area greater than 0."""
    return (Y[..., 0] >= 0) & (area(Y[..., 1:]) > 0)


def owners(Y: Objects, anchors: Shapes, n_H: int, n_W: int) -> Int[Array, "m n_H n_W A"]:
    """Return the object that each anchor of each cell owns, as a row of Y; −1 for none."""
    shapes = _shapes(anchors, Y)

    def assign(objects: Float[Array, "N 5"]) -> Int[Array, "n_H n_W A"]:
        boxes, there = objects[:, 1:], is_object(objects)
        centre = to_centre(boxes)
        column, row = (
            jnp.clip(jnp.floor(centre[:, i] * n).astype(jnp.int32), 0, n - 1)
            for i, n in ((0, n_W), (1, n_H))
        )
        ious = size_iou(centre[:, 2:], shapes)  # (N, A)

        def place(owner: Array, k: Array) -> tuple[Array, None]:
            current = owner[row[k], column[k]]  # (A,)
            free = jnp.where(current == NONE, ious[k], -1)
            best = free.argmax()
            assigned = there[k] & (free[best] >= 0)
            new = jnp.where(assigned, k, current[best])
            return owner.at[row[k], column[k], best].set(new), None

        largest_first = jnp.argsort(jnp.where(there, -area(boxes), 1)).astype(jnp.int32)
        nobody = jnp.full((n_H, n_W, len(shapes)), NONE, jnp.int32)
        return jax.lax.scan(place, nobody, largest_first)[0]

    return jax.vmap(assign)(Y)


def encode(
    Y: Objects, anchors: Shapes, n_H: int, n_W: int, n_C: int
) -> Float[Array, "m n_H n_W channels"]:
    """Return the target T (m, n_H, n_W, A (5 + C)) of Z; all 0 where an anchor has no object."""
    owner = owners(Y, anchors, n_H, n_W)
    there = (owner != NONE)[..., None]
    which = jnp.maximum(owner, 0).reshape(len(Y), -1, 1)
    own = jnp.take_along_axis(Y, which, axis=1).reshape(*owner.shape, 5)
    in_cells = in_pixels(to_centre(own[..., 1:]), n_H, n_W)
    b_x, b_y, b_w, b_h = (in_cells[..., i] for i in range(4))
    row, column, _ = jnp.indices(owner.shape[1:], Y.dtype)
    numbers = jnp.stack([jnp.ones_like(b_x), b_x - column[None], b_y - row[None], b_h, b_w], -1)
    c = jax.nn.one_hot(own[..., 0].astype(jnp.int32), n_C, dtype=Y.dtype)
    T = jnp.where(there, jnp.concatenate([numbers, c], axis=-1), 0)
    return T.reshape(*owner.shape[:3], -1)


def near_objects(
    Y: Objects, anchors: Shapes, n_H: int, n_W: int, free: float = FREE
) -> Bool[Array, "m n_H n_W A"]:
    """Return whether each anchor, centred in its cell, has an IoU above `free` with an object."""
    shapes = _shapes(anchors, Y)
    row, column, _ = jnp.indices((n_H, n_W, len(shapes)), Y.dtype)
    middle = jnp.stack([(column + 0.5) / n_W, (row + 0.5) / n_H], axis=-1)
    sizes = jnp.broadcast_to(shapes[None, None], middle.shape)
    at = to_corners(jnp.concatenate([middle, sizes], axis=-1))[None, ..., None, :]
    ious = iou(at, Y[:, None, None, None, :, 1:])  # (m, n_H, n_W, A, N)
    return ((ious > free) & is_object(Y)[:, None, None, None]).any(axis=-1)


def _shapes(anchors: Shapes, Y: Objects) -> Float[Array, "A 2"]:
    return jnp.asarray(np.asarray(anchors) if isinstance(anchors, Sequence) else anchors, Y.dtype)
