"""How good said classes are: precision, recall and F1, from counts of what was said of what.

Notes: "Single number evaluation metric" (course 3, week 1).

    counts      n[truth, said] = Σ w over the examples
    accuracy    Σ n[c, c] / Σ n
    precision   n[c, c] / Σ over the truths of n[truth, c]:  of those said to be c, how many are
    recall      n[c, c] / Σ over what was said of n[c, said]:  of those that are c, how many found
    f1          2 / (1/precision + 1/recall),  their harmonic mean
    IoU         n[c, c] / (Σ n[c, said] + Σ n[truth, c] − n[c, c]),  of pixels: what both share
    macro       Σ value / C,  each class as much as any other
    weighted    Σ value · n[c] / Σ n[c],  each as much as there is of it

Where nothing was said to be c the precision is 0, where nothing is c the recall, and F1 with
either. Counts may have axes before their last two: the counts of many thresholds at once.
"""

import numpy as np


def class_counts(y: np.ndarray, said: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """(n, n): how much weight has the class in the row and was said to be that in the column."""
    flat = np.bincount(y * n + said, weights=weights, minlength=n * n)
    return flat.reshape(n, n)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """The share that was said rightly."""
    return _right(counts).sum(axis=-1) / counts.sum(axis=(-2, -1))


def precision(counts: np.ndarray) -> np.ndarray:
    """Of each class, in its place."""
    return _ratio(_right(counts), counts.sum(axis=-2))


def recall(counts: np.ndarray) -> np.ndarray:
    """Of each class, in its place."""
    return _ratio(_right(counts), counts.sum(axis=-1))


def f1(counts: np.ndarray) -> np.ndarray:
    """Of each class, in its place; written without the two, it has no division by 0 to fear."""
    return _ratio(2 * _right(counts), counts.sum(axis=-2) + counts.sum(axis=-1))


def intersection_over_union(counts: np.ndarray) -> np.ndarray:
    """Of each class, in its place; 0 where it neither is nor was said to be."""
    either = counts.sum(axis=-2) + counts.sum(axis=-1) - _right(counts)
    return _ratio(_right(counts), either)


def macro(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean over the C classes that are there, or were said to be."""
    there = (counts.sum(axis=-2) + counts.sum(axis=-1)) > 0
    return (values * there).sum(axis=-1) / there.sum(axis=-1)


def weighted(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The mean over the classes, by the weight n[c] of their examples."""
    size = counts.sum(axis=-1)
    return (values * size).sum(axis=-1) / size.sum(axis=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where there is no whole."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _right(counts: np.ndarray) -> np.ndarray:
    """What was said rightly of each class: the diagonal."""
    return np.diagonal(counts, axis1=-2, axis2=-1)
