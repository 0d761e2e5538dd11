"""Turn the output Z of a detector into boxes, one for each object.

Notes: "Bounding box predictions", "Non-max suppression", "YOLO algorithm" (course 4, week 3).

    b_x, b_y     (column + σ(t_x)) / n_W, (row + σ(t_y)) / n_H
    b_w, b_h     p_w e^t_w, p_h e^t_h, (p_w, p_h) the anchor
    score        p_c c, the probability of an object times that of its most likely class

Boxes with a low score are dropped; of overlapping boxes of one class only the best is kept. Boxes
are corners as shares of the image's width and height, clipped at its edges.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from chainrule.blocks.activations import sigmoid, softmax
from chainrule.blocks.boxes import MOST, non_max_suppression, relative
from chainrule.models.conv_network import ConvNetwork
from chainrule.models.yolo import Anchors, anchors_of
from chainrule.train.average_precision import (
    Objects,
    average_precision,
    mean_average_precision,
    precision_and_recall,
)
from chainrule.train.detection_cost import by_anchor, cell_boxes, in_corners
from chainrule.train.outputs import network_outputs

OVERLAP = 0.5
"""The IoU above which two boxes of one class count as the same object."""
LEAST = 0.05
"""The default score threshold: boxes with a lower score are ignored."""
FAINT = 0.01
"""The score threshold for average precision, which considers all scores."""
AT_ONCE = 64


class Predictions(NamedTuple):
    """The corners, most likely class and score for every anchor of every cell."""

    boxes: Float[Array, "m n 4"]
    classes: Int[Array, "m n"]
    scores: Float[Array, "m n"]


class Detections(NamedTuple):
    """The boxes left after suppression, best first; `there` is False for padding."""

    boxes: Float[Array, "m most 4"]
    classes: Int[Array, "m most"]
    scores: Float[Array, "m most"]
    there: Bool[Array, "m most"]


def decode(Z: Float[Array, "m n_H n_W channels"], anchors: Anchors, n_C: int) -> Predictions:
    """Decode Z into a box for every anchor of every cell."""
    m, n_H, n_W, _ = Z.shape
    t = by_anchor(Z, n_C)
    centre, size = cell_boxes(t, anchors)
    row, column = jnp.indices((n_H, n_W), Z.dtype)
    corner = jnp.stack([column, row], axis=-1)[None, :, :, None]
    boxes = relative(in_corners(centre + corner, size), n_H, n_W)
    c = softmax(t[..., 5:], axis=-1)
    scores = sigmoid(t[..., 0]) * c.max(axis=-1)
    flat = (part.reshape(m, -1) for part in (c.argmax(axis=-1).astype(jnp.int32), scores))
    return Predictions(jnp.clip(boxes, 0, 1).reshape(m, -1, 4), *flat)


@partial(jax.jit, static_argnames=("anchors", "n_C", "iou_threshold", "score_threshold", "most"))
def found(
    Z: Float[Array, "m n_H n_W channels"],
    *,
    anchors: Anchors,
    n_C: int,
    iou_threshold: float = OVERLAP,
    score_threshold: float = LEAST,
    most: int = MOST,
) -> Detections:
    """Return the boxes that Z predicts after non-max suppression, at most `most` per image."""
    how = {"iou_threshold": iou_threshold, "score_threshold": score_threshold, "most": most}

    def suppress(boxes: Array, classes: Array, scores: Array) -> Detections:
        chosen, there = non_max_suppression(boxes, scores, classes, **how)
        return Detections(boxes[chosen], classes[chosen], scores[chosen], there)

    return jax.vmap(suppress)(*decode(Z, anchors, n_C))


def detect(
    detector: ConvNetwork,
    X: Any,
    *,
    iou_threshold: float = OVERLAP,
    score_threshold: float = LEAST,
    most: int = MOST,
) -> list[Objects]:
    """Detect the objects in each image of X (m, n_H, n_W, n_C), with corners as shares."""
    Z, detections = network_outputs(detector, X), []
    how = {"iou_threshold": iou_threshold, "score_threshold": score_threshold, "most": most}
    how = {"anchors": anchors_of(detector), "n_C": detector.n_L, **how}
    for start in range(0, len(Z), AT_ONCE):
        some = Z[start : start + AT_ONCE]
        filled = np.pad(some, [(0, AT_ONCE - len(some)), (0, 0), (0, 0), (0, 0)])
        left = [np.asarray(part) for part in found(filled, **how)]
        for boxes, classes, scores, there in list(zip(*left, strict=True))[: len(some)]:
            detections.append(Objects(boxes[there], classes[there], scores[there]))
    return detections


def objects_of(Y: np.ndarray) -> list[Objects]:
    """Return the objects of each image, from padded labels Y (m, N, 5)."""
    return [Objects(one[:, 1:], one[:, 0].astype(int)) for one in (y[y[:, 0] >= 0] for y in Y)]


def score_detector(
    detector: ConvNetwork,
    X: Any,
    Y: np.ndarray,
    *,
    iou_threshold: float = OVERLAP,
    said_from: float | None = None,
) -> dict[str, Any]:
    """Return mAP at 0.5 and over all thresholds, and the AP at 0.5 of each class.

    With the score threshold `said_from` also return the precision and recall of the boxes with at
    least this score. Boxes below it do not affect them, since suppression goes from the best box
    down.
    """
    detections: Sequence[Objects] = detect(
        detector, X, score_threshold=FAINT, iou_threshold=iou_threshold
    )
    true, n_C = objects_of(Y), detector.n_L
    AP = average_precision(detections, true, n_C)
    scores = {**mean_average_precision(AP), "ap_50": AP[0].tolist()}
    if said_from is None:
        return scores
    confident = [above_threshold(one, said_from) for one in detections]
    return scores | precision_and_recall(confident, true, n_C)


def above_threshold(objects: Objects, least: float) -> Objects:
    """Return the objects with a score of at least `least`."""
    assert objects.scores is not None
    keep = objects.scores >= least
    return Objects(objects.boxes[keep], objects.classes[keep], objects.scores[keep])
