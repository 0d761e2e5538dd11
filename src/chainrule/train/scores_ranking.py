"""How well examples of a class are ranked before the others, whatever the threshold.

Notes: "Single number evaluation metric" (course 3, week 1): one number in place of two.

    tp, fp      Σ w of the class, and of the others, with a value that is at least the threshold
    roc_auc     area under tp / P over fp / N:  Σ (tp − tp before) (2 N − fp − fp above) / (2 P N)
    pr_auc      area under precision over recall:  Σ (tp − tp before) / P · tp / (tp + fp)

The thresholds are the values that occur, from above; fp above is what lies higher than one; P and N
are the weights of the class and of the others. `roc_auc` is also the chance that one of the class
stands before one of the others, ties counted by half; `pr_auc` is the average precision. Both need
examples of the class, `roc_auc` of the others too.
"""

from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
    """Thresholds (k,) from above, and Σ w by them.

    tp, fp    of the class, and of the others, that reach each threshold
    above     of the others that lie above it
    N         of all the others
    """

    values: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    above: np.ndarray
    N: float

    @property
    def found(self) -> np.ndarray:
        """tp − tp before: of the class, at each threshold."""
        return np.diff(self.tp, prepend=0.0)


def ranking(
    values: np.ndarray, belongs: np.ndarray, weights: np.ndarray
) -> tuple[Ranking, np.ndarray]:
    """Every value a threshold, and at which one each example stands (m,); all weights above 0."""
    order = np.argsort(-values)
    ordered, own = values[order], np.where(belongs, weights, 0.0)[order]
    ends = np.flatnonzero(np.append(ordered[:-1] != ordered[1:], True))
    place = np.empty(len(values), np.intp)
    place[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    tp, fp = np.cumsum(own)[ends], np.cumsum(weights[order] - own)[ends]
    return Ranking(ordered[ends], tp, fp, np.append(0.0, fp[:-1]), float(fp[-1])), place


def counted_ranking(values: np.ndarray, belongs: np.ndarray) -> Ranking:
    """Where all weights are equal: the values of the class are the thresholds.

    The areas need no others, and sorting numbers takes a fifth of the time of ordering them.
    """
    everyone, own = np.sort(values), np.sort(values[belongs])
    thresholds = own[np.append(True, own[:-1] != own[1:])][::-1]
    tp = len(own) - np.searchsorted(own, thresholds).astype(float)
    reach = len(values) - np.searchsorted(everyone, thresholds).astype(float)
    over = len(values) - np.searchsorted(everyone, thresholds, "right").astype(float)
    above = over - np.append(0.0, tp[:-1])
    return Ranking(thresholds, tp, reach - tp, above, float(len(values) - len(own)))


def roc_auc(rank: Ranking) -> float:
    """From 0 to 1; 0.5 for an order that knows nothing."""
    behind = 2 * rank.N - rank.fp - rank.above
    return float((rank.found * behind).sum() / (2 * rank.tp[-1] * rank.N))


def pr_auc(rank: Ranking) -> float:
    """From 0 to 1; P / (P + N) for an order that knows nothing."""
    return float((rank.found * rank.tp / (rank.tp + rank.fp)).sum() / rank.tp[-1])
