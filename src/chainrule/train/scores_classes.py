"""Measure predicted classes by accuracy, precision, recall, F1 and IoU, from a confusion matrix.

Notes: "Single number evaluation metric" (course 3, week 1).

    counts      n[truth, said] = Σ w over the examples
    accuracy    Σ n[c, c] / Σ n
    precision   n[c, c] / Σ over the truths of n[truth, c]:  the share of predictions c that hold
    recall      n[c, c] / Σ over what was said of n[c, said]:  the share of class c that is found
    f1          2 / (1/precision + 1/recall),  their harmonic mean
    IoU         n[c, c] / (Σ n[c, said] + Σ n[truth, c] − n[c, c]),  for pixels
    macro       Σ value / C,  all classes with equal weight
    weighted    Σ value · n[c] / Σ n[c],  each class weighted by its examples

`truth` is the true and `said` the predicted class. The precision is 0 if c is never predicted, the
recall if c never occurs, and F1 in both cases. Counts may have axes before the last two, for many
thresholds at once.
"""

import numpy as np


def class_counts(y: np.ndarray, said: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """Return the confusion matrix (n, n): weights by true class (row) and prediction (column)."""
    flat = np.bincount(y * n + said, weights=weights, minlength=n * n)
    return flat.reshape(n, n)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of correct predictions."""
    return _right(counts).sum(axis=-1) / counts.sum(axis=(-2, -1))


def precision(counts: np.ndarray) -> np.ndarray:
    """Return the precision of each class."""
    return _ratio(_right(counts), counts.sum(axis=-2))


def recall(counts: np.ndarray) -> np.ndarray:
    """Return the recall of each class."""
    return _ratio(_right(counts), counts.sum(axis=-1))


def f1(counts: np.ndarray) -> np.ndarray:
    """Return the F1 of each class, computed from counts to avoid dividing by a precision of 0."""
    return _ratio(2 * _right(counts), counts.sum(axis=-2) + counts.sum(axis=-1))


def intersection_over_union(counts: np.ndarray) -> np.ndarray:
    """Return the IoU of each class; 0 for a class that neither occurs nor is predicted."""
    either = counts.sum(axis=-2) + counts.sum(axis=-1) - _right(counts)
    return _ratio(_right(counts), either)


def macro(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean over the C classes that occur or are predicted."""
    there = (counts.sum(axis=-2) + counts.sum(axis=-1)) > 0
    return (values * there).sum(axis=-1) / there.sum(axis=-1)


def weighted(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean over the classes, weighted by the weight n[c] of their examples."""
    size = counts.sum(axis=-1)
    return (values * size).sum(axis=-1) / size.sum(axis=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, and 0 where whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _right(counts: np.ndarray) -> np.ndarray:
    """Return the correct predictions of each class: the diagonal."""
    return np.diagonal(counts, axis1=-2, axis2=-1)
