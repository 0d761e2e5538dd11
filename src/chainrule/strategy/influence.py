"""The influence of each example on a score, and the standard error of the score that follows.

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
"""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.strategy.goal_text import class_of, name_of
from chainrule.train.door import Door
from chainrule.train.scores import PER_CLASS, Guessed, Judged
from chainrule.train.scores_chances import BINS, bins_of, brier_losses, log_losses
from chainrule.train.scores_ranking import pr_auc, roc_auc


def standard_error(u: np.ndarray) -> float:
    """Return the standard error of a score from the influence of its m examples; nan for m = 1."""
    m = len(u)
    return float(np.sqrt(m / (m - 1) * (u @ u))) if m > 1 else float("nan")


def influence(metric: str, door: Door, rows: Judged | Guessed) -> np.ndarray:
    """Return u (m,) of the examples with weight; nan where an output overflows float32."""
    name, label = name_of(metric), class_of(metric)
    if isinstance(rows, Judged):
        c = None if label is None else door.labels.names.index(label)
        if name in AREAS:
            return area_influence(AREAS[name], rows, rows.only(c))
        if name in PROBABILITY_SCORES:
            return PROBABILITY_SCORES[name](rows)
        return prediction_influence(name, rows, c)
    with np.errstate(invalid="ignore"):
        return REGRESSION_SCORES[name](rows)


def prediction_influence(name: str, rows: Judged, c: int | None) -> np.ndarray:
    """Compute u of a score that depends on the predicted classes alone, or on class c of them."""
    if name == "accuracy":
        return mean_influence(rows.y == rows.said, rows.weights)
    kind, _, value = name.rpartition("_")
    if kind == "weighted":
        return weighted_influence(rows)
    n = rows.counts.shape[0]
    if kind == "macro":
        there = (rows.counts.sum(axis=0) + rows.counts.sum(axis=1)) > 0
        return class_influence(value, rows, there / there.sum())
    return class_influence(value, rows, np.eye(n)[1 if c is None else c])


def mean_influence(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Compute u of the mean of x (m,)."""
    return weights * (x - np.average(x, weights=weights)) / weights.sum()


def class_influence(value: str, rows: Judged, shares: np.ndarray) -> np.ndarray:
    """Compute u of a mean of precision, recall or f1: Σ over the classes of share · value."""
    y, y_hat, w, counts = rows.y, rows.said, rows.weights, rows.counts
    right, values = y == y_hat, PER_CLASS[value](counts)
    n, k = counts.sum(axis=1), counts.sum(axis=0)
    if value == "precision":
        return w * shares[y_hat] * (right - values[y_hat]) / k[y_hat]
    if value == "recall":
        return w * shares[y] * (right - values[y]) / n[y]
    each = shares / np.where(n + k > 0, n + k, 1)
    lost = each * values
    return w * (2 * right * each[y] - lost[y] - lost[y_hat])


def weighted_influence(rows: Judged) -> np.ndarray:
    """Compute u of weighted_f1, where a larger class also counts more."""
    size = rows.counts.sum(axis=1)
    F, shares = PER_CLASS["f1"](rows.counts), size / size.sum()
    more = rows.weights * (F[rows.y] - F @ shares) / size.sum()
    return class_influence("f1", rows, shares) + more


def roc_influence(rows: Judged, c: int) -> np.ndarray:
    """Compute u of the area under the ROC curve of class c."""
    rank, place = rows.ranking(c)
    P, area = rank.tp[-1], roc_auc(rank)
    behind = (1 - (rank.fp + rank.above) / (2 * rank.N))[place]
    before = ((2 * rank.tp - rank.found) / (2 * P))[place]
    return rows.weights * np.where(rows.y == c, (behind - area) / P, (before - area) / rank.N)


def pr_influence(rows: Judged, c: int) -> np.ndarray:
    """Compute u of the average precision of class c."""
    rank, place = rows.ranking(c)
    own, selected = rows.y == c, rank.tp + rank.fp
    here = rank.tp / selected
    gained, lost = (np.cumsum((rank.found * x / selected)[::-1])[::-1] for x in (1.0, here))
    onwards = np.where(own, gained[place], 0.0) - lost[place]
    at_once = np.where(own, here[place] - pr_auc(rank), 0.0)
    return rows.weights * (at_once + onwards) / rank.tp[-1]


def area_influence(of_class: Callable, rows: Judged, of: Sequence[int]) -> np.ndarray:
    """Compute u of the mean over these classes, each against the rest; nan where there are none."""
    if not of:
        return np.full(len(rows.y), np.nan)
    return np.mean([of_class(rows, c) for c in of], axis=0)


def calibration_influence(rows: Judged) -> np.ndarray:
    """Compute u of the calibration error."""
    p, came = rows.sure
    bins, off = bins_of(p), p - came
    side = np.sign(np.bincount(bins, weights=rows.weights * off, minlength=BINS))
    return mean_influence(side[bins] * off, rows.weights)


def rmse_influence(rows: Guessed) -> np.ndarray:
    """Compute u of the RMSE; 0 where there is no error."""
    squares = (rows.z - rows.y) ** 2
    means = np.average(squares, axis=0, weights=rows.weights)
    slope = np.where(means > 0, 0.5 / np.sqrt(np.where(means > 0, means, 1)), 0.0)
    u = rows.weights[:, None] * (squares - means) / rows.weights.sum()
    return (u * slope).mean(axis=1)


def r2_influence(rows: Guessed) -> np.ndarray:
    """Compute u of R²; 0 for an output that is constant."""
    w = rows.weights[:, None]
    e2, d2 = (
        (rows.z - rows.y) ** 2,
        (rows.y - np.average(rows.y, axis=0, weights=rows.weights)) ** 2,
    )
    E, S = (w * e2).sum(axis=0), (w * d2).sum(axis=0)
    divisor = np.where(S > 0, S, 1)
    return np.where(S > 0, -w * (e2 - E / divisor * d2) / divisor, 0.0).mean(axis=1)


PROBABILITY_SCORES: dict[str, Callable[[Judged], np.ndarray]] = {
    "log_loss": lambda rows: mean_influence(log_losses(rows.A, rows.y), rows.weights),
    "brier": lambda rows: mean_influence(brier_losses(rows.A, rows.y), rows.weights),
    "calibration_error": calibration_influence,
}
AREAS: dict[str, Callable[[Judged, int], np.ndarray]] = {
    "roc_auc": roc_influence,
    "pr_auc": pr_influence,
}
REGRESSION_SCORES: dict[str, Callable[[Guessed], np.ndarray]] = {
    "r2": r2_influence,
    "rmse": rmse_influence,
    "mae": lambda rows: mean_influence(np.abs(rows.z - rows.y).mean(axis=1), rows.weights),
}
