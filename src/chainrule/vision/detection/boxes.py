"""Turn the output Z of a detector into boxes, one for each object, and measure their quality.

Notes: "Object detection", "Bounding box predictions", "Non-max suppression", "YOLO algorithm"
(course 4, week 3), "Precision and recall" (course 3, week 1).

    b_x, b_y     (column + σ(t_x)) / n_W, (row + σ(t_y)) / n_H
    b_w, b_h     p_w e^t_w, p_h e^t_h, (p_w, p_h) the anchor
    score        p_c c, the probability of an object times that of its most likely class

Boxes with a low score are dropped; of overlapping boxes of one class only the best is kept. A box
is given by its corners, as shares of the image's width and height, clipped at its edges.

Their quality is the mean average precision (mAP) of the COCO challenge, as `pycocotools` computes
it:

    a box is correct       if its IoU with an object of its class is at least t and no box with a
                           higher score is matched to that object; it takes the free object with
                           the highest IoU
    p(r)                   the best precision at a recall of at least r, over all score thresholds
    AP                     the mean of p(0), p(0.01), …, p(1)
    mAP                    the mean of AP over the classes that occur, at t = 0.5, or over
                           t = 0.5, 0.55, …, 0.95

At most 100 boxes per image count, those with the highest scores. A box that is not correct, and of
which at least the share t lies in an ignored region of its class, does not count at all, as in COCO
for crowds. An ignored region of class c is among the true objects, with the class −1000 − c.
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
from chainrule.train.outputs import network_outputs
from chainrule.vision.detection.cost import IGNORED, NONE, by_anchor, cell_boxes, in_corners


class Objects(NamedTuple):
    """The true or predicted objects of an image: corners (n, 4), classes (n,), scores (n,)."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray | None = None


# From Z to boxes

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
    """Return the objects and the ignored regions of each image, from padded labels Y (m, N, 5)."""
    return [Objects(one[:, 1:], one[:, 0].astype(int)) for one in (y[y[:, 0] != NONE] for y in Y)]


def score_detector(
    detector: ConvNetwork,
    X: Any,
    Y: np.ndarray,
    *,
    iou_threshold: float = OVERLAP,
    score_threshold: float | None = None,
) -> dict[str, Any]:
    """Return mAP at 0.5 and over all thresholds, and the AP at 0.5 of each class.

    With a `score_threshold` also return the precision and recall of the boxes with at least this
    score. Boxes below it do not affect them, since suppression goes from the best box down.
    """
    detections: Sequence[Objects] = detect(
        detector, X, score_threshold=FAINT, iou_threshold=iou_threshold
    )
    true, n_C = objects_of(Y), detector.n_L
    AP = average_precision(detections, true, n_C)
    scores = {**mean_average_precision(AP), "ap_50": AP[0].tolist()}
    if score_threshold is None:
        return scores
    confident = [above_threshold(one, score_threshold) for one in detections]
    return scores | precision_and_recall(confident, true, n_C)


def above_threshold(objects: Objects, least: float) -> Objects:
    """Return the objects with a score of at least `least`."""
    assert objects.scores is not None
    keep = objects.scores >= least
    return Objects(objects.boxes[keep], objects.classes[keep], objects.scores[keep])


# Average precision

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST_DETECTIONS = 100
ALMOST = 1 - 1e-10  # boxes that are equal up to rounding reach a threshold of 1


class Matches(NamedTuple):
    """The predictions of one class in all images, and its number of objects.

    scores     (n,)
    correct    (T, n)
    wrong      (T, n); a box in an ignored region is neither correct nor wrong
    """

    scores: np.ndarray
    correct: np.ndarray
    wrong: np.ndarray
    objects: int


def average_precision(
    predicted: Sequence[Objects],
    true: Sequence[Objects],
    n_classes: int,
    thresholds: np.ndarray = THRESHOLDS,
) -> np.ndarray:
    """Return AP (T, n_classes) at each IoU threshold; nan for a class without objects.

    >>> box = np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> predicted = Objects(box, np.array([0]), np.array([0.9]))
    >>> average_precision([predicted], [Objects(box, np.array([0]))], 1).tolist()[0]
    [1.0]
    """
    matches = [_match_class(predicted, true, one, thresholds) for one in range(n_classes)]
    return np.stack([_areas(one) for one in matches], axis=1)


def mean_average_precision(AP: np.ndarray) -> dict[str, float]:
    """Return the mAP at 0.5 and over all thresholds, from what `average_precision` returns."""
    present = ~np.isnan(AP[0])
    if not present.any():
        return {"map_50": float("nan"), "map": float("nan")}
    return {"map_50": float(AP[0, present].mean()), "map": float(AP[:, present].mean())}


def best_threshold(predicted: Sequence[Objects], true: Sequence[Objects], n_classes: int) -> float:
    """Return the score threshold with the best F1 over all classes, at an IoU of 0.5.

    F1 = 2 TP / (predicted + objects). Boxes whose score is at least the threshold count as
    predicted. Of equal F1s the highest threshold is returned, and 0.5 if no box is correct.
    """
    matches = [_match_class(predicted, true, one, THRESHOLDS[:1]) for one in range(n_classes)]
    scores = np.concatenate([one.scores for one in matches])
    correct = np.concatenate([one.correct[0] for one in matches])
    counted = correct | np.concatenate([one.wrong[0] for one in matches])
    order = np.argsort(-scores, kind="stable")
    scores, tp = scores[order], np.cumsum(correct[order])
    if not correct.any():
        return 0.5
    F1 = 2 * tp / (np.cumsum(counted[order]) + sum(one.objects for one in matches))
    last = np.append(scores[1:] != scores[:-1], True)  # boxes with equal scores go together
    return float(scores[last][F1[last].argmax()])


def precision_and_recall(
    predicted: Sequence[Objects], true: Sequence[Objects], n_classes: int
) -> dict[str, float]:
    """Return the precision and recall over all classes, at an IoU of 0.5.

    Precision is the share of the predicted boxes that are correct, recall the share of the objects
    that are found. Each is nan where there is nothing to divide by.
    """
    matches = [_match_class(predicted, true, one, THRESHOLDS[:1]) for one in range(n_classes)]
    tp = sum(int(one.correct.sum()) for one in matches)
    counts = {"precision": tp + sum(int(one.wrong.sum()) for one in matches)}
    counts |= {"recall": sum(one.objects for one in matches)}
    return {name: tp / n if n else float("nan") for name, n in counts.items()}


def iou_matrix(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the IoU (n, k) of boxes A (n, 4) and B (k, 4), as in `blocks/boxes.py: pairwise_iou`.

    It uses NumPy, since JAX would compile a program for each number of boxes.
    """
    shared = _intersections(A, B)
    both = _areas_of(A)[:, None] + _areas_of(B)[None] - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _intersections(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return the area (n, k) that boxes A (n, 4) and B (k, 4) share."""
    first = np.maximum(A[:, None, :2], B[None, :, :2])
    last = np.minimum(A[:, None, 2:], B[None, :, 2:])
    return np.maximum(last - first, 0).prod(axis=2)


def _areas_of(boxes: np.ndarray) -> np.ndarray:
    """Return the area (n,) of each box."""
    return np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)


def _match_class(
    predicted: Sequence[Objects], true: Sequence[Objects], one: int, thresholds: np.ndarray
) -> Matches:
    """Decide which predicted boxes of one class are correct, over all images together."""
    scores, objects = [np.zeros(0)], 0
    correct, wrong = ([np.zeros((len(thresholds), 0), bool)] for _ in range(2))
    for prediction, truth in zip(predicted, true, strict=True):
        of_class = prediction.classes == one
        assert prediction.scores is not None
        scores_of_class = prediction.scores[of_class]
        order = np.argsort(-scores_of_class, kind="stable")[:MOST_DETECTIONS]
        objects_of_class = truth.boxes[truth.classes == one].astype(float)
        boxes = prediction.boxes[of_class][order].astype(float)
        regions = truth.boxes[truth.classes == IGNORED - one].astype(float)
        scores.append(scores_of_class[order])
        correct.append(_match_boxes(iou_matrix(boxes, objects_of_class), thresholds))
        wrong.append(~(correct[-1] | _in_regions(boxes, regions, thresholds)))
        objects += len(objects_of_class)
    correct, wrong = (np.concatenate(own, axis=1) for own in (correct, wrong))
    return Matches(np.concatenate(scores), correct, wrong, objects)


def _in_regions(boxes: np.ndarray, regions: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return whether a share of each box that reaches a threshold lies in a region, (T, n)."""
    shared, areas = _intersections(boxes, regions), _areas_of(boxes)
    share = np.divide(
        shared.max(axis=1, initial=0), areas, out=np.zeros(len(boxes)), where=areas > 0
    )
    return share[None] >= np.minimum(thresholds, ALMOST)[:, None]


def _match_boxes(ious: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return which boxes are correct (T, n), the boxes given in descending order of score.

    Each box takes the free object with the highest IoU; of several with the same IoU, the last.
    """
    n, k = ious.shape
    correct, assigned = np.zeros((len(thresholds), n), bool), np.zeros((len(thresholds), k), bool)
    for i in range(n if k else 0):
        free = np.where(assigned, -1.0, ious[i])  # (T, k)
        best = k - 1 - free[:, ::-1].argmax(axis=1)
        correct[:, i] = free.max(axis=1) >= np.minimum(thresholds, ALMOST)
        assigned[correct[:, i], best[correct[:, i]]] = True
    return correct


def _areas(matches: Matches) -> np.ndarray:
    """Return the average precision of one class at each of T IoU thresholds, (T,)."""
    if not matches.objects:
        return np.full(len(matches.correct), np.nan)
    order = np.argsort(-matches.scores, kind="stable")
    tp = np.cumsum(matches.correct[:, order], axis=1)
    counted = tp + np.cumsum(matches.wrong[:, order], axis=1)
    precision = np.divide(tp, counted, out=np.zeros(tp.shape), where=counted > 0)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.array([_area(*one) for one in zip(tp / matches.objects, precision, strict=True)])


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    """Return the mean precision at 101 recalls, with 0 at recalls that are not reached."""
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[place].mean())
