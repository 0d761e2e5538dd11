"""Measure how well a class is ranked above the others, over all thresholds: ROC and PR areas.

Notes: "Single number evaluation metric" (course 3, week 1): one number in place of two.

    tp, fp      Σ w of the class, and of the others, with a value that is at least the threshold
    roc_auc     area under tp / P over fp / N:  Σ (tp − tp before) (2 N − fp − fp above) / (2 P N)
    pr_auc      area under precision over recall:  Σ (tp − tp before) / P · tp / (tp + fp)

The thresholds are the values that occur, in descending order; fp above counts values higher than a
threshold; P and N are the weights of the class and of the others. `roc_auc` is also the probability
that an example of the class ranks above one of the others, ties counted half; `pr_auc` is the
average precision. Both need examples of the class, and `roc_auc` also examples of the others.
"""

from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
    """Thresholds (k,) in descending order, and sums of weights Σ w.

    tp, fp    the weight of the class, and of the others, that reaches each threshold
    above     the weight of the others that exceeds it
    N         the weight of all the others
    """

    values: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    above: np.ndarray
    N: float

    @property
    def found(self) -> np.ndarray:
        """tp − tp before: the weight of the class at each threshold."""
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
