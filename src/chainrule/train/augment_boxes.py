"""Augment images at random together with their bounding boxes, for `fit(augment=…)`.

Notes: "Data augmentation" (course 4, week 2), for object detection (course 4, week 3).

    mirror, crop, zoom      x' = g z (x − n_W/2) + n_W/2 − right,  y' = z (y − n_H/2) + n_H/2 − down
                            in pixels; g = −1 where the image is mirrored, z its zoom
    colours, noise          do not move the boxes

A box is clipped at the edge of the image, and dropped if less than the share `least` of its area
remains inside. Beyond the edge the image is padded with its last pixel ("edge") or with "zeros";
reflecting it is not allowed, since the reflection would show objects without boxes.
"""

from collections.abc import Mapping, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from numpy.typing import DTypeLike

from chainrule.blocks.boxes import area, in_pixels, relative
from chainrule.data.augment import augment, numbers_of, turns, windows
from chainrule.data.augmentation import Augmentation, check_fits, read_augmentation
from chainrule.errors import OptionError
from chainrule.train.detection_labels import NONE, Objects, is_object
from chainrule.train.step import Batch
from chainrule.types import Key

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
        how = {**windows(self.strengths, draw), **turns(self.strengths, draw)}
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
    stays = is_object(Y) & (area(cut) >= jnp.asarray(least, Y.dtype) * area(whole))
    classes = jnp.where(stays, Y[..., 0], NONE)
    boxes = jnp.where(stays[..., None], cut, 0)
    return jnp.concatenate([classes[..., None], boxes], axis=-1)


def _each(Y: Objects, number: ArrayLike) -> Float[Array, "m 1"]:
    """Broadcast a number to one for each image, as a column."""
    return jnp.broadcast_to(jnp.asarray(number).astype(Y.dtype), Y.shape[:1])[:, None]


def usual_changes(shape: Sequence[int]) -> str:
    """Return USUAL for images (n_H, n_W, n_C): crop scaled to their size, no colour if grey.

    >>> usual_changes((240, 320, 3)) == USUAL, usual_changes((32, 48, 1))
    (True, 'mirror,crop=2,zoom=0.2,contrast=0.2,brightness=0.1,padding=edge')
    """
    n_H, n_W, n_C = shape
    changes = USUAL.replace("crop=16", f"crop={max(1, min(n_H, n_W) // CROPPED)}")
    return changes if n_C == 3 else changes.replace("colour=0.05,", "")


def _check(augmentation: Augmentation) -> None:
    """Refuse changes that boxes cannot follow, and padding that shows objects without boxes."""
    unsupported = [name for name in UNSUPPORTED if name in augmentation.strengths]
    if unsupported or "pca" in augmentation.strengths:
        expected = "mirror, crop, zoom, contrast, brightness, colour, noise"
        raise OptionError("AugmentBoxes", expected, str(augmentation), USUAL)
    moves = any(name in augmentation.strengths for name in ("crop", "zoom"))
    if moves and augmentation.padding == "reflect":
        expected = "padding other than a reflection, whose objects would have no boxes"
        raise OptionError("AugmentBoxes, padding", expected, "reflect", "padding=edge")
