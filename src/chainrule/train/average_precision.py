"""How good found boxes are, in one number: mean average precision.

Notes: "Object detection" (course 4, week 3), "Precision and recall" (course 3, week 1); the number
is that of the COCO challenge, which `pycocotools` computes.

    a box found is right   where its IoU with an object of its class is at least t, and no better
                           box has that object already; each takes the object it overlaps most
    p(r)                   the best precision at a recall of r or more, over all thresholds of score
    AP                     the mean of p(0), p(0.01), …, p(1)
    mAP                    the mean of AP over the classes that occur, at t = 0.5, or over
                           t = 0.5, 0.55, …, 0.95

At most 100 boxes a picture count, those of the highest scores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MOST = 100
ALMOST = 1 - 1e-10  # an IoU of 1 is reached by boxes that are equal but for rounding


class Objects(NamedTuple):
    """What is in a picture, or is said to be: corners (n, 4), classes (n,), scores (n,) or None."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray | None = None


class Found(NamedTuple):
    """What is said of one class in all pictures: scores (n,), right (T, n); and its objects."""

    scores: np.ndarray
    right: np.ndarray
    objects: int


def average_precision(
    said: Sequence[Objects],
    true: Sequence[Objects],
    n_classes: int,
    thresholds: np.ndarray = THRESHOLDS,
) -> np.ndarray:
    """AP (T, n_classes) at each IoU threshold, picture by picture; nan for a class that is nowhere.

    >>> box = np.array([[0.0, 0.0, 2.0, 2.0]])
    >>> said = Objects(box, np.array([0]), np.array([0.9]))
    >>> average_precision([said], [Objects(box, np.array([0]))], 1).tolist()[0]
    [1.0]
    """
    found = [_found(said, true, one, thresholds) for one in range(n_classes)]
    return np.stack([_areas(one) for one in found], axis=1)


def mean_average_precision(AP: np.ndarray) -> dict[str, float]:
    """mAP at 0.5 and over all the usual thresholds, of what `average_precision` gives."""
    there = ~np.isnan(AP[0])
    if not there.any():
        return {"map_50": float("nan"), "map": float("nan")}
    return {"map_50": float(AP[0, there].mean()), "map": float(AP[:, there].mean())}


def best_threshold(said: Sequence[Objects], true: Sequence[Objects], n_classes: int) -> float:
    """The score of the best F1 over all classes, at an IoU of 0.5: boxes from it on are said.

    F1 = 2 TP / (said + objects); of equal ones the highest score. 0.5 where no box is right.
    """
    found = [_found(said, true, one, THRESHOLDS[:1]) for one in range(n_classes)]
    scores = np.concatenate([one.scores for one in found])
    right = np.concatenate([one.right[0] for one in found])
    order = np.argsort(-scores, kind="stable")
    scores, tp = scores[order], np.cumsum(right[order])
    if not right.any():
        return 0.5
    F1 = 2 * tp / (np.arange(1, len(tp) + 1) + sum(one.objects for one in found))
    last = np.append(scores[1:] != scores[:-1], True)  # of equal scores all are said
    return float(scores[last][F1[last].argmax()])


def precision_and_recall(
    said: Sequence[Objects], true: Sequence[Objects], n_classes: int
) -> dict[str, float]:
    """Of all boxes that are said the share that is right, of all objects the share that is found.

    At an IoU of 0.5; nan where nothing is said, or there is no object.
    """
    found = [_found(said, true, one, THRESHOLDS[:1]) for one in range(n_classes)]
    tp = sum(int(one.right.sum()) for one in found)
    counts = {"precision": sum(len(one.scores) for one in found)}
    counts |= {"recall": sum(one.objects for one in found)}
    return {name: tp / n if n else float("nan") for name, n in counts.items()}


def iou_matrix(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """The IoU (n, k) of boxes A (n, 4) and B (k, 4), as `blocks/boxes.py: pairwise_iou` gives it.

    NumPy, since JAX would compile a program for each number of boxes.
    """
    first = np.maximum(A[:, None, :2], B[None, :, :2])
    last = np.minimum(A[:, None, 2:], B[None, :, 2:])
    shared = np.maximum(last - first, 0).prod(axis=2)
    areas = [np.maximum(one[:, 2:] - one[:, :2], 0).prod(axis=1) for one in (A, B)]
    both = areas[0][:, None] + areas[1][None] - shared
    return np.divide(shared, both, out=np.zeros_like(shared), where=both > 0)


def _found(
    said: Sequence[Objects], true: Sequence[Objects], one: int, thresholds: np.ndarray
) -> Found:
    """Which of the boxes of a class are right, those of all pictures together."""
    scores, right, objects = [np.zeros(0)], [np.zeros((len(thresholds), 0), bool)], 0
    for picture, truth in zip(said, true, strict=True):
        of_class = picture.classes == one
        assert picture.scores is not None
        own = picture.scores[of_class]
        order = np.argsort(-own, kind="stable")[:MOST]
        wanted = truth.boxes[truth.classes == one].astype(float)
        overlaps = iou_matrix(picture.boxes[of_class][order].astype(float), wanted)
        scores.append(own[order])
        right.append(_matched(overlaps, thresholds))
        objects += len(wanted)
    return Found(np.concatenate(scores), np.concatenate(right, axis=1), objects)


def _matched(overlaps: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Right (T, n): boxes in the order of their scores, each taking the best object that is left.

    Of objects that it overlaps as much it takes the last.
    """
    n, k = overlaps.shape
    right, taken = np.zeros((len(thresholds), n), bool), np.zeros((len(thresholds), k), bool)
    for i in range(n if k else 0):
        left = np.where(taken, -1.0, overlaps[i])  # (T, k)
        best = k - 1 - left[:, ::-1].argmax(axis=1)
        right[:, i] = left.max(axis=1) >= np.minimum(thresholds, ALMOST)
        taken[right[:, i], best[right[:, i]]] = True
    return right


def _areas(found: Found) -> np.ndarray:
    """AP (T,) of one class."""
    if not found.objects:
        return np.full(len(found.right), np.nan)
    order = np.argsort(-found.scores, kind="stable")
    tp = np.cumsum(found.right[:, order], axis=1)
    precision = tp / np.arange(1, len(order) + 1)
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.array([_area(*one) for one in zip(tp / found.objects, precision, strict=True)])


def _area(recall: np.ndarray, precision: np.ndarray) -> float:
    """The mean of the precision at 101 recalls; 0 at those that are not reached."""
    place = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(precision, 0.0)[place].mean())
