"""The training of a detector: the targets of its grid cells, its cost, and augmentation with boxes.

Notes: "Object localization", "YOLO algorithm", "Anchor boxes" (course 4, week 3); "Data
augmentation" (course 4, week 2).

`encode` returns the target T of an image, a vector for each grid cell:

    a cell's vector     [p_c, b_x, b_y, b_h, b_w, c_1, …, c_C], for each of A anchors in turn
    b_x, b_y            the centre, from the cell's corner, in cells: from 0 to 1
    b_h, b_w            the size, in cells: above 1 where the object is larger than the cell

An object is assigned to the cell that contains its centre, and there to the anchor whose shape has
the highest IoU with it. If a larger object in the same cell has that anchor, it gets the next best
free one; if no anchor is free, the object is left out. Objects are Y (m, N, 5): class, x1, y1, x2,
y2, the corners as shares of the image's sides; unused rows have the class −1.

`DetectionCost` is the sum of weighted losses; where there is no object, only p_c counts:

    Z            t_p, t_x, t_y, t_h, t_w and C numbers, for each anchor of each cell
    p_c          σ(t_p)                    logistic loss
    b_x, b_y     σ(t_x), σ(t_y)            logistic loss; both lie between 0 and 1
    b_h, b_w     p_h e^t_h, p_w e^t_w      squared loss of t, (p_w, p_h) the anchor, in cells
    c            softmax                   softmax loss
    L            Σ over all anchors of all cells of the parts, each times its weight
    J            the mean of L over the images, weighted

An anchor that owns an object contributes all five parts. Any other anchor contributes p_c alone,
multiplied by the weight `nothing`; it is ignored if its IoU with some object exceeds `free`, or if
more than the share `free` of its area is inside an ignored region. Such a region, a crowd or a
difficult object, is a row of Y whose class is −1000 − c for class c.

`AugmentBoxes` changes images at random together with their bounding boxes, for `fit(augment=…)`:

    mirror, crop, zoom      x' = g z (x − n_W/2) + n_W/2 − right,  y' = z (y − n_H/2) + n_H/2 − down
                            in pixels; g = −1 where the image is mirrored, z its zoom
    colours, noise          do not move the boxes

A box is clipped at the edge of the image, and dropped if less than the share `least` of its area
remains inside; an ignored region is clipped only. Beyond the edge the image is padded with its last
pixel ("edge") or with "zeros"; reflecting it is not allowed, since the reflection would show
objects without boxes.

>>> Y = jnp.array([[[2.0, 0.4, 0.3, 0.6, 0.9]]])  # class 2, its centre in the middle cell
>>> T = encode(Y, [(0.2, 0.6)], 3, 3, 3)
>>> T.shape, T[0, 1, 1].round(3).tolist()
((1, 3, 3, 8), [1.0, 0.5, 0.8, 1.8, 0.6, 0.0, 0.0, 1.0])
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int
from numpy.typing import DTypeLike

from chainrule.blocks.boxes import (
    area,
    in_pixels,
    iou,
    relative,
    size_iou,
    to_centre,
    to_corners,
)
from chainrule.blocks.costs import mean
from chainrule.blocks.losses import logistic_loss, softmax_loss, squared_loss
from chainrule.data.augmentation import (
    Augmentation,
    augment,
    check_fits,
    draw_transformations,
    draw_windows,
    numbers_of,
    read_augmentation,
)
from chainrule.errors import OptionError
from chainrule.models.yolo import Anchors
from chainrule.train.step import Batch
from chainrule.types import Key

# The target of each grid cell

NONE = -1
"""The class of an unused row of Y."""

IGNORED = -1000
"""An ignored region of class c has the class IGNORED − c in Y, and that of class 0 has this one."""

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
    at = _anchor_corners(anchors, Y, n_H, n_W)
    ious = iou(at, Y[:, None, None, None, :, 1:])  # (m, n_H, n_W, A, N)
    return ((ious > free) & is_object(Y)[:, None, None, None]).any(axis=-1)


def in_ignored_regions(
    Y: Objects, anchors: Shapes, n_H: int, n_W: int, free: float = FREE
) -> Bool[Array, "m n_H n_W A"]:
    """Return whether more than the share `free` of each anchor is inside an ignored region."""
    at, regions = _anchor_corners(anchors, Y, n_H, n_W), Y[:, None, None, None, :, 1:]
    first = jnp.maximum(at[..., :2], regions[..., :2])
    last = jnp.minimum(at[..., 2:], regions[..., 2:])
    inside = area(jnp.concatenate([first, last], axis=-1)) > free * area(at)
    return (inside & (Y[..., 0] <= IGNORED)[:, None, None, None]).any(axis=-1)


def _anchor_corners(
    anchors: Shapes, Y: Objects, n_H: int, n_W: int
) -> Float[Array, "1 n_H n_W A 1 4"]:
    """Return the corners of each anchor, centred in its cell."""
    shapes = _shapes(anchors, Y)
    row, column, _ = jnp.indices((n_H, n_W, len(shapes)), Y.dtype)
    middle = jnp.stack([(column + 0.5) / n_W, (row + 0.5) / n_H], axis=-1)
    sizes = jnp.broadcast_to(shapes[None, None], middle.shape)
    return to_corners(jnp.concatenate([middle, sizes], axis=-1))[None, ..., None, :]


def _shapes(anchors: Shapes, Y: Objects) -> Float[Array, "A 2"]:
    return jnp.asarray(np.asarray(anchors) if isinstance(anchors, Sequence) else anchors, Y.dtype)


# The cost, and the metric during training

SEEN = ("object", "nothing", "centre", "size", "class")
"""The parts of the cost, in the order in which they are reported."""


@dataclass(frozen=True)
class DetectionCost:
    """The cost J of a detector with these anchors and n_C classes: `cost(Z, Y, weights)`.

    `object`, `nothing`, `centre` (b_x, b_y), `size` (b_h, b_w) and `classes` are the weights of the
    parts; `free` is the IoU above which an anchor that owns no object is ignored. With `regions`,
    ignored regions are looked for; a training set without any needs no program for them. Costs with
    the same numbers are equal, so no second program is compiled.
    """

    anchors: Anchors
    n_C: int
    object: float = 1.0
    nothing: float = 0.5
    centre: float = 1.0
    size: float = 2.0
    classes: float = 1.0
    free: float = FREE
    regions: bool = False

    def __call__(
        self, Z: Array, Y: Objects, weights: Float[Array, "1 m"] | None = None
    ) -> Float[Array, ""]:
        """Return the cost J, the sum of its parts."""
        return jnp.stack(list(self.parts(Z, Y, weights).values())).sum()

    def parts(
        self, Z: Array, Y: Objects, weights: Float[Array, "1 m"] | None = None
    ) -> dict[str, Float[Array, ""]]:
        """Return the contribution of each part to J, including its weight."""
        m, n_H, n_W, _ = Z.shape
        Y = Y.astype(Z.dtype)
        T = encode(Y, self.anchors, n_H, n_W, self.n_C)
        t, T = (by_anchor(part, self.n_C) for part in (Z, T))
        has, near = T[..., 0], near_objects(Y, self.anchors, n_H, n_W, self.free)
        if self.regions:
            near |= in_ignored_regions(Y, self.anchors, n_H, n_W, self.free)
        empty = (1 - has) * (~near).astype(Z.dtype)
        wanted = jnp.where(has[..., None] > 0, T[..., 3:5] / self._cells(Z), 1)  # b / p
        p_c = logistic_loss(t[..., :1], T[..., :1], axis=-1)
        by_part = (
            (self.object * has, p_c),
            (self.nothing * empty, p_c),
            (self.centre * has, logistic_loss(t[..., 1:3], T[..., 1:3], axis=-1)),
            (self.size * has, squared_loss(t[..., 3:5], jnp.log(wanted), axis=-1)),
            (self.classes * has, softmax_loss(t[..., 5:], T[..., 5:], axis=-1)),
        )
        losses = ((counts * L[..., 0]).reshape(m, -1).sum(axis=1) for counts, L in by_part)
        J = (mean(L[None]) if weights is None else mean(L[None], weights) for L in losses)
        return dict(zip(SEEN, J, strict=True))

    def _cells(self, Z: Array) -> Float[Array, "1 1 1 A 2"]:
        """Return the sizes (p_h, p_w) of the anchors, in cells."""
        _, n_H, n_W, _ = Z.shape
        shares = jnp.asarray(self.anchors, Z.dtype)[:, ::-1]
        return (shares * jnp.array([[n_H, n_W]], Z.dtype))[None, None, None]


@dataclass(frozen=True)
class MeanIoU:
    """A metric for training: the mean IoU between objects and the boxes that own them."""

    anchors: Anchors
    n_C: int

    def __call__(self, Z: Array, Y: Objects, weights: Float[Array, "1 m"]) -> Float[Array, ""]:
        """Return Σ IoU / the number of objects, over the images with a weight."""
        _, n_H, n_W, _ = Z.shape
        Y = Y.astype(Z.dtype)
        T = by_anchor(encode(Y, self.anchors, n_H, n_W, self.n_C), self.n_C)
        true = in_corners(T[..., 1:3], T[..., 3:5])
        predicted = in_corners(*cell_boxes(by_anchor(Z, self.n_C), self.anchors))
        counts = T[..., 0] * weights[0][:, None, None, None]
        total = counts.sum()
        return (iou(predicted, true) * counts).sum() / jnp.where(total > 0, total, 1)


def by_anchor(Z: Float[Array, "m n_H n_W channels"], n_C: int) -> Float[Array, "m n_H n_W A n"]:
    """Reshape A (5 + C) channels into one vector for each of the A anchors."""
    return Z.reshape(*Z.shape[:3], -1, 5 + n_C)


def cell_boxes(t: Float[Array, "m n_H n_W A n"], anchors: Anchors) -> tuple[Array, Array]:
    """Return (b_x, b_y) from the cell's corner and (b_h, b_w), in cells, as predicted by Z."""
    _, n_H, n_W, _, _ = t.shape
    shapes = jnp.asarray(anchors, t.dtype)[:, ::-1] * jnp.array([[n_H, n_W]], t.dtype)
    return jax.nn.sigmoid(t[..., 1:3]), shapes[None, None, None] * jnp.exp(t[..., 3:5])


def in_corners(centre: Array, size: Array) -> Float[Array, "m n_H n_W A 4"]:
    """Convert (b_x, b_y) and (b_h, b_w) to the corners of a box."""
    half = size[..., ::-1] / 2
    return jnp.concatenate([centre - half, centre + half], axis=-1)


# The augmentation of images with boxes

USUAL = "mirror,crop=16,zoom=0.2,contrast=0.2,brightness=0.1,colour=0.05,padding=edge"
CROPPED = 15  # the crop is a fifteenth of the shorter side
LEAST = 0.3
"""The smallest share of a box's area inside the image for which the box is kept."""

UNSUPPORTED = ("rotation", "shear", "warp")
"""Changes after which an axis-aligned box no longer fits its object."""


class AugmentBoxes(eqx.Module):
    """Augment the images of a batch and their boxes Y (m, N, 5) together.

    >>> AugmentBoxes("mirror, crop=4, padding=edge").strengths
    {'mirror': Array(0.5, dtype=float32), 'crop': Array(4., dtype=float32)}
    """

    strengths: Mapping[str, Array]
    least: Array
    padding: str = eqx.field(static=True)

    def __init__(
        self,
        augmentation: Augmentation | str = USUAL,
        *,
        least: float = LEAST,
        shape: tuple[int, ...] | None = None,
        dtype: DTypeLike = np.float32,
    ):
        """If the images' `shape` (n_H, n_W, n_C) is given, check that the crop fits into it."""
        if isinstance(augmentation, str):
            augmentation = read_augmentation(augmentation)
        _check(augmentation)
        if shape is not None:
            check_fits(augmentation, shape)
        if not 0 < least <= 1:
            expected = "a share of the box area, greater than 0 and at most 1"
            raise OptionError("AugmentBoxes(least=…)", expected, repr(least), str(LEAST))
        made = augmentation.strengths.items()
        self.strengths = {name: jax.device_put(np.asarray(u, dtype)) for name, u in made}
        self.least = jax.device_put(np.asarray(least, dtype))
        self.padding = augmentation.padding

    def __call__(self, batch: Batch, *, key: Key) -> Batch:
        """Return the augmented images, as floats from 0 to 1, with their boxes."""
        X, Y, weights = batch
        X = X.astype(weights.dtype) / 255 if jnp.issubdtype(X.dtype, jnp.integer) else X
        draw = numbers_of(key, X)
        how = {**draw_windows(self.strengths, draw), **draw_transformations(self.strengths, draw)}
        X = augment(X, self.strengths, key=key, padding=self.padding)
        return Batch(X, moved_boxes(Y, X.shape[1], X.shape[2], **how, least=self.least), weights)


def moved_boxes(
    Y: Objects,
    n_H: int,
    n_W: int,
    *,
    mirrored: ArrayLike = False,
    down: ArrayLike = 0,
    right: ArrayLike = 0,
    zoom: ArrayLike = 1.0,
    least: ArrayLike = LEAST,
) -> Objects:
    """Return the objects as `data/resampling.py: transform` moves them with the pixels.

    Each number is given once for all images, or once for each image.

    >>> Y = jnp.array([[[0.0, 0.0, 0.25, 0.5, 0.75]]])
    >>> moved_boxes(Y, 8, 8, mirrored=True, down=2)[0, 0]
    Array([0. , 0.5, 0. , 1. , 0.5], dtype=float64)
    """
    z, right, down = (_each(Y, number) for number in (zoom, right, down))
    g = 1 - 2 * _each(Y, mirrored)
    x1, y1, x2, y2 = jnp.moveaxis(in_pixels(Y[..., 1:], n_H, n_W), -1, 0)  # (m, N)
    x1, x2 = (g * z * (x - n_W / 2) + n_W / 2 - right for x in (x1, x2))
    y1, y2 = (z * (y - n_H / 2) + n_H / 2 - down for y in (y1, y2))
    corners = [jnp.minimum(x1, x2), y1, jnp.maximum(x1, x2), y2]
    whole = relative(jnp.stack(corners, axis=-1), n_H, n_W)
    cut = jnp.clip(whole, 0, 1)
    enough = area(cut) >= jnp.asarray(least, Y.dtype) * area(whole)
    stays = jnp.where(Y[..., 0] <= IGNORED, area(cut) > 0, is_object(Y) & enough)
    classes = jnp.where(stays, Y[..., 0], NONE)
    boxes = jnp.where(stays[..., None], cut, 0)
    return jnp.concatenate([classes[..., None], boxes], axis=-1)


def _each(Y: Objects, number: ArrayLike) -> Float[Array, "m 1"]:
    """Broadcast a number to one for each image, as a column."""
    return jnp.broadcast_to(jnp.asarray(number).astype(Y.dtype), Y.shape[:1])[:, None]


def default_box_augmentation(shape: Sequence[int]) -> str:
    """Return USUAL for images (n_H, n_W, n_C): crop scaled to their size, no colour if grey.

    >>> default_box_augmentation((240, 320, 3)) == USUAL
    True
    >>> default_box_augmentation((32, 48, 1))
    'mirror,crop=2,zoom=0.2,contrast=0.2,brightness=0.1,padding=edge'
    """
    n_H, n_W, n_C = shape
    changes = USUAL.replace("crop=16", f"crop={max(1, min(n_H, n_W) // CROPPED)}")
    return changes if n_C == 3 else changes.replace("colour=0.05,", "")


def _check(augmentation: Augmentation) -> None:
    """Refuse changes that boxes cannot follow, and padding that shows objects without boxes."""
    unsupported = [name for name in UNSUPPORTED if name in augmentation.strengths]
    if unsupported or "pca" in augmentation.strengths:
        expected = "only mirror, crop, zoom, contrast, brightness, colour, noise"
        raise OptionError("AugmentBoxes", expected, str(augmentation), USUAL)
    moves = any(name in augmentation.strengths for name in ("crop", "zoom"))
    if moves and augmentation.padding == "reflect":
        expected = "padding other than a reflection, whose objects would have no boxes"
        raise OptionError("AugmentBoxes, padding", expected, "reflect", "padding=edge")
