"""How well examples of a class are ranked before the others, whatever the threshold.

Notes: "Single number evaluation metric" (course 3, week 1): one number in place of two.

    tp, fp      Σ w of the class, and of the others, with a value that is at least the threshold
    roc_auc     area under tp / P over fp / N:  Σ (fp − fp before) (tp + tp before) / (2 P N)
    pr_auc      area under precision over recall:  Σ (tp − tp before) / P · tp / (tp + fp)

The thresholds are the values that occur, from above; P and N are the weights of the class and of
the others. `roc_auc` is also the chance that one of the class stands before one of the others, ties
counted by half; `pr_auc` is the average precision. Both need examples of the class, `roc_auc` of
the others too.
"""

from typing import NamedTuple

import numpy as np


class Ranking(NamedTuple):
    """The thresholds from above, what is at or above each, and whose value is which (m,)."""

    values: np.ndarray
    tp: np.ndarray
    fp: np.ndarray
    place: np.ndarray

    @property
    def before(self) -> tuple[np.ndarray, np.ndarray]:
        """tp and fp of the threshold before, 0 before the first."""
        return np.append(0.0, self.tp[:-1]), np.append(0.0, self.fp[:-1])


def ranking(values: np.ndarray, belongs: np.ndarray, weights: np.ndarray) -> Ranking:
    """Values (m,) in order, those that are equal at one threshold; all weights above 0."""
    order = np.argsort(-values, kind="stable")
    ordered, own = values[order], np.where(belongs, weights, 0.0)[order]
    ends = np.flatnonzero(np.append(ordered[:-1] != ordered[1:], True))
    place = np.empty(len(values), np.intp)
    place[order] = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    tp, fp = np.cumsum(own)[ends], np.cumsum(weights[order] - own)[ends]
    return Ranking(ordered[ends], tp, fp, place)


def roc_auc(rank: Ranking) -> float:
    """From 0 to 1; 0.5 for an order that knows nothing."""
    tp_before, fp_before = rank.before
    area = ((rank.fp - fp_before) * (rank.tp + tp_before)).sum() / 2
    return float(area / (rank.tp[-1] * rank.fp[-1]))


def pr_auc(rank: Ranking) -> float:
    """From 0 to 1; P / (P + N) for an order that knows nothing."""
    found = rank.tp - rank.before[0]
    return float((found * rank.tp / (rank.tp + rank.fp)).sum() / rank.tp[-1])
