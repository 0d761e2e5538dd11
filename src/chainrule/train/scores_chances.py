"""How good said probabilities are: their loss, and whether they come true as often as they say.

Notes: the loss is that of "Logistic regression cost" (course 1, week 2) and of "Softmax" (course 2,
week 3); calibration is not in the notes.

    log_loss            mean of −log A[truth]
    brier               two classes: mean of (A − Y)²;  more: mean of Σ over the classes of (A − Y)²
    calibration_error   Σ over the bins of share · |p − rate|

The bins cut 0 to 1 evenly; share is the weight that lies in a bin, p the mean of what was said
there and rate how often it came true. With two classes p is said of the second one, with more it is
said of the likeliest. Means are weighted: Σ w x / Σ w.
"""

from typing import NamedTuple

import numpy as np

BINS = 10
LEAST = np.finfo(np.float64).eps  # a probability of 0 would cost infinitely much


class Reliability(NamedTuple):
    """Of each bin with something in it: its share, the mean of what was said, what came true."""

    share: np.ndarray
    p: np.ndarray
    rate: np.ndarray


def log_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each example, from A (m, C) and classes y (m,); probabilities of 0 are taken as 2e-16."""
    return -np.log(np.maximum(A[np.arange(len(y)), y], LEAST))


def brier_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Of each example, from A (m, C) and classes y (m,)."""
    right = A[np.arange(len(y)), y]
    squares = (A**2).sum(axis=1) - right**2 + (1 - right) ** 2
    return squares / 2 if A.shape[1] == 2 else squares


def reliability(p: np.ndarray, came: np.ndarray, weights: np.ndarray) -> Reliability:
    """p (m,) was said, and it came true or not; all weights above 0."""
    size, said, rate = (
        np.bincount(bins_of(p), weights=w, minlength=BINS)
        for w in (weights, weights * p, weights * came)
    )
    there = size > 0
    size, said, rate = size[there], said[there], rate[there]
    return Reliability(size / size.sum(), said / size, rate / size)


def bins_of(p: np.ndarray) -> np.ndarray:
    """The bin of each p; what lies between two belongs to the lower one."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], p)


def calibration_error(curve: Reliability) -> float:
    """The mean distance between what was said and what came true."""
    return float((curve.share * np.abs(curve.p - curve.rate)).sum())
