"""Measure embeddings by verification (1:1) and one-shot recognition (1 of k).

Notes: "Face verification vs face recognition", "One-shot learning" (course 4, week 4).

    verification      x1 and x2 have the same identity if D(x1, x2) ≤ τ
    recognition       the identity of the nearest of k known images

    false_accepts     share of the pairs of two identities with D ≤ τ
    false_rejects     share of the pairs of one identity with D > τ
    equal_error_rate  where false accepts and false rejects are the same share; between two
                      thresholds both are interpolated linearly

D is the squared distance or another `Distance`. Embeddings are rows here; a pair is two different
images. The counts for each threshold are computed in `scores_ranking.py`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from chainrule.errors import DataError, ShapeError
from chainrule.train.scores_ranking import ranking

Distance = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A function from rows E (m, n) and F (k, n) to D (m, k), small for the same person."""

WAYS = (20, 5)
"""The numbers of people in one-shot recognition; the largest that the data allows is used."""


class Pairs(NamedTuple):
    """Every pair of different images once: their distance D, and whether they are one person."""

    D: np.ndarray
    same: np.ndarray


class Roc(NamedTuple):
    """Thresholds in ascending order (the first rejects all pairs), and both error rates."""

    thresholds: np.ndarray
    false_accepts: np.ndarray
    false_rejects: np.ndarray

    @property
    def auc(self) -> float:
        """The area under the curve of 1 − false_rejects over false_accepts."""
        return float(np.trapezoid(1 - self.false_rejects, self.false_accepts))


def distances(E: np.ndarray, F: np.ndarray) -> np.ndarray:
    """Return squared distances D (m, k) of the rows of E (m, n) and F (k, n), in float64."""
    E, F = np.asarray(E, np.float64), np.asarray(F, np.float64)
    if E.ndim != 2 or F.ndim != 2 or E.shape[1] != F.shape[1]:
        hint = "embeddings of the same network, one per row"
        raise ShapeError("distances", "(m, n) and (k, n)", f"{E.shape} and {F.shape}", hint)
    D = (E**2).sum(axis=1)[:, None] + (F**2).sum(axis=1)[None] - 2 * E @ F.T
    return np.maximum(D, 0)


def pairs_of(E: np.ndarray, identities: np.ndarray, distance: Distance = distances) -> Pairs:
    """Return all pairs of the rows of E (m, n)."""
    identities = np.asarray(identities).ravel()
    first, second = np.triu_indices(len(E), 1)
    return Pairs(distance(E, E)[first, second], identities[first] == identities[second])


def roc(pairs: Pairs) -> Roc:
    """Return both error rates at every distance that occurs."""
    if pairs.same.all() or not pairs.same.any():
        expected, got = "pairs of one identity and pairs of two", "only one kind"
        raise DataError("the pairs", expected, got, "several images of several identities")
    rank, _ = ranking(-pairs.D, pairs.same, np.ones(len(pairs.D)))
    tp, fp = np.append(0.0, rank.tp), np.append(0.0, rank.fp)
    thresholds = np.append(-np.inf, -rank.values)
    return Roc(thresholds, fp / rank.N, 1 - tp / rank.tp[-1])


def equal_error_rate(curve: Roc) -> float:
    """Return the error rate at which false accepts and false rejects are the same share."""
    accepts, rejects = curve.false_accepts, curve.false_rejects
    i = int(np.argmax(accepts >= rejects))  # at the first threshold all are rejected
    before, after = rejects[i - 1] - accepts[i - 1], accepts[i] - rejects[i]
    share = before / (before + after)
    return float(accepts[i - 1] + share * (accepts[i] - accepts[i - 1]))


def best_threshold(curve: Roc) -> float:
    """Return the τ with the lowest sum of error rates, halfway to the next distance.

    Choose it on dev identities: on the test identities it would give optimistic scores.
    """
    # Accepting all pairs is no better than rejecting all, which comes first: best + 1 exists.
    best = int(np.argmin(curve.false_accepts + curve.false_rejects))
    threshold = max(curve.thresholds[best], 0.0)
    return float((threshold + curve.thresholds[best + 1]) / 2)


def verification_accuracy(pairs: Pairs, threshold: float) -> float:
    """Return the accuracy, in which pairs of one identity and of two have equal total weight."""
    match = threshold >= pairs.D
    return float((match[pairs.same].mean() + (~match[~pairs.same]).mean()) / 2)


def one_shot(known: np.ndarray, E: np.ndarray, distance: Distance = distances) -> np.ndarray:
    """Return which of the k rows of `known` (k, n) is nearest to each row of E (m, n)."""
    return distance(E, known).argmin(axis=1)


def one_shot_accuracy(
    known: np.ndarray, E: np.ndarray, answers: np.ndarray, distance: Distance = distances
) -> float:
    """Return the share of rows of E whose nearest row of `known` is the one in `answers` (m,)."""
    return float((one_shot(known, E, distance) == np.asarray(answers).ravel()).mean())


def ways_of(identities: np.ndarray) -> int | None:
    """Return the number of people for one-shot recognition: 20, 5, or None if there are fewer."""
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
    """Return the accuracy over random k-way one-shot tasks drawn from the rows of E (m, n).

    A task has k identities, with one known image of each and another one to recognise.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(code == identities) for code in np.unique(identities)]
    drawn = [
        [rng.permutation(rows[i])[:2] for i in rng.permutation(len(rows))[:k]] for _ in range(tasks)
    ]
    known, queries = np.moveaxis(np.array(drawn), -1, 0)
    right = [
        one_shot_accuracy(E[a], E[b], np.arange(k), distance)
        for a, b in zip(known, queries, strict=True)
    ]
    return float(np.mean(right))
