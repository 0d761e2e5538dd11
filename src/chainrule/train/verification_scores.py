"""How well embeddings tell who is who: verification (1:1), and one-shot recognition (1 of k).

Notes: "Face verification vs face recognition", "One-shot learning" (course 4, week 4).

    D(x1, x2) ≤ τ     the same identity                                        verification
    nearest           the identity of the nearest of k known images            recognition

    false_accepts     share of the pairs of two identities with D ≤ τ
    false_rejects     share of the pairs of one identity with D > τ
    equal_error_rate  where false accepts and false rejects are the same share; between two
                      thresholds both are taken to change evenly

D is the squared distance, or another `Distance`. Embeddings are rows here, as at every door; pairs
are of two different images. `scores_ranking.py` has the counts by threshold.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError, ShapeError
from chainrule.train.scores_ranking import ranking

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From rows E (m, n) and F (k, n) to D (m, k): small for the same person."""

WAYS = (20, 5)
"""Of how many people one is to be found, the most that there are images for."""


class Pairs(NamedTuple):
    """Every two different images once: how far from each other, and whether of one identity."""

    D: np.ndarray
    same: np.ndarray


class Roc(NamedTuple):
    """Thresholds from the smallest on (the first says no to all), and both kinds of error."""

    thresholds: np.ndarray
    false_accepts: np.ndarray
    false_rejects: np.ndarray

    @property
    def auc(self) -> float:
        """The area under 1 − false_rejects over false_accepts."""
        return float(np.trapezoid(1 - self.false_rejects, self.false_accepts))


def distances(E: np.ndarray, F: np.ndarray) -> np.ndarray:
    """D (m, k) from each row of E (m, n) to each of F (k, n), in float64."""
    E, F = np.asarray(E, np.float64), np.asarray(F, np.float64)
    if E.ndim != 2 or F.ndim != 2 or E.shape[1] != F.shape[1]:
        hint = "embeddings of the same network, one a row"
        raise ShapeError("distances", "(m, n) and (k, n)", f"{E.shape} and {F.shape}", hint)
    D = (E**2).sum(axis=1)[:, None] + (F**2).sum(axis=1)[None] - 2 * E @ F.T
    return np.maximum(D, 0)


def pairs_of(E: np.ndarray, identities: np.ndarray, distance: Distance = distances) -> Pairs:
    """All pairs of the rows of E (m, n)."""
    identities = np.asarray(identities).ravel()
    first, second = np.triu_indices(len(E), 1)
    return Pairs(distance(E, E)[first, second], identities[first] == identities[second])


def roc(pairs: Pairs) -> Roc:
    """Both shares of errors at every distance that occurs."""
    if pairs.same.all() or not pairs.same.any():
        expected, got = "pairs of one identity and of two", "only one kind"
        raise DataError("the pairs", expected, got, "several images of several identities")
    rank, _ = ranking(-pairs.D, pairs.same, np.ones(len(pairs.D)))
    tp, fp = np.append(0.0, rank.tp), np.append(0.0, rank.fp)
    thresholds = np.append(-np.inf, -rank.values)
    return Roc(thresholds, fp / rank.N, 1 - tp / rank.tp[-1])


def equal_error_rate(curve: Roc) -> float:
    """Where false accepts and false rejects are the same share."""
    accepts, rejects = curve.false_accepts, curve.false_rejects
    i = int(np.argmax(accepts >= rejects))  # at the first threshold all are rejected
    before, after = rejects[i - 1] - accepts[i - 1], accepts[i] - rejects[i]
    share = before / (before + after)
    return float(accepts[i - 1] + share * (accepts[i] - accepts[i - 1]))


def best_threshold(curve: Roc) -> float:
    """The τ with the least false accepts and false rejects together: halfway to the next distance.

    To be chosen on dev identities: on those it is tested on it would flatter.
    """
    best = int(np.argmin(curve.false_accepts + curve.false_rejects))  # yes to all is no better
    here = max(curve.thresholds[best], 0.0)  # than no to all, which comes first
    return float((here + curve.thresholds[best + 1]) / 2)


def verification_accuracy(pairs: Pairs, threshold: float) -> float:
    """The share of right answers, pairs of one identity and of two counted as equally many."""
    said = threshold >= pairs.D
    return float((said[pairs.same].mean() + (~said[~pairs.same]).mean()) / 2)


def one_shot(known: np.ndarray, E: np.ndarray, distance: Distance = distances) -> np.ndarray:
    """Which of the k rows of `known` (k, n) is nearest to each row of E (m, n)."""
    return distance(E, known).argmin(axis=1)


def one_shot_accuracy(
    known: np.ndarray, E: np.ndarray, answers: np.ndarray, distance: Distance = distances
) -> float:
    """The share of rows of E whose nearest of `known` is the right one, `answers` (m,)."""
    return float((one_shot(known, E, distance) == np.asarray(answers).ravel()).mean())


def ways_of(identities: np.ndarray) -> int | None:
    """Of how many people one can be found: 20 or 5, or None where there are fewer."""
    return next((k for k in WAYS if len(np.unique(identities)) >= k), None)


def one_shot_of(
    E: np.ndarray,
    identities: np.ndarray,
    k: int,
    *,
    tasks: int = 100,
    seed: int = 0,
    distance: Distance = distances,
) -> float:
    """The accuracy over so many k-way tasks that are drawn from the rows of E (m, n).

    A task is k identities, one image of each that is known and another that is asked about.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(code == identities) for code in np.unique(identities)]
    drawn = [
        [rng.permutation(rows[i])[:2] for i in rng.permutation(len(rows))[:k]] for _ in range(tasks)
    ]
    known, asked = np.moveaxis(np.array(drawn), -1, 0)
    right = [
        one_shot_accuracy(E[a], E[b], np.arange(k), distance)
        for a, b in zip(known, asked, strict=True)
    ]
    return float(np.mean(right))
