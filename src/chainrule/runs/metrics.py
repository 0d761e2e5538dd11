"""Measure predicted classes by accuracy, precision, recall, F1 and IoU, from a confusion matrix.

Notes: "Single number evaluation metric" (course 3, week 1).

    counts      n[truth, predicted] = Σ w over the examples
    accuracy    Σ n[c, c] / Σ n
    precision   n[c, c] / Σ over the truths of n[truth, c]:  the share of predictions of c that are
                correct
    recall      n[c, c] / Σ over the predictions of n[c, predicted]:  the share of class c that is
                found
    f1          2 / (1/precision + 1/recall),  their harmonic mean
    IoU         n[c, c] / (Σ n[c, predicted] + Σ n[truth, c] − n[c, c]),  for pixels
    macro       Σ value / C,  all classes with equal weight
    weighted    Σ value · n[c] / Σ n[c],  each class weighted by its examples

`truth` is the true and `predicted` the predicted class. The precision is 0 if c is never predicted,
the recall if c never occurs, and F1 in both cases. Counts may have axes before the last two, for
many thresholds at once.

Measure how well a class is ranked above the others, over all thresholds: ROC and PR areas.

Notes: "Single number evaluation metric" (course 3, week 1): one number in place of two.

    tp, fp      Σ w of the class, and of the others, with a value that is at least the threshold
    roc_auc     area under tp / P over fp / N:  Σ (tp − tp before) (2 N − fp − fp above) / (2 P N)
    pr_auc      area under precision over recall:  Σ (tp − tp before) / P · tp / (tp + fp)

The thresholds are the values that occur, in descending order; fp above counts values higher than a
threshold; P and N are the weights of the class and of the others. `roc_auc` is also the probability
that an example of the class ranks above one of the others, ties counted half; `pr_auc` is the
average precision. Both need examples of the class, and `roc_auc` also examples of the others.

Measure predicted probabilities by their loss and their calibration.

Notes: the loss is that of "Logistic regression cost" (course 1, week 2) and of "Softmax" (course 2,
week 3); calibration is not in the notes.

    log_loss            mean of −log A[truth]
    brier               two classes: mean of (A − Y)²;  more: mean of Σ over the classes of (A − Y)²
    calibration_error   Σ over the bins of share · |p − rate|

The bins divide the range from 0 to 1 evenly; share is the weight of a bin, p the mean predicted
probability in it, and rate the share of its predictions that came true. With two classes p is the
probability of the second, with more that of the most likely class. Means are weighted: Σ w x / Σ w.

Calibrate probabilities by a temperature T > 0: A is the activation of Z / T instead of that of Z
("On Calibration of Modern Neural Networks", Guo and others 2017).

    calibration    β = 1 / T minimises the mean of −Σ Y' log A(β Z), which is convex in β
                   Y' = (m Y + 1) / (m + C), where m = Σ w

Y' lies between 0 and 1, so that β stays finite even if every example is classified correctly. T is
only used if the mean decrease in the log loss of the dev set exceeds its standard error. It does
not change the order of the probabilities of an example, so that the prediction stays the same.

Measure predicted numbers, in float64 and in the target's units.

Notes: "Single number evaluation metric" (course 3, week 1).

    r2              1 − Σ w (z − y)² / Σ w (y − mean of y)²
    rmse            √(Σ w (z − y)² / Σ w)
    mae             Σ w |z − y| / Σ w
    median_error    the |z − y| that half of the weight does not exceed

Targets y and predictions z are (m, k), weights (m,). With several outputs the mean over them is
returned. R² is 0 if y is constant.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def class_counts(y: np.ndarray, predicted: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """Return the confusion matrix (n, n): weights by true class (row) and prediction (column)."""
    flat = np.bincount(y * n + predicted, weights=weights, minlength=n * n)
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
    """Return the mean of a score over the C classes that occur or are predicted."""
    there = (counts.sum(axis=-2) + counts.sum(axis=-1)) > 0
    return (values * there).sum(axis=-1) / there.sum(axis=-1)


def weighted(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the mean of a score over the classes, each weighted by its weight n[c]."""
    size = counts.sum(axis=-1)
    return (values * size).sum(axis=-1) / size.sum(axis=-1)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, and 0 where whole is 0."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0.0)


def _right(counts: np.ndarray) -> np.ndarray:
    """Return the number of correct predictions of each class, on the diagonal of the counts."""
    return np.diagonal(counts, axis1=-2, axis2=-1)


class Ranking(NamedTuple):
    """The examples ranked by the probability of a class: k thresholds, and sums of weights.

    values    (k,) the thresholds, in descending order
    tp, fp    (k,) the total weight of the examples of the class, and of the other examples, whose
              probability is at least the threshold
    above     (k,) the total weight of the other examples whose probability exceeds the threshold
    N         the total weight of the other examples
    """

    values: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    above: np.ndarray
    N: float

    @property
    def found(self) -> np.ndarray:
        """The weight of the class at each threshold: tp − tp before."""
        return np.diff(self.tp, prepend=0.0)


def ranking(
    values: np.ndarray, belongs: np.ndarray, weights: np.ndarray
) -> tuple[Ranking, np.ndarray]:
    """Return the ranking with every value as a threshold, and each example's threshold (m,).

    All weights must be above 0.
    """
    order = np.argsort(-values)
    ordered, own = values[order], np.where(belongs, weights, 0.0)[order]
    ends = np.flatnonzero(np.append(ordered[:-1] != ordered[1:], True))
    place = np.empty(len(values), np.intp)
    place[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    tp, fp = np.cumsum(own)[ends], np.cumsum(weights[order] - own)[ends]
    return Ranking(ordered[ends], tp, fp, np.append(0.0, fp[:-1]), float(fp[-1])), place


def counted_ranking(values: np.ndarray, belongs: np.ndarray) -> Ranking:
    """Return the ranking for equal weights, with only the values of the class as thresholds.

    The areas need no other thresholds, and sorting values is five times faster than `argsort`.
    """
    everyone, own = np.sort(values), np.sort(values[belongs])
    thresholds = own[np.append(True, own[:-1] != own[1:])][::-1]
    tp = len(own) - np.searchsorted(own, thresholds).astype(float)
    reach = len(values) - np.searchsorted(everyone, thresholds).astype(float)
    over = len(values) - np.searchsorted(everyone, thresholds, "right").astype(float)
    above = over - np.append(0.0, tp[:-1])
    return Ranking(thresholds, tp, reach - tp, above, float(len(values) - len(own)))


def roc_auc(rank: Ranking) -> float:
    """Return the area under the ROC curve, from 0 to 1; 0.5 for a random order."""
    behind = 2 * rank.N - rank.fp - rank.above
    return float((rank.found * behind).sum() / (2 * rank.tp[-1] * rank.N))


def pr_auc(rank: Ranking) -> float:
    """Return the area under precision over recall; P / (P + N) for a random order."""
    return float((rank.found * rank.tp / (rank.tp + rank.fp)).sum() / rank.tp[-1])


BINS = 10
LEAST = np.finfo(np.float64).eps  # a probability of 0 would have an infinite loss


class Reliability(NamedTuple):
    """The calibration of predicted probabilities, with one entry for each bin that is not empty.

    share   the share of the examples whose probability is in the bin
    p       the mean of their probabilities
    rate    the share of these predictions that came true
    """

    share: np.ndarray
    p: np.ndarray
    rate: np.ndarray


def log_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return each example's loss, from A (m, C) and y (m,), with A clipped to at least 2e-16."""
    return -np.log(np.maximum(A[np.arange(len(y)), y], LEAST))


def brier_losses(A: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the Brier loss of each example, from A (m, C) and classes y (m,)."""
    right = A[np.arange(len(y)), y]
    squares = (A**2).sum(axis=1) - right**2 + (1 - right) ** 2
    return squares / 2 if A.shape[1] == 2 else squares


def reliability(p: np.ndarray, came: np.ndarray, weights: np.ndarray) -> Reliability:
    """Return the calibration of the probabilities p (m,) of predictions.

    `came` (m,) says which predictions came true; all weights must be above 0.
    """
    size, p_sum, rate = (
        np.bincount(bins_of(p), weights=w, minlength=BINS)
        for w in (weights, weights * p, weights * came)
    )
    filled = size > 0
    size, p_sum, rate = size[filled], p_sum[filled], rate[filled]
    return Reliability(size / size.sum(), p_sum / size, rate / size)


def bins_of(p: np.ndarray) -> np.ndarray:
    """Return the bin of each probability p; one on a boundary belongs to the lower bin."""
    return np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], p)


def calibration_error(curve: Reliability) -> float:
    """Return the mean distance between predicted probabilities and observed rates."""
    return float((curve.share * np.abs(curve.p - curve.rate)).sum())


class Calibration(NamedTuple):
    """A temperature, and the log loss of the dev set without it and with it."""

    temperature: float
    before: float
    after: float


BETAS = 1 / 16, 16.0
"""The bounds of β = 1 / T."""
NEWTON = 50
"""The maximum number of Newton's steps for β; about six are enough."""


def calibration(
    Z: np.ndarray, Y: np.ndarray, weights: np.ndarray | None, cost: str
) -> Calibration | None:
    """Return the temperature for the outputs Z and the targets Y (m, n_L) of a dev set.

    `cost` is softmax, or logistic, with which every output is a prediction of its own. The result
    is None unless the decrease in the log loss exceeds its standard error.
    """
    w = np.ones(len(Z)) if weights is None else np.asarray(weights, np.float64)
    Z, Y, w = (np.asarray(values, np.float64)[w > 0] for values in (Z, Y, w))
    if not len(w) or not np.isfinite(Z).all():
        return None
    if cost == "logistic":
        w, z, y = np.repeat(w, Z.shape[1]), Z.ravel(), Y.ravel()
        Z, Y = np.column_stack([0 * z, z]), np.column_stack([1 - y, y])
    beta, m = _inverse_temperature(Z, Y, w), w.sum()
    before, after = (-(Y * _log_softmax(b * Z)).sum(axis=1) for b in (1.0, beta))
    fall = float(w @ (before - after) / m)
    noise = float(np.sqrt(w @ (before - after - fall) ** 2)) / m
    if fall <= noise:
        return None
    return Calibration(1 / beta, float(w @ before / m), float(w @ after / m))


def members_calibration(
    Z_k: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None,
    held_out: Sequence[np.ndarray],
    cost: str,
) -> Calibration | None:
    """Return the temperature of an ensemble, each of whose members has its own held-out rows.

    Z_k (K, m, n_L) are the outputs of the members, Y (m, n_L), and `held_out` the row numbers for
    each of them. With the temperature T of the members on these rows, that of the ensemble is √T if
    T is above 1, since their mean is already less sure than each of them; otherwise it is 1. The
    log losses are those of the members.
    """
    pairs = list(zip(Z_k, held_out, strict=True))
    rows = np.concatenate(list(held_out))
    Z = np.concatenate([one[own] for one, own in pairs])
    found = calibration(Z, Y[rows], None if weights is None else weights[rows], cost)
    if found is None or found.temperature <= 1:
        return None
    return found._replace(temperature=float(np.sqrt(found.temperature)))


def _inverse_temperature(Z: np.ndarray, Y: np.ndarray, w: np.ndarray) -> float:
    """Return the β with the lowest log loss for the targets Y', by Newton's method with bounds."""
    m, C = w.sum(), Z.shape[1]
    Z = Z - ((m * Y + 1) / (m + C) * Z).sum(axis=1, keepdims=True)
    (low, high), beta = BETAS, 1.0
    for _ in range(NEWTON):
        A = np.exp(_log_softmax(beta * Z))
        mean = (A * Z).sum(axis=1)
        slope, curve = w @ mean, w @ ((A * Z**2).sum(axis=1) - mean**2)
        low, high = (low, beta) if slope > 0 else (beta, high)
        step = beta - slope / curve if curve > 0 else low
        step = step if low < step < high else (low + high) / 2
        last, beta = beta, step
        if abs(beta - last) <= 1e-9 * beta:  # of this size, the step has left no error to speak of
            break
    return float(beta)


def _log_softmax(Z: np.ndarray) -> np.ndarray:
    """Return the logarithm of the softmax of each row."""
    Z = Z - Z.max(axis=1, keepdims=True)
    return Z - np.log(np.exp(Z).sum(axis=1, keepdims=True))


def r2(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return R²: 1 for perfect predictions, 0 for always predicting the mean."""
    error, spread = squares(y, z, weights)
    varies = spread > 0
    return float(np.where(varies, 1 - error / np.where(varies, spread, 1), 0.0).mean())


def rmse(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the root mean squared error, to which large errors contribute most."""
    return float(np.sqrt(np.average((z - y) ** 2, axis=0, weights=weights)).mean())


def mae(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the mean absolute error."""
    return float(np.average(np.abs(z - y), axis=0, weights=weights).mean())


def median_error(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> float:
    """Return the median absolute error, which is robust to a few large errors."""
    return float(np.mean([_median(column, weights) for column in np.abs(z - y).T]))


def squares(y: np.ndarray, z: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Σ w (z − y)² and Σ w (y − mean of y)² for each output."""
    mean = np.average(y, axis=0, weights=weights)
    return weights @ (z - y) ** 2, weights @ (y - mean) ** 2


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the weighted median; the mean of two values if it lies between them."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    low, high = (np.searchsorted(below, below[-1] / 2, side) for side in ("left", "right"))
    return values[order][[low, min(high, len(values) - 1)]].mean()
