"""Boxes around objects: intersection over union, non-max suppression, anchor boxes.

Notes: "Intersection over union", "Non-max suppression", "Anchor boxes" (course 4, week 3).

    centre and size    b_x = (x1 + x2) / 2, b_y = (y1 + y2) / 2, b_w = x2 − x1, b_h = y2 − y1
    shares             x / n_W, y / n_H
    IoU                area(A ∩ B) / area(A ∪ B)
    GIoU               IoU − (area(C) − area(A ∪ B)) / area(C), C the smallest box around both
    suppression        the box with the highest score stays, the boxes of its class whose IoU with
                       it is above a threshold are dropped, and so on with the remaining boxes
    anchors            k-means of (b_w, b_h), the distance 1 − IoU of boxes with one centre

A box is (x1, y1, x2, y2), its corners, in any unit, with y downwards. A box without area has an IoU
of 0 with every box, even itself. No derivatives of these functions are defined.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from chainrule.types import Key

MOST = 100
"""The default for the maximal number of boxes that suppression keeps."""
ROUNDS = 100
"""The maximal number of k-means iterations; it stops earlier when the anchors no longer move."""


def to_corners(boxes: Float[Array, "*n 4"]) -> Float[Array, "*n 4"]:
    """Convert boxes from centre and size, (b_x, b_y, b_w, b_h), to corners.

    >>> to_corners(jnp.array([5.0, 4.0, 2.0, 6.0]))
    Array([4., 1., 6., 7.], dtype=float64)
    """
    centre, size = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([centre - size / 2, centre + size / 2], axis=-1)


def to_centre(boxes: Float[Array, "*n 4"]) -> Float[Array, "*n 4"]:
    """Convert boxes from corners to centre and size, (b_x, b_y, b_w, b_h)."""
    first, last = boxes[..., :2], boxes[..., 2:]
    return jnp.concatenate([(first + last) / 2, last - first], axis=-1)


def relative(boxes: Float[Array, "*n 4"], n_H: int, n_W: int) -> Float[Array, "*n 4"]:
    """Convert boxes from pixels to shares of the image's width and height."""
    return boxes / _sides(boxes, n_H, n_W)


def in_pixels(boxes: Float[Array, "*n 4"], n_H: int, n_W: int) -> Float[Array, "*n 4"]:
    """Convert boxes from shares of the image's width and height to pixels."""
    return boxes * _sides(boxes, n_H, n_W)


def area(boxes: Float[Array, "*n 4"]) -> Float[Array, "*n"]:
    """Return width times height; 0 if the corners are in the wrong order."""
    size = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return size[..., 0] * size[..., 1]


def iou(A: Float[Array, "*#n 4"], B: Float[Array, "*#n 4"]) -> Float[Array, "*n"]:
    """Return the intersection over union of each pair of boxes, from 0 to 1.

    >>> iou(jnp.array([0.0, 0.0, 2.0, 2.0]), jnp.array([1.0, 0.0, 3.0, 2.0]))
    Array(0.33333333, dtype=float64)
    """
    shared, both = _overlap(A, B)
    return _share(shared, both)


def giou(A: Float[Array, "*#n 4"], B: Float[Array, "*#n 4"]) -> Float[Array, "*n"]:
    """Return the generalised IoU, −1 to 1: IoU minus the empty share of the box around both."""
    shared, both = _overlap(A, B)
    first, last = jnp.minimum(A[..., :2], B[..., :2]), jnp.maximum(A[..., 2:], B[..., 2:])
    around = area(jnp.concatenate([first, last], axis=-1))
    return _share(shared, both) - _share(around - both, around)


def pairwise_iou(A: Float[Array, "n 4"], B: Float[Array, "k 4"]) -> Float[Array, "n k"]:
    """Return the IoU of each box of A with each box of B."""
    return iou(A[:, None], B[None])


class Kept(NamedTuple):
    """The indices of the boxes that suppression keeps, best first; `there` is False for padding."""

    chosen: Int[Array, " most"]
    there: Bool[Array, " most"]


def non_max_suppression(
    boxes: Float[Array, "n 4"],
    scores: Float[Array, " n"],
    classes: Int[Array, " n"] | None = None,
    *,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.0,
    most: int = MOST,
) -> Kept:
    """Keep the best boxes, at most `most`, and drop the boxes that overlap a better one.

    Boxes whose score is not above `score_threshold` are ignored. A box is dropped if its IoU with a
    better box of its class is above `iou_threshold`; without `classes`, all are of one class. Of
    boxes with equal scores, the first is kept.
    """
    if len(scores) == 0:
        return Kept(jnp.zeros(0, jnp.int32), jnp.zeros(0, bool))
    kind = jnp.zeros(scores.shape, jnp.int32) if classes is None else classes
    lowest = jnp.array(-jnp.inf, scores.dtype)

    def keep(left: Float[Array, " n"], _: None) -> tuple[Array, tuple[Array, Array]]:
        best = left.argmax()
        there = left[best] > lowest
        near = (iou(boxes[best][None], boxes) > iou_threshold) & (kind == kind[best])
        left = jnp.where(near & there, lowest, left).at[best].set(lowest)
        return left, (best, there)

    candidates = jnp.where(scores > score_threshold, scores, lowest)
    _, (chosen, there) = jax.lax.scan(keep, candidates, length=min(most, len(scores)))
    return Kept(chosen.astype(jnp.int32), there)


def size_iou(A: Float[Array, "n 2"], B: Float[Array, "k 2"]) -> Float[Array, "n k"]:
    """Return the IoU of boxes of size (b_w, b_h) that have the same centre."""
    shared = jnp.minimum(A[:, None], B[None]).prod(axis=-1)
    return _share(shared, A.prod(axis=-1)[:, None] + B.prod(axis=-1)[None] - shared)


def anchor_boxes(sizes: Float[Array, "n 2"], k: int, *, key: Key) -> Float[Array, "k 2"]:
    """Return k anchors (b_w, b_h) for n ≥ k boxes of these sizes, the smallest anchor first.

    The first anchor is one of the boxes, drawn at random; each further one is drawn with a
    probability proportional to (1 − IoU)² with the anchors so far. In each iteration an anchor
    becomes the mean of the boxes nearest to it; an anchor without boxes stays where it is.
    """
    first_key, *keys = jax.random.split(key, k)
    first = sizes[jax.random.randint(first_key, (), 0, len(sizes))]
    anchors = jnp.broadcast_to(first, (k, 2))
    for i, draw in enumerate(keys, 1):
        far = (1 - size_iou(sizes, anchors).max(axis=1)) ** 2
        chance = jnp.where(far.sum() > 0, far, jnp.ones_like(far))
        anchors = anchors.at[i:].set(sizes[jax.random.categorical(draw, jnp.log(chance))])

    def move(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        anchors, _, i = state
        nearest = size_iou(sizes, anchors).argmax(axis=1)
        belongs = (nearest[:, None] == jnp.arange(k)[None]).astype(sizes.dtype)  # (n, k)
        count = belongs.sum(axis=0)[:, None]
        mean = belongs.T @ sizes / jnp.maximum(count, 1)
        return jnp.where(count > 0, mean, anchors), anchors, i + 1

    def moves(state: tuple[Array, Array, Array]) -> Bool[Array, ""]:
        now, before, i = state
        return (now != before).any() & (i < ROUNDS)

    begin = move((anchors, anchors, jnp.array(0, jnp.int32)))
    anchors, *_ = jax.lax.while_loop(moves, move, begin)
    return anchors[jnp.argsort(anchors.prod(axis=1))]


def _sides(boxes: Float[Array, "*n 4"], n_H: int, n_W: int) -> Float[Array, "*ones 4"]:
    """Return (n_W, n_H, n_W, n_H), with as many axes as `boxes` has."""
    return jnp.array([n_W, n_H, n_W, n_H], boxes.dtype).reshape(*([1] * (boxes.ndim - 1)), 4)


def _overlap(
    A: Float[Array, "*#n 4"], B: Float[Array, "*#n 4"]
) -> tuple[Float[Array, "*n"], Float[Array, "*n"]]:
    """Return the areas of A ∩ B and of A ∪ B."""
    first, last = jnp.maximum(A[..., :2], B[..., :2]), jnp.minimum(A[..., 2:], B[..., 2:])
    shared = area(jnp.concatenate([first, last], axis=-1))
    return shared, area(A) + area(B) - shared


def _share(part: Float[Array, "*n"], whole: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """Return part / whole, or 0 where the whole is 0."""
    there = whole > 0
    return jnp.where(there, part / jnp.where(there, whole, 1), 0)
