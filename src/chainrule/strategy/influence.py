"""How much each example weighs in a score, and how sure the score is by that.

The notes compare classifiers by a number and leave its noise out; this is the delta method, also
called infinitesimal jackknife: the derivative of the score by the weight of each example.

    u[i]              = w[i] ∂score/∂w[i];  their sum is 0, for only shares of the weight count
    standard error    = √(m / (m − 1) Σ u²)
    paired            = the same of u new − u old: what both get wrong alike is no noise

With s = Σ w, and P, R, F the values of a class c with n[c] of it and said[c] said to be it:

    a mean of x       u = w (x − mean) / s
    precision         u = w ([y = c] − P) / said[c]                where c was said
    recall            u = w ([said = c] − R) / n[c]                where c is true
    f1                u = w (2 [y = said = c] − F [y = c] − F [said = c]) / (said[c] + n[c])
    weighted_f1       the same by share n[c] / s, and w (F of y − score) / s
    roc_auc           u = w (share of the others that stand behind − area) / P       of the class
                      u = w (share of the class that stands before − area) / N       of the others
    pr_auc            u = w ([of the class] (precision here − area) + T) / P
                      T = Σ from here down of found · ([of the class] − precision) / (tp + fp)
    rmse              u = w (e² − rmse²) / (2 s rmse)
    r2                u = −w (e² − E/S d²) / S,  d from the mean, S = Σ w d², E = Σ w e²
    calibration_error u = w (± (p − came) − error) / s,  ± the side on which the bin errs

The bootstrap agrees with them within its own noise, but for calibration_error: a bin that errs by
nearly nothing has a kink there, and the standard error is too large by up to a half.
"""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.strategy.goal_text import class_of, name_of
from chainrule.train.door import Door
from chainrule.train.scores import PER_CLASS, Guessed, Judged
from chainrule.train.scores_chances import BINS, bins_of, brier_losses, log_losses
from chainrule.train.scores_ranking import pr_auc, roc_auc


def standard_error(u: np.ndarray) -> float:
    """Of a score, from how much each of its m examples weighs in it; nan of a single one."""
    m = len(u)
    return float(np.sqrt(m / (m - 1) * (u @ u))) if m > 1 else float("nan")


def influence(metric: str, door: Door, rows: Judged | Guessed) -> np.ndarray:
    """u (m,) of the examples with weight; nan where the network's word is beyond float32."""
    name, label = name_of(metric), class_of(metric)
    if isinstance(rows, Judged):
        c = None if label is None else door.labels.names.index(label)
        if name in OF_AREAS:
            return area_influence(OF_AREAS[name], rows, rows.only(c))
        return OF_CHANCES[name](rows) if name in OF_CHANCES else answer_influence(name, rows, c)
    with np.errstate(invalid="ignore"):
        return OF_NUMBERS[name](rows)


def answer_influence(name: str, rows: Judged, c: int | None) -> np.ndarray:
    """Of what depends on the answers alone, or of class c in it."""
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
    """Of the mean of x (m,)."""
    return weights * (x - np.average(x, weights=weights)) / weights.sum()


def class_influence(value: str, rows: Judged, shares: np.ndarray) -> np.ndarray:
    """Of Σ over the classes of share · value, a mean of precision, recall or f1."""
    y, said, w, counts = rows.y, rows.said, rows.weights, rows.counts
    right, found = y == said, PER_CLASS[value](counts)
    of, spoken = counts.sum(axis=1), counts.sum(axis=0)
    if value == "precision":
        return w * shares[said] * (right - found[said]) / spoken[said]
    if value == "recall":
        return w * shares[y] * (right - found[y]) / of[y]
    each = shares / np.where(of + spoken > 0, of + spoken, 1)
    lost = each * found
    return w * (2 * right * each[y] - lost[y] - lost[said])


def weighted_influence(rows: Judged) -> np.ndarray:
    """Of weighted_f1: a class that gets more weight also counts more."""
    size = rows.counts.sum(axis=1)
    F, shares = PER_CLASS["f1"](rows.counts), size / size.sum()
    more = rows.weights * (F[rows.y] - F @ shares) / size.sum()
    return class_influence("f1", rows, shares) + more


def roc_influence(rows: Judged, c: int) -> np.ndarray:
    """Of the area for class c."""
    rank, place = rows.ranking(c)
    P, area = rank.tp[-1], roc_auc(rank)
    behind = (1 - (rank.fp + rank.above) / (2 * rank.N))[place]
    before = ((2 * rank.tp - rank.found) / (2 * P))[place]
    return rows.weights * np.where(rows.y == c, (behind - area) / P, (before - area) / rank.N)


def pr_influence(rows: Judged, c: int) -> np.ndarray:
    """Of the average precision for class c."""
    rank, place = rows.ranking(c)
    own, said = rows.y == c, rank.tp + rank.fp
    here = rank.tp / said
    gained, lost = (np.cumsum((rank.found * x / said)[::-1])[::-1] for x in (1.0, here))
    onwards = np.where(own, gained[place], 0.0) - lost[place]
    at_once = np.where(own, here[place] - pr_auc(rank), 0.0)
    return rows.weights * (at_once + onwards) / rank.tp[-1]


def area_influence(of_class: Callable, rows: Judged, of: Sequence[int]) -> np.ndarray:
    """Of the mean over these classes, each against the others; nan where there are none."""
    if not of:
        return np.full(len(rows.y), np.nan)
    return np.mean([of_class(rows, c) for c in of], axis=0)


def calibration_influence(rows: Judged) -> np.ndarray:
    """Of the mean distance between what was said and what came true."""
    p, came = rows.sure
    bins, off = bins_of(p), p - came
    side = np.sign(np.bincount(bins, weights=rows.weights * off, minlength=BINS))
    return mean_influence(side[bins] * off, rows.weights)


def rmse_influence(rows: Guessed) -> np.ndarray:
    """Of the root of the mean squared error, 0 where there is no error."""
    squares = (rows.z - rows.y) ** 2
    means = np.average(squares, axis=0, weights=rows.weights)
    slope = np.where(means > 0, 0.5 / np.sqrt(np.where(means > 0, means, 1)), 0.0)
    u = rows.weights[:, None] * (squares - means) / rows.weights.sum()
    return (u * slope).mean(axis=1)


def r2_influence(rows: Guessed) -> np.ndarray:
    """Of R², 0 for an output that never changes."""
    w = rows.weights[:, None]
    e2, d2 = (
        (rows.z - rows.y) ** 2,
        (rows.y - np.average(rows.y, axis=0, weights=rows.weights)) ** 2,
    )
    E, S = (w * e2).sum(axis=0), (w * d2).sum(axis=0)
    kept = np.where(S > 0, S, 1)
    return np.where(S > 0, -w * (e2 - E / kept * d2) / kept, 0.0).mean(axis=1)


OF_CHANCES: dict[str, Callable[[Judged], np.ndarray]] = {
    "log_loss": lambda rows: mean_influence(log_losses(rows.A, rows.y), rows.weights),
    "brier": lambda rows: mean_influence(brier_losses(rows.A, rows.y), rows.weights),
    "calibration_error": calibration_influence,
}
OF_AREAS: dict[str, Callable[[Judged, int], np.ndarray]] = {
    "roc_auc": roc_influence,
    "pr_auc": pr_influence,
}
OF_NUMBERS: dict[str, Callable[[Guessed], np.ndarray]] = {
    "r2": r2_influence,
    "rmse": rmse_influence,
    "mae": lambda rows: mean_influence(np.abs(rows.z - rows.y).mean(axis=1), rows.weights),
}
