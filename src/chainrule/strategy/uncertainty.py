"""The uncertainty of a score: its standard error, its confidence interval, and that of a gain.

The course notes compare classifiers by a single number without its uncertainty. The standard error
here is that of the delta method (infinitesimal jackknife): it uses the derivative of the score
with respect to the weight of each example.

    u[i]              = w[i] ∂score/∂w[i];  Σ u = 0, since only relative weights matter
    standard error    = √(m / (m − 1) Σ u²)
    paired            = the same with u new − u old: shared mistakes cancel

With s = Σ w, and P, R, F the precision, recall and F1 of a class c, which has the weight n[c] in
the labels y and the weight k[c] in the predictions ŷ:

    a mean of x       u = w (x − mean) / s
    precision         u = w ([y = c] − P) / k[c]                   where ŷ = c
    recall            u = w ([ŷ = c] − R) / n[c]                   where y = c
    f1                u = w (2 [y = ŷ = c] − F [y = c] − F [ŷ = c]) / (k[c] + n[c])
    weighted_f1       the f1 terms weighted by n[c] / s, plus w (F of y − score) / s
    roc_auc           u = w (share of the others ranked below − area) / P       in the class
                      u = w (share of the class ranked above − area) / N        in the others
    pr_auc            u = w ([in the class] (precision at its rank − area) + T) / P
                      T = Σ from its rank down of found · ([in the class] − precision) / (tp + fp)
    rmse              u = w (e² − rmse²) / (2 s rmse)
    r2                u = −w (e² − E/S d²) / S,  d from the mean, S = Σ w d², E = Σ w e²
    calibration_error u = w (± (p − came) − error) / s,  ± the sign of the error of the bin

The bootstrap agrees with these within its own noise, except for calibration_error: where the error
of a bin is close to 0 the score has a kink, and the standard error is too large by up to a half.

The confidence interval of a share that was counted in a sample is Wilson's interval:

    z = 1.96,  p = k / n
    middle    (p + z²/(2n)) / (1 + z²/n)
    reach     z √(p (1 − p)/n + z²/(4n²)) / (1 + z²/n)

It is also valid near 0 and 1, where p ± z √(p (1 − p)/n) is not. For a sample of n from a finite
population of N, n is replaced by n (N − 1)/(N − n); with n = N there is no uncertainty. (SciPy's
version takes whole counts only; here n may be an effective sample size, (Σ w)² / Σ w².)

The functions of this module return

    gain        new − old on the same examples, with a paired standard error
    interval    of a share (accuracy, precision, recall) Wilson's, else value ± 1.96 standard errors
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from chainrule.runs.metrics import BINS, bins_of, brier_losses, log_losses, pr_auc, roc_auc
from chainrule.runs.preprocessing import Preprocessor
from chainrule.runs.scores import (
    PER_CLASS,
    ClassificationResults,
    RegressionResults,
    results_of_outputs,
)
from chainrule.strategy.goal import UNBOUNDED, Goal, class_of, name_of, value_of


def standard_error(u: np.ndarray) -> float:
    """Return the standard error of a score from the influence of its m examples; nan for m = 1."""
    m = len(u)
    return float(np.sqrt(m / (m - 1) * (u @ u))) if m > 1 else float("nan")


def influence(
    metric: str, preprocessor: Preprocessor, rows: ClassificationResults | RegressionResults
) -> np.ndarray:
    """Return the influence u (m,) of each example with a weight above 0 on a metric.

    It is nan where an output overflows float32.
    """
    name, label = name_of(metric), class_of(metric)
    if isinstance(rows, ClassificationResults):
        c = None if label is None else preprocessor.labels.names.index(label)
        if name in AREAS:
            return area_influence(AREAS[name], rows, rows.only(c))
        if name in PROBABILITY_SCORES:
            return PROBABILITY_SCORES[name](rows)
        return prediction_influence(name, rows, c)
    with np.errstate(invalid="ignore"):
        return REGRESSION_SCORES[name](rows)


def prediction_influence(name: str, rows: ClassificationResults, c: int | None) -> np.ndarray:
    """Compute the influence on a score of the predicted classes, or on the score of class c."""
    if name == "accuracy":
        return mean_influence(rows.y == rows.predicted, rows.weights)
    kind, _, value = name.rpartition("_")
    if kind == "weighted":
        return weighted_influence(rows)
    n = rows.counts.shape[0]
    if kind == "macro":
        there = (rows.counts.sum(axis=0) + rows.counts.sum(axis=1)) > 0
        return class_influence(value, rows, there / there.sum())
    return class_influence(value, rows, np.eye(n)[1 if c is None else c])


def mean_influence(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute the influence of each example on the mean of x (m,)."""
    return weights * (x - np.average(x, weights=weights)) / weights.sum()


def class_influence(value: str, rows: ClassificationResults, shares: np.ndarray) -> np.ndarray:
    """Compute the influence on a mean of precision, recall or f1: Σ of share · value by class."""
    y, y_hat, w, counts = rows.y, rows.predicted, rows.weights, rows.counts
    right, values = y == y_hat, PER_CLASS[value](counts)
    n, k = counts.sum(axis=1), counts.sum(axis=0)
    if value == "precision":
        return w * shares[y_hat] * (right - values[y_hat]) / k[y_hat]
    if value == "recall":
        return w * shares[y] * (right - values[y]) / n[y]
    each = shares / np.where(n + k > 0, n + k, 1)
    lost = each * values
    return w * (2 * right * each[y] - lost[y] - lost[y_hat])


def weighted_influence(rows: ClassificationResults) -> np.ndarray:
    """Compute the influence on weighted_f1, in which a larger class also counts more."""
    size = rows.counts.sum(axis=1)
    F, shares = PER_CLASS["f1"](rows.counts), size / size.sum()
    more = rows.weights * (F[rows.y] - F @ shares) / size.sum()
    return class_influence("f1", rows, shares) + more


def roc_influence(rows: ClassificationResults, c: int) -> np.ndarray:
    """Compute the influence of each example on the area under the ROC curve of class c."""
    rank, place = rows.ranking(c)
    P, area = rank.tp[-1], roc_auc(rank)
    behind = (1 - (rank.fp + rank.above) / (2 * rank.N))[place]
    before = ((2 * rank.tp - rank.found) / (2 * P))[place]
    return rows.weights * np.where(rows.y == c, (behind - area) / P, (before - area) / rank.N)


def pr_influence(rows: ClassificationResults, c: int) -> np.ndarray:
    """Compute the influence of each example on the average precision of class c."""
    rank, place = rows.ranking(c)
    own, selected = rows.y == c, rank.tp + rank.fp
    here = rank.tp / selected
    gained, lost = (np.cumsum((rank.found * x / selected)[::-1])[::-1] for x in (1.0, here))
    onwards = np.where(own, gained[place], 0.0) - lost[place]
    at_once = np.where(own, here[place] - pr_auc(rank), 0.0)
    return rows.weights * (at_once + onwards) / rank.tp[-1]


def area_influence(
    of_class: Callable, rows: ClassificationResults, of: Sequence[int]
) -> np.ndarray:
    """Compute the influence on the mean area of these classes, each against the rest, else nan."""
    if not of:
        return np.full(len(rows.y), np.nan)
    return np.mean([of_class(rows, c) for c in of], axis=0)


def calibration_influence(rows: ClassificationResults) -> np.ndarray:
    """Compute the influence of each example on the calibration error."""
    p, came = rows.confidence
    bins, off = bins_of(p), p - came
    side = np.sign(np.bincount(bins, weights=rows.weights * off, minlength=BINS))
    return mean_influence(side[bins] * off, rows.weights)


def rmse_influence(rows: RegressionResults) -> np.ndarray:
    """Compute the influence of each example on the RMSE; 0 if there is no error."""
    squares = (rows.z - rows.y) ** 2
    means = np.average(squares, axis=0, weights=rows.weights)
    slope = np.where(means > 0, 0.5 / np.sqrt(np.where(means > 0, means, 1)), 0.0)
    u = rows.weights[:, None] * (squares - means) / rows.weights.sum()
    return (u * slope).mean(axis=1)


def r2_influence(rows: RegressionResults) -> np.ndarray:
    """Compute the influence of each example on R²; 0 for a constant output."""
    w = rows.weights[:, None]
    e2, d2 = (
        (rows.z - rows.y) ** 2,
        (rows.y - np.average(rows.y, axis=0, weights=rows.weights)) ** 2,
    )
    E, S = (w * e2).sum(axis=0), (w * d2).sum(axis=0)
    divisor = np.where(S > 0, S, 1)
    return np.where(S > 0, -w * (e2 - E / divisor * d2) / divisor, 0.0).mean(axis=1)


PROBABILITY_SCORES: dict[str, Callable[[ClassificationResults], np.ndarray]] = {
    "log_loss": lambda rows: mean_influence(log_losses(rows.A, rows.y), rows.weights),
    "brier": lambda rows: mean_influence(brier_losses(rows.A, rows.y), rows.weights),
    "calibration_error": calibration_influence,
}
AREAS: dict[str, Callable[[ClassificationResults, int], np.ndarray]] = {
    "roc_auc": roc_influence,
    "pr_auc": pr_influence,
}
REGRESSION_SCORES: dict[str, Callable[[RegressionResults], np.ndarray]] = {
    "r2": r2_influence,
    "rmse": rmse_influence,
    "mae": lambda rows: mean_influence(np.abs(rows.z - rows.y).mean(axis=1), rows.weights),
}


DEVIATIONS_95 = 1.96
"""95 % of a normal distribution lies within this number of standard deviations of the mean."""


def wilson(share: float, n: float, of: float = math.inf) -> tuple[float, float]:
    """Return the 95 % confidence interval of a share in a sample of n from a population of `of`.

    >>> [round(end, 3) for end in wilson(0.5, 100)], wilson(0.25, 8, of=8)
    ([0.404, 0.596], (0.25, 0.25))
    """
    if n >= of:
        return share, share
    if of < math.inf:
        n = n * (of - 1) / (of - n)
    middle = share + DEVIATIONS_95**2 / (2 * n)
    reach = DEVIATIONS_95 * math.sqrt(share * (1 - share) / n + DEVIATIONS_95**2 / (4 * n**2))
    low, high = (
        (middle - reach) / (1 + DEVIATIONS_95**2 / n),
        (middle + reach) / (1 + DEVIATIONS_95**2 / n),
    )
    return max(0.0, low), min(1.0, high)


class Gain(NamedTuple):
    """How much better one network is than another on the same examples, and its standard error."""

    gain: float
    standard_error: float


class Interval(NamedTuple):
    """A score, its standard error, and the ends of its 95 % confidence interval."""

    value: float
    standard_error: float
    low: float
    high: float


def gain(
    goal: Goal,
    preprocessor: Preprocessor,
    Z_new: np.ndarray,
    Z_old: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    old_preprocessor: Preprocessor | None = None,
) -> Gain:
    """Compute how much better Z_new is than Z_old on the same examples, with the standard error.

    `old_preprocessor` is the preprocessor of Z_old, if it has another threshold.
    """
    new, old = (
        results_of_outputs(preprocessor, Z_new, Y, weights),
        results_of_outputs(old_preprocessor or preprocessor, Z_old, Y, weights),
    )
    risen = value_of(goal.metric, preprocessor, new) - value_of(goal.metric, preprocessor, old)
    difference = influence(goal.metric, preprocessor, new) - influence(
        goal.metric, preprocessor, old
    )
    return Gain(goal.sign * risen, standard_error(difference))


def interval(
    goal: Goal,
    preprocessor: Preprocessor,
    Z: np.ndarray,
    Y: np.ndarray,
    weights: np.ndarray | None = None,
) -> Interval:
    """Compute the goal's metric with its confidence interval."""
    rows = results_of_outputs(preprocessor, Z, Y, weights)
    value = value_of(goal.metric, preprocessor, rows)
    noise = standard_error(influence(goal.metric, preprocessor, rows))
    counted = counted_weights(goal.metric, preprocessor, rows)
    if counted is not None and counted.any():
        ends = wilson(value, float(counted.sum() ** 2 / (counted**2).sum()))
        return Interval(value, noise, *ends)
    low, high = value - DEVIATIONS_95 * noise, value + DEVIATIONS_95 * noise
    if name_of(goal.metric) not in UNBOUNDED:
        low, high = max(0.0, low), min(1.0, high)
    return Interval(value, noise, low, high)


def counted_weights(
    metric: str, preprocessor: Preprocessor, rows: ClassificationResults | RegressionResults
) -> np.ndarray | None:
    """Return the weights of the examples in the denominator of a share; None for other metrics."""
    name, label = name_of(metric), class_of(metric)
    if name == "accuracy":
        return rows.weights
    if isinstance(rows, RegressionResults) or name not in ("precision", "recall"):
        return None
    c = 1 if label is None else preprocessor.labels.names.index(label)
    return rows.weights[(rows.predicted if name == "precision" else rows.y) == c]
