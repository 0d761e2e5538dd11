"""Measure predicted probabilities by their loss and their calibration.

Notes: the loss is that of "Logistic regression cost" (course 1, week 2) and of "Softmax" (course 2,
week 3); calibration is not in the notes.

    log_loss            mean of −log A[truth]
    brier               two classes: mean of (A − Y)²;  more: mean of Σ over the classes of (A − Y)²
    calibration_error   Σ over the bins of share · |p − rate|

The bins divide the range from 0 to 1 evenly; share is the weight of a bin, p the mean predicted
probability in it, and rate the share of its predictions that came true. With two classes p is the
probability of the second, with more that of the most likely class. Means are weighted: Σ w x / Σ w.
"""

from typing import NamedTuple

import numpy as np

BINS = 10
LEAST = np.finfo(np.float64).eps  # a probability of 0 would have an infinite loss


class Reliability(NamedTuple):
    """For each bin that is not empty: its share, its mean probability and its observed rate."""

    share: np.ndarray
    p: np.ndarray
    rate: np.ndarray


def log_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each example's loss, from A (m, C) and y (m,); probabilities are at least 2e-16."""
    return -np.log(np.maximum(A[np.arange(len(y)), y], LEAST))


def brier_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the Brier loss of each example, from A (m, C) and classes y (m,)."""
    right = A[np.arange(len(y)), y]
    squares = (A**2).sum(axis=1) - right**2 + (1 - right) ** 2
    return squares / 2 if A.shape[1] == 2 else squares


def reliability(p: np.ndarray, came: np.ndarray, weights: np.ndarray) -> Reliability:
    """Return the reliability of predictions p (m,) that came true or not; all weights above 0."""
    size, p_sum, rate = (
        np.bincount(bins_of(p), weights=w, minlength=BINS)
        for w in (weights, weights * p, weights * came)
    )
    filled = size > 0
    size, p_sum, rate = size[filled], p_sum[filled], rate[filled]
    return Reliability(size / size.sum(), p_sum / size, rate / size)


def bins_of(p: np.ndarray) -> np.ndarray:
    """Return the bin of each p; a value on a boundary belongs to the lower bin."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], p)


def calibration_error(curve: Reliability) -> float:
    """Return the mean distance between predicted probabilities and observed rates."""
    return float((curve.share * np.abs(curve.p - curve.rate)).sum())
