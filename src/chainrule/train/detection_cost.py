"""The cost of a detector: the weighted losses of its grid cells.

Notes: "Object localization" (course 4, week 3): where there is no object, only p_c counts.

    Z            t_p, t_x, t_y, t_h, t_w and C numbers, for each anchor of each cell
    p_c          σ(t_p)                    logistic loss
    b_x, b_y     σ(t_x), σ(t_y)            logistic loss; both lie between 0 and 1
    b_h, b_w     p_h e^t_h, p_w e^t_w      squared loss of t, (p_w, p_h) the anchor, in cells
    c            softmax                   softmax loss
    L            Σ over all anchors of all cells of the parts, each times its weight
    J            the mean of L over the pictures, weighted

T is the target that `encode` returns. An anchor that owns an object contributes all five parts.
Any other contributes p_c alone, times `nothing`, and nothing at all if its IoU with some object
exceeds `free`.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from chainrule.blocks.boxes import iou
from chainrule.blocks.costs import mean
from chainrule.blocks.losses import logistic_loss, softmax_loss, squared_loss
from chainrule.models.yolo import Anchors
from chainrule.train.detection_labels import FREE, Objects, encode, near_objects

SEEN = ("object", "nothing", "centre", "size", "class")
"""The parts of the cost, in the order in which they are reported."""


@dataclass(frozen=True)
class DetectionCost:
    """The cost J of a detector with these anchors and n_C classes: `cost(Z, Y, weights)`.

    `object`, `nothing`, `centre` (b_x, b_y), `size` (b_h, b_w) and `classes` are the weights of the
    parts; `free` is the IoU above which an anchor that owns no object is ignored. Costs with the
    same numbers are equal, so no second program is compiled.
    """

    anchors: Anchors
    n_C: int
    object: float = 1.0
    nothing: float = 0.5
    centre: float = 1.0
    size: float = 2.0
    classes: float = 1.0
    free: float = FREE

    def __call__(
        self, Z: Array, Y: Objects, weights: Float[Array, "1 m"] | None = None
    ) -> Float[Array, ""]:
        """Return J, the sum of its parts."""
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
        """Return (p_h, p_w) of the anchors, in cells."""
        _, n_H, n_W, _ = Z.shape
        shares = jnp.asarray(self.anchors, Z.dtype)[:, ::-1]
        return (shares * jnp.array([[n_H, n_W]], Z.dtype))[None, None, None]


@dataclass(frozen=True)
class MeanOverlap:
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
