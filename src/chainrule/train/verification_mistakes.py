"""List the pairs of images that a threshold gets wrong, the worst first.

Notes: "Carrying out error analysis" (course 3, week 2).

    false accepts    two identities, D ≤ τ: the nearest first
    false rejects    one identity, D > τ: the furthest first
"""

from typing import NamedTuple

import numpy as np

from chainrule.train.verification_scores import Distance, distances, pairs_of


class Mistake(NamedTuple):
    """The rows of two images, their distance D, and whether they show the same person."""

    first: int
    second: int
    D: float
    same: bool


class Mistakes(NamedTuple):
    """The worst mistakes of each kind, and their counts.

    `accepted` and `rejected` count all false accepts and false rejects; `strangers` and `own` count
    the pairs of two identities and of one.
    """

    false_accepts: list[Mistake]
    false_rejects: list[Mistake]
    accepted: int
    rejected: int
    strangers: int
    own: int


def mistakes_of(
    E: np.ndarray,
    identities: np.ndarray,
    threshold: float,
    distance: Distance = distances,
    *,
    most: int = 12,
) -> Mistakes:
    """Return the mistakes among all pairs of the rows of E (m, n).

    At most `most` of each kind are listed, and only one for each identity or pair of identities.
    """
    identities = np.asarray(identities).ravel()
    pairs = pairs_of(E, identities, distance)
    match = threshold >= pairs.D
    accepted, rejected = np.flatnonzero(match & ~pairs.same), np.flatnonzero(~match & pairs.same)
    first, second = np.triu_indices(len(E), 1)

    def worst(some: np.ndarray, values: np.ndarray) -> list[Mistake]:
        mistakes: dict[frozenset, Mistake] = {}
        for i in some[np.argsort(values[some], kind="stable")]:
            one = Mistake(int(first[i]), int(second[i]), float(pairs.D[i]), bool(pairs.same[i]))
            mistakes.setdefault(frozenset(identities[[one.first, one.second]].tolist()), one)
            if len(mistakes) == most:
                break
        return list(mistakes.values())

    own = int(pairs.same.sum())
    return Mistakes(
        false_accepts=worst(accepted, pairs.D),
        false_rejects=worst(rejected, -pairs.D),
        accepted=len(accepted),
        rejected=len(rejected),
        strangers=len(pairs.D) - own,
        own=own,
    )
